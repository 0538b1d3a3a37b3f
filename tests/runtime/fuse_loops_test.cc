// fuse_loops: which ops become one loop and which must not, and that the same comes out.
#include "graph/control_flow.h"
#include "graph/node_builder.h"
#include "gtest/gtest.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/random.h"
#include "ops/state.h"
#include "runtime/passes.h"
#include "tests/runtime/plan_runner.h"

namespace staticflow {
namespace {

struct LoopCase {
  std::string name;
  void (*build)(TestGraph& t);
  std::string want = "";
  bool predicates_known = false;
  double tolerance = 0;  // of sums over rows

  friend void PrintTo(const LoopCase& c, std::ostream* out) { *out << c.name; }
};

class FuseLoopsTest : public ::testing::TestWithParam<LoopCase> {};

TEST_P(FuseLoopsTest, WritesLoopsThatComputeTheSame) {
  const LoopCase& c = GetParam();
  TestGraph t;
  c.build(t);
  ASSERT_TRUE(t.graph.status().ok()) << t.graph.status();
  const RunSpec alone{.passes = "-all,product,fuse_loops", .steps = 2, .predicates_known = c.predicates_known};
  absl::StatusOr<Planned> planned = MakePlan(t, alone);
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_EQ(Instructions(*planned->plan), c.want) << planned->plan->ToString();
  const Outcome want = RunPlanned(t, {.passes = "-all", .steps = 2}), got = RunPlanned(t, alone);
  ASSERT_TRUE(want.status.ok() && got.status.ok()) << want.status << got.status;
  EXPECT_LE(Difference(want, got), c.tolerance);
  EXPECT_LE(Difference(want, RunPlanned(t, {.steps = 2})), std::max(c.tolerance, 1e-6));
}

constexpr auto kName = [](const auto& info) { return info.param.name; };

Variable Weights(TestGraph& t, const Shape& shape, int seed) {
  return NewVariable(t.graph, TestGraph::RandomTensor(shape, seed), {.name = "w"});
}

INSTANTIATE_TEST_SUITE_P(
    Values, FuseLoopsTest,
    ::testing::Values(
        LoopCase{.name = "AChain",
                 .build =
                     [](TestGraph& t) {
                       t.Fetch(Tanh(t.Random({4, 20}, 1) * t.Random({20}, 2) + t.Random({}, 3)));
                     },
                 .want = "loop 4x20: r2 = mul(x0, x1); r4 = add(r2, x2); r5 = tanh(r4) -> r5"},
        LoopCase{.name = "WhatIsFetchedInBetween",
                 .build =
                     [](TestGraph& t) {
                       Output a = Exp(t.Random({4, 20}, 1)), b = Neg(a);
                       t.Fetch(b);
                       t.Fetch(a);
                       t.Fetch(Tanh(b));
                     },
                 .want = "loop 1x80: r1 = exp(x0); r2 = neg(r1); r3 = tanh(r2) -> r1, r2, r3"},
        LoopCase{.name = "StatisticsOfABatch",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({33, 20}, 1);
                       Output mean = Mean(x, {0}), variance = Mean(SquaredDifference(x, mean), {0});
                       t.Fetch((x - mean) * Rsqrt(variance + 0.001));
                     },
                 .want = "loop 33x20: r1 = sum_rows(x0); r3 = div(r1, 33); r4 = squared_difference(x0, "
                         "r3); r5 = sum_rows(r4); r6 = div(r5, 33); r8 = add(r6, 0.001); r9 = rsqrt(r8); "
                         "r10 = sub(x0, r3); r11 = mul(r10, r9) -> r11",
                 .tolerance = 1e-6},
        LoopCase{.name = "ScalarsStayApart",
                 .build =
                     [](TestGraph& t) {
                       Output rate = t.Random({}, 1) * t.Random({1}, 2);
                       t.Fetch(t.Random({4, 20}, 3) * Reshape(rate + 1.0, {}));
                     },
                 .want = "loop 1x1: r2 = mul(x0, x1); r4 = add(r2, 1) -> r4; loop 1x80: r2 = mul(x0, x1) "
                         "-> r2"},
        LoopCase{.name = "ColumnsAndOtherTypesAreLeftAlone",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({4, 20}, 1);
                       t.Fetch(x * t.Random({4, 1}, 2));
                       t.Fetch(Cast(x, DT_DOUBLE) * 2.0);
                       t.Fetch(Exp(t.Random({4, 0}, 3)));
                     },
                 .want = "Mul; Cast; Mul; Exp"},
        LoopCase{
            .name = "OneMemoryAsRowAndMatrix",
            .build =
                [](TestGraph& t) {
                  Output x = t.Random({1, 20}, 1);
                  Output y = Exp(x);
                  t.Fetch(t.Random({4, 20}, 2) + Reshape(y, {20}));
                  t.Fetch(Reshape(y, {4, 5}) + t.Random({4, 5}, 3));
                },
            .want = "loop 4x20: r1 = exp(x0); r3 = add(x1, r1) -> r1, r3; loop 1x20: r2 = add(x0, x1) -> r2 into x0"},
        LoopCase{.name = "TruthValuesInside",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({4, 20}, 1), y = t.Random({4, 20}, 2);
                       t.Fetch(Select(Less(x, y), Exp(x), Neg(y)));
                     },
                 .want = "loop 1x80: r1 = exp(x0) -> r1; loop 1x80: r1 = neg(x0); r3 = less(x1, x0); r5 = select(r3, "
                         "x2, r1) -> r5 into x2"},
        LoopCase{.name = "TruthValuesThatLeave",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({4, 20}, 1), y = t.Random({4, 20}, 2);
                       Output less = Less(x, y);
                       t.Fetch(Select(less, Exp(x), Neg(y)));
                       t.Fetch(less);
                     },
                 .want = "loop 1x80: r1 = exp(x0) -> r1; Less; loop 1x80: r1 = neg(x0) -> r1; Select"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Order, FuseLoopsTest,
    ::testing::Values(
        // relu -> matmul -> relu_grad: a loop of both would need the product before it is computed.
        LoopCase{
            .name = "NotAroundAProduct",
            .build =
                [](TestGraph& t) {
                  Output h = Relu(t.Random({20, 20}, 1));
                  Output product = MatMul(h, t.Random({20, 20}, 2));
                  t.Fetch(NodeBuilder("ReluGrad", {product, h}).Build());
                },
            .want =
                "loop 1x400: r1 = relu(x0) -> r1; MatMul 20x20x20; loop 1x400: r2 = relu_grad(x0, x1) -> r2 into x0"},
        LoopCase{.name = "NotAroundAProductByWayOfOthers",
                 .build =
                     [](TestGraph& t) {
                       Output a = Exp(t.Random({20, 20}, 1)), b = Neg(a);
                       Output product = MatMul(a, a);
                       Output c = Tanh(product), d = c + b, e = d * a;
                       t.Fetch(e + MatMul(e, b));
                     },
                 .want = "loop 1x400: r1 = exp(x0); r2 = neg(r1) -> r1, r2; MatMul 20x20x20; loop 1x400: r1 = "
                         "tanh(x0); r3 = add(r1, x1); r5 = mul(r3, x2) -> r5 into x0; MatMul 20x20x20; loop 1x400: r2 "
                         "= add(x0, x1) -> r2 into x0"},
        // The difference is wanted behind the product alone, where x is read in any case.
        LoopCase{.name = "WhatAnotherLoopAloneReadsIsComputedThere",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({20, 20}, 1), row = Exp(t.Random({20}, 2));
                       Output difference = x - row;
                       t.Fetch(difference * MatMul(Relu(x + row), t.Random({20, 20}, 3)) + x);
                     },
                 .want = "loop 20x20: r1 = exp(x0); r3 = add(x1, r1); r4 = relu(r3) -> r1, r4; MatMul 20x20x20; loop "
                         "20x20: r2 = sub(x0, x1); r4 = mul(r2, x2); r5 = add(r4, x0) -> r5"},
        LoopCase{.name = "WhatTakesLongStays",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({20, 20}, 1) * 2.0, tanh = Tanh(x);
                       t.Fetch(tanh * MatMul(Relu(tanh), t.Random({20, 20}, 3)));
                       t.Fetch(Sqrt(x) + MatMul(Exp(x), t.Random({20, 20}, 4)));
                     },
                 .want = "loop 1x400: r2 = mul(x0, 2); r3 = tanh(r2); r4 = relu(r3); r5 = exp(r2); r6 = sqrt(r2) -> "
                         "r3, r4, r5, r6; MatMul 20x20x20; loop 1x400: r2 = mul(x0, x1) -> r2 into x0; MatMul "
                         "20x20x20; loop 1x400: r2 = add(x0, x1) -> r2 into x0"},
        // As the variable was before it changed; as another loop and a fetch read it, too.
        LoopCase{
            .name = "WhatMayChangeOrIsReadTwiceStays",
            .build =
                [](TestGraph& t) {
                  const Variable w = Weights(t, {20, 20}, 1);
                  Output row = t.Random({20}, 2), twice = t.Random({20, 20}, 4) - row;
                  Output difference = w.snapshot - row;
                  Output product = MatMul(Relu(difference * 2.0 + twice), t.Random({20, 20}, 3));
                  t.Target(AssignSub(w.ref(), product));
                  t.Fetch(product * difference);
                  t.Fetch(Exp(product) + twice);
                  t.Fetch(twice);
                },
            .want = "loop 20x20: r2 = sub(x0, x1) -> r2; loop 20x20: r2 = sub(x0, x1); r4 = mul(r2, 2); r6 = add(r4, "
                    "x2); r7 = relu(r6) -> r2, r7; MatMul 20x20x20; loop 1x400: r2 = sub(x0, x1) -> r2 into x0; loop "
                    "1x400: r2 = mul(x0, x1) -> r2 into x1; loop 1x400: r1 = exp(x0); r3 = add(r1, x1) -> r3 into x0"},
        LoopCase{.name = "VariablesBeforeAndAfterAnUpdate",
                 .build =
                     [](TestGraph& t) {
                       const Variable w = Weights(t, {4, 20}, 1);
                       Output change = Exp(t.Random({4, 20}, 2)), before = w.snapshot * change;
                       const ControlDependencies read(t.graph, {before});
                       Output updated = AssignSub(w.ref(), change);
                       const ControlDependencies written(t.graph, {updated});
                       t.Fetch(before + Identity(w.ref()));
                     },
                 .want = "loop 1x80: r1 = exp(x0); r3 = mul(x1, r1); r4 = sub(x1, r1); r5 = add(r3, r4) "
                         "-> r4 into x1, r5"},
        LoopCase{.name = "MovingAverages",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({33, 20}, 1);
                       const Variable average = Weights(t, {20}, 2);
                       Output mean = Mean(x, {0});
                       t.Target(AssignSub(average.ref(), (average.snapshot - mean) * 0.1));
                       t.Fetch(x - mean);
                     },
                 .want = "loop 33x20: r1 = sum_rows(x0); r3 = div(r1, 33); r5 = sub(x1, r3); r7 = mul(r5, "
                         "0.1); r8 = sub(x1, r7); r9 = sub(x0, r3) -> r8 into x1, r9",
                 .tolerance = 1e-6},
        LoopCase{.name = "UpdatesThatAProductReads",
                 .build =
                     [](TestGraph& t) {
                       const Variable w = Weights(t, {20, 20}, 1);
                       Output updated = AssignAdd(w.ref(), Tanh(t.Random({20, 20}, 2)));
                       const ControlDependencies written(t.graph, {updated});
                       Output product = MatMul(t.Random({20, 20}, 3), Identity(w.ref()));
                       const ControlDependencies read(t.graph, {product});
                       t.Target(AssignSub(w.ref(), Exp(product)));
                     },
                 .want = "loop 1x400: r1 = tanh(x0); r3 = add(x1, r1) -> r3 into x1; MatMul 20x20x20; "
                         "loop 1x400: r1 = exp(x0); r3 = sub(x1, r1) -> r3 into x1"},
        LoopCase{.name = "EffectsInBetween",
                 .build =
                     [](TestGraph& t) {
                       Output a = Exp(t.Random({4, 20}, 1));
                       Output noise = RandomUniform(t.graph, {4, 20}, {.seed = 3});
                       t.Fetch(a * noise + RandomUniform(t.graph, {4, 20}, {.seed = 3}));
                     },
                 .want = "RandomUniform; RandomUniform; loop 1x80: r1 = exp(x0); r3 = mul(r1, x1); r5 = add(r3, x2) -> "
                         "r5 into x1"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Branches, FuseLoopsTest,
    ::testing::Values(
        LoopCase{.name = "EachBranchForItself",
                 .build =
                     [](TestGraph& t) {
                       Output p = Placeholder(t.graph, {.dtype = DT_BOOL, .shape = {}, .name = "p"});
                       t.Feed(p, Tensor(true));
                       Output x = Neg(t.Random({4, 20}, 1));
                       t.Fetch(Exp(Cond(
                           p, [&] { return Tanh(x) * 2.0; }, [&] { return Sigmoid(x) - x; })));
                     },
                 .want = "Neg; jump 3; loop 1x80: r1 = tanh(x0); r3 = mul(r1, 2) -> r3; jump 5; loop 1x80: r1 = "
                         "sigmoid(x0); r2 = sub(r1, x0) -> r2 into x0; merge; loop 1x80: r1 = exp(x0) -> r1 into x0"},
        LoopCase{.name = "WhenThePredicateIsKnown",
                 .build =
                     [](TestGraph& t) {
                       Output p = Placeholder(t.graph, {.dtype = DT_BOOL, .shape = {}, .name = "p"});
                       t.Feed(p, Tensor(true));
                       Output x = Neg(t.Random({4, 20}, 1));
                       t.Fetch(Exp(Cond(
                           p, [&] { return Tanh(x) * 2.0; }, [&] { return Sigmoid(x) - x; })));
                     },
                 .want = "loop 1x80: r1 = neg(x0); r2 = tanh(r1); r4 = mul(r2, 2); r5 = exp(r4) -> r5",
                 .predicates_known = true},
        // The merge decides by a truth value that would otherwise be computed after it, with the last of its group.
        LoopCase{.name = "PredicatesComeBeforeTheirMerge",
                 .build =
                     [](TestGraph& t) {
                       Output a = t.Random({}, 1), b = t.Random({}, 2);
                       Output p = Less(a * 2.0 - 100.0, b);
                       Output merged = Cond(
                           p, [&] { return Identity(a); }, [&] { return Identity(b); });
                       Output used = MatMul(Reshape(merged, {1, 1}), t.Random({1, 1}, 3));
                       t.Fetch(used);
                       const ControlDependencies after(t.graph, {used});
                       t.Fetch(Tanh(Select(p, Exp(a), Exp(b))));
                     },
                 .want = "Exp; Exp; loop 1x1: r2 = mul(x0, 2); r4 = sub(r2, 100) -> r4; Less; Select; "
                         "loop 1x1: r1 = tanh(x0) -> r1; merge; MatMul 1x1x1"},
        LoopCase{.name = "WhileLoops",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({4, 20}, 1);
                       const auto enter = [](Output v) {
                         return NodeBuilder("Enter", {v}).Attr("frame_name", "f").Build();
                       };
                       Output start = enter(x);
                       absl::StatusOr<Node*> merge = t.graph.AddNodeWithBackEdge({.name = "carried",
                                                                                  .op = FindOp("Merge"),
                                                                                  .inputs = {start, Output()},
                                                                                  .attrs = {{"N", 2}, {"T", DT_FLOAT}}},
                                                                                 {1}, {DT_FLOAT});
                       Output carried = (*merge)->output(0);
                       Output go_on = NodeBuilder("LoopCond", {Less(Sum(Abs(carried)), 1000.0)}).Build();
                       const SwitchOutputs branches = Switch(carried, go_on);
                       Output body = Identity(branches.output_true);
                       Output next = NodeBuilder("NextIteration", {Exp(Abs(body)) * 2.0 + body}).Build();
                       t.graph.RecordError((*merge)->ReplaceInput(1, next));
                       Output end = NodeBuilder("Exit", {branches.output_false}).Build();
                       t.Fetch(Tanh(Neg(x)));
                       t.Fetch(end);
                     },
                 .want = "enter; loop 1x80: r1 = abs(x0) -> r1; Sum; Less; jump 7; loop 1x80: r1 = abs(x0); "
                         "r2 = exp(r1); r4 = mul(r2, 2); r5 = add(r4, x0) -> r5; next 1; "
                         "loop 1x80: r1 = neg(x0); r2 = tanh(r1) -> r2"}),
    kName);

