// Update rules that follow the gradient, with and without momentum.
#include "ops/update_rules.h"

namespace staticflow {
namespace {

// var -= alpha * delta
template <typename A>
struct GradientDescent {
  static constexpr int kVariables = 1;
  A alpha;
  GradientDescent(const A* p, bool) : alpha(p[0]) {}
  void operator()(A* v, A grad) const { v[0] -= grad * alpha; }
};
const RuleSignature kGradientDescent = {
    .name = "GradientDescent", .variables = {"var"}, .arguments = {"alpha", "delta"}, .doc = "var -= alpha * delta."};
OpSpec Accumulating(OpSpec spec) {
  spec.accumulation = {.delta = 2, .scale = 1, .sign = -1};
  return spec;
}
const OpRegistrar gradient_descent(Accumulating(ReferenceForm<GradientDescent>(kGradientDescent,
                                                                               RuleLoop<GradientDescent>)));
const OpRegistrar resource_gradient_descent(Accumulating(HandleForm<GradientDescent>(kGradientDescent,
                                                                                     RuleLoop<GradientDescent>)));

const RuleSignature kMomentum = {.name = "Momentum",
                                 .variables = {"var", "accum"},
                                 .arguments = {"lr", "grad", "momentum"},
                                 .flag = "use_nesterov: bool = false",
                                 .doc = "accum = momentum * accum + grad; var -= lr * accum."};
const OpRegistrar momentum(ReferenceForm<Momentum>(kMomentum, RuleLoop<Momentum>));
const OpRegistrar resource_momentum(HandleForm<Momentum>(kMomentum, RuleLoop<Momentum>));

const RuleSignature kKerasMomentum = {.name = "KerasMomentum",
                                      .variables = {"var", "accum"},
                                      .arguments = {"lr", "grad", "momentum"},
                                      .flag = "use_nesterov: bool = false",
                                      .doc = "accum = momentum * accum - lr * grad; var += accum."};
const OpRegistrar resource_keras_momentum(HandleForm<KerasMomentum>(kKerasMomentum, RuleLoop<KerasMomentum>));

// m = beta * m + (1 - beta) * grad; var -= lr * (alpha + sign_decay * sign(grad) * sign(m)) * grad
template <typename A>
struct AddSign {
  static constexpr int kVariables = 2;
  A lr, alpha, sign_decay, beta;
  AddSign(const A* p, bool) : lr(p[0]), alpha(p[1]), sign_decay(p[2]), beta(p[3]) {}
  void operator()(A* v, A grad) const {
    v[1] = v[1] * beta + grad * (A(1) - beta);
    v[0] -= lr * (alpha + sign_decay * (Sign(grad) * Sign(v[1]))) * grad;
  }
};
const RuleSignature kAddSign = {.name = "AddSign",
                                .variables = {"var", "m"},
                                .arguments = {"lr", "alpha", "sign_decay", "beta", "grad"},
                                .doc = "Steps further where the gradient keeps its sign, by addition."};
const OpRegistrar add_sign(ReferenceForm<AddSign>(kAddSign, RuleLoop<AddSign>));
const OpRegistrar resource_add_sign(HandleForm<AddSign>(kAddSign, RuleLoop<AddSign>));

// m = beta * m + (1 - beta) * grad; var -= lr * std::exp(logbase * sign_decay * sign(grad) * sign(m)) * grad
template <typename A>
struct PowerSign {
  static constexpr int kVariables = 2;
  A lr, logbase, sign_decay, beta;
  PowerSign(const A* p, bool) : lr(p[0]), logbase(p[1]), sign_decay(p[2]), beta(p[3]) {}
  void operator()(A* v, A grad) const {
    v[1] = v[1] * beta + grad * (A(1) - beta);
    v[0] -= lr * std::exp(logbase * sign_decay * (Sign(grad) * Sign(v[1]))) * grad;
  }
};
const RuleSignature kPowerSign = {.name = "PowerSign",
                                  .variables = {"var", "m"},
                                  .arguments = {"lr", "logbase", "sign_decay", "beta", "grad"},
                                  .doc = "Steps further where the gradient keeps its sign, by a power."};
const OpRegistrar power_sign(ReferenceForm<PowerSign>(kPowerSign));
const OpRegistrar resource_power_sign(HandleForm<PowerSign>(kPowerSign));

}  // namespace
}  // namespace staticflow
