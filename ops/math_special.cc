// Error functions, and the gamma function's family. Contracts: ops/math_unary.h, ops/math_binary.h.
#include <cmath>
#include <limits>
#include <numbers>

#include "ops/array.h"
#include "ops/elementwise.h"
#include "ops/math_binary.h"
#include "ops/math_unary.h"

namespace staticflow {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kTwoBySqrtPi = 2 * std::numbers::inv_sqrtpi;

// Bernoulli's numbers B_2, B_4, ..., B_24: the coefficients of the asymptotic series below.
constexpr double kBernoulli[] = {1.0 / 6,       -1.0 / 30,       1.0 / 42,       -1.0 / 30,
                                 5.0 / 66,      -691.0 / 2730,   7.0 / 6,        -3617.0 / 510,
                                 43867.0 / 798, -174611.0 / 330, 854513.0 / 138, -236364091.0 / 2730};

// log |gamma(x)|. The reentrant functions: the standard ones write a global.
float LogGamma(float x) {
  int sign;
  return ::lgammaf_r(x, &sign);
}
double LogGamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}

// The derivative of log gamma: by recurrence up to 12, there ln x - 1/(2x) - sum of B_2k / (2k x^2k).
double DigammaOf(double x) {
  if (x <= 0 && x == std::floor(x)) return kNan;
  if (x < 0) return DigammaOf(1 - x) - std::numbers::pi / std::tan(std::numbers::pi * x);
  if (std::isinf(x)) return x;
  double result = 0;
  for (; x < 12; x += 1) result -= 1 / x;
  double power = 1;
  for (int k = 1; k <= 8; ++k) {
    power /= x * x;
    result -= kBernoulli[k - 1] / (2 * k) * power;
  }
  return result + std::log(x) - 0.5 / x;
}

// Hurwitz's zeta function, the sum of (q + n)^-x over n >= 0, by Euler and Maclaurin: terms up to a = q + n >= 12, then
// a^(1-x) / (x - 1) + a^-x / 2 + the sum of B_2k / (2k)! x (x + 1) ... (x + 2k - 2) a^(-x-2k+1).
double ZetaOf(double x, double q) {
  if (x == 1) return kInfinity;
  if (!(x > 1) || std::isnan(q)) return kNan;
  if (q == kInfinity) return 0;
  if (q <= 0) {
    if (q == std::floor(q)) return std::fmod(x, 2) == 0 ? kInfinity : kNan;
    if (x != std::floor(x)) return kNan;
    // The terms left of 0 are those of another zeta function without its far end.
    const double positive = q - std::floor(q);
    const double left = ZetaOf(x, 1 - positive) - ZetaOf(x, 1 - q);
    return ZetaOf(x, positive) + (std::fmod(x, 2) == 0 ? left : -left);
  }
  double sum = 0, a = q;
  for (; a < 12; a += 1) sum += std::pow(a, -x);
  const double power = std::pow(a, -x);
  sum += power * a / (x - 1) + power / 2;
  double factor = power * x / a / 2;
  for (int k = 1; k <= 12; ++k) {
    const double term = kBernoulli[k - 1] * factor;
    sum += term;
    if (std::abs(term) <= std::abs(sum) * 1e-17) break;
    factor *= (x + 2 * k - 1) * (x + 2 * k) / (a * a * (2 * k + 1) * (2 * k + 2));
  }
  return sum;
}

// The n-th derivative of digamma: (-1)^(n+1) n! zeta(n + 1, x).
double PolygammaOf(double n, double x) {
  if (!(n >= 0) || n != std::floor(n)) return kNan;
  if (n == 0) return DigammaOf(x);
  const double magnitude = std::exp(LogGamma(n + 1)) * ZetaOf(n + 1, x);
  return std::fmod(n, 2) == 0 ? -magnitude : magnitude;
}

// Erf: y = 2 / sqrt(pi) * the integral of e^-t^2 from 0 to x.   dx = dy 2 / sqrt(pi) e^-x^2.
void ErfGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * (kTwoBySqrtPi * Exp(Neg(Square(c.x(0)))))); }
const OpRegistrar erf_op(UnaryOp("Erf", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::erf(x); }),
                                 ErfGradient, "Element-wise error function."));

