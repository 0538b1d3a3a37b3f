// Every op on inputs that nobody meant for it: empty tensors, scalars, wrong ranks and types, sizes that overflow, NaN.
// Whatever comes, the answer is a result or a Status; and a graph that knows its shapes gives the same as one that does
// not. Run it under AddressSanitizer too.
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "absl/strings/str_cat.h"
#include "graph/node_builder.h"
#include "graph/op_sample.h"
#include "graph/status.h"
#include "runtime/io/fault_env.h"
#include "runtime/session.h"

namespace staticflow {
namespace {

using Random = std::mt19937;

int Below(Random& random, int n) { return static_cast<int>(random() % static_cast<uint32_t>(n)); }

const std::vector<Shape>& Shapes() {
  static const std::vector<Shape>& shapes = *new std::vector<Shape>{
      {}, {0}, {1}, {3}, {2, 0}, {2, 3}, {3, 3}, {0, 2, 2}, {2, 3, 2}, {1, 4, 4, 2}, {2, 2, 2, 2, 2}};
  return shapes;
}

double Number(Random& random, bool wild) {
  constexpr double kWild[] = {std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::infinity(),
                              -std::numeric_limits<double>::infinity(),
                              1e300,
                              -0.0,
                              9e18};
  if (wild && Below(random, 3) == 0) return kWild[Below(random, 6)];
  return Below(random, 9) - 4 + (wild ? 0.5 : 0);
}

int64_t Integer(Random& random, bool wild) {
  constexpr int64_t kWild[] = {std::numeric_limits<int64_t>::max(),
                               std::numeric_limits<int64_t>::min(),
                               int64_t{1} << 40,
                               -1,
                               int64_t{1} << 31,
                               1000};
  return wild && Below(random, 2) == 0 ? kWild[Below(random, 6)] : Below(random, 4);
}

// `wild`: with values far from any sense.
Tensor RandomTensor(DataType dtype, const Shape& shape, bool wild, Random& random) {
  absl::StatusOr<Tensor> tensor = Tensor::Create(dtype, shape);
  SF_CHECK(tensor.ok());
  for (int64_t i = 0; i < tensor->num_elements(); ++i) {
    DispatchType<float, double>(dtype, [&]<typename T>() { tensor->data<T>()[i] = T(Number(random, wild)); }) ||
        DispatchType<Half, BFloat16>(
            dtype, [&]<typename T>() { tensor->data<T>()[i] = T(static_cast<float>(Number(random, wild))); }) ||
        DispatchType<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>(
            dtype, [&]<typename T>() { tensor->data<T>()[i] = static_cast<T>(Integer(random, wild)); });
    if (dtype == DT_BOOL) tensor->data<bool>()[i] = Below(random, 2) == 1;
    if (dtype == DT_STRING) tensor->data<std::string>()[i] = wild ? "\xff\0%s[(" : "1";
  }
  return *std::move(tensor);
}

// One way to ask an op for something: attributes, and a tensor for each input.
struct Question {
  OpSample sample;
  std::vector<Tensor> values;
};

// Attributes keep their sample values but for types, bools, strings with a choice and integers, which vary.
Question Ask(const Op& op, Random& random) {
  Question question;
  question.sample = SampleOp(op, Below(random, 6));
  const bool wild = Below(random, 3) == 0, one_shape = Below(random, 2) == 0;
  for (const AttrDef& attr : op.attrs) {
    AttrValue& value = question.sample.attrs[attr.name];
    if (attr.is_list || Below(random, 3) != 0) continue;
    if (attr.kind == AttrKind::kBool) value = Below(random, 2) == 1;
    if (attr.kind == AttrKind::kInt && attr.name != "N")
      value = wild ? Integer(random, true) : int64_t{Below(random, 5)} - 1;
    if (attr.kind == AttrKind::kString && !attr.allowed_strings.empty()) {
      value = attr.allowed_strings[Below(random, static_cast<int>(attr.allowed_strings.size()))];
    }
  }
  const std::vector<Shape>& shapes = Shapes();
  const Shape common = shapes[Below(random, static_cast<int>(shapes.size()))];
  for (const OpSample::Input& input : question.sample.inputs) {
    // Integers are mostly axes, sizes and indices: a number or a few.
    const bool few = !IsFloating(input.dtype) && Below(random, 3) != 0;
    const Shape& shape = few         ? shapes[Below(random, 4)]
                         : one_shape ? common
                                     : shapes[Below(random, static_cast<int>(shapes.size()))];
    question.values.push_back(
        IsObject(input.dtype) && input.dtype != DT_STRING ? Tensor() : RandomTensor(input.dtype, shape, wild, random));
  }
  return question;
}

// What came of it.
struct Answer {
  absl::Status status;
  std::vector<Tensor> values;
};

class Asking {
 public:
  Asking(const Op& op, bool knows_shapes) : op_(op), knows_shapes_(knows_shapes) {}

