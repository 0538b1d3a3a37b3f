#include "runtime/lane_scalars.h"

#include <algorithm>

namespace staticflow {

float& LaneScalars::Initial(int slot) {
  if (static_cast<size_t>(slot) >= initial_.size()) initial_.resize(slot + 1, 0);
  return initial_[slot];
}

void LaneScalars::Constant(int slot, float value) { Initial(slot) = value; }

void LaneScalars::Operand(int slot, int operand) {
  Initial(slot) = 0;
  operands_.push_back({slot, operand});
}

void LaneScalars::Step(LaneOp op, std::array<int, 3> x, int y) {
  Operation operation{.op = op, .y = y};
  for (int k = 0; k < NumLaneOperands(op); ++k) {
    operation.x[k] = x[k];
    if (k < 2) operation.follows[k] = !operations_.empty() && operations_.back().y == x[k];
  }
  operations_.push_back(operation);
}

float LaneScalars::OnLanes(const Operation& operation, const float* slots) {
  alignas(64) float lanes[4][kLanes];
  LaneCall call;
  for (int k = 0; k < NumLaneOperands(operation.op); ++k) {
    std::fill_n(lanes[k], kLanes, slots[operation.x[k]]);
    call.x[k] = lanes[k];
  }
  call.y = lanes[3];
  LaneFunctionFor(operation.op)(call);
  return lanes[3][0];
}

void LaneScalars::Run(const KernelContext& c, float* slots) const {
  std::copy(initial_.begin(), initial_.end(), slots);
  for (const auto& [slot, operand] : operands_) slots[slot] = *c.in<float>(operand);
  float last = 0;
  for (const Operation& operation : operations_) {
    const float x0 = operation.follows[0] ? last : slots[operation.x[0]];
    const float x1 = operation.follows[1] ? last : slots[operation.x[1]];
    // What is rounded once here is rounded as in a lane.
    switch (operation.op) {
      case LaneOp::kCopy:
        last = x0;
        break;
      case LaneOp::kNeg:
        last = -x0;
        break;
      case LaneOp::kAdd:
        last = x0 + x1;
        break;
      case LaneOp::kSub:
        last = x0 - x1;
        break;
      case LaneOp::kMul:
        last = x0 * x1;
        break;
      case LaneOp::kDiv:
        last = x0 / x1;
        break;
      default:
        last = OnLanes(operation, slots);
    }
    slots[operation.y] = last;
  }
}

}  // namespace staticflow
