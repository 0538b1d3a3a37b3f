// DepthwiseConv2dNative and its gradients: every channel has filters of its own.
#include <algorithm>

#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/conv.h"
#include "ops/conv_nodes.h"
#include "ops/conv_picture.h"
#include "ops/conv_scratch.h"

namespace staticflow {
namespace {

// The convolution that filter [rows, columns, channels, q] means: one group per channel, q outputs each.
absl::StatusOr<ConvShape> MakeDepthwiseShape(const WindowRule& rule, const Shape& in, const Shape& filter) {
  const int64_t channels = in.dim(rule.channel_dim());
  if (channels != filter.dim(2)) {
    return absl::InvalidArgumentError(
        absl::StrCat("input has ", channels, " channels, filter expects ", filter.dim(2)));
  }
  return MakeConvShape(rule, in, {filter.dim(0), filter.dim(1), 1, MultiplySizes(channels, filter.dim(3))});
}

// Everything is in the computing type below: x padded [rows, columns, channels], y [rows, columns, channels q], filter
// [taps, channels q].
struct DepthwiseLoops {
  const ConvShape& s;
  const PaddedPicture& picture;
  int64_t per_channel = 1;  // q

  DepthwiseLoops(const ConvShape& shape, const PaddedPicture& x)
      : s(shape), picture(x), per_channel(shape.out_channels / shape.in_channels) {}

  // Calls f(offset of the pixel in x, offset in y, offset in the filter) for each position of taps in rows
  // [begin, end) of the window.
  template <typename F>
  void ForEachProduct(int64_t begin, int64_t end, F f) const {
    const WindowDim& rows = s.dims[1];
    const WindowDim& columns = s.dims[2];
    for (int64_t h = 0; h < rows.out; ++h) {
      for (int64_t w = 0; w < columns.out; ++w) {
        for (int64_t r = begin; r < end; ++r) {
          for (int64_t q = 0; q < columns.window; ++q) {
            f(picture.offset(0, h * rows.stride + r * rows.dilation, w * columns.stride + q * columns.dilation),
              (h * columns.out + w) * s.out_channels, (r * columns.window + q) * s.out_channels);
          }
        }
      }
    }
  }

  // Calls f(channel, output) for all outputs of a pixel.
  template <typename F>
  void ForEachOutput(F f) const {
    if (per_channel == 1) {
#pragma GCC ivdep
      for (int64_t c = 0; c < s.in_channels; ++c) f(c, c);
      return;
    }
    for (int64_t c = 0; c < s.in_channels; ++c) {
      for (int64_t o = c * per_channel; o < (c + 1) * per_channel; ++o) f(c, o);
    }
  }
};

// The pictures and the filter of one call, brought to the computing type one picture at a time.
template <typename T>
class DepthwiseCall {
 public:
  using C = ConvType<T>;
  explicit DepthwiseCall(const ConvShape& s)
      : s(s),
        x_picture(s.dims, s.in_channels),
        y_picture(s.out_size(), s.out_channels),
        loops(s, x_picture),
        filter_elements(s.taps() * s.out_channels) {}

  absl::Status Allocate(KernelContext& c) {
    ScratchArrays arrays;
    const auto x_at = arrays.Add<C>(x_picture.elements());
    const auto y_at = arrays.Add<C>(y_picture.elements());
    const auto filter_at = arrays.Add<C>(filter_elements);
    const auto sum_at = arrays.Add<C>(filter_elements);
    SF_ASSIGN_OR_RETURN(char* memory, arrays.Allocate(c));
    x = x_at.in(memory);
    y = y_at.in(memory);
    filter = filter_at.in(memory);
    filter_sum = sum_at.in(memory);
    return absl::OkStatus();
  }
  void LoadX(const T* from, int64_t i) {
    LoadPicture(from + i * s.in_pixels() * s.in_channels, s.channels_first, x_picture, x);
  }
  void StoreX(T* to, int64_t i) const {
    StorePicture(x, s.channels_first, x_picture, to + i * s.in_pixels() * s.in_channels);
  }
  void LoadY(const T* from, int64_t i) {
    LoadPicture(from + i * s.out_pixels() * s.out_channels, s.channels_first, y_picture, y);
  }
  void StoreY(T* to, int64_t i) const {
    StorePicture(y, s.channels_first, y_picture, to + i * s.out_pixels() * s.out_channels);
  }
  void LoadFilter(const T* from) {
    std::transform(from, from + filter_elements, filter, [](T v) { return static_cast<C>(v); });
  }

