// Elu, Selu and their gradient ops, which work from the output: e^x is in it already.
#include <cmath>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/loop_arithmetic.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/nn_activation.h"

namespace staticflow {
namespace {

// The fixed point of Klambauer et al. 2017: Selu's scale, and scale * alpha.
constexpr double kScale = 1.0507009873554804934193349852946;
constexpr double kScaleAlpha = 1.7580993408473768599402175208123;

// The gradient of dx = dy (y + a) where y < 0, s dy elsewhere: ddy is the same op on the new gradient d, and
// d dy where y < 0 flows to y.
void GradGradient(GradientContext& c) {
  const Output d = c.dy(0), dy = c.x(0), y = c.x(1);
  c.set_dx(0, NodeBuilder(c.node().type(), {d, y}).Build());
  c.set_dx(1, Where(Less(y, 0), d * dy, ZerosLike(y)));
}

// Elu: y = x where x >= 0, e^x - 1 elsewhere.   dx = dy where y >= 0, dy (y + 1) elsewhere.
void EluGradient(GradientContext& c) { c.set_dx(0, NodeBuilder("EluGrad", {c.dy(0), c.y(0)}).Build()); }

bool EluLoop(LoopContext& c) {
  const Lanes x(c, 0);
  return c.set_output(0, Choose(x < 0, expm1(x), x).reg());
}
absl::StatusOr<Kernel> EluKernel(const KernelSetup& setup) {
  if (setup.input_dtype(0) == DT_FLOAT) return FlatLoopKernel(setup, EluLoop);
  return UnaryKernel<FloatTypes>([](auto x) { return x < 0 ? std::expm1(x) : x; }).Make(setup);
}
const OpRegistrar elu(ActivationOp("Elu", kFloatT, EluGradient, &EluKernel,
                                   "Element-wise x where x > 0, exp(x) - 1 elsewhere.", EluLoop));

// EluGrad: dx = dy where y >= 0, dy (y + 1) elsewhere.
bool EluGradLoop(LoopContext& c) {
  const Lanes dy(c, 0), y(c, 1);
  return c.set_output(0, Choose(y < 0, dy * (y + 1), dy).reg());
}
const OpRegistrar elu_grad(ActivationGradOp("EluGrad", kFloatT, "outputs", GradGradient,
                                            BinaryKernel<FloatTypes>([](auto dy, auto y) {
                                              return y < 0 ? dy * (y + 1) : dy;
                                            }),
                                            "The gradient of Elu by its input, given its output.", EluGradLoop));

// Selu: y = scale Elu(x) with its alpha.   dx = scale dy where y >= 0, dy (y + scale alpha) elsewhere.
void SeluGradient(GradientContext& c) { c.set_dx(0, NodeBuilder("SeluGrad", {c.dy(0), c.y(0)}).Build()); }

bool SeluLoop(LoopContext& c) {
  const Lanes x(c, 0);
  return c.set_output(0, Choose(x < 0, kScaleAlpha * expm1(x), kScale * x).reg());
}
absl::StatusOr<Kernel> SeluKernel(const KernelSetup& setup) {
  if (setup.input_dtype(0) == DT_FLOAT) return FlatLoopKernel(setup, SeluLoop);
  return UnaryKernel<FloatTypes>([](auto x) {
           using C = decltype(x);
           return x < 0 ? C(kScaleAlpha) * std::expm1(x) : C(kScale) * x;
         })
      .Make(setup);
}
const OpRegistrar selu(ActivationOp("Selu", kFloatT, SeluGradient, &SeluKernel,
                                    "Element-wise scaled exponential linear unit.", SeluLoop));

// SeluGrad: dx = scale dy where y >= 0, dy (y + scale alpha) elsewhere.
bool SeluGradLoop(LoopContext& c) {
  const Lanes dy(c, 0), y(c, 1);
  return c.set_output(0, Choose(y < 0, dy * (y + kScaleAlpha), kScale * dy).reg());
}
const OpRegistrar selu_grad(ActivationGradOp("SeluGrad", kFloatT, "outputs", GradGradient,
                                             BinaryKernel<FloatTypes>([](auto dy, auto y) {
                                               using C = decltype(y);
                                               return y < 0 ? dy * (y + C(kScaleAlpha)) : C(kScale) * dy;
                                             }),
                                             "The gradient of Selu by its input, given its output.", SeluGradLoop));

}  // namespace

Output Elu(Operand features, const OpOptions& options) {
  return NodeBuilder("Elu", {features}).Name(options.name).Build();
}

Output Selu(Operand features, const OpOptions& options) {
  return NodeBuilder("Selu", {features}).Name(options.name).Build();
}

}  // namespace staticflow
