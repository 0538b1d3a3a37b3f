// How instructions meet memory: rows side by side, rows that are padded, results in place of operands, and variables
// that need no copy.
#include "absl/strings/match.h"
#include "graph/control_flow.h"
#include "gtest/gtest.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/state.h"
#include "tests/runtime/plan_runner.h"

namespace staticflow {
namespace {

// Rows that fill no vector are computed side by side where they lie without gaps and their number allows it.
TEST(CallsTest, NarrowRowsSideBySide) {
  const std::vector<std::pair<Shape, bool>> cases = {{{64, 4}, true},  {{2, 16, 4, 20}, true}, {{64, 16}, false},
                                                     {{60, 10}, true}, {{100, 11}, false},     {{7, 143}, true},
                                                     {{1, 4}, false}};
  for (const auto& [shape, side_by_side] : cases) {
    TestGraph t;
    t.Fetch(Tanh(t.Random(shape, 1) + t.Random({shape.dim(-1)}, 2)));
    absl::StatusOr<Planned> planned = MakePlan(t, {});
    ASSERT_TRUE(planned.ok()) << planned.status();
    ASSERT_NE(planned->plan->instructions[0].loop, nullptr);
    EXPECT_EQ(planned->plan->instructions[0].loop->chunk > 0, side_by_side) << shape.ToString();
    EXPECT_EQ(Difference(RunPlanned(t, {.passes = "-all"}), RunPlanned(t, {})), 0) << shape.ToString();
  }
  TestGraph t;  // between products, whose rows are padded
  Output h = MatMul(t.Random({64, 30}, 1), t.Random({30, 20}, 2)) + t.Random({20}, 3);
  t.Fetch(MatMul(Relu(h), t.Random({20, 30}, 4)));
  absl::StatusOr<Planned> planned = MakePlan(t, {});
  ASSERT_TRUE(planned.ok()) << planned.status();
  ASSERT_NE(planned->plan->instructions[1].loop, nullptr) << planned->plan->ToString();
  EXPECT_EQ(planned->plan->instructions[1].loop->chunk, 0);
}

// Rows that only products and loops touch take an odd number of cache lines.
TEST(CallsTest, RowsAreTakenApart) {
  for (const auto& [columns, stride] :
       std::vector<std::pair<int64_t, int64_t>>{{20, 48}, {32, 48}, {48, 0}, {160, 176}}) {
    TestGraph t;
    Output h = MatMul(t.Random({60, 30}, 1), t.Random({30, columns}, 2)) + t.Random({columns}, 3);
    t.Fetch(MatMul(Relu(h), t.Random({columns, 30}, 4)));
    absl::StatusOr<Planned> planned = MakePlan(t, {});
    ASSERT_TRUE(planned.ok()) << planned.status();
    EXPECT_EQ(planned->plan->values[planned->plan->instructions[0].outputs[0]].row_stride, stride) << columns;
    EXPECT_LT(Difference(RunPlanned(t, {.passes = "-all"}), RunPlanned(t, {})), 1e-6) << columns;
  }
}

// A loop writes over a matrix that nobody reads after it, unless one of its steps still does when the result is there.
TEST(CallsTest, WritesOverWhatNobodyReadsAnyMore) {
  struct InPlaceCase {
    std::string name;
    Output (*loop)(TestGraph& t, Output product);
    bool in_place;
  };
  const std::vector<InPlaceCase> cases = {
      {"chain", [](TestGraph&, Output x) { return Tanh(x * 2.0 + 1.0); }, true},
      {"with a row", [](TestGraph& t, Output x) { return Relu(x - t.Random({20}, 5)) * x; }, true},
      {"sums", [](TestGraph&, Output x) { return x - Mean(Square(x), {0}); }, true},
      {"fetched",
       [](TestGraph& t, Output x) {
         t.Fetch(x);
         return Tanh(x);
       },
       false},
      {"read once more",
       [](TestGraph& t, Output x) {
         Output y = Neg(x);
         t.Fetch(Exp(y) + x * 3.0);
         return y;
       },
       false},
      {"another shape",
       [](TestGraph&, Output x) {
         return Reshape(Tanh(x), {40, 15});
       },
       true},
  };
  for (const InPlaceCase& c : cases) {
    TestGraph t;
    Output product = MatMul(t.Random({30, 30}, 1), t.Random({30, 20}, 2));
    Output result = c.loop(t, product);
    t.Fetch(MatMul(result, t.Random({result.shape().dim(1), 8}, 4)));
    absl::StatusOr<Planned> planned = MakePlan(t, {});
    ASSERT_TRUE(planned.ok()) << planned.status();
    const Plan& plan = *planned->plan;
    const Instruction& loop = plan.instructions[1];
    ASSERT_NE(loop.loop, nullptr) << c.name << "\n" << plan.ToString();
    const int from = plan.values[plan.instructions[0].outputs[0]].buffer;
    const bool in_place = std::any_of(loop.outputs.begin(), loop.outputs.end(),
                                      [&](int value) { return plan.values[value].buffer == from; });
    EXPECT_EQ(in_place, c.in_place) << c.name << "\n" << plan.ToString();
    EXPECT_LT(Difference(RunPlanned(t, {.passes = "-all"}), RunPlanned(t, {})), 1e-6) << c.name;
  }
}

// The branch that a fed predicate takes gives a variable itself; a copy of what it held, if the step changes it later.
TEST(CallsTest, AKnownBranchGivesAVariableAsItWas) {
  for (const bool updates : {false, true}) {
    TestGraph t;
    Output p = Placeholder(t.graph, {.dtype = DT_BOOL, .shape = {}, .name = "p"});
    t.Feed(p, Tensor(true));
    const Variable v = NewVariable(t.graph, TestGraph::RandomTensor({8}, 1), {.name = "v"});
    Output merged = Cond(
        p, [&] { return v.snapshot; }, [&] { return Neg(v.snapshot); });
    t.Fetch(Exp(merged));
    if (updates) {
      const ControlDependencies after(t.graph, {merged});
      t.Target(AssignAdd(v.ref(), Ones(t.graph, DT_FLOAT, {8})));
      t.Fetch(merged);
    }
    const RunSpec known{.predicates_known = true};
    absl::StatusOr<Planned> planned = MakePlan(t, known);
    ASSERT_TRUE(planned.ok()) << planned.status();
    EXPECT_EQ(Difference(RunPlanned(t, {.passes = "-all"}), RunPlanned(t, known)), 0);
    const bool copies = absl::StrContains(planned->plan->ToString(), "copy");
    EXPECT_EQ(copies, updates) << planned->plan->ToString();
  }
}

}  // namespace
}  // namespace staticflow
