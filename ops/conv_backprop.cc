// The gradients of Conv2D and Conv3D by their inputs and filters, and Conv2DTranspose. All three functions are linear
// in two operands, so each one's gradients are the other two.
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/conv.h"
#include "ops/conv_lanes.h"
#include "ops/conv_nodes.h"

namespace staticflow {
namespace {

// With all shapes known: whether they are those of one convolution.
absl::Status CheckConvolution(const WindowRule& rule, const Shape& input, const Shape& filter, const Shape& output) {
  if (!input.IsFullyDefined() || !filter.IsFullyDefined() || !output.IsFullyDefined()) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const ConvShape s, MakeConvShape(rule, input, filter));
  return CheckConvOutput(rule, s, output);
}

// What input `i` says about the shape of the result: an integer vector is that shape, a tensor of the convolution's own
// type has it.
absl::StatusOr<Shape> SizesOf(ShapeContext& c, int i, const WindowRule& rule) {
  if (c.node().op().inputs[static_cast<size_t>(i)].type_attr == "T") return c.WithRank(i, rule.rank());
  SF_ASSIGN_OR_RETURN(const Shape vector, c.WithRank(i, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(vector.dim(0), rule.rank(), "number of sizes and rank").status());
  SF_ASSIGN_OR_RETURN(const Shape sizes, DimsFromInput(c, i));
  return sizes.MergeWith(Shape::UnknownOfRank(rule.rank()));
}

// Conv*BackpropInput: dx(filter, dy), of shape input_sizes.   d filter = Conv*BackpropFilter(ddx, dy),
// d dy = Conv*(ddx, filter).
absl::Status BackpropInputShape(ShapeContext& c) {
  WindowRule rule;
  SF_RETURN_IF_ERROR(ReadWindowRule(c.node(), &rule));
  SF_ASSIGN_OR_RETURN(Shape input, SizesOf(c, 0, rule));
  SF_ASSIGN_OR_RETURN(const Shape filter, c.WithRank(1, rule.rank()));
  SF_ASSIGN_OR_RETURN(const Shape output, c.WithRank(2, rule.rank()));
  SF_ASSIGN_OR_RETURN(const int64_t batch, c.MergeDims(input.dim(0), output.dim(0), "batch"));
  input.set_dim(0, batch);
  SF_RETURN_IF_ERROR(
      c.MergeDims(filter.dim(-1), output.dim(rule.channel_dim()), "channels of filter and out_backprop").status());
  SF_RETURN_IF_ERROR(CheckConvolution(rule, input, filter, output));
  c.set_output(0, std::move(input));
  return absl::OkStatus();
}

struct RunBackpropInput {
  template <typename T>
  absl::Status operator()(KernelContext& c, const WindowRule& rule) const {
    SF_ASSIGN_OR_RETURN(const ConvShape s, MakeConvShape(rule, *c.output(0).shape, *c.input(1).shape));
    SF_RETURN_IF_ERROR(CheckConvOutput(rule, s, *c.input(2).shape));
    return ConvBackpropInput(c, s, c.in<T>(1), c.in<T>(2), c.out<T>(0), c.range());
  }
};
absl::StatusOr<Kernel> BackpropInputKernel(const KernelSetup& setup) {
  return MakeConvKernel<float, double, Half, BFloat16, int32_t>(setup, setup.input_dtype(1), RunBackpropInput());
}

template <bool k3D>
void BackpropInputGradient(GradientContext& c) {
  const Output filter = c.x(1), dy = c.x(2), ddx = c.dy(0);
  const absl::string_view to_filter = k3D ? "Conv3DBackpropFilterV2" : "Conv2DBackpropFilter";
  c.set_dx(1, ConvLike(c.node(), to_filter, {ddx, ShapeOf(filter), dy}).Build());
  c.set_dx(2, ConvLike(c.node(), k3D ? "Conv3D" : "Conv2D", {ddx, filter}).Build());
}

// Conv*BackpropFilter: df(x, dy), of shape filter_sizes.   d x = Conv*BackpropInput(ddf, dy), d dy = Conv*(x, ddf).
absl::Status BackpropFilterShape(ShapeContext& c) {
  WindowRule rule;
  SF_RETURN_IF_ERROR(ReadWindowRule(c.node(), &rule));
  SF_ASSIGN_OR_RETURN(const Shape input, c.WithRank(0, rule.rank()));
  SF_ASSIGN_OR_RETURN(Shape filter, SizesOf(c, 1, rule));
  SF_ASSIGN_OR_RETURN(const Shape output, c.WithRank(2, rule.rank()));
  SF_RETURN_IF_ERROR(c.MergeDims(input.dim(0), output.dim(0), "batch").status());
  SF_ASSIGN_OR_RETURN(const int64_t channels, c.MergeDims(filter.dim(-1), output.dim(rule.channel_dim()),
                                                          "channels of filter and out_backprop"));
  filter.set_dim(rule.rank() - 1, channels);
  SF_RETURN_IF_ERROR(CheckConvolution(rule, input, filter, output));
  c.set_output(0, std::move(filter));
  return absl::OkStatus();
}

struct RunBackpropFilter {
  template <typename T>
  absl::Status operator()(KernelContext& c, const WindowRule& rule) const {
    SF_ASSIGN_OR_RETURN(const ConvShape s, MakeConvShape(rule, *c.input(0).shape, *c.output(0).shape));
    SF_RETURN_IF_ERROR(CheckConvOutput(rule, s, *c.input(2).shape));
    if constexpr (std::is_same_v<T, float>) {
      for (int64_t part = c.range().begin; c.num_outputs() == 2 && part < c.range().end; ++part) {
        const int i = static_cast<int>(part);
        SF_RETURN_IF_ERROR(ConvBackpropFilterPart(c, s, c.in<T>(0), c.in<T>(2), i, c.out<T>(i)));
      }
    }
    if (c.num_outputs() == 2) return absl::OkStatus();
    return ConvBackpropFilter(c, s, c.in<T>(0), c.in<T>(2), c.out<T>(0), c.range());
  }
};

// The sum over pictures is one over two halves of them where the lanes take it.
bool FilterSumsInParts(const Node& node, absl::Span<const Shape> inputs, const Shape& filter) {
  WindowRule rule;
  if (node.output_dtype(0) != DT_FLOAT || !ReadWindowRule(node, &rule).ok()) return false;
  const absl::StatusOr<ConvShape> s = MakeConvShape(rule, inputs[0], filter);
  return s.ok() && s->batch >= 2 && ConvBackpropFilterFitsLanes(*s);
}
absl::StatusOr<Kernel> BackpropFilterKernel(const KernelSetup& setup) {
  return MakeConvKernel<float, double, Half, BFloat16>(setup, setup.input_dtype(0), RunBackpropFilter());
}

template <bool k3D>
void BackpropFilterGradient(GradientContext& c) {
  const Output x = c.x(0), dy = c.x(2), ddf = c.dy(0);
  const absl::string_view to_input = k3D ? "Conv3DBackpropInputV2" : "Conv2DBackpropInput";
  c.set_dx(0, ConvLike(c.node(), to_input, {ShapeOf(x), ddf, dy}).Build());
  c.set_dx(2, ConvLike(c.node(), k3D ? "Conv3D" : "Conv2D", {x, ddf}).Build());
}

OpSpec BackpropOp(std::string name, std::vector<std::string> inputs, std::vector<std::string> attrs, std::string doc) {
  return {.name = std::move(name),
          .inputs = std::move(inputs),
          .outputs = {"output: T"},
          .attrs = std::move(attrs),
          .doc = std::move(doc)};
}

OpSpec BackpropInputOp(OpSpec spec, absl::string_view dims, GradientFunction gradient) {
  spec.shape = BackpropInputShape;
  spec.kernel = BackpropInputKernel;
  spec.batch = ConvBatch;
  spec.iteration = {.split = Split::kRows, .dims = dims};
  spec.gradient = gradient;
  return spec;
}

// Divided by output channels, each of which takes all pictures. The channels of dy have no letter: where they are not
// last, its columns are not those of the result.
OpSpec BackpropFilterOp(OpSpec spec, absl::string_view dims, GradientFunction gradient) {
  spec.shape = BackpropFilterShape;
  spec.kernel = BackpropFilterKernel;
  spec.batch = SumBatch;
  spec.iteration = {.split = Split::kColumns, .dims = dims};
  spec.parts = FilterSumsInParts;
  spec.gradient = gradient;
  return spec;
}

std::vector<std::string> WithShapeType(std::vector<std::string> attrs) {
  attrs.push_back("Tshape: indextype = int32");
  return attrs;
}
// The first versions for three dimensions have no layout attribute.
std::vector<std::string> FirstConv3DAttrs() {
  return {"T: {half, float, double}", "strides: list(int) >= 5", "padding: {'SAME', 'VALID'}",
          "dilations: list(int) = [1, 1, 1, 1, 1]"};
}

const OpRegistrar conv_2d_backprop_input(BackpropInputOp(
    BackpropOp("Conv2DBackpropInput", {"input_sizes: int32", "filter: T", "out_backprop: T"},
               Conv2DAttrs("T: {half, bfloat16, float, double, int32}"), "The gradient of Conv2D by its input."),
    ",rsck,nhwk->n", BackpropInputGradient<false>));
const OpRegistrar conv_3d_backprop_input(
    BackpropInputOp(BackpropOp("Conv3DBackpropInputV2", {"input_sizes: Tshape", "filter: T", "out_backprop: T"},
                               WithShapeType(Conv3DAttrs("T: {half, bfloat16, float, double}")),
                               "The gradient of Conv3D by its input."),
                    ",qrsck,ndhwk->n", BackpropInputGradient<true>));
const OpRegistrar conv_2d_backprop_filter(BackpropFilterOp(
    BackpropOp("Conv2DBackpropFilter", {"input: T", "filter_sizes: int32", "out_backprop: T"},
               Conv2DAttrs("T: {half, bfloat16, float, double}"), "The gradient of Conv2D by its filter."),
    "n,,nhw->rsck", BackpropFilterGradient<false>));
const OpRegistrar conv_3d_backprop_filter(BackpropFilterOp(
    BackpropOp("Conv3DBackpropFilterV2", {"input: T", "filter_sizes: int32", "out_backprop: T"},
               Conv3DAttrs("T: {half, bfloat16, float, double}"), "The gradient of Conv3D by its filter."),
    "n,,ndhw->qrsck", BackpropFilterGradient<true>));

// The same where a tensor stands for its own sizes.
const OpRegistrar conv_2d_backprop_input_v2(
    BackpropInputOp(BackpropOp("Conv2DBackpropInputV2", {"input: T", "filter: T", "out_backprop: T"},
                               Conv2DAttrs("T: {half, bfloat16, float, double, int32}"),
                               "The gradient of Conv2D by its input, given that input."),
                    ",rsck,nhwk->n", BackpropInputGradient<false>));
const OpRegistrar conv_2d_backprop_filter_v2(
    BackpropFilterOp(BackpropOp("Conv2DBackpropFilterV2", {"input: T", "filter: T", "out_backprop: T"},
                                Conv2DAttrs("T: {half, bfloat16, float, double}"),
                                "The gradient of Conv2D by its filter, given that filter."),
                     "n,,nhw->rsck", BackpropFilterGradient<false>));
const OpRegistrar conv_3d_backprop_input_v1(
    BackpropInputOp(BackpropOp("Conv3DBackpropInput", {"input: T", "filter: T", "out_backprop: T"}, FirstConv3DAttrs(),
                               "The gradient of Conv3D by its input, given that input."),
                    ",qrsck,ndhwk->n", BackpropInputGradient<true>));
const OpRegistrar conv_3d_backprop_filter_v1(
    BackpropFilterOp(BackpropOp("Conv3DBackpropFilter", {"input: T", "filter: T", "out_backprop: T"},
                                FirstConv3DAttrs(), "The gradient of Conv3D by its filter, given that filter."),
                     "n,,ndhw->qrsck", BackpropFilterGradient<true>));

template <typename Options>
Output BuildBackpropInput(absl::string_view type, absl::string_view fallback, absl::string_view sizes_name,
                          const Ints& sizes, const Operand& filter, const Operand& dy, const Options& options) {
  const NodeName node(dy, options.name, fallback);
  if (!node) return Output();
  const NodeBuilder builder(type, {node.Vector(sizes, sizes_name), filter, dy});
  return WithOptions(builder, options).Name(node.exact()).Build();
}

template <typename Options>
Output BuildBackpropFilter(absl::string_view type, const Operand& input, const Ints& sizes, const Operand& dy,
                           const Options& options) {
  const NodeName node(input, options.name, type);
  if (!node) return Output();
  const NodeBuilder builder(type, {input, node.Vector(sizes, "filter_sizes"), dy});
  return WithOptions(builder, options).Name(node.exact()).Build();
}

}  // namespace

Output Conv2DBackpropInput(const Ints& input_sizes, Operand filter, Operand out_backprop,
                           const Conv2DOptions& options) {
  return BuildBackpropInput("Conv2DBackpropInput", "Conv2DBackpropInput", "input_sizes", input_sizes, filter,
                            out_backprop, options);
}
Output Conv2DBackpropFilter(Operand input, const Ints& filter_sizes, Operand out_backprop,
                            const Conv2DOptions& options) {
  return BuildBackpropFilter("Conv2DBackpropFilter", input, filter_sizes, out_backprop, options);
}
Output Conv2DTranspose(Operand value, Operand filter, const Ints& output_shape, const Conv2DOptions& options) {
  return BuildBackpropInput("Conv2DBackpropInput", "conv2d_transpose", "output_shape", output_shape, filter, value,
                            options);
}
Output Conv3DBackpropInput(const Ints& input_sizes, Operand filter, Operand out_backprop,
                           const Conv3DOptions& options) {
  return BuildBackpropInput("Conv3DBackpropInputV2", "Conv3DBackpropInputV2", "input_sizes", input_sizes, filter,
                            out_backprop, options);
}
Output Conv3DBackpropFilter(Operand input, const Ints& filter_sizes, Operand out_backprop,
                            const Conv3DOptions& options) {
  return BuildBackpropFilter("Conv3DBackpropFilterV2", input, filter_sizes, out_backprop, options);
}

}  // namespace staticflow
