// Shape, ShapeN, Size, Rank, Reshape, ExpandDims, Squeeze.
#include <limits>

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"

namespace staticflow {
namespace {

constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();

// Writes `values` as int32 or int64; InvalidArgument when one does not fit.
absl::Status WriteSizes(const TensorView& out, absl::Span<const int64_t> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (out.dtype == DT_INT64) {
      out.as<int64_t>()[i] = values[i];
    } else if (values[i] <= kMaxInt32) {
      out.as<int32_t>()[i] = static_cast<int32_t>(values[i]);
    } else {
      return absl::InvalidArgumentError(absl::StrCat("size ", values[i], " does not fit into int32; ask for int64"));
    }
  }
  return absl::OkStatus();
}

// Shape: the sizes of the input's dimensions.
absl::Status ShapeOpShape(ShapeContext& c) {
  for (int i = 0; i < c.num_outputs(); ++i) {
    c.set_output(i, c.input(i).has_rank() ? Shape({c.input(i).rank()}) : Shape::UnknownOfRank(1));
  }
  return absl::OkStatus();
}

absl::Status ShapeKernel(KernelContext& c) {
  for (int i = 0; i < c.num_outputs(); ++i) {
    SF_RETURN_IF_ERROR(WriteSizes(c.output(i), c.input(i).shape->dims()));
  }
  return absl::OkStatus();
}

std::optional<Shape> ShapeShapeValue(const ShapeContext& c) {
  if (!c.input(0).has_rank()) return std::nullopt;
  return c.input(0);
}

const OpRegistrar shape({.name = "Shape",
                         .inputs = {"input: T"},
                         .outputs = {"output: out_type"},
                         .attrs = {"T: type", "out_type: indextype = int32"},
                         .shape = ShapeOpShape,
                         .gradient = kNotDifferentiable,
                         .kernel = ShapeKernel,
                         .traits = kShapeOnly,
                         .role = OpRole::kShape,
                         .shape_value = ShapeShapeValue,
                         .doc = "The shape of the input."});

const OpRegistrar shape_n({.name = "ShapeN",
                           .inputs = {"input: N * T"},
                           .outputs = {"output: N * out_type"},
                           .attrs = {"N: int >= 1", "T: type", "out_type: indextype = int32"},
                           .shape = ShapeOpShape,
                           .gradient = kNotDifferentiable,
                           .kernel = ShapeKernel,
                           .traits = kShapeOnly,
                           .shape_value = ShapeShapeValue,
                           .doc = "The shapes of the inputs."});

// Size: the number of elements.
absl::Status SizeKernel(KernelContext& c) { return WriteSizes(c.output(0), {c.input(0).num_elements}); }

std::optional<Shape> SizeShapeValue(const ShapeContext& c) {
  if (!c.input(0).IsFullyDefined()) return std::nullopt;
  return Shape({c.input(0).num_elements()});
}

const OpRegistrar size({.name = "Size",
                        .inputs = {"input: T"},
                        .outputs = {"output: out_type"},
                        .attrs = {"T: type", "out_type: indextype = int32"},
                        .shape = ScalarShape,
                        .gradient = kNotDifferentiable,
                        .kernel = SizeKernel,
                        .traits = kShapeOnly,
                        .shape_value = SizeShapeValue,
                        .doc = "The number of elements of the input."});

// Rank: the number of dimensions.
absl::Status RankKernel(KernelContext& c) { return WriteSizes(c.output(0), {c.input(0).rank()}); }

std::optional<Shape> RankShapeValue(const ShapeContext& c) {
  if (!c.input(0).has_rank()) return std::nullopt;
  return Shape({c.input(0).rank()});
}

const OpRegistrar rank({.name = "Rank",
                        .inputs = {"input: T"},
                        .outputs = {"output: int32"},
                        .attrs = {"T: type"},
                        .shape = ScalarShape,
                        .gradient = kNotDifferentiable,
                        .kernel = RankKernel,
                        .traits = kShapeOnly,
                        .shape_value = RankShapeValue,
                        .doc = "The rank of the input."});

// The product of the sizes other than 0 and unknown ones.
int64_t PositiveSizes(const Shape& shape) {
  int64_t product = 1;
  for (int i = 0; i < shape.rank(); ++i) product = shape.dim(i) > 0 ? MultiplySizes(product, shape.dim(i)) : product;
  return product;
}

// Reshape: the same elements in another shape, of which one size may follow from the others.
absl::Status ReshapeShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 1).status());
  SF_ASSIGN_OR_RETURN(Shape out, c.ValueAsShape(1));
  const Shape& in = c.input(0);
  int unknown = -1, num_unknown = 0;
  int64_t known = 1;
  for (int i = 0; i < out.rank(); ++i) {
    if (out.dim(i) == Shape::kUnknownDim) {
      unknown = i;
      ++num_unknown;
    } else {
      known = MultiplySizes(known, out.dim(i));
    }
  }
  if (c.value(1) != nullptr && num_unknown > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("shape ", c.value(1)->ToString(), " leaves more than one size open"));
  }
  // An open size follows only from a known value: what comes in a later step has not been checked yet.
  const bool infer = num_unknown == 0 || (num_unknown == 1 && c.value(1) != nullptr);
  if (out.has_rank() && in.IsFullyDefined() && infer) {
    const int64_t n = in.num_elements();
    if (num_unknown == 1 && known > 0 && n % known == 0) {
      out.set_dim(unknown, n / known);
    } else if (num_unknown == 1 && known == 0 && n == 0) {
      out.set_dim(unknown, PositiveSizes(in) / PositiveSizes(out));  // any size fits; TensorFlow takes this one
    } else if (num_unknown == 1 && known == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", out.ToString(), " has a size of 0, so its open size does not follow"));
    } else if (num_unknown == 1 ? known > 0 : out.num_elements() != n) {
      return absl::InvalidArgumentError(absl::StrCat("input has shape ", in.ToString(), " (", n,
                                                     " elements), expected a shape that fits ", out.ToString()));
    }
  }
  c.set_output(0, std::move(out));
  return absl::OkStatus();
}

