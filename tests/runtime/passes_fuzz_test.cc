// Random graphs of element-wise ops, sums, products, transposes, branches and updates of variables: with all passes and
// without any they compute the same, within rounding, and with one and several workers the same bits.
#include <algorithm>

#include "graph/control_flow.h"
#include "gtest/gtest.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/control_flow_while.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/state.h"
#include "tests/runtime/plan_runner.h"
#include "tests/runtime/worker_access.h"

namespace staticflow {
namespace {

constexpr int kGraphs = 300;
constexpr int kNodes = 40;

class RandomGraph {
 public:
  RandomGraph(int seed, TestGraph* t) : t_(*t), bits_(seed) {
    // One graph in three is large enough for several workers, some have more rows than a loop sums in one go.
    rows_ = columns_ = {1, 3, 16, 20};
    if (seed % 3 == 0) rows_ = columns_ = {1, 48, 130, 256};
    if (seed % 9 == 0) rows_ = {1, 1100}, columns_ = {1, 16, 40};
  }

  void Build() {
    for (int i = 0; i < 3; ++i) Keep(t_.Random({Rows(), Columns()}, Below(1000)));
    Keep(t_.Random({Columns()}, Below(1000)));
    Keep(t_.Random({}, Below(1000)));
    for (int i = 0; i < 3; ++i) {
      variables_.push_back(
          NewVariable(t_.graph, TestGraph::RandomTensor({Rows(), Columns()}, Below(1000)), {.name = "v"}));
      Keep(variables_.back().snapshot);
    }
    for (int i = 0; i < kNodes; ++i) AddNode();
    for (int i = 0; i < 5; ++i) t_.Fetch(Any());
    t_.Fetch(values_.back());
  }

 private:
  int Below(int n) { return static_cast<int>(bits_() % n); }
  int64_t Rows() { return rows_[Below(static_cast<int>(rows_.size()))]; }
  int64_t Columns() { return columns_[Below(static_cast<int>(columns_.size()))]; }
  void Keep(Output value) {
    if (value.valid()) values_.push_back(value);
  }
  // Rather a late value than an early one.
  Output Any() {
    const int n = static_cast<int>(values_.size());
    return values_[n - 1 - std::min(Below(n), Below(n))];
  }
  // One that can be an operand beside `x`; x itself when there is none.
  Output Beside(Output x) {
    for (int tries = 0; tries < 20; ++tries) {
      Output y = Any();
      const int rank = std::max(x.shape().rank(), y.shape().rank());
      bool fits = true;
      for (int d = 1; d <= rank; ++d) {
        const int64_t a = d <= x.shape().rank() ? x.shape().dim(-d) : 1;
        const int64_t b = d <= y.shape().rank() ? y.shape().dim(-d) : 1;
        fits &= a == b || a == 1 || b == 1;
      }
      // No outer products of long vectors.
      if (fits && (x.shape().num_elements() < 200 || y.shape().num_elements() < 200 || x.shape() == y.shape()))
        return y;
    }
    return x;
  }
  // Keeps numbers from growing beyond what sums can compare.
  static Output Tame(Output x) { return Tanh(x); }

  // Not decided by rounding where both are the same sum in another order.
  static Output IsLess(Output x, Output y) { return Less(x, y + 0.0137); }

  void AddNode() {
    switch (Below(15)) {
      case 0:
      case 1:
        return Keep(Unary(Any()));
      case 2:
      case 3:
      case 4:
        return Keep(Binary(Any()));
      case 5:
        return Keep(Unary(Unary(Any())));
      case 6:
        return Keep(Reduction(Any()));
      case 7:
        return Keep(Product());
      case 8:
        if (Output x = Any(); x.shape().rank() == 2) Keep(Transpose(x));
        return;
      case 9:
        return Update();
      case 10:
        return Keep(Branches());
      case 11: {
        Output x = Any(), y = Beside(x);
        return Keep(Where(IsLess(x, y), x, Neg(y)));
      }
      case 12:
        if (Output x = Any(); x.shape().num_elements() % 4 == 0) Keep(Reshape(x, {x.shape().num_elements() / 4, 4}));
        return;
      case 13:
        return Loop();
      default:
        if (Output x = Any(); x.shape().rank() == 2) {
          Keep(BiasAdd(x, Reshape(Tame(Slice(x, {0, 0}, {1, x.shape().dim(1)})), {x.shape().dim(1)})));
        }
    }
  }

