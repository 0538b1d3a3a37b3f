#include "runtime/ask_ahead.h"

#include "absl/container/flat_hash_set.h"
#include "runtime/pass.h"
#include "runtime/product.h"

namespace staticflow {

void AskAhead(Plan* plan) {
  absl::flat_hash_set<int> written;  // buffers of variables, whose lines are where they were written in the last step
  for (const Instruction& instruction : plan->instructions) {
    for (int buffer : AccessOfBuffers(*plan, instruction).writes) {
      if (plan->buffers[buffer].kind == BufferKind::kVariable) written.insert(buffer);
    }
  }
  Instruction* before = nullptr;
  for (Instruction& instruction : plan->instructions) {
    if (instruction.product == nullptr) continue;
    const int weights = instruction.inputs[1];
    const bool needs_all = !instruction.cuts.empty() && instruction.product->split == ProductCall::Split::kRows;
    // What all have read once stays in their caches until it is written.
    if (needs_all && written.erase(plan->values[weights].buffer) > 0 && before != nullptr && !before->cuts.empty()) {
      before->ahead = weights;
    }
    before = &instruction;
  }
}

}  // namespace staticflow
