// Scalers, the model summary, architectures and whole models as files.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "ops/train/architecture.h"
#include "ops/train/model_summary.h"
#include "ops/train/scaler.h"
#include "runtime/io/fault_env.h"
#include "staticflow.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using testing::AllOf;
using testing::DoubleEq;
using testing::ElementsAre;
using testing::HasSubstr;
using train::Scaler;

// ---- Scaler ----

TEST(Scaler, StandardScalingKeepsConstantFeatures) {
  const Tensor rows = M({{1, 5, -2}, {3, 5, 0}, {5, 5, 8}});
  const absl::StatusOr<Scaler> scaler = Scaler::FitStandard(rows);
  ASSERT_TRUE(scaler.ok()) << scaler.status();
  EXPECT_EQ(scaler->samples(), 3);
  EXPECT_THAT(scaler->mean(), ElementsAre(3, 5, 2));
  EXPECT_THAT(scaler->variance(), ElementsAre(DoubleEq(8.0 / 3), 0, DoubleEq(56.0 / 3)));
  EXPECT_THAT(scaler->scale(), ElementsAre(DoubleEq(std::sqrt(8.0 / 3)), 1, DoubleEq(std::sqrt(56.0 / 3))));
  const float a = static_cast<float>(2 / std::sqrt(8.0 / 3)), b = static_cast<float>(std::sqrt(3 / 56.0));
  const Tensor scaled = *scaler->Transform(rows);
  EXPECT_TRUE(TensorsNear(scaled, M({{-a, 0, -4 * b}, {0, 0, -2 * b}, {a, 0, 6 * b}}), 1e-6));
  EXPECT_TRUE(TensorsNear(*scaler->InverseTransform(scaled), rows, 1e-6));
  // As nodes, with the numbers as variables that a checkpoint covers.
  Graph g;
  const Output x = Placeholder(g, {.shape = {-1, 3}});
  const Output y = scaler->Apply(g, x);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  EXPECT_TRUE(TensorsNear(*session.Run({{x, rows}}, y), scaled, 1e-6));
  ASSERT_EQ(g.variables(kGlobalVariables).size(), 2u);
  EXPECT_EQ(g.variables(kGlobalVariables)[0]->name(), "scaler/offset");
  EXPECT_TRUE(g.variables(kTrainableVariables).empty());
}

TEST(Scaler, OtherScalingsAndTypes) {
  const Tensor bytes = T<uint8_t>({2, 2}, {0, 7, 200, 7});
  EXPECT_TRUE(TensorsNear(*Scaler::FitMinMax(bytes)->Transform(bytes), M({{0, 0}, {1, 0}}), 1e-6));
  EXPECT_TRUE(
      TensorsNear(*Scaler::FitMinMax(bytes, {.min = -1, .max = 3})->Transform(bytes), M({{-1, -1}, {3, -1}}), 1e-6));
  EXPECT_TRUE(
      TensorsNear(*Scaler::FitStandard(bytes, {.with_std = false})->Transform(bytes), M({{-100, 0}, {100, 0}}), 1e-6));
  EXPECT_TRUE(
      TensorsNear(*Scaler::FitStandard(bytes, {.with_mean = false})->Transform(bytes), M({{0, 7}, {2, 7}}), 1e-6));
  const Tensor numbers = M<double>({{1e9 + 1}, {1e9 + 2}});
  EXPECT_TRUE(BitwiseEqual(*Scaler::FitStandard(numbers)->Transform(numbers), M<double>({{-1}, {1}})));
  const DataSet data = *DataSet::Create({bytes, T({1, 2})});
  EXPECT_TRUE(TensorsNear((*Scaler::FitMinMax(bytes)->Transform(data)->AllRows())[0], M({{0, 0}, {1, 0}}), 1e-6));
}

TEST(Scaler, IsSavedAndLoaded) {
  FaultEnv env;
  const Tensor rows = T({3, 2, 1}, {1, 2, 3, 4, 5, 7});
  const Scaler scaler = *Scaler::FitStandard(rows);
  ASSERT_TRUE(scaler.Save(&env, "model/scaler").ok());
  const absl::StatusOr<Scaler> loaded = Scaler::Load(&env, "model/scaler");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(BitwiseEqual(*scaler.Transform(rows), *loaded->Transform(rows)));
  EXPECT_EQ(loaded->samples(), 3);
  EXPECT_EQ(Scaler::Load(&env, "model/none").status().code(), absl::StatusCode::kNotFound);
  BundleWriter other(&env, "model/other");
  for (const char* name : {"offset", "scale", "mean", "variance", "samples"}) ASSERT_TRUE(other.Add(name, T({1})).ok());
  ASSERT_TRUE(other.Finish().ok());
  EXPECT_THAT(std::string(Scaler::Load(&env, "model/other").status().message()), HasSubstr("no scaler's checkpoint"));
}

