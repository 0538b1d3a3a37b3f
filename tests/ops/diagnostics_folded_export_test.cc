// ExportFolded: the folded graph gives what the original gave, and has no batch normalization left where it can go.
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "graph/graph_def.h"
#include "graph/meta_graph.h"
#include "ops/analysis/batch_norm_layers.h"
#include "ops/array.h"
#include "ops/batch_norm.h"
#include "ops/control_flow.h"
#include "ops/conv.h"
#include "ops/diagnostics/checkpoint_copy.h"
#include "ops/diagnostics/folded_export.h"
#include "ops/diagnostics/saved_model.h"
#include "ops/initializers.h"
#include "ops/layers/convolutional.h"
#include "ops/layers/core.h"
#include "ops/layers/normalization.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/state.h"
#include "runtime/io/env.h"
#include "runtime/resource_store.h"
#include "tests/golden/golden_case_check.h"

namespace staticflow {
namespace {

Tensor Noise(const Shape& shape, int seed) {
  Tensor tensor = Tensor::Create(DT_FLOAT, shape).value();
  uint64_t bits = 88172645463325252u + static_cast<uint64_t>(seed) * 7919;
  for (float& value : tensor.flat<float>()) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<float>(static_cast<double>(bits >> 40) / (1 << 23) - 1);
  }
  return tensor;
}

// Statistics and weights that are not the initial zeros and ones.
void Scramble(Session& session, const Graph& g) {
  ASSERT_TRUE(session.Initialize().ok());
  int seed = 1;
  for (const Variable& variable : g.variables()) {
    VariableSlot* slot = session.resources().FindVariable(variable.name());
    if (variable.dtype != DT_FLOAT) continue;
    const Tensor noise = Noise(variable.shape, ++seed);
    for (int64_t i = 0; i < noise.num_elements(); ++i) slot->value.data<float>()[i] += 0.5f * noise.flat<float>()[i];
  }
}

std::map<std::string, int> Count(const Graph& g) {
  std::map<std::string, int> counts;
  for (const auto& node : g.nodes()) ++counts[node->type()];
  return counts;
}

struct Row {
  const char* name;
  Shape sample;
  Output (*build)(Graph& g, Output x, Output training);
  const char* gone;    // an op that the export must not have
  int folded;          // at least so many nodes
  bool proven = true;  // that no example meets another one
};

layers::BatchNormalizationOptions Bn(Output training) { return {.training = training}; }

// What a picture network does with its channels in dimension 1.
Output ChannelsFirst(Graph& g, Output x, Output training, bool fused) {
  const Output h = layers::Conv2D(g, x,
                                  {.filters = 4,
                                   .kernel_size = 3,
                                   .padding = "same",
                                   .data_format = "channels_first",
                                   .bias_initializer = initializers::Constant(0.5)});
  return Relu(layers::BatchNormalization(g, h, {.axis = {1}, .training = training, .fused = fused}));
}

const Row kRows[] = {
    {"after a dense layer with a bias",
     {9, 5},
     [](Graph& g, Output x, Output training) {
       return Relu(layers::BatchNormalization(g, layers::Dense(g, x, {.units = 4}), Bn(training)));
     },
     "Mul",
     1},
    {"after a convolution, fused",
     {3, 6, 6, 2},
     [](Graph& g, Output x, Output training) {
       const Output h = layers::Conv2D(g, x, {.filters = 4, .kernel_size = 3, .padding = "same"});
       return Relu(layers::BatchNormalization(g, h, Bn(training)));
     },
     "FusedBatchNormV3",
     1},
    {"before a dense layer",
     {9, 5},
     [](Graph& g, Output x, Output training) {
       const Output h = layers::BatchNormalization(g, Relu(x), Bn(training));
       return layers::Dense(g, h, {.units = 4});
     },
     "Mul",
     1},
    {"before a convolution without padding",
     {3, 6, 6, 2},
     [](Graph& g, Output x, Output training) {
       const Output h = layers::BatchNormalization(g, Relu(x), Bn(training));
       return layers::Conv2D(g, h, {.filters = 4, .kernel_size = 3});
     },
     "FusedBatchNormV3",
     1},
    {"before a convolution that pads: only a scale would be exact",
     {3, 6, 6, 2},
     [](Graph& g, Output x, Output training) {
       const Output h = layers::BatchNormalization(g, Relu(x), Bn(training));
       return layers::Conv2D(g, h, {.filters = 4, .kernel_size = 3, .padding = "same"});
     },
     "Switch",
     0},
    {"before a reshape that flattens",
     {3, 4, 4, 2},
     [](Graph& g, Output x, Output training) {
       const Output h = layers::BatchNormalization(g, Relu(x), Bn(training));
       return layers::Dense(g, Reshape(h, std::vector<int64_t>{-1, 32}), {.units = 3});
     },
     "FusedBatchNormV3",
     1},
    {"after a reshape to a picture",
     {3, 5},
     [](Graph& g, Output x, Output training) {
       const Output h = layers::Dense(g, x, {.units = 12, .use_bias = false});
       return layers::BatchNormalization(g, Reshape(h, std::vector<int64_t>{-1, 2, 2, 3}), Bn(training));
     },
     "FusedBatchNormV3",
     1},
    {"after a bias and a reshape to a picture",
     {3, 5},
     [](Graph& g, Output x, Output training) {
       const Output h = layers::Dense(g, x, {.units = 12, .bias_initializer = initializers::Constant(0.5)});
       return layers::BatchNormalization(g, Reshape(h, std::vector<int64_t>{-1, 2, 2, 3}), Bn(training));
     },
     "FusedBatchNormV3",
     1},
    {"after a depthwise convolution, with a bias between",
     {3, 6, 6, 2},
     [](Graph& g, Output x, Output training) {
       const Variable w = NewVariable(g, Noise({3, 3, 2, 2}, 5));
       const Output h = DepthwiseConv2dNative(x, w.snapshot, {.strides = {1, 1, 1, 1}, .padding = "SAME"});
       return layers::BatchNormalization(g, BiasAdd(h, Const(g, Tensor::Vector<float>({1, 2, 3, 4}))), Bn(training));
     },
     "FusedBatchNormV3",
     1},
    {"before a depthwise convolution without padding",
     {3, 6, 6, 2},
     [](Graph& g, Output x, Output training) {
       const Variable w = NewVariable(g, Noise({3, 3, 2, 2}, 5));
       const Output h = layers::BatchNormalization(g, Relu(x), Bn(training));
       return DepthwiseConv2dNative(h, w.snapshot, {.strides = {1, 1, 1, 1}, .padding = "VALID"});
     },
     "FusedBatchNormV3",
     1},
    {"a read that waits for the input, as in an inlined function",
     {9, 5},
     [](Graph& g, Output x, Output) {
       const Variable w = NewVariable(g, Noise({5, 4}, 5)), scale = NewVariable(g, Noise({4}, 6));
       const ControlDependencies after(g, {Operation(x)});
       return Mul(MatMul(x, Identity(w.ref())), Identity(scale.ref()));
     },
     "Mul",
     1},
    {"behind the IdentityN of an inlined call",
     {3, 6, 6, 2},
     [](Graph& g, Output x, Output training) {
       const Output bn = layers::BatchNormalization(g, Relu(x), Bn(training));
       const Output h = IdentityN({{x, bn}})[1];
       return layers::Conv2D(g, h, {.filters = 4, .kernel_size = 3});
     },
     "FusedBatchNormV3",
     1},
    {"after a transposed convolution",
     {3, 4, 4, 2},
     [](Graph& g, Output x, Output training) {
       const Variable w = NewVariable(g, Noise({3, 3, 3, 2}, 5));
       const Output h = Conv2DTranspose(x, w.snapshot, {3, 8, 8, 3}, {.strides = {1, 2, 2, 1}, .padding = "SAME"});
       return Tanh(layers::BatchNormalization(g, h, Bn(training)));
     },
     "FusedBatchNormV3",
     1,
     false},
    {"channels first, fused, after a convolution with a bias",
     {3, 2, 6, 5},
     [](Graph& g, Output x, Output training) { return ChannelsFirst(g, x, training, true); },
     "FusedBatchNormV3",
     1},
    {"channels first, of single ops",
     {3, 2, 6, 5},
     [](Graph& g, Output x, Output training) { return ChannelsFirst(g, x, training, false); },
     "Mul",
     1},
    {"channels first, before a convolution without padding",
     {3, 2, 6, 5},
     [](Graph& g, Output x, Output training) {
       const Output h = layers::BatchNormalization(g, Relu(x), {.axis = {1}, .training = training});
       return layers::Conv2D(g, h, {.filters = 4, .kernel_size = 3, .data_format = "channels_first"});
     },
     "FusedBatchNormV3",
     1},
    {"channels first, before a reshape that flattens",
     {3, 2, 4, 3},
     [](Graph& g, Output x, Output training) {
       const Output h = layers::BatchNormalization(g, Relu(x), {.axis = {1}, .training = training});
       return layers::Dense(g, Reshape(h, std::vector<int64_t>{-1, 24}), {.units = 3});
     },
     "FusedBatchNormV3",
     1},
    {"scales along the width are none of the channels', channels first",
     {3, 2, 4, 4},
     [](Graph& g, Output x, Output) {
       const Output h =
           layers::Conv2D(g, x, {.filters = 4, .kernel_size = 1, .data_format = "channels_first", .use_bias = false});
       return Mul(h, Const(g, Tensor::Vector<float>({1, 2, 3, 4})));
     },
     "Switch",
     0},
    {"scales of rows are none of the channels', channels last",
     {3, 4, 4, 2},
     [](Graph& g, Output x, Output) {
       const Output h = layers::Conv2D(g, x, {.filters = 4, .kernel_size = 1, .use_bias = false});
       return Mul(h, Reshape(Const(g, Tensor::Vector<float>({1, 2, 3, 4})), std::vector<int64_t>{4, 1, 1}));
     },
     "Switch",
     0},
    {"used twice: the product stays as it is",
     {9, 5},
     [](Graph& g, Output x, Output training) {
       const Output h = layers::Dense(g, x, {.units = 4, .use_bias = false});
       return Add(layers::BatchNormalization(g, h, Bn(training)), h);
     },
     "Switch",
     0},
    {"scales by scalars and constants of another width",
     {9, 4},
     [](Graph& g, Output x, Output) {
       const Output h = layers::Dense(g, x, {.units = 1, .use_bias = false});
       return Mul(h * 3.0 + 1.0, Const(g, Tensor::Vector<float>({1, 2, 3, 4})));
     },
     "Switch",
     1},
};

TEST(FoldedExportTest, GivesTheSameResults) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    Graph g;
    Shape shape = row.sample;
    shape.set_dim(0, -1);
    const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = shape, .name = "x"});
    const Output training = PlaceholderWithDefault(g, false, {.name = "training"});
    const Output y = Identity(row.build(g, x, training), {.name = "y"});
    ASSERT_TRUE(g.status().ok()) << g.status();
    Session session(g, {.threads = 1});
    Scramble(session, g);
    const FoldedExportOptions options = {
        .feeds = {x}, .fetches = {y}, .samples = {Noise(row.sample, 77)}, .tolerance = 1e-5};
    const absl::StatusOr<FoldedExport> result = ExportFolded(session, g, options);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_GE(static_cast<int>(result->folded.size()), row.folded);
    EXPECT_GT(result->largest_result, 0.01);
    EXPECT_EQ(result->examples, row.sample.dim(0));
    ASSERT_EQ(result->verdicts.size(), 1);
    EXPECT_EQ(result->verdicts[0].starts_with("y:0 independent"), row.proven) << result->verdicts[0];

    Graph folded;
    ASSERT_TRUE(ImportGraphDef(result->graph_def, folded).ok());
    std::map<std::string, int> counts = Count(folded);
    EXPECT_EQ(counts[row.gone], 0);
    for (const char* never : {"VariableV2", "VarHandleOp", "Merge", "Switch", "Assign", "PlaceholderWithDefault"}) {
      EXPECT_EQ(counts[never], 0) << never;
    }
    EXPECT_NE(folded.FindNode("y"), nullptr);
    EXPECT_NE(folded.FindNode("export_report")->attr<Tensor>("value").scalar<std::string>().find("largest error"),
              std::string::npos);
    // Frozen but not folded, it is the same computation.
    FoldedExportOptions plain = options;
    plain.fold = false;
    plain.tolerance = 1e-6;
    EXPECT_TRUE(ExportFolded(session, g, plain).ok());
  }
}

