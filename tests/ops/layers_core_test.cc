// layers::Dense, Flatten, Dropout, Conv2D and the poolings: names, shapes, numbers, errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "staticflow.h"

namespace staticflow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Tensor CountUp(const Shape& shape) {
  Tensor x = *Tensor::Create(DT_FLOAT, shape);
  for (int64_t i = 0; i < x.num_elements(); ++i) x.flat<float>()[i] = static_cast<float>(i);
  return x;
}

Initializer Of(std::initializer_list<float> values, const Shape& shape) {
  return initializers::FromTensor(Tensor::Of<float>(shape, values));
}

std::vector<std::string> VariableNames(const Graph& g) {
  std::vector<std::string> names;
  for (const Variable& v : g.variables()) names.push_back(v.name());
  return names;
}

// ---- Values ----

struct ValueCase {
  std::string name = "";
  Shape placeholder = {};  // the static shape of x
  Tensor input = {};
  std::function<Output(Graph&, Output)> build = nullptr;
  Shape shape = {};  // the static shape of y
  std::string node = "";
  Tensor want = {};
};

class LayerValues : public testing::TestWithParam<ValueCase> {};

TEST_P(LayerValues, AndShapeAndName) {
  const ValueCase& row = GetParam();
  Graph g;
  const Output x = Placeholder(g, {.shape = row.placeholder, .name = "x"});
  const Output y = row.build(g, x);
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_EQ(y.shape(), row.shape) << y.shape().ToString();
  EXPECT_EQ(y.node()->name(), row.node);
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  const absl::StatusOr<Tensor> out = session.Run({{x, row.input}}, y);
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_TRUE(BitwiseEqual(*out, row.want)) << out->ToString() << " instead of " << row.want.ToString();
}

Output TestDense(Graph& g, Output x, layers::DenseOptions options) {
  options.units = 2;
  options.kernel_initializer = Of({1, 2, 3, 4, 5, 6}, {3, 2});
  return layers::Dense(g, x, options);
}

const std::vector<ValueCase>& ValueCases() {
  static const Tensor row = Tensor::Matrix<float>({{1, 0, -1}});
  static const auto* const cases = new std::vector<ValueCase>{
      {"Dense",
       {-1, 3},
       row,
       [](Graph& g, Output x) { return TestDense(g, x, {}); },
       {-1, 2},
       "dense/BiasAdd",
       Tensor::Matrix<float>({{-4, -4}})},
      {"DenseWithoutBias",
       {-1, 3},
       row,
       [](Graph& g, Output x) { return TestDense(g, x, {.use_bias = false}); },
       {-1, 2},
       "dense/MatMul",
       Tensor::Matrix<float>({{-4, -4}})},
      {"DenseActivationAndBias",
       {-1, 3},
       row,
       [](Graph& g, Output x) {
         return TestDense(g, x, {.activation = Relu, .bias_initializer = Of({5, 3}, {2}), .name = "fc"});
       },
       {-1, 2},
       "fc/Relu",
       Tensor::Matrix<float>({{1, 0}})},
      {"DenseLambda",
       {-1, 3},
       row,
       [](Graph& g, Output x) { return TestDense(g, x, {.activation = [](Output h) { return -h; }}); },
       {-1, 2},
       "dense/Neg",
       Tensor::Matrix<float>({{4, 4}})},
      {"DenseOfRankThree",
       {-1, 2, 3},
       CountUp({1, 2, 3}),
       [](Graph& g, Output x) { return TestDense(g, x, {.use_bias = false}); },
       {-1, 2, 2},
       "dense/Tensordot",
       Tensor::Of<float>({1, 2, 2}, {13, 16, 40, 52})},
      {"Flatten",
       {-1, 2, 2},
       CountUp({2, 2, 2}),
       [](Graph& g, Output x) { return layers::Flatten(g, x); },
       {-1, 4},
       "flatten/Reshape",
       Tensor::Matrix<float>({{0, 1, 2, 3}, {4, 5, 6, 7}})},
      {"FlattenKnown",
       {2, 2, 2},
       CountUp({2, 2, 2}),
       [](Graph& g, Output x) { return layers::Flatten(g, x); },
       {2, 4},
       "flatten/Reshape",
       Tensor::Matrix<float>({{0, 1, 2, 3}, {4, 5, 6, 7}})},
      {"FlattenAnEmptyBatch",
       {-1, 2, 2},
       CountUp({0, 2, 2}),
       [](Graph& g, Output x) { return layers::Flatten(g, x); },
       {-1, 4},
       "flatten/Reshape",
       CountUp({0, 4})},
      {"FlattenChannelsFirst",
       {-1, 2, 1, 2},
       CountUp({1, 2, 1, 2}),
       [](Graph& g, Output x) { return layers::Flatten(g, x, {.data_format = "channels_first"}); },
       {-1, 4},
       "flatten/Reshape",
       Tensor::Matrix<float>({{0, 2, 1, 3}})},
      {"FlattenAVector",
       {-1},
       CountUp({2}),
       [](Graph& g, Output x) { return layers::Flatten(g, x); },
       {-1, 1},
       "flatten/Reshape",
       Tensor::Matrix<float>({{0}, {1}})},
      {"DropoutNotTraining",
       {-1, 3},
       row,
       [](Graph& g, Output x) { return layers::Dropout(g, x); },
       {-1, 3},
       "dropout/Identity",
       row},
      {"Conv2D",
       {-1, 2, 2, 1},
       CountUp({1, 2, 2, 1}),
       [](Graph& g, Output x) {
         return layers::Conv2D(g, x,
                               {.filters = 1,
                                .kernel_size = 2,
                                .kernel_initializer = Of({1, 2, 3, 4}, {2, 2, 1, 1}),
                                .bias_initializer = initializers::Ones()});
       },
       {-1, 1, 1, 1},
       "conv2d/BiasAdd",
       Tensor::Of<float>({1, 1, 1, 1}, {21})},
      {"Conv2DSame",
       {-1, 2, 2, 1},
       CountUp({1, 2, 2, 1}),
       [](Graph& g, Output x) {
         return layers::Conv2D(g, x,
                               {.filters = 1,
                                .kernel_size = {1, 2},
                                .strides = {2, 1},
                                .padding = "same",
                                .activation = Relu,
                                .kernel_initializer = initializers::Ones()});
       },
       {-1, 1, 2, 1},
       "conv2d/Relu",
       Tensor::Of<float>({1, 1, 2, 1}, {1, 1})},
      {"MaxPooling2D",
       {-1, 4, 4, 1},
       CountUp({1, 4, 4, 1}),
       [](Graph& g, Output x) { return layers::MaxPooling2D(g, x, {.pool_size = 2, .strides = 2}); },
       {-1, 2, 2, 1},
       "max_pooling2d/MaxPool",
       Tensor::Of<float>({1, 2, 2, 1}, {5, 7, 13, 15})},
      {"AveragePooling2D",
       {-1, 4, 4, 1},
       CountUp({1, 4, 4, 1}),
       [](Graph& g, Output x) { return layers::AveragePooling2D(g, x, {.pool_size = {2, 4}, .strides = 2}); },
       {-1, 2, 1, 1},
       "average_pooling2d/AvgPool",
       Tensor::Of<float>({1, 2, 1, 1}, {3.5, 11.5})},
  };
  return *cases;
}
INSTANTIATE_TEST_SUITE_P(All, LayerValues, testing::ValuesIn(ValueCases()),
                         [](const auto& row) { return row.param.name; });