TEST(Scaler, SaysWhatIsWrong) {
  EXPECT_THAT(std::string(Scaler::FitStandard(T({0, 3}, {})).status().message()), HasSubstr("no rows"));
  EXPECT_THAT(std::string(Scaler::FitStandard(Tensor(1.0f)).status().message()), HasSubstr("no rows"));
  EXPECT_THAT(std::string(Scaler::FitMinMax(T<bool>({true})).status().message()), HasSubstr("the rows are bool"));
  EXPECT_THAT(std::string(Scaler::FitMinMax(M({{1, 2}, {3, NAN}})).status().message()),
              HasSubstr("feature 1 of row 1 is nan"));
  EXPECT_THAT(std::string(Scaler::FitMinMax(T({1}), {.min = 1, .max = 1}).status().message()), HasSubstr("min < max"));
  const Scaler scaler = *Scaler::FitStandard(M({{1, 2}}));
  EXPECT_THAT(std::string(scaler.Transform(M({{1, 2, 3}})).status().message()),
              HasSubstr("expected some of shape [2]"));
  EXPECT_FALSE(scaler.Transform(*DataSet::Create({M({{1, 2}})}), 1).ok());
}

// ---- The notebook's network ----

struct Net {
  explicit Net(Graph& g) {
    x = Placeholder(g, {.shape = {-1, 784}, .name = "input"});
    training = Placeholder(g, {.dtype = DT_BOOL, .shape = {}, .name = "training"});
    Output h = x;
    for (int i = 0; i < 3; ++i) {
      h = layers::Dense(g, h, {.units = 100, .kernel_initializer = initializers::Orthogonal({.seed = 100})});
      h = layers::BatchNormalization(g, h, {.axis = {-1}, .training = training});
      h = Tanh(h, {.name = "activation"});
    }
    logits = layers::Dense(g, h, {.units = 10});
  }
  Output x, training, logits;
};

TEST(ModelSummary, CountsAsKeras) {
  Graph g;
  const Net net(g);
  train::Adam(g).Minimize(Mean(net.logits));
  const std::string text = train::ModelSummary({.inputs = {net.x}, .output = net.logits, .title = "kerasmodel1"});
  const std::string line(65, '_');
  EXPECT_THAT(text, testing::StartsWith(absl::StrCat(
                        "Model: \"kerasmodel1\"\n", line,
                        "\nLayer (type)                 Output Shape              Param #   \n", std::string(65, '='),
                        "\ninput (Placeholder)          (None, 784)               0         \n", line,
                        "\ndense (Dense)                (None, 100)               78500     \n", line,
                        "\nbatch_normalization (BatchNo (None, 100)               400       \n", line,
                        "\nactivation (Tanh)            (None, 100)               0         \n", line,
                        "\ndense_1 (Dense)              (None, 100)               10100     \n")));
  EXPECT_THAT(text, HasSubstr("\nTotal params: 100,910\nTrainable params: 100,310\nNon-trainable params: 600\n"));
  EXPECT_EQ(train::SummarizeLayers({.inputs = {net.x}, .output = net.logits}).size(), 11u);
  EXPECT_TRUE(train::SummarizeLayers({}).empty());
}

TEST(ModelSummary, ScopesBareVariablesSharedAndFrozenLayers) {
  Graph g;
  const Output x = Placeholder(g, {.shape = {-1, 8, 8, 1}, .name = "x"});
  Output h;
  {
    const VariableScope block(g, "block");
    h = layers::Conv2D(g, x, {.filters = 2, .kernel_size = 3, .trainable = false});
    h = layers::MaxPooling2D(g, h, {.pool_size = 2, .strides = 2});
    h = layers::Dense(g, layers::Flatten(g, h), {.units = 5, .name = "fc"});
    h = layers::Dense(g, h, {.units = 5, .name = "fc2"});
    h = layers::Dense(g, h, {.units = 5, .name = "fc2", .reuse = Reuse::kReuse});
  }
  const Variable w = NewVariable(g, M({{1}, {2}, {3}, {4}, {5}}));
  h = MatMul(h, w.snapshot, {.name = "head"});
  ASSERT_TRUE(g.status().ok()) << g.status();
  std::vector<std::string> rows;
  for (const train::LayerSummary& layer : train::SummarizeLayers({.inputs = {x}, .output = h})) {
    rows.push_back(absl::StrCat(layer.name, " ", layer.type, " ", layer.output_shape.ToString(), " ", layer.trainable,
                                " ", layer.non_trainable));
  }
  EXPECT_THAT(rows, ElementsAre("x Placeholder [?,8,8,1] 0 0", "block/conv2d Conv2D [?,6,6,2] 0 20",
                                "block/max_pooling2d MaxPooling2D [?,3,3,2] 0 0", "block/flatten Flatten [?,18] 0 0",
                                "block/fc Dense [?,5] 95 0", "block/fc2 Dense [?,5] 30 0",
                                "block/fc2_1 Dense [?,5] 0 0", "head MatMul [?,1] 5 0"));
}

