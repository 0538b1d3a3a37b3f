// ParameterizedTruncatedNormal, StatelessParameterizedTruncatedNormal: normal numbers of given mean and deviation
// within given bounds. The numbers are TensorFlow's as one thread draws them; its own change with the number of its
// threads, from some hundred results on.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/random.h"
#include "ops/random_counter.h"
#include "ops/random_rejection.h"
#include "ops/random_seed.h"

namespace staticflow {
namespace {

// A half that is rounded after each operation, as TensorFlow computes with halves.
struct RoundedHalf {
  float value = 0;

  RoundedHalf() = default;
  explicit RoundedHalf(double x) : value(static_cast<float>(Half(static_cast<float>(x)))) {}
  friend RoundedHalf operator+(RoundedHalf a, RoundedHalf b) { return RoundedHalf(a.value + b.value); }
  friend RoundedHalf operator-(RoundedHalf a, RoundedHalf b) { return RoundedHalf(a.value - b.value); }
  friend RoundedHalf operator*(RoundedHalf a, RoundedHalf b) { return RoundedHalf(a.value * b.value); }
  friend RoundedHalf operator/(RoundedHalf a, RoundedHalf b) { return RoundedHalf(a.value / b.value); }
  friend RoundedHalf operator-(RoundedHalf a) { return RoundedHalf(-a.value); }
  friend auto operator<=>(RoundedHalf a, RoundedHalf b) { return a.value <=> b.value; }
};
float Plain(RoundedHalf x) { return x.value; }
float Plain(float x) { return x; }
double Plain(double x) { return x; }

template <typename T>
using Arithmetic = std::conditional_t<std::is_same_v<T, Half>, RoundedHalf, T>;
template <typename T>
Arithmetic<T> Load(const TensorView& view, int64_t i) {
  return Arithmetic<T>(Widen(view.as<T>()[i]));
}

constexpr int kMaxIterations = 1000;
absl::Status NothingAccepted() {
  return absl::InternalError(absl::StrCat("no sample was accepted in ", kMaxIterations, " tries"));
}

// Samples between two bounds in units of the standard deviation from the mean; where both are on one side of it, the
// distribution is mirrored so that they are positive.
template <typename T>
class BoundedNormal {
 public:
  using X = Arithmetic<T>;

  static absl::StatusOr<BoundedNormal> Make(X mean, X stddev, X low, X high) {
    if (!(stddev > X(0) && low < high && (std::isfinite(Plain(low)) || std::isfinite(Plain(high))))) {
      return absl::InvalidArgumentError(absl::StrCat("no normal distribution has mean ", Plain(mean), ", deviation ",
                                                     Plain(stddev), " and bounds ", Plain(low), " and ", Plain(high)));
    }
    if ((std::isinf(Plain(low)) && low < X(0)) || high < mean) {
      std::swap(low, high);
      stddev = -stddev;
    }
    return BoundedNormal(mean, stddev, (low - mean) / stddev, (high - mean) / stddev);
  }

  // Draws `count` samples: put(i, sample). Numbers that are left in a group are dropped.
  template <typename Put>
  absl::Status Draw(Philox& generator, int64_t count, Put put) const {
    const auto store = [&](int64_t i, X z) { put(i, T(Plain(z * stddev_ + mean_))); };
    const X inside(1.3);
    if ((low_ < -inside && high_ >= X(0)) || (high_ > inside && low_ <= X(0))) return Normal(generator, count, store);
    const X factor(std::sqrt(Plain(low_ * low_ + X(4))));
    const X cutoff = X(2) * X(std::exp(Plain(X(0.5) + (low_ * (low_ - factor)) / X(4)))) / (low_ + factor);
    if (high_ - low_ < cutoff) return Uniform(generator, count, store);
    return Exponential(generator, count, store, (low_ + factor) / X(2));
  }

 private:
  static constexpr int kSize = kGroup<T>;
  using Group = std::array<X, kSize>;

  BoundedNormal(X mean, X stddev, X low, X high) : mean_(mean), stddev_(stddev), low_(low), high_(high) {}

  template <typename Distribution>
  static Group Next(Philox& generator) {
    const std::array<T, kSize> numbers = Distribution::template Sample<T>(generator());
    Group group;
    for (int i = 0; i < kSize; ++i) group[i] = X(Widen(numbers[i]));
    return group;
  }

  // Much of the normal distribution is inside: what is outside is drawn again.
  template <typename Store>
  absl::Status Normal(Philox& generator, int64_t count, Store store) const {
    int tries = 0;
    for (int64_t done = 0; done < count;) {
      const Group z = Next<NormalDistribution>(generator);
      for (int i = 0; i < kSize && done < count; ++i) {
        if (z[i] >= low_ && z[i] <= high_) {
          store(done++, z[i]);
          tries = 0;
        } else if (++tries > kMaxIterations) {
          return NothingAccepted();
        }
      }
    }
    return absl::OkStatus();
  }

