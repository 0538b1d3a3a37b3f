// CompileLoopCopies: the values of known shape that a loop carries around.
#include <algorithm>
#include <cstring>

#include "runtime/calls.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

// Input `i` of an instruction becomes output `i`. What another copy overwrites goes by way of scratch memory.
struct LoopCopy {
  int i = 0;
  int64_t bytes = 0;
  int64_t staged_at = -1;  // in the scratch memory
};

std::vector<LoopCopy> CopiesOf(const Plan& plan, const Instruction& instruction, int64_t* scratch_bytes) {
  const int n = static_cast<int>(instruction.inputs.size());
  std::vector<LoopCopy> copies;
  for (int i = 0; i < n; ++i) {
    const Value& to = plan.values[instruction.outputs[i]];
    const int from = plan.values[instruction.inputs[i]].buffer;
    if (!to.is_static || from == to.buffer) continue;
    const bool is_overwritten = std::any_of(instruction.outputs.begin(), instruction.outputs.end(),
                                            [&](int value) { return plan.values[value].buffer == from; });
    LoopCopy copy{.i = i, .bytes = to.shape.num_elements() * DataTypeSize(to.dtype)};
    if (is_overwritten) copy.staged_at = *scratch_bytes;
    if (is_overwritten) *scratch_bytes += copy.bytes;
    copies.push_back(copy);
  }
  return copies;
}

Kernel CopyKernel(std::vector<LoopCopy> copies, int64_t scratch_bytes) {
  return [copies = std::move(copies), scratch_bytes](KernelContext& c) -> absl::Status {
    char* scratch = nullptr;
    if (scratch_bytes > 0) {
      SF_ASSIGN_OR_RETURN(scratch, c.Scratch<char>(scratch_bytes));
      for (const LoopCopy& copy : copies) {
        if (copy.staged_at >= 0 && copy.bytes > 0)
          std::memcpy(scratch + copy.staged_at, c.input(copy.i).data, copy.bytes);
      }
    }
    for (const LoopCopy& copy : copies) {
      const void* from = copy.staged_at >= 0 ? scratch + copy.staged_at : c.input(copy.i).data;
      if (copy.bytes > 0) std::memcpy(c.output(copy.i).data, from, copy.bytes);
    }
    return absl::OkStatus();
  };
}

}  // namespace

void CompileLoopCopies(Plan* plan) {
  for (Instruction& instruction : plan->instructions) {
    if (instruction.kind != InstructionKind::kLoopAssign && instruction.kind != InstructionKind::kLoopNext) continue;
    int64_t scratch_bytes = 0;
    std::vector<LoopCopy> copies = CopiesOf(*plan, instruction, &scratch_bytes);
    instruction.kernel = CopyKernel(std::move(copies), scratch_bytes);
  }
}

}  // namespace staticflow
