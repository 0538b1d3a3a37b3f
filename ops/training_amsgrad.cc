// ResourceApplyAdamWithAmsgrad.
#include "ops/update_rule.h"

namespace staticflow {
namespace {

// Adam with the largest v so far: vhat = max(vhat, v); var -= alpha * m / (sqrt(vhat) + epsilon)
// with alpha = lr * sqrt(1 - beta2^t) / (1 - beta1^t). There is no form for references.
template <typename A>
struct AdamWithAmsgrad {
  static constexpr int kVariables = 4;
  A alpha, beta1, beta2, epsilon;
  AdamWithAmsgrad(const A* p, bool)
      : alpha(p[2] * std::sqrt(A(1) - p[1]) / (A(1) - p[0])), beta1(p[3]), beta2(p[4]), epsilon(p[5]) {}
  void operator()(A* v, A grad) const {
    v[1] += (grad - v[1]) * (A(1) - beta1);
    v[2] += (grad * grad - v[2]) * (A(1) - beta2);
    v[3] = std::max(v[3], v[2]);
    v[0] -= v[1] * alpha / (std::sqrt(v[3]) + epsilon);
  }
};
const OpRegistrar adam_with_amsgrad(
    HandleForm<AdamWithAmsgrad>({.name = "AdamWithAmsgrad",
                                 .variables = {"var", "m", "v", "vhat"},
                                 .arguments = {"beta1_power", "beta2_power", "lr", "beta1", "beta2", "epsilon", "grad"},
                                 .doc = "Adam by the largest root mean square so far."}));

}  // namespace
}  // namespace staticflow
