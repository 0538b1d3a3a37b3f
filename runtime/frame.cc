// Frame and KernelContext: the memory of a running step.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "runtime/execution.h"
#include "runtime/split.h"

namespace staticflow {

void SetShape(const Shape* shape, TensorView* view) {
  view->shape = shape;
  view->num_elements = shape->num_elements();
  view->row_stride = shape->rank() > 0 ? shape->dim(-1) : 1;
}

absl::StatusOr<std::unique_ptr<Frame>> Frame::Create(const Plan& plan, int workers, int64_t memory_budget) {
  std::unique_ptr<Frame> frame(new Frame(plan));
  frame->memory_budget_ = memory_budget;
  SF_ASSIGN_OR_RETURN(frame->arena_, Tensor::Create(DT_UINT8, {plan.arena_bytes}));
  SF_RETURN_IF_ERROR(Executor::Prepare(*frame, workers));
  return frame;
}

absl::Status Frame::Charge(int64_t bytes) {
  const int64_t total = AddSizes(AddSizes(plan_.arena_bytes, dynamic_bytes_), bytes);
  if (total > memory_budget_) {
    return absl::ResourceExhaustedError(absl::StrCat("the step holds ", total - bytes, " bytes and asks for ", bytes,
                                                     ", the budget is ", memory_budget_));
  }
  dynamic_bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status Executor::Prepare(Frame& frame, int workers) {
  const Plan& plan = frame.plan_;
  frame.views_.resize(plan.values.size());
  frame.dynamic_shapes_.resize(plan.values.size());
  frame.tensors_.resize(plan.buffers.size());
  frame.scratch_.resize(std::max(workers, 1));
  for (size_t v = 0; v < plan.values.size(); ++v) {
    const Value& value = plan.values[v];
    const Buffer& buffer = plan.buffers[value.buffer];
    TensorView& view = frame.views_[v];
    view.dtype = value.dtype;
    view.shape = &frame.dynamic_shapes_[v];
    if (value.is_static) SetShape(&value.shape, &view);
    if (buffer.kind == BufferKind::kArena && buffer.offset >= 0) {
      view.data = frame.arena_.data<uint8_t>() + buffer.offset;
    } else if (buffer.kind == BufferKind::kConst) {
      view.data = const_cast<void*>(buffer.constant.raw());
    } else if (buffer.kind == BufferKind::kVariable && value.is_static) {
      view.data = buffer.variable->value.raw();
    } else if (buffer.kind == BufferKind::kObjects) {
      Tensor& tensor = frame.tensors_[value.buffer];
      if (!tensor.valid()) {
        SF_ASSIGN_OR_RETURN(tensor, Tensor::Create(value.dtype, value.shape));
      }
      view.data = tensor.raw();
    }
  }
  size_t num_inputs = 0, num_outputs = 0;
  for (const Instruction& instruction : plan.instructions) {
    num_inputs += instruction.inputs.size();
    num_outputs += instruction.outputs.size();
  }
  frame.operands_.reserve(num_inputs);
  frame.results_.reserve(num_outputs);
  frame.contexts_.resize(plan.instructions.size());
  for (size_t i = 0; i < plan.instructions.size(); ++i) {
    const Instruction& instruction = plan.instructions[i];
    const size_t first_input = frame.operands_.size(), first_output = frame.results_.size();
    for (int value : instruction.inputs) frame.operands_.push_back(value < 0 ? nullptr : &frame.views_[value]);
    for (int value : instruction.outputs) frame.results_.push_back(&frame.views_[value]);
    KernelContext& context = frame.contexts_[i];
    context.inputs_ = absl::MakeConstSpan(frame.operands_).subspan(first_input, instruction.inputs.size());
    context.outputs_ = absl::MakeConstSpan(frame.results_).subspan(first_output, instruction.outputs.size());
    context.variables_ = instruction.variables;
    context.range_ = {0, instruction.split_items};
    context.step_ = &frame.step_;
    context.frame_ = &frame;
    context.instruction_ = static_cast<int>(i);
  }
  return absl::OkStatus();
}

absl::Status Executor::RunOnce(const Node& node, const Kernel& kernel, absl::Span<const Tensor> inputs,
                               absl::Span<Tensor> outputs) {
  std::vector<TensorView> views(inputs.size() + outputs.size());
  std::vector<const TensorView*> operands;
  std::vector<TensorView*> results;
  std::vector<VariableSlot*> variables(inputs.size(), nullptr);
  for (size_t i = 0; i < inputs.size() + outputs.size(); ++i) {
    const Tensor& tensor = i < inputs.size() ? inputs[i] : outputs[i - inputs.size()];
    views[i].dtype = tensor.dtype();
    views[i].data = const_cast<void*>(tensor.raw());
    SetShape(&tensor.shape(), &views[i]);
    if (i < inputs.size()) {
      operands.push_back(&views[i]);
    } else {
      results.push_back(&views[i]);
    }
  }
  const Plan empty;
  Frame frame(empty);
  frame.memory_budget_ = int64_t{1} << 30;
  frame.scratch_.resize(1);
  KernelContext context;
  context.inputs_ = operands;
  context.outputs_ = results;
  context.variables_ = variables;
  context.step_ = &frame.step_;
  context.frame_ = &frame;
  context.worker_ = 0;
  context.range_ = {0, WholeSplit(node, outputs.empty() ? nullptr : &outputs[0].shape())};
  return kernel(context);
}

absl::StatusOr<void*> KernelContext::ScratchBytes(int64_t bytes) {
  Tensor& scratch = frame_->scratch_[worker_];
  if (scratch.bytes() < bytes) {
    scratch = Tensor();
    if (bytes > frame_->memory_budget_) {
      return absl::ResourceExhaustedError(
          absl::StrCat("working memory of ", bytes, " bytes is over the budget of ", frame_->memory_budget_));
    }
    SF_ASSIGN_OR_RETURN(scratch, Tensor::Create(DT_UINT8, {bytes}));
  }
  return scratch.raw();
}

absl::Status KernelContext::AllocateOutput(int i, const Shape& shape) {
  SF_ASSIGN_OR_RETURN(Tensor tensor, [&]() -> absl::StatusOr<Tensor> {
    SF_RETURN_IF_ERROR(frame_->Charge(MultiplySizes(shape.num_elements(), DataTypeSize(outputs_[i]->dtype))));
    return Tensor::Create(outputs_[i]->dtype, shape);
  }());
  return SetOutput(i, std::move(tensor));
}

absl::Status KernelContext::SetOutput(int i, Tensor tensor) {
  const Instruction& instruction = frame_->plan_.instructions[instruction_];
  const int value = instruction.outputs[i];
  SF_CHECK(!frame_->plan_.values[value].is_static && tensor.dtype() == outputs_[i]->dtype);
  frame_->dynamic_shapes_[value] = tensor.shape();
  outputs_[i]->data = tensor.raw();
  SetShape(&frame_->dynamic_shapes_[value], outputs_[i]);
  frame_->tensors_[frame_->plan_.values[value].buffer] = std::move(tensor);
  return absl::OkStatus();
}

absl::StatusOr<Tensor> KernelContext::InputTensor(int i) const {
  const TensorView& view = *inputs_[i];
  return Tensor::BorrowBytes(view.dtype, *view.shape, view.data).Clone();
}

absl::Status RunKernel(const Node& node, const Kernel& kernel, absl::Span<const Tensor> inputs,
                       absl::Span<Tensor> outputs) {
  return Executor::RunOnce(node, kernel, inputs, outputs);
}

}  // namespace staticflow
