// The paths of the lane operations, one per instruction set: what lanes.cc chooses from.
#ifndef STATICFLOW_RUNTIME_LANES_PATHS_H_
#define STATICFLOW_RUNTIME_LANES_PATHS_H_

#include "runtime/lane_pairs.h"
#include "runtime/lanes.h"

namespace staticflow::internal {

constexpr int LaneOperands(LaneOp op) {
  return op < LaneOp::kAdd || op == LaneOp::kSumRows ? 1 : op < LaneOp::kSelect ? 2 : 3;
}

constexpr int LaneOperands(LanePair pair) { return pair < LanePair::kSqrtAdd ? 3 : 2; }

// REQUIRES for the use of the function: a CPU with the instruction set.
LaneFunction LanePortable(LaneOp op);
LaneFunction LaneAvx2(LaneOp op);
LaneFunction LaneAvx512(LaneOp op);
LaneFunction LanePortable(LanePair pair);
LaneFunction LaneAvx2(LanePair pair);
LaneFunction LaneAvx512(LanePair pair);

}  // namespace staticflow::internal

#endif  // STATICFLOW_RUNTIME_LANES_PATHS_H_
