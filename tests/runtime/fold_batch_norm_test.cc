// fold_bn: what products and convolutions become whose columns constants scale, and which must stay as they are.
#include "gtest/gtest.h"
#include "ops/array.h"
#include "ops/batch_norm.h"
#include "ops/conv.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/state.h"
#include "runtime/passes.h"
#include "tests/runtime/plan_runner.h"

namespace staticflow {
namespace {

Output Random(TestGraph& t, const Shape& shape, int seed) {
  return Const(t.graph, TestGraph::RandomTensor(shape, seed));
}

// Normalizations of frozen graphs: constants for variables. What TensorFlow's layers write for matrices...
Output Normalized(TestGraph& t, Output h, int64_t n, int seed) {
  return BatchNormalization(h, Random(t, {n}, seed), Abs(Random(t, {n}, seed + 1)), Random(t, {n}, seed + 2),
                            Random(t, {n}, seed + 3), 0.01);
}

// ... and for pictures, as any version of the op.
Output Fused(TestGraph& t, Output h, int64_t n, int seed, absl::string_view version = "V3",
             const std::string& data_format = "NHWC") {
  return NodeBuilder(absl::StrCat("FusedBatchNorm", version), {h, Random(t, {n}, seed), Random(t, {n}, seed + 1),
                                                               Random(t, {n}, seed + 2), Abs(Random(t, {n}, seed + 3))})
      .Attr("is_training", false)
      .Attr("epsilon", 0.01f)
      .Attr("data_format", data_format)
      .Build();
}

struct FoldCase {
  std::string name;
  Output (*build)(TestGraph& t);
  std::string without;  // the instructions
  std::string with;

