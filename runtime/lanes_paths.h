// The paths of the lane operations, one per instruction set: what lanes.cc chooses from.
#ifndef STATICFLOW_RUNTIME_LANES_PATHS_H_
#define STATICFLOW_RUNTIME_LANES_PATHS_H_

#include "runtime/lanes.h"

namespace staticflow::internal {

constexpr int LaneOperands(LaneOp op) {
  return op < LaneOp::kAdd || op == LaneOp::kSumRows ? 1 : op < LaneOp::kSelect ? 2 : 3;
}

// REQUIRES for the use of the function: a CPU with the instruction set.
LaneFunction LanePortable(LaneOp op);
LaneFunction LaneAvx2(LaneOp op);
LaneFunction LaneAvx512(LaneOp op);

}  // namespace staticflow::internal

#endif  // STATICFLOW_RUNTIME_LANES_PATHS_H_
