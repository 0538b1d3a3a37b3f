// FindBatchNormLayers: on models that TensorFlow 1 and Keras wrote, and on the forms that people write by hand.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/meta_graph.h"
#include "ops/analysis/batch_norm_layers.h"
#include "ops/array.h"
#include "ops/batch_norm.h"
#include "ops/layers/normalization.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/state.h"
#include "tests/golden/golden_case_check.h"

namespace staticflow {
namespace {

std::string NameOf(Output output) { return output.valid() ? output.name() : "-"; }
std::string NameOf(const Node* node) { return node == nullptr ? "-" : node->name(); }

// One line: name, statistics, input, output, moving variables, reduced dimensions, updates.
std::string Describe(const BatchNormLayer& layer) {
  std::string out = absl::StrCat(layer.name, layer.fused ? " fused " : " ");
  if (layer.statistics == BatchNormStatistics::kBatch) absl::StrAppend(&out, "batch");
  if (layer.statistics == BatchNormStatistics::kMoving) absl::StrAppend(&out, "moving");
  if (layer.statistics == BatchNormStatistics::kDecided) {
    absl::StrAppend(&out, NameOf(layer.predicate), layer.batch_when ? "" : " false");
  }
  absl::StrAppend(&out, " ", NameOf(layer.input), " -> ", NameOf(layer.output), " ", NameOf(layer.moving_mean), " ",
                  NameOf(layer.moving_variance), " [");
  for (int axis : layer.axes) absl::StrAppend(&out, axis);
  absl::StrAppend(&out, "] eps ", layer.epsilon);
  for (const BatchNormUpdate& update : layer.updates) {
    absl::StrAppend(&out, update.is_variance ? " v:" : " m:", update.momentum.value_or(-1));
  }
  return out;
}

std::vector<std::string> DescribeAll(const Graph& g) {
  std::vector<std::string> lines;
  for (const BatchNormLayer& layer : FindBatchNormLayers(g)) lines.push_back(Describe(layer));
  return lines;
}

struct ModelRow {
  const char* file;
  int layers;
  const char* first;
};

TEST(BatchNormLayersTest, OfModelsThatTensorFlowWrote) {
  const ModelRow rows[] = {
      {"nn_relu_bn_ref", 3,
       "batch_normalization is_training:0 MatMul:0 -> batch_normalization/batchnorm/add_1:0 "
       "batch_normalization/moving_mean batch_normalization/moving_variance [0] eps 0.001 m:0.99 v:0.99"},
      {"nn_sigmoid_bn_resource", 3,
       "batch_normalization is_training:0 MatMul:0 -> batch_normalization/batchnorm/add_1:0 "
       "batch_normalization/moving_mean batch_normalization/moving_variance [0] eps 0.001 m:0.99 v:0.99"},
      {"nn_lowlevel_bn_ref", 3,
       "cond is_training:0 MatMul:0 -> cond/Merge:0 Variable_3 Variable_4 [0] eps 0.001 m:0.99 v:0.99"},
      {"convnet4_lowlevel_bn_ref", 5,
       "cond is_training:0 Conv2D:0 -> cond/Merge:0 Variable_3 Variable_4 [012] eps 0.001 m:0.99 v:0.99"},
      {"convnet6_bn_adam_ref", 7,
       "batch_normalization fused is_training:0 conv2d/Conv2D:0 -> batch_normalization/cond/Merge:0 "
       "batch_normalization/moving_mean batch_normalization/moving_variance [012] eps 0.001 m:0.99 v:0.99"},
      {"keras_conv7_bn", 1,
       "bn0 fused keras_learning_phase:0 conv0/BiasAdd:0 -> bn0/cond/Merge:0 bn0/moving_mean bn0/moving_variance [012] "
       "eps 0.001 m:0.99 v:0.99"},
      {"keras_dense_bn", 1,
       "batch_normalization keras_learning_phase:0 dense/BiasAdd:0 -> batch_normalization/batchnorm/add_1:0 "
       "batch_normalization/moving_mean batch_normalization/moving_variance [0] eps 0.001 m:0.99 v:0.99"},
      {"nn_relu_plain_ref", 0, ""},
      {"inference_meta_ref", 0, ""},
  };
  for (const ModelRow& row : rows) {
    SCOPED_TRACE(row.file);
    const absl::StatusOr<std::string> bytes = GoldenMetaGraph(absl::StrCat("tests/golden/models/", row.file, ".pb"));
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    if (bytes->empty()) continue;
    Graph g;
    ASSERT_TRUE(ImportMetaGraph(*bytes, g).ok());
    const std::vector<std::string> lines = DescribeAll(g);
    EXPECT_EQ(lines.size(), row.layers);
    if (!lines.empty()) {
      EXPECT_EQ(lines[0], row.first);
    }
  }
}

// What the programs below build on: a batch [6,4], and variables of a layer.
struct Parts {
  explicit Parts(Graph& g)
      : x(Placeholder(g, {.dtype = DT_FLOAT, .shape = {6, 4}, .name = "x"})),
        training(PlaceholderWithDefault(g, false, {.name = "training"})),
        mean(Make(g, "mean", false)),
        variance(Make(g, "variance", false)),
        gamma(Make(g, "gamma", true)),
        beta(Make(g, "beta", true)) {}
  static Variable Make(Graph& g, const char* name, bool trainable) {
    return staticflow::NewVariable(g, Tensor::Vector<float>({1, 1, 1, 1}), {.name = name, .trainable = trainable});
  }

