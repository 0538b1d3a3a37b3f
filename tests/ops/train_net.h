// What the tests of Trainer and of its callbacks train: a small network with everything that has state, and its data.
//
//   TrainNet net;
//   train::Trainer trainer(net.g, *net.session, net.Options());
//   ASSERT_TRUE(net.session->Initialize().ok());
//   trainer.Fit(Points(), {.epochs = 3, .batch_size = 8});
#ifndef STATICFLOW_TESTS_OPS_TRAIN_NET_H_
#define STATICFLOW_TESTS_OPS_TRAIN_NET_H_

#include <memory>
#include <string>
#include <vector>

#include "ops/layers/layers.h"
#include "ops/regularizers.h"
#include "ops/train/adam.h"
#include "ops/train/losses.h"
#include "ops/train/trainer.h"
#include "staticflow.h"

namespace staticflow {

// Points in four dimensions of three classes, with noise; `state` is the noise's.
inline DataSet Points(int rows = 50, uint32_t state = 7) {
  std::vector<float> x, y;
  for (int i = 0; i < rows; ++i) {
    const int label = i % 3;
    for (int j = 0; j < 4; ++j) {
      state = state * 1664525u + 1013904223u;
      x.push_back(static_cast<float>(state >> 16) / 65536 + (j == label ? 1.0f : 0.0f));
    }
    for (int j = 0; j < 3; ++j) y.push_back(j == label ? 1.0f : 0.0f);
  }
  return *DataSet::Create({Tensor::Of<float>({rows, 4}, x), Tensor::Of<float>({rows, 3}, y)});
}

// Batch normalization, dropout, Adam with a learning rate that can be set, a metric, and a session that keeps warnings.
struct TrainNet {
  explicit TrainNet(SessionOptions options = {.threads = 1}) {
    x = Placeholder(g, {.shape = {-1, 4}, .name = "x"});
    y = Placeholder(g, {.shape = {-1, 3}, .name = "y"});
    training = Placeholder(g, {.dtype = DT_BOOL, .shape = {}, .name = "training"});
    Output h = layers::Dense(g, x, {.units = 8, .kernel_regularizer = regularizers::L2(1e-3)});
    h = Relu(layers::BatchNormalization(g, h, {.momentum = 0.9, .training = training}));
    h = layers::Dropout(g, h, {.rate = 0.25, .training = training});
    logits = layers::Dense(g, h, {.units = 3});
    losses::SoftmaxCrossEntropy(y, logits);
    loss = losses::GetTotalLoss(g);
    rate = NewVariable(g, Tensor(0.01f), {.name = "rate", .trainable = false});
    accuracy = metrics::CategoricalAccuracy(y, logits);
    const ControlDependencies after(g, g.collection(kUpdateOps));
    step = train::Adam(g, {.learning_rate = rate.ref()}).Minimize(loss);
    options.warn = [this](absl::string_view text) { warnings.emplace_back(text); };
    session = std::make_unique<Session>(g, options);
  }

  train::TrainerOptions Options() {
    return {.inputs = {x, y},
            .training = training,
            .loss = loss,
            .train_op = step,
            .metrics = {{"accuracy", accuracy}},
            .predictions = Softmax(logits)};
  }

  Graph g;
  Output x, y, training, logits, loss;
  Variable rate;
  metrics::Metric accuracy;
  Operation step;
  std::vector<std::string> warnings;
  std::unique_ptr<Session> session;
};

}  // namespace staticflow

#endif  // STATICFLOW_TESTS_OPS_TRAIN_NET_H_
