#include "runtime/loop_placement.h"

#include <algorithm>

namespace staticflow {

// Hooks write down all results of their op, wanted or not.
void Placement::DropUnusedSteps() {
  std::vector<bool> used(program_.registers.size(), false);
  for (const LoopProgram::Result& result : program_.results) used[result.reg] = true;
  std::vector<LoopProgram::Step> kept;
  for (int s = Size() - 1; s >= 0; --s) {
    const LoopProgram::Step& step = program_.steps[s];
    if (!used[step.y]) continue;
    for (int k = 0; k < NumLaneOperands(step.op); ++k) used[step.x[k]] = true;
    kept.push_back(step);
  }
  program_.steps.assign(kept.rbegin(), kept.rend());
}

// Afterwards each result has a register of its own, made by a step that may write to the result's memory: a copy at the
// end where the register is an operand, is wanted twice, or would overwrite an operand that is still read.
void Placement::GiveResultsTheirSteps() {
  const std::vector<int> made = MadeBy();
  std::vector<int> last(program_.registers.size(), -1);
  for (int s = 0; s < Size(); ++s) {
    for (int k = 0; k < NumLaneOperands(program_.steps[s].op); ++k) last[program_.steps[s].x[k]] = s;
  }
  for (const LoopProgram::Result& result : program_.results) {
    if (made[result.reg] < 0) last[result.reg] = Size();
  }
  std::vector<bool> taken(program_.registers.size(), false);
  std::vector<int> from_operand, kept_back;
  for (size_t i = 0; i < program_.results.size(); ++i) {
    const int reg = program_.results[i].reg, same = program_.results[i].same_as_input;
    if (program_.level(reg) == LaneLevel::kScalar) continue;
    if (made[reg] < 0) {
      from_operand.push_back(static_cast<int>(i));
    } else if (taken[reg] || (same >= 0 && last[program_.inputs[same]] > made[reg])) {
      kept_back.push_back(static_cast<int>(i));
    } else {
      taken[reg] = true;
    }
  }
  // An operand that becomes what another operand was: the copy of the one must not come before that of the other.
  const auto replaces_another = [&](int i) {
    const int reg = program_.results[i].reg, same = program_.results[i].same_as_input;
    return same >= 0 && program_.inputs[same] != reg;
  };
  for (int i : from_operand) {
    if (!replaces_another(i)) continue;
    program_.results[i].reg = program_.AddStep(LaneOp::kCopy, {program_.results[i].reg, -1, -1});
    kept_back.push_back(i);
  }
  from_operand.erase(std::remove_if(from_operand.begin(), from_operand.end(), replaces_another), from_operand.end());
  for (const std::vector<int>* results : {&from_operand, &kept_back}) {
    for (int i : *results) program_.results[i].reg = program_.AddStep(LaneOp::kCopy, {program_.results[i].reg, -1, -1});
  }
}

void Placement::Assign() {
  places_.resize(program_.registers.size());
  std::vector<int> last(program_.registers.size(), -1);
  for (int s = 0; s < Size(); ++s) {
    const LoopProgram::Step& step = program_.steps[s];
    for (int k = 0; k < NumLaneOperands(step.op); ++k) {
      // Scalars are computed once and serve all strips.
      const bool serves_strips = program_.level(step.y) != LaneLevel::kScalar;
      if (program_.level(step.x[k]) == LaneLevel::kScalar && serves_strips) last[step.x[k]] = Size();
      last[step.x[k]] = std::max(last[step.x[k]], s);
    }
  }
  for (size_t r = 0; r < places_.size(); ++r) {
    const LoopProgram::Register& reg = program_.registers[r];
    places_[r].level = reg.level;
    if (reg.input >= 0 && reg.level != LaneLevel::kScalar) {
      places_[r] = {.kind = Place::kOperand, .level = reg.level, .index = reg.input};
    } else if (reg.input >= 0 || reg.is_constant) {
      places_[r].index = NewSlot(LaneLevel::kScalar);
      last[r] = Size();
    }
  }
  for (size_t i = 0; i < program_.results.size(); ++i) {
    const int reg = program_.results[i].reg;
    last[reg] = Size();
    if (program_.level(reg) == LaneLevel::kScalar) continue;
    places_[reg] = {.kind = Place::kResult, .level = program_.level(reg), .index = static_cast<int>(i)};
  }
  for (int s = 0; s < Size(); ++s) {
    const LoopProgram::Step& step = program_.steps[s];
    // An operand's slot may serve the result: a step reads an element before it writes it.
    for (int k = 0; k < NumLaneOperands(step.op); ++k) {
      const int x = step.x[k];
      const bool seen = std::find(step.x.begin(), step.x.begin() + k, x) != step.x.begin() + k;
      if (places_[x].kind == Place::kSlot && last[x] == s && !seen) {
        free_[static_cast<int>(places_[x].level)].push_back(places_[x].index);
      }
    }
    if (places_[step.y].kind == Place::kSlot) places_[step.y].index = NewSlot(program_.level(step.y));
  }
}

}  // namespace staticflow
