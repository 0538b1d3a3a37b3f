// LRN and LRNGrad: local response normalization over channels.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/batch_rules.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/nn_activation.h"

namespace staticflow {
namespace {

struct LrnAttrs {
  template <typename Source>
  explicit LrnAttrs(const Source& source)
      : radius(source.template attr<int64_t>("depth_radius")),
        bias(source.template attr<float>("bias")),
        alpha(source.template attr<float>("alpha")),
        beta(source.template attr<float>("beta")) {}
  int64_t radius;
  float bias, alpha, beta;
};

const std::vector<std::string> kLrnAttrs = {"depth_radius: int = 5", "bias: float = 1", "alpha: float = 1",
                                            "beta: float = 0.5", "T: {half, bfloat16, float} = float"};

// Calls f(channel, sum of value(j) over the channels j within `radius`) for every channel.
template <typename Value, typename F>
void ForEachWindow(int64_t channels, int64_t radius, Value value, F f) {
  const int64_t reach = std::clamp<int64_t>(radius, 0, channels);
  for (int64_t ch = 0; ch < channels; ++ch) {
    double sum = 0;
    const int64_t stop = std::min(channels, ch + reach + 1);
    for (int64_t j = std::max<int64_t>(0, ch - reach); j < stop; ++j) sum += value(j);
    f(ch, sum);
  }
}

// LRN: y = x n^-beta with n = bias + alpha B(x^2), where B sums the channels within depth_radius.
absl::Status LrnShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape x, c.WithRank(0, 4));
  for (int i = 1; i < c.num_inputs(); ++i) {
    SF_ASSIGN_OR_RETURN(const Shape other, c.WithRank(i, 4));
    SF_ASSIGN_OR_RETURN(x, x.MergeWith(other));
  }
  if (c.attr<int64_t>("depth_radius") < 0) return absl::InvalidArgumentError("expected depth_radius >= 0");
  c.set_output(0, std::move(x));
  return absl::OkStatus();
}

// The pixels of the examples in range(), as flat element offsets [begin, end) in steps of the channels.
struct Pixels {
  explicit Pixels(const KernelContext& c)
      : channels(c.input(0).dim(3)),
        begin(c.range().begin * c.input(0).dim(1) * c.input(0).dim(2) * channels),
        end(c.range().end * c.input(0).dim(1) * c.input(0).dim(2) * channels) {}
  int64_t channels, begin, end;
};