std::optional<Shape> ReshapeShapeValue(const ShapeContext& c) {
  absl::StatusOr<Shape> value = c.ValueAsShape(0);
  // A vector stays one vector: only {1} -> {}, {} -> {1} and {n} -> {n} occur among shapes.
  absl::StatusOr<Shape> to = c.ValueAsShape(1);
  if (!value.ok() || !to.ok() || to->rank() > 1) return std::nullopt;
  return *std::move(value);
}

const OpRegistrar reshape({.name = "Reshape",
                           .inputs = {"tensor: T", "shape: Tshape"},
                           .outputs = {"output: T"},
                           .attrs = {"T: type", "Tshape: indextype = int32"},
                           .shape = ReshapeShape,
                           .gradient = ReshapeGradient,
                           .kernel = CopyKernel,
                           .traits = kAlias,
                           .shape_value = ReshapeShapeValue,
                           .batch = ReshapeRowsBatch,
                           .doc = "The same elements in another shape."});

// ExpandDims: a dimension of size 1 more.
absl::Status ExpandDimsShape(ShapeContext& c) {
  const Shape& in = c.input(0);
  if (!in.has_rank()) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(std::optional<int> axis, AxisFromInput(c, 1, in.rank() + 1));
  Shape out = Shape::UnknownOfRank(in.rank() + 1);
  if (axis.has_value()) {
    for (int i = 0; i < out.rank(); ++i) out.set_dim(i, i < *axis ? in.dim(i) : i == *axis ? 1 : in.dim(i - 1));
  }
  c.set_output(0, std::move(out));
  return absl::OkStatus();
}

const OpRegistrar expand_dims({.name = "ExpandDims",
                               .inputs = {"input: T", "dim: Tdim"},
                               .outputs = {"output: T"},
                               .attrs = {"T: type", "Tdim: indextype = int32"},
                               .shape = ExpandDimsShape,
                               .gradient = ReshapeGradient,
                               .kernel = CopyKernel,
                               .traits = kAlias,
                               .shape_value = PassShapeValue,
                               .batch = ExpandDimsBatch,
                               .doc = "Inserts a dimension of size 1."});

