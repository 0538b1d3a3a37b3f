#include "tests/op_test.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/graph_def.h"
#include "graph/op.h"
#include "runtime/session.h"
#include "tests/op_test_program.h"

namespace staticflow {
namespace {

using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;

constexpr int64_t kMaxDifferences = 48;  // elements of one input that are checked by differences

bool Near(double got, double want, double tolerance) {
  if (std::isnan(want)) return std::isnan(got);
  // Anything is within a part of infinity.
  return got == want || (std::isfinite(want) && std::abs(got - want) <= tolerance * (1 + std::abs(want)));
}

double ElementAsDouble(const Tensor& t, int64_t i) {
  double value = 0;
  DispatchType<float, double>(t.dtype(), [&]<typename E>() { value = t.data<E>()[i]; }) ||
      DispatchType<Half, BFloat16>(t.dtype(), [&]<typename E>() { value = float(t.data<E>()[i]); });
  return value;
}

void SetElement(Tensor& t, int64_t i, double value) {
  DispatchType<float, double>(t.dtype(), [&]<typename E>() { t.data<E>()[i] = static_cast<E>(value); }) ||
      DispatchType<Half, BFloat16>(t.dtype(), [&]<typename E>() { t.data<E>()[i] = E(static_cast<float>(value)); });
}

AssertionResult SameBits(const std::vector<Tensor>& got, const std::vector<Tensor>& want) {
  if (got.size() != want.size()) return AssertionFailure() << got.size() << " tensors, expected " << want.size();
  for (size_t i = 0; i < got.size(); ++i) {
    if (!BitwiseEqual(got[i], want[i])) {
      return AssertionFailure() << "tensor " << i << ": " << got[i].ToString() << " and " << want[i].ToString();
    }
  }
  return AssertionSuccess();
}

Tensor Copy(const Tensor& tensor) {
  absl::StatusOr<Tensor> copy = tensor.Clone();
  SF_CHECK(copy.ok());
  return *std::move(copy);
}

// Weights for the elements of a tensor, so that every element counts and no two count alike.
Tensor Weights(DataType dtype, const Shape& shape) {
  absl::StatusOr<Tensor> weights = Tensor::Create(dtype, shape);
  SF_CHECK(weights.ok());
  for (int64_t i = 0; i < weights->num_elements(); ++i) {
    const double fraction = std::fmod(0.618033988749895 * static_cast<double>(i + 1), 1.0);
    SetElement(*weights, i, (i % 3 == 1 ? -1 : 1) * (0.5 + fraction));
  }
  return *std::move(weights);
}

double WeightedSum(const std::vector<Tensor>& values, const std::vector<Tensor>& weights) {
  double sum = 0;
  for (size_t k = 0; k < values.size(); ++k) {
    for (int64_t i = 0; i < values[k].num_elements(); ++i) {
      sum += ElementAsDouble(values[k], i) * ElementAsDouble(weights[k], i);
    }
  }
  return sum;
}

// The derivative of a weighted sum of some tensors of a program by some of its sources.
class GradientCheck {
 public:
  GradientCheck(const OpCase& row, Known known) : row_(row) { BuildProgram(row, known, false, p_); }

  void Run();

 private:
  bool Choose(const std::vector<Tensor>& values);
  // Adds the gradients of `ys` and compares them with differences. Returns the gradient of each x, invalid where there
  // is none.
  std::vector<Output> Compare(const std::vector<Output>& ys, const std::vector<Tensor>& weights);
  void CompareElements(Session& session, size_t x, const std::vector<Output>& ys, const std::vector<Tensor>& weights,
                       const Tensor* analytic);
  bool HasGradients(const std::vector<Output>& ys) const;

