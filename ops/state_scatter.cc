// Ops that write rows of variables, for references and for handles.
#include <algorithm>

#include "graph/gradients.h"
#include "ops/state_rows.h"

namespace staticflow {
namespace {

struct MultiplyElement {
  template <typename T>
  static T Apply(T a, T b) {
    return T(WrapMultiply(Widen(a), Widen(b)));
  }
};
struct DivideElement {
  template <typename T>
  static T Apply(T a, T b) {
    if (std::is_integral_v<T> && std::is_signed_v<T> && b == T(-1)) return SubtractFromElement::Apply(T(0), a);
    return T(Widen(a) / Widen(b));
  }
};

// indices.shape + variable.shape[1:]
absl::StatusOr<Shape> RowsShape(const Shape& variable, const Shape& indices) {
  if (!variable.has_rank()) return Shape::Unknown();
  if (variable.rank() == 0) return absl::InvalidArgumentError("the variable is a scalar, expected rows");
  return indices.Concatenate(variable.Slice(1, variable.rank()));
}

// ref[indices[i], ...] op= updates[i, ...], in the order of i. A scalar update serves all.
template <typename Operation, typename T>
absl::Status ScatterInto(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(VariableSlot * slot, InitializedVariable(c, 0));
  const Shape& shape = slot->value.shape();
  const TensorView& indices = c.input(1);
  const TensorView& updates = c.input(2);
  SF_ASSIGN_OR_RETURN(const Shape expected, RowsShape(shape, *indices.shape));
  const bool is_scalar = updates.rank() == 0 && expected.rank() != 0;
  if (!is_scalar && expected != *updates.shape) {
    return absl::InvalidArgumentError(
        absl::StrCat("updates has shape ", updates.shape->ToString(), ", expected ", expected.ToString()));
  }
  SF_RETURN_IF_ERROR(CheckRowIndices(indices, shape.dim(0)));
  const T* update = updates.as<T>();
  if constexpr (std::is_same_v<Operation, DivideElement> && std::is_integral_v<T>) {
    if (std::find(update, update + updates.num_elements, T(0)) != update + updates.num_elements) {
      return absl::InvalidArgumentError("integer division by zero");
    }
  }
  const int64_t row = shape.num_elements(1, shape.rank());
  T* variable = slot->value.data<T>();
  for (int64_t i = 0; i < indices.num_elements; ++i) {
    T* out = variable + RowIndexAt(indices, i) * row;
    const T* in = is_scalar ? update : update + i * row;
    for (int64_t k = 0; k < row; ++k) out[k] = Operation::Apply(out[k], in[is_scalar ? 0 : k]);
  }
  return absl::OkStatus();
}
template <typename Operation>
absl::StatusOr<Kernel> ScatterKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, Half, BFloat16>(
      setup.input_dtype(2), [&]<typename T>() { kernel = ScatterInto<Operation, T>; });
  if constexpr (std::is_same_v<Operation, ReplaceElement>) {
    DispatchType<bool, std::string>(setup.input_dtype(2), [&]<typename T>() { kernel = ScatterInto<Operation, T>; });
  }
  if (!kernel) return absl::UnimplementedError("no kernel for this type");
  return kernel;
}
absl::Status ScatterShape(ShapeContext& c) {
  const Shape variable = VariableShapeBehind(c, 0);
  SF_ASSIGN_OR_RETURN(const Shape expected, RowsShape(variable, c.input(1)));
  const bool is_scalar = c.input(2).has_rank() && c.input(2).rank() == 0;
  if (!is_scalar) SF_RETURN_IF_ERROR(Annotate(expected.MergeWith(c.input(2)).status(), "updates: "));
  if (c.num_outputs() > 0) c.set_output(0, variable);
  return absl::OkStatus();
}
OpSpec Scatter(std::string name, bool is_resource, KernelSource kernel, std::string types, std::string doc,
               GradientFunction gradient = kNotDifferentiable) {
  OpSpec spec = {.name = std::move(name),
                 .inputs = {is_resource ? "resource: resource" : "ref: Ref(T)", "indices: Tindices",
                            is_resource ? "updates: dtype" : "updates: T"},
                 .attrs = {(is_resource ? "dtype: " : "T: ") + types, "Tindices: indextype"},
                 .shape = ScatterShape,
                 .gradient = gradient,
                 .kernel = kernel,
                 .traits = kStateful,
                 .access = {{0, Access::kUpdate}},
                 .doc = std::move(doc)};
  if (!is_resource) {
    spec.outputs = {"output_ref: Ref(T)"};
    spec.attrs.push_back(types == "type" ? "use_locking: bool = true" : "use_locking: bool = false");
  }
  return spec;
}
constexpr char kReal[] = "realnumbertype";
const OpRegistrar update(Scatter("ScatterUpdate", false, ScatterKernel<ReplaceElement>, "type", "Replaces rows.",
                                 kGradientIsError));
const OpRegistrar add(Scatter("ScatterAdd", false, ScatterKernel<AddToElement>, kReal, "Adds to rows."));
const OpRegistrar sub(Scatter("ScatterSub", false, ScatterKernel<SubtractFromElement>, kReal, "Subtracts from rows."));
const OpRegistrar mul(Scatter("ScatterMul", false, ScatterKernel<MultiplyElement>, kReal, "Multiplies rows."));
const OpRegistrar div(Scatter("ScatterDiv", false, ScatterKernel<DivideElement>, kReal, "Divides rows."));
const OpRegistrar min(Scatter("ScatterMin", false, ScatterKernel<SmallerElement>, kReal, "Takes the smaller elements.",
                              kGradientIsError));
const OpRegistrar max(Scatter("ScatterMax", false, ScatterKernel<LargerElement>, kReal, "Takes the larger elements.",
                              kGradientIsError));
const OpRegistrar update_r(Scatter("ResourceScatterUpdate", true, ScatterKernel<ReplaceElement>, "type",
                                   "Replaces rows."));
const OpRegistrar add_r(Scatter("ResourceScatterAdd", true, ScatterKernel<AddToElement>, kReal, "Adds to rows."));
const OpRegistrar sub_r(Scatter("ResourceScatterSub", true, ScatterKernel<SubtractFromElement>, kReal,
                                "Subtracts from rows."));
const OpRegistrar mul_r(Scatter("ResourceScatterMul", true, ScatterKernel<MultiplyElement>, kReal, "Multiplies rows."));
const OpRegistrar div_r(Scatter("ResourceScatterDiv", true, ScatterKernel<DivideElement>, kReal, "Divides rows."));
const OpRegistrar min_r(Scatter("ResourceScatterMin", true, ScatterKernel<SmallerElement>, kReal,
                                "Takes the smaller elements."));
const OpRegistrar max_r(Scatter("ResourceScatterMax", true, ScatterKernel<LargerElement>, kReal,
                                "Takes the larger elements."));

}  // namespace
}  // namespace staticflow
