// Conv2D, Conv3D and Conv.
#include "ops/conv.h"

#include "ops/batch_rules.h"
#include "ops/conv_nodes.h"

namespace staticflow {
namespace {

// Conv2D, Conv3D: y = the window's products with the filter, summed, at every position: see conv_compute.h.
// dx and df are ops of their own (conv_backprop.cc).
absl::StatusOr<Shape> Convolved(const WindowRule& rule, const Shape& input, const Shape& filter) {
  if (input.IsFullyDefined() && filter.IsFullyDefined()) {
    SF_ASSIGN_OR_RETURN(const ConvShape s, MakeConvShape(rule, input, filter));
    return WritePicture(rule, {.batch = s.batch, .size = s.out_size(), .channels = s.out_channels});
  }
  PictureShape picture = ReadPicture(rule, input);
  const int64_t filter_channels = filter.dim(-2);
  if (picture.channels != Shape::kUnknownDim && filter_channels > 0 && picture.channels % filter_channels != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("input has ", picture.channels, " channels, filter expects ", filter_channels));
  }
  for (int d = 3 - rule.spatial; d < 3; ++d) {
    SF_ASSIGN_OR_RETURN(const WindowDim dim, SlideWindow(rule, d, picture.size[d], filter.dim(d - (3 - rule.spatial))));
    picture.size[d] = dim.out;
  }
  picture.channels = filter.dim(-1);
  return WritePicture(rule, picture);
}

absl::Status ConvShapeFunction(ShapeContext& c) {
  WindowRule rule;
  SF_ASSIGN_OR_RETURN(const bool supported, ReadSupportedRule(c.node(), &rule));
  if (!supported) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const Shape input, c.WithRank(0, rule.rank()));
  SF_ASSIGN_OR_RETURN(const Shape filter, c.WithRank(1, rule.rank()));
  SF_ASSIGN_OR_RETURN(Shape output, Convolved(rule, input, filter));
  c.set_output(0, std::move(output));
  return absl::OkStatus();
}

struct RunConv {
  template <typename T>
  absl::Status operator()(KernelContext& c, const WindowRule& rule) const {
    SF_ASSIGN_OR_RETURN(const ConvShape s, MakeConvShape(rule, *c.input(0).shape, *c.input(1).shape));
    return ConvForward(c, s, c.in<T>(0), c.in<T>(1), c.out<T>(0), c.range());
  }
};
absl::StatusOr<Kernel> ConvKernel(const KernelSetup& setup) {
  return MakeConvKernel<float, double, Half, BFloat16, int32_t>(setup, setup.input_dtype(0), RunConv());
}

void Conv2DGradient(GradientContext& c) {
  const Output x = c.x(0), filter = c.x(1), dy = c.dy(0);
  c.set_dx(0, ConvLike(c.node(), "Conv2DBackpropInput", {ShapeOf(x), filter, dy}).Build());
  c.set_dx(1, ConvLike(c.node(), "Conv2DBackpropFilter", {x, ShapeOf(filter), dy}).Build());
}
void Conv3DGradient(GradientContext& c) {
  const Output x = c.x(0), filter = c.x(1), dy = c.dy(0);
  c.set_dx(0, ConvLike(c.node(), "Conv3DBackpropInputV2", {ShapeOf(x), filter, dy}).Build());
  c.set_dx(1, ConvLike(c.node(), "Conv3DBackpropFilterV2", {x, ShapeOf(filter), dy}).Build());
}

const OpRegistrar conv_2d({.name = "Conv2D",
                           .inputs = {"input: T", "filter: T"},
                           .outputs = {"output: T"},
                           .attrs = Conv2DAttrs("T: {half, bfloat16, float, double, int32}"),
                           .shape = ConvShapeFunction,
                           .gradient = Conv2DGradient,
                           .kernel = ConvKernel,
                           .iteration = {.split = Split::kRows, .dims = "n,rsck->nhwk"},
                           .batch = ConvBatch,
                           .doc = "Convolves pictures by a filter."});

const OpRegistrar conv_3d({.name = "Conv3D",
                           .inputs = {"input: T", "filter: T"},
                           .outputs = {"output: T"},
                           .attrs = Conv3DAttrs("T: {half, bfloat16, float, double}"),
                           .shape = ConvShapeFunction,
                           .gradient = Conv3DGradient,
                           .kernel = ConvKernel,
                           .iteration = {.split = Split::kRows, .dims = "n,qrsck->ndhwk"},
                           .batch = ConvBatch,
                           .doc = "Convolves pictures with depth by a filter."});

