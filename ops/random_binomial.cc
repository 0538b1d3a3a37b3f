// StatelessRandomBinomial, StatefulRandomBinomial: how many of `counts` trials succeed.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/elementwise.h"
#include "ops/random.h"
#include "ops/random_rejection.h"
#include "ops/random_seed.h"

namespace staticflow {
namespace {

// Adds up how many trials each success takes, a geometric number, until there are more than `count`.
double SampleByInversion(double count, double prob, PairedDoubles& numbers) {
  double trials = 0, successes = 0;
  while ((trials += std::ceil(std::log(numbers.Uniform()) / std::log1p(-prob))) <= count) ++successes;
  return successes;
}

// log k! less its Stirling approximation.
double StirlingTail(double k) {
  static constexpr double kSmall[] = {0.0810614667953272,  0.0413406959554092, 0.0276779256849983, 0.02079067210376509,
                                      0.0166446911898211,  0.0138761288230707, 0.0118967099458917, 0.0104112652619720,
                                      0.00925546218271273, 0.00833056343336287};
  if (k <= 9) return kSmall[static_cast<int>(std::max(k, 0.0))];
  const double square = (k + 1) * (k + 1);
  return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1);
}

// Hoermann's transformed rejection (1993), for count * prob >= 10 and prob <= 0.5.
double SampleByRejection(double count, double prob, PairedDoubles& numbers) {
  const double stddev = std::sqrt(count * prob * (1 - prob));
  const double b = 1.15 + 2.53 * stddev, a = -0.0873 + 0.0248 * b + 0.01 * prob;
  const double center = count * prob + 0.5, sure = 0.92 - 4.2 / b, ratio = prob / (1 - prob);
  const double alpha = (2.83 + 5.1 / b) * stddev, mode = std::floor((count + 1) * prob);
  while (true) {
    double u = numbers.Uniform();
    const double v = numbers.Uniform();
    u -= 0.5;
    const double distance = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / distance + b) * u + center);
    if (distance >= 0.07 && v <= sure) return k;
    if (k < 0 || k > count) continue;
    const double bound = (mode + 0.5) * std::log((mode + 1) / (ratio * (count - mode + 1))) +
                         (count + 1) * std::log((count - mode + 1) / (count - k + 1)) +
                         (k + 0.5) * std::log(ratio * (count - k + 1) / (k + 1)) + StirlingTail(mode) +
                         StirlingTail(count - mode) - StirlingTail(k) - StirlingTail(count - k);
    if (std::log(v * alpha / (a / (distance * distance) + b)) <= bound) return k;
  }
}

// x as the type of the parameters holds it.
double RoundTo(DataType dtype, double x) {
  if (dtype == DT_FLOAT) return static_cast<float>(x);
  if (dtype == DT_HALF) return static_cast<float>(Half(static_cast<float>(x)));
  return x;
}
double NumberAt(const TensorView& view, int64_t i) {
  if (view.dtype == DT_FLOAT) return view.as<float>()[i];
  if (view.dtype == DT_HALF) return static_cast<float>(view.as<Half>()[i]);
  return view.as<double>()[i];
}

// One result; `index` says which stretch of the generator is its own.
double SampleOne(double count, double prob, DataType dtype, const Philox& base, int64_t index) {
  if (count <= 0 || prob <= 0) return 0;
  if (prob >= 1) return count;
  if (std::isnan(prob) || std::isnan(count) || std::isinf(count)) return std::numeric_limits<double>::quiet_NaN();
  const bool mirrored = prob > 0.5;
  const double p = mirrored ? RoundTo(dtype, 1 - prob) : prob;
  const bool many = RoundTo(dtype, count * p) >= 10;
  Philox generator = base;
  generator.Skip(static_cast<uint64_t>(index) * (many ? 256 : 42));
  PairedDoubles numbers(generator);
  const double k = many ? SampleByRejection(count, p, numbers) : SampleByInversion(count, p, numbers);
  return mirrored ? count - k : k;
}