TEST(Layers, DefaultNamesCountUp) {
  Graph g;
  Output x = Placeholder(g, {.shape = {-1, 4}});
  for (int i = 0; i < 2; ++i) x = layers::Dense(g, x, {.units = 4});
  {
    const NameScope tower(g, "tower");
    x = layers::Dense(g, x, {.units = 4});
  }
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_THAT(VariableNames(g), ElementsAre("dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias",
                                            "dense_2/kernel", "dense_2/bias"));
  EXPECT_EQ(x.node()->name(), "tower/dense/BiasAdd");
}

TEST(Layers, ReuseSharesAndKeepsCountingNodes) {
  Graph g;
  const Output x = Placeholder(g, {.shape = {-1, 4}});
  layers::Dense(g, x, {.units = 4, .name = "fc"});
  const Output again = layers::Dense(g, x, {.units = 4, .name = "fc", .reuse = Reuse::kAutoReuse});
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_THAT(VariableNames(g), ElementsAre("fc/kernel", "fc/bias"));
  EXPECT_EQ(again.node()->name(), "fc_1/BiasAdd");
}

TEST(Layers, DropoutKeepsTheMeanAndFollowsThePlaceholder) {
  Graph g;
  const Output is_training = Placeholder(g, {.dtype = DT_BOOL});
  const Output x = Placeholder(g, {.shape = {10000}});
  const Output y = layers::Dropout(g, x, {.rate = 0.25, .seed = 1, .training = is_training});
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  Tensor ones = CountUp({10000});
  for (float& value : ones.flat<float>()) value = 3;
  for (bool training : {false, true}) {
    const absl::StatusOr<Tensor> out = session.Run({{x, ones}, {is_training, training}}, y);
    ASSERT_TRUE(out.ok()) << out.status();
    int zeros = 0;
    for (float value : out->flat<float>()) {
      zeros += value == 0;
      EXPECT_TRUE(value == 0 || value == (training ? 4 : 3)) << value;
    }
    EXPECT_NEAR(zeros, training ? 2500 : 0, training ? 200 : 0);
  }
}

