// BuildPlan: turns the items of a program into instructions for given feed shapes. Shapes are inferred and constants
// folded along the way, so that by the end nearly every value has its size.
#include "runtime/plan_builder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/shape_inference.h"
#include "graph/status.h"
#include "graph/variable_key.h"
#include "runtime/barriers.h"
#include "runtime/calls.h"
#include "runtime/executor.h"
#include "runtime/kernel.h"
#include "runtime/pass.h"
#include "runtime/split.h"

namespace staticflow {
namespace {

// Larger results are recomputed each step instead of being kept with the plan.
constexpr int64_t kMaxFoldedBytes = int64_t{1} << 18;

}  // namespace

int PlanBuilder::NewValue(DataType dtype, const Shape& shape, Buffer buffer) {
  const bool is_static = buffer.kind != BufferKind::kDynamic && shape.IsFullyDefined();
  buffer.bytes = is_static ? MultiplySizes(shape.num_elements(), DataTypeSize(dtype)) : 0;
  plan_->values.push_back(
      {.dtype = dtype, .shape = shape, .buffer = static_cast<int>(plan_->buffers.size()), .is_static = is_static});
  plan_->buffers.push_back(std::move(buffer));
  return static_cast<int>(plan_->values.size()) - 1;
}

int PlanBuilder::NewResult(DataType dtype, const Shape& shape) {
  BufferKind kind = IsObject(dtype) ? BufferKind::kObjects : BufferKind::kArena;
  if (!shape.IsFullyDefined()) kind = BufferKind::kDynamic;
  return NewValue(dtype, shape, {.kind = kind});
}

int PlanBuilder::ConstValue(Tensor tensor) {
  const DataType dtype = tensor.dtype();
  const Shape shape = tensor.shape();
  return NewValue(dtype, shape, {.kind = BufferKind::kConst, .constant = std::move(tensor)});
}

absl::StatusOr<int> PlanBuilder::VariableValue(const Node& declaring) {
  auto it = variable_values_.find(&declaring);
  if (it != variable_values_.end()) return it->second;
  const DataType dtype = declaring.attr<DataType>("dtype");
  const Shape& shape = declaring.attr<Shape>("shape");
  absl::StatusOr<VariableSlot*> slot = resources_->Variable(VariableKey(declaring), dtype, shape);
  if (!slot.ok()) return Annotate(slot.status(), absl::StrCat(declaring.DebugName(), ": "));
  // A slot whose size may change is looked up when it is read.
  const bool fixed = (*slot)->declared_shape.IsFullyDefined() && !IsObject(dtype);
  // Several nodes may declare one variable (shared_name): it is one buffer.
  auto known = slot_values_.find(*slot);
  if (known != slot_values_.end()) return variable_values_[&declaring] = known->second;
  const int value = NewValue(dtype, (*slot)->declared_shape, {.kind = BufferKind::kVariable, .variable = *slot});
  plan_->values[value].is_static = fixed;
  if (fixed) plan_->variable_values[*slot] = value;
  slot_values_[*slot] = value;
  return variable_values_[&declaring] = value;
}

absl::StatusOr<int> PlanBuilder::ValueOf(Output output) {
  auto feed = program_.feed_index.find(output);
  if (feed != program_.feed_index.end()) return plan_->feed_values[feed->second];
  if (output.is_ref()) {
    const Node* declaring = VariableBehind(output);
    if (declaring != nullptr) return VariableValue(*declaring);
  }
  auto it = values_.find(output);
  return it == values_.end() ? -1 : it->second;
}

absl::Status PlanBuilder::AddFeeds(absl::Span<const Shape> feed_shapes) {
  for (size_t i = 0; i < feed_shapes.size(); ++i) {
    const Output feed = program_.signature.feeds[i];
    plan_->feed_shapes.push_back(feed_shapes[i]);
    plan_->feed_values.push_back(
        NewValue(feed.dtype(), feed_shapes[i], {.kind = BufferKind::kFeed, .index = static_cast<int>(i)}));
  }
  return absl::OkStatus();
}

absl::Status PlanBuilder::EmitSource(const ProgramItem& item) {
  const Node& node = *item.node;
  const Output output = node.output(0);
  if (node.op().is(OpRole::kConst)) {
    values_[output] = ConstValue(node.attr<Tensor>("value"));
  } else if (node.op().is(OpRole::kVarHandle)) {
    SF_RETURN_IF_ERROR(VariableValue(node).status());
    values_[output] = ConstValue(Tensor::Of<ResourceHandle>({}, {{.container = "", .name = VariableKey(node)}}));
  } else if (node.op().is(OpRole::kPlaceholder)) {
    const Shape& shape = node.output_shape(0);
    values_[output] = NewValue(output.dtype(), shape, {.kind = BufferKind::kDynamic});
    Append(item.guard, {.kind = InstructionKind::kFail,
                        .node = &node,
                        .outputs = {values_[output]},
                        .failure = absl::InvalidArgumentError(
                            absl::StrCat(node.DebugName(), ": it must be fed with a tensor of ",
                                         DataTypeName(output.dtype()), " and shape ", shape.ToString()))});
  } else {
    SF_RETURN_IF_ERROR(VariableValue(node).status());
  }
  return absl::OkStatus();
}

absl::Status PlanBuilder::EmitCopy(const ProgramItem& item, int from, Output to) {
  const Value source = plan_->values[from];
  const int result = NewResult(source.dtype, source.is_static ? source.shape : Shape::Unknown());
  if (to.valid()) values_[to] = result;
  Append(item.guard, {.kind = InstructionKind::kCopy,
                      .node = item.node,
                      .inputs = {from},
                      .outputs = {result},
                      .is_static = source.is_static});
  if (item.kind == ProgramItem::kSnapshot) snapshot_values_[item.snapshot_of] = result;
  return absl::OkStatus();
}

absl::Status PlanBuilder::EmitAliases(const ProgramItem& item) {
  const Node& node = *item.node;
  std::vector<Shape> shapes;
  std::vector<const Tensor*> constants;
  std::vector<int> inputs;
  for (int i = 0; i < node.num_inputs(); ++i) {
    SF_ASSIGN_OR_RETURN(int value, ValueOf(node.input(i)));
    if (node.op().is(OpRole::kReadVariable)) {
      SF_ASSIGN_OR_RETURN(value, VariableValue(*VariableBehind(node.input(i))));
    }
    inputs.push_back(value);
    shapes.push_back(ShapeOf(value));
    constants.push_back(ConstOf(value));
  }
  // What passes a value on whole keeps its shape, if the op accepts it; only the others (Reshape, Squeeze, ...) say
  // what becomes of it. The shape function of a read speaks of the handle.
  std::vector<Shape> outputs(node.num_outputs());
  const bool reshapes = node.op().has(kAlias);
  if (!node.op().is(OpRole::kReadVariable)) {
    SF_ASSIGN_OR_RETURN(outputs, InferShapes(node, shapes, constants));
  }
  for (int i = 0; i < node.num_outputs(); ++i) {
    const int aliased = AliasedInput(node, i);
    const int source = inputs[aliased];
    if (source < 0) continue;
    if (!reshapes) outputs[i] = shapes[aliased];
    if (BufferOf(source).kind == BufferKind::kVariable && !node.output_is_ref(i)) {
      CheckInitialized(item.guard, node, BufferOf(source).variable);
    }
    if (item.copies) {
      SF_RETURN_IF_ERROR(EmitCopy(item, source, node.output(i)));
      continue;
    }
    if (node.output_is_ref(i) && VariableBehind(node.output(i)) != nullptr) continue;
    const bool is_static = plan_->values[source].is_static && outputs[i].IsFullyDefined();
    const DataType dtype = node.output_dtype(i);
    if (is_static) {
      plan_->values.push_back({.dtype = dtype, .shape = outputs[i], .buffer = plan_->values[source].buffer});
      values_[node.output(i)] = static_cast<int>(plan_->values.size()) - 1;
      continue;
    }
    const int result = NewValue(dtype, outputs[i], {.kind = BufferKind::kDynamic});
    plan_->values[result].is_static = false;
    values_[node.output(i)] = result;
    Append(item.guard, {.kind = InstructionKind::kAlias,
                        .node = &node,
                        .inputs = aliased == 0 ? inputs : std::vector<int>{source},
                        .outputs = {result},
                        .is_static = false});
  }
  return absl::OkStatus();
}

bool PlanBuilder::Fold(const Node& node, const Kernel& kernel, absl::Span<const int> inputs,
                       absl::Span<const Shape> shapes) {
  if (!options_.fold_constants || node.op().has(kStateful)) return false;
  bool shape_only = node.op().has(kShapeOnly);
  // Zeros like a list of tensors depend on what is in it.
  for (const Output& input : node.inputs()) shape_only &= input.dtype() != DT_VARIANT;
  std::vector<Tensor> operands, results;
  for (int value : inputs) {
    if (value < 0 || BufferOf(value).kind == BufferKind::kVariable) return false;
    if (ConstOf(value) != nullptr) {
      operands.push_back(ConstOf(value)->Reshaped(plan_->values[value].shape).value_or(Tensor()));
    } else if (shape_only && plan_->values[value].is_static) {
      operands.push_back(Tensor::BorrowBytes(plan_->values[value].dtype, plan_->values[value].shape, nullptr));
    } else {
      return false;
    }
  }
  for (int i = 0; i < node.num_outputs(); ++i) {
    if (!shapes[i].IsFullyDefined() ||
        MultiplySizes(shapes[i].num_elements(), DataTypeSize(node.output_dtype(i))) > kMaxFoldedBytes) {
      return false;
    }
    absl::StatusOr<Tensor> result = Tensor::Create(node.output_dtype(i), shapes[i]);
    if (!result.ok()) return false;
    results.push_back(*std::move(result));
  }
  if (!RunKernel(node, kernel, operands, absl::MakeSpan(results)).ok())
    return false;  // the step will tell, if it gets there
  for (int i = 0; i < node.num_outputs(); ++i) values_[node.output(i)] = ConstValue(results[i]);
  return true;
}

absl::Status PlanBuilder::EmitKernel(const ProgramItem& item) {
  const Node& node = *item.node;
  Instruction instruction{.kind = InstructionKind::kKernel, .node = &node};
  std::vector<Shape> input_shapes;
  std::vector<const Tensor*> constants;
  for (int i = 0; i < node.num_inputs(); ++i) {
    SF_ASSIGN_OR_RETURN(const int value, ValueOf(node.input(i)));
    if (value < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(node.DebugName(), ": input '", node.input(i).name(), "' never exists where it is used"));
    }
    instruction.inputs.push_back(value);
    instruction.variables.push_back(nullptr);
    input_shapes.push_back(ShapeOf(value));
    constants.push_back(ConstOf(value));
    if (program_.feed_index.contains(node.input(i))) continue;
    const std::optional<Access> access = AccessOf(node, i);
    if (!access.has_value()) continue;
    SF_ASSIGN_OR_RETURN(const int variable, VariableValue(*VariableBehind(node.input(i))));
    VariableSlot* slot = BufferOf(variable).variable;
    instruction.variables.back() = slot;
    if (*access == Access::kRead || *access == Access::kUpdate) CheckInitialized(item.guard, node, slot);
    if (*access == Access::kOverwrite) checked_[slot].push_back(item.guard);
  }
  for (const VariableAccess& access : node.op().spec.access) {
    if (access.input >= node.num_inputs() || instruction.variables[access.input] != nullptr) continue;
    return absl::UnimplementedError(absl::StrCat(node.DebugName(), ": the variable of input '",
                                                 node.input(access.input).name(),
                                                 "' must be known before the step, but its handle is fed or computed"));
  }
  SF_ASSIGN_OR_RETURN(std::vector<Shape> shapes, InferShapes(node, input_shapes, constants));
  if (node.op().is(OpRole::kStackPop) && !shapes[0].IsFullyDefined() && input_shapes[0].IsFullyDefined()) {
    SF_ASSIGN_OR_RETURN(shapes[0], ShapeOnStack(node));
  }
  // Until it has run, nobody knows more than the shape function; a reference is its variable, whatever that says.
  for (int i = 0; i < node.num_outputs(); ++i) {
    const Node* declaring = node.output_is_ref(i) ? VariableBehind(node.output(i)) : nullptr;
    if (declaring == nullptr) continue;
    SF_ASSIGN_OR_RETURN(const int variable, VariableValue(*declaring));
    shapes[i] = ShapeOf(variable);
  }
  const KernelSetup setup(node, input_shapes, shapes, constants, resources_);
  absl::StatusOr<Kernel> kernel = node.op().spec.kernel.Make(setup);
  if (!kernel.ok()) return Annotate(kernel.status(), absl::StrCat(node.DebugName(), ": "));
  if (Fold(node, *kernel, instruction.inputs, shapes)) return absl::OkStatus();
  instruction.kernel = *std::move(kernel);
  for (int i = 0; i < node.num_inputs(); ++i) instruction.is_static &= plan_->values[instruction.inputs[i]].is_static;
  for (int i = 0; i < node.num_outputs(); ++i) {
    const Node* declaring = node.output_is_ref(i) ? VariableBehind(node.output(i)) : nullptr;
    if (declaring != nullptr) {
      SF_ASSIGN_OR_RETURN(const int variable, VariableValue(*declaring));
      instruction.outputs.push_back(variable);
    } else {
      const int result = NewResult(node.output_dtype(i), instruction.is_static ? shapes[i] : Shape::Unknown());
      values_[node.output(i)] = result;
      instruction.outputs.push_back(result);
    }
    instruction.is_static &= plan_->values[instruction.outputs[i]].is_static;
  }
  if (instruction.is_static && !shapes.empty()) instruction.split_items = WholeSplit(node, &shapes[0]);
  Append(item.guard, std::move(instruction));
  return absl::OkStatus();
}

