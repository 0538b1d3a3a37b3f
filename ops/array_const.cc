// Const, Placeholder, PlaceholderWithDefault, Fill, ZerosLike, OnesLike.
#include <limits>

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/math.h"
#include "ops/strided_copy.h"
#include "ops/variant_arithmetic.h"
#include "runtime/loop.h"

namespace staticflow {
namespace {

// Const: the tensor in attribute `value`.
absl::Status ConstShape(ShapeContext& c) {
  const Tensor& value = c.attr<Tensor>("value");
  if (value.dtype() != c.attr<DataType>("dtype")) {
    return absl::InvalidArgumentError(absl::StrCat("the value is ", DataTypeName(value.dtype()),
                                                   ", attribute dtype says ", DataTypeName(c.attr<DataType>("dtype"))));
  }
  c.set_output(0, value.shape());
  return absl::OkStatus();
}

std::optional<Shape> ConstShapeValue(const ShapeContext& c) {
  const Tensor& value = c.attr<Tensor>("value");
  absl::StatusOr<std::vector<int64_t>> dims = IntegerValues(value);
  if (!dims.ok() || value.shape().rank() > 1) return std::nullopt;
  absl::StatusOr<Shape> shape = Shape::FromFile(*dims);
  if (!shape.ok()) return std::nullopt;
  return *std::move(shape);
}

absl::StatusOr<Kernel> ConstKernel(const KernelSetup& setup) {
  const Tensor& value = setup.attr<Tensor>("value");
  return StorageKernel(value.dtype(), [&]<typename T>() -> Kernel {
    return [value](KernelContext& c) {
      std::copy_n(static_cast<const T*>(value.raw()), value.num_elements(), c.out<T>(0));
      return absl::OkStatus();
    };
  });
}

const OpRegistrar const_op({.name = "Const",
                            .outputs = {"output: dtype"},
                            .attrs = {"value: tensor", "dtype: type"},
                            .shape = ConstShape,
                            .gradient = kNotDifferentiable,
                            .kernel = ConstKernel,
                            .role = OpRole::kConst,
                            .shape_value = ConstShapeValue,
                            .doc = "A constant."});

// Placeholder: a value that is fed.
absl::Status PlaceholderShape(ShapeContext& c) {
  c.set_output(0, c.attr<Shape>("shape"));
  return absl::OkStatus();
}

absl::Status PlaceholderKernel(KernelContext&) {
  return absl::InvalidArgumentError("a placeholder has no value of its own: it must be fed");
}

const OpRegistrar placeholder({.name = "Placeholder",
                               .outputs = {"output: dtype"},
                               .attrs = {"dtype: type", "shape: shape = unknown"},
                               .shape = PlaceholderShape,
                               .gradient = kNotDifferentiable,
                               .kernel = PlaceholderKernel,
                               .role = OpRole::kPlaceholder,
                               .doc = "A value that every step feeds."});

const OpRegistrar placeholder_v2({.name = "PlaceholderV2",
                                  .outputs = {"output: dtype"},
                                  .attrs = {"dtype: type", "shape: shape"},
                                  .shape = PlaceholderShape,
                                  .gradient = kNotDifferentiable,
                                  .kernel = PlaceholderKernel,
                                  .role = OpRole::kPlaceholder,
                                  .doc = "A value that every step feeds."});

// PlaceholderWithDefault: its input unless something is fed.
absl::Status PlaceholderWithDefaultShape(ShapeContext& c) {
  const Shape& shape = c.attr<Shape>("shape");
  SF_RETURN_IF_ERROR(Annotate(c.input(0).MergeWith(shape).status(), "default and attribute shape: "));
  c.set_output(0, shape);
  return absl::OkStatus();
}

const OpRegistrar placeholder_with_default({.name = "PlaceholderWithDefault",
                                            .inputs = {"input: dtype"},
                                            .outputs = {"output: dtype"},
                                            .attrs = {"dtype: type", "shape: shape"},
                                            .shape = PlaceholderWithDefaultShape,
                                            .gradient = PassGradient,
                                            .kernel = CopyKernel,
                                            .role = OpRole::kDefault,
                                            .doc = "A value that a step may feed; the input otherwise."});

// Fill: output[...] = value.   dvalue = the sum of dy.
absl::Status FillShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_ASSIGN_OR_RETURN(Shape dims, DimsFromInput(c, 0));
  c.set_output(0, std::move(dims));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> FillKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) {
      const auto [begin, end] = c.range();
      std::fill(c.out<T>(0) + begin, c.out<T>(0) + end, c.scalar<T>(1));
      return absl::OkStatus();
    };
  });
}

