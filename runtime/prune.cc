// Prune: once constants are folded, some results have no reader left.
#include "absl/container/flat_hash_set.h"
#include "runtime/pass.h"
#include "runtime/passes.h"

namespace staticflow {
namespace {

// Nodes that must run although nobody may read their results: targets, and what other nodes wait for.
absl::flat_hash_set<const Node*> AwaitedNodes(const Program& program) {
  absl::flat_hash_set<const Node*> awaited;
  for (const Operation& target : program.signature.targets) awaited.insert(target.node());
  for (const ProgramItem& item : program.items) {
    if (item.node == nullptr) continue;
    for (const Node* control : item.node->control_inputs()) awaited.insert(control);
  }
  return awaited;
}

}  // namespace

void Prune(Plan* plan) {
  const absl::flat_hash_set<const Node*> awaited = AwaitedNodes(*plan->program);
  std::vector<int> readers = CountReaders(*plan);
  std::vector<bool> gone(plan->instructions.size(), false);
  for (size_t i = plan->instructions.size(); i-- > 0;) {
    const Instruction& instruction = plan->instructions[i];
    if (instruction.kind != InstructionKind::kKernel || !instruction.is_static || instruction.outputs.empty() ||
        instruction.node->op().has(kStateful) || instruction.node->op().has(kAlwaysRuns) ||
        awaited.contains(instruction.node)) {
      continue;
    }
    const BufferAccess access = AccessOfBuffers(*plan, instruction);
    bool read = false;
    for (int buffer : access.writes) read |= readers[buffer] > 0;
    if (read) continue;
    gone[i] = true;
    for (int buffer : access.reads) --readers[buffer];
  }
  RemoveInstructions(gone, plan);
}

}  // namespace staticflow
