// Conv2D and Conv3D.
#include "ops/conv.h"

#include "ops/batch_rules.h"
#include "ops/conv_nodes.h"

namespace staticflow {
namespace {

// Conv2D, Conv3D: y = the window's products with the filter, summed, at every position: see conv_compute.h.
// dx and df are ops of their own (conv_backprop.cc).
absl::Status ConvShapeFunction(ShapeContext& c) {
  WindowRule rule;
  SF_RETURN_IF_ERROR(ReadWindowRule(c.node(), &rule));
  SF_ASSIGN_OR_RETURN(const Shape input, c.WithRank(0, rule.rank()));
  SF_ASSIGN_OR_RETURN(const Shape filter, c.WithRank(1, rule.rank()));
  if (input.IsFullyDefined() && filter.IsFullyDefined()) {
    SF_ASSIGN_OR_RETURN(const ConvShape s, MakeConvShape(rule, input, filter));
    c.set_output(0, WritePicture(rule, {.batch = s.batch, .size = s.out_size(), .channels = s.out_channels}));
    return absl::OkStatus();
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
  c.set_output(0, WritePicture(rule, picture));
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

}  // namespace

Output Conv2D(Operand input, Operand filter, const Conv2DOptions& options) {
  return WithOptions(NodeBuilder("Conv2D", {input, filter}), options).Name(options.name).Build();
}

Output Conv3D(Operand input, Operand filter, const Conv3DOptions& options) {
  return WithOptions(NodeBuilder("Conv3D", {input, filter}), options).Name(options.name).Build();
}

}  // namespace staticflow
