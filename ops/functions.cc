// The ops that call functions of the graph's library. They are inlined before anything runs or is differentiated.
#include "ops/functions.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/function_inliner.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "graph/source_line.h"
#include "ops/batch_rules.h"
#include "ops/strided_copy.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

const InliningOpsRegistrar inlining_ops({.identity_n = "IdentityN",
                                         .to_bool = "ToBool",
                                         .equal = "Equal",
                                         .less = "Less",
                                         .select = "Select",
                                         .add = "AddV2",
                                         .assertion = "Assert",
                                         .symbolic_gradient = "SymbolicGradient",
                                         .switch_reference = "RefSwitch",
                                         .select_reference = "RefSelect"});

// What the writer of the graph knew: nothing, or one shape per output.
absl::Status StatedShapes(ShapeContext& c) {
  if (!c.node().has_attr("output_shapes")) return absl::OkStatus();
  const auto& shapes = c.attr<std::vector<Shape>>("output_shapes");
  if (static_cast<int>(shapes.size()) != c.num_outputs()) return absl::OkStatus();
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, shapes[i]);
  return absl::OkStatus();
}

OpSpec CallSpec(std::string name, OpRole role, bool is_stateful, std::vector<std::string> inputs,
                std::vector<std::string> attrs, std::string doc) {
  const bool is_loop = role == OpRole::kWhile;
  attrs.insert(attrs.begin(), is_loop ? "T: list(type) >= 0" : "Tin: list(type) >= 0");
  if (!is_loop) attrs.insert(attrs.begin() + 1, "Tout: list(type) >= 0");
  inputs.push_back(is_loop ? "input: T" : "input: Tin");
  return {.name = std::move(name),
          .inputs = std::move(inputs),
          .outputs = {is_loop ? "output: T" : "output: Tout"},
          .attrs = std::move(attrs),
          .shape = StatedShapes,
          .gradient = kGradientIsError,
          .traits = is_stateful ? kStateful : kNoTraits,
          .role = role,
          .doc = std::move(doc)};
}

OpSpec Call(std::string name, bool is_stateful, std::string doc) {
  return CallSpec(std::move(name), OpRole::kCall, is_stateful, {},
                  {"f: func", "config: string = ''", "config_proto: string = ''", "executor_type: string = ''"},
                  std::move(doc));
}
const OpRegistrar partitioned_call(Call("PartitionedCall", false, "The results of f(input)."));
const OpRegistrar stateful_partitioned_call(Call("StatefulPartitionedCall", true,
                                                 "The results of f(input), which has effects."));

// SymbolicGradient: dx... = the gradient of f at (x...), given dy...: each has its x's shape.
absl::Status ShapesOfFirstInputs(ShapeContext& c) {
  for (int i = 0; i < c.num_outputs() && i < c.num_inputs(); ++i) {
    if (c.node().input(i).dtype() != DT_RESOURCE) c.set_output(i, c.input(i));
  }
  return absl::OkStatus();
}
const OpRegistrar symbolic_gradient([] {
  OpSpec spec =
      CallSpec("SymbolicGradient", OpRole::kCall, false, {}, {"f: func"}, "The gradient of f, as a function.");
  spec.shape = ShapesOfFirstInputs;
  return spec;
}());

OpSpec If(std::string name, bool is_stateful, std::string doc) {
  return CallSpec(std::move(name), OpRole::kIf, is_stateful, {"cond: Tcond"},
                  {"Tcond: type", "then_branch: func", "else_branch: func", "output_shapes: list(shape) = []"},
                  std::move(doc));
}
const OpRegistrar if_op(If("If", true, "cond ? then_branch(input) : else_branch(input), with effects."));
const OpRegistrar stateless_if(If("StatelessIf", false, "cond ? then_branch(input) : else_branch(input)."));

OpSpec Case(std::string name, bool is_stateful, std::string doc) {
  return CallSpec(std::move(name), OpRole::kCase, is_stateful, {"branch_index: int32"},
                  {"branches: list(func) >= 1", "output_shapes: list(shape) = []"}, std::move(doc));
}
const OpRegistrar case_op(Case("Case", true, "branches[branch_index](input), with effects."));
const OpRegistrar stateless_case(Case("StatelessCase", false, "branches[branch_index](input)."));

OpSpec While(std::string name, bool is_stateful, std::string doc) {
  return CallSpec(std::move(name), OpRole::kWhile, is_stateful, {},
                  {"cond: func", "body: func", "output_shapes: list(shape) = []", "parallel_iterations: int = 10"},
                  std::move(doc));
}
const OpRegistrar while_op(While("While", true, "body(body(... input)) as long as cond holds, with effects."));
const OpRegistrar stateless_while(While("StatelessWhile", false, "body(body(... input)) as long as cond holds."));

