// Gamma and Poisson distributions: RandomGamma, StatelessRandomGammaV2 and V3, RandomPoisson and V2,
// StatelessRandomPoisson.
#include "ops/random_rejection.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/random.h"
#include "ops/random_counter.h"
#include "ops/random_seed.h"

namespace staticflow {
namespace {

// Marsaglia and Tsang (2000): d v with v = (1 + c x)^3 for normal x; below 1 the result for alpha + 1 is scaled down.
struct Gamma {
  static double Sample(double alpha, double, PairedDoubles& numbers) {
    if (alpha == 1) return -std::log1p(-numbers.Uniform());
    const bool below_one = alpha < 1;
    const double d = alpha + (below_one ? 2.0 / 3 : -1.0 / 3), c = 1.0 / 3 / std::sqrt(d);
    if (!(d > 0)) return std::numeric_limits<double>::quiet_NaN();
    if (std::isinf(d)) return d;
    while (true) {
      const double x = numbers.Normal();
      double v = 1 + c * x;
      if (v <= 0) continue;
      v = v * v * v;
      const double u = numbers.Uniform();
      if (u < 1 - 0.0331 * (x * x) * (x * x) || std::log(u) < 0.5 * x * x + d * (1 - v + std::log(v))) {
        return below_one ? d * v * std::pow(numbers.Uniform(), 1 / alpha) : d * v;
      }
    }
  }
};

// log gamma(x); the reentrant function, the standard one writes a global.
double LogGamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}

// Below 10 by Knuth's product of uniform numbers, else by Hoermann's transformed rejection (1993).
struct Poisson {
  static double Sample(double rate, double most, PairedDoubles& numbers) {
    if (std::isnan(rate)) return rate;
    if (rate <= 0) return 0;
    if (std::isinf(rate)) return rate;
    if (rate > most) return most;  // the type holds no number that would be accepted
    if (rate < 10) {
      const double limit = std::exp(-rate);
      double product = 1, k = 0;
      for (; (product *= numbers.Uniform()) > limit; k += 1) {
      }
      return k;
    }
    const double log_rate = std::log(rate);
    const double b = 0.931 + 2.53 * std::sqrt(rate), a = -0.059 + 0.02483 * b;
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    while (true) {
      const double u = numbers.Uniform() - 0.5, v = numbers.Uniform();
      const double distance = 0.5 - std::abs(u);
      const double k = std::floor((2 * a / distance + b) * u + rate + 0.43);
      if (k > most) continue;
      if (distance >= 0.07 && v <= 0.9277 - 3.6224 / (b - 2)) return k;
      if (k < 0 || (distance < 0.013 && v > distance)) continue;
      if (std::log(v * inverse_alpha / (a / (distance * distance) + b)) <= -rate + k * log_rate - LogGamma(k + 1)) {
        return k;
      }
    }
  }
};

// Output [samples, parameters]: result (s, p) is sample p * samples + s of the generator.
template <typename Distribution, typename P, typename T>
void SampleAll(KernelContext& c, int parameter, const Philox& base) {
  const TensorView& parameters = c.input(parameter);
  if (c.output(0).num_elements == 0) return;
  const int64_t num_parameters = parameters.num_elements, samples = c.output(0).num_elements / num_parameters;
  for (int64_t p = 0; p < num_parameters; ++p) {
    const double value = static_cast<double>(Widen(parameters.as<P>()[p]));
    for (int64_t s = 0; s < samples; ++s) {
      Philox generator = base;
      generator.Skip(BlocksFor(p * samples + s));
      PairedDoubles numbers(generator);
      const double sample = Distribution::Sample(value, Most<T>(), numbers);
      c.out<T>(0)[s * num_parameters + p] = std::is_integral_v<T> && std::isinf(sample) ? T(0) : Narrow<T>(sample);
    }
  }
}

template <typename Distribution, typename F>
Kernel KernelOf(const KernelSetup& setup, int parameter, F generator) {
  Kernel kernel;
  DispatchType<float, double, Half, int32_t, int64_t>(setup.input_dtype(parameter), [&]<typename P>() {
    DispatchType<float, double, Half, int32_t, int64_t>(setup.output_dtype(0), [&]<typename T>() {
      kernel = [parameter, generator](KernelContext& c) -> absl::Status {
        SF_ASSIGN_OR_RETURN(const Philox base, absl::StatusOr<Philox>(generator(c)));
        SampleAll<Distribution, P, T>(c, parameter, base);
        return absl::OkStatus();
      };
    });
  });
  return kernel;
}
template <typename Distribution>
absl::StatusOr<Kernel> StatefulKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(RandomCounter * counter, RandomCounterOf(setup));
  return KernelOf<Distribution>(
      setup, 1, [counter](const KernelContext& c) { return counter->Reserve(BlocksFor(c.output(0).num_elements)); });
}
template <typename Distribution>
absl::StatusOr<Kernel> StatelessKernel(const KernelSetup& setup) {
  return KernelOf<Distribution>(setup, 2, [](const KernelContext& c) { return FromSeedInput(c, 1); });
}
template <typename Distribution>
absl::StatusOr<Kernel> KeyCounterKernel(const KernelSetup& setup) {
  return KernelOf<Distribution>(setup, 4, [](const KernelContext& c) { return FromKeyCounterInputs(c, 1); });
}

