// What kernels that touch variables share.
#ifndef STATICFLOW_OPS_VARIABLE_VALUE_H_
#define STATICFLOW_OPS_VARIABLE_VALUE_H_

#include "absl/strings/str_cat.h"
#include "graph/shape_inference.h"
#include "runtime/kernel.h"

namespace staticflow {

// The slot behind input i, which must hold a value; FailedPrecondition naming the variable otherwise.
inline absl::StatusOr<VariableSlot*> InitializedVariable(KernelContext& c, int i) {
  VariableSlot& slot = c.variable(i);
  if (!slot.initialized) [[unlikely]] {
    return absl::FailedPreconditionError(
        absl::StrCat("variable ", slot.name, " has no value yet: run its initializer or restore it first"));
  }
  return &slot;
}

// InvalidArgument unless the view has the shape of the variable's value.
inline absl::Status CheckSameShape(const VariableSlot& slot, const TensorView& view) {
  if (slot.value.shape() == *view.shape) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("variable ", slot.name, " has shape ", slot.value.shape().ToString(),
                                                 ", the update has shape ", view.shape->ToString()));
}

// The part of a variable's elements that this call updates: what the plan says when the op has an output and splits,
// all of them when the variable is only known by its handle.
inline IndexRange UpdateRange(const KernelContext& c, const VariableSlot& slot) {
  return c.num_outputs() > 0 ? c.range() : IndexRange{0, slot.value.num_elements()};
}

// The declared shape of the variable behind input i of a node, a reference or a handle; unknown when that leads
// outside the graph.
Shape VariableShapeBehind(const ShapeContext& c, int i);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_VARIABLE_VALUE_H_