absl::StatusOr<Shape> PlanBuilder::ShapeOnStack(const Node& pop) {
  if (stacks_ == nullptr) stacks_ = std::make_unique<StackLinks>(pop.graph());
  const StackLink* link = stacks_->To(pop);
  if (link == nullptr || !link->is_plain) return Shape::Unknown();
  SF_ASSIGN_OR_RETURN(const int kept, ValueOf(link->push().input(1)));
  return ShapeOf(kept);
}

absl::Status PlanBuilder::EmitItem(ProgramItem item) {
  item.guard = Resolve(item.guard);
  for (GuardId& guard : item.input_guards) guard = Resolve(guard);
  if (item.guard == GuardTable::kNever) {
    if (options_.journal != nullptr && item.kind == ProgramItem::kNode) options_.journal->untaken.push_back(item.node);
    return absl::OkStatus();
  }
  if (item.kind == ProgramItem::kLoopBegin) return EmitLoopBegin(item);
  if (item.kind == ProgramItem::kLoopEnd) return EmitLoopEnd(item);
  if (item.kind == ProgramItem::kSnapshot) {
    SF_ASSIGN_OR_RETURN(const int value, ValueOf(item.snapshot_of));
    const Buffer& buffer = BufferOf(value);
    if (buffer.kind == BufferKind::kVariable) CheckInitialized(item.guard, *item.snapshot_of.node(), buffer.variable);
    return EmitCopy(item, value, Output());
  }
  const Node& node = *item.node;
  const Op& op = node.op();
  if (op.is(OpRole::kNoOp)) return absl::OkStatus();
  if (op.is(OpRole::kConst) || op.is(OpRole::kPlaceholder) || op.is(OpRole::kVariable) || op.is(OpRole::kVarHandle)) {
    return EmitSource(item);
  }
  if (op.is(OpRole::kMerge)) return EmitMerge(item);
  if (op.is(OpRole::kSwitch)) {
    SF_ASSIGN_OR_RETURN(const int predicate, ValueOf(node.input(1)));
    if (predicate >= 0 && plan_->values[predicate].is_static && !plan_->values[predicate].shape.IsScalar()) {
      return absl::InvalidArgumentError(absl::StrCat(node.DebugName(), ": the predicate has shape ",
                                                     plan_->values[predicate].shape.ToString(), ", expected a scalar"));
    }
  }
  if (node.num_outputs() > 0 && AliasedInput(node, 0) >= 0) return EmitAliases(item);
  return EmitKernel(item);
}

