// Finds the batch-normalization layers of any graph: built here, imported from TensorFlow 1 or Keras, fused or composed
// of single ops, with both modes in one graph (by a cond or a Select) or hard-wired to one.
//
//   for (const BatchNormLayer& layer : FindBatchNormLayers(g)) {
//     if (layer.statistics == BatchNormStatistics::kDecided) Print(layer.name, layer.predicate.name());
//   }
//
// A layer is recognized by its arithmetic, never by names: (x - mean) / sqrt(variance + epsilon), in any of the forms
// that tf.nn.batch_normalization, tf.layers, slim and people write, where the variance is that of the batch (reduced
// over dimension 0 at least), a variable, or a constant of a frozen graph. Layer and instance normalization are none.
// Layers inside functions are found once the calls are inlined (InlineCalls).
// Only reads the graph; safe from any thread while nobody adds nodes.
#ifndef STATICFLOW_OPS_ANALYSIS_BATCH_NORM_LAYERS_H_
#define STATICFLOW_OPS_ANALYSIS_BATCH_NORM_LAYERS_H_

#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace staticflow {

// Where the mean and the variance that normalize come from.
enum class BatchNormStatistics {
  kBatch,    // the batch at hand, always
  kMoving,   // variables (or constants, in a frozen graph), always
  kDecided,  // either, as `predicate` says
};

// One write of a moving average by which the layer's batch statistics enter it.
struct BatchNormUpdate {
  Node* write = nullptr;                // AssignSub, AssignVariableOp, ...
  std::optional<double> momentum = {};  // the share of the old value that is kept, where arithmetic tells it
  bool is_variance = false;             // of moving_variance, else of moving_mean
  friend bool operator==(const BatchNormUpdate& a, const BatchNormUpdate& b) { return a.write == b.write; }
};

struct BatchNormLayer {
  std::string name;       // the scope of its variables, "block1/batch_normalization", else of its nodes
  Output input;           // x, as it is outside of any cond
  Output output;          // y, after gamma and beta; of a layer with a branch for each mode, what joins them
  std::vector<int> axes;  // the dimensions of x that are reduced, ascending; empty when nothing tells
  BatchNormStatistics statistics = BatchNormStatistics::kBatch;
  Output predicate;             // kDecided: the bool that decides
  bool batch_when = true;       // kDecided: its value that means the statistics of the batch
  Output batch_mean;            // invalid when the layer never looks at the batch
  Output batch_variance;        // the same; a fused op gives it with n - 1 in the denominator
  bool fused = false;           // FusedBatchNorm*, whose moving variance is therefore larger by n / (n - 1)
  Node* moving_mean = nullptr;  // declaring nodes; null when there is none
  Node* moving_variance = nullptr;
  Output inference_mean;  // what inference reads: the variables' values, or constants; invalid when it never does
  Output inference_variance;
  Output gamma;  // the values that scale and shift; invalid without
  Output beta;
  double epsilon = 0;
  std::vector<BatchNormUpdate> updates;
  std::vector<Node*> nodes;  // what normalizes: the fused ops, or the additions that give y, one for each branch

  // The dimensions of x that are not reduced: one for the channels; -1 when unknown.
  int channel_axis() const;
  // How many elements of x each channel's statistics are taken over; -1 when the shape does not tell.
  int64_t elements_per_channel() const;
};

// All layers in graph order. A layer that is applied twice is there twice, with the same variables.
std::vector<BatchNormLayer> FindBatchNormLayers(const Graph& g);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ANALYSIS_BATCH_NORM_LAYERS_H_