  friend void PrintTo(const FoldCase& c, std::ostream* out) { *out << c.name; }
};

class FoldBatchNormTest : public ::testing::TestWithParam<FoldCase> {};

TEST_P(FoldBatchNormTest, MovesScalesIntoWeights) {
  const FoldCase& c = GetParam();
  TestGraph t;
  t.Fetch(c.build(t));
  ASSERT_TRUE(t.graph.status().ok()) << t.graph.status();
  const std::string passes = "-all,product,fuse_loops";
  absl::StatusOr<Planned> before = MakePlan(t, {.passes = passes});
  absl::StatusOr<Planned> after = MakePlan(t, {.passes = absl::StrCat(passes, ",fold_bn")});
  ASSERT_TRUE(before.ok() && after.ok()) << before.status() << after.status();
  EXPECT_EQ(Instructions(*before->plan), c.without);
  EXPECT_EQ(Instructions(*after->plan), c.with);
  const Outcome plain = RunPlanned(t, {.passes = "-all"}), without = RunPlanned(t, {.passes = "-fold_bn"});
  const Outcome all = RunPlanned(t, {});
  EXPECT_LT(Difference(plain, all), 3e-6) << plain.status << all.status;
  EXPECT_EQ(Difference(plain, without), 0);
  EXPECT_EQ(Difference(all, RunPlanned(t, {.workers = 2})), 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, FoldBatchNormTest,
    ::testing::Values(
        FoldCase{
            .name = "Product",
            .build =
                [](TestGraph& t) {
                  Output h = MatMul(t.Random({6, 30}, 1), Random(t, {30, 40}, 10));
                  return Relu(Normalized(t, BiasAdd(h, Random(t, {40}, 11)), 40, 12));
                },
            .without =
                "MatMul 6x30x40; loop 6x40: r2 = add(x0, x1); r4 = mul(r2, x2); r6 = add(r4, x3); r7 = relu(r6) -> r7",
            .with = "MatMul 6x30x40; loop 6x40: r6 = add(x0, x1); r7 = relu(r6) -> r7"},
        FoldCase{.name = "ProductTransposed",
                 .build =
                     [](TestGraph& t) {
                       Output h = MatMul(t.Random({6, 30}, 1), Random(t, {20, 30}, 10), {.transpose_b = true});
                       return Relu(Normalized(t, h, 20, 12));
                     },
                 .without = "MatMul 6x30x20 B^T; loop 6x20: r2 = mul(x0, x1); r4 = add(r2, x2); r5 = relu(r4) -> r5",
                 .with = "MatMul 6x30x20 B^T; loop 6x20: r4 = add(x0, x1); r5 = relu(r4) -> r5"},
        FoldCase{.name = "ProductOfOneRow",
                 .build =
                     [](TestGraph& t) {
                       Output h = MatMul(t.Random({1, 30}, 1), Random(t, {30, 40}, 10));
                       return Relu(Normalized(t, h, 40, 12));
                     },
                 .without = "MatMul 1x30x40; loop 1x40: r2 = mul(x0, x1); r4 = add(r2, x2); r5 = relu(r4) -> r5",
                 .with = "MatMul 1x30x40; loop 1x40: r4 = add(x0, x1); r5 = relu(r4) -> r5"},
        FoldCase{.name = "Conv2DUnfused",
                 .build =
                     [](TestGraph& t) {
                       Output h = Conv2D(t.Random({2, 5, 6, 3}, 1), Random(t, {3, 3, 3, 20}, 10));
                       return Relu(Normalized(t, h, 20, 12));
                     },
                 .without = "Conv2D; loop 60x20: r2 = mul(x0, x1); r4 = add(r2, x2); r5 = relu(r4) -> r5 into x0",
                 .with = "Conv2D; loop 60x20: r4 = add(x0, x1); r5 = relu(r4) -> r5 into x0"},
        FoldCase{.name = "Conv2DV1",
                 .build =
                     [](TestGraph& t) {
                       Output h = Conv2D(t.Random({2, 5, 6, 3}, 1), Random(t, {3, 3, 3, 20}, 10));
                       return Relu(Fused(t, h, 20, 12, ""));
                     },
                 .without = "Conv2D; loop 60x20: r6 = add(x4, 0.01); r7 = sqrt(r6); r8 = div(x1, r7); r9 = sub(x0, "
                            "x3); r10 = mul(r9, r8); r11 = add(r10, x2); r12 = relu(r11) -> r12 into x0",
                 .with = "Conv2D; loop 60x20: r11 = add(x0, x1); r12 = relu(r11) -> r12 into x0"},
        FoldCase{.name = "Conv2DBiasV2",
                 .build =
                     [](TestGraph& t) {
                       Output h = Conv2D(t.Random({2, 5, 6, 3}, 1), Random(t, {1, 1, 3, 20}, 10));
                       return Fused(t, BiasAdd(h, Random(t, {20}, 11)), 20, 12, "V2");
                     },
                 .without = "Conv2D; loop 60x20: r2 = add(x0, x1); r8 = add(x5, 0.01); r9 = sqrt(r8); r10 = div(x2, "
                            "r9); r11 = sub(r2, x4); r12 = mul(r11, r10); r13 = add(r12, x3) -> r13 into x0",
                 .with = "Conv2D; loop 60x20: r13 = add(x0, x1) -> r13 into x0"},
        FoldCase{.name = "Conv2DInGroupsV3",
                 .build =
                     [](TestGraph& t) {
                       Output h = Conv2D(t.Random({2, 5, 6, 4}, 1), Random(t, {3, 3, 2, 6}, 10),
                                         {.strides = {1, 2, 2, 1}, .padding = "VALID"});
                       return Relu(Fused(t, h, 6, 12));
                     },
                 .without = "Conv2D; loop 8x6: r6 = add(x4, 0.01); r7 = sqrt(r6); r8 = div(x1, r7); r9 = sub(x0, x3); "
                            "r10 = mul(r9, r8); r11 = add(r10, x2); r12 = relu(r11) -> r12 into x0",
                 .with = "Conv2D; loop 8x6: r11 = add(x0, x1); r12 = relu(r11) -> r12 into x0"},
        FoldCase{
            .name = "Depthwise",
            .build =
                [](TestGraph& t) {
                  Output h = DepthwiseConv2dNative(t.Random({2, 5, 6, 3}, 1), Random(t, {3, 3, 3, 2}, 10));
                  return Relu(Fused(t, BiasAdd(h, Random(t, {6}, 11)), 6, 12));
                },
            .without =
                "DepthwiseConv2dNative; loop 60x6: r2 = add(x0, x1); r8 = add(x5, 0.01); r9 = sqrt(r8); r10 = div(x2, "
                "r9); r11 = sub(r2, x4); r12 = mul(r11, r10); r13 = add(r12, x3); r14 = relu(r13) -> r14 into x0",
            .with = "DepthwiseConv2dNative; loop 60x6: r13 = add(x0, x1); r14 = relu(r13) -> r14 into x0"},
        FoldCase{.name = "Conv3D",
                 .build =
                     [](TestGraph& t) {
                       Output h = Conv3D(t.Random({2, 3, 4, 5, 2}, 1), Random(t, {2, 2, 2, 2, 7}, 10));
                       return h * Random(t, {7}, 11) + Random(t, {7}, 12);
                     },
                 .without = "Conv3D; loop 120x7: r2 = mul(x0, x1); r4 = add(r2, x2) -> r4 into x0",
                 .with = "Conv3D; loop 120x7: r4 = add(x0, x1) -> r4 into x0"},
        // As wide as there are channels, which are not columns.
        FoldCase{
            .name = "NotChannelsFirst",
            .build =
                [](TestGraph& t) {
                  Output h = Conv2D(t.Random({2, 3, 5, 6}, 1), Random(t, {3, 3, 3, 6}, 10), {.data_format = "NCHW"});
                  return Fused(t, h * Random(t, {6}, 11), 6, 12, "V3", "NCHW");
                },
            .without = "Conv2D; loop 60x6: r2 = mul(x0, x1) -> r2 into x0; FusedBatchNormV3",
            .with = "Conv2D; loop 60x6: r2 = mul(x0, x1) -> r2 into x0; FusedBatchNormV3"},
        FoldCase{.name = "NotAFilterThatIsFed",
                 .build =
                     [](TestGraph& t) {
                       Output h = Conv2D(t.Random({2, 5, 6, 3}, 1), t.Random({1, 1, 3, 20}, 2));
                       return h * Random(t, {20}, 11);
                     },
                 .without = "Conv2D; loop 60x20: r2 = mul(x0, x1) -> r2 into x0",
                 .with = "Conv2D; loop 60x20: r2 = mul(x0, x1) -> r2 into x0"},
        // Its value may change from step to step.
        FoldCase{.name = "NotAVariable",
                 .build =
                     [](TestGraph& t) {
                       const Variable scale = NewVariable(t.graph, TestGraph::RandomTensor({20}, 2), {.name = "s"});
                       return Conv2D(t.Random({2, 5, 6, 3}, 1), Random(t, {1, 1, 3, 20}, 10)) * scale.snapshot;
                     },
                 .without = "Conv2D; loop 60x20: r2 = mul(x0, x1) -> r2 into x0",
                 .with = "Conv2D; loop 60x20: r2 = mul(x0, x1) -> r2 into x0"},
        FoldCase{
            .name = "NotAGradientOfTheFilter",
            .build =
                [](TestGraph& t) {
                  Output h = Conv2DBackpropFilter(t.Random({2, 5, 6, 3}, 1), {1, 1, 3, 4}, t.Random({2, 5, 6, 4}, 2));
                  return h * Random(t, {4}, 11);
                },
            .without = "Conv2DBackpropFilter; loop 3x4: r2 = mul(x0, x1) -> r2 into x0",
            .with = "Conv2DBackpropFilter; loop 3x4: r2 = mul(x0, x1) -> r2 into x0"}),
    [](const auto& info) { return info.param.name; });

// Whatever stands before it: what a normalization makes of constants alone is computed once.
TEST(FoldBatchNormTest, ConstantRowsAreComputedOnce) {
  TestGraph t;
  t.Fetch(Relu(Fused(t, t.Random({2, 5, 6, 20}, 1), 20, 12)));
  absl::StatusOr<Planned> planned = MakePlan(t, {.passes = "-all,fuse_loops,fold_bn"});
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_EQ(Instructions(*planned->plan),
            "loop 60x20: r9 = sub(x0, x2); r10 = mul(r9, x3); r11 = add(r10, x1); r12 = relu(r11) -> r12");
  EXPECT_EQ(Difference(RunPlanned(t, {}), RunPlanned(t, {.passes = "-fold_bn"})), 0);
}

TEST(FoldBatchNormTest, NotWhereSomethingElseIsRead) {
  TestGraph t;
  Graph& g = t.graph;
  const auto variable = [&](int seed) {
    return NewVariable(g, TestGraph::RandomTensor({30, 40}, seed), {.name = "w"}).snapshot;
  };
  Output x = t.Random({6, 30}, 1);
  Output matrix = Random(t, {30, 40}, 2), row = Random(t, {40}, 3);
  Output product = MatMul(x, matrix);
  t.Fetch(product);
  t.Fetch(Relu(product * row));                          // the product is wanted, too
  t.Fetch(Relu(MatMul(x, matrix) * t.Random({40}, 4)));  // fed, not constant
  t.Fetch(Relu(MatMul(x, variable(5)) * row));           // a variable
  Output scaled = MatMul(x, matrix) * row;
  t.Fetch(scaled * Relu(scaled));
  t.Fetch(Relu(MatMul(x, matrix) + row));  // nothing is scaled
  const Outcome without = RunPlanned(t, {.passes = "-fold_bn"}), with = RunPlanned(t, {});
  ASSERT_TRUE(without.status.ok() && with.status.ok()) << without.status << with.status;
  EXPECT_LT(Difference(without, with), 1e-6);
  for (int i : {0, 1, 2, 3, 5}) EXPECT_EQ(Difference(without.fetches[i], with.fetches[i]), 0) << i;
}

}  // namespace
}  // namespace staticflow