absl::Status PlanBuilder::FinishFetches() {
  CloseGuard();
  for (size_t i = 0; i < program_.signature.fetches.size(); ++i) {
    const Output fetch = program_.signature.fetches[i];
    auto snapshot = snapshot_values_.find(fetch);
    int value;
    if (snapshot != snapshot_values_.end()) {
      value = snapshot->second;
    } else {
      SF_ASSIGN_OR_RETURN(value, ValueOf(fetch));
    }
    if (value >= 0 && BufferOf(value).kind == BufferKind::kVariable) {
      CheckInitialized(GuardTable::kAlways, *fetch.node(), BufferOf(value).variable);
    }
    plan_->fetch_values.push_back(value);
    for (Output predicate : program_.guards.Predicates(program_.fetch_guards[i])) {
      SF_ASSIGN_OR_RETURN(plan_->predicates[predicate], ValueOf(predicate));
    }
  }
  return absl::OkStatus();
}

// What a step would otherwise search for.
void PlanBuilder::IndexForExecution() {
  for (int i = 0; i < program_.guards.num_literals(); ++i) {
    auto it = plan_->predicates.find(program_.guards.literal(i).predicate);
    plan_->literal_values.push_back(it == plan_->predicates.end() ? -1 : it->second);
  }
  for (size_t v = 0; v < plan_->values.size(); ++v) {
    const Buffer& buffer = plan_->buffers[plan_->values[v].buffer];
    if (buffer.kind == BufferKind::kFeed) plan_->fed_views.push_back({static_cast<int>(v), buffer.index});
  }
}