  const OpCase& row_;
  TestProgram p_;
  std::vector<Output> ys_;
  std::vector<Tensor> weights_;
  std::vector<int> xs_;  // indices of inputs
  bool is_second_ = false;
};

bool GradientCheck::Choose(const std::vector<Tensor>& values) {
  for (size_t i = 0; i < p_.outputs.size(); ++i) {
    const std::vector<int>& chosen = row_.gradient_outputs;
    const bool wanted = chosen.empty() || std::find(chosen.begin(), chosen.end(), int(i)) != chosen.end();
    if (!wanted || !IsFloating(p_.outputs[i].dtype())) continue;
    ys_.push_back(p_.outputs[i]);
    weights_.push_back(Weights(values[i].dtype(), values[i].shape()));
  }
  xs_ = row_.gradient_inputs;
  for (size_t i = 0; row_.gradient_inputs.empty() && i < row_.inputs.size(); ++i) {
    if (IsFloating(row_.inputs[i].dtype())) xs_.push_back(static_cast<int>(i));
  }
  return !ys_.empty() && !xs_.empty();
}

void GradientCheck::CompareElements(Session& session, size_t x, const std::vector<Output>& ys,
                                    const std::vector<Tensor>& weights, const Tensor* analytic) {
  auto feeds = p_.feeds;
  const Tensor original = feeds[x].second;
  const bool wide = original.dtype() == DT_DOUBLE;
  const double eps = row_.gradient_eps > 0 ? row_.gradient_eps : wide ? 1e-5 : is_second_ ? 2e-3 : 1e-2;
  const double tolerance = row_.gradient_tolerance > 0 ? row_.gradient_tolerance : wide ? 1e-5 : 2e-2;
  const int64_t step = std::max<int64_t>(1, original.num_elements() / kMaxDifferences);
  for (int64_t i = 0; i < original.num_elements(); i += step) {
    double sums[2];
    for (int side = 0; side < 2; ++side) {
      feeds[x].second = Copy(original);
      SetElement(feeds[x].second, i, ElementAsDouble(original, i) + (side == 0 ? -eps : eps));
      absl::StatusOr<std::vector<Tensor>> values = session.Run(feeds, ys);
      ASSERT_TRUE(values.ok()) << values.status();
      sums[side] = WeightedSum(*values, weights);
    }
    const double numeric = (sums[1] - sums[0]) / (2 * eps);
    const double got = analytic == nullptr ? 0 : ElementAsDouble(*analytic, i);
    ASSERT_TRUE(Near(got, numeric, tolerance))
        << "the gradient by element " << i << " of input " << x << " is " << got
        << (analytic == nullptr ? " (there is none)" : "") << ", differences give " << numeric;
  }
}

// Whether `ys` can be differentiated; tried on a copy of the graph, which keeps the error otherwise.
bool GradientCheck::HasGradients(const std::vector<Output>& ys) const {
  Graph copy;
  const absl::StatusOr<std::string> bytes = GraphDefBytes(p_.graph);
  if (!bytes.ok() || !ImportGraphDef(*bytes, copy).ok()) return false;
  std::vector<Output> copied_ys, copied_xs;
  for (Output y : ys) copied_ys.push_back(*copy.FindOutput(y.name()));
  for (int x : xs_) copied_xs.push_back(*copy.FindOutput(p_.sources[x].name()));
  Gradients(copied_ys, copied_xs);
  return copy.status().ok();
}

std::vector<Output> GradientCheck::Compare(const std::vector<Output>& ys, const std::vector<Tensor>& weights) {
  GradientOptions options;
  for (const Tensor& weight : weights) options.grad_ys.push_back(MakeConst(p_.graph, weight));
  std::vector<Output> xs, fetches;
  for (int x : xs_) xs.push_back(p_.sources[x]);
  std::vector<Output> gradients = Gradients(ys, xs, options);
  EXPECT_TRUE(p_.graph.status().ok()) << p_.graph.status();
  if (!p_.graph.status().ok()) return {};
  std::copy_if(gradients.begin(), gradients.end(), std::back_inserter(fetches), [](Output o) { return o.valid(); });

  const absl::StatusOr<std::vector<Tensor>> analytic = RunProgram(p_, fetches, 1);
  EXPECT_TRUE(analytic.ok()) << analytic.status();
  if (!analytic.ok()) return {};
  const absl::StatusOr<std::vector<Tensor>> again = RunProgram(p_, fetches, 2);
  EXPECT_TRUE(again.ok() && SameBits(*again, *analytic)) << "gradients differ between one thread and two";

  SessionOptions session_options;
  session_options.threads = 1;
  Session session(p_.graph, session_options);
  size_t next = 0;
  for (size_t k = 0; k < xs.size(); ++k) {
    const Tensor* value = gradients[k].valid() ? &(*analytic)[next++] : nullptr;
    const Tensor& x = row_.inputs[xs_[k]];
    if (value != nullptr) {
      EXPECT_TRUE(value->dtype() == x.dtype() && value->shape() == x.shape())
          << "the gradient by input " << xs_[k] << " is " << value->ToString() << ", the input " << x.ToString();
      if (!(value->dtype() == x.dtype() && value->shape() == x.shape())) continue;
    }
    CompareElements(session, xs_[k], ys, weights, value);
  }
  return gradients;
}

void GradientCheck::Run() {
  const absl::StatusOr<std::vector<Tensor>> values = RunProgram(p_, p_.outputs, 1);
  ASSERT_TRUE(values.ok()) << values.status();
  if (!Choose(*values)) return;
  const std::vector<Output> gradients = Compare(ys_, weights_);
  if (testing::Test::HasFailure() || !row_.check_second_order) return;
  SCOPED_TRACE("second order");
  std::vector<Output> ys;
  std::vector<Tensor> weights;
  for (size_t k = 0; k < gradients.size(); ++k) {
    if (!gradients[k].valid()) continue;
    ys.push_back(gradients[k]);
    weights.push_back(Weights(gradients[k].dtype(), row_.inputs[xs_[k]].shape()));
  }
  if (!row_.second_order && !HasGradients(ys)) return;
  is_second_ = true;
  Compare(ys, weights);
}

void CheckError(const OpCase& row) {
  for (Known known : kAllKnown) {
    SCOPED_TRACE(KnownName(known));
    TestProgram p;
    BuildProgram(row, known, false, p);
    const absl::Status status = RunProgram(p, p.outputs, 1).status();
    EXPECT_FALSE(status.ok()) << "expected an error that says '" << row.want_error << "'";
    EXPECT_TRUE(absl::StrContains(status.message(), row.want_error)) << status;
    if (TakesVariables(row)) break;  // whose initial values would be constants too
  }
}

// The outputs of the row, from one thread and static shapes, after comparing them with what it wants.
absl::StatusOr<std::vector<Tensor>> CheckValues(const OpCase& row) {
  TestProgram p;
  BuildProgram(row, Known::kStaticShapes, false, p);
  std::vector<Tensor> fed, variables;
  for (const Tensor& input : row.inputs) fed.push_back(Copy(input));
  SF_ASSIGN_OR_RETURN(std::vector<Tensor> values, RunProgram(p, p.outputs, 1, &variables));
  EXPECT_TRUE(SameBits(row.inputs, fed)) << "what was fed has changed";
  EXPECT_LE(row.want.size(), values.size()) << "the op has fewer outputs than the row wants";
  for (size_t i = 0; i < std::min(row.want.size(), values.size()); ++i) {
    if (!row.want[i].valid()) continue;
    EXPECT_TRUE(TensorsNear(values[i], row.want[i], row.tolerance)) << "output " << i;
  }
  EXPECT_LE(row.want_variables.size(), variables.size()) << "the op has fewer variables than the row wants";
  for (size_t i = 0; i < std::min(row.want_variables.size(), variables.size()); ++i) {
    EXPECT_TRUE(TensorsNear(variables[i], row.want_variables[i], row.tolerance)) << "variable " << i;
  }
  return values;
}

// Other ways to build and to run the same thing, which must not change a bit.
void CheckVariants(const OpCase& row, const std::vector<Tensor>& values) {
  for (Known known : kAllKnown) {
    SCOPED_TRACE(KnownName(known));
    TestProgram p;
    BuildProgram(row, known, false, p);
    for (int threads = 1; threads <= 2; ++threads) {
      const absl::StatusOr<std::vector<Tensor>> again = RunProgram(p, p.outputs, threads);
      ASSERT_TRUE(again.ok()) << again.status();
      EXPECT_TRUE(SameBits(*again, values)) << "with " << threads << " threads";
    }
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_TRUE(p.outputs[i].shape().IsCompatibleWith(values[i].shape()))
          << "output " << i << " was inferred as " << p.outputs[i].shape().ToString() << " but is "
          << values[i].shape().ToString();
    }
  }
  if (FindOp(row.op)->has(kInPlace) && CanCopyInput(row)) {
    TestProgram p;
    BuildProgram(row, Known::kStaticShapes, true, p);
    const absl::StatusOr<std::vector<Tensor>> again = RunProgram(p, p.outputs, 1);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(SameBits(*again, values)) << "over an input that may be overwritten";
  }
}

void CheckRoundTrip(const OpCase& row, const std::vector<Tensor>& values) {
  TestProgram p, copy, from_text;
  BuildProgram(row, Known::kStaticShapes, false, p);
  const absl::StatusOr<std::string> bytes = GraphDefBytes(p.graph), text = GraphDefText(p.graph);
  ASSERT_TRUE(bytes.ok() && text.ok()) << bytes.status() << text.status();
  const absl::Status imported = ImportGraphDef(*bytes, copy.graph);
  ASSERT_TRUE(imported.ok()) << imported;
  const absl::Status imported_text = ImportGraphDefText(*text, from_text.graph);
  ASSERT_TRUE(imported_text.ok()) << imported_text;
  EXPECT_EQ(GraphDefBytes(copy.graph).value_or(""), *bytes);
  EXPECT_EQ(GraphDefBytes(from_text.graph).value_or(""), *bytes);

  for (const auto& [output, value] : p.feeds) copy.feeds.emplace_back(*copy.graph.FindOutput(output.name()), value);
  for (Operation op : p.initializers) copy.initializers.push_back(copy.graph.FindNode(op.name()));
  for (Output output : p.outputs) copy.outputs.push_back(*copy.graph.FindOutput(output.name()));
  copy.node = copy.graph.FindNode(p.node->name());
  const absl::StatusOr<std::vector<Tensor>> again = RunProgram(copy, copy.outputs, 1);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(SameBits(*again, values)) << "after a round trip through a GraphDef";
}

}  // namespace

