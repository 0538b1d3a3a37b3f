// DestroyResourceOp: a variable without value again.
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "graph/variable_key.h"
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

}  // namespace
}  // namespace staticflow