  Output x, training;
  Variable mean, variance, gamma, beta;
};

struct FormRow {
  const char* name;
  Output (*build)(Graph& g, const Parts& p);
  std::vector<std::string> want;
};

Output HandWritten(Graph&, const Parts& p) {
  const MomentsResult m = Moments(p.x, {0});
  return p.gamma.snapshot * (p.x - m.mean) / Sqrt(m.variance + 1e-3) + p.beta.snapshot;
}

TEST(BatchNormLayersTest, OfFormsThatPeopleWrite) {
  const FormRow rows[] = {
      {"hard-wired to training",
       [](Graph&, const Parts& p) {
         const MomentsResult m = Moments(p.x, {0});
         return BatchNormalization(p.x, m.mean, m.variance, p.beta.snapshot, p.gamma.snapshot, 0.25);
       },
       {"batchnorm/add_1 batch x:0 -> batchnorm/add_1:0 - - [0] eps 0.25"}},
      {"hard-wired to inference, without beta",
       [](Graph&, const Parts& p) {
         return BatchNormalization(p.x, p.mean.snapshot, p.variance.snapshot, Output(), p.gamma.snapshot, 0.25);
       },
       {"batchnorm/add_1 moving x:0 -> batchnorm/add_1:0 mean variance [0] eps 0.25"}},
      {"without gamma and epsilon",
       [](Graph&, const Parts& p) { return (p.x - p.mean.snapshot) * Rsqrt(p.variance.snapshot) + p.beta.snapshot; },
       {"add moving x:0 -> add:0 mean variance [0] eps 0"}},
      {"a division by the root, the variance from squares",
       [](Graph&, const Parts& p) {
         const Output mean = Mean(p.x, {0}), variance = Mean(Square(p.x), {0}) - Square(mean);
         return (p.x - mean) / Sqrt(variance + 0.5) * p.gamma.snapshot + p.beta.snapshot;
       },
       {"add_1 batch x:0 -> add_1:0 - - [0] eps 0.5"}},
      {"a Select, and updates by Assign",
       [](Graph&, const Parts& p) {
         const MomentsResult m = Moments(p.x, {0});
         Assign(p.mean.ref(), p.mean.snapshot * 0.75 + m.mean * 0.25);
         Assign(p.variance.ref(), p.variance.snapshot * 0.75 + m.variance * 0.25);
         const Output use_moving = LogicalNot(p.training);
         const auto choose = [&](Output moving, Output batch) { return Select(use_moving, moving, batch); };
         return (p.x - choose(p.mean.snapshot, m.mean)) * Rsqrt(choose(p.variance.snapshot, m.variance) + 0.5);
       },
       {"mul_4 LogicalNot:0 false x:0 -> mul_4:0 mean variance [0] eps 0.5 m:0.75 v:0.75"}},
      {"an inlined If: a variable enters its branch as a reference",
       [](Graph&, const Parts& p) {
         const MomentsResult m = Moments(p.x, {0});
         const auto choose = [&](Output batch, Output moving) {
           const Output taken = Identity(Switch(batch, p.training).output_true);
           const Output other = Identity(Switch(moving, p.training).output_false);
           return Merge({other, taken}).output;
         };
         return BatchNormalization(p.x, choose(m.mean, p.mean.ref()), choose(m.variance, p.variance.ref()),
                                   p.beta.snapshot, p.gamma.snapshot, 0.25);
       },
       {"batchnorm/add_1 training:0 x:0 -> batchnorm/add_1:0 mean variance [0] eps 0.25"}},
      {"our layer, applied twice with the same variables",
       [](Graph& g, const Parts& p) {
         const Output y = layers::BatchNormalization(
             g, p.x, {.momentum = 0.5, .training = true, .name = "bn", .reuse = Reuse::kAutoReuse});
         return layers::BatchNormalization(
             g, y, {.momentum = 0.5, .training = true, .name = "bn", .reuse = Reuse::kAutoReuse});
       },
       {"bn batch x:0 -> bn/batchnorm/add_1:0 bn/moving_mean bn/moving_variance [0] eps 0.001 m:0.5 v:0.5",
        "bn batch bn/batchnorm/add_1:0 -> bn_1/batchnorm/add_1:0 bn/moving_mean bn/moving_variance [0] eps 0.001 "
        "m:0.5 v:0.5"}},
      {"fused, frozen",
       [](Graph& g, const Parts& p) {
         const Output picture = Reshape(p.x, std::vector<int64_t>{1, 2, 3, 4});
         const Output ones = Const(g, Tensor::Vector<float>({1, 1, 1, 1}));
         return FusedBatchNorm(picture, ones, ones, ones, ones, {.epsilon = 0.5f, .is_training = false}).y;
       },
       {"FusedBatchNormV3 fused moving Reshape:0 -> FusedBatchNormV3:0 - - [012] eps 0.5"}},
      {"layer normalization",
       [](Graph&, const Parts& p) {
         const MomentsResult m = Moments(p.x, {1}, {.keep_dims = true});
         return BatchNormalization(p.x, m.mean, m.variance, p.beta.snapshot, p.gamma.snapshot, 0.25);
       },
       {}},
      {"a root of something else", [](Graph&, const Parts& p) { return (p.x - 1.0) * Rsqrt(Square(p.x) + 1.0); }, {}},
  };
  for (const FormRow& row : rows) {
    SCOPED_TRACE(row.name);
    Graph g;
    const Parts parts(g);
    const Output y = row.build(g, parts);
    Gradients({Sum(y)}, {parts.x});  // what differentiation adds is no layer
    ASSERT_TRUE(g.status().ok()) << g.status();
    EXPECT_EQ(DescribeAll(g), row.want);
  }
}

// A layer without variables has the name of the scope of its nodes, which may be too long to stand in a string's own
// bytes.
TEST(BatchNormLayersTest, TakesItsNameFromNodesWhereThereAreNoVariables) {
  for (const std::string scope : {"written", "a_scope_with_quite_a_long_name/inside_of_another_one"}) {
    Graph g;
    const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {6, 4}, .name = "x"});
    {
      const NameScope in(g, scope);
      const MomentsResult m = Moments(x, {0});
      BatchNormalization(x, m.mean, m.variance, Output(), Output(), 1e-3);
    }
    const std::vector<BatchNormLayer> layers = FindBatchNormLayers(g);
    ASSERT_EQ(layers.size(), 1u);
    EXPECT_EQ(layers[0].name, scope);
  }
}

