// The network of the layers notebook: three times Dense, batch normalization and tanh, then ten logits.
//
//   LayeredNetwork net({.wiring = Wiring::kCorrect});
//   Session session(net.graph(), {.threads = 2});
//   train::Trainer trainer(net.graph(), session, net.trainer_options());
//
// Whether a layer of batch normalization trains is decided once, where it is built: by the placeholder `training`
// (correct), or hard-wired to yes. A hard-wired layer normalizes with the statistics of the batch whatever is fed.
#ifndef STATICFLOW_EXAMPLES_SUPPORT_LAYERED_NETWORK_H_
#define STATICFLOW_EXAMPLES_SUPPORT_LAYERED_NETWORK_H_

#include <string>
#include <utility>
#include <vector>

#include "ops/train/trainer.h"
#include "staticflow.h"

namespace staticflow {

enum class Wiring {
  kCorrect,    // all three layers follow the placeholder
  kMixed,      // the first one follows it, the others are hard-wired: what the notebook's cells say
  kHardWired,  // all three are
};

struct LayeredNetworkOptions {
  Wiring wiring = Wiring::kCorrect;
  bool trainable = true;   // of the layers of batch normalization; false: frozen
  double momentum = 0.99;  // of the moving averages
  double l2 = 0;           // not 0: the kernels' regularization
  double max_norm = 0;     // not 0: the largest norm of a unit's weights
  int64_t seed = 100;      // of the orthogonal kernels
  bool optimizer = true;   // false: the layers alone, for an architecture without training
};

// What one pass through the layers gives, under the layers' names.
using LayerOutputs = std::vector<std::pair<std::string, Output>>;

// The layers on `x`, made, or shared when they exist. `training[i]` is of the i-th layer of batch normalization.
LayerOutputs ApplyLayers(Graph& g, Output x, const std::vector<layers::Training>& training,
                         const LayeredNetworkOptions& options);

class LayeredNetwork {
 public:
  explicit LayeredNetwork(const LayeredNetworkOptions& options);

  Graph& graph() { return graph_; }
  Output input, labels, training;  // placeholders
  Output logits, loss;
  Variable learning_rate;
  metrics::Metric accuracy, auc_of_logits;
  train::TrainerOptions trainer_options() const;
  const LayeredNetworkOptions& options() const { return options_; }

  // The layers once more, with the same weights, on a placeholder `single` of one row; training as said.
  LayerOutputs Again(Output x, bool training);

 private:
  Graph graph_;
  LayeredNetworkOptions options_;
  Operation step_;
};

}  // namespace staticflow

#endif  // STATICFLOW_EXAMPLES_SUPPORT_LAYERED_NETWORK_H_