// Erfc: y = 1 - erf x.   dx = -dy 2 / sqrt(pi) e^-x^2.
void ErfcGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * (-kTwoBySqrtPi * Exp(Neg(Square(c.x(0)))))); }
const OpRegistrar erfc_op(UnaryOp("Erfc", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::erfc(x); }),
                                  ErfcGradient, "Element-wise complementary error function."));

// Lgamma: y = log |gamma(x)|.   dx = dy digamma(x).
void LgammaGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Digamma(c.x(0))); }
const OpRegistrar lgamma_op(UnaryOp("Lgamma", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return LogGamma(x); }),
                                    LgammaGradient, "Element-wise logarithm of the absolute gamma function."));

// Digamma: y = the derivative of log gamma.   dx = dy polygamma(1, x), in float where Polygamma has no shorter type.
void DigammaGradient(GradientContext& c) {
  const DataType dtype = c.x(0).dtype();
  const Output x = dtype == DT_DOUBLE ? c.x(0) : Cast(c.x(0), DT_FLOAT);
  c.set_dx(0, c.dy(0) * Cast(Polygamma(1, x), dtype));
}
const OpRegistrar digamma_op(UnaryOp("Digamma", kFloatT, UnaryKernel<FloatTypes>([](auto x) {
                                       return static_cast<decltype(x)>(DigammaOf(x));
                                     }),
                                     DigammaGradient, "Element-wise derivative of Lgamma."));

// Zeta: z = the sum of (q + n)^-x over n >= 0.   dq = -dz x zeta(x + 1, q); none by x.
void ZetaGradient(GradientContext& c) {
  const Output x = c.x(0), q = c.x(1);
  c.set_dx(1, SumToShapeOf(c.dy(0) * (Neg(x) * Zeta(x + 1, q)), q, x));
}
OpSpec ZetaOp() {
  OpSpec spec = BinaryOp("Zeta", "T: {float, double}", BinaryKernel<TypeList<float, double>>([](auto x, auto q) {
                           return static_cast<decltype(x)>(ZetaOf(x, q));
                         }),
                         ZetaGradient, "Element-wise Hurwitz zeta function.");
  spec.inputs = {"x: T", "q: T"};
  return spec;
}
const OpRegistrar zeta_op(ZetaOp());

// Polygamma: z = the a-th derivative of digamma at x.   dx = dz polygamma(a + 1, x); none by a.
void PolygammaGradient(GradientContext& c) {
  const Output a = c.x(0), x = c.x(1);
  c.set_dx(1, SumToShapeOf(c.dy(0) * Polygamma(a + 1, x), x, a));
}
OpSpec PolygammaOp() {
  OpSpec spec = BinaryOp("Polygamma", "T: {float, double}", BinaryKernel<TypeList<float, double>>([](auto a, auto x) {
                           return static_cast<decltype(x)>(PolygammaOf(a, x));
                         }),
                         PolygammaGradient, "Element-wise derivatives of Digamma, of the whole order a.");
  spec.inputs = {"a: T", "x: T"};
  return spec;
}
const OpRegistrar polygamma_op(PolygammaOp());

Output Build(const char* type, std::initializer_list<Operand> operands, const OpOptions& options) {
  return NodeBuilder(type, operands).Name(options.name).Build();
}

}  // namespace

Output Erf(Operand x, const OpOptions& o) { return Build("Erf", {x}, o); }
Output Erfc(Operand x, const OpOptions& o) { return Build("Erfc", {x}, o); }
Output Lgamma(Operand x, const OpOptions& o) { return Build("Lgamma", {x}, o); }
Output Digamma(Operand x, const OpOptions& o) { return Build("Digamma", {x}, o); }
Output Zeta(Operand x, Operand q, const OpOptions& o) { return Build("Zeta", {x, q}, o); }
Output Polygamma(Operand a, Operand x, const OpOptions& o) { return Build("Polygamma", {a, x}, o); }

}  // namespace staticflow
