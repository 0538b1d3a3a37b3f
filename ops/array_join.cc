// Concat, ConcatV2, ConcatOffset, Pack.
#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/math.h"
#include "ops/strided_copy.h"

namespace staticflow {
namespace {

// Inputs [first, last) one after the other along the axis in input `axis_input`.
absl::Status ConcatenatedShape(ShapeContext& c, int axis_input, int first, int last) {
  SF_RETURN_IF_ERROR(c.WithRank(axis_input, 0).status());
  Shape out = Shape::Unknown();
  for (int i = first; i < last && !out.has_rank(); ++i) {
    if (c.input(i).has_rank()) out = Shape::UnknownOfRank(c.input(i).rank());
  }
  if (!out.has_rank()) return absl::OkStatus();
  if (out.rank() == 0) return absl::InvalidArgumentError("scalars cannot be concatenated; stack them");
  SF_ASSIGN_OR_RETURN(std::optional<int> axis, AxisFromInput(c, axis_input, out.rank()));
  int64_t size = 0;
  for (int i = first; i < last; ++i) {
    if (c.input(i).has_rank() && c.input(i).rank() != out.rank()) {
      return absl::InvalidArgumentError(
          absl::StrCat("value ", i - first, " has shape ", c.input(i).ToString(), ", expected rank ", out.rank()));
    }
    if (!axis.has_value()) continue;
    Shape others = c.input(i).has_rank() ? c.input(i) : Shape::UnknownOfRank(out.rank());
    const int64_t own = others.dim(*axis);
    others.set_dim(*axis, Shape::kUnknownDim);
    absl::StatusOr<Shape> merged = out.MergeWith(others);
    if (!merged.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("value ", i - first, " has shape ", c.input(i).ToString(),
                                                     ", expected ", out.ToString(), " but for dimension ", *axis));
    }
    out = *std::move(merged);
    size = own < 0 || size < 0 ? Shape::kUnknownDim : AddSizes(size, own);
  }
  if (axis.has_value()) out.set_dim(*axis, size);
  c.set_output(0, std::move(out));
  return absl::OkStatus();
}

// Copies rows `outer` of every input behind each other.
template <typename T>
absl::Status Concatenate(KernelContext& c, int axis_input, int first, int last) {
  const Shape& out = *c.output(0).shape;
  SF_ASSIGN_OR_RETURN(const int axis, AxisInput(c, axis_input, out.rank()));
  int64_t total = 0;
  for (int i = first; i < last; ++i) {
    Shape others = *c.input(i).shape;
    if (others.rank() == out.rank()) total = AddSizes(total, others.dim(axis)), others.set_dim(axis, out.dim(axis));
    SF_RETURN_IF_ERROR(ExpectOutput(c, 0, others));
  }
  if (total != out.dim(axis)) return absl::InvalidArgumentError(absl::StrCat("the values do not fill axis ", axis));
  const int64_t outer = out.num_elements(0, axis);
  T* to = c.out<T>(0);
  for (int64_t o = 0; o < outer; ++o) {
    for (int i = first; i < last; ++i) {
      const int64_t n = c.input(i).shape->num_elements(axis, out.rank());
      to = std::copy_n(c.in<T>(i) + o * n, n, to);
    }
  }
  return absl::OkStatus();
}

// The gradient's piece for every value: begins at the sum of the sizes before it.
void ConcatenateGradient(GradientContext& c, int axis_input, int first, int last) {
  std::vector<Output> shapes;
  for (int i = first; i < last; ++i) shapes.push_back(ShapeOf(c.x(i)));
  Output axis = c.x(axis_input);
  if (axis.dtype() != DT_INT32) axis = Cast(axis, DT_INT32);
  const std::vector<Output> offsets = ConcatOffset(axis, shapes);
  if (offsets.empty()) return;
  for (int i = first; i < last; ++i) c.set_dx(i, Slice(c.dy(0), offsets[i - first], shapes[i - first]));
}

// ConcatV2: values one after the other.   d values[i] = that piece of dy.
absl::Status ConcatV2Shape(ShapeContext& c) { return ConcatenatedShape(c, c.num_inputs() - 1, 0, c.num_inputs() - 1); }

absl::StatusOr<Kernel> ConcatV2Kernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) { return Concatenate<T>(c, c.num_inputs() - 1, 0, c.num_inputs() - 1); };
  });
}

void ConcatV2Gradient(GradientContext& c) { ConcatenateGradient(c, c.num_inputs() - 1, 0, c.num_inputs() - 1); }

std::optional<Shape> ConcatV2ShapeValue(const ShapeContext& c) {
  Shape all;
  for (int i = 0; i + 1 < c.num_inputs(); ++i) {
    absl::StatusOr<Shape> part = c.ValueAsShape(i);
    if (!part.ok() || c.input(i).rank() != 1) return std::nullopt;
    all = all.Concatenate(*part);
  }
  if (!all.has_rank()) return std::nullopt;
  return all;
}

const OpRegistrar concat_v2({.name = "ConcatV2",
                             .inputs = {"values: N * T", "axis: Tidx"},
                             .outputs = {"output: T"},
                             .attrs = {"N: int >= 2", "T: type", "Tidx: indextype = int32"},
                             .shape = ConcatV2Shape,
                             .gradient = ConcatV2Gradient,
                             .kernel = ConcatV2Kernel,
                             .shape_value = ConcatV2ShapeValue,
                             .batch = ConcatV2Batch,
                             .doc = "The values one after the other along an axis."});

// Concat: the same with the axis first.
absl::Status ConcatShape(ShapeContext& c) { return ConcatenatedShape(c, 0, 1, c.num_inputs()); }

absl::StatusOr<Kernel> ConcatKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) { return Concatenate<T>(c, 0, 1, c.num_inputs()); };
  });
}

