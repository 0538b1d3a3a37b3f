// The scalars of a loop, such as what all elements of an update are multiplied by: computed once, before the strips,
// with the bits that a strip of them gives. Inside runtime/loop_nest.cc.
//
//   scalars.Constant(0, 2.0f);  scalars.Operand(1, 0);       // slot 0 holds 2, slot 1 operand 0
//   scalars.Step(LaneOp::kMul, {0, 1}, 2);                   // slot 2 = slot 0 * slot 1
//   scalars.Run(c, slots);
//
// Thread-safety: Run may be called at the same time on different slots.
#ifndef STATICFLOW_RUNTIME_LANE_SCALARS_H_
#define STATICFLOW_RUNTIME_LANE_SCALARS_H_

#include <array>
#include <utility>
#include <vector>

#include "runtime/kernel.h"
#include "runtime/lanes.h"

namespace staticflow {

class LaneScalars {
 public:
  // What a slot holds before the first step. REQUIRES: such slots come before all that steps write.
  void Constant(int slot, float value);
  void Operand(int slot, int operand);
  // slot y = op(slots x).
  void Step(LaneOp op, std::array<int, 3> x, int y);

  // Computes all slots; `c` has the loop's operands.
  void Run(const KernelContext& c, float* slots) const;

 private:
  struct Operation {
    LaneOp op = LaneOp::kCopy;
    // Whether operands 0 and 1 are what the operation before gave: a chain of them does not wait for memory.
    std::array<bool, 2> follows = {};
    std::array<int, 3> x = {};
    int y = 0;
  };

  float& Initial(int slot);
  static float OnLanes(const Operation& operation, const float* slots);

  std::vector<float> initial_;
  std::vector<std::pair<int, int>> operands_;  // slots and operands
  std::vector<Operation> operations_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_LANE_SCALARS_H_
