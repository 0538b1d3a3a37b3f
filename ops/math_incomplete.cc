// Igamma, Igammac, IgammaGradA, RandomGammaGrad and Betainc. Contracts: ops/math_special.h.
#include <cmath>
#include <limits>

#include "ops/array.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/math_special.h"

namespace staticflow {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kEpsilon = 1e-16;

// The reentrant function: the standard one writes a global.
double LogGamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}
// The derivative of LogGamma for x > 0.
double DigammaAbove0(double x) {
  double result = 0;
  for (; x < 12; x += 1) result -= 1 / x;
  const double s = 1 / (x * x);
  return result + std::log(x) - 0.5 / x -
         s * (1.0 / 12 - s * (1.0 / 120 - s * (1.0 / 252 - s * (1.0 / 240 - s * (1.0 / 132 - s * 691 / 32760)))));
}

// A value and its derivative by a.
struct Dual {
  double v, d = 0;
  friend Dual operator+(Dual a, Dual b) { return {a.v + b.v, a.d + b.d}; }
  friend Dual operator*(Dual a, Dual b) { return {a.v * b.v, a.d * b.v + a.v * b.d}; }
  friend Dual operator/(Dual a, Dual b) { return {a.v / b.v, (a.d - a.v / b.v * b.d) / b.v}; }
};

// The lower function P, and its derivative by a. Up to a + 1 by the series x^a e^-x / gamma(a + 1) * (1 + x / (a + 1) +
// x^2 / ((a + 1) (a + 2)) + ...), beyond by Lentz's method on the continued fraction of 1 - P.
Dual LowerGamma(double a, double x) {
  if (!(a > 0) || !(x >= 0)) return {kNan, kNan};
  if (x == 0) return {0, 0};
  if (std::isinf(x)) return {1, 0};
  const double log_factor = a * std::log(x) - x - LogGamma(a);
  const Dual factor = {std::exp(log_factor), std::exp(log_factor) * (std::log(x) - DigammaAbove0(a))};
  if (x <= a + 1) {
    Dual term = Dual{1} / Dual{a, 1}, sum = term;
    for (int n = 1; n < 10000 && std::abs(term.v) + std::abs(term.d) > kEpsilon * std::abs(sum.v); ++n) {
      term = term * Dual{x} / Dual{a + n, 1};
      sum = sum + term;
    }
    return factor * sum;
  }
  Dual b = {x + 1 - a, -1}, c = {1e300}, d = Dual{1} / b, h = d;
  for (int n = 1; n < 10000; ++n) {
    const Dual numerator = {-n * (n - a), double(n)};
    b = b + Dual{2};
    d = Dual{1} / (numerator * d + b);
    c = b + numerator / c;
    const Dual delta = d * c;
    h = h * delta;
    if (std::abs(delta.v - 1) + std::abs(delta.d) < kEpsilon) break;
  }
  return Dual{1} + Dual{-1} * factor * h;
}
// 1 - P without cancellation for large x.
double UpperGamma(double a, double x) {
  if (!(a > 0) || !(x >= 0)) return kNan;
  if (x <= a + 1) return 1 - LowerGamma(a, x).v;
  if (std::isinf(x)) return 0;
  double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
  for (int n = 1; n < 10000; ++n) {
    const double numerator = -n * (n - a);
    b += 2;
    d = 1 / (numerator * d + b);
    c = b + numerator / c;
    h *= d * c;
    if (std::abs(d * c - 1) < kEpsilon) break;
  }
  return std::exp(a * std::log(x) - x - LogGamma(a)) * h;
}

template <double (*F)(double, double), typename Types = TypeList<float, double, Half, BFloat16>>
KernelSource InDouble() {
  return BinaryKernel<Types>(
      [](auto a, auto x) { return static_cast<decltype(a)>(F(static_cast<double>(a), static_cast<double>(x))); });
}

OpSpec GammaOp(const char* name, const char* types, KernelSource kernel, GradientFunction gradient, const char* doc) {
  OpSpec spec = BinaryOp(name, types, kernel, gradient, doc);
  spec.inputs = {"a: T", "x: T"};
  return spec;
}

// Igamma: da = dy IgammaGradA(a, x), dx = dy x^(a-1) e^-x / gamma(a).   Igammac: the same, negative.
double Lower(double a, double x) { return LowerGamma(a, x).v; }
double LowerByA(double a, double x) { return LowerGamma(a, x).d; }

Output Density(Output a, Output x) { return Exp((a - 1) * Log(x) - x - Lgamma(a)); }
void IgammaGradient(GradientContext& c) {
  const Output a = c.x(0), x = c.x(1), dy = c.dy(0);
  c.set_dx(0, SumToShapeOf(dy * NodeBuilder("IgammaGradA", {a, x}).Build(), a, x));
  c.set_dx(1, SumToShapeOf(dy * Density(a, x), x, a));
}
void IgammacGradient(GradientContext& c) {
  const Output a = c.x(0), x = c.x(1), dy = c.dy(0);
  c.set_dx(0, SumToShapeOf(-(dy * NodeBuilder("IgammaGradA", {a, x}).Build()), a, x));
  c.set_dx(1, SumToShapeOf(-(dy * Density(a, x)), x, a));
}
const OpRegistrar igamma(GammaOp("Igamma", kFloatT, InDouble<Lower>(), IgammaGradient,
                                 "The lower regularized incomplete gamma function."));
