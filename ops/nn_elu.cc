// Elu, Selu and their gradient ops, which work from the output: e^x is in it already.
#include <cmath>

#include "graph/gradients.h"
#include "ops/array.h"
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

const OpRegistrar elu(ActivationOp("Elu", kFloatT, EluGradient,
                                   UnaryKernel<FloatTypes>([](auto x) { return x < 0 ? std::expm1(x) : x; }),
                                   "Element-wise x where x > 0, exp(x) - 1 elsewhere."));

// EluGrad: dx = dy where y >= 0, dy (y + 1) elsewhere.
const OpRegistrar elu_grad(ActivationGradOp("EluGrad", kFloatT, "outputs", GradGradient,
                                            BinaryKernel<FloatTypes>([](auto dy, auto y) {
                                              return y < 0 ? dy * (y + 1) : dy;
                                            }),
                                            "The gradient of Elu by its input, given its output."));

// Selu: y = scale Elu(x) with its alpha.   dx = scale dy where y >= 0, dy (y + scale alpha) elsewhere.
void SeluGradient(GradientContext& c) { c.set_dx(0, NodeBuilder("SeluGrad", {c.dy(0), c.y(0)}).Build()); }

const OpRegistrar selu(ActivationOp("Selu", kFloatT, SeluGradient, UnaryKernel<FloatTypes>([](auto x) {
                                      using C = decltype(x);
                                      return x < 0 ? C(kScaleAlpha) * std::expm1(x) : C(kScale) * x;
                                    }),
                                    "Element-wise scaled exponential linear unit."));

// SeluGrad: dx = scale dy where y >= 0, dy (y + scale alpha) elsewhere.
const OpRegistrar selu_grad(ActivationGradOp("SeluGrad", kFloatT, "outputs", GradGradient,
                                             BinaryKernel<FloatTypes>([](auto dy, auto y) {
                                               using C = decltype(y);
                                               return y < 0 ? dy * (y + C(kScaleAlpha)) : C(kScale) * dy;
                                             }),
                                             "The gradient of Selu by its input, given its output."));

}  // namespace

Output Elu(Operand features, const OpOptions& options) {
  return NodeBuilder("Elu", {features}).Name(options.name).Build();
}

Output Selu(Operand features, const OpOptions& options) {
  return NodeBuilder("Selu", {features}).Name(options.name).Build();
}

}  // namespace staticflow