AssertionResult TensorsNear(const Tensor& got, const Tensor& want, double tolerance) {
  if (got.dtype() != want.dtype() || !(got.shape() == want.shape())) {
    return AssertionFailure() << "got " << got.ToString() << ", want " << want.ToString();
  }
  if (!IsFloating(got.dtype())) {
    if (BitwiseEqual(got, want)) return AssertionSuccess();
    return AssertionFailure() << "got " << got.ToString(30) << ", want " << want.ToString(30);
  }
  for (int64_t i = 0; i < got.num_elements(); ++i) {
    if (Near(ElementAsDouble(got, i), ElementAsDouble(want, i), tolerance)) continue;
    return AssertionFailure() << "element " << i << ": got " << ElementAsDouble(got, i) << " in " << got.ToString(30)
                              << ", want " << ElementAsDouble(want, i) << " in " << want.ToString(30);
  }
  return AssertionSuccess();
}

std::vector<OpCase> OpRows(absl::string_view table, std::vector<OpCase> rows) {
  for (OpCase& row : rows) {
    if (row.op.empty()) row.op = std::string(table);
  }
  return rows;
}

std::string OpRowName(const testing::TestParamInfo<OpCase>& row) {
  std::string name = row.param.name.empty() ? absl::StrCat(row.param.op, "_", row.index) : row.param.name;
  for (char& c : name) c = absl::ascii_isalnum(c) ? c : '_';
  return name;
}

void PrintTo(const OpCase& row, std::ostream* out) { *out << row.op << " '" << row.name << "'"; }

// A test may use the rest of the harness and have no table.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OpTest);

TEST_P(OpTest, Row) {
  const OpCase& row = GetParam();
  const Op* op = FindOp(row.op);
  ASSERT_NE(op, nullptr) << "there is no op " << row.op;
  if (!row.want_error.empty()) return CheckError(row);

  const absl::StatusOr<std::vector<Tensor>> values = CheckValues(row);
  ASSERT_TRUE(values.ok()) << values.status();
  CheckVariants(row, *values);
  CheckRoundTrip(row, *values);

  const GradientFunction gradient = op->spec.gradient;
  const bool has_gradient = gradient != nullptr && gradient != kNotDifferentiable && gradient != kGradientIsError;
  if (!row.check_gradient || !has_gradient || TakesVariables(row) || testing::Test::HasFailure()) return;
  const OpCase wide = InDouble(row);
  for (Known known : {Known::kStaticShapes, Known::kNothing}) {
    SCOPED_TRACE(KnownName(known));
    GradientCheck(wide, known).Run();
  }
}

}  // namespace staticflow
