// Bessel functions. Contracts: ops/math_special.h.
#include <cmath>
#include <limits>
#include <numbers>

#include "ops/array.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/math_special.h"

namespace staticflow {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The asymptotic series of I (sign -1) and K (sign 1) of order `order` for large x, without e^x and the root:
// the sum over k of sign^k (4 n^2 - 1^2) (4 n^2 - 3^2) ... / (k! (8 x)^k).
double Asymptotic(int order, double x, double sign) {
  const double m = 4.0 * order * order;
  double term = 1, sum = 1;
  for (int k = 1; k < 60; ++k) {
    const double next = term * sign * (m - (2.0 * k - 1) * (2.0 * k - 1)) / (k * 8 * x);
    if (std::abs(next) >= std::abs(term)) break;
    sum += term = next;
    if (std::abs(term) < 1e-17 * std::abs(sum)) break;
  }
  return sum;
}

// e^-|x| I_n(x): up to 30 by the power series, whose terms are all positive.
double ScaledI(int order, double x) {
  const double a = std::abs(x);
  if (std::isnan(x)) return x;
  double result;
  if (a <= 30) {
    double term = order == 0 ? 1 : a / 2, sum = term;
    for (int k = 1; term > 1e-17 * sum; ++k) sum += term *= a * a / (4.0 * k * (k + order));
    result = sum * std::exp(-a);
  } else {
    result = std::isinf(a) ? 0 : Asymptotic(order, a, -1) / std::sqrt(2 * std::numbers::pi * a);
  }
  return order == 1 && x < 0 ? -result : result;
}
double I(int order, double x) {
  return std::isinf(x) ? (order == 1 ? x : kInfinity) : ScaledI(order, x) * std::exp(std::abs(x));
}

// e^x K_n(x).
double ScaledK(int order, double x) {
  if (std::isnan(x)) return x;
  if (x <= 0) return kInfinity;  // also where K is not real, as in TensorFlow
  if (x <= 30) return std::cyl_bessel_k(order, x) * std::exp(x);
  return std::isinf(x) ? 0 : Asymptotic(order, x, 1) * std::sqrt(std::numbers::pi / (2 * x));
}
double K(int order, double x) { return x > 800 ? 0 : x <= 0 ? kInfinity : ScaledK(order, x) * std::exp(-x); }

// Operator F on an element, computed in double.
template <double (*F)(double)>
KernelSource InDouble() {
  return UnaryKernel<FloatTypes>([](auto x) { return static_cast<decltype(x)>(F(static_cast<double>(x))); });
}

// As above, but NaN at the infinities: TensorFlow's formulas divide them by each other there.
template <double (*F)(double)>
double Finite(double x) {
  return std::isinf(x) ? std::numeric_limits<double>::quiet_NaN() : F(x);
}

// 1/2 where x is 0 and there `other` is not defined.
Output HalfAtZero(Output x, Output other) { return Where(Equal(x, 0), 0.5, other); }
Output OneAtZero(Output x) { return Where(Equal(x, 0), 1, x); }

// I0: dx = dy I1.   I1: dx = dy (I0 - I1 / x).
double I0(double x) { return I(0, x); }
double I1(double x) { return I(1, x); }
void I0Gradient(GradientContext& c) { c.set_dx(0, c.dy(0) * BesselI1(c.x(0))); }
void I1Gradient(GradientContext& c) {
  const Output x = c.x(0);
  c.set_dx(0, c.dy(0) * HalfAtZero(x, BesselI0(x) - c.y(0) / OneAtZero(x)));
}
const OpRegistrar i0(UnaryOp("BesselI0", kFloatT, InDouble<Finite<I0>>(), I0Gradient,
                             "The modified Bessel function I0."));
const OpRegistrar i1(UnaryOp("BesselI1", kFloatT, InDouble<Finite<I1>>(), I1Gradient,
                             "The modified Bessel function I1."));

// I0e: dx = dy (I1e - sign(x) I0e).   I1e: dx = dy (I0e - I1e (sign(x) + 1 / x)).
double I0e(double x) { return ScaledI(0, x); }
double I1e(double x) { return ScaledI(1, x); }
void I0eGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * (BesselI1e(c.x(0)) - Sign(c.x(0)) * c.y(0))); }
void I1eGradient(GradientContext& c) {
  const Output x = c.x(0);
  c.set_dx(0, c.dy(0) * HalfAtZero(x, BesselI0e(x) - c.y(0) * (Sign(x) + Reciprocal(OneAtZero(x)))));
}
const OpRegistrar i0e(UnaryOp("BesselI0e", kFloatT, InDouble<I0e>(), I0eGradient, "BesselI0 times e^-|x|."));
const OpRegistrar i1e(UnaryOp("BesselI1e", kFloatT, InDouble<I1e>(), I1eGradient, "BesselI1 times e^-|x|."));

