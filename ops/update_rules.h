// The update rules of the optimizer ops that have a form for whole variables and one for rows (ApplyAdagrad,
// SparseApplyAdagrad). How a rule looks: ops/update_rule.h.
#ifndef STATICFLOW_OPS_UPDATE_RULES_H_
#define STATICFLOW_OPS_UPDATE_RULES_H_

#include <algorithm>
#include <cmath>

#include "ops/update_rule.h"

namespace staticflow {

// accum = momentum * accum + grad; var -= lr * accum, or with Nesterov's look ahead lr * (grad + momentum * accum)
template <typename A>
struct Momentum {
  static constexpr int kVariables = 2;
  A lr, momentum;
  bool use_nesterov;
  Momentum(const A* p, bool flag) : lr(p[0]), momentum(p[1]), use_nesterov(flag) {}
  void operator()(A* v, A grad) const {
    v[1] = v[1] * momentum + grad;
    v[0] -= use_nesterov ? grad * lr + v[1] * momentum * lr : v[1] * lr;
  }
};

// accum = momentum * accum - lr * grad; var += accum, or with Nesterov momentum * accum - lr * grad.
template <typename A>
struct KerasMomentum {
  static constexpr int kVariables = 2;
  A lr, momentum;
  bool use_nesterov;
  KerasMomentum(const A* p, bool flag) : lr(p[0]), momentum(p[1]), use_nesterov(flag) {}
  void operator()(A* v, A grad) const {
    v[1] = v[1] * momentum - grad * lr;
    v[0] += use_nesterov ? v[1] * momentum - grad * lr : v[1];
  }
};

// accum += grad^2; var -= lr * grad / sqrt(accum)
template <typename A>
struct Adagrad {
  static constexpr int kVariables = 2;
  static constexpr bool kRowsHaveElements = true;
  A lr;
  bool update_slots;
  Adagrad(const A* p, bool flag) : lr(p[0]), update_slots(flag) {}
  void operator()(A* v, A grad) const {
    using std::sqrt;  // Lanes have their own
    if (update_slots) v[1] += grad * grad;
    v[0] -= grad * lr / sqrt(v[1]);
  }
};

// accum += grad^2; var -= lr * grad / (sqrt(accum) + epsilon)
template <typename A>
struct AdagradV2 {
  static constexpr int kVariables = 2;
  A lr, epsilon;
  bool update_slots;
  AdagradV2(const A* p, bool flag) : lr(p[0]), epsilon(p[1]), update_slots(flag) {}
  void operator()(A* v, A grad) const {
    using std::sqrt;  // Lanes have their own
    if (update_slots) v[1] += grad * grad;
    v[0] -= grad * lr / (sqrt(v[1]) + epsilon);
  }
};

// accum = rho * accum + (1 - rho) * grad^2; update = grad * sqrt(accum_update + epsilon) / sqrt(accum + epsilon)
// var -= lr * update; accum_update = rho * accum_update + (1 - rho) * update^2
template <typename A>
struct Adadelta {
  static constexpr int kVariables = 3;
  A lr, rho, epsilon;
  Adadelta(const A* p, bool) : lr(p[0]), rho(p[1]), epsilon(p[2]) {}
  void operator()(A* v, A grad) const {
    using std::sqrt;  // Lanes have their own
    v[1] = v[1] * rho + grad * grad * (A(1) - rho);
    const A update = sqrt(v[2] + epsilon) / sqrt(v[1] + epsilon) * grad;
    v[0] -= update * lr;
    v[2] = v[2] * rho + update * update * (A(1) - rho);
  }
};

// ms += (1 - rho) * (grad^2 - ms); mom = momentum * mom + lr * grad / sqrt(ms + epsilon); var -= mom
template <typename A>
struct RMSProp {
  static constexpr int kVariables = 3;
  A lr, rho, momentum, epsilon;
  RMSProp(const A* p, bool) : lr(p[0]), rho(p[1]), momentum(p[2]), epsilon(p[3]) {}
  void operator()(A* v, A grad) const {
    v[1] += (grad * grad - v[1]) * (A(1) - rho);
    Move(v, grad);
  }
  // Rows average so that an infinity stays one.
  void OfRow(A* v, A grad) const {
    v[1] = v[1] * rho + grad * grad * (A(1) - rho);
    Move(v, grad);
  }
  void Move(A* v, A grad) const {
    using std::sqrt;  // Lanes have their own
    v[2] = v[2] * momentum + (grad * lr) / sqrt(v[1] + epsilon);
    v[0] -= v[2];
  }
};

// RMSProp with the variance ms - mg^2 in place of ms, where mg += (1 - rho) * (grad - mg)
template <typename A>
struct CenteredRMSProp {
  static constexpr int kVariables = 4;
  A lr, rho, momentum, epsilon;
  CenteredRMSProp(const A* p, bool) : lr(p[0]), rho(p[1]), momentum(p[2]), epsilon(p[3]) {}
  void operator()(A* v, A grad) const {
    v[2] += (grad * grad - v[2]) * (A(1) - rho);
    v[1] += (grad - v[1]) * (A(1) - rho);
    Move(v, grad);
  }
  void OfRow(A* v, A grad) const {
    v[2] = v[2] * rho + grad * grad * (A(1) - rho);
    v[1] = v[1] * rho + grad * (A(1) - rho);
    Move(v, grad);
  }
  void Move(A* v, A grad) const {
    using std::sqrt;  // Lanes have their own
    const A variance = (v[2] - v[1] * v[1]) + epsilon;
    v[3] = v[3] * momentum + (grad * lr) / sqrt(variance);
    v[0] -= v[3];
  }
};

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
  static constexpr bool kRowsHaveElements = true;
  A alpha, l1, l2;
  ProximalGradientDescent(const A* p, bool) : alpha(p[0]), l1(p[1]), l2(p[2]) {}
  void operator()(A* v, A grad) const { v[0] = Shrink(v[0] - grad * alpha, alpha, l1, l2); }
};