// ---- Files ----

TEST(Architecture, IsRebuiltFromEveryFormWithWeightsLoaded) {
  FaultEnv env;
  Graph g;
  const Net net(g);
  train::Saver saver(g);
  Session session(g, {.threads = 1, .env = &env});
  ASSERT_TRUE(session.Initialize().ok());
  const absl::StatusOr<std::string> weights = saver.Save(session, "out/model.ckpt", {.write_meta_graph = false});
  ASSERT_TRUE(weights.ok()) << weights.status();
  const Tensor images = *Tensor::Create(DT_FLOAT, {3, 784});
  const Tensor want = *session.Run({{net.x, images}, {net.training, false}}, net.logits);
  const train::NamedTensors tensors = {{"input", net.x}, {"training", net.training}, {"logits", net.logits}};
  for (const char* path : {"out/model.json", "out/model.pbtxt", "out/model.pb"}) {
    ASSERT_TRUE(train::SaveArchitecture(&env, g, path, tensors).ok()) << path;
    const std::string bytes = *ReadWholeFile(&env, path);
    ASSERT_TRUE(train::SaveArchitecture(&env, g, path, tensors).ok()) << path;
    EXPECT_EQ(*ReadWholeFile(&env, path), bytes) << path;
    Graph rebuilt;
    absl::StatusOr<train::Architecture> model = train::LoadArchitecture(&env, path, rebuilt);
    ASSERT_TRUE(model.ok()) << model.status();
    train::Saver loader(rebuilt, {.name = "load"});
    Session fresh(rebuilt, {.threads = 1, .env = &env});
    ASSERT_TRUE(loader.Restore(fresh, *weights).ok()) << path;
    const absl::StatusOr<Tensor> got =
        fresh.Run({{model->tensors["input"], images}, {model->tensors["training"], false}}, model->tensors["logits"]);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(BitwiseEqual(*got, want)) << path;
    EXPECT_EQ(rebuilt.variables(kTrainableVariables).size(), 14u);
    EXPECT_EQ(rebuilt.collection(kUpdateOps).size(), 6u);
    EXPECT_EQ(train::ModelSummary({.inputs = {model->tensors["input"]}, .output = model->tensors["logits"]}),
              train::ModelSummary({.inputs = {net.x}, .output = net.logits}));
  }
  EXPECT_THAT(*ReadWholeFile(&env, "out/model.json"), AllOf(HasSubstr("\"graph_def\""), HasSubstr("dense_1/kernel")));

  ASSERT_TRUE(train::SaveModel(session, saver, "out/whole.ckpt", tensors).ok());
  absl::StatusOr<train::LoadedModel> loaded = train::LoadModel("out/whole.ckpt", {.threads = 1, .env = &env});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(
      BitwiseEqual(*loaded->session->Run({{loaded->tensors["input"], images}, {loaded->tensors["training"], false}},
                                         loaded->tensors["logits"]),
                   want));
}

TEST(Architecture, FilesFromStrangersAreErrors) {
  FaultEnv env;
  for (const auto& [path, bytes] :
       {std::pair("a.json", "{\"graph_def\": {\"node\": [{\"op\": 3}]}}"), std::pair("b.json", "{"),
        std::pair("c.pbtxt", "graph_def { node"), std::pair("d.pb", "\xff\xff"),
        std::pair("e.json", "{\"signature_def\": {\"tensors\": {\"outputs\": {\"x\": {\"name\": \"gone:0\"}}}}}"),
        std::pair("f.json", "{\"graph_def\": {\"node\": [{\"name\": \"a\", \"op\": \"NoSuchOp\"}]}}")}) {
    ASSERT_TRUE(WriteWholeFile(&env, path, bytes).ok());
    Graph g;
    const absl::Status status = train::LoadArchitecture(&env, path, g).status();
    EXPECT_FALSE(status.ok()) << path;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  }
  Graph g, other;
  const Output x = Placeholder(g, {.name = "x"});
  EXPECT_FALSE(train::SaveArchitecture(&env, other, "x.json", {{"x", x}}).ok());
  EXPECT_EQ(train::LoadModel("nowhere", {.env = &env}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace staticflow