// The shape that input 0 describes, then the parameter's.
absl::Status ParameterShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape samples, DimsFromInput(c, 0));
  c.set_output(0, samples.Concatenate(c.input(1)));
  return absl::OkStatus();
}
// Input 0 describes the whole shape, which ends with the parameter's; the next one is a seed, or a key, a counter and
// an algorithm.
absl::Status StatelessShape(ShapeContext& c) {
  const int parameter = c.num_inputs() - 1;
  SF_RETURN_IF_ERROR(parameter == 2 ? ExpectElements(c, 1, 2) : CheckKeyCounter(c, 1));
  return ShapeEndingWith(c, 0, c.input(parameter));
}

// RandomGamma, StatelessRandomGammaV2, StatelessRandomGammaV3: dalpha = dy times how the sample moves with alpha,
// summed over the samples.
void GammaGradient(GradientContext& c) {
  const int parameter = c.num_inputs() - 1;
  const Output alpha = c.x(parameter), sample = c.y(0);
  if (alpha.dtype() != DT_FLOAT && alpha.dtype() != DT_DOUBLE) return c.Fail("no gradient for half");
  const Output moves = NodeBuilder("RandomGammaGrad", {alpha, sample}).Build();
  c.set_dx(parameter, SumToShapeOf(c.dy(0) * moves, alpha));
}
const OpRegistrar gamma({.name = "RandomGamma",
                         .inputs = {"shape: S", "alpha: T"},
                         .outputs = {"output: T"},
                         .attrs = {kSeedAttr, kSeed2Attr, "S: indextype", "T: {half, float, double}"},
                         .shape = ParameterShape,
                         .gradient = GammaGradient,
                         .kernel = StatefulKernel<Gamma>,
                         .traits = kStateful,
                         .doc = "Gamma-distributed numbers."});
const OpRegistrar stateless_gamma({.name = "StatelessRandomGammaV2",
                                   .inputs = {"shape: T", "seed: Tseed", "alpha: dtype"},
                                   .outputs = {"output: dtype"},
                                   .attrs = {"dtype: {half, float, double}", "T: indextype",
                                             "Tseed: indextype = int64"},
                                   .shape = StatelessShape,
                                   .gradient = GammaGradient,
                                   .kernel = StatelessKernel<Gamma>,
                                   .doc = "Gamma-distributed numbers that are a function of a seed."});
const OpRegistrar stateless_gamma_v3({.name = "StatelessRandomGammaV3",
                                      .inputs = {"shape: shape_dtype", "key: uint64", "counter: uint64", "alg: int32",
                                                 "alpha: dtype"},
                                      .outputs = {"output: dtype"},
                                      .attrs = {"dtype: {half, float, double}", "shape_dtype: indextype = int32"},
                                      .shape = StatelessShape,
                                      .gradient = GammaGradient,
                                      .kernel = KeyCounterKernel<Gamma>,
                                      .doc = "Gamma-distributed numbers that are a function of key and counter."});
const OpRegistrar poisson({.name = "RandomPoisson",
                           .inputs = {"shape: S", "rate: dtype"},
                           .outputs = {"output: dtype"},
                           .attrs = {kSeedAttr, kSeed2Attr, "S: indextype", "dtype: {half, float, double}"},
                           .shape = ParameterShape,
                           .gradient = kGradientIsError,
                           .kernel = StatefulKernel<Poisson>,
                           .traits = kStateful,
                           .doc = "Poisson-distributed numbers."});
const OpRegistrar poisson_v2({.name = "RandomPoissonV2",
                              .inputs = {"shape: S", "rate: R"},
                              .outputs = {"output: dtype"},
                              .attrs = {kSeedAttr, kSeed2Attr, "S: indextype",
                                        "R: {half, float, double, int32, int64} = double",
                                        "dtype: {half, float, double, int32, int64} = int64"},
                              .shape = ParameterShape,
                              .gradient = kGradientIsError,
                              .kernel = StatefulKernel<Poisson>,
                              .traits = kStateful,
                              .doc = "Poisson-distributed numbers of any type."});
const OpRegistrar stateless_poisson({.name = "StatelessRandomPoisson",
                                     .inputs = {"shape: T", "seed: Tseed", "lam: Rtype"},
                                     .outputs = {"output: dtype"},
                                     .attrs = {"Rtype: {half, float, double, int32, int64}",
                                               "dtype: {half, float, double, int32, int64}", "T: indextype",
                                               "Tseed: indextype = int64"},
                                     .shape = StatelessShape,
                                     .gradient = kNotDifferentiable,
                                     .kernel = StatelessKernel<Poisson>,
                                     .doc = "Poisson-distributed numbers that are a function of a seed."});

NodeBuilder Seeded(NodeBuilder builder, const Operand& anchor, const RandomSeedOptions& options) {
  const auto [seed, seed2] = anchor.output().graph().OpSeeds(options.seed);
  return builder.Attr("seed", seed).Attr("seed2", seed2).Name(options.name);
}

}  // namespace

Output RandomGamma(Operand shape, Operand alpha, const RandomSeedOptions& options) {
  if (!shape.output().valid()) return Output();
  return Seeded(NodeBuilder("RandomGamma", {shape, alpha}), shape, options).Build();
}
Output RandomPoisson(Operand shape, Operand rate, const RandomSeedOptions& options) {
  if (!shape.output().valid()) return Output();
  const bool is_float = rate.output().valid() && IsFloating(rate.output().dtype());
  return Seeded(NodeBuilder("RandomPoissonV2", {shape, rate}), shape, options)
      .Attr("dtype", is_float ? rate.output().dtype() : DT_INT64)
      .Build();
}

Output StatelessRandomGamma(Operand shape, Operand seed, Operand alpha, const OpOptions& options) {
  return NodeBuilder("StatelessRandomGammaV2", {shape, seed, alpha}).Name(options.name).Build();
}

}  // namespace staticflow