// Conv: either of them, of pictures with batch_dims dimensions before their own.
Shape WithOneBatch(const Shape& shape, int batch_dims) {
  Shape flat;
  const Shape batch = shape.Slice(0, batch_dims);
  flat.push_back(batch.IsFullyDefined() ? batch.num_elements() : Shape::kUnknownDim);
  return flat.Concatenate(shape.Slice(batch_dims, shape.rank()));
}

absl::Status GenericConvShape(ShapeContext& c) {
  WindowRule rule;
  SF_RETURN_IF_ERROR(ReadWindowRule(c.node(), &rule));
  const int64_t batch_dims = c.attr<int64_t>("batch_dims"), groups = c.attr<int64_t>("groups");
  if (batch_dims < 1 || batch_dims > Shape::kMaxKernelRank || groups < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch_dims is ", batch_dims, " and groups is ", groups, ", expected 1 or more"));
  }
  const int batches = static_cast<int>(batch_dims);
  SF_ASSIGN_OR_RETURN(const Shape input, c.WithRank(0, rule.rank() - 1 + batches));
  SF_ASSIGN_OR_RETURN(const Shape filter, c.WithRank(1, rule.rank()));
  const int64_t channels = input.dim(rule.channels_first ? batches : -1), depth = filter.dim(-2);
  if (channels >= 0 && depth >= 0 && channels != MultiplySizes(depth, groups)) {
    return absl::InvalidArgumentError(absl::StrCat("input has ", channels, " channels, filter expects ", depth, " in ",
                                                   groups, groups == 1 ? " group" : " groups"));
  }
  SF_ASSIGN_OR_RETURN(const Shape output, Convolved(rule, WithOneBatch(input, batches), filter));
  c.set_output(0, input.Slice(0, batches).Concatenate(output.Slice(1, output.rank())));
  return absl::OkStatus();
}

struct RunGenericConv {
  template <typename T>
  absl::Status operator()(KernelContext& c, const WindowRule& rule) const {
    const Shape& in = *c.input(0).shape;
    const int batch_dims = in.rank() - rule.rank() + 1;
    SF_ASSIGN_OR_RETURN(const ConvShape s, MakeConvShape(rule, WithOneBatch(in, batch_dims), *c.input(1).shape));
    const int64_t images = in.num_elements(1, batch_dims);  // of one index of dimension 0
    return ConvForward(c, s, c.in<T>(0), c.in<T>(1), c.out<T>(0), {c.range().begin * images, c.range().end * images});
  }
};
absl::StatusOr<Kernel> GenericConvKernel(const KernelSetup& setup) {
  return MakeConvKernel<float, double, Half, BFloat16, int32_t>(setup, setup.input_dtype(0), RunGenericConv());
}

const OpRegistrar conv({.name = "Conv",
                        .inputs = {"input: T", "filter: T"},
                        .outputs = {"output: T"},
                        .attrs = {"T: {half, bfloat16, float, double, int32}", "strides: list(int)",
                                  "padding: {'SAME', 'VALID', 'EXPLICIT'}", "explicit_paddings: list(int) = []",
                                  "data_format: {'CHANNELS_FIRST', 'CHANNELS_LAST'} = 'CHANNELS_LAST'",
                                  "dilations: list(int) = []", "batch_dims: int = 1", "groups: int = 1"},
                        .shape = GenericConvShape,
                        .gradient = kGradientIsError,
                        .kernel = GenericConvKernel,
                        .iteration = {.split = Split::kRows},
                        .batch = ConvBatch,
                        .doc = "Convolves pictures, with or without depth, by a filter."});

}  // namespace

Output Conv2D(Operand input, Operand filter, const Conv2DOptions& options) {
  return WithOptions(NodeBuilder("Conv2D", {input, filter}), options).Name(options.name).Build();
}

Output Conv3D(Operand input, Operand filter, const Conv3DOptions& options) {
  return WithOptions(NodeBuilder("Conv3D", {input, filter}), options).Name(options.name).Build();
}

}  // namespace staticflow