  Answer Run(const Question& question) {
    std::vector<Output> operands;
    for (size_t i = 0; i < question.values.size(); ++i) {
      operands.push_back(Source(question.sample.inputs[i], question.values[i]));
    }
    Node* node = BuildSample(op_, question.sample, operands, graph_);
    if (node == nullptr) return {graph_.status(), {}};
    std::vector<Output> fetches;
    for (int i = 0; i < node->num_outputs(); ++i) {
      if (!IsObject(node->output_dtype(i)) || node->output_dtype(i) == DT_STRING) fetches.push_back(node->output(i));
    }
    Session session(graph_,
                    {.threads = 1, .memory_budget = int64_t{1} << 24, .warn = [](absl::string_view) {}, .env = &env_});
    const absl::Status initialized = session.Run({}, {}, initializers_).status();
    if (!initialized.ok()) return {initialized, {}};
    absl::StatusOr<std::vector<Tensor>> values = session.Run(feeds_, fetches, {node});
    if (!values.ok()) return {values.status(), {}};
    return {absl::OkStatus(), *std::move(values)};
  }

 private:
  Output Source(const OpSample::Input& input, const Tensor& value) {
    const auto where = std::source_location::current();
    const bool is_handle = input.dtype == DT_RESOURCE;
    if (!input.argument->is_ref && !is_handle) {
      const Output fed = NodeBuilder(graph_, OpWithRole(OpRole::kPlaceholder).name(), where)
                             .Attr("dtype", input.dtype)
                             .Attr("shape", knows_shapes_ && value.valid() ? value.shape() : Shape::Unknown())
                             .Build();
      if (value.valid()) feeds_.emplace_back(fed, value);
      return fed;
    }
    const Tensor initial = value.valid() ? value : Tensor::Vector<float>({1, 2, 3});
    const Output variable =
        NodeBuilder(graph_, OpWithRole(is_handle ? OpRole::kVarHandle : OpRole::kVariable).name(), where)
            .Attr("dtype", initial.dtype())
            .Attr("shape", initial.shape())
            .Build();
    const Output constant =
        NodeBuilder(graph_, "Const", where).Attr("value", initial).Attr("dtype", initial.dtype()).Build();
    initializers_.push_back(NodeBuilder(is_handle ? "AssignVariableOp" : "Assign", {variable, constant}).BuildNode());
    return variable;
  }

  const Op& op_;
  const bool knows_shapes_;
  FaultEnv env_;
  Graph graph_;
  Session::Feeds feeds_;
  std::vector<Operation> initializers_;
};

class RegistrySweepTest : public testing::TestWithParam<const Op*> {};

constexpr int kQuestions = 64;

TEST_P(RegistrySweepTest, AnswersWithAResultOrAStatus) {
  const Op& op = *GetParam();
  Random random(static_cast<uint32_t>(op.name().size() * 7919 + op.inputs.size()));
  int answered = 0;
  for (int i = 0; i < kQuestions; ++i) {
    const Question question = Ask(op, random);
    std::string inputs;
    for (const Tensor& value : question.values) absl::StrAppend(&inputs, value.ToString(4), " ");
    SCOPED_TRACE(absl::StrCat("question ", i, ": ", inputs));
    const Answer unknown = Asking(op, false).Run(question);
    const Answer known = Asking(op, true).Run(question);
    EXPECT_NE(unknown.status.code(), absl::StatusCode::kInternal) << unknown.status;
    EXPECT_EQ(unknown.status.ok(), known.status.ok()) << unknown.status << "\n" << known.status;
    if (!unknown.status.ok() || !known.status.ok()) continue;
    ++answered;
    if (op.has(kStateful)) continue;
    for (size_t k = 0; k < known.values.size(); ++k) {
      EXPECT_TRUE(BitwiseEqual(unknown.values[k], known.values[k]))
          << "output " << k << ": " << unknown.values[k].ToString() << " and " << known.values[k].ToString();
    }
  }
  RecordProperty("answered_with_a_result", answered);
}

INSTANTIATE_TEST_SUITE_P(All, RegistrySweepTest, testing::ValuesIn(AllOps()),
                         [](const auto& info) { return info.param->name(); });

}  // namespace
}  // namespace staticflow