TEST(BatchNormLayersTest, TheHandWrittenFormHasItsParts) {
  Graph g;
  const Parts parts(g);
  const Output y = HandWritten(g, parts);
  const std::vector<BatchNormLayer> layers = FindBatchNormLayers(g);
  ASSERT_EQ(layers.size(), 1);
  EXPECT_EQ(layers[0].output, y);
  EXPECT_EQ(layers[0].gamma, parts.gamma.snapshot);
  EXPECT_EQ(layers[0].beta, parts.beta.snapshot);
  EXPECT_EQ(layers[0].channel_axis(), 1);
  EXPECT_EQ(layers[0].elements_per_channel(), 6);
}

// The gradient of gamma is dy / sqrt(variance) times (x - mean): it looks like a layer with dy in the place of gamma.
TEST(BatchNormLayersTest, TheGradientOfAScaleIsNoLayer) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {6, 4}, .name = "x"});
  const Variable gamma = NewVariable(g, Tensor::Vector<float>({1, 2, 3, 4}), {.name = "gamma"});
  const MomentsResult m = Moments(x, {0});
  const Output y = gamma.snapshot * (x - m.mean) / Sqrt(m.variance + 1e-3);
  ASSERT_EQ(Gradients({Sum(Square(y))}, {gamma.snapshot, x}).size(), 2u);
  const std::vector<BatchNormLayer> layers = FindBatchNormLayers(g);
  ASSERT_EQ(layers.size(), 1);
  EXPECT_EQ(layers[0].output, y);
  EXPECT_EQ(layers[0].gamma, gamma.snapshot);
}

}  // namespace
}  // namespace staticflow
