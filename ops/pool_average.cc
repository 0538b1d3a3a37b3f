// AvgPool, AvgPoolGrad, AvgPool3D, AvgPool3DGrad.
#include <algorithm>

#include "ops/array.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/conv_picture.h"
#include "ops/pool.h"
#include "ops/pool_nodes.h"

namespace staticflow {
namespace {

// AvgPool: y = the average of the window's pixels inside the picture.
struct RunAvgPool {
  template <typename T>
  absl::Status operator()(KernelContext& c, const WindowRule& rule) const {
    using C = ConvType<T>;
    SF_ASSIGN_OR_RETURN(const PoolShape s, MakePoolShape(rule, *c.input(0).shape));
    SF_ASSIGN_OR_RETURN(C * sums, c.Scratch<C>(s.channels));
    const IndexRange pictures = Pictures(s, c.range());
    for (int64_t p = pictures.begin; p < pictures.end; ++p) {
      const T* x = c.in<T>(0) + p * s.in_elements();
      T* y = c.out<T>(0) + p * s.out_elements();
      ForEachWindow(s, [&](int64_t out, const PoolWindow& window) {
        std::fill_n(sums, s.channels, C(0));
        ForEachPixel(s, window, [&](int64_t pixel) {
          const T* values = x + pixel * s.channels;
          for (int64_t i = 0; i < s.channels; ++i) sums[i] += static_cast<C>(values[i]);
        });
        const C count = static_cast<C>(window.pixels());
        for (int64_t i = 0; i < s.channels; ++i) y[out * s.channels + i] = static_cast<T>(sums[i] / count);
      });
    }
    return absl::OkStatus();
  }
};
absl::StatusOr<Kernel> AvgPoolKernel(const KernelSetup& setup) {
  WindowRule rule;
  SF_RETURN_IF_ERROR(ReadWindowRule(setup.node(), &rule));
  return MakePoolKernel<float, double, Half, BFloat16>(setup, setup.input_dtype(0), rule, RunAvgPool());
}

template <bool k3D>
void AvgPoolGradient(GradientContext& c) {
  c.set_dx(0, PoolLike(c.node(), k3D ? "AvgPool3DGrad" : "AvgPoolGrad", {ShapeOf(c.x(0)), c.dy(0)}).Build());
}

OpSpec AvgPoolOp(std::string name, std::string input, std::vector<std::string> attrs, GradientFunction gradient,
                 std::string doc) {
  return {.name = std::move(name),
          .inputs = {std::move(input)},
          .outputs = {"output: T"},
          .attrs = std::move(attrs),
          .shape = PoolShapeFunction,
          .gradient = gradient,
          .kernel = AvgPoolKernel,
          .iteration = {.split = Split::kRows},
          .batch = LeadingBatch,
          .doc = std::move(doc)};
}
constexpr char kFloats[] = "T: {half, bfloat16, float, double}";
const OpRegistrar avg_pool(AvgPoolOp("AvgPool", "value: T", Pool2DAttrs(kFloats), AvgPoolGradient<false>,
                                     "The average over windows of pictures."));
const OpRegistrar avg_pool_3d(AvgPoolOp("AvgPool3D", "input: T", Pool3DAttrs(kFloats), AvgPoolGradient<true>,
                                        "The average over windows of pictures with depth."));

// AvgPoolGrad: each window's dy, divided by its number of pixels, added to those pixels.   ddy = AvgPool(ddx).
absl::Status AvgPoolGradShape(ShapeContext& c) {
  WindowRule rule;
  SF_RETURN_IF_ERROR(ReadWindowRule(c.node(), &rule));
  SF_ASSIGN_OR_RETURN(const Shape sizes, DimsFromInput(c, 0));
  SF_ASSIGN_OR_RETURN(const Shape in, sizes.MergeWith(Shape::UnknownOfRank(rule.rank())));
  SF_ASSIGN_OR_RETURN(const Shape out, PooledShape(rule, in));
  SF_RETURN_IF_ERROR(out.MergeWith(c.input(1)).status());
  c.set_output(0, in);
  return absl::OkStatus();
}

struct RunAvgPoolGrad {
  template <typename T>
  absl::Status operator()(KernelContext& c, const WindowRule& rule) const {
    using C = ConvType<T>;
    SF_ASSIGN_OR_RETURN(const PoolShape s, MakePoolShape(rule, *c.output(0).shape));
    SF_ASSIGN_OR_RETURN(C * dx, c.Scratch<C>(s.in_elements()));
    const IndexRange pictures = Pictures(s, c.range());
    for (int64_t p = pictures.begin; p < pictures.end; ++p) {
      const T* dy = c.in<T>(1) + p * s.out_elements();
      std::fill_n(dx, s.in_elements(), C(0));
      ForEachWindow(s, [&](int64_t out, const PoolWindow& window) {
        const T* values = dy + out * s.channels;
        const C count = static_cast<C>(window.pixels());
        ForEachPixel(s, window, [&](int64_t pixel) {
          C* target = dx + pixel * s.channels;
          for (int64_t i = 0; i < s.channels; ++i) target[i] += static_cast<C>(values[i]) / count;
        });
      });
      std::transform(dx, dx + s.in_elements(), c.out<T>(0) + p * s.in_elements(),
                     [](C v) { return static_cast<T>(v); });
    }
    return absl::OkStatus();
  }
};
absl::StatusOr<Kernel> AvgPoolGradKernel(const KernelSetup& setup) {
  WindowRule rule;
  SF_RETURN_IF_ERROR(ReadWindowRule(setup.node(), &rule));
  return MakePoolKernel<float, double, Half, BFloat16>(setup, setup.input_dtype(1), rule, RunAvgPoolGrad());
}

template <bool k3D>
void AvgPoolGradGradient(GradientContext& c) {
  c.set_dx(1, PoolLike(c.node(), k3D ? "AvgPool3D" : "AvgPool", {c.dy(0)}).Build());
}

OpSpec AvgPoolGradOp(std::string name, std::vector<std::string> attrs, GradientFunction gradient, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"orig_input_shape: int32", "grad: T"},
          .outputs = {"output: T"},
          .attrs = std::move(attrs),
          .shape = AvgPoolGradShape,
          .gradient = gradient,
          .kernel = AvgPoolGradKernel,
          .iteration = {.split = Split::kRows},
          .batch = LeadingBatch,
          .doc = std::move(doc)};
}
const OpRegistrar avg_pool_grad(AvgPoolGradOp("AvgPoolGrad", Pool2DAttrs(kFloats), AvgPoolGradGradient<false>,
                                              "The gradient of AvgPool."));
const OpRegistrar avg_pool_3d_grad(AvgPoolGradOp("AvgPool3DGrad", Pool3DAttrs(kFloats), AvgPoolGradGradient<true>,
                                                 "The gradient of AvgPool3D."));

}  // namespace

Output AvgPool(Operand value, const PoolOptions& options) {
  return WithPoolOptions(NodeBuilder("AvgPool", {value}), options).Build();
}

Output AvgPool3D(Operand input, const Pool3DOptions& options) {
  return WithPoolOptions(NodeBuilder("AvgPool3D", {input}), options).Build();
}

}  // namespace staticflow
