// Placement: where the steps of a loop find their operands and put their results. Inside runtime/loop_nest.cc.
#ifndef STATICFLOW_RUNTIME_LOOP_PLACEMENT_H_
#define STATICFLOW_RUNTIME_LOOP_PLACEMENT_H_

#include <array>
#include <vector>

#include "runtime/loop.h"

namespace staticflow {

// Where a step finds an operand or puts its result.
struct Place {
  enum Kind : uint8_t { kSlot, kOperand, kResult };
  Kind kind = kSlot;
  LaneLevel level = LaneLevel::kScalar;
  int index = -1;  // of the slot among those of its level, of the operand, or of the result
};

// Gives every register its place.
class Placement {
 public:
  explicit Placement(LoopProgram* program) : program_(*program) {
    DropUnusedSteps();
    GiveResultsTheirSteps();
    Assign();
  }

  const Place& place(int reg) const { return places_[reg]; }
  int num_slots(LaneLevel level) const { return num_slots_[static_cast<int>(level)]; }

 private:
  int Size() const { return static_cast<int>(program_.steps.size()); }
  std::vector<int> MadeBy() const {
    std::vector<int> made(program_.registers.size(), -1);
    for (int s = 0; s < Size(); ++s) made[program_.steps[s].y] = s;
    return made;
  }
  void DropUnusedSteps();
  void GiveResultsTheirSteps();
  void Assign();
  int NewSlot(LaneLevel level) {
    std::vector<int>& free = free_[static_cast<int>(level)];
    if (free.empty()) return num_slots_[static_cast<int>(level)]++;
    const int slot = free.back();
    free.pop_back();
    return slot;
  }

  LoopProgram& program_;
  std::vector<Place> places_;
  std::array<int, 3> num_slots_ = {};
  std::array<std::vector<int>, 3> free_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_LOOP_PLACEMENT_H_
