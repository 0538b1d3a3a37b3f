// Ops that write variables. TensorFlow has each twice, for references and for handles; one kernel serves both.
#include <type_traits>

#include "graph/gradients.h"
#include "graph/variable_key.h"
#include "ops/state.h"
#include "ops/variable_value.h"
#include "runtime/loop.h"

namespace staticflow {
namespace {

// Assign: ref = value.
absl::Status AssignShape(ShapeContext& c) {
  // While planning, input 0 has the shape of the present value, which an unchecked assignment may replace.
  const Node* declaration = VariableBehind(c.node().input(0));
  const Shape& declared = declaration == nullptr ? c.input(0) : declaration->output_shape(0);
  if (!c.attr<bool>("validate_shape") && !declared.IsFullyDefined()) {
    c.set_output(0, c.input(1));
    return absl::OkStatus();
  }
  absl::StatusOr<Shape> merged = declared.MergeWith(c.input(1));
  if (!merged.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the variable has shape ", declared.ToString(), ", the value to assign ", c.input(1).ToString()));
  }
  c.set_output(0, *std::move(merged));
  return absl::OkStatus();
}
absl::Status CopyIntoVariable(KernelContext& c, bool validate_shape) {
  const TensorView& value = c.input(1);
  return c.variable(0).Assign(value.dtype, *value.shape, value.data, validate_shape);
}
absl::StatusOr<Kernel> AssignKernel(const KernelSetup& setup) {
  const bool validate_shape = setup.attr<bool>("validate_shape");
  return Kernel([validate_shape](KernelContext& c) { return CopyIntoVariable(c, validate_shape); });
}
const OpRegistrar assign({.name = "Assign",
                          .inputs = {"ref: Ref(T)", "value: T"},
                          .outputs = {"output_ref: Ref(T)"},
                          .attrs = {"T: type", "validate_shape: bool = true", "use_locking: bool = true"},
                          .shape = AssignShape,
                          .gradient = kNotDifferentiable,
                          .kernel = AssignKernel,
                          .traits = kStateful,
                          .access = {{0, Access::kOverwrite}},
                          .doc = "Gives a variable a new value."});

// AssignVariableOp: variable = value. The variable's declared shape always holds.
absl::Status AssignVariableShape(ShapeContext& c) {
  const Shape declared = VariableShapeBehind(c, 0);
  if (declared.IsCompatibleWith(c.input(1))) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the variable has shape ", declared.ToString(), ", the value to assign ", c.input(1).ToString()));
}
absl::Status AssignVariableKernel(KernelContext& c) { return CopyIntoVariable(c, /*validate_shape=*/true); }
const OpRegistrar assign_variable({.name = "AssignVariableOp",
                                   .inputs = {"resource: resource", "value: dtype"},
                                   .attrs = {"dtype: type", "validate_shape: bool = false"},
                                   .shape = AssignVariableShape,
                                   .gradient = kNotDifferentiable,
                                   .kernel = AssignVariableKernel,
                                   .traits = kStateful,
                                   .access = {{0, Access::kOverwrite}},
                                   .doc = "Gives the variable behind a handle a new value."});

// AssignAdd, AssignSub: ref += value, ref -= value.   Integers wrap.
struct Add {
  template <typename T>
  static T Apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      using U = std::make_unsigned_t<T>;
      return static_cast<T>(static_cast<U>(static_cast<U>(a) + static_cast<U>(b)));
    } else if constexpr (std::is_floating_point_v<T>) {
      return a + b;
    } else {
      return T(float(a) + float(b));
    }
  }
};
struct Subtract {
  template <typename T>
  static T Apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      using U = std::make_unsigned_t<T>;
      return static_cast<T>(static_cast<U>(static_cast<U>(a) - static_cast<U>(b)));
    } else if constexpr (std::is_floating_point_v<T>) {
      return a - b;
    } else {
      return T(float(a) - float(b));
    }
  }
};
template <typename Operation, typename T>
absl::Status UpdateVariable(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(VariableSlot * slot, InitializedVariable(c, 0));
  SF_RETURN_IF_ERROR(CheckSameShape(*slot, c.input(1)));
  T* variable = slot->value.data<T>();
  const T* value = c.in<T>(1);
  const auto [begin, end] = UpdateRange(c, *slot);
  for (int64_t i = begin; i < end; ++i) variable[i] = Operation::Apply(variable[i], value[i]);
  return absl::OkStatus();
}
template <LaneOp op>
bool UpdateLoop(LoopContext& c) {
  return c.set_variable(0, c.Apply(op, c.input(0), c.input(1)));
}
template <typename Operation>
absl::StatusOr<Kernel> UpdateKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, Half, BFloat16>(
      setup.input_dtype(1), [&]<typename T>() { kernel = UpdateVariable<Operation, T>; });
  return kernel;
}
absl::Status UpdateShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, VariableShapeBehind(c, 0).MergeWith(c.input(1)));
  if (c.num_outputs() > 0) c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
OpSpec RefUpdate(std::string name, KernelSource kernel, LoopFunction loop, double sign, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"ref: Ref(T)", "value: T"},
          .outputs = {"output_ref: Ref(T)"},
          .attrs = {"T: realnumbertype", "use_locking: bool = false"},
          .shape = UpdateShape,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .traits = kStateful,
          .iteration = {.split = Split::kFlat},
          .access = {{0, Access::kUpdate}},
          .loop = loop,
          .accumulation = {.delta = 1, .sign = sign},
          .doc = std::move(doc)};
}
OpSpec HandleUpdate(std::string name, KernelSource kernel, LoopFunction loop, double sign, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"resource: resource", "value: dtype"},
          .attrs = {"dtype: realnumbertype"},
          .shape = UpdateShape,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .traits = kStateful,
          .access = {{0, Access::kUpdate}},
          .loop = loop,
          .accumulation = {.delta = 1, .sign = sign},
          .doc = std::move(doc)};
}
const OpRegistrar assign_add(RefUpdate("AssignAdd", UpdateKernel<Add>, UpdateLoop<LaneOp::kAdd>, 1,
                                       "Adds a value to a variable."));
