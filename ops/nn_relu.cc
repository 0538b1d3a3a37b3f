// Relu, Relu6, LeakyRelu and their gradient ops. All are piecewise linear, so that d dx / d dy is the gradient op again
// and d dx / dx is zero.
#include <algorithm>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/loop_arithmetic.h"
#include "ops/nn.h"
#include "ops/nn_activation.h"

namespace staticflow {
namespace {

// Relu: y = max(x, 0); a NaN stays NaN.   dx = dy where y > 0: uses y, so that x's buffer is free for reuse.
void ReluGradient(GradientContext& c) { c.set_dx(0, NodeBuilder("ReluGrad", {c.dy(0), c.y(0)}).Build()); }

const OpRegistrar relu(ActivationOp("Relu", kNumberT, ReluGradient, UnaryKernel<NumberTypes>([](auto x) {
                                      return x < decltype(x)(0) ? decltype(x)(0) : x;
                                    }),
                                    "Element-wise max(x, 0).", LaneLoop<LaneOp::kRelu>));

// ReluGrad: dx = dy (x > 0 ? 1 : 0), so that a dy that is not finite shows everywhere. `features` may be Relu's input
// or its output.
void ReluGradGradient(GradientContext& c) {
  c.set_dx(0, NodeBuilder("ReluGrad", {c.dy(0), c.x(1)}).Build());
  c.set_dx(1, ZerosLike(c.x(1)));
}

const OpRegistrar relu_grad(ActivationGradOp("ReluGrad", kNumberT, "features", ReluGradGradient,
                                             BinaryKernel<NumberTypes>([](auto dy, auto x) {
                                               return dy * (x > decltype(x)(0) ? decltype(x)(1) : decltype(x)(0));
                                             }),
                                             "The gradient of Relu by its input.", LaneLoop<LaneOp::kReluGrad>));

// Relu6: y = min(max(x, 0), 6).   dx = dy where 0 < y < 6.
void Relu6Gradient(GradientContext& c) { c.set_dx(0, NodeBuilder("Relu6Grad", {c.dy(0), c.y(0)}).Build()); }

bool Relu6Loop(LoopContext& c) {
  return c.set_output(0, Apply(LaneOp::kMinimum, Apply(LaneOp::kRelu, Lanes(c, 0)), 6).reg());
}
const OpRegistrar relu6(ActivationOp("Relu6", kNumberT, Relu6Gradient, UnaryKernel<NumberTypes>([](auto x) {
                                       using C = decltype(x);
                                       const C positive = x < C(0) ? C(0) : x;
                                       return C(6) < positive ? C(6) : positive;
                                     }),
                                     "Element-wise min(max(x, 0), 6).", Relu6Loop));

// Relu6Grad: dx = dy (0 < x < 6 ? 1 : 0).
void Relu6GradGradient(GradientContext& c) {
  c.set_dx(0, NodeBuilder("Relu6Grad", {c.dy(0), c.x(1)}).Build());
  c.set_dx(1, ZerosLike(c.x(1)));
}

bool Relu6GradLoop(LoopContext& c) {
  const Lanes dy(c, 0), x(c, 1);
  return c.set_output(0, Apply(LaneOp::kReluGrad, dy * (x < 6), x).reg());
}
const OpRegistrar relu6_grad(ActivationGradOp("Relu6Grad", kNumberT, "features", Relu6GradGradient,
                                              BinaryKernel<NumberTypes>([](auto dy, auto x) {
                                                using C = decltype(x);
                                                return dy * (x > C(0) && x < C(6) ? C(1) : C(0));
                                              }),
                                              "The gradient of Relu6 by its input.", Relu6GradLoop));

// LeakyRelu: y = x where x > 0, alpha x elsewhere.   dx = dy where x > 0, alpha dy elsewhere.
Output LeakyReluGrad(const GradientContext& c, Output dy, Output x) {
  return NodeBuilder("LeakyReluGrad", {dy, x}).Attr("alpha", c.attr<float>("alpha")).Build();
}

void LeakyReluGradient(GradientContext& c) { c.set_dx(0, LeakyReluGrad(c, c.dy(0), c.x(0))); }

// LeakyRelu is slope(x) x and LeakyReluGrad slope(x) dy: one kernel, where `x` is the last input.
absl::StatusOr<Kernel> LeakyReluKernel(const KernelSetup& setup) {
  Kernel kernel;
  const float alpha = setup.attr<float>("alpha");
  const int x_input = setup.num_inputs() - 1;
  DispatchType<float, double, Half, BFloat16>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [alpha, x_input](KernelContext& c) {
      const T* factor = c.in<T>(0);
      const T* x = c.in<T>(x_input);
      T* y = c.out<T>(0);
      const auto [begin, end] = c.range();
      for (int64_t i = begin; i < end; ++i) {
        const ComputeType<T> value = Widen(factor[i]);
        y[i] = T(Widen(x[i]) > 0 ? value : alpha * value);
      }
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

bool LeakyReluLoop(LoopContext& c) {
  const Lanes factor(c, 0), x(c, c.num_inputs() - 1);
  return c.set_output(0, Choose(x > 0, factor, c.attr<float>("alpha") * factor).reg());
}

OpSpec WithAlpha(OpSpec spec) {
  spec.attrs = {"alpha: float = 0.2", "T: {half, bfloat16, float, double} = float"};
  return spec;
}

const OpRegistrar leaky_relu(WithAlpha(ActivationOp("LeakyRelu", kFloatT, LeakyReluGradient, LeakyReluKernel,
                                                    "Element-wise x where x > 0, alpha * x elsewhere.",
                                                    LeakyReluLoop)));

// LeakyReluGrad: dx = dy where x > 0, alpha dy elsewhere.
void LeakyReluGradGradient(GradientContext& c) {
  c.set_dx(0, LeakyReluGrad(c, c.dy(0), c.x(1)));
  c.set_dx(1, ZerosLike(c.x(1)));
}

const OpRegistrar leaky_relu_grad(
    WithAlpha(ActivationGradOp("LeakyReluGrad", kFloatT, "features", LeakyReluGradGradient, LeakyReluKernel,
                               "The gradient of LeakyRelu by its input.", LeakyReluLoop)));

}  // namespace

Output Relu(Operand features, const OpOptions& options) {
  return NodeBuilder("Relu", {features}).Name(options.name).Build();
}

Output Relu6(Operand features, const OpOptions& options) {
  return NodeBuilder("Relu6", {features}).Name(options.name).Build();
}

Output LeakyRelu(Operand features, const LeakyReluOptions& options) {
  return NodeBuilder("LeakyRelu", {features}).Attr("alpha", options.alpha).Name(options.name).Build();
}

}  // namespace staticflow
