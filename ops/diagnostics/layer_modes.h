// What to feed so that all batch-normalization layers of a graph use one kind of statistics, and the values of their
// variables.
//
//   std::vector<std::pair<Output, Tensor>> feeds = ModeFeeds(FindBatchNormLayers(g), /*batch=*/false);
#ifndef STATICFLOW_OPS_DIAGNOSTICS_LAYER_MODES_H_
#define STATICFLOW_OPS_DIAGNOSTICS_LAYER_MODES_H_

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ops/analysis/batch_norm_layers.h"
#include "runtime/resource_store.h"
#include "runtime/session.h"

namespace staticflow {

// A value for each predicate that decides for some layer, each once.
std::vector<std::pair<Output, Tensor>> ModeFeeds(absl::Span<const BatchNormLayer> layers, bool batch);

// How many layers come before each one on the way from the inputs: 0 for the first.
std::vector<int> LayerDepths(const Graph& g, absl::Span<const BatchNormLayer> layers);

// The elements of the variable that `declaration` declares. FailedPrecondition when it has no value.
absl::StatusOr<std::vector<double>> ReadStatistic(Session& session, const Node& declaration);
// Gives it these elements, rounded to its type. InvalidArgument for another number of them.
absl::Status WriteStatistic(Session& session, const Node& declaration, absl::Span<const double> elements);

// Gives all variables that updates of the layers write, when it ends, the values that they had when it began: where
// normalizing waits for the updates, a forward pass in training mode moves the averages.
class KeptStatistics {
 public:
  KeptStatistics(Session& session, absl::Span<const BatchNormLayer> layers);
  ~KeptStatistics();
  KeptStatistics(const KeptStatistics&) = delete;
  KeptStatistics& operator=(const KeptStatistics&) = delete;

 private:
  Session& session_;
  std::vector<std::pair<VariableSlot*, Tensor>> values_;
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_LAYER_MODES_H_
