// What the ops on tensor arrays share: each has a form for resource handles (...V3), one for string handles (...V2) and
// one for references to those (without V). Only arrays behind resource handles have gradients of their own.
#ifndef STATICFLOW_OPS_TENSOR_ARRAY_FORMS_H_
#define STATICFLOW_OPS_TENSOR_ARRAY_FORMS_H_

#include <string>

#include "graph/gradients.h"
#include "ops/tensor_array.h"
#include "ops/tensor_array_storage.h"

namespace staticflow {

// The registrars of all three forms of an op: the given spec (whose name has no V and which has no handle), the handle
// put in front of its inputs.
struct TensorArrayForms {
  TensorArrayForms(OpSpec spec) {  // NOLINT
    spec.gradient = spec.gradient == nullptr ? kNotDifferentiable : spec.gradient;
    v3.emplace(WithHandle(spec, spec.name + "V3", "resource"));
    if (spec.gradient != kNotDifferentiable) spec.gradient = kGradientIsError;
    v2.emplace(WithHandle(spec, spec.name + "V2", "string"));
    v1.emplace(WithHandle(spec, spec.name, "Ref(string)"));
  }
  std::optional<OpRegistrar> v1, v2, v3;
};

struct TensorArrayAccess {
  TensorArrayStorage* array = nullptr;
  StepObjectMemory* memory = nullptr;
};
// The array behind input 0, checked to be open and of `dtype`.
inline absl::StatusOr<TensorArrayAccess> TensorArrayBehind(KernelContext& c, DataType dtype) {
  TensorArrayAccess access;
  SF_ASSIGN_OR_RETURN(access.array, StepObjectBehind<TensorArrayStorage>(c, 0));
  SF_ASSIGN_OR_RETURN(access.memory, StepObjectMemory::Of(c));
  SF_RETURN_IF_ERROR(access.array->Check(dtype));
  return access;
}

// A shape function's check of the scalar or vector at input `i`.
inline absl::Status CheckRank(ShapeContext& c, int i, int rank) { return c.WithRank(i, rank).status(); }

// A new flow after what the kernel did.
inline absl::Status PassFlow(KernelContext& c) {
  *c.out<float>(0) = 0;
  return absl::OkStatus();
}

// The gradients of the array that `c`'s node is about, after `flow`; one array for each call of Gradients.
TensorArray GradientsOf(const GradientContext& c, Output flow);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_TENSOR_ARRAY_FORMS_H_