// Several nodes may declare one variable: what one of them writes, the other one reads.
TEST(FuseLoopsTest, TwoDeclarationsOfOneVariable) {
  TestGraph t;
  const auto declare = [&] {
    return NodeBuilder(t.graph, "VariableV2", std::source_location::current())
        .Attr("dtype", DT_FLOAT)
        .Attr("shape", Shape({4, 20}))
        .Attr("shared_name", "v")
        .Build();
  };
  Output a = declare(), b = declare();
  Output x = t.Random({4, 20}, 1), e = Exp(x);
  const ControlDependencies set(t.graph, {Assign(a, x)});
  const ControlDependencies added(t.graph, {AssignAdd(b, e)});
  Output sum = Softmax(Identity(a));
  t.Fetch(sum);
  // In the loop of the sum, which thus comes after what reads its result unless the two are known to be one variable.
  const ControlDependencies read(t.graph, {sum});
  t.Fetch(Tanh(e));
  const Outcome want = RunPlanned(t, {.passes = "-all"}), got = RunPlanned(t, {.passes = "-all,fuse_loops"});
  ASSERT_TRUE(want.status.ok() && got.status.ok()) << want.status << got.status;
  EXPECT_EQ(Difference(want, got), 0) << got.text;
}

// A matrix and what its rule keeps beside it are updated by the rule's kernel, in one pass; vectors in loops, which go
// by steps. The bits are the same, for sizes that fill no vectors, too.
TEST(FuseLoopsTest, RulesOfMatricesStayKernels) {
  const auto updated = [](const char* rule, const Shape& shape) {
    TestGraph t;
    std::vector<Output> inputs;
    for (const ArgDef& arg : FindOp(rule)->inputs) {
      Tensor squares = TestGraph::RandomTensor(shape, static_cast<int>(inputs.size()));
      for (float& value : squares.flat<float>()) value = value * value;
      if (arg.is_ref) {
        inputs.push_back(NewVariable(t.graph, squares, {.name = arg.name}).ref());
      } else {
        const bool gradient = arg.name == "grad";
        inputs.push_back(Placeholder(t.graph, {.dtype = DT_FLOAT, .shape = gradient ? shape : Shape({})}));
        t.Feed(inputs.back(), gradient ? squares : Tensor(0.3f));
      }
    }
    NodeBuilder update(t.graph, rule, std::source_location::current());
    for (Output input : inputs) update.Input(input);
    t.Target(Operation(update.Build()));
    absl::StatusOr<Planned> planned = MakePlan(t, {});
    EXPECT_TRUE(planned.ok()) << planned.status();
    const bool loop = planned.ok() && planned->plan->instructions.back().loop != nullptr;
    EXPECT_EQ(loop, shape.rank() == 1) << rule;
    return RunPlanned(t, {.steps = 2});
  };
  for (const char* rule : {"ApplyAdam", "ApplyMomentum", "ApplyRMSProp", "ApplyAdagrad"}) {
    const Outcome vectors = updated(rule, {117}), matrices = updated(rule, {3, 39});
    ASSERT_TRUE(vectors.status.ok() && matrices.status.ok()) << vectors.status << matrices.status;
    for (const auto& [name, value] : vectors.variables) {
      EXPECT_EQ(Difference(value, *matrices.variables.at(name).Reshaped({117})), 0) << rule << " " << name;
    }
  }
}

// More loops than the pass keeps in view.
TEST(FuseLoopsTest, ManyLoopsAtOnce) {
  TestGraph t;
  std::vector<Output> first, last;
  for (int i = 0; i < 150; ++i) first.push_back(Exp(t.Random({1 + i % 3, 20 + i}, i)));
  for (int i = 0; i < 150; ++i) last.push_back(Tanh(first[i] * 2.0));
  for (Output y : last) t.Fetch(y);
  const Outcome want = RunPlanned(t, {.passes = "-all"}), got = RunPlanned(t, {.passes = "-all,fuse_loops"});
  ASSERT_TRUE(want.status.ok() && got.status.ok()) << want.status << got.status;
  EXPECT_EQ(Difference(want, got), 0);
}

}  // namespace
}  // namespace staticflow