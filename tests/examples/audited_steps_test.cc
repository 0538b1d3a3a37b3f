// Ten training steps of each network of the examples, then a prediction, with the audits of the session on: those that
// are wired wrongly on purpose are named, of the others nothing is said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "examples/support/layered_network.h"
#include "examples/support/neural_net.h"
#include "examples/support/picture_networks.h"
#include "tests/examples/run_program.h"

namespace staticflow {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int kSteps = 10;
constexpr int64_t kBatch = 20;

Tensor Random(const Shape& shape, uint32_t state, float scale = 1) {
  Tensor x = *Tensor::Create(DT_FLOAT, shape);
  for (float& value : x.flat<float>()) {
    state = state * 1664525u + 1013904223u;
    value = scale * (static_cast<float>(state >> 8) / (1 << 24) - 0.5f);
  }
  return x;
}

Tensor OneHotLabels(int64_t n, int64_t classes) {
  Tensor labels = *Tensor::Create(DT_FLOAT, {n, classes});
  for (float& value : labels.flat<float>()) value = 0;
  for (int64_t i = 0; i < n; ++i) labels.flat<float>()[i * classes + i * 7 % classes] = 1;
  return labels;
}

// What a session said while `use` used it.
struct Told {
  SessionOptions Options() {
    return {.threads = 1, .warn = [this](absl::string_view line) { absl::StrAppend(&text, line, "\n"); }};
  }
  std::string text = {};
};

// ---- The lesson's networks ----

LessonData SmallData() {
  LessonData data;
  data.train = *DataSet::Create({Random({130, 784}, 1), OneHotLabels(130, 10)});
  data.validation_images = data.test_images = Random({20, 784}, 2);
  data.validation_labels = data.test_labels = OneHotLabels(20, 10);
  return data;
}

struct LessonRun {
  NetworkKind kind = NetworkKind::kDense;
  bool use_batch_norm = true;
  Implementation implementation = Implementation::kLayer;
  bool after_activation = false;
  bool run_update_ops = true;
  bool predict_as_training = false;
};
std::string ToldOf(const LessonRun& run) {
  const bool recurrent = run.kind == NetworkKind::kRecurrent;
  NeuralNetOptions options{.recurrent = recurrent,
                           .activation = recurrent ? layers::Activation(Tanh) : layers::Activation(Relu),
                           .use_batch_norm = run.use_batch_norm,
                           .implementation = run.implementation,
                           .normalize_after_activation = run.after_activation};
  const std::vector<int64_t> hidden = recurrent ? std::vector<int64_t>{6} : std::vector<int64_t>{6, 5};
  options.initial_weights = *DrawWeights(WeightShapes(run.kind, hidden), 0.05, 1);
  NeuralNet net(options);
  Told told;
  Session session(net.graph(), told.Options());
  EXPECT_TRUE(session.Initialize().ok());
  const LessonData data = SmallData();
  const absl::Status trained =
      net.Train(session, data, {.batches = kSteps, .batch_size = kBatch, .run_update_ops = run.run_update_ops})
          .status();
  EXPECT_TRUE(trained.ok()) << trained;
  const absl::Status tested =
      TestNetwork(session, net.graph(), net.tensors(), data, {.is_training = run.predict_as_training, .singles = 2})
          .status();
  EXPECT_TRUE(tested.ok()) << tested;
  return told.text;
}

TEST(AuditedSteps, SilentAboutTheLessonsNetworks) {
  for (const NetworkKind kind : {NetworkKind::kDense, NetworkKind::kConv, NetworkKind::kRecurrent}) {
    for (const Implementation implementation :
         {Implementation::kLayer, Implementation::kOps, Implementation::kScratch}) {
      EXPECT_EQ(ToldOf({.kind = kind, .implementation = implementation}), "")
          << static_cast<int>(kind) << " " << static_cast<int>(implementation);
    }
    EXPECT_EQ(ToldOf({.kind = kind, .use_batch_norm = false}), "");
  }
  EXPECT_EQ(ToldOf({.after_activation = true}), "");
}

TEST(AuditedSteps, NameTheLessonsMistakes) {
  EXPECT_THAT(ToldOf({.run_update_ops = false}), HasSubstr("this training run fetches no update op of"));
  EXPECT_THAT(ToldOf({.predict_as_training = true}),
              HasSubstr("with the statistics of its batch (is_training is true): each result depends on the other"));
}

// ---- The network of the layers notebook ----

std::string ToldOf(const LayeredNetworkOptions& options) {
  LayeredNetwork net(options);
  Told told;
  Session session(net.graph(), told.Options());
  const train::TrainerOptions trainer_options = net.trainer_options();
  train::Trainer trainer(net.graph(), session, trainer_options);
  EXPECT_TRUE(session.Initialize().ok());
  const DataSet data = *DataSet::Create({Random({kSteps * kBatch, 784}, 1), OneHotLabels(kSteps * kBatch, 10)});
  const absl::Status trained = trainer.Fit(data, {.epochs = 1, .batch_size = kBatch}).status();
  EXPECT_TRUE(trained.ok()) << trained;
  EXPECT_TRUE(trainer.Evaluate(data).ok());
  EXPECT_TRUE(trainer.Predict(data).ok());
  return told.text;
}

TEST(AuditedSteps, NameTheHardWiredLayersOfTheNotebook) {
  const auto predicts = [](const char* layer) {
    return absl::StrCat("this run trains nothing and normalizes ", layer, " with the statistics of its batch");
  };
  EXPECT_EQ(ToldOf(LayeredNetworkOptions{}), "");
  const std::string mixed = ToldOf({.wiring = Wiring::kMixed});
  EXPECT_THAT(mixed, Not(HasSubstr(predicts("batch_normalization"))));
  EXPECT_THAT(mixed, HasSubstr(predicts("batch_normalization_1")));
  EXPECT_THAT(mixed, HasSubstr(predicts("batch_normalization_2")));
  const std::string wired = ToldOf({.wiring = Wiring::kHardWired});
  EXPECT_THAT(wired, HasSubstr(predicts("batch_normalization")));
  EXPECT_THAT(wired, Not(HasSubstr("training run")));
  EXPECT_THAT(ToldOf({.wiring = Wiring::kHardWired, .trainable = false}),
              HasSubstr("batch_normalization, which is not trainable, with the statistics of its batch"));
}

// ---- The networks of the forum post ----

std::string ToldOf(const std::string& network, bool hard_wired) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 64, 64, 3}, .name = "pictures"});
  const Output labels = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 6}, .name = "labels"});
  const Output is_training = PlaceholderWithDefault(g, false, {.name = "is_training"});
  const layers::Training training = hard_wired ? layers::Training(true) : layers::Training(is_training);
  const Output p = ApplyPictureNetwork(g, network, x, {.training = training, .units = 8, .filters = 2}).probabilities;
  const Output loss = Mean(-Sum(labels * Log(ClipByValue(p, 1e-7, 1 - 1e-7)), {1}));
  const Operation step = train::Adam(g).Minimize(loss, {.update_ops = train::UpdateOps::kOfLoss});
  Told told;
  Session session(g, told.Options());
  EXPECT_TRUE(session.Initialize().ok()) << g.status();
  const Tensor pictures = Random({6, 64, 64, 3}, 1);
  for (int i = 0; i < kSteps; ++i) {
    const absl::Status run =
        session.Run({{x, pictures}, {labels, OneHotLabels(6, 6)}, {is_training, true}}, {loss}, {step}).status();
    EXPECT_TRUE(run.ok()) << run;
  }
  EXPECT_TRUE(session.Run({{x, pictures}}, p).ok());
  return told.text;
}