  // The bounds are close to each other: uniform between them, accepted by the density.
  template <typename Store>
  absl::Status Uniform(Philox& generator, int64_t count, Store store) const {
    const X plus = low_ < X(0) ? X(0) : low_ * low_, width = high_ - low_;
    int tries = 0;
    for (int64_t done = 0; done < count;) {
      const Group at = Next<UniformDistribution>(generator), u = Next<UniformDistribution>(generator);
      for (int i = 0; i < kSize && done < count; ++i) {
        const X z = at[i] * width + low_;
        if (u[i] <= X(std::exp(Plain((plus - z * z) / X(2))))) {
          store(done++, z);
          tries = 0;
        } else if (++tries >= kMaxIterations) {
          return NothingAccepted();
        }
      }
    }
    return absl::OkStatus();
  }

  // The tail of the distribution: exponential from the lower bound on, accepted by the density. A pair of numbers each.
  template <typename Store>
  absl::Status Exponential(Philox& generator, int64_t count, Store store, X alpha) const {
    int tries = 0;
    for (int64_t done = 0; done < count;) {
      const Group numbers = Next<UniformDistribution>(generator);
      for (int i = 0; i < kSize && done < count; i += 2) {
        const X z = -X(std::log(Plain(numbers[i]))) / alpha + low_;
        const X x = low_ < alpha ? alpha - z : low_ - alpha;
        if (numbers[i + 1] <= X(std::exp(Plain(-x * x / X(2)))) && z < high_) {
          store(done++, z);
          tries = 0;
        } else if (++tries >= kMaxIterations) {
          return NothingAccepted();
        }
      }
    }
    return absl::OkStatus();
  }