// Output [samples, batch] of the parameters at inputs `counts` and `counts` + 1, broadcast to the batch: result (s, b)
// is number b * samples + s of the generator.
absl::Status SampleAll(KernelContext& c, int counts, const Philox& base) {
  const TensorView& count = c.input(counts);
  const TensorView& prob = c.input(counts + 1);
  const TensorView& out = c.output(0);
  if (out.num_elements == 0) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const Shape shape, BroadcastShapes(*count.shape, *prob.shape));
  const int64_t batch = shape.num_elements(), samples = out.num_elements / batch;
  const auto fill = [&]<typename T>() {
    for (int64_t b = 0; b < batch; ++b) {
      const double n = NumberAt(count, BroadcastIndex(count, shape, b));
      const double p = NumberAt(prob, BroadcastIndex(prob, shape, b));
      for (int64_t s = 0; s < samples; ++s) {
        out.as<T>()[s * batch + b] = Narrow<T>(SampleOne(n, p, count.dtype, base, b * samples + s));
      }
    }
  };
  DispatchType<float, double, Half, int32_t, int64_t>(out.dtype, fill);
  return absl::OkStatus();
}

absl::Status ParametersShape(ShapeContext& c, int shape, int counts) {
  SF_ASSIGN_OR_RETURN(const Shape parameters, BroadcastShapes(c.input(counts), c.input(counts + 1)));
  return ShapeEndingWith(c, shape, parameters);
}

// StatelessRandomBinomial.
absl::Status StatelessShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(ExpectElements(c, 1, 2));
  return ParametersShape(c, 0, 2);
}
absl::Status StatelessKernel(KernelContext& c) { return SampleAll(c, 2, FromSeedInput(c, 1)); }

const OpRegistrar stateless({.name = "StatelessRandomBinomial",
                             .inputs = {"shape: S", "seed: Tseed", "counts: T", "probs: T"},
                             .outputs = {"output: dtype"},
                             .attrs = {"S: indextype", "Tseed: indextype = int64", "T: {half, float, double} = double",
                                       "dtype: {half, float, double, int32, int64} = int64"},
                             .shape = StatelessShape,
                             .gradient = kNotDifferentiable,
                             .kernel = StatelessKernel,
                             .doc = "Binomially distributed numbers that are a function of a seed."});

// StatefulRandomBinomial: the generator is in a variable.
absl::Status StatefulShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  return ParametersShape(c, 2, 3);
}
absl::Status StatefulKernel(KernelContext& c) {
  if (const int64_t algorithm = c.scalar<int64_t>(1); algorithm != kPhiloxAlgorithm) {
    return absl::InvalidArgumentError(absl::StrCat("expected algorithm 1 (Philox), got ", algorithm));
  }
  SF_ASSIGN_OR_RETURN(const Shape batch_shape, BroadcastShapes(*c.input(3).shape, *c.input(4).shape));
  const uint64_t batch = static_cast<uint64_t>(batch_shape.num_elements());
  const uint64_t samples = batch == 0 ? 0 : static_cast<uint64_t>(c.output(0).num_elements) / batch;
  SF_ASSIGN_OR_RETURN(const Philox generator, TakeFromState(c, batch * 200 * (samples + 3) / 4 * kReservedPerResult));
  return SampleAll(c, 3, generator);
}
const OpRegistrar stateful({.name = "StatefulRandomBinomial",
                            .inputs = {"resource: resource", "algorithm: int64", "shape: S", "counts: T", "probs: T"},
                            .outputs = {"output: dtype"},
                            .attrs = {"S: indextype", "T: {half, float, double} = double",
                                      "dtype: {half, float, double, int32, int64} = int64"},
                            .shape = StatefulShape,
                            .gradient = kGradientIsError,
                            .kernel = StatefulKernel,
                            .traits = kStateful,
                            .access = {{0, Access::kUpdate}},
                            .doc = "Binomially distributed numbers of the generator in a variable."});

}  // namespace

Output StatelessRandomBinomial(Operand shape, Operand seed, Operand counts, Operand probs,
                               const StatelessOptions& options) {
  return NodeBuilder("StatelessRandomBinomial", {shape, seed, counts, probs})
      .Attr("dtype", options.dtype)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
