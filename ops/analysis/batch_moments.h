// Means and variances over a batch: what they look like in a graph, and where a statistic comes from.
//
//   Origins origins = TraceStatistic(variance, true);
//   if (origins.batch.has_value()) Print(origins.batch->axes);
//
// All functions only read the graph and may be called from any thread while nobody adds nodes.
#ifndef STATICFLOW_OPS_ANALYSIS_BATCH_MOMENTS_H_
#define STATICFLOW_OPS_ANALYSIS_BATCH_MOMENTS_H_

#include <optional>
#include <vector>

#include "ops/analysis/graph_uses.h"

namespace staticflow {

// A mean or variance over a batch.
struct BatchMoment {
  Output value;           // the reduction, without the Squeeze behind it
  Output input;           // what is reduced, without what passes it into a branch
  std::vector<int> axes;  // the reduced dimensions, ascending; 0 is among them
};
// Mean(x); nullopt for another node or another dimension.
std::optional<BatchMoment> AsBatchMean(Output value);
// Mean((x - Mean(x))^2), the square being a SquaredDifference, Square, Pow or Mul, or Mean(x^2) - Mean(x)^2.
std::optional<BatchMoment> AsBatchVariance(Output value);

// Where a statistic may come from, through all branches.
struct Origins {
  std::optional<BatchMoment> batch;
  std::optional<Branch> batch_branch;  // when it does so in one branch only
  Node* variable = nullptr;            // declaring node
  Output stored;                       // the value of the variable, or the constant of a frozen graph
};
Origins TraceStatistic(Output statistic, bool is_variance);

// The share of the old value of `variable` that `write` keeps, where its arithmetic tells: 0.99 for
// AssignSub(m, (m - batch) * 0.01). Where a cond chooses, its branch `value` counts.
std::optional<double> MomentumOf(const Node& write, const Node& variable, bool value = true);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ANALYSIS_BATCH_MOMENTS_H_
