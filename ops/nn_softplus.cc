// Softplus, Softsign and their gradient ops.
#include <cmath>
#include <limits>

#include "graph/gradients.h"
#include "ops/loop_arithmetic.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/nn_activation.h"

namespace staticflow {
namespace {

// Softplus: y = log(1 + e^x).   dx = dy / (1 + e^-x).
void SoftplusGradient(GradientContext& c) { c.set_dx(0, NodeBuilder("SoftplusGrad", {c.dy(0), c.x(0)}).Build()); }

// Beyond the threshold, log(1 + e^x) is x, or e^x, to the last bit.
template <typename C>
C SoftplusOf(C x) {
  const C threshold = std::log(std::numeric_limits<C>::epsilon()) + C(2);
  if (x > -threshold) return x;
  const C e = std::exp(x);
  return x < threshold ? e : std::log1p(e);
}

const OpRegistrar softplus(ActivationOp("Softplus", kFloatT, SoftplusGradient,
                                        UnaryKernel<FloatTypes, LaneOp::kSoftplus>([](auto x) {
                                          return SoftplusOf(x);
                                        }),
                                        "Element-wise log(exp(x) + 1).", LaneLoop<LaneOp::kSoftplus>));

// SoftplusGrad: dx = dy / (1 + e^-x).   ddy = the same of d;   ddx = d dy / (e^-x + 2 + e^x).
void SoftplusGradGradient(GradientContext& c) {
  const Output d = c.dy(0), dy = c.x(0), x = c.x(1);
  c.set_dx(0, NodeBuilder("SoftplusGrad", {d, x}).Build());
  c.set_dx(1, d * dy / (Exp(-x) + 2 + Exp(x)));
}

bool SoftplusGradLoop(LoopContext& c) {
  const Lanes dy(c, 0), x(c, 1);
  return c.set_output(0, (dy / (exp(-x) + 1)).reg());
}
absl::StatusOr<Kernel> SoftplusGradKernel(const KernelSetup& setup) {
  if (setup.input_dtype(0) == DT_FLOAT) return FlatLoopKernel(setup, SoftplusGradLoop);
  return BinaryKernel<FloatTypes>([](auto dy, auto x) { return dy / (std::exp(-x) + 1); }).Make(setup);
}
const OpRegistrar softplus_grad(ActivationGradOp("SoftplusGrad", kFloatT, "features", SoftplusGradGradient,
                                                 &SoftplusGradKernel, "The gradient of Softplus by its input.",
                                                 SoftplusGradLoop));

// Softsign: y = x / (1 + |x|).   dx = dy / (1 + |x|)^2.
void SoftsignGradient(GradientContext& c) { c.set_dx(0, NodeBuilder("SoftsignGrad", {c.dy(0), c.x(0)}).Build()); }

bool SoftsignLoop(LoopContext& c) {
  const Lanes x(c, 0);
  return c.set_output(0, (x / (1 + abs(x))).reg());
}
const OpRegistrar softsign(ActivationOp("Softsign", kFloatT, SoftsignGradient,
                                        UnaryKernel<FloatTypes>([](auto x) { return x / (1 + std::abs(x)); }),
                                        "Element-wise x / (abs(x) + 1).", SoftsignLoop));

// SoftsignGrad: dx = dy / (1 + |x|)^2.   ddy = the same of d;   ddx = -2 sign(x) d dy / (1 + |x|)^3.
void SoftsignGradGradient(GradientContext& c) {
  const Output d = c.dy(0), dy = c.x(0), x = c.x(1);
  const Output ddy = NodeBuilder("SoftsignGrad", {d, x}).Build();
  c.set_dx(0, ddy);
  c.set_dx(1, Sign(x) * -2 * ddy * dy / (Abs(x) + 1));
}

bool SoftsignGradLoop(LoopContext& c) {
  const Lanes dy(c, 0), root = 1 + abs(Lanes(c, 1));
  return c.set_output(0, (dy / (root * root)).reg());
}
const OpRegistrar softsign_grad(ActivationGradOp("SoftsignGrad", kFloatT, "features", SoftsignGradGradient,
                                                 BinaryKernel<FloatTypes>([](auto dy, auto x) {
                                                   const auto root = 1 + std::abs(x);
                                                   return dy / (root * root);
                                                 }),
                                                 "The gradient of Softsign by its input.", SoftsignGradLoop));

}  // namespace

Output Softplus(Operand features, const OpOptions& options) {
  return NodeBuilder("Softplus", {features}).Name(options.name).Build();
}

Output Softsign(Operand features, const OpOptions& options) {
  return NodeBuilder("Softsign", {features}).Name(options.name).Build();
}

}  // namespace staticflow
