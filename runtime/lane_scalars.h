// Lane operations on one element: the scalars of a loop, such as what all elements of an update are multiplied by.
#ifndef STATICFLOW_RUNTIME_LANE_SCALARS_H_
#define STATICFLOW_RUNTIME_LANE_SCALARS_H_

#include "runtime/lanes.h"

namespace staticflow {

// `op`, whose implementation is `function`, on the elements that x[0], ..., x[operands - 1] point to: the bits that a
// strip of them gives. Thread-safe.
float ComputeScalar(LaneOp op, LaneFunction function, int operands, const float* const x[3]);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_LANE_SCALARS_H_
