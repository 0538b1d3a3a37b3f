// DestroyResourceOp: a variable without value again. TemporaryVariable and DestroyTemporaryVariable: one that has a
// value within a step alone.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "graph/variable_key.h"
#include "ops/array_shapes.h"
#include "ops/strided_copy.h"
#include "ops/variable_value.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

// DestroyResourceOp: the variable behind a handle has no value any more.
absl::Status DestroyVariable(KernelContext& c, bool ignore_missing) {
  VariableSlot& slot = c.variable(0);
  if (!slot.initialized && !ignore_missing) {
    return absl::NotFoundError(absl::StrCat("variable ", slot.name, " has no value to destroy"));
  }
  slot.initialized = false;
  return absl::OkStatus();
}
absl::StatusOr<Kernel> DestroyKernel(const KernelSetup& setup) {
  if (VariableBehind(setup.node().input(0)) == nullptr) {
    return absl::UnimplementedError("only variables can be destroyed");
  }
  return Kernel(
      [ignore = setup.attr<bool>("ignore_lookup_error")](KernelContext& c) { return DestroyVariable(c, ignore); });
}
const OpRegistrar destroy({.name = "DestroyResourceOp",
                           .inputs = {"resource: resource"},
                           .attrs = {"ignore_lookup_error: bool = true"},
                           .shape = NoOutputs,
                           .gradient = kNotDifferentiable,
                           .kernel = DestroyKernel,
                           .traits = kStateful,
                           .access = {{0, Access::kOverwrite}},
                           .doc = "Takes a variable's value away."});

// TemporaryVariable: a reference to a variable that nothing but its node names, without a value until it is assigned.
absl::Status TemporaryShape(ShapeContext& c) {
  c.set_output(0, c.attr<Shape>("shape"));
  return absl::OkStatus();
}
const OpRegistrar temporary({.name = "TemporaryVariable",
                             .outputs = {"ref: Ref(dtype)"},
                             .attrs = {"shape: shape", "dtype: type", "var_name: string = ''"},
                             .shape = TemporaryShape,
                             .gradient = kNotDifferentiable,
                             .traits = kStateful,
                             .role = OpRole::kVariable,
                             .doc = "A variable for one step, as a reference."});

// DestroyTemporaryVariable: its last value, after which it has none.
absl::Status DestroyTemporaryShape(ShapeContext& c) {
  c.set_output(0, VariableShapeBehind(c, 0));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> DestroyTemporaryKernel(const KernelSetup& setup) {
  const Node* declaration = VariableBehind(setup.node().input(0));
  if (declaration == nullptr || !declaration->has_attr("var_name")) {
    return absl::InvalidArgumentError("the reference is to no TemporaryVariable");
  }
  const std::string& given = declaration->attr<std::string>("var_name");
  const std::string& name = given.empty() ? declaration->name() : given;
  if (const auto& wanted = setup.attr<std::string>("var_name"); wanted != name) {
    return absl::NotFoundError(absl::StrCat("var_name is '", wanted, "', the temporary variable's '", name, "'"));
  }
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) -> absl::Status {
      SF_ASSIGN_OR_RETURN(VariableSlot * slot, InitializedVariable(c, 0));
      SF_RETURN_IF_ERROR(ExpectOutput(c, 0, slot->value.shape()));
      std::copy_n(static_cast<const T*>(slot->value.raw()), slot->value.num_elements(), c.out<T>(0));
      slot->initialized = false;
      return absl::OkStatus();
    };
  });
}
const OpRegistrar destroy_temporary({.name = "DestroyTemporaryVariable",
                                     .inputs = {"ref: Ref(T)"},
                                     .outputs = {"value: T"},
                                     .attrs = {"T: type", "var_name: string"},
                                     .shape = DestroyTemporaryShape,
                                     .gradient = kGradientIsError,
                                     .kernel = DestroyTemporaryKernel,
                                     .traits = kStateful,
                                     .access = {{0, Access::kUpdate}},
                                     .doc = "The value of a temporary variable, which ends there."});

}  // namespace
}  // namespace staticflow
