#include "runtime/loop_writer.h"

#include <algorithm>
#include <bit>

#include "runtime/pass.h"

namespace staticflow {

Space SpaceOf(const Plan& plan, const Instruction& instruction, absl::Span<const int> operands) {
  const Shape* largest = nullptr;
  const auto see = [&](int value) {
    const Shape& shape = plan.values[value].shape;
    if (largest == nullptr || shape.num_elements() > largest->num_elements()) largest = &shape;
  };
  // Results first: of equal sizes, theirs says how operands are broadcast.
  for (int value : instruction.outputs) see(value);
  for (int value : operands) see(value);
  Space space;
  if (largest == nullptr || largest->rank() == 0) return space;
  space.columns = largest->dim(-1);
  space.rows = space.columns == 0 ? 0 : largest->num_elements() / space.columns;
  return space;
}

std::optional<float> UniformConstant(const Plan& plan, int value) {
  const Buffer& buffer = plan.buffers[plan.values[value].buffer];
  if (buffer.kind != BufferKind::kConst || buffer.constant.dtype() != DT_FLOAT) return std::nullopt;
  const absl::Span<const float> elements = buffer.constant.flat<float>();
  if (elements.empty()) return std::nullopt;
  for (float e : elements) {
    // By bits: 0 and -0 differ.
    if (std::bit_cast<uint32_t>(e) != std::bit_cast<uint32_t>(elements[0])) return std::nullopt;
  }
  return elements[0];
}

UniformBuffers FindUniformBuffers(const Plan& plan) {
  UniformBuffers uniform;
  for (const Instruction& instruction : plan.instructions) {
    const bool shape_only = instruction.kind == InstructionKind::kKernel && instruction.node != nullptr &&
                            instruction.node->op().has(kShapeOnly);
    if (!shape_only || !MayLoop(plan, instruction) || instruction.outputs.size() != 1) continue;
    const Space space = SpaceOf(plan, instruction, instruction.inputs);
    LoopWriter alone(plan, space, uniform);
    if (space.rows <= 0 || space.columns <= 0 || !alone.Add(instruction)) continue;
    const std::optional<float> constant = alone.ConstantResult();
    if (constant.has_value()) uniform[plan.values[instruction.outputs[0]].buffer] = *constant;
  }
  return uniform;
}

void DropUnreadUniforms(const UniformBuffers& uniform, Plan* plan) {
  const std::vector<int> readers = CountReaders(*plan);
  std::vector<bool> unread(plan->instructions.size(), false);
  for (size_t i = 0; i < unread.size(); ++i) {
    if (plan->instructions[i].outputs.size() != 1) continue;
    const int buffer = plan->values[plan->instructions[i].outputs[0]].buffer;
    unread[i] = uniform.contains(buffer) && readers[buffer] == 0;
  }
  RemoveInstructions(unread, plan);
}

bool MayLoop(const Plan& plan, const Instruction& instruction) {
  const bool copy = instruction.kind == InstructionKind::kCopy;
  if (!copy && (instruction.kind != InstructionKind::kKernel || instruction.loop != nullptr ||
                instruction.product != nullptr || instruction.node->op().spec.loop == nullptr)) {
    return false;
  }
  if (!instruction.is_static) return false;
  for (int value : instruction.inputs) {
    if (value < 0 || !plan.values[value].is_static) return false;
  }
  for (VariableSlot* variable : instruction.variables) {
    if (variable != nullptr && ValueOfVariable(plan, variable) < 0) return false;
  }
  return true;
}

std::vector<int> LoopWriter::Operands(const Plan& plan, const Instruction& instruction) {
  std::vector<int> operands = instruction.inputs;
  for (size_t i = 0; i < instruction.variables.size(); ++i) {
    if (instruction.variables[i] == nullptr) continue;
    if (plan.values[operands[i]].dtype == DT_RESOURCE) {
      operands[i] = ValueOfVariable(plan, instruction.variables[i]);
    }
  }
  return operands;
}

std::optional<int> LoopWriter::Read(int value) {
  const Value& v = plan_.values[value];
  auto uniform = uniform_.find(v.buffer);
  const std::optional<float> constant =
      uniform != uniform_.end() ? std::optional<float>(uniform->second) : UniformConstant(plan_, value);
  if (constant.has_value()) return program_.AddConstant(*constant);
  const std::optional<LaneLevel> level = LevelIn(v.shape, program_.rows, program_.columns);
  if (!level.has_value()) return std::nullopt;
  auto it = held_.find(v.buffer);
  if (it != held_.end()) {
    if (it->second.level == *level) return it->second.reg;
    return std::nullopt;  // one memory seen as a row and as a matrix
  }
  if (v.dtype != DT_FLOAT && !any_truth_values_) return std::nullopt;
  const int reg = program_.AddInput(*level);
  held_[v.buffer] = {.reg = reg, .value = value, .level = *level, .operand = static_cast<int>(operand_values_.size())};
  operand_values_.push_back(value);
  return reg;
}

bool LoopWriter::Write(int value, int reg) {
  const Value& v = plan_.values[value];
  const std::optional<LaneLevel> level = LevelIn(v.shape, program_.rows, program_.columns);
  // A scalar or a row may stand for a matrix of which all rows are the same.
  if (!level.has_value() || reg < 0 || program_.level(reg) > *level) return false;
  Held& held = held_[v.buffer];
  if (held.reg >= 0 && held.level != *level) return false;
  if (!held.written) order_.push_back(v.buffer);
  held = {.reg = reg,
          .value = held.value >= 0 ? held.value : value,
          .level = *level,
          .operand = held.operand,
          .written = true};
  return true;
}

bool LoopWriter::Add(const Instruction& instruction) {
  const std::vector<int> operands = Operands(plan_, instruction);
  std::vector<Shape> shapes;
  std::vector<const Tensor*> values;
  std::vector<int> registers;
  for (int value : operands) {
    const Buffer& buffer = plan_.buffers[plan_.values[value].buffer];
    shapes.push_back(plan_.values[value].shape);
    values.push_back(buffer.kind == BufferKind::kConst ? &buffer.constant : nullptr);
    // Operands of other types (axes of a reduction) are the hook's business, as values.
    const DataType dtype = plan_.values[value].dtype;
    if (dtype != DT_FLOAT && dtype != DT_BOOL) {
      if (values.back() == nullptr) return false;
      registers.push_back(-1);
      continue;
    }
    // Empty: statistics that a batch normalization in training is not given.
    const std::optional<int> reg = shapes.back().num_elements() == 0 ? -1 : Read(value);
    if (!reg.has_value()) return false;
    registers.push_back(*reg);
  }
  if (instruction.kind == InstructionKind::kCopy) {
    return Write(instruction.outputs[0], program_.AddStep(LaneOp::kCopy, {registers[0], -1, -1}));
  }
  LoopContext context(*instruction.node, shapes, values, registers, &program_);
  if (!instruction.node->op().spec.loop(context)) return false;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (context.variables()[i] >= 0 && !Write(operands[i], context.variables()[i])) return false;
  }
  for (size_t i = 0; i < instruction.outputs.size(); ++i) {
    const bool is_reference = plan_.buffers[plan_.values[instruction.outputs[i]].buffer].kind == BufferKind::kVariable;
    if (is_reference || plan_.values[instruction.outputs[i]].shape.num_elements() == 0) continue;
    if (!Write(instruction.outputs[i], context.outputs()[i])) return false;
  }
  return true;
}

bool LoopWriter::Finish(const std::function<bool(int)>& wanted, Instruction* loop) {
  loop->inputs = operand_values_;
  for (int buffer : order_) {
    const Held& held = held_.at(buffer);
    const bool variable = plan_.buffers[buffer].kind == BufferKind::kVariable;
    if (!variable && !wanted(buffer)) continue;
    if (plan_.values[held.value].dtype != DT_FLOAT) return false;
    if (program_.level(held.reg) < held.level || program_.registers[held.reg].is_constant) {
      if (plan_.buffers[buffer].kind == BufferKind::kVariable) return false;
      const int everywhere = program_.AddStep(LaneOp::kCopy, {held.reg, -1, -1});
      program_.registers[everywhere].level = held.level;
      program_.results.push_back({.reg = everywhere});
      loop->outputs.push_back(held.value);
      continue;
    }
    program_.results.push_back({.reg = held.reg, .same_as_input = held.operand});
    loop->outputs.push_back(held.value);
  }
  loop->loop = std::make_shared<LoopProgram>(std::move(program_));
  return true;
}

}  // namespace staticflow