void ConcatGradient(GradientContext& c) { ConcatenateGradient(c, 0, 1, c.num_inputs()); }

const OpRegistrar concat({.name = "Concat",
                          .inputs = {"concat_dim: int32", "values: N * T"},
                          .outputs = {"output: T"},
                          .attrs = {"N: int >= 2", "T: type"},
                          .shape = ConcatShape,
                          .gradient = ConcatGradient,
                          .kernel = ConcatKernel,
                          .batch = ConcatBatch,
                          .doc = "The values one after the other along an axis."});

// ConcatOffset: where each of several shapes begins in their concatenation.
absl::Status ConcatOffsetShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  SF_ASSIGN_OR_RETURN(Shape all, c.WithRank(1, 1));
  for (int i = 2; i < c.num_inputs(); ++i) {
    SF_ASSIGN_OR_RETURN(all, all.MergeWith(c.input(i)));
  }
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, all);
  return absl::OkStatus();
}

absl::StatusOr<Kernel> ConcatOffsetKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<int32_t, int64_t>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) -> absl::Status {
      const int rank = static_cast<int>(c.input(1).num_elements);
      SF_ASSIGN_OR_RETURN(const int axis, AxisInput(c, 0, rank));
      int64_t offset = 0;
      for (int i = 0; i < c.num_outputs(); ++i) {
        for (int d = 0; d < rank; ++d) {
          if (d != axis && c.in<T>(i + 1)[d] != c.in<T>(1)[d]) {
            return absl::InvalidArgumentError(absl::StrCat("shape ", i, " has size ", c.in<T>(i + 1)[d],
                                                           " in dimension ", d, ", expected ", c.in<T>(1)[d]));
          }
          c.out<T>(i)[d] = d == axis ? static_cast<T>(offset) : T(0);
        }
        offset = AddSizes(offset, c.in<T>(i + 1)[axis]);
      }
      return absl::OkStatus();
    };
  });
  return kernel;
}

const OpRegistrar concat_offset({.name = "ConcatOffset",
                                 .inputs = {"concat_dim: int32", "shape: N * shape_type"},
                                 .outputs = {"offset: N * shape_type"},
                                 .attrs = {"N: int >= 2", "shape_type: indextype = int32"},
                                 .shape = ConcatOffsetShape,
                                 .gradient = kNotDifferentiable,
                                 .kernel = ConcatOffsetKernel,
                                 .doc = "Where shapes begin in their concatenation."});

// Pack: the values along a new dimension.   d values[i] = slice i of dy.
absl::Status PackShape(ShapeContext& c) {
  Shape value = c.input(0);
  for (int i = 1; i < c.num_inputs(); ++i) {
    SF_ASSIGN_OR_RETURN(value, value.MergeWith(c.input(i)));
  }
  if (!value.has_rank()) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(c.attr<int64_t>("axis"), value.rank() + 1));
  Shape out = value.Slice(0, axis);
  out.push_back(c.num_inputs());
  c.set_output(0, out.Concatenate(value.Slice(axis, value.rank())));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> PackKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [axis_attr = setup.attr<int64_t>("axis")](KernelContext& c) -> absl::Status {
      const Shape& out = *c.output(0).shape;
      SF_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(axis_attr, out.rank()));
      const int64_t outer = out.num_elements(0, axis), inner = out.num_elements(axis + 1, out.rank());
      T* to = c.out<T>(0);
      for (int64_t o = 0; o < outer; ++o) {
        for (int i = 0; i < c.num_inputs(); ++i) to = std::copy_n(c.in<T>(i) + o * inner, inner, to);
      }
      return absl::OkStatus();
    };
  });
}

void PackGradient(GradientContext& c) {
  const std::vector<Output> parts = Unstack(c.dy(0), c.num_inputs(), static_cast<int>(c.attr<int64_t>("axis")));
  for (size_t i = 0; i < parts.size(); ++i) c.set_dx(static_cast<int>(i), parts[i]);
}

std::optional<Shape> PackShapeValue(const ShapeContext& c) {
  Shape all;
  for (int i = 0; i < c.num_inputs(); ++i) {
    absl::StatusOr<Shape> element = c.ValueAsShape(i);
    if (c.input(i).has_rank() && c.input(i).rank() != 0) return std::nullopt;
    all.push_back(element.ok() && element->rank() == 1 ? element->dim(0) : Shape::kUnknownDim);
  }
  return all;
}

const OpRegistrar pack({.name = "Pack",
                        .inputs = {"values: N * T"},
                        .outputs = {"output: T"},
                        .attrs = {"N: int >= 1", "T: type", "axis: int = 0"},
                        .shape = PackShape,
                        .gradient = PackGradient,
                        .kernel = PackKernel,
                        .shape_value = PackShapeValue,
                        .batch = PackBatch,
                        .doc = "The values along a new dimension."});

}  // namespace

Output Concat(absl::Span<const Output> values, Operand axis, const OpOptions& options) {
  if (values.size() == 1) return Identity(values[0], {.name = options.name.empty() ? "concat" : options.name});
  return NodeBuilder("ConcatV2", {}).Inputs(values).Input(axis).Name(options.name, "concat").Build();
}

std::vector<Output> ConcatOffset(Operand axis, absl::Span<const Output> shapes, const OpOptions& options) {
  if (shapes.size() == 1) return {ZerosLike(shapes[0], options)};
  return OutputsOf(NodeBuilder("ConcatOffset", {axis}).Inputs(shapes).Name(options.name).BuildNode());
}

Output Stack(absl::Span<const Output> values, int axis, const OpOptions& options) {
  return NodeBuilder("Pack", {}).Inputs(values).Attr("axis", axis).Name(options.name, "stack").Build();
}

}  // namespace staticflow