  Output Unary(Output x) {
    switch (Below(9)) {
      case 0:
        return Relu(x);
      case 1:
        return Sigmoid(x);
      case 2:
        return Neg(x);
      case 3:
        return Abs(x);
      case 4:
        return Square(Tame(x));
      case 5:
        return Exp(Tame(x));
      case 6:
        return x * 1.0;
      case 7:
        return Rsqrt(Abs(x) + 0.5);
      default:
        return Tame(x);
    }
  }
  Output Binary(Output x) {
    Output y = Beside(x);
    switch (Below(6)) {
      case 0:
        return x + y;
      case 1:
        return x - y;
      case 2:
        return Tame(x) * y;
      case 3:
        return Maximum(x, y);
      case 4:
        return SquaredDifference(Tame(x), Tame(y));
      default:
        return y * 0.5 + x;
    }
  }
  Output Reduction(Output x) {
    if (x.shape().rank() < 1) return Unary(x);
    switch (Below(4)) {
      case 0:
        return Mean(x, {0});
      case 1:
        return Mean(x, {0}, {.keep_dims = true});
      case 2:
        return Mean(x);
      default:
        return x - Mean(x, {0});
    }
  }
  Output Product() {
    for (int tries = 0; tries < 20; ++tries) {
      Output a = Any(), b = Any();
      if (a.shape().rank() != 2 || b.shape().rank() != 2) continue;
      const bool turn_a = Below(2) == 1, turn_b = Below(2) == 1;
      if (a.shape().dim(turn_a ? 0 : 1) != b.shape().dim(turn_b ? 1 : 0)) continue;
      const int64_t elements = a.shape().dim(turn_a ? 1 : 0) * b.shape().dim(turn_b ? 0 : 1);
      if (elements > 100000) continue;
      return MatMul(Tame(a), Tame(b), {.transpose_a = turn_a, .transpose_b = turn_b}) * 0.1;
    }
    return Unary(Any());
  }
  // After everything that read the variable so far; whatever is built later may see the new value.
  void Update() {
    const Variable& v = variables_[Below(static_cast<int>(variables_.size()))];
    for (int tries = 0; tries < 20; ++tries) {
      Output delta = Any();
      if (!(delta.shape() == v.shape)) continue;
      const ControlDependencies after(t_.graph, {Operation(values_.back())});
      Output updated = Below(2) == 0 ? AssignSub(v.ref(), Below(2) == 0 ? Tame(delta) : delta * 0.01)
                                     : AssignAdd(v.ref(), Tame(delta));
      t_.Target(updated);
      const ControlDependencies written(t_.graph, {updated});
      return Keep(Identity(v.ref()));
    }
  }
  Output Branches() {
    Output x = Any(), y = Any();
    Output p = IsLess(Mean(x), Mean(y));
    Output z = Any();
    return Cond(
        p, [&] { return Tame(Unary(z)) + z * 1.0; }, [&] { return Below(2) == 0 ? Neg(z) : Identity(z); });
  }

  // Values that change places, one that keeps still, and (sometimes) one that grows.
  void Loop() {
    const Output x = Any(), other = Any(), outside = Beside(x);
    const bool swaps = Below(2) == 0, uses_outside = outside.shape() == x.shape() && Below(2) == 0;
    const bool grows = other.shape().rank() == 2 && other.shape().num_elements() < 5000 && Below(4) == 0;
    LoopVariables initial = {Const(t_.graph, 0), x, Below(2) == 0 ? x : Neg(x), other};
    WhileOptions options;
    for (Output v : initial) options.shape_invariants.push_back(v.shape());
    if (grows) options.shape_invariants[3].set_dim(0, -1);
    const int n = Below(4);
    const LoopVariables end = While([&](const LoopVariables& v) { return Less(v[0], n); },
                                    [&](const LoopVariables& v) {
                                      const Output next = Tame(v[1] * 0.5 + (uses_outside ? outside : v[2]));
                                      const Output kept = Below(2) == 0 ? v[1] * 1.0 : Tame(Unary(v[2]));
                                      return LoopVariables{v[0] + 1, swaps ? kept : next, swaps ? next : kept,
                                                           grows ? Concat({{v[3], Tame(v[3])}}, 0) : v[3]};
                                    },
                                    initial, options);
    for (size_t i = 1; i < 3 && i < end.size(); ++i) Keep(end[i]);
    if (end.size() == 4) Keep(Mean(Tame(end[3])));
  }

  TestGraph& t_;
  std::mt19937 bits_;
  std::vector<int64_t> rows_, columns_;
  std::vector<Output> values_;
  std::vector<Variable> variables_;
};

// Without which pass the plan agrees with the plain one: the suspects.
std::string Suspects(const TestGraph& t, const Outcome& plain) {
  std::string names;
  for (const Pass& pass : AllPasses()) {
    const double difference = Difference(plain, RunPlanned(t, {.passes = absl::StrCat("-", pass.name), .steps = 2}));
    absl::StrAppend(&names, "without ", pass.name, ": ", difference, "\n");
  }
  return names;
}

class FuzzTest : public ::testing::TestWithParam<int> {};

TEST_P(FuzzTest, PassesAndWorkersChangeNothing) {
  constexpr int kParts = 10;
  int with_workers = 0;
  for (int seed = GetParam(); seed < kGraphs; seed += kParts) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    TestGraph t;
    RandomGraph(seed, &t).Build();
    ASSERT_TRUE(t.graph.status().ok()) << t.graph.status();
    const Outcome plain = RunPlanned(t, {.passes = "-all", .steps = 2});
    ASSERT_TRUE(plain.status.ok()) << plain.status;
    const Outcome one = RunPlanned(t, {.steps = 2});
    ASSERT_TRUE(one.status.ok()) << one.status;
    EXPECT_LT(Difference(plain, one), 3e-3) << Suspects(t, plain) << plain.text << "\n" << one.text;
    const Outcome three = RunPlanned(t, {.workers = 3, .steps = 2});
    EXPECT_EQ(Difference(one, three), 0) << three.status << "\n" << one.text << "\n" << three.text;
    with_workers += three.workers > 1;
    for (const std::string& problem : FindRaces(*MakePlan(t, {.workers = 3})->plan)) ADD_FAILURE() << problem;
  }
  EXPECT_GT(with_workers, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, FuzzTest, ::testing::Range(0, 10));

}  // namespace
}  // namespace staticflow