// accum += grad^2; rate = lr / sqrt(accum); var = shrink(var - rate * grad)
template <typename A>
struct ProximalAdagrad {
  static constexpr int kVariables = 2;
  static constexpr bool kRowsHaveElements = true;
  A lr, l1, l2;
  ProximalAdagrad(const A* p, bool) : lr(p[0]), l1(p[1]), l2(p[2]) {}
  const char* Mistake() const {
    if (!(lr > 0)) return "lr is not positive";
    return l1 >= 0 && l2 >= 0 ? nullptr : "l1 or l2 is negative";
  }
  void operator()(A* v, A grad) const {
    v[1] += grad * grad;
    const A rate = lr / std::sqrt(v[1]);
    v[0] = Shrink(v[0] - grad * rate, rate, l1, l2);
  }
};

// g += grad; h += grad^2; var = -lr * sign(g) * max(|g| - l1 * t, 0) / (l2 * t * lr + sqrt(h)) at global step t
template <typename A>
struct AdagradDA {
  static constexpr int kVariables = 3;
  static constexpr bool kRowsHaveElements = true;
  A lr, l1, l2, step;
  AdagradDA(const A* p, bool) : lr(p[0]), l1(p[1]), l2(p[2]), step(p[3]) {}
  void operator()(A* v, A grad) const {
    v[1] += grad;
    v[2] += grad * grad;
    const A kept = l1 > 0 ? Sign(v[1]) * std::max(std::abs(v[1]) - l1 * step, A(0)) : v[1];
    v[0] = -lr * kept / (l2 * step * lr + std::sqrt(v[2]));
  }
};

// One FTRL-proximal step. `shrunk` is the gradient with its L2 shrinkage; powers are accum^(-lr_power).
// linear += shrunk - (new^p - old^p) / lr * var; var = (sign(linear) l1 - linear) / (new^p / lr + 2 l2) or 0.
// With `scaled` linear is kept multiplied by lr. The form for rows subtracts where the other selects: NaNs and 0 / 0
// show in var.
template <typename A>
struct FtrlStep {
  A lr, l1, l2, lr_power;
  bool scaled;
  const char* Mistake() const {
    if (!(lr > 0) && !(scaled && lr == 0)) return "lr is not positive";
    if (!(l1 >= 0 && l2 >= 0)) return "l1 or l2 is negative";
    return lr_power <= 0 ? nullptr : "lr_power is positive";
  }
  A Power(A x) const { return lr_power == A(-0.5) ? std::sqrt(x) : std::pow(x, -lr_power); }
  template <bool is_row>
  void Take(A* v, A grad, A shrunk) const {
    const A accum = v[1] + grad * grad;
    const A power = Power(accum), change = power - Power(v[1]);
    const A unit = scaled ? lr : A(1);
    v[2] += scaled ? shrunk * lr - change * v[0] : shrunk - change / lr * v[0];
    const A curvature = scaled ? power + A(2) * l2 * lr : power / lr + A(2) * l2;
    const A limit = l1 * unit;
    if (is_row) {
      v[0] = (std::min(std::max(v[2], -limit), limit) - v[2]) / curvature;
    } else {
      v[0] = std::abs(v[2]) > limit ? (limit * Sign(v[2]) - v[2]) / curvature : A(0);
    }
    v[1] = accum;
  }
};

template <typename A>
struct Ftrl {
  static constexpr int kVariables = 3;
  static constexpr bool kRowsHaveElements = true;
  FtrlStep<A> step;
  Ftrl(const A* p, bool flag) : step{p[0], p[1], p[2], p[3], flag} {}
  const char* MistakeInRows() const { return step.Mistake(); }
  void operator()(A* v, A grad) const { step.template Take<false>(v, grad, grad); }
  void OfRow(A* v, A grad) const { step.template Take<true>(v, grad, grad); }
};

template <typename A>
struct FtrlV2 {
  static constexpr int kVariables = 3;
  static constexpr bool kRowsHaveElements = true;
  FtrlStep<A> step;
  A l2_shrinkage;
  FtrlV2(const A* p, bool flag) : step{p[0], p[1], p[2], p[4], flag}, l2_shrinkage(p[3]) {}
  const char* MistakeInRows() const { return l2_shrinkage >= 0 ? step.Mistake() : "l2_shrinkage is negative"; }
  void operator()(A* v, A grad) const { step.template Take<false>(v, grad, grad + A(2) * l2_shrinkage * v[0]); }
  void OfRow(A* v, A grad) const { step.template Take<true>(v, grad, grad + A(2) * l2_shrinkage * v[0]); }
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_UPDATE_RULES_H_
