#include "runtime/calls.h"

#include <algorithm>

#include "runtime/loop.h"
#include "runtime/loop_phases.h"
#include "runtime/pass.h"
#include "runtime/product.h"

namespace staticflow {
namespace {

constexpr int64_t kFloatsPerLine = 16;

// Whether the loop can read its matrices as one long row each.
bool CanFlatten(const LoopProgram& program) {
  return !program.HasLevel(LaneLevel::kRow) && program.HasLevel(LaneLevel::kMatrix);
}

// Whether the loop takes its matrices row by row, so that rows may be padded: where it is divided by columns, or sums.
bool KeepsRows(const Instruction& instruction) {
  const LoopProgram& program = *instruction.loop;
  return program.chunk == 0 && (!instruction.cuts.empty() || !CanFlatten(program));
}

class RowPadder {
 public:
  explicit RowPadder(Plan* plan) : plan_(*plan), blocked_(plan->buffers.size(), false) {}

  void Run() {
    Block();
    std::vector<int64_t> stride(plan_.buffers.size(), 0);
    for (const Value& value : plan_.values) {
      int64_t& s = stride[value.buffer];
      const int64_t wanted = StrideOf(value);
      s = s == 0 || s == wanted ? wanted : -1;
    }
    for (Value& value : plan_.values) {
      Buffer& buffer = plan_.buffers[value.buffer];
      if (stride[value.buffer] <= 0 || blocked_[value.buffer]) continue;
      value.row_stride = stride[value.buffer];
      buffer.bytes = MultiplySizes(value.shape.num_elements() / value.shape.dim(-1), value.row_stride * 4);
    }
  }

 private:
  void BlockValue(int value) {
    if (value >= 0) blocked_[plan_.values[value].buffer] = true;
  }
  void Block() {
    for (size_t b = 0; b < plan_.buffers.size(); ++b) blocked_[b] = plan_.buffers[b].kind != BufferKind::kArena;
    for (int value : plan_.fetch_values) BlockValue(value);
    for (const auto& [predicate, value] : plan_.predicates) BlockValue(value);
    for (const Instruction& instruction : plan_.instructions) {
      const bool strided = instruction.product != nullptr || (instruction.loop != nullptr && KeepsRows(instruction));
      if (strided) continue;
      for (int value : instruction.inputs) BlockValue(value);
      for (int value : instruction.outputs) BlockValue(value);
    }
  }
  // -1 when this value of its buffer forbids padding.
  int64_t StrideOf(const Value& value) const {
    if (!value.is_static || value.dtype != DT_FLOAT || value.shape.rank() < 2) return -1;
    const int64_t columns = value.shape.dim(-1);
    if (columns < kFloatsPerLine || value.shape.num_elements() <= columns) return -1;
    // An odd number of lines: the lines of a column then use all sets of a cache, however wide the matrix is.
    const int64_t lines = (columns + kFloatsPerLine - 1) / kFloatsPerLine | 1;
    return lines * kFloatsPerLine == columns ? -1 : lines * kFloatsPerLine;
  }

  Plan& plan_;
  std::vector<bool> blocked_;
};

// Takes rows of few columns side by side, where they lie without gaps: alone they would not fill a vector.
void FoldRows(const Plan& plan, Instruction* instruction) {
  LoopProgram& program = *instruction->loop;
  if (CanFlatten(program) || !CanDivideByRows(program) || !instruction->cuts.empty()) return;
  if (program.chunk > 0 || program.columns % kLanes == 0) return;
  for (const std::vector<int>* values : {&instruction->inputs, &instruction->outputs}) {
    for (int value : *values) {
      if (plan.values[value].row_stride > 0) return;
    }
  }
  LoopProgram folded = program;
  folded.DivideByRows();
  if (folded.fold() > 1) program.chunk = folded.chunk;
}

// Lets loops overwrite a matrix that nobody reads after them, as far as the order of their steps allows it for nothing.
// Among several workers only those that go by rows, as products and updates do: else its lines would change their
// owners.
class OverwrittenOperands {
 public:
  explicit OverwrittenOperands(Plan* plan) : plan_(*plan), last_(plan->buffers.size(), -1) {
    for (int i = 0; i < Size(); ++i) {
      const BufferAccess access = AccessOfBuffers(plan_, plan_.instructions[i]);
      for (int buffer : access.reads) last_[buffer] = i;
      for (int buffer : access.writes) last_[buffer] = i;
    }
    for (int value : plan_.fetch_values) {
      if (value >= 0) last_[plan_.values[value].buffer] = Size();
    }
  }

