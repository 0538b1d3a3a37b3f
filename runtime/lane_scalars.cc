#include "runtime/lane_scalars.h"

#include <algorithm>

namespace staticflow {

float ComputeScalar(LaneOp op, LaneFunction function, int operands, const float* const x[3]) {
  // What is rounded once here is rounded as in a lane.
  switch (op) {
    case LaneOp::kCopy:
      return *x[0];
    case LaneOp::kNeg:
      return -*x[0];
    case LaneOp::kAdd:
      return *x[0] + *x[1];
    case LaneOp::kSub:
      return *x[0] - *x[1];
    case LaneOp::kMul:
      return *x[0] * *x[1];
    case LaneOp::kDiv:
      return *x[0] / *x[1];
    default:
      break;
  }
  alignas(64) float lanes[4][kLanes];
  LaneCall call;
  for (int k = 0; k < operands; ++k) {
    std::fill_n(lanes[k], kLanes, *x[k]);
    call.x[k] = lanes[k];
  }
  call.y = lanes[3];
  function(call);
  return lanes[3][0];
}

}  // namespace staticflow