// Squeeze: dimensions of size 1 less.
absl::Status SqueezeShape(ShapeContext& c) {
  const std::vector<int64_t>& axes = c.attr<std::vector<int64_t>>("squeeze_dims");
  const Shape& in = c.input(0);
  if (!in.has_rank()) return absl::OkStatus();
  std::vector<bool> squeezed(in.rank(), false);
  for (int64_t axis : axes) {
    SF_ASSIGN_OR_RETURN(const int i, NormalizeAxis(axis, in.rank()));
    squeezed[i] = true;
  }
  Shape out;
  for (int i = 0; i < in.rank(); ++i) {
    if (axes.empty() && in.dim(i) == Shape::kUnknownDim) return absl::OkStatus();
    if (squeezed[i] && in.dim(i) != 1 && in.dim(i) != Shape::kUnknownDim) {
      return absl::InvalidArgumentError(
          absl::StrCat("input has shape ", in.ToString(), ", expected size 1 in dimension ", i));
    }
    if (axes.empty() ? in.dim(i) != 1 : !squeezed[i]) out.push_back(in.dim(i));
  }
  c.set_output(0, std::move(out));
  return absl::OkStatus();
}

const OpRegistrar squeeze({.name = "Squeeze",
                           .inputs = {"input: T"},
                           .outputs = {"output: T"},
                           .attrs = {"T: type", "squeeze_dims: list(int) = []"},
                           .shape = SqueezeShape,
                           .gradient = ReshapeGradient,
                           .kernel = CopyKernel,
                           .traits = kAlias,
                           .shape_value = PassShapeValue,
                           .batch = SqueezeBatch,
                           .doc = "Removes dimensions of size 1."});

// `node` as a constant when its value is known while building, as tf.shape, tf.size and tf.rank give it.
Output KnownInts(const Operand& input, const Shape& shape, absl::Span<const int64_t> values, DataType dtype,
                 absl::string_view name) {
  Tensor tensor = dtype == DT_INT64 ? Tensor::Of<int64_t>(shape, values)
                                    : Tensor::Of<int32_t>(shape, std::vector<int32_t>(values.begin(), values.end()));
  return Const(input.output().graph(), std::move(tensor), {.name = std::string(name), .where = input.where()});
}

bool Fits(absl::Span<const int64_t> sizes, DataType dtype) {
  return dtype == DT_INT64 || std::all_of(sizes.begin(), sizes.end(), [](int64_t d) { return d <= kMaxInt32; });
}

}  // namespace

Output ShapeOf(Operand input, const ShapeOptions& options) {
  if (input.output().valid() && input.output().shape().IsFullyDefined()) {
    const absl::Span<const int64_t> dims = input.output().shape().dims();
    const Shape shape = {static_cast<int64_t>(dims.size())};
    if (Fits(dims, options.out_type)) {
      return KnownInts(input, shape, dims, options.out_type, options.name.empty() ? "Shape" : options.name);
    }
  }
  return NodeBuilder("Shape", {input}).Attr("out_type", options.out_type).Name(options.name).Build();
}

Output SizeOf(Operand input, const ShapeOptions& options) {
  if (input.output().valid() && input.output().shape().IsFullyDefined()) {
    const int64_t n = input.output().shape().num_elements();
    if (Fits({n}, options.out_type)) {
      return KnownInts(input, {}, {n}, options.out_type, options.name.empty() ? "Size" : options.name);
    }
  }
  return NodeBuilder("Size", {input}).Attr("out_type", options.out_type).Name(options.name).Build();
}

Output RankOf(Operand input, const OpOptions& options) {
  if (input.output().valid() && input.output().shape().has_rank()) {
    return KnownInts(input, {}, {input.output().shape().rank()}, DT_INT32,
                     options.name.empty() ? "Rank" : options.name);
  }
  return NodeBuilder("Rank", {input}).Name(options.name).Build();
}

std::vector<Output> ShapeN(absl::Span<const Output> inputs, const ShapeOptions& options) {
  return OutputsOf(
      NodeBuilder("ShapeN", {}).Inputs(inputs).Attr("out_type", options.out_type).Name(options.name).BuildNode());
}

Output Reshape(Operand tensor, const Ints& shape, const OpOptions& options) {
  const NodeName node(tensor, options.name, "Reshape");
  if (!node) return Output();
  return NodeBuilder("Reshape", {tensor, node.Vector(shape, "shape")}).Name(node.exact()).Build();
}

Output ExpandDims(Operand input, Operand axis, const OpOptions& options) {
  return NodeBuilder("ExpandDims", {input, axis}).Name(options.name).Build();
}

Output Squeeze(Operand input, const std::vector<int64_t>& axes, const OpOptions& options) {
  return NodeBuilder("Squeeze", {input}).Attr("squeeze_dims", axes).Name(options.name).Build();
}

}  // namespace staticflow
