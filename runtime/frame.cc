// Frame and KernelContext: the memory of a running step.
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "runtime/execution.h"
#include "runtime/float_mode.h"
#include "runtime/split.h"

namespace staticflow {

void SetShape(const Shape* shape, TensorView* view) {
  view->shape = shape;
  view->num_elements = shape->num_elements();
  view->row_stride = shape->rank() > 0 ? shape->dim(-1) : 1;
}

TensorView ViewOf(const Tensor& tensor) {
  TensorView view{.data = const_cast<void*>(tensor.raw()), .dtype = tensor.dtype()};
  SetShape(&tensor.shape(), &view);
  return view;
}

Frame::Frame(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}
Frame::~Frame() = default;

absl::StatusOr<std::unique_ptr<Frame>> Frame::Create(std::shared_ptr<const Plan> plan, int64_t memory_budget) {
  std::unique_ptr<Frame> frame(new Frame(std::move(plan)));
  frame->memory_budget_ = memory_budget;
  SF_ASSIGN_OR_RETURN(frame->arena_, Tensor::Create(DT_UINT8, {frame->plan().arena_bytes}));
  SF_RETURN_IF_ERROR(Executor::Prepare(*frame));
  return frame;
}

absl::Status Frame::Charge(int64_t bytes) {
  const int64_t total = AddSizes(AddSizes(plan_->arena_bytes, dynamic_bytes_), bytes);
  if (total > memory_budget_) {
    return absl::ResourceExhaustedError(absl::StrCat("the step holds ", total - bytes, " bytes and asks for ", bytes,
                                                     ", the budget is ", memory_budget_));
  }
  dynamic_bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status Executor::Prepare(Frame& frame) {
  const Plan& plan = *frame.plan_;
  SF_RETURN_IF_ERROR(PrepareViews(frame));
  PrepareWalks(frame);
  for (const Instruction& instruction : plan.instructions) {
    if (instruction.node == nullptr || !instruction.node->op().has(kStepObjects)) continue;
    frame.objects_ = std::make_unique<ResourceStore>();
    break;
  }
  frame.scratch_.resize(plan.workers);
  frame.fetched_.resize(plan.fetch_values.size());
  for (size_t b = 0; b < plan.buffers.size(); ++b) {
    if (plan.buffers[b].kind == BufferKind::kDynamic) frame.dynamic_buffers_.push_back(static_cast<int>(b));
  }
  return absl::OkStatus();
}

absl::Status Executor::PrepareViews(Frame& frame) {
  const Plan& plan = *frame.plan_;
  frame.views_.resize(plan.values.size());
  frame.dynamic_shapes_.resize(plan.values.size());
  frame.tensors_.resize(plan.buffers.size());
  for (size_t v = 0; v < plan.values.size(); ++v) {
    const Value& value = plan.values[v];
    const Buffer& buffer = plan.buffers[value.buffer];
    TensorView& view = frame.views_[v];
    view.dtype = value.dtype;
    view.shape = &frame.dynamic_shapes_[v];
    if (value.is_static) SetShape(&value.shape, &view);
    if (value.row_stride > 0) view.row_stride = value.row_stride;
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
  return absl::OkStatus();
}

absl::Status Executor::RunOnce(const Kernel& kernel, absl::Span<const TensorView> inputs,
                               absl::Span<TensorView> outputs, IndexRange range,
                               absl::Span<VariableSlot* const> variables) {
  std::vector<const TensorView*> operands;
  std::vector<TensorView*> results;
  for (const TensorView& view : inputs) operands.push_back(&view);
  for (TensorView& view : outputs) results.push_back(&view);
  std::vector<VariableSlot*> slots(variables.begin(), variables.end());
  slots.resize(inputs.size(), nullptr);
  Frame frame(nullptr);
  frame.memory_budget_ = int64_t{1} << 30;
  frame.scratch_.resize(1);
  KernelContext context;
  context.inputs_ = operands;
  context.outputs_ = results;
  context.variables_ = slots;
  context.step_ = &frame.step_;
  context.frame_ = &frame;
  context.worker_ = 0;
  context.range_ = range;
  const StepFloatMode mode;
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
  const Instruction& instruction = frame_->plan_->instructions[instruction_];
  const int value = instruction.outputs[i];
  SF_CHECK(!frame_->plan_->values[value].is_static);
  // What a resource holds need not be what a node declares.
  if (tensor.dtype() != outputs_[i]->dtype) {
    return absl::InvalidArgumentError(absl::StrCat("output ", i, " is ", DataTypeName(tensor.dtype()),
                                                   ", the node declares ", DataTypeName(outputs_[i]->dtype)));
  }
  frame_->dynamic_shapes_[value] = tensor.shape();
  outputs_[i]->data = tensor.raw();
  SetShape(&frame_->dynamic_shapes_[value], outputs_[i]);
  frame_->tensors_[frame_->plan_->values[value].buffer] = std::move(tensor);
  return absl::OkStatus();
}

absl::StatusOr<Tensor> KernelContext::InputTensor(int i) const {
  const TensorView& view = *inputs_[i];
  return Tensor::BorrowBytes(view.dtype, *view.shape, view.data).Clone();
}

absl::Status RunKernel(const Kernel& kernel, absl::Span<const TensorView> inputs, absl::Span<TensorView> outputs,
                       IndexRange range, absl::Span<VariableSlot* const> variables) {
  return Executor::RunOnce(kernel, inputs, outputs, range, variables);
}

absl::Status RunKernel(const Node& node, const Kernel& kernel, absl::Span<const Tensor> inputs,
                       absl::Span<Tensor> outputs) {
  std::vector<TensorView> operands, results;
  for (const Tensor& tensor : inputs) operands.push_back(ViewOf(tensor));
  for (const Tensor& tensor : outputs) results.push_back(ViewOf(tensor));
  return RunKernel(kernel, operands, absl::MakeSpan(results),
                   {0, WholeSplit(node, outputs.empty() ? nullptr : &outputs[0].shape())});
}

}  // namespace staticflow
