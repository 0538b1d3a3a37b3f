#include "ops/stack.h"

#include <algorithm>

#include "graph/gradients.h"
#include "ops/step_objects.h"

namespace staticflow {
namespace {

class StackOfTensors : public Resource {
 public:
  StackOfTensors(DataType dtype, int64_t max_size, StepObjectMemory& memory)
      : dtype_(dtype), max_size_(max_size), memory_(memory) {}

  absl::Status Push(Tensor tensor) {
    SF_RETURN_IF_ERROR(Check(tensor.dtype()));
    if (max_size_ >= 0 && static_cast<int64_t>(tensors_.size()) >= max_size_) {
      return absl::InvalidArgumentError(absl::StrCat("the stack is full: it holds ", max_size_, " tensors"));
    }
    SF_RETURN_IF_ERROR(memory_.Take(tensor.bytes()));
    tensors_.push_back(std::move(tensor));
    return absl::OkStatus();
  }
  absl::StatusOr<Tensor> Pop(DataType dtype) {
    SF_RETURN_IF_ERROR(Check(dtype));
    if (tensors_.empty()) return absl::InvalidArgumentError("the stack is empty");
    Tensor last = std::move(tensors_.back());
    tensors_.pop_back();
    memory_.GiveBack(last.bytes());
    return last;
  }
  void Close() {
    tensors_.clear();
    closed_ = true;
  }

 private:
  absl::Status Check(DataType dtype) const {
    if (closed_) return absl::InvalidArgumentError("the stack was closed");
    if (dtype == dtype_) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("the stack is for ", DataTypeName(dtype_), ", the element is ", DataTypeName(dtype)));
  }

  DataType dtype_;
  int64_t max_size_;
  StepObjectMemory& memory_;  // of the same step
  bool closed_ = false;
  std::vector<Tensor> tensors_;
};

// Stack: the handle of a new stack.
absl::Status StackShape(ShapeContext& c) {
  if (c.num_inputs() > 0) SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  c.set_output(0, HandleShape(c.node().output_dtype(0)));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> StackKernel(const KernelSetup& setup) {
  const DataType dtype = setup.attr<DataType>("elem_type");
  const std::string& given = setup.attr<std::string>("stack_name");
  return Kernel([dtype, name = given.empty() ? setup.node().name() : given](KernelContext& c) -> absl::Status {
    const int64_t max_size = c.num_inputs() > 0 ? c.scalar<int32_t>(0) : -1;
    SF_ASSIGN_OR_RETURN(StepObjectMemory * memory, StepObjectMemory::Of(c));
    return MakeStepObject(
        c, name, [&](const std::string&) { return std::make_unique<StackOfTensors>(dtype, max_size, *memory); });
  });
}
OpSpec Declaration(std::string name, std::vector<std::string> inputs, std::string handle_type) {
  return {.name = std::move(name),
          .inputs = std::move(inputs),
          .outputs = {"handle: " + handle_type},
          .attrs = {"elem_type: type", "stack_name: string = ''"},
          .shape = StackShape,
          .gradient = kNotDifferentiable,
          .kernel = StackKernel,
          .traits = kStateful | kStepObjects,
          .role = OpRole::kStack,
          .doc = "A stack of tensors for this step."};
}
const OpRegistrar stack(Declaration("Stack", {}, "Ref(string)"));
const OpRegistrar stack_v2(Declaration("StackV2", {"max_size: int32"}, "resource"));

struct BothForms {
  BothForms(const OpSpec& spec)  // NOLINT
      : reference(WithHandle(spec, spec.name, "Ref(string)")), handle(WithHandle(spec, spec.name + "V2", "resource")) {}
  OpRegistrar reference, handle;
};

// StackPush: output = elem, which is on the stack then.
absl::Status PushShape(ShapeContext& c) {
  c.set_output(0, c.input(1));
  return absl::OkStatus();
}
absl::Status PushKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(StackOfTensors * stack, StepObjectBehind<StackOfTensors>(c, 0));
  SF_ASSIGN_OR_RETURN(Tensor elem, c.InputTensor(1));
  SF_RETURN_IF_ERROR(stack->Push(std::move(elem)));
  CopyElements(c.input(1).dtype, c.input(1).data, c.output(0).data, c.input(1).num_elements);
  return absl::OkStatus();
}
const BothForms push({.name = "StackPush",
                      .inputs = {"elem: T"},
                      .outputs = {"output: T"},
                      .attrs = {"T: type", "swap_memory: bool = false"},
                      .shape = PushShape,
                      .gradient = kGradientIsError,
                      .kernel = PushKernel,
                      .role = OpRole::kStackPush,
                      .doc = "Puts a tensor on a stack and passes it on."});

// StackPop: the last element. Its shape is what building has learned of it.
absl::Status PopShape(ShapeContext& c) {
  c.set_output(0, c.node().output_shape(0));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> PopKernel(const KernelSetup& setup) {
  return Kernel([shape = setup.output_shape(0)](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(StackOfTensors * stack, StepObjectBehind<StackOfTensors>(c, 0));
    SF_ASSIGN_OR_RETURN(Tensor elem, stack->Pop(c.output(0).dtype));
    if (!shape.IsFullyDefined()) return c.SetOutput(0, std::move(elem));
    if (elem.shape() != shape) {
      return absl::InvalidArgumentError(
          absl::StrCat("the element has shape ", elem.shape().ToString(), ", expected ", shape.ToString()));
    }
    CopyElements(elem.dtype(), elem.raw(), c.output(0).data, elem.num_elements());
    return absl::OkStatus();
  });
}
const BothForms pop({.name = "StackPop",
                     .outputs = {"elem: elem_type"},
                     .attrs = {"elem_type: type"},
                     .shape = PopShape,
                     .gradient = kGradientIsError,
                     .kernel = PopKernel,
                     .role = OpRole::kStackPop,
                     .doc = "Takes the last tensor off a stack."});

absl::Status CloseKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(StackOfTensors * stack, StepObjectBehind<StackOfTensors>(c, 0));
  stack->Close();
  return absl::OkStatus();
}
const BothForms close({.name = "StackClose",
                       .shape = NoOutputs,
                       .gradient = kNotDifferentiable,
                       .kernel = CloseKernel,
                       .doc = "Empties a stack for good."});

std::string FormFor(absl::string_view type, const Operand& handle) {
  const bool is_reference = handle.output().valid() && handle.output().dtype() == DT_STRING;
  return absl::StrCat(type, is_reference ? "" : "V2");
}

}  // namespace

Output StackV2(Operand max_size, DataType elem_type, const OpOptions& options) {
  return NodeBuilder("StackV2", {max_size}).Attr("elem_type", elem_type).Name(options.name).Build();
}

Output StackPush(Operand handle, Operand elem, const OpOptions& options) {
  return NodeBuilder(FormFor("StackPush", handle), {handle, elem}).Name(options.name).Build();
}

Output StackPop(Operand handle, DataType elem_type, const OpOptions& options) {
  return NodeBuilder(FormFor("StackPop", handle), {handle}).Attr("elem_type", elem_type).Name(options.name).Build();
}

Operation StackClose(Operand handle, const OpOptions& options) {
  return NodeBuilder(FormFor("StackClose", handle), {handle}).Name(options.name).BuildNode();
}

}  // namespace staticflow
