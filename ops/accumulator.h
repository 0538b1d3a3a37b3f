// Conditional accumulators: sums of gradients that steps give until there are enough of them, which is how
// SyncReplicasOptimizer of TensorFlow 1 lets several workers agree on one update.
//
//   Output sum = ConditionalAccumulator(g, {.shape = {10}});
//   Operation give = AccumulatorApplyGradient(sum, global_step, gradient);
//   Output mean = AccumulatorTakeGradient(sum, 4, DT_FLOAT);         // of four, which are gone then
//
// An accumulator has a time of its own, the global step: a gradient of an earlier `local_step` is stale and ignored,
// and taking what was summed up sets the time one on. It lives in its session, under the node's name or `shared_name`.
//
// Steps run one after the other, so nothing could end a wait: where TensorFlow waits for more gradients, the step here
// fails with FailedPrecondition and changes nothing. When run, besides: InvalidArgument for shapes, types and indices
// that do not fit.
// No gradients. Not thread-safe: all functions add to the graph. Source: tf.ConditionalAccumulator (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_ACCUMULATOR_H_
#define STATICFLOW_OPS_ACCUMULATOR_H_

#include <source_location>
#include <string>

#include "graph/node_builder.h"

namespace staticflow {

struct AccumulatorOptions {
  DataType dtype = DT_FLOAT;            // float, double or half
  Shape shape = Shape::Unknown();       // of every gradient; may be partial
  std::string reduction_type = "MEAN";  // or "SUM"
  std::string shared_name = "";
  std::string name = "";
  std::source_location where = std::source_location::current();
};
// The handle of an accumulator: for dense gradients, for the slices of sparse ones, and for dense ones as a resource.
Output ConditionalAccumulator(Graph& g, const AccumulatorOptions& options);
Output SparseConditionalAccumulator(Graph& g, const AccumulatorOptions& options);
Output ResourceConditionalAccumulator(Graph& g, const AccumulatorOptions& options);

// Adds a gradient of `local_step`, an int64 scalar, unless it is stale.
Operation AccumulatorApplyGradient(Operand accumulator, Operand local_step, Operand gradient,
                                   const OpOptions& options = {});
// The mean (or sum) of the gradients once there are `num_required`, an int32 scalar above 0, and none from then on.
Output AccumulatorTakeGradient(Operand accumulator, Operand num_required, DataType dtype,
                               const OpOptions& options = {});
// How many gradients there are, int32.
Output AccumulatorNumAccumulated(Operand accumulator, const OpOptions& options = {});
// Sets the time, an int64 scalar; on sparse accumulators, too.
Operation AccumulatorSetGlobalStep(Operand accumulator, Operand new_global_step, const OpOptions& options = {});

// The same for slices: int64 indices [n] in ascending order, values [n, ...], and the int64 shape of the whole. A mean
// is taken over the gradients that had the slice. The shape that comes out is -1 where nothing told it.
struct AccumulatedSlices {
  Output indices, values, shape;
};
Operation SparseAccumulatorApplyGradient(Operand accumulator, Operand local_step, const AccumulatedSlices& gradient,
                                         const OpOptions& options = {});
AccumulatedSlices SparseAccumulatorTakeGradient(Operand accumulator, Operand num_required, DataType dtype,
                                                const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ACCUMULATOR_H_