absl::Status PlanBuilder::Emit(absl::Span<const Shape> feed_shapes) {
  if (options_.journal != nullptr) *options_.journal = {};
  SF_RETURN_IF_ERROR(AddFeeds(feed_shapes));
  plan_->feed_predicates = options_.feed_predicates;
  for (const ProgramItem& item : program_.items) SF_RETURN_IF_ERROR(EmitItem(item));
  return FinishFetches();
}

absl::StatusOr<std::unique_ptr<const Plan>> PlanBuilder::Finish() {
  plan_->workers = options_.workers;
  plan_->divide_always = options_.divide_always;
  if (options_.journal != nullptr) options_.journal->values = values_;
  RunPasses(options_.passes, plan_.get(), options_.journal);
  CompileCalls(plan_.get());
  ShareBuffers(plan_.get());
  CompileLoopCopies(plan_.get());
  SetBarriers(plan_.get());
  PlaceBuffers(plan_.get());
  IndexForExecution();
  if (plan_->arena_bytes > options_.memory_budget) {
    const auto largest = std::max_element(plan_->buffers.begin(), plan_->buffers.end(),
                                          [](const Buffer& a, const Buffer& b) { return a.bytes < b.bytes; });
    return absl::ResourceExhaustedError(absl::StrCat("the step needs ", plan_->arena_bytes, " bytes, the budget is ",
                                                     options_.memory_budget, "; its largest tensor takes ",
                                                     largest->bytes));
  }
  return std::unique_ptr<const Plan>(std::move(plan_));
}

absl::StatusOr<std::unique_ptr<const Plan>> BuildPlan(std::shared_ptr<const Program> program,
                                                      absl::Span<const Shape> feed_shapes, ResourceStore* resources,
                                                      const PlanOptions& options) {
  // One value that changes its shape may make others do so; no program needs many rounds.
  constexpr int kRounds = 4;
  LoopShapes loop_shapes;
  for (int round = 1;; ++round) {
    const size_t known = loop_shapes.changing.size();
    PlanBuilder builder(program, resources, options, &loop_shapes);
    const absl::Status status = builder.Emit(feed_shapes);
    if (status.ok() && loop_shapes.changing.size() == known) return builder.Finish();
    // What fails for the shapes of a first iteration need not run in one.
    if (!status.ok() && !builder.has_static_loops()) return status;
    loop_shapes.may_all_change = !status.ok() || round >= kRounds;
  }
}

}  // namespace staticflow