absl::StatusOr<Kernel> LrnKernel(const KernelSetup& setup) {
  Kernel kernel;
  const LrnAttrs a(setup);
  DispatchType<float, Half, BFloat16>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [a](KernelContext& c) {
      const Pixels pixels(c);
      for (int64_t start = pixels.begin; start < pixels.end; start += pixels.channels) {
        const T* x = c.in<T>(0) + start;
        T* y = c.out<T>(0) + start;
        ForEachWindow(
            pixels.channels, a.radius, [x](int64_t j) { return double(Widen(x[j])) * double(Widen(x[j])); },
            [&](int64_t ch, double sum) {
              y[ch] = T(float(Widen(x[ch])) * float(std::pow(a.bias + a.alpha * sum, -double(a.beta))));
            });
      }
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

Output LrnGrad(const GradientContext& c, Output dy, Output x, Output y) {
  const LrnAttrs a(c);
  return NodeBuilder("LRNGrad", {dy, x, y})
      .Attr("depth_radius", a.radius)
      .Attr("bias", a.bias)
      .Attr("alpha", a.alpha)
      .Attr("beta", a.beta)
      .Build();
}

void LrnGradient(GradientContext& c) { c.set_dx(0, LrnGrad(c, c.dy(0), c.x(0), c.y(0))); }

const OpRegistrar lrn({.name = "LRN",
                       .inputs = {"input: T"},
                       .outputs = {"output: T"},
                       .attrs = kLrnAttrs,
                       .shape = LrnShape,
                       .gradient = LrnGradient,
                       .kernel = LrnKernel,
                       .iteration = {.split = Split::kRows},
                       .batch = LeadingBatch,
                       .doc = "Local response normalization over the channels."});

// LRNGrad: dx = dy n^-beta - 2 alpha beta x B(dy y / n).
absl::StatusOr<Kernel> LrnGradKernel(const KernelSetup& setup) {
  Kernel kernel;
  const LrnAttrs a(setup);
  DispatchType<float, Half, BFloat16>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [a](KernelContext& c) -> absl::Status {
      const Pixels pixels(c);
      SF_ASSIGN_OR_RETURN(double* norm, c.Scratch<double>(pixels.channels));
      for (int64_t start = pixels.begin; start < pixels.end; start += pixels.channels) {
        const T *dy = c.in<T>(0) + start, *x = c.in<T>(1) + start, *y = c.in<T>(2) + start;
        T* dx = c.out<T>(0) + start;
        ForEachWindow(
            pixels.channels, a.radius, [x](int64_t j) { return double(Widen(x[j])) * double(Widen(x[j])); },
            [&](int64_t ch, double sum) { norm[ch] = a.bias + a.alpha * sum; });
        ForEachWindow(
            pixels.channels, a.radius, [&](int64_t j) { return double(Widen(dy[j])) * double(Widen(y[j])) / norm[j]; },
            [&](int64_t ch, double sum) {
              dx[ch] = T(float(double(Widen(dy[ch])) * std::pow(norm[ch], -double(a.beta)) -
                               2.0 * a.alpha * a.beta * double(Widen(x[ch])) * sum));
            });
      }
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

// B as a product from the right: ones where two channels are within `radius` of each other.
Output WindowMatrix(Output x, int64_t radius) {
  const Output channels = StridedSlice(ShapeOf(x), {3}, {4}, {1}, {.shrink_axis_mask = 1});
  const Output channel = Range(0, channels, 1);
  const Output distance = Abs(ExpandDims(channel, 0) - ExpandDims(channel, 1));
  constexpr int64_t kMaxRadius = std::numeric_limits<int32_t>::max();
  return Cast(LessEqual(distance, static_cast<double>(std::min(radius, kMaxRadius))), x.dtype());
}

// With d the gradient of dx, n and B as above (B is symmetric) and w = 2 alpha beta B(x d) / n:
//   ddy = d n^-beta - y w
//   dyy = -dy w
//   dxx = 2 alpha x B(dn) - 2 alpha beta d B(dy y / n),   dn = (dy y w - beta dy d n^-beta) / n
void LrnGradGradient(GradientContext& c) {
  const LrnAttrs a(c);
  const Output d = c.dy(0), dy = c.x(0), x = c.x(1), y = c.x(2);
  const Output matrix = WindowMatrix(x, a.radius);
  const double ab = 2.0 * a.alpha * a.beta;
  const Output n = BatchMatMul(Square(x), matrix) * a.alpha + a.bias;
  const Output power = Pow(n, -a.beta);
  const Output w = BatchMatMul(x * d, matrix) / n * ab;
  c.set_dx(0, d * power - y * w);
  c.set_dx(2, -(dy * w));
  const Output dn = (dy * y * w - dy * d * power * a.beta) / n;
  c.set_dx(1, x * BatchMatMul(dn, matrix) * (2.0 * a.alpha) - d * BatchMatMul(dy * y / n, matrix) * ab);
}

const OpRegistrar lrn_grad({.name = "LRNGrad",
                            .inputs = {"input_grads: T", "input_image: T", "output_image: T"},
                            .outputs = {"output: T"},
                            .attrs = kLrnAttrs,
                            .shape = LrnShape,
                            .gradient = LrnGradGradient,
                            .kernel = LrnGradKernel,
                            .iteration = {.split = Split::kRows},
                            .batch = LeadingBatch,
                            .doc = "The gradient of LRN by its input."});

}  // namespace

Output LRN(Operand input, const LrnOptions& options) {
  return NodeBuilder("LRN", {input})
      .Attr("depth_radius", options.depth_radius)
      .Attr("bias", options.bias)
      .Attr("alpha", options.alpha)
      .Attr("beta", options.beta)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
