// ReestimateBatchNorm: the exact mean and variance that each batch-normalization layer sees over a whole data set, in
// place of its moving averages. For averages that are too slow, were never updated, or belong to other data.
//
//   SF_ASSIGN_OR_RETURN(ReestimateReport report, ReestimateBatchNorm(session, g, training_set, {.feeds = {x},
//                                                .source_checkpoint = "model.ckpt-1000", .checkpoint =
//                                                "repaired.ckpt"}));
//   std::cout << report.ToString();
//
// Weights stay as they are. The graph may come from anywhere (FindBatchNormLayers says what is found); it is not
// changed. Layer by layer, each layer sees what the layers before it give with their new statistics, so that the result
// is what one batch of the whole set would have given, whatever the batch size, a shorter last batch included.
// Source: Wu and Johnson 2021 ("precise BN"); merging after Chan, Golub and LeVeque 1979.
#ifndef STATICFLOW_OPS_DIAGNOSTICS_REESTIMATE_H_
#define STATICFLOW_OPS_DIAGNOSTICS_REESTIMATE_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "graph/meta_graph.h"
#include "runtime/io/dataset.h"
#include "runtime/session.h"

namespace staticflow {

struct ReestimateOptions {
  std::vector<Output> feeds = {};  // where the data set's components go, in order; an invalid Output: nowhere
  std::vector<std::pair<Output, Tensor>> constants = {};  // fed with every batch. What decides the mode is fed anyway
  int64_t batch_size = 100;
  // One pass over the data for all layers at once, each batch normalized by its own statistics; else one pass for each
  // depth of layers. Faster, and an approximation for all layers but the first.
  bool one_pass = false;
  bool unbiased = false;                 // divide variances by n - 1, as fused layers' averages do
  std::vector<std::string> layers = {};  // names; empty: all
  std::string checkpoint = "";           // where to write the variables with the new statistics; "": nowhere
  // What else goes there: all tensors of this checkpoint. "": all variables of the graph.
  std::string source_checkpoint = "";
  // The graph's saver, which knows the variables' names in checkpoints; without one they are the variables' own.
  std::optional<SaverInfo> saver = std::nullopt;
};

struct ReestimatedLayer {
  std::string name;
  int depth = 0;         // how many layers come before it
  int64_t elements = 0;  // per channel
  std::vector<double> mean_before = {}, variance_before = {};
  std::vector<double> mean_after = {}, variance_after = {};
  double epsilon = 0;
  // A layer before it always normalizes with its own batch, in a way that nothing can replace: its inputs are those of
  // training, and depend on the batch size.
  bool approximate = false;

  // The largest |mean_after - mean_before| in units of the new standard deviation.
  double mean_moved() const;
  // The smallest and the largest variance_before / variance_after (each plus epsilon).
  std::pair<double, double> variance_ratio() const;
};

struct ReestimateReport {
  std::vector<ReestimatedLayer> layers;
  std::vector<std::string> skipped;  // names of layers without variables to hold the statistics, or in loops
  int64_t examples = 0;
  int passes = 0;  // over the data set

  // A line per layer.
  std::string ToString() const;
};

// Sets the moving averages in the session, which must hold the weights, and writes the checkpoint if asked to.
// NotFound: no layer, or none of a name asked for. InvalidArgument: an empty data set, a feed too many. Errors of the
// forward pass name their node; the averages are then as far as the last complete pass.
absl::StatusOr<ReestimateReport> ReestimateBatchNorm(Session& session, const Graph& g, const DataSet& data,
                                                     const ReestimateOptions& options);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_REESTIMATE_H_
