#include "runtime/parts.h"

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace staticflow {
namespace {

// Filled before main() and read-only from then on, as the registry of ops.
absl::flat_hash_map<std::string, PartsFunction>& PartsFunctions() {
  static auto& functions = *new absl::flat_hash_map<std::string, PartsFunction>;
  return functions;
}

}  // namespace

PartsRegistrar::PartsRegistrar(absl::string_view op_type, PartsFunction in_parts) {
  PartsFunctions()[std::string(op_type)] = in_parts;
}

bool SumsInParts(const Plan& plan, const Instruction& instruction) {
  if (instruction.kind != InstructionKind::kKernel || !instruction.is_static || instruction.loop != nullptr ||
      instruction.product != nullptr || instruction.outputs.size() != 1) {
    return false;
  }
  auto it = PartsFunctions().find(instruction.node->type());
  if (it == PartsFunctions().end()) return false;
  std::vector<Shape> inputs;
  for (int value : instruction.inputs) inputs.push_back(plan.values[value].shape);
  return it->second(*instruction.node, inputs, plan.values[instruction.outputs[0]].shape);
}

}  // namespace staticflow
