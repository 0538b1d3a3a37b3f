// ScatterNdUpdate, -Add, -Sub, -Min, -Max on references and handles, and ScatterNdNonAliasingAdd on values.
#include "ops/array_index.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/state_rows.h"

namespace staticflow {
namespace {

template <typename Operation, typename T>
absl::Status ScatterSlices(KernelContext& c, const Shape& shape, T* to) {
  SF_ASSIGN_OR_RETURN(const Shape expected, SlicesShape(shape, *c.input(1).shape));
  if (expected != *c.input(2).shape) {
    return absl::InvalidArgumentError(
        absl::StrCat("updates has shape ", c.input(2).shape->ToString(), ", expected ", expected.ToString()));
  }
  // Nothing is written before all indices are known to be good.
  SF_RETURN_IF_ERROR(ForEachSlice(shape, c.input(1), [](int64_t, int64_t) {}));
  const T* update = c.in<T>(2);
  return ForEachSlice(shape, c.input(1), [&](int64_t start, int64_t size) {
    for (int64_t k = 0; k < size; ++k) to[start + k] = Operation::Apply(to[start + k], *update++);
  });
}

template <typename Operation, typename T>
absl::Status ScatterIntoVariable(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(VariableSlot * slot, InitializedVariable(c, 0));
  if (slot->dtype != c.input(2).dtype) {
    return absl::InvalidArgumentError(absl::StrCat("variable ", slot->name, " is ", DataTypeName(slot->dtype),
                                                   ", updates is ", DataTypeName(c.input(2).dtype)));
  }
  return ScatterSlices<Operation>(c, slot->value.shape(), slot->value.data<T>());
}

template <typename Operation>
absl::StatusOr<Kernel> ScatterKernel(const KernelSetup& setup) {
  Kernel kernel;
  const DataType dtype = setup.input_dtype(2);
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      dtype, [&]<typename T>() { kernel = ScatterIntoVariable<Operation, T>; });
  if constexpr (std::is_same_v<Operation, ReplaceElement>) {
    DispatchType<bool, std::string>(dtype, [&]<typename T>() { kernel = ScatterIntoVariable<Operation, T>; });
  }
  if (!kernel) return NoKernelFor(setup, dtype);
  return kernel;
}

absl::Status ScatterShape(ShapeContext& c) {
  const Shape variable = VariableShapeBehind(c, 0);
  SF_ASSIGN_OR_RETURN(const Shape expected, SlicesShape(variable, c.input(1)));
  SF_RETURN_IF_ERROR(Annotate(expected.MergeWith(c.input(2)).status(), "updates: "));
  if (c.num_outputs() > 0) c.set_output(0, variable);
  return absl::OkStatus();
}

OpSpec Scatter(std::string name, bool is_resource, KernelSource kernel, std::string types, std::string doc,
               GradientFunction gradient) {
  OpSpec spec = {.name = std::move(name),
                 .inputs = {is_resource ? "ref: resource" : "ref: Ref(T)", "indices: Tindices", "updates: T"},
                 .attrs = {"T: " + types, "Tindices: indextype", kBadIndicesPolicy},
                 .shape = ScatterShape,
                 .gradient = gradient,
                 .kernel = kernel,
                 .traits = kStateful,
                 .access = {{0, Access::kUpdate}},
                 .doc = std::move(doc)};
  if (!is_resource) spec.outputs = {"output_ref: Ref(T)"};
  const bool locks = is_resource || types == "type";
  spec.attrs.push_back(locks ? "use_locking: bool = true" : "use_locking: bool = false");
  return spec;
}

template <typename Operation>
struct BothForms {
  BothForms(const std::string& name, const std::string& types, const std::string& doc,
            GradientFunction gradient = kNotDifferentiable)
      : reference(Scatter("ScatterNd" + name, false, ScatterKernel<Operation>, types, doc, gradient)),
        resource(Scatter("ResourceScatterNd" + name, true, ScatterKernel<Operation>,
                         std::is_same_v<Operation, ReplaceElement> ? types : "type", doc, gradient)) {}
  OpRegistrar reference, resource;
};
constexpr char kReal[] = "realnumbertype";
const BothForms<ReplaceElement> update("Update", "type", "Replaces slices at index tuples.");
const BothForms<AddToElement> add("Add", kReal, "Adds to slices at index tuples.");
const BothForms<SubtractFromElement> sub("Sub", kReal, "Subtracts from slices at index tuples.");
const BothForms<SmallerElement> min("Min", kReal, "Takes the smaller elements at index tuples.", kGradientIsError);
const BothForms<LargerElement> max("Max", kReal, "Takes the larger elements at index tuples.", kGradientIsError);

// ScatterNdNonAliasingAdd: a copy of the input with the updates added.   dinput = dy, dupdates = dy at the indices.
absl::Status NonAliasingShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape expected, SlicesShape(c.input(0), c.input(1)));
  SF_RETURN_IF_ERROR(Annotate(expected.MergeWith(c.input(2)).status(), "updates: "));
  c.set_output(0, c.input(0));
  return absl::OkStatus();
}
constexpr char kAddedT[] =
    "T: {float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64, bool}";
absl::StatusOr<Kernel> NonAliasingKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t,
               bool>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) {
      CopyInput(c, 0, 0);
      return ScatterSlices<AddToElement>(c, *c.output(0).shape, c.out<T>(0));
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
void NonAliasingGradient(GradientContext& c) {
  c.set_dx(0, c.dy(0));
  c.set_dx(2, GatherNd(c.dy(0), c.x(1)));
}
const OpRegistrar non_aliasing({.name = "ScatterNdNonAliasingAdd",
                                .inputs = {"input: T", "indices: Tindices", "updates: T"},
                                .outputs = {"output: T"},
                                .attrs = {kAddedT, "Tindices: indextype", kBadIndicesPolicy},
                                .shape = NonAliasingShape,
                                .gradient = NonAliasingGradient,
                                .kernel = NonAliasingKernel,
                                .traits = kInPlace,
                                .doc = "A tensor with updates added at index tuples."});

}  // namespace
}  // namespace staticflow