const OpRegistrar igammac(GammaOp("Igammac", kFloatT, InDouble<UpperGamma>(), IgammacGradient,
                                  "The upper regularized incomplete gamma function."));
const OpRegistrar igamma_grad_a(GammaOp("IgammaGradA", "T: {float, double}",
                                        InDouble<LowerByA, TypeList<float, double>>(), kGradientIsError,
                                        "The derivative of Igamma by a."));

// RandomGammaGrad: how a gamma-distributed sample moves with alpha when its place in the distribution stays:
// -dP/da / (dP/dx).
double SampleByAlpha(double alpha, double sample) {
  if (!(sample > 0) || !(alpha > 0)) return kNan;
  const double density = std::exp((alpha - 1) * std::log(sample) - sample - LogGamma(alpha));
  return -LowerGamma(alpha, sample).d / density;
}
OpSpec RandomGammaGradOp() {
  OpSpec spec = BinaryOp("RandomGammaGrad", "T: {float, double}", InDouble<SampleByAlpha, TypeList<float, double>>(),
                         kGradientIsError, "The derivative of a gamma-distributed sample by alpha.");
  spec.inputs = {"alpha: T", "sample: T"};
  spec.outputs = {"output: T"};
  return spec;
}
const OpRegistrar random_gamma_grad(RandomGammaGradOp());

// The continued fraction of the incomplete beta function, by Lentz's method; it converges for x < (a + 1) / (a + b +
// 2).
double BetaFraction(double a, double b, double x) {
  const auto keep = [](double v) { return std::abs(v) < 1e-300 ? 1e-300 : v; };
  double c = 1, d = 1 / keep(1 - (a + b) * x / (a + 1)), h = d;
  for (int m = 1; m < 10000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / keep(1 + even * d);
    c = keep(1 + even / c);
    h *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / keep(1 + odd * d);
    c = keep(1 + odd / c);
    h *= d * c;
    if (std::abs(d * c - 1) < kEpsilon) break;
  }
  return h;
}
double BetaOf(double a, double b, double x) {
  if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1)) return kNan;
  if (x == 0 || x == 1) return x;
  const double factor = std::exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return factor * BetaFraction(a, b, x) / a;
  return 1 - factor * BetaFraction(b, a, 1 - x) / b;
}

absl::Status BetaincShape(ShapeContext& c) {
  Shape shape;
  for (int i = 0; i < 3; ++i) {
    if (c.input(i).IsScalar()) continue;
    // An input of unknown rank may yet be a scalar.
    if (!c.input(i).has_rank()) {
      if (shape.IsScalar()) shape = Shape::Unknown();
    } else if (shape.IsScalar() || !shape.has_rank()) {
      shape = c.input(i);
    } else {
      SF_ASSIGN_OR_RETURN(shape, shape.MergeWith(c.input(i)));
    }
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> BetaincKernel(const KernelSetup& setup) {
  Kernel kernel;
  const bool allocate = !setup.output_shape(0).IsFullyDefined();
  DispatchType<float, double>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [allocate](KernelContext& c) -> absl::Status {
      const Shape* shape = c.input(0).shape;
      for (int i = 1; i < 3; ++i) {
        if (c.input(i).rank() > 0) shape = c.input(i).shape;
      }
      if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(0, *shape));
      int64_t steps[3];
      for (int i = 0; i < 3; ++i) {
        steps[i] = c.input(i).rank() > 0;
        if (steps[i] == 1 && *c.input(i).shape != *c.output(0).shape) {
          return absl::InvalidArgumentError(absl::StrCat("input ", i, " has shape ", c.input(i).shape->ToString(),
                                                         ", another one ", c.output(0).shape->ToString()));
        }
      }
      const auto [begin, end] = allocate ? IndexRange{0, c.output(0).num_elements} : c.range();
      for (int64_t i = begin; i < end; ++i) {
        c.out<T>(0)[i] =
            static_cast<T>(BetaOf(c.in<T>(0)[i * steps[0]], c.in<T>(1)[i * steps[1]], c.in<T>(2)[i * steps[2]]));
      }
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
// Betainc: dx = dy x^(a-1) (1-x)^(b-1) / beta(a, b); none by a and b.
void BetaincGradient(GradientContext& c) {
  const Output a = c.x(0), b = c.x(1), x = c.x(2);
  const Output log_beta = Lgamma(a) + Lgamma(b) - Lgamma(a + b);
  const Output density = Exp((b - 1) * Log1p(-x) + (a - 1) * Log(x) - log_beta);
  c.set_dx(2, SumToShapeOf(c.dy(0) * density, x));
}
const OpRegistrar betainc({.name = "Betainc",
                           .inputs = {"a: T", "b: T", "x: T"},
                           .outputs = {"z: T"},
                           .attrs = {"T: {float, double}"},
                           .shape = BetaincShape,
                           .gradient = BetaincGradient,
                           .kernel = BetaincKernel,
                           .iteration = {.split = Split::kFlat},
                           .batch = ElementwiseBatch,
                           .doc = "The regularized incomplete beta function."});

}  // namespace

Output Igamma(Operand a, Operand x, const OpOptions& o) { return NodeBuilder("Igamma", {a, x}).Name(o.name).Build(); }
Output Igammac(Operand a, Operand x, const OpOptions& o) { return NodeBuilder("Igammac", {a, x}).Name(o.name).Build(); }
Output Betainc(Operand a, Operand b, Operand x, const OpOptions& o) {
  return NodeBuilder("Betainc", {a, b, x}).Name(o.name).Build();
}

}  // namespace staticflow
