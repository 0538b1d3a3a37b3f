// The audit of a run: what a step does with its batch-normalization layers, and what its author may not have meant.
//
//   SF_ASSIGN_OR_RETURN(BatchNormAudit audit, AuditBatchNorm(g, {{x, images}, {is_training, true}}, {loss}, {train}));
//   audit.ToString();
//   //  batch_normalization_1: statistics of the batch (is_training is true), 60 elements per channel, no updates, ...
//   //  warning: this training run fetches no update op of batch_normalization_1: its moving averages will never change
//
// Sessions ask it before a signature first runs (SessionOptions::audit): linking ops/diagnostics is enough. Layers are
// found by their arithmetic (ops/analysis/batch_norm_layers.h), in imported graphs as well.
// Functions only read the graph and may be called from any thread while nobody adds nodes. Time: linear in the graph.
#ifndef STATICFLOW_OPS_DIAGNOSTICS_BATCH_NORM_AUDIT_H_
#define STATICFLOW_OPS_DIAGNOSTICS_BATCH_NORM_AUDIT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ops/analysis/batch_norm_layers.h"
#include "runtime/session.h"

namespace staticflow {

enum class BatchNormIssue {
  kNoUpdate,            // trains with the batch's statistics, and runs no update of the moving averages
  kUpdatesMadeLater,    // the same, while updates of layers that were built before do run: collected too early
  kMixedUpdates,        // the same, while another layer updates itself wherever its output is used
  kForeignUpdate,       // moves the averages of a layer of which it trains nothing
  kFrozenUpdate,        // moves the averages of a layer that is not trainable
  kFrozenBatch,         // trains with the batch's statistics through a layer that is not trainable
  kDoubleUpdate,        // two updates of one moving average
  kPredictsFromBatch,   // trains nothing, and normalizes with the batch's statistics
  kPredictionUpdates,   // trains nothing, and moves averages because something needs the layer's output
  kOneElement,          // one element per channel: the variance is 0, the output beta
  kTrainsWithAverages,  // trains the layer, and normalizes with moving averages that nothing moves
  kSlowAverages,        // averages that follow too slowly
  kNotSaved,            // the graph's savers leave out moving averages
  kCancellingVariance,  // trains with a variance computed as E[x^2] - E[x]^2
  kUnbiasedAverage,     // averages a variance that is larger, by n / (n - 1) >= 1.1, than the one that normalizes
};

struct BatchNormFinding {
  BatchNormIssue issue = BatchNormIssue::kNoUpdate;
  std::string layer;
  std::string message;  // one sentence, the layer's name in it
};

// What this run does with one layer.
struct BatchNormLayerRun {
  BatchNormLayer layer;
  // kDecided when the predicate's value is not known.
  BatchNormStatistics statistics = BatchNormStatistics::kBatch;
  std::vector<const Node*> updates;    // writes of its moving averages that may run
  std::vector<const Node*> trained;    // its gamma and beta, as far as this run trains them
  std::vector<const Node*> saved;      // its variables that some saver of the graph covers ...
  std::vector<const Node*> not_saved;  // ... and the others; both empty in a graph without saver
  int64_t elements_per_channel = -1;   // with the feeds' shapes; -1 when they do not tell
};

struct BatchNormAudit {
  bool trains = false;                    // whether the run trains anything at all
  std::vector<BatchNormLayerRun> layers;  // whose output this run needs, or that it updates
  std::vector<BatchNormFinding> findings;

  std::string ToString() const;
};

struct BatchNormAuditOptions {
  // How many updates training will make, if that is known: averages of which more than a tenth will still be their
  // initial value are slow then. Else only a momentum above 0.999 is.
  int64_t planned_updates = 0;
};

// Looks at the step that runs `fetches` and `targets` on `feeds`; a feed without tensor is fed with something unknown.
// The graph's first building error, if it has one.
absl::StatusOr<BatchNormAudit> AuditBatchNorm(const Graph& g, const Session::Feeds& feeds,
                                              const std::vector<Output>& fetches,
                                              const std::vector<Operation>& targets = {},
                                              const BatchNormAuditOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_BATCH_NORM_AUDIT_H_
