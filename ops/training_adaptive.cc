// Update rules that scale the step of each element by what its gradients were.
#include "ops/update_rules.h"

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

const RuleSignature kAdagrad = {.name = "Adagrad",
                                .variables = {"var", "accum"},
                                .arguments = {"lr", "grad"},
                                .flag = "update_slots: bool = true",
                                .doc = "accum += grad^2; var -= lr * grad / sqrt(accum)."};
const OpRegistrar adagrad(ReferenceForm<Adagrad>(kAdagrad, RuleLoop<Adagrad>));
const OpRegistrar resource_adagrad(HandleForm<Adagrad>(kAdagrad, RuleLoop<Adagrad>));

const RuleSignature kAdagradV2 = {.name = "AdagradV2",
                                  .variables = {"var", "accum"},
                                  .arguments = {"lr", "epsilon", "grad"},
                                  .flag = "update_slots: bool = true",
                                  .doc = "accum += grad^2; var -= lr * grad / (sqrt(accum) + epsilon)."};
const OpRegistrar adagrad_v2(ReferenceForm<AdagradV2>(kAdagradV2, RuleLoop<AdagradV2>));
const OpRegistrar resource_adagrad_v2(HandleForm<AdagradV2>(kAdagradV2, RuleLoop<AdagradV2>));

const RuleSignature kAdadelta = {.name = "Adadelta",
                                 .variables = {"var", "accum", "accum_update"},
                                 .arguments = {"lr", "rho", "epsilon", "grad"},
                                 .doc = "Adadelta: steps by the ratio of past updates to past gradients."};
const OpRegistrar adadelta(ReferenceForm<Adadelta>(kAdadelta, RuleLoop<Adadelta>));
const OpRegistrar resource_adadelta(HandleForm<Adadelta>(kAdadelta, RuleLoop<Adadelta>));

const RuleSignature kRMSProp = {.name = "RMSProp",
                                .variables = {"var", "ms", "mom"},
                                .arguments = {"lr", "rho", "momentum", "epsilon", "grad"},
                                .doc = "Steps by the gradient over its root mean square, with momentum."};
const OpRegistrar rms_prop(ReferenceForm<RMSProp>(kRMSProp, RuleLoop<RMSProp>));
const OpRegistrar resource_rms_prop(HandleForm<RMSProp>(kRMSProp, RuleLoop<RMSProp>));

const RuleSignature kCenteredRMSProp = {.name = "CenteredRMSProp",
                                        .variables = {"var", "mg", "ms", "mom"},
                                        .arguments = {"lr", "rho", "momentum", "epsilon", "grad"},
                                        .doc = "Steps by the gradient over its standard deviation, with momentum."};
const OpRegistrar centered_rms_prop(ReferenceForm<CenteredRMSProp>(kCenteredRMSProp, RuleLoop<CenteredRMSProp>));
const OpRegistrar resource_centered_rms_prop(HandleForm<CenteredRMSProp>(kCenteredRMSProp, RuleLoop<CenteredRMSProp>));

}  // namespace
}  // namespace staticflow