TEST(FoldedExportTest, RefusesAGraphThatPredictsFromItsBatch) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 3}, .name = "x"});
  Output h = layers::BatchNormalization(g, x, {.training = false});
  h = layers::BatchNormalization(g, h, {.training = true, .name = "always"});
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  FoldedExportOptions options = {.feeds = {x}, .fetches = {h}, .samples = {Noise({4, 3}, 1)}};
  const absl::Status status = ExportFolded(session, g, options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("in always:"), std::string::npos) << status;
  options.samples.clear();
  EXPECT_EQ(ExportFolded(session, g, options).status().code(), absl::StatusCode::kInvalidArgument);
  const Variable v = NewVariable(g, Tensor::Vector<float>({1, 2, 3}), {.name = "v"});
  Output read;
  {
    const ControlDependencies after(g, {Operation(AssignAdd(v.ref(), Const(g, Tensor::Vector<float>({1, 1, 1}))))});
    read = Add(x, Identity(v.ref()));  // what it reads, it changes
  }
  ASSERT_TRUE(session.Initialize().ok());
  EXPECT_EQ(ExportFolded(session, g, {.feeds = {x}, .fetches = {read}, .samples = {Noise({4, 3}, 1)}}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(session.Initialize().ok());
  const Output written = Add(x, AssignAdd(v.ref(), Const(g, Tensor::Vector<float>({1, 1, 1}))));
  EXPECT_EQ(
      ExportFolded(session, g, {.feeds = {x}, .fetches = {written}, .samples = {Noise({4, 3}, 1)}}).status().code(),
      absl::StatusCode::kFailedPrecondition);
}

// What is NaN before is NaN afterwards; the report says so rather than "largest error 0".
TEST(FoldedExportTest, CountsWhatIsNoNumber) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 3}, .name = "x"});
  const Variable variance = NewVariable(g, Tensor::Vector<float>({-1, 1, 1}), {.name = "variance"});
  const Variable mean = NewVariable(g, Tensor::Vector<float>({0, 0, 0}), {.name = "mean"});
  const Output y = BatchNormalization(x, mean.snapshot, variance.snapshot, Output(), Output(), 1e-3);
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  const absl::StatusOr<FoldedExport> folded =
      ExportFolded(session, g, {.feeds = {x}, .fetches = {y}, .samples = {Noise({4, 3}, 1)}});
  ASSERT_TRUE(folded.ok()) << folded.status();
  EXPECT_EQ(folded->not_finite, 4);
  EXPECT_GT(folded->largest_result, 0.1);
  EXPECT_LT(folded->largest_error, 1e-5);
  EXPECT_NE(folded->ToString().find("4 results are NaN or infinite, before folding as after"), std::string::npos);
}

