#include "runtime/buffer_uses.h"

#include <algorithm>

#include "runtime/loop.h"
#include "runtime/pass.h"

namespace staticflow {
namespace {

// Whether a loop or a kernel updates rows of a variable that are worth sharing.
bool UpdatesRows(const Plan& plan, const Instruction& update) {
  const bool kernel = update.loop == nullptr && update.product == nullptr && !update.variables.empty();
  if (update.outputs.empty() || (update.loop == nullptr && !kernel)) return false;
  const Shape& shape = plan.values[update.outputs[0]].shape;
  const int64_t rows = update.loop != nullptr ? update.loop->rows : shape.rank() < 2 ? 1 : shape.dim(0);
  return rows >= kLeastOwnedRows && std::any_of(update.outputs.begin(), update.outputs.end(), [&](int value) {
           return plan.buffers[plan.values[value].buffer].kind == BufferKind::kVariable;
         });
}

}  // namespace

BufferUses FindBufferUses(const Plan& plan, absl::Span<const double> work) {
  BufferUses uses;
  absl::flat_hash_map<int, double> makers;  // by buffer: the work of who wrote it last, of loops 0
  for (size_t i = 0; i < plan.instructions.size(); ++i) {
    const Instruction& instruction = plan.instructions[i];
    const BufferAccess access = AccessOfBuffers(plan, instruction);
    double most = instruction.product != nullptr ? work[i] : 0;
    for (int buffer : access.reads) {
      auto it = instruction.product != nullptr ? makers.end() : makers.find(buffer);
      if (it != makers.end()) most = std::max(most, it->second);
    }
    if (most == 0) most = work[i];
    for (int buffer : access.writes) {
      makers[buffer] = instruction.loop == nullptr ? work[i] : 0;
      uses.written[buffer] = std::max(uses.written[buffer], most);
    }
    const bool sums = instruction.loop != nullptr && instruction.loop->SumsRows();
    if (!sums && !UpdatesRows(plan, instruction)) continue;
    auto& read = sums && instruction.loop->chunk == 0 ? uses.by_columns : uses.by_rows;
    for (int value : instruction.inputs) {
      if (value >= 0) read.insert(plan.values[value].buffer);
    }
  }
  return uses;
}

}  // namespace staticflow
