// Functions of nn.h that are several nodes: their values, node names and errors. Values: TensorFlow 2.21.
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

void ExpectValues(const Graph& g, const std::vector<Output>& outputs, const std::vector<Tensor>& want,
                  double tolerance = 1e-10) {
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  const absl::StatusOr<std::vector<Tensor>> got = session.Run({}, outputs);
  ASSERT_TRUE(got.ok()) << got.status();
  for (size_t i = 0; i < want.size(); ++i) EXPECT_TRUE(TensorsNear((*got)[i], want[i], tolerance)) << i;
}

class NormalizationTest : public testing::Test {
 protected:
  Graph g;
  Output x = Const(g, M<double>({{1, 2}, {3, 4}, {-5, 0}}));
  Output scale = Const(g, T<double>({1.5, 0.5}));
  Output offset = Const(g, T<double>({0.1, -0.2}));
};

TEST_F(NormalizationTest, MomentsHaveTensorFlowsValuesAndNames) {
  const MomentsResult moments = Moments(x, {0});
  ExpectValues(g, {moments.mean, moments.variance},
               {T<double>({-0.333333333333333, 2}), T<double>({11.5555555555556, 2.66666666666667})});
  EXPECT_EQ(moments.mean.name(), "moments/Squeeze:0");
  EXPECT_EQ(moments.variance.name(), "moments/Squeeze_1:0");
  for (const char* name : {"mean", "mean/reduction_indices", "StopGradient", "SquaredDifference", "variance"}) {
    EXPECT_NE(g.FindNode(absl::StrCat("moments/", name)), nullptr) << name;
  }
}

TEST_F(NormalizationTest, MomentsKeepDimensionsOnRequest) {
  const MomentsResult all = Moments(x, {0, 1}, {.keep_dims = true, .name = "all"});
  EXPECT_EQ(all.mean.name(), "all/mean:0");
  EXPECT_EQ(all.mean.shape(), Shape({1, 1}));
  ExpectValues(g, {all.mean}, {M<double>({{5.0 / 6}})});
}

TEST_F(NormalizationTest, MomentsOfHalfAreComputedInFloat) {
  const MomentsResult moments = Moments(Const(g, As<Half>({300, -300})), {0});
  ExpectValues(g, {moments.mean}, {Tensor::Of<Half>({}, {Half(0.0f)})});
  EXPECT_EQ(moments.variance.dtype(), DT_HALF);
}

TEST_F(NormalizationTest, BatchNormalizationHasTensorFlowsValuesAndNames) {
  const MomentsResult m = Moments(x, {0});
  const Output full = BatchNormalization(x, m.mean, m.variance, offset, scale, 1e-3);
  const Output bare = BatchNormalization(x, m.mean, m.variance, Output(), Output(), 1e-3);
  const Output scaled = BatchNormalization(x, m.mean, m.variance, Output(), scale, 1e-3);
  ExpectValues(
      g, {full, bare, scaled},
      {M<double>(
           {{0.688322949683788, -0.2}, {1.57080737420947, 0.412257648147091}, {-1.95913032389326, -0.812257648147091}}),
       M<double>(
           {{0.392215299789192, 0}, {0.980538249472981, 1.22451529629418}, {-1.37275354926217, -1.22451529629418}}),
       M<double>(
           {{0.588322949683788, 0}, {1.47080737420947, 0.612257648147091}, {-2.05913032389326, -0.612257648147091}})});
  EXPECT_EQ(full.name(), "batchnorm/add_1:0");
  for (const char* name : {"add/y", "add", "Rsqrt", "mul", "mul_1", "mul_2", "sub"}) {
    EXPECT_NE(g.FindNode(absl::StrCat("batchnorm/", name)), nullptr) << name;
  }
  EXPECT_EQ(scaled.name(), "batchnorm_2/add_1:0");
}

TEST_F(NormalizationTest, GradientsFlowThroughTheStatistics) {
  const MomentsResult m = Moments(x, {0});
  const Output y = BatchNormalization(x, m.mean, m.variance, offset, scale, 1e-3);
  ExpectValues(
      g, Gradients({y * x}, {x, scale, offset}),
      {M<double>(
           {{0.688373857841228, -0.2}, {1.57093464460307, 0.412487158698689}, {-1.9593085024443, -0.812487158698689}}),
       T<double>({10.197597794519, 4.89806118517673}), T<double>({-1, 6})});
}

