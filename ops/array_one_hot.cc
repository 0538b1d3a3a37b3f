// OneHot.
#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"

namespace staticflow {
namespace {

// OneHot: on_value at the index along a new dimension, off_value elsewhere.
absl::Status OneHotShape(ShapeContext& c) {
  for (int i = 1; i < 4; ++i) SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  const Shape& indices = c.input(0);
  SF_ASSIGN_OR_RETURN(std::optional<int64_t> depth, ScalarFromInput(c, 1));
  if (depth && *depth < 0) return absl::InvalidArgumentError(absl::StrCat("depth is ", *depth, ", expected 0 or more"));
  if (!indices.has_rank()) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(c.attr<int64_t>("axis"), indices.rank() + 1));
  Shape out = indices.Slice(0, axis);
  out.push_back(depth.value_or(Shape::kUnknownDim));
  c.set_output(0, out.Concatenate(indices.Slice(axis, indices.rank())));
  return absl::OkStatus();
}

template <typename T, typename I>
absl::Status OneHotValues(KernelContext& c, int64_t axis_attr) {
  const Shape& out = *c.output(0).shape;
  SF_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(axis_attr, out.rank()));
  const int64_t outer = out.num_elements(0, axis), depth = out.dim(axis);
  const int64_t inner = out.num_elements(axis + 1, out.rank());
  const T &on = c.scalar<T>(2), &off = c.scalar<T>(3);
  T* y = c.out<T>(0);
  std::fill_n(y, c.output(0).num_elements, off);
  const I* index = c.in<I>(0);
  for (int64_t o = 0; o < outer; ++o, y += depth * inner) {
    for (int64_t i = 0; i < inner; ++i, ++index) {
      if (*index >= 0 && static_cast<int64_t>(*index) < depth) y[*index * inner + i] = on;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> OneHotKernel(const KernelSetup& setup) {
  const int64_t axis = setup.attr<int64_t>("axis");
  const DataType index = setup.input_dtype(0);
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    Kernel kernel;
    DispatchType<uint8_t, int8_t, int32_t, int64_t>(
        index, [&]<typename I>() { kernel = [axis](KernelContext& c) { return OneHotValues<T, I>(c, axis); }; });
    return kernel;
  });
}

const OpRegistrar one_hot({.name = "OneHot",
                           .inputs = {"indices: TI", "depth: int32", "on_value: T", "off_value: T"},
                           .outputs = {"output: T"},
                           .attrs = {"axis: int = -1", "T: type", "TI: {uint8, int8, int32, int64} = int64"},
                           .shape = OneHotShape,
                           .gradient = kNotDifferentiable,
                           .kernel = OneHotKernel,
                           .batch = OneHotBatch,
                           .doc = "One-hot vectors."});

}  // namespace

Output OneHot(Operand indices, Operand depth, Operand on_value, Operand off_value, const OneHotOptions& options) {
  return NodeBuilder("OneHot", {indices, depth, on_value, off_value})
      .Attr("axis", options.axis)
      .Name(options.name, "one_hot")
      .Build();
}

}  // namespace staticflow
