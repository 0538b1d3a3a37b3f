// simplify, cse, product, fold_transpose and fuse_product: small graphs, with the plan before and after each pass. The
// same bits come out of both.
#include "runtime/passes.h"

#include "graph/control_flow.h"
#include "gtest/gtest.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/random.h"
#include "ops/state.h"
#include "ops/train/gradient_descent.h"
#include "tests/runtime/plan_runner.h"

namespace staticflow {
namespace {

// One plan with the passes `before` and one with `after`, and their instructions: "Mul (x, y); Exp".
struct PassCase {
  std::string name;
  void (*build)(TestGraph& t);
  std::string after;        // the passes that are on
  std::string before = "";  // the same without the one that is tested
  std::string want_before;
  std::string want_after;

  friend void PrintTo(const PassCase& c, std::ostream* out) { *out << c.name; }
};

class PassTest : public ::testing::TestWithParam<PassCase> {};

TEST_P(PassTest, ChangesTheInstructionsAndNoBit) {
  const PassCase& c = GetParam();
  TestGraph t;
  c.build(t);
  ASSERT_TRUE(t.graph.status().ok()) << t.graph.status();
  const RunSpec before{.passes = absl::StrCat("-all,", c.before), .steps = 2};
  const RunSpec after{.passes = absl::StrCat("-all,", c.after), .steps = 2};
  absl::StatusOr<Planned> plan_before = MakePlan(t, before), plan_after = MakePlan(t, after);
  ASSERT_TRUE(plan_before.ok() && plan_after.ok()) << plan_before.status() << plan_after.status();
  EXPECT_EQ(Instructions(*plan_before->plan), c.want_before);
  EXPECT_EQ(Instructions(*plan_after->plan), c.want_after) << plan_after->plan->ToString();
  const Outcome want = RunPlanned(t, before), got = RunPlanned(t, after), all = RunPlanned(t, {.steps = 2});
  ASSERT_TRUE(want.status.ok() && got.status.ok()) << want.status << got.status;
  EXPECT_EQ(Difference(want, got), 0);
  EXPECT_LT(Difference(want, all), 1e-6) << all.status << all.text;
}

constexpr auto kName = [](const auto& info) { return info.param.name; };

// A variable of random numbers.
Variable Weights(TestGraph& t, const Shape& shape, int seed) {
  return NewVariable(t.graph, TestGraph::RandomTensor(shape, seed), {.name = "w"});
}

INSTANTIATE_TEST_SUITE_P(
    Prune, PassTest,
    ::testing::Values(PassCase{.name = "OnlyItsShapeIsRead",
                               .build =
                                   [](TestGraph& t) {
                                     Output x = Placeholder(t.graph, {.dtype = DT_FLOAT, .shape = {-1, 3}});
                                     t.Feed(x, TestGraph::RandomTensor({2, 3}, 1));
                                     t.Fetch(x + Cast(SizeOf(Exp(Square(x))), DT_FLOAT));
                                   },
                               .after = "prune",
                               .want_before = "Square; Exp; AddV2",
                               .want_after = "AddV2"},
                      PassCase{.name = "TargetsStay",
                               .build =
                                   [](TestGraph& t) {
                                     Output x = t.Random({2, 3}, 1);
                                     t.Target(Operation(Square(x).node()));
                                     t.Fetch(Exp(x));
                                   },
                               .after = "prune",
                               .want_before = "Square; Exp",
                               .want_after = "Square; Exp"},
                      PassCase{.name = "WhatOthersWaitForStays",
                               .build =
                                   [](TestGraph& t) {
                                     Output x = t.Random({2, 3}, 1);
                                     Operation first(Square(x).node());
                                     ControlDependencies after(t.graph, {first});
                                     t.Fetch(Exp(x));
                                   },
                               .after = "prune",
                               .want_before = "Square; Exp",
                               .want_after = "Square; Exp"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Simplify, PassTest,
    ::testing::Values(
        PassCase{.name = "TransposeInPlace",
                 .build =
                     [](TestGraph& t) {
                       t.Fetch(Exp(Transpose(t.Random({2, 3}, 1), {0, 1})));
                     },
                 .after = "simplify",
                 .want_before = "Transpose; Exp",
                 .want_after = "Exp"},
        PassCase{.name = "ChainsAndFetchesOfWhatIsLeftOut",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({2, 3}, 1);
                       Output y = Transpose(Transpose(x, {0, 1}) * 1.0, {0, -1});
                       t.Fetch(y);
                       t.Fetch(Exp(Reshape(y, {6})));
                     },
                 .after = "simplify",
                 .want_before = "Transpose; Mul; Transpose; Exp",
                 .want_after = "Exp"},
        PassCase{.name = "NeutralOperands",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({2, 3}, 1);
                       t.Fetch(x * 1.0);
                       t.Fetch(1.0 * x);
                       t.Fetch(x / 1.0);
                       t.Fetch(x - 0.0);
                       t.Fetch(x + -0.0);
                       t.Fetch(x * Const(t.graph, Tensor::Matrix<float>({{1, 1, 1}, {1, 1, 1}})));
                     },
                 .after = "simplify",
                 .want_before = "Mul; Mul; RealDiv; Sub; AddV2; Mul",
                 .want_after = ""},
        PassCase{.name = "NotWhatOnlyLooksNeutral",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({3}, 1);
                       t.Fetch(x + 0.0);  // -0 becomes 0
                       t.Fetch(0.0 - x);
                       t.Fetch(1.0 / x);
                       t.Fetch(x * Const(t.graph, Tensor::Matrix<float>({{1, 1, 1}, {1, 1, 1}})));  // another shape
                       t.Fetch(x * Const(t.graph, Tensor::Vector<float>({1, 1, 2})));
                       t.Fetch(x * 1.0000001);
                     },
                 .after = "simplify",
                 .want_before = "AddV2; Sub; RealDiv; Mul; Mul; Mul",
                 .want_after = "AddV2; Sub; RealDiv; Mul; Mul; Mul"},
        PassCase{.name = "OfAVariableThatStays",
                 .build =
                     [](TestGraph& t) {
                       t.Fetch(Exp(Weights(t, {2, 2}, 1).snapshot * 1.0));
                     },
                 .after = "simplify",
                 .want_before = "Mul; Exp",
                 .want_after = "Exp"},
        PassCase{.name = "NotOfAVariableThatIsWrittenLater",
                 .build =
                     [](TestGraph& t) {
                       const Variable w = Weights(t, {2, 2}, 1);
                       Output old = w.snapshot * 1.0;
                       const ControlDependencies after(t.graph, {old});
                       Output next = AssignAdd(w.ref(), Ones(t.graph, DT_FLOAT, {2, 2}));
                       const ControlDependencies later(t.graph, {next});
                       t.Fetch(Identity(old) + 1.0);
                     },
                 .after = "simplify",
                 .want_before = "Mul; AssignAdd; AddV2",
                 .want_after = "Mul; AssignAdd; AddV2"},
        PassCase{.name = "PredicatesAndBranches",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({2, 2}, 1);
                       Output p = Less(Sum(x), 0.0);
                       t.Fetch(Cond(
                           p,
                           [&] {
                             return Transpose(x, {0, 1});
                           },
                           [&] { return Exp(x); }));
                     },
                 .after = "simplify",
                 .want_before = "Sum; Less; jump 4; Transpose; jump 6; Exp; merge",
                 .want_after = "Sum; Less; jump 4; Exp; merge"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    ShareCommon, PassTest,
    ::testing::Values(
        PassCase{.name = "EqualExpressions",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({2, 3}, 1), y = t.Random({2, 3}, 2);
                       t.Fetch(Exp(x) + Exp(x));
                       t.Fetch(Mul(x, y) + Mul(y, x));              // commutes
                       t.Fetch(Maximum(x, 0.5) - Maximum(x, 0.5));  // constants of their own
                       t.Fetch(Sqrt(Exp(Exp(x))));
                     },
                 .after = "cse",
                 .want_before = "Exp; Exp; AddV2; Mul; Mul; AddV2; Maximum; Maximum; Sub; Exp; Exp; Sqrt",
                 .want_after = "Exp; AddV2; Mul; AddV2; Maximum; Sub; Exp; Sqrt"},
        PassCase{.name = "NotDifferentOnes",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({3, 3}, 1), y = t.Random({3, 3}, 2);
                       t.Fetch(x - y);
                       t.Fetch(y - x);
                       t.Fetch(MatMul(x, y));
                       t.Fetch(MatMul(x, y, {.transpose_b = true}));
                       t.Fetch(Maximum(x, 0.0));
                       t.Fetch(Maximum(x, -0.0));
                       t.Fetch(Softmax(x));
                       t.Fetch(Softmax(Reshape(x, {1, 9})));  // the same bytes, another shape
                     },
                 .after = "cse",
                 .want_before = "Sub; Sub; MatMul; MatMul; Maximum; Maximum; Softmax; Softmax",
                 .want_after = "Sub; Sub; MatMul; MatMul; Maximum; Maximum; Softmax; Softmax"},
        PassCase{.name = "NotWhatHasState",
                 .build =
                     [](TestGraph& t) {
                       t.Fetch(RandomUniform(t.graph, {2}, {.seed = 7}));
                       t.Fetch(RandomUniform(t.graph, {2}, {.seed = 7}));
                       const Variable w = Weights(t, {2}, 1);
                       Output once = AssignAdd(w.ref(), Ones(t.graph, DT_FLOAT, {2}));
                       const ControlDependencies after(t.graph, {once});
                       t.Fetch(AssignAdd(w.ref(), Ones(t.graph, DT_FLOAT, {2})));
                     },
                 .after = "cse",
                 .want_before = "RandomUniform; RandomUniform; AssignAdd; AssignAdd",
                 .want_after = "RandomUniform; RandomUniform; AssignAdd; AssignAdd"},
        PassCase{.name = "ReadsOfAVariableBetweenWrites",
                 .build =
                     [](TestGraph& t) {
                       const Variable w = Weights(t, {2}, 1);
                       Output a = Exp(w.snapshot), b = Exp(w.snapshot);
                       const ControlDependencies read(t.graph, {a, b});
                       Output once = AssignAdd(w.ref(), Ones(t.graph, DT_FLOAT, {2}));
                       const ControlDependencies written(t.graph, {once});
                       Output c = Exp(Identity(w.ref())), d = Exp(Identity(w.ref()));
                       t.Fetch(AddN({a, b, c, d}));
                     },
                 .after = "cse",
                 .want_before = "Exp; Exp; AssignAdd; Exp; Exp; AddN",
                 .want_after = "Exp; AssignAdd; Exp; AddN"},
        PassCase{.name = "BranchesTakeWhatRanBefore",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({2, 2}, 1);
                       Output e = Exp(x);
                       t.Fetch(Sqrt(e));
                       const auto then_branch = [&] { return Sqrt(Exp(x)) + Exp(x); };
                       const auto else_branch = [&] { return Neg(Exp(x)) * Neg(Exp(x)); };
                       t.Fetch(Cond(Less(Sum(e), 0.0), then_branch, else_branch));
                     },
                 .after = "cse",
                 .want_before = "Exp; Sqrt; Sum; Less; jump 9; Exp; Exp; Sqrt; AddV2; jump 15; Exp; Neg; Exp; Neg; "
                                "Mul; merge",
                 .want_after = "Exp; Sqrt; Sum; Less; jump 6; AddV2; jump 9; Neg; Mul; merge"},
        PassCase{.name = "NotFromABranchThatMayNotHaveRun",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({2, 2}, 1);
                       Output y = Cond(
                           Less(Sum(x), 0.0), [&] { return Exp(x); }, [&] { return Sqrt(x); });
                       t.Fetch(y);
                       const ControlDependencies after(t.graph, {y});
                       t.Fetch(Neg(Exp(x)));
                     },
                 .after = "cse",
                 .want_before = "Sum; Less; jump 4; Exp; jump 6; Sqrt; merge; Exp; Neg",
                 .want_after = "Sum; Less; jump 4; Exp; jump 6; Sqrt; merge; Exp; Neg"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    FoldTransposes, PassTest,
    ::testing::Values(
        PassCase{
            .name = "Operands",
            .build =
                [](TestGraph& t) {
                  Output x = t.Random({4, 3}, 1), w = t.Random({5, 3}, 2);
                  t.Fetch(MatMul(x, Transpose(w)));
                  t.Fetch(MatMul(Transpose(x), Transpose(w), {.transpose_a = true}));
                  t.Fetch(MatMul(Transpose(Transpose(x)), w, {.transpose_b = true}));
                },
            .after = "product,fold_transpose",
            .before = "product",
            .want_before = "Transpose; MatMul 4x3x5; Transpose; Transpose; MatMul 4x3x5 A^T; Transpose; Transpose; "
                           "MatMul 4x3x5 B^T",
            .want_after = "MatMul 4x3x5 B^T; MatMul 4x3x5 B^T; MatMul 4x3x5 B^T"},
        PassCase{.name = "Results",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({4, 30}, 1), y = t.Random({30, 5}, 2);
                       t.Fetch(Transpose(MatMul(x, y)));
                       t.Fetch(Transpose(MatMul(y, x, {.transpose_a = true, .transpose_b = true})));
                     },
                 .after = "product,fold_transpose",
                 .before = "product",
                 .want_before = "MatMul 4x30x5; Transpose; MatMul 5x30x4 A^T B^T; Transpose",
                 .want_after = "MatMul 5x30x4 A^T B^T; MatMul 4x30x5"},
        PassCase{.name = "WhatOthersReadStays",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({4, 3}, 1), w = t.Random({5, 3}, 2);
                       Output turned = Transpose(w), product = MatMul(x, turned);
                       t.Fetch(turned);
                       t.Fetch(product);
                       t.Fetch(Transpose(product));
                     },
                 .after = "product,fold_transpose",
                 .before = "product",
                 .want_before = "Transpose; MatMul 4x3x5; Transpose",
                 .want_after = "Transpose; MatMul 4x3x5 B^T; Transpose"},
        PassCase{.name = "NotOtherOrdersAndShapes",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({4, 3}, 1), cube = t.Random({2, 3, 2}, 2);
                       t.Fetch(MatMul(Reshape(Transpose(x), {6, 2}), Reshape(x, {2, 6})));
                       t.Fetch(MatMul(x, Reshape(Transpose(cube, {1, 0, 2}), {3, 4})));
                     },
                 .after = "product,fold_transpose",
                 .before = "product",
                 .want_before = "Transpose; MatMul 6x2x6; Transpose; MatMul 4x3x4",
                 .want_after = "Transpose; MatMul 6x2x6; Transpose; MatMul 4x3x4"},
        PassCase{.name = "NotOfAVariableThatChangesBefore",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({4, 3}, 1);
                       const Variable w = Weights(t, {5, 3}, 2);
                       Output turned = Transpose(w.snapshot);
                       t.Fetch(MatMul(x, turned));
                       const ControlDependencies read(t.graph, {turned});
                       Output next = AssignAdd(w.ref(), Ones(t.graph, DT_FLOAT, {5, 3}));
                       const ControlDependencies written(t.graph, {next});
                       t.Fetch(MatMul(Identity(x), turned));
                     },
                 .after = "product,fold_transpose",
                 .before = "product",
                 .want_before = "Transpose; MatMul 4x3x5; AssignAdd; MatMul 4x3x5",
                 .want_after = "Transpose; MatMul 4x3x5 B^T; AssignAdd; MatMul 4x3x5"},
        PassCase{.name = "Gradients",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({4, 3}, 1);
                       const Variable w = Weights(t, {5, 3}, 2);
                       Output loss = Sum(Square(MatMul(x, Transpose(w.snapshot))));
                       t.Target(train::GradientDescent(t.graph, {.learning_rate = 0.1}).Minimize(loss));
                     },
                 .after = "product,fold_transpose,fuse_product",
                 .before = "product,fuse_product",
                 .want_before = "Transpose; MatMul 4x3x5; Square; Sum; Mul; Mul; MatMul 3x4x5 A^T; Transpose; "
                                "ApplyGradientDescent",
                 .want_after = "MatMul 4x3x5 B^T; Square; Sum; Mul; Mul; ApplyGradientDescent 5x4x3 A^T subtracted "
                               "scaled"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    FuseProducts, PassTest,
    ::testing::Values(
        PassCase{.name = "Updates",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({4, 3}, 1), y = t.Random({3, 5}, 2);
                       t.Fetch(AssignSub(Weights(t, {4, 5}, 3).ref(), MatMul(x, y)));
                       t.Fetch(AssignAdd(Weights(t, {3, 3}, 4).ref(), MatMul(y, y, {.transpose_b = true})));
                     },
                 .after = "product,fuse_product",
                 .before = "product",
                 .want_before = "MatMul 4x3x5; AssignSub; MatMul 3x5x3 B^T; AssignAdd",
                 .want_after = "AssignSub 4x3x5 subtracted; AssignAdd 3x5x3 B^T added"},
        PassCase{.name = "NotWhatOthersReadOrChange",
                 .build =
                     [](TestGraph& t) {
                       Output x = t.Random({3, 3}, 1);
                       const Variable a = Weights(t, {3, 3}, 2), b = Weights(t, {3, 3}, 3), c = Weights(t, {3, 3}, 4);
                       Output fetched = MatMul(x, x);
                       t.Fetch(fetched);
                       t.Target(AssignSub(a.ref(), fetched));
                       t.Target(AssignSub(b.ref(), MatMul(x, b.snapshot)));  // itself
                       Output product = MatMul(x, c.snapshot);
                       const ControlDependencies read(t.graph, {product});
                       Output next = AssignAdd(c.ref(), x);  // an operand changes before the update
                       const ControlDependencies written(t.graph, {next});
                       t.Target(AssignSub(Weights(t, {3, 3}, 5).ref(), Identity(product)));
                     },
                 .after = "product,fuse_product",
                 .before = "product",
                 .want_before = "MatMul 3x3x3; AssignSub; MatMul 3x3x3; AssignSub; MatMul 3x3x3; AssignAdd; AssignSub",
                 .want_after = "MatMul 3x3x3; AssignSub; MatMul 3x3x3; AssignSub; MatMul 3x3x3; AssignAdd; AssignSub"}),
    kName);

}  // namespace
}  // namespace staticflow
