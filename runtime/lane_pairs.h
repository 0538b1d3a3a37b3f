// LanePair: two lane operations, one after the other, in one pass over a strip; or a pair and a third one.
//
//   m * c + n     LanePair::kMulAdd: LaneOp::kMul into memory, LaneOp::kAdd from there, at the price of one of them
//
// Each is rounded, so that the bits are those of single calls. Which pairs there are is a matter of what loops
// consist of: update rules, normalizations, sums. Thread-safety: as lanes.
#ifndef STATICFLOW_RUNTIME_LANE_PAIRS_H_
#define STATICFLOW_RUNTIME_LANE_PAIRS_H_

#include <array>
#include <cstdint>
#include <optional>

#include "runtime/lanes.h"

namespace staticflow {

enum class LanePair : uint8_t {
  kMulAdd,      // x0 * x1 + x2
  kMulSub,      // x0 * x1 - x2
  kMulSubFrom,  // x2 - x0 * x1
  kDivSubFrom,  // x2 - x0 / x1
  kSubMul,      // (x0 - x1) * x2
  kAddAdd,      // (x0 + x1) + x2
  kMulAddRelu,  // max(x0 * x1 + x2, 0): kMulAdd, then kRelu
  kSqrtAdd,     // sqrt(x0) + x1
  kAddRelu,     // max(x0 + x1, 0)
  kCount,
};

// The pair that computes `second` of the result of `first` as its operand `at`; nullopt when there is none.
std::optional<LanePair> FindLanePair(LaneOp first, LaneOp second, int at);
// The same for an operation of one operand that comes after a pair.
std::optional<LanePair> FindLanePair(LanePair first, LaneOp second);

// How many operands a pair takes: those of the first operation, then the other one of the second.
int NumLaneOperands(LanePair pair);

// The implementation for this process's CPU, and the others for tests.
LaneFunction LaneFunctionFor(LanePair pair);
LaneFunction LaneFunctionOn(LanePath path, LanePair pair);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_LANE_PAIRS_H_