TEST_F(NormalizationTest, SigmoidCrossEntropy) {
  const Output labels = Const(g, M<double>({{0.2, 1}, {0, 0.7}, {1, 0.5}}));
  const Output loss = SigmoidCrossEntropyWithLogits(x, labels);
  EXPECT_EQ(loss.name(), "logistic_loss:0");
  ExpectValues(g, {loss},
               {M<double>({{1.11326168751822, 0.126928011042972},
                           {3.04858735157374, 1.21814992791781},
                           {5.00671534848912, 0.693147180559945}})});
}

TEST(CrossEntropyBuilders, TakeAnyRank) {
  Graph g;
  std::vector<double> values(12);
  for (int i = 0; i < 12; ++i) values[i] = 0.3 * i;
  const Output logits = Const(g, Tensor::Of<double>({2, 2, 3}, absl::MakeConstSpan(values)));
  const Output sparse = SparseSoftmaxCrossEntropyWithLogits(logits, Const(g, M<int32_t>({{0, 2}, {1, 1}})));
  const Output dense = SoftmaxCrossEntropyWithLogits(logits, Softmax(-logits), {.labels_gradient = true});
  EXPECT_EQ(sparse.shape(), Shape({2, 2}));
  EXPECT_EQ(dense.shape(), Shape({2, 2}));
  const double same = 1.18750737121761;
  ExpectValues(g, {sparse, dense},
               {M<double>({{1.42839016990612, 0.828390169906124}, {1.12839016990612, 1.12839016990612}}),
                M<double>({{same, same}, {same, same}})});
}

TEST(CrossEntropyBuilders, HoldLabelsConstantUnlessAsked) {
  Graph g;
  const Output logits = Const(g, M({{1, 2}})), labels = Const(g, M({{0.5, 0.5}}));
  const Output constant = SoftmaxCrossEntropyWithLogits(logits, labels);
  const Output v2 = SoftmaxCrossEntropyWithLogits(logits, labels, {.labels_gradient = true});
  EXPECT_EQ(constant.name(), "softmax_cross_entropy_with_logits_sg:0");
  EXPECT_EQ(v2.name(), "softmax_cross_entropy_with_logits:0");
  EXPECT_FALSE(Gradients({constant}, {labels})[0].valid());
  EXPECT_TRUE(Gradients({v2}, {labels})[0].valid());
  EXPECT_EQ(SparseSoftmaxCrossEntropyWithLogits(logits, Const(g, T<int32_t>({1}))).name(),
            "SparseSoftmaxCrossEntropyWithLogits/SparseSoftmaxCrossEntropyWithLogits:0");
  EXPECT_TRUE(g.status().ok()) << g.status();
}

TEST(Dropout, ScalesWhatItKeeps) {
  Graph g;
  const Output x = Const(g, T({1, 2, 3, 4}));
  const Output y = Dropout(x, {.rate = 0.75, .seed = 3});
  EXPECT_EQ(y.name(), "dropout/SelectV2:0");
  ASSERT_TRUE(g.status().ok()) << g.status();
  const Output uniform = g.FindOutput("dropout/random_uniform/RandomUniform").value_or(Output());
  ASSERT_TRUE(uniform.valid());
  Session session(g);
  const std::vector<Output> gradient = Gradients({y}, {x});
  const auto got = session.Run({{uniform, T({0.75, 0.74, 0, 0.9})}}, {y, gradient[0]});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(TensorsNear((*got)[0], T({4, 0, 0, 16}), 1e-6));
  EXPECT_TRUE(TensorsNear((*got)[1], T({4, 0, 0, 4}), 1e-6));
}

TEST(Dropout, OfRateZeroIsItsOperand) {
  Graph g;
  const Output x = Const(g, T({1}));
  EXPECT_EQ(Dropout(x, {.rate = 0}), x);
}

TEST(Dropout, RefusesOtherRates) {
  Graph g;
  EXPECT_FALSE(Dropout(Const(g, T({1})), {.rate = 1}).valid());
  EXPECT_TRUE(absl::StrContains(g.status().message(), "expected a rate in [0, 1), got 1")) << g.status();
}

TEST(Compositions, NameTheLineOfTheirCaller) {
  Graph g;
  const Output logits = Const(g, T({1, 2}));
  SoftmaxCrossEntropyWithLogits(logits, Const(g, M({{1, 2, 3}})));
  EXPECT_TRUE(absl::StrContains(g.status().message(), "nn_composition_test.cc")) << g.status();
}

}  // namespace
}  // namespace staticflow