std::optional<Shape> FillShapeValue(const ShapeContext& c) {
  absl::StatusOr<Shape> dims = c.ValueAsShape(0);
  absl::StatusOr<Shape> value = c.ValueAsShape(1);
  if (!dims.ok() || dims->rank() != 1 || dims->dim(0) < 0 || dims->dim(0) > Shape::kMaxRank) return std::nullopt;
  if (!value.ok() || value->rank() != 1) return std::nullopt;
  return Shape(std::vector<int64_t>(dims->dim(0), value->dim(0)));
}

void FillGradient(GradientContext& c) { c.set_dx(1, Sum(c.dy(0))); }

const OpRegistrar fill({.name = "Fill",
                        .inputs = {"dims: index_type", "value: T"},
                        .outputs = {"output: T"},
                        .attrs = {"T: type", "index_type: indextype = int32"},
                        .shape = FillShape,
                        .gradient = FillGradient,
                        .kernel = FillKernel,
                        .role = OpRole::kFill,
                        .iteration = {.split = Split::kFlat},
                        .shape_value = FillShapeValue,
                        .doc = "A tensor full of one value."});

// ZerosLike, OnesLike: 0 and 1 in the shape of x.
absl::Status ZerosKernel(KernelContext& c) {
  if (c.output(0).dtype == DT_VARIANT) return ZerosOfVariants(c);
  const auto [begin, end] = c.range();
  DispatchStorage(c.output(0).dtype, [&, begin = begin, end = end]<typename T>() {
    std::fill(c.out<T>(0) + begin, c.out<T>(0) + end, T());
  });
  return absl::OkStatus();
}

template <int value>
bool ConstantLoop(LoopContext& c) {
  return c.set_output(0, c.Constant(value));
}

const OpRegistrar zeros_like({.name = "ZerosLike",
                              .inputs = {"x: T"},
                              .outputs = {"y: T"},
                              .attrs = {"T: type"},
                              .shape = SameShape,
                              .gradient = kNotDifferentiable,
                              .kernel = ZerosKernel,
                              .traits = kShapeOnly | kElementwise,
                              .role = OpRole::kZerosLike,
                              .iteration = {.split = Split::kFlat},
                              .loop = ConstantLoop<0>,
                              .doc = "Zeros in the shape of x."});

absl::Status OnesKernel(KernelContext& c) {
  const auto [begin, end] = c.range();
  DispatchType<float, double, int32_t, int64_t, int8_t, int16_t, uint8_t, uint16_t, uint32_t, uint64_t, Half, BFloat16,
               bool>(c.output(0).dtype, [&, begin = begin, end = end]<typename T>() {
    std::fill(c.out<T>(0) + begin, c.out<T>(0) + end, static_cast<T>(1.0f));
  });
  return absl::OkStatus();
}

const OpRegistrar ones_like(
    {.name = "OnesLike",
     .inputs = {"x: T"},
     .outputs = {"y: T"},
     .attrs = {"T: {bfloat16, half, float, double, int8, uint8, int16, uint16, int32, uint32, int64, uint64, bool}"},
     .shape = SameShape,
     .gradient = kNotDifferentiable,
     .kernel = OnesKernel,
     .traits = kShapeOnly | kElementwise,
     .role = OpRole::kOnesLike,
     .iteration = {.split = Split::kFlat},
     .loop = ConstantLoop<1>,
     .doc = "Ones in the shape of x."});

// The number 0 or 1, or "" for strings, as a scalar.
absl::StatusOr<Tensor> ScalarOf(DataType dtype, int value) {
  SF_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(dtype, {}));
  if (value == 0) return tensor;
  const bool known =
      DispatchType<float, double, int32_t, int64_t, int8_t, int16_t, uint8_t, uint16_t, uint32_t, uint64_t, Half,
                   BFloat16, bool>(dtype, [&]<typename T>() { *tensor.data<T>() = static_cast<T>(1.0f); });
  if (!known) return absl::InvalidArgumentError(absl::StrCat("there are no ones of type ", DataTypeName(dtype)));
  return tensor;
}