TEST(Layers, RegularizersJoinTheLosses) {
  Graph g;
  const Output x = Placeholder(g, {.shape = {-1, 4}});
  layers::Dense(g, x, {.units = 2, .kernel_regularizer = [](Output w) { return L2Loss(w); }, .trainable = false});
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_EQ(g.collection(kRegularizationLosses).size(), 1u);
  EXPECT_TRUE(g.variables(kTrainableVariables).empty());
}

// ---- Errors ----

struct ErrorCase {
  std::string name = "";
  Shape shape = {};
  std::function<Output(Graph&, Output)> build = nullptr;
  std::string message = "";
};

class LayerErrors : public testing::TestWithParam<ErrorCase> {};

TEST_P(LayerErrors, NameLayerAndLine) {
  Graph g;
  const Output x = Placeholder(g, {.shape = GetParam().shape});
  EXPECT_FALSE(GetParam().build(g, x).valid());
  EXPECT_EQ(g.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(g.status().message()), HasSubstr("(layers_core_test.cc:"));
  EXPECT_THAT(std::string(g.status().message()), HasSubstr(GetParam().message));
}

const std::vector<ErrorCase>& ErrorCases() {
  static const auto* const cases = new std::vector<ErrorCase>{
      {"DenseUnits", {-1, 3}, [](Graph& g, Output x) { return layers::Dense(g, x, {}); }, "Dense 'dense' (layers"},
      {"DenseRank",
       {3},
       [](Graph& g, Output x) { return layers::Dense(g, x, {.units = 1}); },
       "expected rank 2 or more"},
      {"DenseUnknown",
       {3, -1},
       [](Graph& g, Output x) { return layers::Dense(g, x, {.units = 1}); },
       "expected a known last dimension"},
      {"NameTwice",
       {-1, 3},
       [](Graph& g, Output x) {
         layers::Dense(g, x, {.units = 1, .name = "fc"});
         return layers::Dense(g, x, {.units = 1, .name = "fc"});
       },
       "exists already"},
      {"ReuseOfNothing",
       {-1, 3},
       [](Graph& g, Output x) { return layers::Dense(g, x, {.units = 1, .name = "fc", .reuse = Reuse::kReuse}); },
       "does not exist"},
      {"ReuseWithoutName",
       {-1, 3},
       [](Graph& g, Output x) { return layers::Dense(g, x, {.units = 1, .reuse = Reuse::kReuse}); },
       "needs the name"},
      {"ReuseOfAnotherShape",
       {-1, 3},
       [](Graph& g, Output x) {
         layers::Dense(g, x, {.units = 1, .name = "fc"});
         return layers::Dense(g, x, {.units = 2, .name = "fc", .reuse = Reuse::kReuse});
       },
       "with shape [3,2]"},
      {"OtherGraph",
       {-1, 3},
       [](Graph& g, Output) {
         Graph other;
         return layers::Dense(g, Placeholder(other, {.shape = {-1, 3}}), {.units = 1});
       },
       "is of another graph"},
      {"FlattenFormat",
       {-1, 3},
       [](Graph& g, Output x) { return layers::Flatten(g, x, {.data_format = "NHWC"}); },
       ".data_format is 'NHWC'"},
      {"DropoutRate", {-1, 3}, [](Graph& g, Output x) { return layers::Dropout(g, x, {.rate = 1}); }, ".rate is 1"},
      {"ConvRank",
       {-1, 3},
       [](Graph& g, Output x) { return layers::Conv2D(g, x, {.filters = 1, .kernel_size = 3}); },
       "expected rank 4"},
      {"ConvFilters",
       {-1, 4, 4, 1},
       [](Graph& g, Output x) { return layers::Conv2D(g, x, {.kernel_size = 3}); },
       ".filters is 0"},
      {"ConvKernel",
       {-1, 4, 4, 1},
       [](Graph& g, Output x) { return layers::Conv2D(g, x, {.filters = 1}); },
       ".kernel_size is {0, 0}"},
      {"ConvPadding",
       {-1, 4, 4, 1},
       [](Graph& g, Output x) { return layers::Conv2D(g, x, {.filters = 1, .kernel_size = 3, .padding = "full"}); },
       ".padding is 'full'"},
      {"ConvChannels",
       {-1, 4, 4, -1},
       [](Graph& g, Output x) { return layers::Conv2D(g, x, {.filters = 1, .kernel_size = 3}); },
       "known number of channels"},
      {"PoolStrides",
       {-1, 4, 4, 1},
       [](Graph& g, Output x) { return layers::MaxPooling2D(g, x, {.pool_size = 2}); },
       ".strides is {0, 0}"},
  };
  return *cases;
}
INSTANTIATE_TEST_SUITE_P(All, LayerErrors, testing::ValuesIn(ErrorCases()),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace staticflow
