// OptionalFromValue, OptionalNone, OptionalHasValue, OptionalGetValue. Contract: ops/tensor_list.h.
#include "absl/strings/str_cat.h"
#include "ops/array_nodes.h"
#include "ops/tensor_list_nodes.h"

namespace staticflow {
namespace {

absl::Status FromValueKernel(KernelContext& c) {
  std::vector<Tensor> components(c.num_inputs());
  for (int i = 0; i < c.num_inputs(); ++i) {
    SF_ASSIGN_OR_RETURN(components[i], c.InputTensor(i));
  }
  return ReturnList(c, Variant(new Optional(std::move(components))));
}
void FromValueGradient(GradientContext& c) {
  std::vector<DataType> types;
  std::vector<Shape> shapes;
  for (int i = 0; i < c.num_inputs(); ++i) {
    types.push_back(c.x(i).dtype());
    shapes.push_back(c.x(i).shape());
  }
  const std::vector<Output> values = OptionalGetValue(c.dy(0), types, shapes);
  for (size_t i = 0; i < values.size(); ++i) c.set_dx(static_cast<int>(i), values[i]);
}
const OpRegistrar from_value({.name = "OptionalFromValue",
                              .inputs = {"components: Toutput_types"},
                              .outputs = {"optional: variant"},
                              .attrs = {"Toutput_types: list(type) >= 1"},
                              .shape = ScalarShape,
                              .gradient = FromValueGradient,
                              .kernel = FromValueKernel,
                              .doc = "An optional that holds some tensors."});

absl::Status NoneKernel(KernelContext& c) { return ReturnList(c, Variant(new Optional())); }
const OpRegistrar none({.name = "OptionalNone",
                        .outputs = {"optional: variant"},
                        .shape = ScalarShape,
                        .gradient = kNotDifferentiable,
                        .kernel = NoneKernel,
                        .doc = "An optional that holds nothing."});

absl::Status HasValueKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const Optional* optional, OptionalOf(c, 0));
  *c.out<bool>(0) = optional->has_value();
  return absl::OkStatus();
}
const OpRegistrar has_value({.name = "OptionalHasValue",
                             .inputs = {"optional: variant"},
                             .outputs = {"has_value: bool"},
                             .shape = ListShape,
                             .gradient = kNotDifferentiable,
                             .kernel = HasValueKernel,
                             .doc = "Whether an optional holds something."});

absl::Status GetValueShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  const std::vector<Shape>& shapes = c.attr<std::vector<Shape>>("output_shapes");
  if (static_cast<int>(shapes.size()) != c.num_outputs()) {
    return absl::InvalidArgumentError(
        absl::StrCat("output_types has ", c.num_outputs(), " entries, output_shapes ", shapes.size()));
  }
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, shapes[i]);
  return absl::OkStatus();
}
absl::StatusOr<Kernel> GetValueKernel(const KernelSetup& setup) {
  std::vector<bool> allocate;
  const int outputs = static_cast<int>(setup.attr<std::vector<DataType>>("output_types").size());
  for (int i = 0; i < outputs; ++i) allocate.push_back(AllocatesOutput(setup, i));
  return Kernel([allocate, shapes = setup.attr<std::vector<Shape>>("output_shapes")](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const Optional* optional, OptionalOf(c, 0));
    if (!optional->has_value()) return absl::InvalidArgumentError("the optional holds nothing");
    if (static_cast<int>(optional->components().size()) != c.num_outputs()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the optional holds ", optional->components().size(), " tensors, expected ", c.num_outputs()));
    }
    for (int i = 0; i < c.num_outputs(); ++i) {
      const Tensor& value = optional->components()[i];
      if (value.dtype() != c.output(i).dtype || !value.shape().IsCompatibleWith(shapes[i])) {
        return absl::InvalidArgumentError(absl::StrCat("component ", i, " is ", DataTypeName(value.dtype()),
                                                       value.shape().ToString(), ", expected ",
                                                       DataTypeName(c.output(i).dtype), shapes[i].ToString()));
      }
      SF_RETURN_IF_ERROR(ShapeOutput(c, i, allocate[i], value.shape()));
      CopyElements(value.dtype(), value.raw(), c.output(i).data, value.num_elements());
    }
    return absl::OkStatus();
  });
}
void GetValueGradient(GradientContext& c) {
  std::vector<Output> gradients;
  for (int i = 0; i < c.num_outputs(); ++i) gradients.push_back(c.dy(i));
  c.set_dx(0, OptionalFromValue(gradients));
}
const OpRegistrar get_value({.name = "OptionalGetValue",
                             .inputs = {"optional: variant"},
                             .outputs = {"components: output_types"},
                             .attrs = {"output_types: list(type) >= 1", "output_shapes: list(shape) >= 1"},
                             .shape = GetValueShape,
                             .gradient = GetValueGradient,
                             .kernel = GetValueKernel,
                             .doc = "What an optional holds."});

}  // namespace

Output OptionalFromValue(absl::Span<const Output> components, const OpOptions& options) {
  return NodeBuilder("OptionalFromValue", {}).Inputs(components).Name(options.name).Build();
}
Output OptionalHasValue(Operand optional, const OpOptions& options) {
  return NodeBuilder("OptionalHasValue", {optional}).Name(options.name).Build();
}
std::vector<Output> OptionalGetValue(Operand optional, absl::Span<const DataType> output_types,
                                     absl::Span<const Shape> output_shapes, const OpOptions& options) {
  return OutputsOf(NodeBuilder("OptionalGetValue", {optional})
                       .Attr("output_types", std::vector<DataType>(output_types.begin(), output_types.end()))
                       .Attr("output_shapes", std::vector<Shape>(output_shapes.begin(), output_shapes.end()))
                       .Name(options.name)
                       .BuildNode());
}

}  // namespace staticflow
