// How far the moving averages of batch-normalization layers are from what training sees: how much of them is still
// their initial value, how many sigmas lie between them and a batch, and what that does to loss or accuracy.
//
//   SF_ASSIGN_OR_RETURN(SkewReport skew, MeasureSkew(session, g, {.feeds = {{x, images}, {labels, y}}, .updates = 120,
//                                                                 .metrics = {loss, accuracy}}));
//   std::cout << skew.ToString();           // "120 updates at momentum 0.99: 30 % of bn/moving_mean is still the
//   initial 0" SF_RETURN_IF_ERROR(WriteSkew(skew, step, *event_writer));
#ifndef STATICFLOW_OPS_DIAGNOSTICS_SKEW_H_
#define STATICFLOW_OPS_DIAGNOSTICS_SKEW_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "runtime/io/events.h"
#include "runtime/session.h"

namespace staticflow {

// The weight of the initial value in an average after so many updates: momentum^updates. 0 updates: 1.
double InitialWeight(double momentum, int64_t updates);
// The smallest number of updates after which that weight is at most `weight`; -1 for a momentum of 1, which never
// forgets. REQUIRES: 0 < weight <= 1.
int64_t UpdatesUntil(double momentum, double weight);

struct SkewOptions {
  std::vector<std::pair<Output, Tensor>> feeds =
      {};                                         // one batch, as training gets it; what decides the mode is fed anyway
  std::optional<int64_t> updates = std::nullopt;  // made so far; unset: nothing is said of the initial value
  std::vector<Output> metrics = {};               // scalars to evaluate in both modes: loss, accuracy
};

struct LayerSkew {
  std::string name;
  std::string moving_mean = "";  // names of the variables
  std::string moving_variance = "";
  std::string initial_mean = "its initial value";  // "the initial 0" where the graph tells
  std::optional<double> momentum = {};             // of the update of the mean
  std::optional<double> initial_weight = {};       // of both averages, when momentum and updates are known
  // Per channel: (batch mean - moving mean) / sqrt(moving variance + epsilon), and
  // (batch variance + epsilon) / (moving variance + epsilon).
  std::vector<double> mean_distance = {};
  std::vector<double> variance_ratio = {};

  double worst_distance() const;  // the largest |mean_distance|
};

struct MetricSkew {
  std::string name;
  double training = 0;   // with the statistics of the batch
  double inference = 0;  // with the moving averages
};

struct SkewReport {
  std::optional<int64_t> updates;
  std::vector<LayerSkew> layers;  // those with moving averages
  std::vector<MetricSkew> metrics;

  std::string ToString() const;
};

// Runs the batch forward in both modes; writes nothing. NotFound: no layer has moving averages. InvalidArgument: a
// metric that is no scalar number.
absl::StatusOr<SkewReport> MeasureSkew(Session& session, const Graph& g, const SkewOptions& options);

// One event: the scalars LAYER/skew/{initial_weight,worst_distance} and METRIC/{training,inference}, and the histogram
// LAYER/skew/mean_distance. Errors of the writer.
absl::Status WriteSkew(const SkewReport& report, int64_t step, EventWriter& writer);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_SKEW_H_