  X mean_, stddev_, low_, high_;
};

// ParameterizedTruncatedNormal: one set of parameters for all results, or one for each index of dimension 0.
absl::Status ParameterizedShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(ShapeFromInput(c));
  const Shape& shape = c.output(0);
  if (shape.IsScalar()) return absl::InvalidArgumentError("the shape is empty, expected at least one dimension");
  for (int i = 1; i < 5; ++i) {
    const Shape& parameter = c.input(i);
    if (!parameter.has_rank() || parameter.IsScalar()) continue;
    const int64_t size = parameter.dim(0);
    const bool fits =
        size == Shape::kUnknownDim || size == 1 || shape.dim(0) == Shape::kUnknownDim || size == shape.dim(0);
    if (parameter.rank() > 1 || !fits) {
      return absl::InvalidArgumentError(absl::StrCat("parameter ", i, " has shape ", parameter.ToString(),
                                                     ", expected a scalar, one element or ", shape.dim(0)));
    }
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status DrawParameterized(KernelContext& c, RandomCounter& counter) {
  constexpr int64_t kBatch = 100;  // what results with common parameters are drawn by
  const TensorView& out = c.output(0);
  const auto has_one = [&](int i) { return c.input(i).rank() == 0 || c.input(i).dim(0) == 1; };
  int64_t batches = out.dim(0), samples = out.shape->num_elements(1, out.rank());
  if (has_one(1) && has_one(2) && c.input(3).rank() == 0 && c.input(4).rank() == 0) {
    batches = (out.num_elements + kBatch - 1) / kBatch;
    samples = kBatch;
  }
  Philox generator =
      counter.Reserve(static_cast<uint64_t>(batches) * 2 * kMaxIterations * (static_cast<uint64_t>(samples) + 3) / 4);
  for (int64_t b = 0; b < batches; ++b) {
    const auto parameter = [&](int i) { return Load<T>(c.input(i), c.input(i).num_elements == 1 ? 0 : b); };
    SF_ASSIGN_OR_RETURN(const BoundedNormal<T> normal,
                        BoundedNormal<T>::Make(parameter(1), parameter(2), parameter(3), parameter(4)));
    const int64_t first = b * samples, count = std::min(samples, out.num_elements - first);
    SF_RETURN_IF_ERROR(normal.Draw(generator, count, [&](int64_t i, T y) { out.as<T>()[first + i] = y; }));
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ParameterizedKernel(const KernelSetup& setup) {
  Kernel kernel;
  SF_ASSIGN_OR_RETURN(RandomCounter * counter, RandomCounterOf(setup));
  DispatchType<float, double, Half>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [counter](KernelContext& c) { return DrawParameterized<T>(c, *counter); };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
const OpRegistrar parameterized({.name = "ParameterizedTruncatedNormal",
                                 .inputs = {"shape: T", "means: dtype", "stdevs: dtype", "minvals: dtype",
                                            "maxvals: dtype"},
                                 .outputs = {"output: dtype"},
                                 .attrs = {kSeedAttr, kSeed2Attr, "dtype: {half, float, double}", "T: indextype"},
                                 .shape = ParameterizedShape,
                                 .gradient = kNotDifferentiable,
                                 .kernel = ParameterizedKernel,
                                 .traits = kStateful,
                                 .doc = "Normal numbers of given mean and deviation between given bounds."});

// StatelessParameterizedTruncatedNormal: the shape ends with that of the parameters, which broadcast.
absl::StatusOr<Shape> ParametersShape(const std::array<const Shape*, 4>& parameters) {
  Shape shape;
  for (const Shape* parameter : parameters) {
    SF_ASSIGN_OR_RETURN(shape, BroadcastShapes(shape, *parameter));
  }
  return shape;
}
absl::Status StatelessShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(ExpectElements(c, 1, 2));
  SF_ASSIGN_OR_RETURN(const Shape parameters, ParametersShape({&c.input(2), &c.input(3), &c.input(4), &c.input(5)}));
  return ShapeEndingWith(c, 0, parameters);
}
template <typename T>
absl::Status DrawStateless(KernelContext& c) {
  const TensorView& out = c.output(0);
  if (out.num_elements == 0) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const Shape shape,
                      ParametersShape({c.input(2).shape, c.input(3).shape, c.input(4).shape, c.input(5).shape}));
  const int64_t batches = shape.num_elements(), samples = out.num_elements / batches;
  Philox generator = FromSeedInput(c, 1);
  for (int64_t b = 0; b < batches; ++b) {
    const auto parameter = [&](int i) { return Load<T>(c.input(i), BroadcastIndex(c.input(i), shape, b)); };
    SF_ASSIGN_OR_RETURN(const BoundedNormal<T> normal,
                        BoundedNormal<T>::Make(parameter(2), parameter(3), parameter(4), parameter(5)));
    SF_RETURN_IF_ERROR(normal.Draw(generator, samples, [&](int64_t i, T y) { out.as<T>()[i * batches + b] = y; }));
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> StatelessKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half>(setup.output_dtype(0), [&]<typename T>() { kernel = DrawStateless<T>; });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

// The normal distribution function.
Output Ndtr(Output x) {
  const Output w = x * std::sqrt(0.5), z = Abs(w);
  const Output inner = Erf(w) + 1.0, outer = Where(Greater(w, 0.0), 2.0 - Erfc(z), Erfc(z));
  return Where(Less(z, std::sqrt(0.5)), inner, outer) * 0.5;
}

// Implicit differentiation (Figurnov et al. 2018): with q = the sample's quantile and x, l, h the sample and the bounds
// in units of the deviation,
//   dmean = dy, dstddev = x dy, dlow = e^((x^2 - l^2) / 2) (1 - q) dy, dhigh = e^((x^2 - h^2) / 2) q dy.
void StatelessGradient(GradientContext& c) {
  const Output mean = c.x(2), stddev = c.x(3);
  const DataType dtype = mean.dtype();
  if (dtype != DT_FLOAT && dtype != DT_DOUBLE) return c.Fail("no gradient for half");
  const Output low = (c.x(4) - mean) / stddev, high = (c.x(5) - mean) / stddev, x = (c.y(0) - mean) / stddev;
  const Output below = Ndtr(low);
  const bool is_float = dtype == DT_FLOAT;
  const double tiny = is_float ? std::numeric_limits<float>::min() : std::numeric_limits<double>::min();
  const double epsilon = is_float ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  const Output quantile = ClipByValue((Ndtr(x) - below) / (Ndtr(high) - below), tiny, 1 - epsilon);
  const Output dhigh = Exp((Square(x) - Square(high)) * 0.5 + Log(quantile));
  const Output dlow = Exp((Square(x) - Square(low)) * 0.5 + Log1p(Neg(quantile)));
  c.set_dx(2, SumToShapeOf(c.dy(0), mean));
  c.set_dx(3, SumToShapeOf(c.dy(0) * x, stddev));
  c.set_dx(4, SumToShapeOf(c.dy(0) * dlow, c.x(4)));
  c.set_dx(5, SumToShapeOf(c.dy(0) * dhigh, c.x(5)));
}
const OpRegistrar stateless({.name = "StatelessParameterizedTruncatedNormal",
                             .inputs = {"shape: S", "seed: Tseed", "means: dtype", "stddevs: dtype", "minvals: dtype",
                                        "maxvals: dtype"},
                             .outputs = {"output: dtype"},
                             .attrs = {"S: indextype", "Tseed: indextype = int64", "dtype: {half, float, double}"},
                             .shape = StatelessShape,
                             .gradient = StatelessGradient,
                             .kernel = StatelessKernel,
                             .doc = "Normal numbers between bounds that are a function of a seed."});

}  // namespace

Output ParameterizedTruncatedNormal(Operand shape, const TruncatedNormalParameters& parameters,
                                    const RandomSeedOptions& options) {
  if (!shape.output().valid()) return Output();
  const auto [seed, seed2] = shape.output().graph().OpSeeds(options.seed);
  const auto& [mean, stddev, low, high] = parameters;
  return NodeBuilder("ParameterizedTruncatedNormal", {shape, mean, stddev, low, high})
      .Attr("seed", seed)
      .Attr("seed2", seed2)
      .Name(options.name)
      .Build();
}

Output StatelessParameterizedTruncatedNormal(Operand shape, Operand seed, const TruncatedNormalParameters& parameters,
                                             const OpOptions& options) {
  const auto& [mean, stddev, low, high] = parameters;
  return NodeBuilder("StatelessParameterizedTruncatedNormal", {shape, seed, mean, stddev, low, high})
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
