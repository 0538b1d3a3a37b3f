// Update rules with L1 and L2 penalties solved exactly in every step, which can make elements zero.
#include "ops/update_rule.h"

namespace staticflow {
namespace {

// The minimum of |x - v|^2 / (2 rate) + l1 |x| + l2 x^2 / 2.
template <typename A>
A Shrink(A v, A rate, A l1, A l2) {
  const A kept = l1 > 0 ? Sign(v) * std::max(std::abs(v) - rate * l1, A(0)) : v;
  return kept / (A(1) + l2 * rate);
}

// var = shrink(var - alpha * delta)
template <typename A>
struct ProximalGradientDescent {
  static constexpr int kVariables = 1;
  A alpha, l1, l2;
  ProximalGradientDescent(const A* p, bool) : alpha(p[0]), l1(p[1]), l2(p[2]) {}
  void operator()(A* v, A grad) const { v[0] = Shrink(v[0] - grad * alpha, alpha, l1, l2); }
};
const RuleSignature kProximalGradientDescent = {.name = "ProximalGradientDescent",
                                                .variables = {"var"},
                                                .arguments = {"alpha", "l1", "l2", "delta"},
                                                .doc = "Gradient descent with exact L1 and L2 penalties."};
const OpRegistrar proximal_descent(ReferenceForm<ProximalGradientDescent>(kProximalGradientDescent));
const OpRegistrar resource_proximal_descent(HandleForm<ProximalGradientDescent>(kProximalGradientDescent));

// accum += grad^2; rate = lr / sqrt(accum); var = shrink(var - rate * grad)
template <typename A>
struct ProximalAdagrad {
  static constexpr int kVariables = 2;
  A lr, l1, l2;
  ProximalAdagrad(const A* p, bool) : lr(p[0]), l1(p[1]), l2(p[2]) {}
  void operator()(A* v, A grad) const {
    v[1] += grad * grad;
    const A rate = lr / std::sqrt(v[1]);
    v[0] = Shrink(v[0] - grad * rate, rate, l1, l2);
  }
};
const RuleSignature kProximalAdagrad = {.name = "ProximalAdagrad",
                                        .variables = {"var", "accum"},
                                        .arguments = {"lr", "l1", "l2", "grad"},
                                        .doc = "Adagrad with exact L1 and L2 penalties."};
const OpRegistrar proximal_adagrad(ReferenceForm<ProximalAdagrad>(kProximalAdagrad));
const OpRegistrar resource_proximal_adagrad(HandleForm<ProximalAdagrad>(kProximalAdagrad));

// g += grad; h += grad^2; var = -lr * sign(g) * max(|g| - l1 * t, 0) / (l2 * t * lr + sqrt(h)) at global step t
template <typename A>
struct AdagradDA {
  static constexpr int kVariables = 3;
  A lr, l1, l2, step;
  AdagradDA(const A* p, bool) : lr(p[0]), l1(p[1]), l2(p[2]), step(p[3]) {}
  void operator()(A* v, A grad) const {
    v[1] += grad;
    v[2] += grad * grad;
    const A kept = l1 > 0 ? Sign(v[1]) * std::max(std::abs(v[1]) - l1 * step, A(0)) : v[1];
    v[0] = -lr * kept / (l2 * step * lr + std::sqrt(v[2]));
  }
};
const RuleSignature kAdagradDA = {.name = "AdagradDA",
                                  .variables = {"var", "gradient_accumulator", "gradient_squared_accumulator"},
                                  .arguments = {"grad", "lr", "l1", "l2", "global_step: int64"},
                                  .doc = "Adagrad by dual averaging."};
const OpRegistrar adagrad_da(ReferenceForm<AdagradDA>(kAdagradDA));
const OpRegistrar resource_adagrad_da(HandleForm<AdagradDA>(kAdagradDA));

// One FTRL-proximal step. `shrunk` is the gradient with its L2 shrinkage; powers are accum^(-lr_power).
// linear += shrunk - (new^p - old^p) / lr * var; var = (sign(linear) l1 - linear) / (new^p / lr + 2 l2) or 0.
// With `scaled` linear is kept multiplied by lr.
template <typename A>
struct FtrlStep {
  A lr, l1, l2, lr_power;
  bool scaled;
  A Power(A x) const { return lr_power == A(-0.5) ? std::sqrt(x) : std::pow(x, -lr_power); }
  void operator()(A* v, A grad, A shrunk) const {
    const A accum = v[1] + grad * grad;
    const A power = Power(accum), change = power - Power(v[1]);
    const A unit = scaled ? lr : A(1);
    v[2] += scaled ? shrunk * lr - change * v[0] : shrunk - change / lr * v[0];
    const A curvature = scaled ? power + A(2) * l2 * lr : power / lr + A(2) * l2;
    v[0] = std::abs(v[2]) > l1 * unit ? (l1 * unit * Sign(v[2]) - v[2]) / curvature : A(0);
    v[1] = accum;
  }
};

template <typename A>
struct Ftrl {
  static constexpr int kVariables = 3;
  FtrlStep<A> step;
  Ftrl(const A* p, bool flag) : step{p[0], p[1], p[2], p[3], flag} {}
  void operator()(A* v, A grad) const { step(v, grad, grad); }
};
const RuleSignature kFtrl = {.name = "Ftrl",
                             .variables = {"var", "accum", "linear"},
                             .arguments = {"grad", "lr", "l1", "l2", "lr_power"},
                             .flag = "multiply_linear_by_lr: bool = false",
                             .doc = "Follow the regularized leader."};
const OpRegistrar ftrl(ReferenceForm<Ftrl>(kFtrl));
const OpRegistrar resource_ftrl(HandleForm<Ftrl>(kFtrl));

template <typename A>
struct FtrlV2 {
  static constexpr int kVariables = 3;
  FtrlStep<A> step;
  A l2_shrinkage;
  FtrlV2(const A* p, bool flag) : step{p[0], p[1], p[2], p[4], flag}, l2_shrinkage(p[3]) {}
  void operator()(A* v, A grad) const { step(v, grad, grad + A(2) * l2_shrinkage * v[0]); }
};
const RuleSignature kFtrlV2 = {.name = "FtrlV2",
                               .variables = {"var", "accum", "linear"},
                               .arguments = {"grad", "lr", "l1", "l2", "l2_shrinkage", "lr_power"},
                               .flag = "multiply_linear_by_lr: bool = false",
                               .doc = "Follow the regularized leader, with L2 shrinkage of the gradient."};
const OpRegistrar ftrl_v2(ReferenceForm<FtrlV2>(kFtrlV2));
const OpRegistrar resource_ftrl_v2(HandleForm<FtrlV2>(kFtrlV2));

}  // namespace
}  // namespace staticflow