// For: body(i, ...) for i = start, start + delta, ... before limit.
absl::Status ForShape(ShapeContext& c) {
  for (int i = 0; i < 3; ++i) SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  return absl::OkStatus();
}
const OpRegistrar for_op([] {
  OpSpec spec = CallSpec("For", OpRole::kWhile, false, {"start: int32", "limit: int32", "delta: int32"}, {"body: func"},
                         "body(i, body(... input)) for i from start in steps of delta, before limit.");
  spec.shape = ForShape;
  return spec;
}());

// FakeParam: a value of which nothing but the type, and perhaps the shape, matters: what an untaken branch returns.
// Here zeros: none along dimensions that are not known, and a scalar where not even their number is.
absl::Status FakeParamShape(ShapeContext& c) {
  c.set_output(0, c.attr<Shape>("shape"));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> FakeParamKernel(const KernelSetup& setup) {
  Shape shape = setup.attr<Shape>("shape");
  const bool allocate = !shape.IsFullyDefined();
  if (!shape.has_rank()) shape = Shape();
  for (int i = 0; i < shape.rank(); ++i) shape.set_dim(i, std::max<int64_t>(shape.dim(i), 0));
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [allocate, shape](KernelContext& c) -> absl::Status {
      if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(0, shape));
      std::fill_n(c.out<T>(0), c.output(0).num_elements, T());
      return absl::OkStatus();
    };
  });
}
const OpRegistrar fake_param({.name = "FakeParam",
                              .outputs = {"output: dtype"},
                              .attrs = {"dtype: type", "shape: shape"},
                              .shape = FakeParamShape,
                              .gradient = kNotDifferentiable,
                              .kernel = FakeParamKernel,
                              .doc = "Stands for a result that nobody uses."});

// ToBool: output = input != 0, or != "" for strings; of what is no scalar, whether it has elements.
absl::Status ToBoolKernel(KernelContext& c) {
  bool* output = c.out<bool>(0);
  const TensorView& input = c.input(0);
  if (input.shape->rank() > 0) {
    *output = input.num_elements > 0;
    return absl::OkStatus();
  }
  const bool known =
      DispatchType<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, bool>(
          input.dtype, [&]<typename T>() { *output = *input.as<const T>() != T(0); }) ||
      DispatchType<Half, BFloat16>(input.dtype,
                                   [&]<typename T>() { *output = static_cast<float>(*input.as<const T>()) != 0; });
  if (known) return absl::OkStatus();
  if (input.dtype != DT_STRING) return absl::InvalidArgumentError("the input is no number and no string");
  *output = !input.as<const std::string>()->empty();
  return absl::OkStatus();
}
const OpRegistrar to_bool({.name = "ToBool",
                           .inputs = {"input: T"},
                           .outputs = {"output: bool"},
                           .attrs = {"T: type"},
                           .shape = ScalarShape,
                           .gradient = kNotDifferentiable,
                           .kernel = ToBoolKernel,
                           .batch = MixBatch,
                           .doc = "Whether the input counts as true."});

// DeviceIndex: the place of the device in a list of kinds of devices, or their number: a Case chooses by it among
// implementations of one layer.
absl::StatusOr<Kernel> DeviceIndexKernel(const KernelSetup& setup) {
  const auto& names = setup.attr<std::vector<std::string>>("device_names");
  const auto place = std::find(names.begin(), names.end(), "CPU") - names.begin();
  return Kernel([index = static_cast<int32_t>(place)](KernelContext& c) {
    *c.out<int32_t>(0) = index;
    return absl::OkStatus();
  });
}
const OpRegistrar device_index({.name = "DeviceIndex",
                                .outputs = {"index: int32"},
                                .attrs = {"device_names: list(string)"},
                                .shape = ScalarShape,
                                .gradient = kNotDifferentiable,
                                .kernel = KernelSource(DeviceIndexKernel),
                                .doc = "The place of \"CPU\" in a list of devices."});

}  // namespace

std::vector<Output> CallFunction(Graph& g, const std::string& function, absl::Span<const Output> inputs,
                                 const CallOptions& options) {
  for (Output input : inputs) {
    if (!input.valid()) return {};
  }
  absl::StatusOr<CallDefinition> call = DefineCall(g, function, inputs);
  if (!call.ok()) {
    const SourceLine line = LineOf(options.where);
    g.RecordError(
        Annotate(call.status(), absl::StrCat("function '", function, "' (", line.file, ":", line.line, "): ")));
    return {};
  }
  NodeBuilder builder(g, call->op->name(), options.where);
  for (auto& [name, value] : call->attrs) builder.Attr(name, value);
  // "__inference_f_12" is no name of a node.
  const bool is_node_name = function[0] != '_';
  Node* node = builder.Inputs(inputs).Name(options.name, is_node_name ? function : "").BuildNode();
  std::vector<Output> results;
  for (int i = 0; node != nullptr && i < node->num_outputs(); ++i) results.push_back(node->output(i));
  return results;
}

Output ToBool(Operand input, const OpOptions& options) {
  return NodeBuilder("ToBool", {input}).Name(options.name).Build();
}

}  // namespace staticflow
