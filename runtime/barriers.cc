#include "runtime/barriers.h"

#include "runtime/layout.h"
#include "runtime/pass.h"

namespace staticflow {
namespace {

class BarrierSetter {
 public:
  explicit BarrierSetter(Plan* plan) : plan_(*plan) {}

  void Run() {
    std::vector<bool> entered(plan_.instructions.size() + 1, false);
    for (const Instruction& instruction : plan_.instructions) {
      if (instruction.target >= 0) entered[instruction.target] = true;
    }
    bool after_alone = false;
    for (size_t i = 0; i < plan_.instructions.size(); ++i) {
      Instruction& instruction = plan_.instructions[i];
      const bool alone = RunsAlone(instruction);
      const InstructionLayouts layouts = Layouts(instruction);
      // Who jumps here has passed other barriers than who came straight.
      if (entered[i] || alone || after_alone || uses_.Meet(layouts)) {
        instruction.barrier = true;
        uses_.Clear();
      }
      uses_.Note(layouts);
      after_alone = alone;
    }
  }

 private:
  // Changes views that all workers use.
  static bool RunsAlone(const Instruction& instruction) {
    if (instruction.kind == InstructionKind::kJump || instruction.kind == InstructionKind::kCheckVariable) return false;
    return !instruction.is_static || instruction.kind == InstructionKind::kAlias ||
           instruction.kind == InstructionKind::kLoopAssign || instruction.kind == InstructionKind::kLoopNext ||
           instruction.kind == InstructionKind::kFail || !instruction.releases.empty();
  }
  InstructionLayouts Layouts(const Instruction& instruction) const {
    InstructionLayouts layouts;
    if (instruction.kind == InstructionKind::kCheckVariable) {
      const int value = ValueOfVariable(plan_, instruction.variable);
      if (value >= 0) layouts.reads.push_back({FlagOf(plan_.values[value].buffer), Layout()});
      ReadPredicates(instruction.guard, &layouts);
      return layouts;
    }
    if (instruction.kind != InstructionKind::kJump && instruction.kind != InstructionKind::kLoopNext) {
      layouts = LayoutsOf(plan_, instruction, instruction.cuts);
      for (GuardId guard : instruction.merge_guards) ReadPredicates(guard, &layouts);
      for (const VariableSlot* slot : instruction.variables) {
        const int value = slot == nullptr ? -1 : ValueOfVariable(plan_, slot);
        if (value >= 0) layouts.writes.push_back({FlagOf(plan_.values[value].buffer), {.kind = Layout::kFirst}});
      }
      return layouts;
    }
    for (int buffer : AccessOfBuffers(plan_, instruction).reads) layouts.reads.push_back({buffer, Layout()});
    ReadPredicates(instruction.guard, &layouts);
    return layouts;
  }
  // Whether a variable has a value, as a buffer of its own: checks read it, and kernels that get the variable itself
  // may change it. Loops and products change elements alone.
  static int FlagOf(int buffer) { return -1 - buffer; }
  void ReadPredicates(GuardId guard, InstructionLayouts* layouts) const {
    for (Output predicate : plan_.program->guards.Predicates(guard)) {
      auto it = plan_.predicates.find(predicate);
      if (it != plan_.predicates.end() && it->second >= 0) {
        layouts->reads.push_back({plan_.values[it->second].buffer, Layout()});
      }
    }
  }

  Plan& plan_;
  UsesSinceBarrier uses_;
};

}  // namespace

void SetBarriers(Plan* plan) {
  if (plan->workers > 1) BarrierSetter(plan).Run();
}

}  // namespace staticflow
