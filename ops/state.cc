// Declarations of variables and questions about them. They change nothing.
#include "ops/state.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "graph/gradients.h"
#include "graph/variable_key.h"
#include "ops/variable_value.h"

namespace staticflow {

Shape VariableShapeBehind(const ShapeContext& c, int i) {
  const Output input = c.node().input(i);
  if (!input.valid()) return Shape::Unknown();
  if (input.is_ref()) return c.input(i);
  const Node* declaration = VariableBehind(input);
  return declaration == nullptr ? Shape::Unknown() : declaration->attr<Shape>("shape");
}

namespace {

// A shape without dimensions in a VariableV2 means a scalar, in the older Variable that nothing is known.
absl::Status DeclaredShape(ShapeContext& c) {
  c.set_output(0, c.attr<Shape>("shape"));
  return absl::OkStatus();
}
absl::Status OldVariableShape(ShapeContext& c) {
  const Shape& shape = c.attr<Shape>("shape");
  c.set_output(0, shape.IsScalar() ? Shape::Unknown() : shape);
  return absl::OkStatus();
}

// VariableV2, Variable: a reference to the slot of the resource store that the node names.
const OpRegistrar variable_v2({.name = "VariableV2",
                               .outputs = {"ref: Ref(dtype)"},
                               .attrs = {"shape: shape", "dtype: type", "container: string = ''",
                                         "shared_name: string = ''"},
                               .shape = DeclaredShape,
                               .gradient = kNotDifferentiable,
                               .traits = kStateful,
                               .role = OpRole::kVariable,
                               .doc = "A variable, as a reference."});
const OpRegistrar variable_v1({.name = "Variable",
                               .outputs = {"ref: Ref(dtype)"},
                               .attrs = {"shape: shape", "dtype: type", "container: string = ''",
                                         "shared_name: string = ''"},
                               .shape = OldVariableShape,
                               .gradient = kNotDifferentiable,
                               .traits = kStateful,
                               .role = OpRole::kVariable,
                               .doc = "A variable, as a reference (the form before VariableV2)."});

// VarHandleOp: a handle to the slot.
const OpRegistrar var_handle({.name = "VarHandleOp",
                              .outputs = {"resource: resource"},
                              .attrs = {"container: string = ''", "shared_name: string = ''", "debug_name: string = ''",
                                        "dtype: type", "shape: shape", "allowed_devices: list(string) = []"},
                              .shape = ScalarShape,
                              .gradient = kNotDifferentiable,
                              .traits = kStateful,
                              .role = OpRole::kVarHandle,
                              .doc = "A variable, as a handle."});

// ReadVariableOp: value = variable.   d(handle) = d(value), as the gradient of what is behind it.
absl::Status ReadShape(ShapeContext& c) {
  const Node* variable = VariableBehind(c.node().input(0));
  if (variable != nullptr && variable->op().is(OpRole::kVarHandle) &&
      variable->attr<DataType>("dtype") != c.attr<DataType>("dtype")) {
    return absl::InvalidArgumentError(absl::StrCat(variable->DebugName(), " is of type ",
                                                   DataTypeName(variable->attr<DataType>("dtype")), ", not ",
                                                   DataTypeName(c.attr<DataType>("dtype"))));
  }
  c.set_output(0, VariableShapeBehind(c, 0));
  return absl::OkStatus();
}
absl::Status ReadIntoOutput(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(VariableSlot * slot, InitializedVariable(c, 0));
  const TensorView& out = c.output(0);
  const Tensor& value = slot->value;
  if (value.dtype() != out.dtype || value.num_elements() != out.num_elements) {
    return absl::InvalidArgumentError(absl::StrCat("variable ", slot->name, " holds ", DataTypeName(value.dtype()),
                                                   value.shape().ToString(), ", expected ", DataTypeName(out.dtype),
                                                   out.shape->ToString()));
  }
  if (value.dtype() == DT_STRING) {
    const auto strings = value.flat<std::string>();
    std::copy(strings.begin(), strings.end(), c.out<std::string>(0));
  } else if (value.bytes() > 0) {
    std::memcpy(out.data, value.raw(), static_cast<size_t>(value.bytes()));
  }
  return absl::OkStatus();
}
absl::Status ReadAnyShape(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(VariableSlot * slot, InitializedVariable(c, 0));
  SF_ASSIGN_OR_RETURN(Tensor copy, slot->value.Clone());
  return c.SetOutput(0, std::move(copy));
}
absl::StatusOr<Kernel> ReadKernel(const KernelSetup& setup) {
  return setup.output_shape(0).IsFullyDefined() ? Kernel(ReadIntoOutput) : Kernel(ReadAnyShape);
}
void ReadGradient(GradientContext& c) { c.set_dx(0, c.dy(0)); }
const OpRegistrar read_variable({.name = "ReadVariableOp",
                                 .inputs = {"resource: resource"},
                                 .outputs = {"value: dtype"},
                                 .attrs = {"dtype: type"},
                                 .shape = ReadShape,
                                 .gradient = ReadGradient,
                                 .kernel = ReadKernel,
                                 .traits = kStateful,
                                 .role = OpRole::kReadVariable,
                                 .access = {{0, Access::kRead}},
                                 .doc = "The value of the variable behind a handle."});

// IsVariableInitialized, VarIsInitializedOp: whether a value was ever assigned.
absl::Status IsInitializedKernel(KernelContext& c) {
  *c.out<bool>(0) = c.variable(0).initialized;
  return absl::OkStatus();
}
const OpRegistrar is_variable_initialized({.name = "IsVariableInitialized",
                                           .inputs = {"ref: Ref(dtype)"},
                                           .outputs = {"is_initialized: bool"},
                                           .attrs = {"dtype: type"},
                                           .shape = ScalarShape,
                                           .gradient = kNotDifferentiable,
                                           .kernel = IsInitializedKernel,
                                           .traits = kStateful,
                                           .access = {{0, Access::kInspect}},
                                           .doc = "Whether the variable has a value."});
const OpRegistrar var_is_initialized({.name = "VarIsInitializedOp",
                                      .inputs = {"resource: resource"},
                                      .outputs = {"is_initialized: bool"},
                                      .shape = ScalarShape,
                                      .gradient = kNotDifferentiable,
                                      .kernel = IsInitializedKernel,
                                      .traits = kStateful,
                                      .access = {{0, Access::kInspect}},
                                      .doc = "Whether the variable behind a handle has a value."});

// DisableCopyOnRead: here reads never change how a variable is kept, so there is nothing to do.
absl::Status DisableCopyOnReadKernel(KernelContext&) { return absl::OkStatus(); }
const OpRegistrar disable_copy_on_read({.name = "DisableCopyOnRead",
                                        .inputs = {"resource: resource"},
                                        .shape = NoOutputs,
                                        .gradient = kNotDifferentiable,
                                        .kernel = DisableCopyOnReadKernel,
                                        .traits = kStateful,
                                        .access = {{0, Access::kInspect}},
                                        .doc = "Ends the mode in which a variable is copied when it is read."});

// VariableShape: the shape of the value behind a handle.
absl::Status VariableShapeShape(ShapeContext& c) {
  const Shape shape = VariableShapeBehind(c, 0);
  c.set_output(0, shape.has_rank() ? Shape({shape.rank()}) : Shape::UnknownOfRank(1));
  return absl::OkStatus();
}
std::optional<Shape> VariableShapeValue(const ShapeContext& c) { return VariableShapeBehind(c, 0); }
template <typename T>
absl::Status VariableShapeKernelOf(KernelContext& c, bool allocate) {
  SF_ASSIGN_OR_RETURN(VariableSlot * slot, InitializedVariable(c, 0));
  const Shape& shape = slot->value.shape();
  if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(0, {shape.rank()}));
  T* out = c.out<T>(0);
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape.dim(i) > std::numeric_limits<T>::max()) {
      return absl::InvalidArgumentError(absl::StrCat("size ", shape.dim(i), " does not fit into out_type"));
    }
    out[i] = static_cast<T>(shape.dim(i));
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> VariableShapeKernel(const KernelSetup& setup) {
  const bool allocate = !setup.output_shape(0).IsFullyDefined();
  if (setup.output_dtype(0) == DT_INT64) {
    return Kernel([allocate](KernelContext& c) { return VariableShapeKernelOf<int64_t>(c, allocate); });
  }
  return Kernel([allocate](KernelContext& c) { return VariableShapeKernelOf<int32_t>(c, allocate); });
}
const OpRegistrar variable_shape({.name = "VariableShape",
                                  .inputs = {"input: resource"},
                                  .outputs = {"output: out_type"},
                                  .attrs = {"out_type: {int32, int64} = int32"},
                                  .shape = VariableShapeShape,
                                  .gradient = kNotDifferentiable,
                                  .kernel = VariableShapeKernel,
                                  .traits = kStateful,
                                  .access = {{0, Access::kInspect}},
                                  .shape_value = VariableShapeValue,
                                  .doc = "The shape of the variable behind a handle."});

}  // namespace

Output IsVariableInitialized(Operand ref, const OpOptions& options) {
  const bool is_handle = ref.output().valid() && ref.output().dtype() == DT_RESOURCE;
  return NodeBuilder(is_handle ? "VarIsInitializedOp" : "IsVariableInitialized", {ref}).Name(options.name).Build();
}

Output ReadVariable(Operand handle, DataType dtype, const OpOptions& options) {
  return NodeBuilder("ReadVariableOp", {handle}).Attr("dtype", dtype).Name(options.name).Build();
}

Output VariableShape(Operand handle, const OpOptions& options) {
  return NodeBuilder("VariableShape", {handle}).Name(options.name).Build();
}

}  // namespace staticflow