const OpRegistrar assign_sub(RefUpdate("AssignSub", UpdateKernel<Subtract>, UpdateLoop<LaneOp::kSub>, -1,
                                       "Subtracts a value from a variable."));
const OpRegistrar assign_add_variable(HandleUpdate("AssignAddVariableOp", UpdateKernel<Add>, UpdateLoop<LaneOp::kAdd>,
                                                   1, "Adds a value to the variable behind a handle."));
const OpRegistrar assign_sub_variable(HandleUpdate("AssignSubVariableOp", UpdateKernel<Subtract>,
                                                   UpdateLoop<LaneOp::kSub>, -1,
                                                   "Subtracts a value from the variable behind a handle."));

// CountUpTo: output = ref; ref += 1.   OutOfRange once ref has reached the limit.
template <typename T>
absl::Status CountUpToKernelOf(KernelContext& c, int64_t limit) {
  SF_ASSIGN_OR_RETURN(VariableSlot * slot, InitializedVariable(c, 0));
  if (slot->value.num_elements() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("variable ", slot->name, " is no scalar"));
  }
  T& count = *slot->value.data<T>();
  if (count >= limit) return absl::OutOfRangeError(absl::StrCat("reached the limit of ", limit));
  *c.out<T>(0) = count++;
  return absl::OkStatus();
}
absl::StatusOr<Kernel> CountUpToKernel(const KernelSetup& setup) {
  const int64_t limit = setup.attr<int64_t>("limit");
  if (setup.output_dtype(0) == DT_INT64) {
    return Kernel([limit](KernelContext& c) { return CountUpToKernelOf<int64_t>(c, limit); });
  }
  return Kernel([limit](KernelContext& c) { return CountUpToKernelOf<int32_t>(c, limit); });
}
absl::Status CountShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(VariableShapeBehind(c, 0).MergeWith(Shape()).status());
  c.set_output(0, Shape());
  return absl::OkStatus();
}
OpSpec Counter(std::string name, std::string input) {
  return {.name = std::move(name),
          .inputs = {std::move(input)},
          .outputs = {"output: T"},
          .attrs = {"limit: int", "T: {int32, int64}"},
          .shape = CountShape,
          .gradient = kNotDifferentiable,
          .kernel = CountUpToKernel,
          .traits = kStateful,
          .access = {{0, Access::kUpdate}},
          .doc = "Increments a variable up to a limit and returns what it was."};
}
const OpRegistrar count_up_to(Counter("CountUpTo", "ref: Ref(T)"));
const OpRegistrar resource_count_up_to(Counter("ResourceCountUpTo", "resource: resource"));

// The value of the variable behind the handle after `update`.
Output ReadAfter(Operand handle, Node* update, DataType dtype) {
  if (update == nullptr) return Output();
  return NodeBuilder("ReadVariableOp", {handle}).Attr("dtype", dtype).ControlInput(update).Build();
}

Output Update(const char* ref_type, const char* handle_type, Operand ref, Operand value, const std::string& name) {
  if (!ref.output().valid() || ref.output().dtype() != DT_RESOURCE) {
    return NodeBuilder(ref_type, {ref, value}).Name(name).Build();
  }
  NodeBuilder update(handle_type, {ref, value});
  if (value.is_number()) {
    const Node* declaration = VariableBehind(ref.output());
    if (declaration != nullptr) update.Attr("dtype", declaration->attr<DataType>("dtype"));
  }
  Node* node = update.Name(name).BuildNode();
  return ReadAfter(ref, node, node == nullptr ? DT_INVALID : node->attr<DataType>("dtype"));
}

}  // namespace

Output Assign(Operand ref, Operand value, const AssignOptions& options) {
  if (ref.output().valid() && ref.output().dtype() == DT_RESOURCE) {
    return Update("Assign", "AssignVariableOp", ref, value, options.name);
  }
  return NodeBuilder("Assign", {ref, value})
      .Attr("validate_shape", options.validate_shape)
      .Attr("use_locking", options.use_locking)
      .Name(options.name)
      .Build();
}

Output AssignAdd(Operand ref, Operand value, const OpOptions& options) {
  return Update("AssignAdd", "AssignAddVariableOp", ref, value, options.name);
}

Output AssignSub(Operand ref, Operand value, const OpOptions& options) {
  return Update("AssignSub", "AssignSubVariableOp", ref, value, options.name);
}

Output CountUpTo(Operand ref, int64_t limit, const OpOptions& options) {
  NodeBuilder builder(ref.output().valid() && ref.output().dtype() == DT_RESOURCE ? "ResourceCountUpTo" : "CountUpTo",
                      {ref});
  if (ref.output().valid() && ref.output().dtype() == DT_RESOURCE) {
    const Node* declaration = VariableBehind(ref.output());
    if (declaration != nullptr) builder.Attr("T", declaration->attr<DataType>("dtype"));
  }
  return builder.Attr("limit", limit).Name(options.name).Build();
}

}  // namespace staticflow
