// Update rules that scale the step of each element by what its gradients were.
#include "ops/update_rule.h"

namespace staticflow {
namespace {

using std::abs, std::sqrt;  // Lanes have their own

// m += (1 - beta1) * (grad - m); v += (1 - beta2) * (grad^2 - v); var -= alpha * m / (sqrt(v) + epsilon)
// with alpha = lr * sqrt(1 - beta2^t) / (1 - beta1^t). Nesterov: beta1 * m + (1 - beta1) * grad in place of m.
template <typename A>
struct Adam {
  static constexpr int kVariables = 3;
  A alpha, beta1, beta2, epsilon;
  bool use_nesterov;
  Adam(const A* p, bool flag)
      : alpha(p[2] * sqrt(A(1) - p[1]) / (A(1) - p[0])), beta1(p[3]), beta2(p[4]), epsilon(p[5]), use_nesterov(flag) {}
  void operator()(A* v, A grad) const {
    v[1] += (grad - v[1]) * (A(1) - beta1);
    v[2] += (grad * grad - v[2]) * (A(1) - beta2);
    const A step = use_nesterov ? (grad * (A(1) - beta1) + beta1 * v[1]) * alpha : v[1] * alpha;
    v[0] -= step / (sqrt(v[2]) + epsilon);
  }
};
const RuleSignature kAdam = {.name = "Adam",
                             .variables = {"var", "m", "v"},
                             .arguments = {"beta1_power", "beta2_power", "lr", "beta1", "beta2", "epsilon", "grad"},
                             .flag = "use_nesterov: bool = false",
                             .doc = "Adam: steps by the mean gradient over its root mean square."};
const OpRegistrar adam(ReferenceForm<Adam>(kAdam, RuleLoop<Adam>));
const OpRegistrar resource_adam(HandleForm<Adam>(kAdam, RuleLoop<Adam>));

float Larger(float x, float y) { return x < y ? y : x; }
double Larger(double x, double y) { return x < y ? y : x; }
Lanes Larger(const Lanes& x, const Lanes& y) { return Choose(x < y, y, x); }

// m += (1 - beta1) * (grad - m); v = max(beta2 * v, |grad|); var -= lr / (1 - beta1^t) * m / (v + epsilon)
template <typename A>
struct AdaMax {
  static constexpr int kVariables = 3;
  A rate, beta1, beta2, epsilon;
  AdaMax(const A* p, bool) : rate(p[1] / (A(1) - p[0])), beta1(p[2]), beta2(p[3]), epsilon(p[4]) {}
  void operator()(A* v, A grad) const {
    v[1] += (grad - v[1]) * (A(1) - beta1);
    v[2] = Larger(beta2 * v[2], abs(grad));
    v[0] -= rate * (v[1] / (v[2] + epsilon));
  }
};
const RuleSignature kAdaMax = {.name = "AdaMax",
                               .variables = {"var", "m", "v"},
                               .arguments = {"beta1_power", "lr", "beta1", "beta2", "epsilon", "grad"},
                               .doc = "Adam with the largest gradient in place of the root mean square."};
const OpRegistrar ada_max(ReferenceForm<AdaMax>(kAdaMax, RuleLoop<AdaMax>));
const OpRegistrar resource_ada_max(HandleForm<AdaMax>(kAdaMax, RuleLoop<AdaMax>));

// accum += grad^2; var -= lr * grad / sqrt(accum)
template <typename A>
struct Adagrad {
  static constexpr int kVariables = 2;
  A lr;
  bool update_slots;
  Adagrad(const A* p, bool flag) : lr(p[0]), update_slots(flag) {}
  void operator()(A* v, A grad) const {
    if (update_slots) v[1] += grad * grad;
    v[0] -= grad * lr / sqrt(v[1]);
  }
};
const RuleSignature kAdagrad = {.name = "Adagrad",
                                .variables = {"var", "accum"},
                                .arguments = {"lr", "grad"},
                                .flag = "update_slots: bool = true",
                                .doc = "accum += grad^2; var -= lr * grad / sqrt(accum)."};
const OpRegistrar adagrad(ReferenceForm<Adagrad>(kAdagrad, RuleLoop<Adagrad>));
const OpRegistrar resource_adagrad(HandleForm<Adagrad>(kAdagrad, RuleLoop<Adagrad>));

// accum += grad^2; var -= lr * grad / (sqrt(accum) + epsilon)
template <typename A>
struct AdagradV2 {
  static constexpr int kVariables = 2;
  A lr, epsilon;
  bool update_slots;
  AdagradV2(const A* p, bool flag) : lr(p[0]), epsilon(p[1]), update_slots(flag) {}
  void operator()(A* v, A grad) const {
    if (update_slots) v[1] += grad * grad;
    v[0] -= grad * lr / (sqrt(v[1]) + epsilon);
  }
};
const RuleSignature kAdagradV2 = {.name = "AdagradV2",
                                  .variables = {"var", "accum"},
                                  .arguments = {"lr", "epsilon", "grad"},
                                  .flag = "update_slots: bool = true",
                                  .doc = "accum += grad^2; var -= lr * grad / (sqrt(accum) + epsilon)."};
const OpRegistrar adagrad_v2(ReferenceForm<AdagradV2>(kAdagradV2, RuleLoop<AdagradV2>));
const OpRegistrar resource_adagrad_v2(HandleForm<AdagradV2>(kAdagradV2, RuleLoop<AdagradV2>));

// accum = rho * accum + (1 - rho) * grad^2; update = grad * sqrt(accum_update + epsilon) / sqrt(accum + epsilon)
// var -= lr * update; accum_update = rho * accum_update + (1 - rho) * update^2
template <typename A>
struct Adadelta {
  static constexpr int kVariables = 3;
  A lr, rho, epsilon;
  Adadelta(const A* p, bool) : lr(p[0]), rho(p[1]), epsilon(p[2]) {}
  void operator()(A* v, A grad) const {
    v[1] = v[1] * rho + grad * grad * (A(1) - rho);
    const A update = sqrt(v[2] + epsilon) / sqrt(v[1] + epsilon) * grad;
    v[0] -= update * lr;
    v[2] = v[2] * rho + update * update * (A(1) - rho);
  }
};
const RuleSignature kAdadelta = {.name = "Adadelta",
                                 .variables = {"var", "accum", "accum_update"},
                                 .arguments = {"lr", "rho", "epsilon", "grad"},
                                 .doc = "Adadelta: steps by the ratio of past updates to past gradients."};
const OpRegistrar adadelta(ReferenceForm<Adadelta>(kAdadelta, RuleLoop<Adadelta>));
const OpRegistrar resource_adadelta(HandleForm<Adadelta>(kAdadelta, RuleLoop<Adadelta>));

// ms += (1 - rho) * (grad^2 - ms); mom = momentum * mom + lr * grad / sqrt(ms + epsilon); var -= mom
template <typename A>
struct RMSProp {
  static constexpr int kVariables = 3;
  A lr, rho, momentum, epsilon;
  RMSProp(const A* p, bool) : lr(p[0]), rho(p[1]), momentum(p[2]), epsilon(p[3]) {}
  void operator()(A* v, A grad) const {
    v[1] += (grad * grad - v[1]) * (A(1) - rho);
    v[2] = v[2] * momentum + (grad * lr) / sqrt(v[1] + epsilon);
    v[0] -= v[2];
  }
};
const RuleSignature kRMSProp = {.name = "RMSProp",
                                .variables = {"var", "ms", "mom"},
                                .arguments = {"lr", "rho", "momentum", "epsilon", "grad"},
                                .doc = "Steps by the gradient over its root mean square, with momentum."};
const OpRegistrar rms_prop(ReferenceForm<RMSProp>(kRMSProp, RuleLoop<RMSProp>));
const OpRegistrar resource_rms_prop(HandleForm<RMSProp>(kRMSProp, RuleLoop<RMSProp>));

// RMSProp with the variance ms - mg^2 in place of ms, where mg += (1 - rho) * (grad - mg)
template <typename A>
struct CenteredRMSProp {
  static constexpr int kVariables = 4;
  A lr, rho, momentum, epsilon;
  CenteredRMSProp(const A* p, bool) : lr(p[0]), rho(p[1]), momentum(p[2]), epsilon(p[3]) {}
  void operator()(A* v, A grad) const {
    v[2] += (grad * grad - v[2]) * (A(1) - rho);
    v[1] += (grad - v[1]) * (A(1) - rho);
    const A variance = (v[2] - v[1] * v[1]) + epsilon;
    v[3] = v[3] * momentum + (grad * lr) / sqrt(variance);
    v[0] -= v[3];
  }
};
const RuleSignature kCenteredRMSProp = {.name = "CenteredRMSProp",
                                        .variables = {"var", "mg", "ms", "mom"},
                                        .arguments = {"lr", "rho", "momentum", "epsilon", "grad"},
                                        .doc = "Steps by the gradient over its standard deviation, with momentum."};
const OpRegistrar centered_rms_prop(ReferenceForm<CenteredRMSProp>(kCenteredRMSProp, RuleLoop<CenteredRMSProp>));
const OpRegistrar resource_centered_rms_prop(HandleForm<CenteredRMSProp>(kCenteredRMSProp, RuleLoop<CenteredRMSProp>));

}  // namespace
}  // namespace staticflow
