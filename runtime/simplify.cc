// Simplify: ops that give one of their operands back are left out.
#include "graph/shape_inference.h"
#include "runtime/pass.h"
#include "runtime/passes.h"

namespace staticflow {
namespace {

class Simplifier {
 public:
  explicit Simplifier(Plan* plan) : plan_(*plan), written_(plan->buffers.size(), false) {
    for (const Instruction& instruction : plan_.instructions) {
      for (int buffer : AccessOfBuffers(plan_, instruction).writes) written_[buffer] = true;
    }
  }

  void Run() {
    std::vector<bool> gone(plan_.instructions.size(), false);
    std::vector<int> replaced(plan_.buffers.size(), -1);  // by the buffer that holds the same
    for (size_t i = 0; i < plan_.instructions.size(); ++i) {
      const Instruction& instruction = plan_.instructions[i];
      // What an earlier instruction was left out for.
      for (int value : instruction.inputs) {
        if (value >= 0 && replaced[BufferOf(value)] >= 0) plan_.values[value].buffer = replaced[BufferOf(value)];
      }
      const int same = OperandGivenBack(instruction);
      if (same < 0) continue;
      replaced[BufferOf(instruction.outputs[0])] = BufferOf(same);
      gone[i] = true;
    }
    for (Value& value : plan_.values) {
      if (replaced[value.buffer] >= 0) value.buffer = replaced[value.buffer];
    }
    RemoveInstructions(gone, &plan_);
  }

 private:
  int BufferOf(int value) const { return plan_.values[value].buffer; }

  // The operand that may stand for the instruction's only result; -1 when there is none.
  int OperandGivenBack(const Instruction& instruction) const {
    if (instruction.kind != InstructionKind::kKernel || !instruction.is_static || instruction.outputs.size() != 1 ||
        instruction.node->op().spec.simplify == nullptr || instruction.node->op().has(kStateful)) {
      return -1;
    }
    std::vector<Shape> shapes;
    std::vector<Tensor> constants(instruction.inputs.size());
    std::vector<const Tensor*> values(instruction.inputs.size(), nullptr);
    for (size_t k = 0; k < instruction.inputs.size(); ++k) {
      const Value& operand = plan_.values[instruction.inputs[k]];
      const Buffer& buffer = plan_.buffers[operand.buffer];
      shapes.push_back(operand.shape);
      if (buffer.kind != BufferKind::kConst || buffer.constant.dtype() != operand.dtype) continue;
      absl::StatusOr<Tensor> constant = buffer.constant.Reshaped(operand.shape);
      if (!constant.ok()) continue;
      constants[k] = *std::move(constant);
      values[k] = &constants[k];
    }
    const int index = instruction.node->op().spec.simplify(ShapeContext(*instruction.node, shapes, values));
    if (index < 0) return -1;
    const int operand = instruction.inputs[index];
    return MayReplace(operand, instruction.outputs[0]) ? operand : -1;
  }

  bool MayReplace(int operand, int result) const {
    const Value &from = plan_.values[operand], &to = plan_.values[result];
    if (!from.is_static || from.dtype != to.dtype || !(from.shape == to.shape)) return false;
    if (plan_.buffers[to.buffer].kind == BufferKind::kVariable) return false;
    // A variable that the step writes may hold something else by the time the result is used.
    return plan_.buffers[from.buffer].kind != BufferKind::kVariable || !written_[from.buffer];
  }

  Plan& plan_;
  std::vector<bool> written_;  // by buffer
};

}  // namespace

void Simplify(Plan* plan) { Simplifier(plan).Run(); }

}  // namespace staticflow