// A branch that another placeholder decides is named by that, not by the Switch that it ends in.
TEST(FoldedExportTest, NamesWhatIsNotDecided) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 3}, .name = "x"});
  const Output use = Placeholder(g, {.dtype = DT_BOOL, .shape = {}, .name = "use"});
  const Output y = Cond(
      use,
      [&] {
        return Cond(
            use, [&] { return Relu(x); }, [&] { return Tanh(x); });
      },
      [&] { return Identity(x); });
  Session session(g, {.threads = 1});
  FoldedExportOptions options = {.feeds = {x}, .fetches = {y}, .samples = {Noise({4, 3}, 1)}};
  const absl::Status status = ExportFolded(session, g, options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("Placeholder 'use'"), std::string::npos) << status;
  EXPECT_NE(status.message().find("decides this branch, and is not known; give it a value"), std::string::npos);
  options.constants = {{use, true}};
  EXPECT_TRUE(ExportFolded(session, g, options).ok());
}

// The same graph in a folder that TensorFlow's loaders take.
TEST(FoldedExportTest, WritesASavedModel) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 5}, .name = "x"});
  const Output h = layers::BatchNormalization(g, layers::Dense(g, x, {.units = 4}), {.training = false});
  const Output y = Relu(h, {.name = "y"});
  Session session(g, {.threads = 1});
  Scramble(session, g);
  const std::string dir = testing::TempDir() + "/saved_model";
  const absl::StatusOr<FoldedExport> result =
      ExportFolded(session, g, {.feeds = {x}, .fetches = {y}, .samples = {Noise({6, 5}, 9)}, .saved_model_dir = dir});
  ASSERT_TRUE(result.ok()) << result.status();
  const absl::StatusOr<std::string> bytes = ReadWholeFile(PosixEnv(), dir + "/saved_model.pb");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  // Its graph is the exported one; the signature names x and y.
  EXPECT_NE(bytes->find("serving_default"), std::string::npos);
  EXPECT_NE(bytes->find("tensorflow/serving/predict"), std::string::npos);
  EXPECT_NE(bytes->find(result->graph_def), std::string::npos);
  EXPECT_NE(bytes->find("x:0"), std::string::npos);

  Graph folded;
  ASSERT_TRUE(ImportGraphDef(result->graph_def, folded).ok());
  const Output in = *folded.FindOutput("x"), out = *folded.FindOutput("y");
  EXPECT_TRUE(SavedModelBytes(folded, {.inputs = {{"x", in}}, .outputs = {{"y", out}}}).ok());
  const std::vector<SavedModelOptions> wrong = {{.inputs = {{"x", x}}, .outputs = {{"y", out}}},
                                                {.inputs = {{"x", Output()}}, .outputs = {{"y", out}}},
                                                {.inputs = {{"x", in}, {"x", in}}, .outputs = {{"y", out}}}};
  for (const SavedModelOptions& options : wrong) {
    EXPECT_EQ(SavedModelBytes(folded, options).status().code(), absl::StatusCode::kInvalidArgument);
  }
  const absl::Status variables = SavedModelBytes(g, {.inputs = {{"x", x}}, .outputs = {{"y", y}}}).status();
  EXPECT_NE(variables.message().find("is a variable; freeze the graph first"), std::string::npos) << variables;
}