  const ConvShape& s;
  const PaddedPicture x_picture, y_picture;
  const DepthwiseLoops loops;
  const int64_t filter_elements;
  C* x = nullptr;
  C* y = nullptr;
  C* filter = nullptr;
  C* filter_sum = nullptr;
};

// DepthwiseConv2dNative: y[.., c q + j] = sum over taps of x[.., c] f[tap, c, j].
struct RunDepthwise {
  template <typename T>
  absl::Status operator()(KernelContext& c, const WindowRule& rule) const {
    using C = ConvType<T>;
    SF_ASSIGN_OR_RETURN(const ConvShape s, MakeDepthwiseShape(rule, *c.input(0).shape, *c.input(1).shape));
    DepthwiseCall<T> call(s);
    SF_RETURN_IF_ERROR(call.Allocate(c));
    call.LoadFilter(c.in<T>(1));
    for (int64_t i = c.range().begin; i < c.range().end; ++i) {
      call.LoadX(c.in<T>(0), i);
      std::fill_n(call.y, call.y_picture.elements(), C(0));
      call.loops.ForEachProduct(0, s.dims[1].window, [&](int64_t x_at, int64_t y_at, int64_t f_at) {
        const C* x = call.x + x_at;
        const C* f = call.filter + f_at;
        C* y = call.y + y_at;
        call.loops.ForEachOutput([=](int64_t channel, int64_t o) { y[o] += x[channel] * f[o]; });
      });
      call.StoreY(c.out<T>(0), i);
    }
    return absl::OkStatus();
  }
};

// ...BackpropInput: dx[.., c] = sum over taps and j of dy[.., c q + j] f[tap, c, j].
struct RunDepthwiseBackpropInput {
  template <typename T>
  absl::Status operator()(KernelContext& c, const WindowRule& rule) const {
    using C = ConvType<T>;
    SF_ASSIGN_OR_RETURN(const ConvShape s, MakeDepthwiseShape(rule, *c.output(0).shape, *c.input(1).shape));
    SF_RETURN_IF_ERROR(CheckConvOutput(rule, s, *c.input(2).shape));
    DepthwiseCall<T> call(s);
    SF_RETURN_IF_ERROR(call.Allocate(c));
    call.LoadFilter(c.in<T>(1));
    for (int64_t i = c.range().begin; i < c.range().end; ++i) {
      call.LoadY(c.in<T>(2), i);
      std::fill_n(call.x, call.x_picture.elements(), C(0));
      call.loops.ForEachProduct(0, s.dims[1].window, [&](int64_t x_at, int64_t y_at, int64_t f_at) {
        C* x = call.x + x_at;
        const C* f = call.filter + f_at;
        const C* y = call.y + y_at;
        call.loops.ForEachOutput([=](int64_t channel, int64_t o) { x[channel] += y[o] * f[o]; });
      });
      call.StoreX(c.out<T>(0), i);
    }
    return absl::OkStatus();
  }
};

// ...BackpropFilter: df[tap, c, j] = sum over positions of x[.., c] dy[.., c q + j], picture by picture.
struct RunDepthwiseBackpropFilter {
  template <typename T>
  absl::Status operator()(KernelContext& c, const WindowRule& rule) const {
    using C = ConvType<T>;
    SF_ASSIGN_OR_RETURN(const ConvShape s, MakeDepthwiseShape(rule, *c.input(0).shape, *c.output(0).shape));
    SF_RETURN_IF_ERROR(CheckConvOutput(rule, s, *c.input(2).shape));
    DepthwiseCall<T> call(s);
    SF_RETURN_IF_ERROR(call.Allocate(c));
    const int64_t per_row = s.dims[2].window * s.out_channels;
    const int64_t begin = c.range().begin * per_row, end = c.range().end * per_row;
    std::fill(call.filter_sum + begin, call.filter_sum + end, C(0));
    for (int64_t i = 0; i < s.batch; ++i) {
      call.LoadX(c.in<T>(0), i);
      call.LoadY(c.in<T>(2), i);
      std::fill(call.filter + begin, call.filter + end, C(0));
      call.loops.ForEachProduct(c.range().begin, c.range().end, [&](int64_t x_at, int64_t y_at, int64_t f_at) {
        const C* x = call.x + x_at;
        C* f = call.filter + f_at;
        const C* y = call.y + y_at;
        call.loops.ForEachOutput([=](int64_t channel, int64_t o) { f[o] += x[channel] * y[o]; });
      });
      for (int64_t j = begin; j < end; ++j) call.filter_sum[j] += call.filter[j];
    }
    std::transform(call.filter_sum + begin, call.filter_sum + end, c.out<T>(0) + begin,
                   [](C v) { return static_cast<T>(v); });
    return absl::OkStatus();
  }
};

template <typename Run, int kPictures>
absl::StatusOr<Kernel> DepthwiseKernel(const KernelSetup& setup) {
  return MakeConvKernel<float, double, Half, BFloat16>(setup, setup.input_dtype(kPictures), Run());
}

// With `input` and `filter` as far as they are known: the shape of y.
absl::StatusOr<Shape> DepthwiseOutput(const WindowRule& rule, const Shape& input, const Shape& filter) {
  if (input.IsFullyDefined() && filter.IsFullyDefined()) {
    SF_ASSIGN_OR_RETURN(const ConvShape s, MakeDepthwiseShape(rule, input, filter));
    return WritePicture(rule, {.batch = s.batch, .size = s.out_size(), .channels = s.out_channels});
  }
  PictureShape picture = ReadPicture(rule, input);
  for (int d : {1, 2}) {
    SF_ASSIGN_OR_RETURN(const WindowDim dim, SlideWindow(rule, d, picture.size[d], filter.dim(d - 1)));
    picture.size[d] = dim.out;
  }
  const bool known = filter.dim(2) != Shape::kUnknownDim && filter.dim(3) != Shape::kUnknownDim;
  picture.channels = known ? MultiplySizes(filter.dim(2), filter.dim(3)) : Shape::kUnknownDim;
  return WritePicture(rule, picture);
}

absl::Status DepthwiseShapeFunction(ShapeContext& c) {
  WindowRule rule;
  SF_ASSIGN_OR_RETURN(const bool supported, ReadSupportedRule(c.node(), &rule));
  if (!supported) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const Shape input, c.WithRank(0, 4));
  SF_ASSIGN_OR_RETURN(const Shape filter, c.WithRank(1, 4));
  SF_ASSIGN_OR_RETURN(Shape output, DepthwiseOutput(rule, input, filter));
  c.set_output(0, std::move(output));
  return absl::OkStatus();
}

// The shape that vector input `sizes` tells; the shapes of the three must be those of one convolution.
template <int kSizes>
absl::Status DepthwiseGradientShape(ShapeContext& c) {
  WindowRule rule;
  SF_RETURN_IF_ERROR(ReadWindowRule(c.node(), &rule));
  SF_ASSIGN_OR_RETURN(Shape sizes, DimsFromInput(c, kSizes));
  SF_ASSIGN_OR_RETURN(sizes, sizes.MergeWith(Shape::UnknownOfRank(4)));
  SF_ASSIGN_OR_RETURN(const Shape other, c.WithRank(1 - kSizes, 4));
  SF_ASSIGN_OR_RETURN(const Shape output,
                      kSizes == 0 ? DepthwiseOutput(rule, sizes, other) : DepthwiseOutput(rule, other, sizes));
  SF_RETURN_IF_ERROR(output.MergeWith(c.input(2)).status());
  c.set_output(0, std::move(sizes));
  return absl::OkStatus();
}

void DepthwiseGradient(GradientContext& c) {
  const Output x = c.x(0), filter = c.x(1), dy = c.dy(0);
  c.set_dx(0, ConvLike(c.node(), "DepthwiseConv2dNativeBackpropInput", {ShapeOf(x), filter, dy}).Build());
  c.set_dx(1, ConvLike(c.node(), "DepthwiseConv2dNativeBackpropFilter", {x, ShapeOf(filter), dy}).Build());
}
void BackpropInputGradient(GradientContext& c) {
  const Output filter = c.x(1), dy = c.x(2), ddx = c.dy(0);
  c.set_dx(1, ConvLike(c.node(), "DepthwiseConv2dNativeBackpropFilter", {ddx, ShapeOf(filter), dy}).Build());
  c.set_dx(2, ConvLike(c.node(), "DepthwiseConv2dNative", {ddx, filter}).Build());
}
void BackpropFilterGradient(GradientContext& c) {
  const Output x = c.x(0), dy = c.x(2), ddf = c.dy(0);
  c.set_dx(0, ConvLike(c.node(), "DepthwiseConv2dNativeBackpropInput", {ShapeOf(x), ddf, dy}).Build());
  c.set_dx(2, ConvLike(c.node(), "DepthwiseConv2dNative", {x, ddf}).Build());
}

OpSpec DepthwiseOp(std::string name, std::vector<std::string> inputs, std::string doc) {
  std::vector<std::string> attrs = Conv2DAttrs("T: {half, bfloat16, float, double}");
  attrs.erase(attrs.begin() + 2);  // knows no use_cudnn_on_gpu
  return {.name = std::move(name),
          .inputs = std::move(inputs),
          .outputs = {"output: T"},
          .attrs = std::move(attrs),
          .iteration = {.split = Split::kRows},
          .doc = std::move(doc)};
}
OpSpec Completed(OpSpec spec, ShapeFunction shape, GradientFunction gradient, KernelSource kernel) {
  spec.shape = shape;
  spec.gradient = gradient;
  spec.kernel = kernel;
  spec.batch = spec.inputs[1] == "filter: T" ? ConvBatch : SumBatch;
  return spec;
}
OpSpec DepthwiseForward() {
  OpSpec spec = DepthwiseOp("DepthwiseConv2dNative", {"input: T", "filter: T"},
                            "Convolves each channel of pictures by its own filters.");
  spec.iteration.dims = "n,rsk->nhwk";  // with k = c q, the filter's last two dimensions
  return spec;
}
const OpRegistrar depthwise(Completed(DepthwiseForward(), DepthwiseShapeFunction, DepthwiseGradient,
                                      DepthwiseKernel<RunDepthwise, 0>));
const OpRegistrar depthwise_backprop_input(Completed(DepthwiseOp("DepthwiseConv2dNativeBackpropInput",
                                                                 {"input_sizes: int32", "filter: T", "out_backprop: T"},
                                                                 "The gradient of DepthwiseConv2dNative by its input."),
                                                     DepthwiseGradientShape<0>, BackpropInputGradient,
                                                     DepthwiseKernel<RunDepthwiseBackpropInput, 1>));
const OpRegistrar depthwise_backprop_filter(
    Completed(DepthwiseOp("DepthwiseConv2dNativeBackpropFilter", {"input: T", "filter_sizes: int32", "out_backprop: T"},
                          "The gradient of DepthwiseConv2dNative by its filter."),
              DepthwiseGradientShape<1>, BackpropFilterGradient, DepthwiseKernel<RunDepthwiseBackpropFilter, 0>));

}  // namespace

