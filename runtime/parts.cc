#include "runtime/parts.h"

#include <vector>

namespace staticflow {

bool SumsInParts(const Plan& plan, const Instruction& instruction) {
  if (instruction.kind != InstructionKind::kKernel || !instruction.is_static || instruction.loop != nullptr ||
      instruction.product != nullptr || instruction.outputs.size() != 1) {
    return false;
  }
  const PartsFunction in_parts = instruction.node->op().spec.parts;
  if (in_parts == nullptr) return false;
  std::vector<Shape> inputs;
  for (int value : instruction.inputs) inputs.push_back(plan.values[value].shape);
  return in_parts(*instruction.node, inputs, plan.values[instruction.outputs[0]].shape);
}

}  // namespace staticflow
