// What a run writes into moving averages: for the audit of a run (ops/diagnostics/batch_norm_audit.h).
//
//   if (TakesFrom(run, *update.write, layer.batch_mean)) ...   // it moves the average, and not onto itself
//
// All functions only read the graph. Time: linear in what stands between.
#ifndef STATICFLOW_OPS_DIAGNOSTICS_AVERAGE_WRITES_H_
#define STATICFLOW_OPS_DIAGNOSTICS_AVERAGE_WRITES_H_

#include <vector>

#include "ops/analysis/run_nodes.h"

namespace staticflow {

// Whether `write` may run, and `statistic` reaches what it writes by ways that the run's predicates leave open.
// TensorFlow assigns the averages of fused layers in either mode; where the mode is inference, what it assigns is the
// average.
bool TakesFrom(const RunNodes& run, const Node& write, Output statistic);

// The writes of `variable` in its graph, but for its initializer and what restores it.
std::vector<const Node*> WritesOf(const Node& variable);

// Whether two writes stand in different branches of one cond.
bool Exclude(const Node& a, const Node& b);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_AVERAGE_WRITES_H_