// `shape` full of 0 or 1, as tf.zeros and tf.ones make it: a Const as long as files stay small.
Output Full(Graph& g, DataType dtype, const Shape& shape, int value, absl::string_view name,
            std::source_location where) {
  constexpr int64_t kConstElements = 1000;
  absl::StatusOr<Tensor> scalar = ScalarOf(dtype, value);
  absl::Status status = scalar.status();
  if (status.ok() && !shape.IsFullyDefined()) {
    status = absl::InvalidArgumentError(absl::StrCat("expected a fully defined shape, got ", shape.ToString()));
  }
  if (!status.ok()) {
    g.RecordError(Annotate(status, absl::StrCat(name, ": ")));
    return Output();
  }
  const NodeName node(g, name, "", where);
  if (shape.num_elements() >= kConstElements) {
    const Output dims = node.Vector(Ints(shape), "shape_as_tensor");
    return NodeBuilder(g, "Fill", where).Input(dims).Input(node.Constant(*scalar, "Const")).Name(node.exact()).Build();
  }
  absl::StatusOr<Tensor> full = Tensor::Create(dtype, shape);
  if (!full.ok()) {
    g.RecordError(full.status());
    return Output();
  }
  DispatchStorage(dtype, [&]<typename T>() {
    std::fill_n(static_cast<T*>(full->raw()), full->num_elements(), *static_cast<const T*>(scalar->raw()));
  });
  return Const(g, *std::move(full), {.name = node.exact(), .where = where});
}

Output FullLike(Operand x, int value, const char* type, absl::string_view name) {
  const bool known = x.output().valid() && x.output().shape().IsFullyDefined() && x.output().dtype() != DT_VARIANT;
  if (!known) return NodeBuilder(type, {x}).Name(name).Build();
  return Full(x.output().graph(), x.output().dtype(), x.output().shape(), value, name, x.where());
}

}  // namespace

Output Const(Graph& g, Tensor value, const ConstOptions& options) {
  const DataType dtype = value.dtype();
  return NodeBuilder(g, "Const", options.where)
      .Attr("value", std::move(value))
      .Attr("dtype", dtype)
      .Name(options.name)
      .Build();
}

Output Placeholder(Graph& g, const PlaceholderOptions& options) {
  return NodeBuilder(g, "Placeholder", options.where)
      .Attr("dtype", options.dtype)
      .Attr("shape", options.shape)
      .Name(options.name)
      .Build();
}

Output PlaceholderWithDefault(Graph& g, Output input, const PlaceholderWithDefaultOptions& options) {
  const Shape shape = options.shape.value_or(input.valid() ? input.shape() : Shape::Unknown());
  return NodeBuilder(g, "PlaceholderWithDefault", options.where)
      .Input(input)
      .Attr("shape", shape)
      .Name(options.name)
      .Build();
}

Output PlaceholderWithDefault(Graph& g, Tensor input, const PlaceholderWithDefaultOptions& options) {
  const NodeName node(g, options.name, "PlaceholderWithDefault", options.where);
  const Output value = node.Constant(std::move(input), "input");
  return PlaceholderWithDefault(g, value, {.shape = options.shape, .name = node.exact(), .where = options.where});
}

Output Zeros(Graph& g, DataType dtype, const Shape& shape, const ConstOptions& options) {
  return Full(g, dtype, shape, 0, options.name.empty() ? "zeros" : options.name, options.where);
}

Output Ones(Graph& g, DataType dtype, const Shape& shape, const ConstOptions& options) {
  return Full(g, dtype, shape, 1, options.name.empty() ? "ones" : options.name, options.where);
}

Output Fill(const Ints& dims, Operand value, const OpOptions& options) {
  const NodeName node(value.output().valid() ? value : Operand(dims.output(), value.where()), options.name, "Fill");
  if (!node) return Output();
  return NodeBuilder("Fill", {node.Vector(dims, "dims"), value}).Name(node.exact()).Build();
}

Output ZerosLike(Operand x, const OpOptions& options) {
  return FullLike(x, 0, "ZerosLike", options.name.empty() ? "zeros_like" : options.name);
}

Output OnesLike(Operand x, const OpOptions& options) {
  return FullLike(x, 1, "OnesLike", options.name.empty() ? "ones_like" : options.name);
}

}  // namespace staticflow