  void Run() {
    for (int i = 0; i < Size(); ++i) {
      const Instruction& instruction = plan_.instructions[i];
      if (instruction.loop == nullptr) continue;
      if (plan_.workers == 1 || (instruction.loop->chunk > 0 && !instruction.cuts.empty())) Choose(i);
    }
  }

 private:
  int Size() const { return static_cast<int>(plan_.instructions.size()); }

  void Choose(int i) {
    const Instruction& loop = plan_.instructions[i];
    LoopProgram& program = *loop.loop;
    std::vector<int> made(program.registers.size(), -1), read(program.registers.size(), -1);
    for (int s = 0; s < static_cast<int>(program.steps.size()); ++s) {
      const LoopProgram::Step& step = program.steps[s];
      made[step.y] = s;
      for (int k = 0; k < NumLaneOperands(step.op); ++k) read[step.x[k]] = s;
    }
    for (const LoopProgram::Result& result : program.results) {
      if (made[result.reg] < 0) return;  // copies of operands come last
    }
    std::vector<bool> taken(loop.inputs.size(), false);
    for (size_t r = 0; r < program.results.size(); ++r) {
      LoopProgram::Result& result = program.results[r];
      if (program.level(result.reg) != LaneLevel::kMatrix || result.same_as_input >= 0) continue;
      for (size_t k = 0; k < loop.inputs.size() && result.same_as_input < 0; ++k) {
        const int operand = program.inputs[k];
        if (taken[k] || program.level(operand) != LaneLevel::kMatrix || read[operand] > made[result.reg]) continue;
        if (!MayOverwrite(i, loop.inputs[k], loop.outputs[r])) continue;
        result.same_as_input = static_cast<int>(k);
        taken[k] = true;
      }
    }
  }
  bool MayOverwrite(int i, int from, int to) const {
    const Value &in = plan_.values[from], &out = plan_.values[to];
    if (plan_.buffers[in.buffer].kind != BufferKind::kArena || plan_.buffers[out.buffer].kind != BufferKind::kArena) {
      return false;
    }
    return last_[in.buffer] == i && in.dtype == out.dtype && in.shape == out.shape && in.row_stride == out.row_stride;
  }

  Plan& plan_;
  std::vector<int> last_;  // by buffer: the last instruction that uses it
};

void CompileLoopInstruction(Instruction* instruction) {
  LoopProgram& program = *instruction->loop;
  if (!KeepsRows(*instruction) && CanFlatten(program)) {
    if (program.chunk > 0) {
      for (int64_t& cut : instruction->cuts) cut = std::min(cut * program.chunk, program.rows) * program.columns;
      program.chunk = 0;
    }
    FlattenLoop(&program);
  }
  instruction->split_items = program.items();
  instruction->kernel = CompileLoop(program);
}

}  // namespace

void CompileCalls(Plan* plan) {
  RowPadder(plan).Run();
  OverwrittenOperands(plan).Run();
  for (Instruction& instruction : plan->instructions) {
    if (instruction.loop != nullptr) {
      FoldRows(*plan, &instruction);
      CompileLoopInstruction(&instruction);
    }
    if (instruction.product != nullptr) {
      instruction.split_items = instruction.product->items();
      instruction.kernel = CompileProduct(*instruction.product, plan->values[instruction.inputs[0]].dtype);
    }
  }
}

}  // namespace staticflow
