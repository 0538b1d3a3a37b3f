#include "runtime/loop_pairs.h"

#include <algorithm>

namespace staticflow {

StepPairs::StepPairs(const LoopProgram& program) : program_(program) {
  made_.assign(program.registers.size(), -1);
  uses_.assign(program.registers.size(), 0);
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const LoopProgram::Step& step = program.steps[s];
    made_[step.y] = static_cast<int>(s);
    for (int k = 0; k < NumLaneOperands(step.op); ++k) ++uses_[step.x[k]];
  }
  for (const LoopProgram::Result& result : program.results) ++uses_[result.reg];
}

std::optional<StepPairs::Pair> StepPairs::Find(int second) const {
  const LoopProgram::Step& then = program_.steps[second];
  const int operands = NumLaneOperands(then.op);
  for (int k = 0; k < operands && program_.level(then.y) != LaneLevel::kScalar; ++k) {
    const int between = then.x[k];
    if (made_[between] < 0 || uses_[between] != 1 || program_.level(between) != program_.level(then.y)) continue;
    const LoopProgram::Step& first = program_.steps[made_[between]];
    const std::optional<LanePair> op = FindLanePair(first.op, then.op, k);
    if (!op.has_value()) continue;
    Pair pair{.op = *op, .x = first.x, .first = made_[between]};
    if (operands == 2) pair.x[NumLaneOperands(first.op)] = then.x[1 - k];
    return pair;
  }
  return std::nullopt;
}

std::optional<StepPairs::Pair> StepPairs::Extend(const Pair& pair, int third) const {
  if (third >= static_cast<int>(program_.steps.size())) return std::nullopt;
  const LoopProgram::Step &second = program_.steps[third - 1], &then = program_.steps[third];
  const std::optional<LanePair> op = FindLanePair(pair.op, then.op);
  if (!op.has_value() || then.x[0] != second.y || uses_[second.y] != 1) return std::nullopt;
  return Pair{.op = *op, .x = pair.x, .first = pair.first};
}

void BringPairsTogether(LoopProgram* program) {
  const StepPairs pairs(*program);
  const int n = static_cast<int>(program->steps.size());
  std::vector<int> before(n, -1);  // by step: the one that comes right before it
  std::vector<bool> paired(n, false);
  for (int s = 0; s < n; ++s) {
    const std::optional<StepPairs::Pair> pair = pairs.Find(s);
    if (!pair.has_value() || paired[pair->first]) continue;
    before[s] = pair->first;
    paired[s] = paired[pair->first] = true;
  }
  std::vector<LoopProgram::Step> steps;
  for (int s = 0; s < n; ++s) {
    if (paired[s] && before[s] < 0) continue;
    if (before[s] >= 0) steps.push_back(program->steps[before[s]]);
    steps.push_back(program->steps[s]);
  }
  program->steps = std::move(steps);
}

}  // namespace staticflow
