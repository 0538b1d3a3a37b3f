#include "runtime/executor.h"

#include <chrono>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/shape_inference.h"
#include "graph/status.h"
#include "runtime/execution.h"
#include "runtime/profile.h"
#include "runtime/split.h"

namespace staticflow {
namespace {

// Shape-giving inputs are small; larger ones are data.
constexpr int64_t kMaxShapeElements = 1024;

void CopyElements(const TensorView& from, const TensorView& to) {
  if (from.data == to.data || from.num_elements == 0) return;
  if (from.dtype == DT_STRING) {
    std::copy_n(from.as<std::string>(), from.num_elements, to.as<std::string>());
  } else if (from.dtype == DT_RESOURCE) {
    std::copy_n(from.as<ResourceHandle>(), from.num_elements, to.as<ResourceHandle>());
  } else {
    std::memcpy(to.data, from.data, static_cast<size_t>(from.bytes()));
  }
}

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
      if (view.num_elements != 1 || view.dtype != DT_BOOL) {
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
        (view.dtype == DT_INT32 || view.dtype == DT_INT64) && view.num_elements <= kMaxShapeElements;
    if (gives_shape) small[i] = Tensor::BorrowBytes(view.dtype, *view.shape, view.data);
    values.push_back(gives_shape ? &small[i] : nullptr);
  }
  return InferShapes(*instruction.node, shapes, values);
}

absl::Status Executor::RunDynamic(int index) {
  const Instruction& instruction = plan_.instructions[index];
  SF_ASSIGN_OR_RETURN(std::vector<Shape> shapes, InferAtRunTime(instruction, instruction.inputs));
  for (size_t i = 0; i < instruction.outputs.size(); ++i) {
    const int value = instruction.outputs[i];
    if (plan_.buffers[plan_.values[value].buffer].kind == BufferKind::kVariable) {
      RefreshVariable(value);
    } else if (!plan_.values[value].is_static && shapes[i].IsFullyDefined()) {
      SF_RETURN_IF_ERROR(Annotate(Allocate(value, shapes[i]), absl::StrCat(instruction.node->DebugName(), ": ")));
    }
  }
  KernelContext context = frame_.contexts_[index];
  context.range_ = {0, WholeSplit(*instruction.node, context.num_outputs() > 0 ? context.output(0).shape : nullptr)};
  SF_RETURN_IF_ERROR(instruction.kernel(context));
  for (int value : instruction.outputs) RefreshVariable(value);
  return absl::OkStatus();
}

absl::Status Executor::RunShards(int index, Team::Lease& team) {
  struct Job {
    const Instruction& instruction;
    const KernelContext& prototype;
    int workers;
    std::vector<absl::Status> results;
  } job{plan_.instructions[index], frame_.contexts_[index], team.workers(), {}};
  job.results.resize(job.workers);
  team.Run([&job](int worker) {
    const int shards = job.instruction.shards;
    for (int s = shards * worker / job.workers; s < shards * (worker + 1) / job.workers; ++s) {
      KernelContext context = job.prototype;
      context.range_ = ShardRange(job.instruction, s);
      context.worker_ = worker;
      absl::Status status = job.instruction.kernel(context);
      if (!status.ok()) {
        job.results[worker] = std::move(status);
        return;
      }
    }
  });
  for (absl::Status& status : job.results) SF_RETURN_IF_ERROR(std::move(status));
  return absl::OkStatus();
}

absl::Status Executor::RunKernelInstruction(int index, Team::Lease* team) {
  const Instruction& instruction = plan_.instructions[index];
  absl::Status status;
  if (!instruction.is_static) {
    status = RunDynamic(index);
  } else if (instruction.shards > 1 && team != nullptr && team->workers() > 1) {
    status = RunShards(index, *team);
  } else {
    return instruction.kernel(frame_.contexts_[index]);
  }
  return status;
}

absl::Status Executor::RunCopy(const Instruction& instruction) {
  const TensorView& from = View(instruction.inputs[0]);
  if (!plan_.values[instruction.outputs[0]].is_static) {
    SF_RETURN_IF_ERROR(Allocate(instruction.outputs[0], *from.shape));
  }
  CopyElements(from, frame_.views_[instruction.outputs[0]]);
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
    CopyElements(from, frame_.views_[instruction.outputs[0]]);
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

absl::Status Executor::RunLoopAssign(const Instruction& instruction) {
  std::vector<Tensor> carried;
  for (int value : instruction.inputs) {
    const TensorView& view = View(value);
    const Tensor& tensor = frame_.tensors_[plan_.values[value].buffer];
    const bool own =
        plan_.buffers[plan_.values[value].buffer].kind == BufferKind::kDynamic && tensor.raw() == view.data;
    SF_ASSIGN_OR_RETURN(Tensor next, own ? tensor.Reshaped(*view.shape)
                                         : Tensor::BorrowBytes(view.dtype, *view.shape, view.data).Clone());
    carried.push_back(std::move(next));
  }
  for (size_t i = 0; i < carried.size(); ++i) {
    const int value = instruction.outputs[i];
    frame_.dynamic_shapes_[value] = carried[i].shape();
    frame_.views_[value].data = carried[i].raw();
    SetShape(&frame_.dynamic_shapes_[value], &frame_.views_[value]);
    frame_.tensors_[plan_.values[value].buffer] = std::move(carried[i]);
  }
  return absl::OkStatus();
}

absl::Status Executor::RunInstructions(Team::Lease* team, StepProfile* profile) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point step_start = profile == nullptr ? Clock::time_point() : Clock::now();
  const int n = static_cast<int>(plan_.instructions.size());
  for (int i = 0; i < n;) {
    const Instruction& instruction = plan_.instructions[i];
    if (frame_.step_.IsCancelled()) return absl::CancelledError("the step was cancelled");
    const Clock::time_point start = profile == nullptr ? Clock::time_point() : Clock::now();
    absl::Status status;
    switch (instruction.kind) {
      case InstructionKind::kKernel:
        status = RunKernelInstruction(i, team);
        break;
      case InstructionKind::kJump: {
        SF_ASSIGN_OR_RETURN(const bool holds, Holds(instruction.guard));
        if (!holds) {
          i = instruction.target;
          continue;
        }
        break;
      }
      case InstructionKind::kCheckVariable:
        if (!instruction.variable->initialized) [[unlikely]] {
          return absl::FailedPreconditionError(absl::StrCat(instruction.node->DebugName(), ": variable '",
                                                            instruction.variable->name, "' is not initialized"));
        }
        break;
      case InstructionKind::kCopy:
        status = RunCopy(instruction);
        break;
      case InstructionKind::kMerge:
        status = RunMerge(instruction);
        break;
      case InstructionKind::kAlias:
        status = RunAlias(instruction);
        break;
      case InstructionKind::kLoopAssign:
      case InstructionKind::kLoopNext:
        status = RunLoopAssign(instruction);
        break;
      case InstructionKind::kFail:
        return instruction.failure;
    }
    if (!status.ok()) [[unlikely]] {
      if (instruction.node == nullptr) return status;
      const std::string name = instruction.node->DebugName();
      return absl::StartsWith(status.message(), name) ? status : Annotate(status, absl::StrCat(name, ": "));
    }
    for (int buffer : instruction.releases) {
      frame_.dynamic_bytes_ -= frame_.tensors_[buffer].unique() ? frame_.tensors_[buffer].bytes() : 0;
      frame_.tensors_[buffer] = Tensor();
    }
    if (profile != nullptr && instruction.node != nullptr) {
      const Clock::time_point end = Clock::now();
      profile->Add({.node = instruction.node->name(),
                    .type = instruction.node->type(),
                    .start_ns = (start - step_start).count(),
                    .duration_ns = (end - start).count(),
                    .shards = instruction.shards});
    }
    i = instruction.kind == InstructionKind::kLoopNext ? instruction.target : i + 1;
  }
  return absl::OkStatus();
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
    const Tensor borrowed = Tensor::BorrowBytes(view.dtype, *view.shape, view.data);
    SF_ASSIGN_OR_RETURN(Tensor copy, borrowed.Clone());
    fetches->push_back(std::move(copy));
  }
  return absl::OkStatus();
}

absl::Status Executor::Run(absl::Span<const Tensor> feeds, const ExecuteOptions& options,
                           std::vector<Tensor>* fetches) {
  BindFeeds(feeds);
  absl::Status status;
  if (plan_.divisible && options.threads > 1) {
    Team::Lease team(options.threads);
    status = RunInstructions(&team, options.profile);
  } else {
    status = RunInstructions(nullptr, options.profile);
  }
  if (status.ok()) status = Fetch(fetches);
  for (size_t b = 0; b < plan_.buffers.size(); ++b) {
    if (plan_.buffers[b].kind == BufferKind::kDynamic) frame_.tensors_[b] = Tensor();
  }
  frame_.dynamic_bytes_ = 0;
  return status;
}

absl::Status RunPlan(Frame& frame, absl::Span<const Tensor> feeds, const StepState& step, const ExecuteOptions& options,
                     std::vector<Tensor>* fetches) {
  return Executor(frame, step).Run(feeds, options, fetches);
}

}  // namespace staticflow