Output DepthwiseConv2dNative(Operand input, Operand filter, const Conv2DOptions& options) {
  return WithOptions(NodeBuilder("DepthwiseConv2dNative", {input, filter}), options).Name(options.name).Build();
}

Output DepthwiseConv2dNativeBackpropInput(const Ints& input_sizes, Operand filter, Operand out_backprop,
                                          const Conv2DOptions& options) {
  constexpr char kType[] = "DepthwiseConv2dNativeBackpropInput";
  const NodeName node(out_backprop, options.name, kType);
  if (!node) return Output();
  const NodeBuilder builder(kType, {node.Vector(input_sizes, "input_sizes"), filter, out_backprop});
  return WithOptions(builder, options).Name(node.exact()).Build();
}

Output DepthwiseConv2dNativeBackpropFilter(Operand input, const Ints& filter_sizes, Operand out_backprop,
                                           const Conv2DOptions& options) {
  constexpr char kType[] = "DepthwiseConv2dNativeBackpropFilter";
  const NodeName node(input, options.name, kType);
  if (!node) return Output();
  const NodeBuilder builder(kType, {input, node.Vector(filter_sizes, "filter_sizes"), out_backprop});
  return WithOptions(builder, options).Name(node.exact()).Build();
}

}  // namespace staticflow