// K0: dx = -dy K1.   K1: dx = -dy (K0 + K1 / x).
double K0(double x) { return K(0, x); }
double K1(double x) { return K(1, x); }
void K0Gradient(GradientContext& c) { c.set_dx(0, -(c.dy(0) * BesselK1(c.x(0)))); }
void K1Gradient(GradientContext& c) { c.set_dx(0, -(c.dy(0) * (BesselK0(c.x(0)) + c.y(0) / c.x(0)))); }
const OpRegistrar k0(UnaryOp("BesselK0", kFloatT, InDouble<K0>(), K0Gradient, "The modified Bessel function K0."));
const OpRegistrar k1(UnaryOp("BesselK1", kFloatT, InDouble<K1>(), K1Gradient, "The modified Bessel function K1."));

// K0e: dx = dy (K0e - K1e).   K1e: dx = dy (K1e (1 - 1 / x) - K0e).
double K0e(double x) { return ScaledK(0, x); }
double K1e(double x) { return ScaledK(1, x); }
void K0eGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * (c.y(0) - BesselK1e(c.x(0)))); }
void K1eGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * (c.y(0) * (1 - Reciprocal(c.x(0))) - BesselK0e(c.x(0)))); }
const OpRegistrar k0e(UnaryOp("BesselK0e", kFloatT, InDouble<K0e>(), K0eGradient, "BesselK0 times e^x."));
const OpRegistrar k1e(UnaryOp("BesselK1e", kFloatT, InDouble<K1e>(), K1eGradient, "BesselK1 times e^x."));

// J0: dx = -dy J1.   J1: dx = dy (J0 - J1 / x).   Y0 and Y1 likewise.
void J0Gradient(GradientContext& c) { c.set_dx(0, -(c.dy(0) * BesselJ1(c.x(0)))); }
void J1Gradient(GradientContext& c) {
  const Output x = c.x(0);
  c.set_dx(0, c.dy(0) * HalfAtZero(x, BesselJ0(x) - c.y(0) / OneAtZero(x)));
}
const OpRegistrar j0_op(UnaryOp("BesselJ0", kFloatT, InDouble<Finite<::j0>>(), J0Gradient, "The Bessel function J0."));
const OpRegistrar j1_op(UnaryOp("BesselJ1", kFloatT, InDouble<Finite<::j1>>(), J1Gradient, "The Bessel function J1."));

// -infinity also where Y is not real, but no number at 0 for Y1: as in TensorFlow.
double Y0(double x) { return x <= 0 ? -kInfinity : ::y0(x); }
double Y1(double x) { return x == 0 ? std::numeric_limits<double>::quiet_NaN() : x < 0 ? -kInfinity : ::y1(x); }
void Y0Gradient(GradientContext& c) { c.set_dx(0, -(c.dy(0) * BesselY1(c.x(0)))); }
void Y1Gradient(GradientContext& c) { c.set_dx(0, c.dy(0) * (BesselY0(c.x(0)) - c.y(0) / c.x(0))); }
const OpRegistrar y0_op(UnaryOp("BesselY0", kFloatT, InDouble<Finite<Y0>>(), Y0Gradient, "The Bessel function Y0."));
const OpRegistrar y1_op(UnaryOp("BesselY1", kFloatT, InDouble<Finite<Y1>>(), Y1Gradient, "The Bessel function Y1."));

Output Build(const char* type, const Operand& x, const OpOptions& options) {
  return NodeBuilder(type, {x}).Name(options.name).Build();
}

}  // namespace

Output BesselI0(Operand x, const OpOptions& o) { return Build("BesselI0", x, o); }
Output BesselI0e(Operand x, const OpOptions& o) { return Build("BesselI0e", x, o); }
Output BesselI1(Operand x, const OpOptions& o) { return Build("BesselI1", x, o); }
Output BesselI1e(Operand x, const OpOptions& o) { return Build("BesselI1e", x, o); }
Output BesselK0(Operand x, const OpOptions& o) { return Build("BesselK0", x, o); }
Output BesselK0e(Operand x, const OpOptions& o) { return Build("BesselK0e", x, o); }
Output BesselK1(Operand x, const OpOptions& o) { return Build("BesselK1", x, o); }
Output BesselK1e(Operand x, const OpOptions& o) { return Build("BesselK1e", x, o); }
Output BesselJ0(Operand x, const OpOptions& o) { return Build("BesselJ0", x, o); }
Output BesselJ1(Operand x, const OpOptions& o) { return Build("BesselJ1", x, o); }
Output BesselY0(Operand x, const OpOptions& o) { return Build("BesselY0", x, o); }
Output BesselY1(Operand x, const OpOptions& o) { return Build("BesselY1", x, o); }

}  // namespace staticflow
