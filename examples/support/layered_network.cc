#include "examples/support/layered_network.h"

#include "absl/strings/str_cat.h"
#include "ops/constraints.h"
#include "ops/regularizers.h"
#include "ops/train/losses.h"

namespace staticflow {
namespace {

constexpr int kHiddenLayers = 3, kUnits = 100, kClasses = 10;

// "dense", "dense_1", ...
std::string Numbered(const std::string& name, int i) { return i == 0 ? name : absl::StrCat(name, "_", i); }

}  // namespace

LayerOutputs ApplyLayers(Graph& g, Output x, const std::vector<layers::Training>& training,
                         const LayeredNetworkOptions& options) {
  const VariableScope shared(g, "", {.reuse = Reuse::kAutoReuse});
  LayerOutputs outputs;
  const auto dense = [&](int i, int64_t units) {
    x = layers::Dense(
        g, x,
        {.units = units,
         .kernel_initializer = initializers::Orthogonal({.gain = 1, .seed = options.seed}),
         .kernel_regularizer = options.l2 > 0 ? regularizers::L2(options.l2) : nullptr,
         .kernel_constraint = options.max_norm > 0 ? constraints::MaxNorm({.max_value = options.max_norm}) : nullptr,
         .name = Numbered("dense", i)});
    outputs.emplace_back(Numbered("dense", i), x);
  };
  for (int i = 0; i < kHiddenLayers; ++i) {
    dense(i, kUnits);
    x = layers::BatchNormalization(g, x,
                                   {.axis = {-1},
                                    .momentum = options.momentum,
                                    .epsilon = 1e-3,
                                    .center = true,
                                    .scale = true,
                                    .training = training[static_cast<size_t>(i)],
                                    .trainable = options.trainable,
                                    .beta_initializer = initializers::Zeros(),
                                    .gamma_initializer = initializers::Ones(),
                                    .moving_mean_initializer = initializers::Zeros(),
                                    .moving_variance_initializer = initializers::Ones(),
                                    .name = Numbered("batch_normalization", i)});
    outputs.emplace_back(Numbered("batch_normalization", i), x);
    if (!x.valid()) return outputs;
    x = Tanh(x, {.name = Numbered("activation", i)});
    outputs.emplace_back(Numbered("activation", i), x);
  }
  dense(kHiddenLayers, kClasses);
  return outputs;
}

LayeredNetwork::LayeredNetwork(const LayeredNetworkOptions& options) : options_(options) {
  Graph& g = graph_;
  input = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 784}, .name = "input"});
  training = PlaceholderWithDefault(g, Tensor(false), {.name = "training"});
  const layers::Training fed(training), wired(true);
  const bool first = options.wiring != Wiring::kHardWired, others = options.wiring == Wiring::kCorrect;
  logits =
      ApplyLayers(g, input, {first ? fed : wired, others ? fed : wired, others ? fed : wired}, options).back().second;
  if (!options.optimizer || !logits.valid()) return;
  labels = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, kClasses}, .name = "labels"});
  losses::SoftmaxCrossEntropy(labels, logits);
  loss = losses::GetTotalLoss(g);
  accuracy = metrics::CategoricalAccuracy(labels, logits);
  auc_of_logits = metrics::Auc(labels, logits);
  learning_rate = NewVariable(g, Tensor(1e-3f), {.name = "learning_rate", .trainable = false});
  const ControlDependencies after(g, g.collection(kUpdateOps));
  // Keras's epsilon; TensorFlow 1 has 1e-8.
  step_ = train::Adam(g, {.learning_rate = learning_rate.ref(), .epsilon = 1e-7}).Minimize(loss);
}

train::TrainerOptions LayeredNetwork::trainer_options() const {
  return {.inputs = {input, labels},
          .training = training,
          .loss = loss,
          .train_op = step_,
          .metrics = {{"categorical_accuracy", accuracy}},
          .predictions = logits};
}

LayerOutputs LayeredNetwork::Again(Output x, bool training) {
  return ApplyLayers(graph_, x, {training, training, training}, options_);
}

}  // namespace staticflow
