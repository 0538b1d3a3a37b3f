// Multilayer perceptrons as training graphs, for tests of what the planner does with them.
//
//   TestGraph t;
//   BuildPerceptron({.widths = {20, 100, 10}, .batch_norm = true, .optimizer = "adam"}, &t);
#ifndef STATICFLOW_TESTS_RUNTIME_PERCEPTRON_H_
#define STATICFLOW_TESTS_RUNTIME_PERCEPTRON_H_

#include <string>
#include <vector>

#include "ops/layers/core.h"
#include "ops/layers/normalization.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/state.h"
#include "ops/train/adam.h"
#include "ops/train/gradient_descent.h"
#include "ops/train/momentum.h"
#include "tests/runtime/plan_runner.h"

namespace staticflow {

struct PerceptronSpec {
  std::vector<int64_t> widths = {20, 30, 10};
  int64_t batch = 60;
  bool batch_norm = false;
  std::string activation = "relu";
  std::string optimizer = "sgd";
};

inline std::string NameOf(const PerceptronSpec& spec) {
  return absl::StrCat(absl::StrJoin(spec.widths, "_"), "_batch", spec.batch, spec.batch_norm ? "_bn_" : "_",
                      spec.activation, "_", spec.optimizer);
}

inline void PrintTo(const PerceptronSpec& spec, std::ostream* out) { *out << NameOf(spec); }

// Feeds images and labels; fetches the loss; trains.
inline void BuildPerceptron(const PerceptronSpec& spec, TestGraph* t) {
  Graph& g = t->graph;
  Output h = t->Random({spec.batch, spec.widths.front()}, 1);
  Tensor labels = Tensor::Create(DT_FLOAT, {spec.batch, spec.widths.back()}).value();
  for (int64_t i = 0; i < labels.num_elements(); ++i) {
    const int64_t row = i / spec.widths.back(), column = i % spec.widths.back();
    labels.flat<float>()[i] = row * 7 % spec.widths.back() == column;
  }
  Output wanted = Placeholder(g, {.dtype = DT_FLOAT, .shape = labels.shape(), .name = "labels"});
  t->Feed(wanted, labels);
  for (size_t i = 1; i < spec.widths.size(); ++i) {
    const int64_t in = spec.widths[i - 1], out = spec.widths[i];
    Tensor initial = TestGraph::RandomTensor({in, out}, static_cast<int>(10 + i));
    for (float& w : initial.flat<float>()) w *= std::sqrt(3.0f / static_cast<float>(in));
    const bool last = i + 1 == spec.widths.size();
    h = MatMul(h, NewVariable(g, initial, {.name = "weights"}).snapshot);
    if (last || !spec.batch_norm) h = h + NewVariable(g, Zeros(g, DT_FLOAT, {out}), {.name = "biases"}).snapshot;
    if (last) continue;
    if (spec.batch_norm) h = layers::BatchNormalization(g, h, {.momentum = 0.9, .training = true});
    h = spec.activation == "tanh" ? Tanh(h) : spec.activation == "sigmoid" ? Sigmoid(h) : Relu(h);
  }
  Output loss = Mean(SoftmaxCrossEntropyWithLogits(h, wanted));
  const ControlDependencies after(g, g.collection(kUpdateOps));
  if (spec.optimizer == "adam") {
    t->Target(train::Adam(g, {.learning_rate = 0.01}).Minimize(loss));
  } else if (spec.optimizer == "momentum") {
    t->Target(train::Momentum(g, {.learning_rate = 0.05}).Minimize(loss));
  } else {
    t->Target(train::GradientDescent(g, {.learning_rate = 0.05}).Minimize(loss));
  }
  t->Fetch(loss);
}

}  // namespace staticflow

#endif  // STATICFLOW_TESTS_RUNTIME_PERCEPTRON_H_
