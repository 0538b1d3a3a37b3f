// Dawsn, Expint, FresnelCos, FresnelSin, Spence, Erfinv, Ndtri, NextAfter. Contracts: ops/math_special.h.
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>

#include "ops/array.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/math_special.h"

namespace staticflow {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kTwoBySqrtPi = 2 * std::numbers::inv_sqrtpi;

template <double (*F)(double)>
KernelSource InDouble() {
  return UnaryKernel<FloatTypes>([](auto x) { return static_cast<decltype(x)>(F(static_cast<double>(x))); });
}

// Dawson's integral: by its series near 0, else by Rybicki's sum of e^-(x - k h)^2 / k over odd k, shifted to the
// multiple of h nearest to x.
double DawsonOf(double x) {
  const double a = std::abs(x);
  if (std::isnan(x)) return x;
  if (a < 0.2) {
    const double s = x * x;
    return x *
           (1 - s * 2 / 3 * (1 - s * 2 / 5 * (1 - s * 2 / 7 * (1 - s * 2 / 9 * (1 - s * 2 / 11 * (1 - s * 2 / 13))))));
  }
  if (a > 1e8) return 0.5 / x;
  constexpr double kStep = 0.3;
  const double nearest = 2 * std::round(0.5 * a / kStep), offset = a - nearest * kStep;
  double sum = 0;
  for (int k = -31; k <= 31; k += 2) {
    const double distance = offset - k * kStep;
    sum += std::exp(-distance * distance) / (nearest + k);
  }
  return std::copysign(sum * std::numbers::inv_sqrtpi, x);
}
// Dawsn: dx = dy (1 - 2 x y).
void DawsnGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * (1 - 2 * c.x(0) * c.y(0))); }
const OpRegistrar dawsn(UnaryOp("Dawsn", kFloatT, InDouble<DawsonOf>(), DawsnGradient, "Dawson's integral."));

// Expint: dx = dy e^x / x.
double ExpintOf(double x) {
  if (std::isnan(x) || x < 0) return kNan;
  return x == 0 ? -kInfinity : std::expint(x);
}
void ExpintGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Exp(c.x(0)) / c.x(0)); }
const OpRegistrar expint(UnaryOp("Expint", kFloatT, InDouble<ExpintOf>(), ExpintGradient, "The exponential integral."));

// C + i S: by the power series below 1.6, else by the continued fraction of the complementary error function of
// (1 - i) x sqrt(pi) / 2.
std::complex<double> FresnelOf(double x) {
  const double a = std::abs(x);
  if (std::isnan(x)) return {x, x};
  std::complex<double> result;
  if (a < 1.6) {
    // The sum over n of (i pi/2)^n x^(2n+1) / (n! (2n+1)).
    std::complex<double> power(a, 0);
    for (int n = 0; n < 40; ++n) {
      result += power / (2.0 * n + 1);
      power *= std::complex<double>(0, std::numbers::pi / 2 * a * a / (n + 1));
    }
  } else if (a > 1e8) {
    result = {0.5, 0.5};
  } else {
    // Lentz's method on 1 / (b0 - 2 / (b1 - 12 / (b2 - ...))) with b_k = 1 - i pi x^2 + 4 k.
    std::complex<double> b(1, -std::numbers::pi * a * a), c = 1e30, d = 1.0 / b, h = d;
    for (int k = 1; k < 200; ++k) {
      const double numerator = -(2.0 * k - 1) * (2.0 * k);
      b += 4;
      d = 1.0 / (numerator * d + b);
      c = b + numerator / c;
      const std::complex<double> factor = c * d;
      h *= factor;
      if (std::abs(factor.real() - 1) + std::abs(factor.imag()) < 1e-16) break;
    }
    const double angle = std::numbers::pi / 2 * a * a;
    h *= std::complex<double>(a, -a);
    result = std::complex<double>(0.5, 0.5) * (1.0 - std::complex<double>(std::cos(angle), std::sin(angle)) * h);
  }
  return x < 0 ? -result : result;
}
double FresnelCosOf(double x) { return FresnelOf(x).real(); }
double FresnelSinOf(double x) { return FresnelOf(x).imag(); }
void FresnelCosGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Cos(std::numbers::pi / 2 * Square(c.x(0)))); }
void FresnelSinGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Sin(std::numbers::pi / 2 * Square(c.x(0)))); }
const OpRegistrar fresnel_cos(UnaryOp("FresnelCos", kFloatT, InDouble<FresnelCosOf>(), FresnelCosGradient,
                                      "Fresnel's cosine integral."));
const OpRegistrar fresnel_sin(UnaryOp("FresnelSin", kFloatT, InDouble<FresnelSinOf>(), FresnelSinGradient,
                                      "Fresnel's sine integral."));

