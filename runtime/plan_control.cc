// PlanBuilder: guards, merges and loops.
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "runtime/plan_builder.h"

namespace staticflow {

std::optional<bool> PlanBuilder::ValueOfPredicate(Output predicate) {
  auto feed = program_.feed_index.find(predicate);
  for (const auto& [index, value] : plan_->feed_predicates) {
    if (feed != program_.feed_index.end() && feed->second == index) return value;
  }
  absl::StatusOr<int> value = ValueOf(predicate);
  const Tensor* constant = value.ok() ? ConstOf(*value) : nullptr;
  if (constant == nullptr || constant->dtype() != DT_BOOL || constant->num_elements() != 1) return std::nullopt;
  return constant->scalar<bool>();
}

void PlanBuilder::CloseGuard() {
  if (open_jump_ >= 0) plan_->instructions[open_jump_].target = static_cast<int>(plan_->instructions.size());
  open_jump_ = -1;
  open_guard_ = GuardTable::kAlways;
}

Instruction& PlanBuilder::Append(GuardId guard, Instruction instruction) {
  if (guard != open_guard_) {
    CloseGuard();
    if (guard != GuardTable::kAlways) {
      open_jump_ = static_cast<int>(plan_->instructions.size());
      plan_->instructions.push_back({.kind = InstructionKind::kJump, .guard = guard});
      for (Output predicate : program_.guards.Predicates(guard)) {
        absl::StatusOr<int> value = ValueOf(predicate);
        SF_CHECK(value.ok());
        plan_->predicates[predicate] = *value;
      }
      open_guard_ = guard;
    }
  }
  instruction.guard = guard;
  plan_->instructions.push_back(std::move(instruction));
  return plan_->instructions.back();
}

void PlanBuilder::CheckInitialized(GuardId guard, const Node& node, VariableSlot* variable) {
  std::vector<GuardId>& checked = checked_[variable];
  for (GuardId known : checked) {
    if (program_.guards.Implies(guard, known)) return;
  }
  checked.push_back(guard);
  Append(guard, {.kind = InstructionKind::kCheckVariable, .node = &node, .variable = variable});
}

// What a loop carries around keeps its place when its shape is known and stays the same. Else it is a tensor of the
// step.
absl::Status PlanBuilder::EmitLoopBegin(const ProgramItem& item) {
  Instruction assign{.kind = InstructionKind::kLoopAssign, .node = item.merges[0]};
  for (Node* merge : item.merges) {
    SF_ASSIGN_OR_RETURN(const int entering, ValueOf(merge->input(0)));
    if (entering < 0) {
      return absl::InvalidArgumentError(absl::StrCat(merge->DebugName(), ": what enters the loop never exists"));
    }
    if (BufferOf(entering).kind == BufferKind::kVariable) {
      CheckInitialized(item.guard, *merge, BufferOf(entering).variable);
    }
    const DataType dtype = merge->output_dtype(0);
    const bool stays = plan_->values[entering].is_static && !IsObject(dtype) && !loop_shapes_.MayChange(*merge);
    const int carried = stays ? NewResult(dtype, plan_->values[entering].shape)
                              : NewValue(dtype, Shape::Unknown(), {.kind = BufferKind::kDynamic});
    has_static_loops_ |= stays;
    assign.is_static &= stays;
    values_[merge->output(0)] = carried;
    assign.inputs.push_back(entering);
    assign.outputs.push_back(carried);
  }
  Append(item.guard, std::move(assign));
  CloseGuard();
  loop_heads_.push_back(static_cast<int>(plan_->instructions.size()));
  return absl::OkStatus();
}

absl::Status PlanBuilder::EmitLoopEnd(const ProgramItem& item) {
  Instruction next{.kind = InstructionKind::kLoopNext, .node = item.merges[0]};
  for (Node* merge : item.merges) {
    SF_ASSIGN_OR_RETURN(const int value, ValueOf(merge->input(1)));
    if (value < 0) {
      return absl::InvalidArgumentError(absl::StrCat(merge->DebugName(), ": its NextIteration never exists"));
    }
    const int carried = values_.at(merge->output(0));
    const bool stays = plan_->values[carried].is_static;
    if (stays && !(ShapeOf(value) == plan_->values[carried].shape)) loop_shapes_.changing.insert(merge);
    next.is_static &= stays;
    next.inputs.push_back(value);
    next.outputs.push_back(carried);
  }
  next.target = loop_heads_.back();
  Append(item.guard, std::move(next));
  plan_->loops.push_back({loop_heads_.back(), static_cast<int>(plan_->instructions.size()) - 1});
  loop_heads_.pop_back();
  CloseGuard();
  return absl::OkStatus();
}

absl::Status PlanBuilder::EmitMerge(const ProgramItem& item) {
  const Node& node = *item.node;
  if (values_.contains(node.output(0))) return absl::OkStatus();  // a loop's: set where the loop begins
  // The branch is known: its value is the result, a variable's as it is now if the step may change it.
  for (int i = 0; i < node.num_inputs(); ++i) {
    if (item.input_guards[i] != GuardTable::kAlways) continue;
    SF_ASSIGN_OR_RETURN(const int value, ValueOf(node.input(i)));
    if (value < 0) break;
    values_[node.output(1)] = ConstValue(Tensor::Of<int32_t>({}, {i}));
    if (BufferOf(value).kind == BufferKind::kVariable) {
      CheckInitialized(item.guard, node, BufferOf(value).variable);
      const bool stays = !program_.writes_variables && plan_->values[value].is_static;
      if (!stays) return EmitCopy(item, value, node.output(0));
    }
    values_[node.output(0)] = value;
    return absl::OkStatus();
  }
  Instruction merge{.kind = InstructionKind::kMerge, .node = &node, .merge_guards = item.input_guards};
  std::optional<Shape> shape;
  for (int i = 0; i < node.num_inputs(); ++i) {
    SF_ASSIGN_OR_RETURN(const int value, ValueOf(node.input(i)));
    if (value < 0) merge.merge_guards[i] = GuardTable::kNever;
    merge.inputs.push_back(value);
    if (merge.merge_guards[i] == GuardTable::kNever) continue;
    shape = shape.has_value() ? shape->Join(ShapeOf(value)) : ShapeOf(value);
    if (BufferOf(value).kind == BufferKind::kVariable)
      CheckInitialized(merge.merge_guards[i], node, BufferOf(value).variable);
    for (Output predicate : program_.guards.Predicates(merge.merge_guards[i])) {
      SF_ASSIGN_OR_RETURN(plan_->predicates[predicate], ValueOf(predicate));
    }
  }
  const int result = NewResult(node.output_dtype(0), shape.value_or(Shape::Unknown()));
  const int number = NewResult(DT_INT32, Shape());
  values_[node.output(0)] = result;
  values_[node.output(1)] = number;
  merge.outputs = {result, number};
  merge.is_static = plan_->values[result].is_static;
  Append(item.guard, std::move(merge));
  return absl::OkStatus();
}

std::optional<bool> PlanBuilder::Known(GuardId guard) {
  if (guard == GuardTable::kNever) return false;
  bool all = true;
  for (int i : program_.guards.literals(guard)) {
    const GuardTable::Literal& literal = program_.guards.literal(i);
    std::optional<bool> holds = false;
    if (literal.predicate.valid()) {
      holds = ValueOfPredicate(literal.predicate);
      if (holds.has_value()) holds = *holds == literal.value;
    }
    for (GuardId side : literal.any_of) {
      const std::optional<bool> known = Known(side);
      if (known == true) holds = true;
      if (!known.has_value() && holds == false) holds = std::nullopt;
    }
    if (holds == false) return false;
    all &= holds.has_value();
  }
  return all ? std::optional<bool>(true) : std::nullopt;
}

GuardId PlanBuilder::Resolve(GuardId guard) {
  const std::optional<bool> known = Known(guard);
  if (!known.has_value()) return guard;
  return *known ? GuardTable::kAlways : GuardTable::kNever;
}

}  // namespace staticflow
