#include "runtime/executor.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/shape_inference.h"
#include "graph/status.h"
#include "runtime/execution.h"
#include "runtime/float_mode.h"
#include "runtime/split.h"

namespace staticflow {
namespace {

// Shape-giving inputs are small; larger ones are data.
constexpr int64_t kMaxShapeElements = 1024;

}  // namespace

void Executor::BindFeeds(absl::Span<const Tensor> feeds) {
  for (const auto& [value, feed] : plan_.fed_views) {
    frame_.views_[value].data = const_cast<void*>(feeds[feed].raw());
  }
}

void Executor::RefreshVariable(int value) {
  const Buffer& buffer = plan_.buffers[plan_.values[value].buffer];
  if (buffer.kind != BufferKind::kVariable || plan_.values[value].is_static) return;
  TensorView& view = frame_.views_[value];
  view.data = buffer.variable->value.raw();
  frame_.dynamic_shapes_[value] = buffer.variable->value.shape();
  SetShape(&frame_.dynamic_shapes_[value], &view);
}

const TensorView& Executor::View(int value) {
  RefreshVariable(value);
  return frame_.views_[value];
}

absl::StatusOr<bool> Executor::Holds(GuardId guard) const {
  if (guard == GuardTable::kNever) return false;
  for (int i : guards_.literals(guard)) {
    const GuardTable::Literal& literal = guards_.literal(i);
    bool holds = false;
    if (literal.predicate.valid()) {
      const TensorView& view = frame_.views_[plan_.literal_values[i]];
      if (view.rank() != 0 || view.dtype != DT_BOOL) {
        return absl::InvalidArgumentError(absl::StrCat(literal.predicate.node()->DebugName(),
                                                       ": a predicate has shape ", view.shape->ToString(),
                                                       ", expected a bool scalar"));
      }
      holds = *view.as<bool>() == literal.value;
    }
    for (size_t k = 0; k < literal.any_of.size() && !holds; ++k) {
      SF_ASSIGN_OR_RETURN(holds, Holds(literal.any_of[k]));
    }
    if (!holds) return false;
  }
  return true;
}

absl::Status Executor::Allocate(int value, const Shape& shape) {
  const Buffer& buffer = plan_.buffers[plan_.values[value].buffer];
  const int64_t bytes = MultiplySizes(shape.num_elements(), DataTypeSize(plan_.values[value].dtype));
  Tensor& tensor = frame_.tensors_[plan_.values[value].buffer];
  SF_CHECK(buffer.kind == BufferKind::kDynamic);
  if (tensor.valid()) frame_.dynamic_bytes_ -= tensor.bytes();
  tensor = Tensor();
  SF_RETURN_IF_ERROR(frame_.Charge(bytes));
  absl::StatusOr<Tensor> created = Tensor::Create(plan_.values[value].dtype, shape);
  if (!created.ok()) {
    frame_.dynamic_bytes_ -= bytes;
    return created.status();
  }
  tensor = *std::move(created);
  frame_.dynamic_shapes_[value] = shape;
  frame_.views_[value].data = tensor.raw();
  SetShape(&frame_.dynamic_shapes_[value], &frame_.views_[value]);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Shape>> Executor::InferAtRunTime(const Instruction& instruction,
                                                            absl::Span<const int> inputs) {
  std::vector<Shape> shapes;
  std::vector<Tensor> small(inputs.size());
  std::vector<const Tensor*> values;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorView& view = View(inputs[i]);
    shapes.push_back(*view.shape);
    const bool gives_shape =
        (view.dtype == DT_INT8 || view.dtype == DT_INT16 || view.dtype == DT_INT32 || view.dtype == DT_INT64) &&
        view.num_elements <= kMaxShapeElements;
    if (gives_shape) small[i] = Tensor::BorrowBytes(view.dtype, *view.shape, view.data);
    values.push_back(gives_shape ? &small[i] : nullptr);
  }
  return InferShapes(*instruction.node, shapes, values);
}

absl::Status Executor::RunDynamic(const Instruction& instruction, KernelContext context) {
  SF_ASSIGN_OR_RETURN(std::vector<Shape> shapes, InferAtRunTime(instruction, instruction.inputs));
  for (size_t i = 0; i < instruction.outputs.size(); ++i) {
    const int value = instruction.outputs[i];
    if (plan_.buffers[plan_.values[value].buffer].kind == BufferKind::kVariable) {
      RefreshVariable(value);
    } else if (!plan_.values[value].is_static && shapes[i].IsFullyDefined()) {
      SF_RETURN_IF_ERROR(Annotate(Allocate(value, shapes[i]), absl::StrCat(instruction.node->DebugName(), ": ")));
    }
  }
  context.range_ = {0, WholeSplit(*instruction.node, context.num_outputs() > 0 ? context.output(0).shape : nullptr)};
  SF_RETURN_IF_ERROR(instruction.kernel(context));
  for (int value : instruction.outputs) RefreshVariable(value);
  return absl::OkStatus();
}

absl::Status Executor::RunCopy(const Instruction& instruction) {
  const TensorView& from = View(instruction.inputs[0]);
  if (!plan_.values[instruction.outputs[0]].is_static) {
    SF_RETURN_IF_ERROR(Allocate(instruction.outputs[0], *from.shape));
  }
  CopyElements(from.dtype, from.data, frame_.views_[instruction.outputs[0]].data, from.num_elements);
  return absl::OkStatus();
}

absl::Status Executor::RunMerge(const Instruction& instruction) {
  for (size_t i = 0; i < instruction.inputs.size(); ++i) {
    SF_ASSIGN_OR_RETURN(const bool lives, Holds(instruction.merge_guards[i]));
    if (!lives) continue;
    const TensorView& from = View(instruction.inputs[i]);
    if (!plan_.values[instruction.outputs[0]].is_static) {
      SF_RETURN_IF_ERROR(Allocate(instruction.outputs[0], *from.shape));
    }
    CopyElements(from.dtype, from.data, frame_.views_[instruction.outputs[0]].data, from.num_elements);
    *frame_.views_[instruction.outputs[1]].as<int32_t>() = static_cast<int32_t>(i);
    return absl::OkStatus();
  }
  return absl::InternalError("no input of the merge lives");
}

absl::Status Executor::RunAlias(const Instruction& instruction) {
  const int in = instruction.inputs[0], out = instruction.outputs[0];
  const TensorView& from = View(in);
  Shape shape = *from.shape;
  // An op with several aliases (IdentityN) keeps each shape as it is.
  const bool reshapes = instruction.node->op().has(kAlias) &&
                        static_cast<int>(instruction.inputs.size()) == instruction.node->num_inputs();
  if (reshapes) {
    SF_ASSIGN_OR_RETURN(std::vector<Shape> shapes, InferAtRunTime(instruction, instruction.inputs));
    if (!shapes[0].IsFullyDefined() || shapes[0].num_elements() != from.num_elements) {
      return absl::InvalidArgumentError(absl::StrCat(instruction.node->DebugName(), ": shape ", from.shape->ToString(),
                                                     " cannot become ", shapes[0].ToString()));
    }
    shape = std::move(shapes[0]);
  }
  // Sharing the tensor keeps the memory alive beyond the source's last use.
  frame_.tensors_[plan_.values[out].buffer] = frame_.tensors_[plan_.values[in].buffer];
  frame_.dynamic_shapes_[out] = std::move(shape);
  frame_.views_[out].data = from.data;
  SetShape(&frame_.dynamic_shapes_[out], &frame_.views_[out]);
  return absl::OkStatus();
}

absl::Status Executor::RunLoopAssign(const Instruction& instruction, const KernelContext& context) {
  std::vector<Tensor> carried;
  std::vector<int> outputs;
  for (size_t i = 0; i < instruction.inputs.size(); ++i) {
    if (plan_.values[instruction.outputs[i]].is_static) continue;
    outputs.push_back(instruction.outputs[i]);
    const int value = instruction.inputs[i];
    const TensorView& view = View(value);
    const Tensor& tensor = frame_.tensors_[plan_.values[value].buffer];
    const bool own =
        plan_.buffers[plan_.values[value].buffer].kind == BufferKind::kDynamic && tensor.raw() == view.data;
    SF_ASSIGN_OR_RETURN(Tensor next, own ? tensor.Reshaped(*view.shape)
                                         : Tensor::BorrowBytes(view.dtype, *view.shape, view.data).Clone());
    carried.push_back(std::move(next));
  }
  for (size_t i = 0; i < carried.size(); ++i) {
    const int value = outputs[i];
    frame_.dynamic_shapes_[value] = carried[i].shape();
    frame_.views_[value].data = carried[i].raw();
    SetShape(&frame_.dynamic_shapes_[value], &frame_.views_[value]);
    frame_.tensors_[plan_.values[value].buffer] = std::move(carried[i]);
  }
  // Nothing of the others has been overwritten so far.
  KernelContext copy = context;
  return instruction.kernel == nullptr ? absl::OkStatus() : instruction.kernel(copy);
}

absl::Status Executor::RunInstruction(const Instruction& instruction, const KernelContext& context) {
  switch (instruction.kind) {
    case InstructionKind::kKernel: {
      if (!instruction.is_static) return RunDynamic(instruction, context);
      KernelContext copy = context;
      return instruction.kernel(copy);
    }
    case InstructionKind::kCheckVariable:
      if (instruction.variable->initialized) return absl::OkStatus();
      return absl::FailedPreconditionError(absl::StrCat(instruction.node->DebugName(), ": variable '",
                                                        instruction.variable->name, "' is not initialized"));
    case InstructionKind::kCopy:
      return RunCopy(instruction);
    case InstructionKind::kMerge:
      return RunMerge(instruction);
    case InstructionKind::kAlias:
      return RunAlias(instruction);
    case InstructionKind::kLoopAssign:
    case InstructionKind::kLoopNext:
      return RunLoopAssign(instruction, context);
    case InstructionKind::kFail:
      return instruction.failure;
    case InstructionKind::kJump:
      break;
  }
  return absl::InternalError("a jump is a step of its own");
}

absl::Status Executor::RunOther(const WalkStep& step) {
  const Instruction& instruction = plan_.instructions[step.instruction];
  SF_RETURN_IF_ERROR(RunInstruction(instruction, step.context));
  for (int buffer : instruction.releases) {
    frame_.dynamic_bytes_ -= frame_.tensors_[buffer].unique() ? frame_.tensors_[buffer].bytes() : 0;
    frame_.tensors_[buffer] = Tensor();
  }
  return absl::OkStatus();
}

absl::Status Executor::Error(int instruction, absl::Status status) const {
  const Node* node = plan_.instructions[instruction].node;
  if (node == nullptr || absl::StartsWith(status.message(), node->DebugName())) return status;
  return Annotate(status, absl::StrCat(node->DebugName(), ": "));
}

absl::Status Executor::Fetch(std::vector<Tensor>* fetches) {
  fetches->clear();
  fetches->reserve(plan_.fetch_values.size());
  for (size_t i = 0; i < plan_.fetch_values.size(); ++i) {
    const int value = plan_.fetch_values[i];
    const Output fetch = plan_.program->signature.fetches[i];
    SF_ASSIGN_OR_RETURN(const bool lives, Holds(plan_.program->fetch_guards[i]));
    if (!lives || value < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(fetch.node()->DebugName(), ": '", fetch.name(), "' is in a branch that was not taken"));
    }
    const TensorView& view = View(value);
    Tensor& tensor = frame_.fetched_[i];
    // What an earlier step returned serves again once its caller has let go of it.
    if (!tensor.unique() || tensor.dtype() != view.dtype || tensor.shape() != *view.shape) {
      SF_ASSIGN_OR_RETURN(tensor, Tensor::Create(view.dtype, *view.shape));
    }
    // Counting the new reference comes first: it orders what the last holder read before what is written here.
    fetches->push_back(tensor);
    CopyElements(view.dtype, view.data, tensor.raw(), view.num_elements);
  }
  return absl::OkStatus();
}

absl::Status Executor::Run(absl::Span<const Tensor> feeds, const ExecuteOptions& options,
                           std::vector<Tensor>* fetches) {
  BindFeeds(feeds);
  absl::Status status = RunInstructions(options);
  if (status.ok()) status = Fetch(fetches);
  for (int buffer : frame_.dynamic_buffers_) frame_.tensors_[buffer] = Tensor();
  if (frame_.objects_ != nullptr) frame_.objects_->Clear();
  frame_.dynamic_bytes_ = 0;
  return status;
}

absl::Status RunPlan(Frame& frame, absl::Span<const Tensor> feeds, const StepState& step, const ExecuteOptions& options,
                     std::vector<Tensor>* fetches) {
  const StepFloatMode mode;
  return Executor(frame, step).Run(feeds, options, fetches);
}

}  // namespace staticflow