// The dilogarithm of 1 - x: Landen's and Euler's identities bring its argument into [-1/2, 1/2].
double Dilogarithm(double z) {
  constexpr double kPiSquaredBySix = std::numbers::pi * std::numbers::pi / 6;
  if (z == 1) return kPiSquaredBySix;
  if (z < -1) {
    const double l = std::log(-z);
    return -kPiSquaredBySix - l * l / 2 - Dilogarithm(1 / z);
  }
  if (z < -0.5) {
    const double l = std::log1p(-z);
    return -Dilogarithm(z / (z - 1)) - l * l / 2;
  }
  if (z > 0.5) return kPiSquaredBySix - std::log(z) * std::log1p(-z) - Dilogarithm(1 - z);
  double sum = 0, power = z;
  for (int k = 1; std::abs(power) > 1e-18 && k < 80; ++k, power *= z) sum += power / (double(k) * k);
  return sum;
}
double SpenceOf(double x) { return x >= 0 ? (std::isinf(x) ? -kInfinity : Dilogarithm(1 - x)) : kNan; }
// Spence: dx = dy log(x) / (1 - x), -1 at 1.
void SpenceGradient(GradientContext& c) {
  const Output x = c.x(0), at_one = Equal(x, 1);
  c.set_dx(0, c.dy(0) * Where(at_one, -1, Log(x) / Where(at_one, 1, 1 - x)));
}
const OpRegistrar spence(UnaryOp("Spence", kFloatT, InDouble<SpenceOf>(), SpenceGradient, "Spence's function."));

// The y > 0 with erfc(y) = z < 1: a rational approximation, made exact by Halley's method.
double InverseErfc(double z) {
  const double t = std::sqrt(-2 * std::log(z / 2));
  double y = std::numbers::sqrt2 / 2 * (t - (2.30753 + t * 0.27061) / (1 + t * (0.99229 + t * 0.04481)));
  for (int i = 0; i < 4; ++i) {
    const double error = std::erfc(y) - z;
    y += error / (kTwoBySqrtPi * std::exp(-y * y) - y * error);
  }
  return y;
}
double InverseErf(double x) {
  const double a = std::abs(x);
  if (!(a <= 1)) return kNan;
  if (a == 1) return x * kInfinity;
  if (a >= 0.5) return std::copysign(InverseErfc(1 - a), x);
  double y = x / kTwoBySqrtPi;
  for (int i = 0; i < 5; ++i) {
    const double error = std::erf(y) - x;
    y -= error / (kTwoBySqrtPi * std::exp(-y * y) + y * error);
  }
  return y;
}
// The quantile p: sqrt(2) times what has twice p as its complementary error function, with the other sign.
double NdtriOf(double p) {
  if (!(p >= 0 && p <= 1)) return kNan;
  if (p == 0 || p == 1) return p == 0 ? -kInfinity : kInfinity;
  if (p < 0.25) return -std::numbers::sqrt2 * InverseErfc(2 * p);
  return std::numbers::sqrt2 * InverseErf(2 * p - 1);
}
// Erfinv: dx = dy sqrt(pi) / 2 e^(y^2).   Ndtri: dx = dy sqrt(2 pi) e^(y^2 / 2).
void ErfinvGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * (1 / kTwoBySqrtPi * Exp(Square(c.y(0))))); }
void NdtriGradient(GradientContext& c) {
  c.set_dx(0, c.dy(0) * (std::sqrt(2 * std::numbers::pi) * Exp(Square(c.y(0)) * 0.5)));
}
const OpRegistrar erfinv(UnaryOp("Erfinv", kFloatT, InDouble<InverseErf>(), ErfinvGradient, "The inverse of Erf."));
const OpRegistrar ndtri(UnaryOp("Ndtri", kFloatT, InDouble<NdtriOf>(), NdtriGradient,
                                "The quantile of the normal distribution."));

// NextAfter: dx1 = dy, dx2 = 0.
void NextAfterGradient(GradientContext& c) {
  c.set_dx(0, SumToShapeOf(c.dy(0), c.x(0), c.x(1)));
  c.set_dx(1, ZerosLike(c.x(1)));
}
OpSpec NextAfterOp() {
  OpSpec spec = BinaryOp("NextAfter", "T: {double, float} = float",
                         BinaryKernel<TypeList<float, double>>([](auto x, auto y) { return std::nextafter(x, y); }),
                         NextAfterGradient, "The next number after x1 in the direction of x2.");
  spec.inputs = {"x1: T", "x2: T"};
  spec.outputs = {"output: T"};
  return spec;
}
const OpRegistrar next_after(NextAfterOp());

Output Build(const char* type, std::initializer_list<Operand> operands, const OpOptions& options) {
  return NodeBuilder(type, operands).Name(options.name).Build();
}

}  // namespace

Output Dawsn(Operand x, const OpOptions& o) { return Build("Dawsn", {x}, o); }
Output Expint(Operand x, const OpOptions& o) { return Build("Expint", {x}, o); }
Output FresnelCos(Operand x, const OpOptions& o) { return Build("FresnelCos", {x}, o); }
Output FresnelSin(Operand x, const OpOptions& o) { return Build("FresnelSin", {x}, o); }
Output Spence(Operand x, const OpOptions& o) { return Build("Spence", {x}, o); }
Output Erfinv(Operand x, const OpOptions& o) { return Build("Erfinv", {x}, o); }
Output Ndtri(Operand x, const OpOptions& o) { return Build("Ndtri", {x}, o); }
Output NextAfter(Operand x, Operand y, const OpOptions& o) { return Build("NextAfter", {x, y}, o); }

}  // namespace staticflow
