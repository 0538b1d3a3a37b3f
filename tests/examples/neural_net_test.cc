// The lesson's network: its three implementations agree in losses, weights and moving statistics.
#include "examples/support/neural_net.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace staticflow {
namespace {

Tensor Random(const Shape& shape, uint32_t state, float scale) {
  Tensor x = *Tensor::Create(DT_FLOAT, shape);
  for (float& value : x.flat<float>()) {
    state = state * 1664525u + 1013904223u;
    value = scale * (static_cast<float>(state >> 8) / (1 << 24) - 0.5f);
  }
  return x;
}

Tensor OneHotLabels(int64_t n) {
  Tensor labels = *Tensor::Create(DT_FLOAT, {n, 10});
  for (int64_t i = 0; i < n; ++i) labels.flat<float>()[i * 10 + i * 7 % 10] = 1;
  return labels;
}

LessonData SmallData() {
  LessonData data;
  data.train = *DataSet::Create({Random({130, 784}, 1, 1), OneHotLabels(130)});
  data.validation_images = data.test_images = Random({20, 784}, 2, 1);
  data.validation_labels = data.test_labels = OneHotLabels(20);
  return data;
}

struct Trained {
  TrainingReport report;
  std::vector<Tensor> variables;  // in the order of their making, the same for all implementations
};

Trained TrainNet(const NeuralNetOptions& options, const TrainingOptions& training) {
  NeuralNet net(options);
  Session session(net.graph(), {.threads = 1});
  EXPECT_TRUE(session.Initialize().ok()) << net.graph().status();
  const absl::StatusOr<TrainingReport> report = net.Train(session, SmallData(), training);
  EXPECT_TRUE(report.ok()) << report.status();
  if (!report.ok()) return {};
  std::vector<Output> values;
  for (const Variable& v : net.graph().variables()) values.push_back(v.snapshot);
  const absl::StatusOr<std::vector<Tensor>> variables = session.Run({}, values);
  EXPECT_TRUE(variables.ok()) << variables.status();
  return {*report, variables.ok() ? *variables : std::vector<Tensor>()};
}

NeuralNetOptions Dense() {
  return {.initial_weights = {Random({784, 20}, 3, 0.2f), Random({20, 15}, 4, 0.5f), Random({15, 10}, 5, 0.5f)},
          .activation = Tanh,
          .use_batch_norm = true};
}

NeuralNetOptions Conv() {
  return {.initial_weights = {Random({3, 3, 1, 4}, 3, 0.5f), Random({3, 3, 4, 3}, 4, 0.5f),
                              Random({14 * 14 * 3, 10}, 5, 0.2f)},
          .activation = Tanh,
          .use_batch_norm = true};
}

class Implementations : public testing::TestWithParam<bool> {};

TEST_P(Implementations, AgreeWithin1e4) {
  NeuralNetOptions options = GetParam() ? Conv() : Dense();
  const TrainingOptions training = {.learning_rate = 0.1, .batches = 15, .batch_size = 30};
  const Trained layer = TrainNet(options, training);
  for (Implementation other : {Implementation::kOps, Implementation::kScratch}) {
    options.implementation = other;
    const Trained by_hand = TrainNet(options, training);
    EXPECT_NEAR(by_hand.report.last_loss, layer.report.last_loss, 1e-4);
    ASSERT_EQ(by_hand.variables.size(), layer.variables.size());
    for (size_t v = 0; v < layer.variables.size(); ++v) {
      ASSERT_EQ(by_hand.variables[v].shape(), layer.variables[v].shape());
      // The fused layer averages variances of n - 1: of the 30 * 14 * 14 elements or more of a channel.
      const double tolerance = GetParam() ? 2e-4 : 1e-4;
      for (int64_t i = 0; i < layer.variables[v].num_elements(); ++i) {
        const double want = layer.variables[v].flat<float>()[i];
        ASSERT_NEAR(by_hand.variables[v].flat<float>()[i], want, tolerance * (1 + std::fabs(want))) << v << " " << i;
      }
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Both, Implementations, testing::Bool(),
                         [](const auto& row) { return row.param ? "Conv" : "Dense"; });

// Variables 3 and 4 of the network are the first layer's moving mean and variance.
TEST(NeuralNet, OnlyTheUpdateOpsMoveTheAverages) {
  for (bool run_update_ops : {false, true}) {
    const Trained trained = TrainNet(Dense(), {.batches = 3, .batch_size = 30, .run_update_ops = run_update_ops});
    ASSERT_EQ(trained.variables.size(), 12u);
    EXPECT_EQ(trained.variables[4].flat<float>()[0] != 1, run_update_ops);
    EXPECT_EQ(trained.variables[3].flat<float>()[0] != 0, run_update_ops);
  }
}

TEST(NeuralNet, BatchesRunAcrossTheEndOfTheEpoch) {
  // 130 examples are no multiple of 30; no batch is short, so 15 batches take more than three epochs.
  const Trained trained = TrainNet(Dense(), {.batches = 15, .batches_per_sample = 4, .batch_size = 30});
  ASSERT_EQ(trained.report.accuracies.size(), 4u);
  EXPECT_EQ(trained.report.accuracies[3].first, 12);
}

TEST(NeuralNet, TestsAtMostTheImagesThereAre) {
  NeuralNet net(Dense());
  Session session(net.graph());
  ASSERT_TRUE(session.Initialize().ok());
  const absl::StatusOr<TestReport> report =
      TestNetwork(session, net.graph(), net.tensors(), SmallData(), {.is_training = true, .singles = 200});
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->predictions.size(), 20u);
  for (int64_t prediction : report->predictions) EXPECT_EQ(prediction, report->predictions[0]);
  EXPECT_NEAR(report->single_accuracy, 0.1, 1e-9);
}

}  // namespace
}  // namespace staticflow