struct Model {
  const char* file;
  const char* feed;
  const char* fetch;
};

// Training graphs that TensorFlow and Keras wrote, with their modes in conds.
TEST(FoldedExportTest, OfModelsThatTensorFlowWrote) {
  const Model models[] = {
      {"nn_relu_bn_ref", "input_layer", "Relu_2"},
      {"nn_sigmoid_bn_resource", "input_layer", "Sigmoid_2"},
      {"nn_lowlevel_bn_ref", "input_layer", "Relu_2"},
      {"convnet6_bn_adam_ref", "inputs", "Relu_6"},
      {"convnet4_lowlevel_bn_ref", "inputs", "Relu_4"},
      {"keras_conv7_bn", "conv0_input", "dense/Softmax"},
      {"keras_dense_bn", "flatten_input", "dense_1/Softmax"},
  };
  for (const Model& model : models) {
    SCOPED_TRACE(model.file);
    const absl::StatusOr<std::string> bytes = GoldenMetaGraph(absl::StrCat("tests/golden/models/", model.file, ".pb"));
    ASSERT_TRUE(bytes.ok());
    Graph g;
    ASSERT_TRUE(ImportMetaGraph(*bytes, g).ok());
    Session session(g, {.threads = 1});
    Scramble(session, g);
    const std::string checkpoint = testing::TempDir() + "/" + model.file;
    ASSERT_TRUE(CopyCheckpoint(session, "", checkpoint, {}).ok());
    const Output x = g.FindOutput(model.feed).value(), y = g.FindOutput(model.fetch).value();
    Shape shape = x.shape();
    shape.set_dim(0, 7);
    const std::string path = checkpoint + ".pb";
    const absl::StatusOr<FoldedExport> result = ExportFolded(session, g,
                                                             {.feeds = {x},
                                                              .fetches = {y},
                                                              .samples = {Noise(shape, 3)},
                                                              .tolerance = 1e-4,
                                                              .path = path,
                                                              .source_checkpoint = checkpoint});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(result->normalizing.empty());
    EXPECT_GE(result->folded.size(), result->layers);
    EXPECT_NE(result->fingerprint.find("crc32c 0x"), std::string::npos);
    Graph folded;
    ASSERT_TRUE(ImportGraphDef(ReadWholeFile(PosixEnv(), path).value(), folded).ok());
    EXPECT_TRUE(FindBatchNormLayers(folded).empty());
    EXPECT_EQ(Count(folded)["Rsqrt"], 0);
  }
}

}  // namespace
}  // namespace staticflow