TEST(AuditedSteps, NameTheHardWiredNetworksOfTheForumPost) {
  for (const char* network : {"dense", "conv", "resnet"}) {
    EXPECT_EQ(ToldOf(network, false), "") << network;
    EXPECT_THAT(ToldOf(network, true), HasSubstr("with the statistics of its batch: each result depends on the other"));
  }
}

// ---- Whole programs ----

// The lines that an audit printed.
std::string Warnings(const ProgramRun& run) {
  std::vector<std::string> warnings;
  for (absl::string_view line : absl::StrSplit(run.output, '\n')) {
    for (const char* mark : {"this run", "this training run", "takes logits", "the training step", "the saver of"}) {
      if (!absl::StrContains(line, mark)) continue;
      warnings.emplace_back(line);
      break;
    }
  }
  return absl::StrJoin(warnings, "\n");
}

TEST(AuditedSteps, OfWholePrograms) {
  const ProgramRun basics = RunExample("batch_norm_basics");
  EXPECT_EQ(basics.exit_code, 0) << basics.output;
  // It shows the layer in training where nothing is trained, and nothing else.
  const std::string told = Warnings(basics);
  EXPECT_THAT(told,
              HasSubstr("this run trains nothing and normalizes batch_normalization with the statistics of its batch"));
  EXPECT_THAT(told, HasSubstr("yet it moves the averages of batch_normalization because it uses the layer's output"));
  EXPECT_THAT(told, Not(HasSubstr("this training run")));
  const ProgramRun training = RunExample("training", {"--out=" + testing::TempDir() + "/audited"});
  EXPECT_EQ(training.exit_code, 0) << training.output;
  EXPECT_EQ(Warnings(training), "");
  // It shows what becomes of a sigmoid and a softmax before a loss that takes logits.
  const std::string population =
      Warnings(RunExample("population_statistics", {"--steps=10", "--train_pictures=64", "--test_pictures=32"}));
  EXPECT_THAT(population, HasSubstr("takes logits, but it gets probabilities: the output of Sigmoid"));
  EXPECT_THAT(population, HasSubstr("takes logits, but it gets probabilities: the output of Softmax"));
}

}  // namespace
}  // namespace staticflow
