// RandomShuffle, StatelessShuffle, Multinomial and StatelessMultinomial: random choices among given things.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/node_builder.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/random.h"
#include "ops/random_counter.h"
#include "ops/random_seed.h"

namespace staticflow {
namespace {

// RandomShuffle: the slices along dimension 0 in random order.
absl::Status ShuffleShape(ShapeContext& c) {
  c.set_output(0, c.input(0));
  return absl::OkStatus();
}

void CopySlice(const TensorView& from, int64_t i, const TensorView& to, int64_t j, int64_t size) {
  if (from.dtype == DT_STRING) {
    std::copy_n(from.as<std::string>() + i * size, size, to.as<std::string>() + j * size);
    return;
  }
  const int64_t bytes = size * DataTypeSize(from.dtype);
  std::memcpy(to.as<char>() + j * bytes, from.as<char>() + i * bytes, bytes);
}

// Each position from the first on trades places with a random one not before it (Fisher and Yates).
void Shuffle(const Philox& generator, int64_t* order, int64_t n) {
  PhiloxNumbers numbers(generator);
  for (int64_t i = 0; i + 1 < n; ++i) std::swap(order[i], order[i + numbers() % static_cast<uint32_t>(n - i)]);
}

// `generator` gives the generator for a number of blocks.
template <typename F>
absl::Status ShuffleSlices(KernelContext& c, F generator) {
  const TensorView& x = c.input(0);
  const int64_t n = x.rank() == 0 ? 1 : x.dim(0);
  if (x.num_elements == 0) return absl::OkStatus();
  const int64_t size = x.num_elements / n;
  if (n == 1) {  // nothing to choose, no numbers taken
    CopySlice(x, 0, c.output(0), 0, size);
    return absl::OkStatus();
  }
  SF_ASSIGN_OR_RETURN(int64_t * order, c.Scratch<int64_t>(n));
  std::iota(order, order + n, int64_t{0});
  Shuffle(generator(static_cast<uint64_t>((n - 1 + 3) / 4)), order, n);
  for (int64_t i = 0; i < n; ++i) CopySlice(x, order[i], c.output(0), i, size);
  return absl::OkStatus();
}

absl::Status CheckShuffled(const KernelSetup& setup) {
  const DataType dtype = setup.input_dtype(0);
  if (dtype != DT_STRING && (DataTypeSize(dtype) == 0 || IsObject(dtype))) return NoKernelFor(setup, dtype);
  return absl::OkStatus();
}

absl::StatusOr<Kernel> ShuffleKernel(const KernelSetup& setup) {
  SF_RETURN_IF_ERROR(CheckShuffled(setup));
  SF_ASSIGN_OR_RETURN(RandomCounter * counter, RandomCounterOf(setup));
  return Kernel([counter](KernelContext& c) -> absl::Status {
    return ShuffleSlices(c, [counter](uint64_t blocks) { return counter->Reserve(blocks); });
  });
}

const OpRegistrar random_shuffle({.name = "RandomShuffle",
                                  .inputs = {"value: T"},
                                  .outputs = {"output: T"},
                                  .attrs = {kSeedAttr, kSeed2Attr, "T: type"},
                                  .shape = ShuffleShape,
                                  .gradient = kNotDifferentiable,
                                  .kernel = ShuffleKernel,
                                  .traits = kStateful,
                                  .batch = MixBatch,
                                  .doc = "The slices along dimension 0 in random order."});

// StatelessShuffle: the same by a key and a counter.
absl::Status StatelessShuffleShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckKeyCounter(c, 1));
  return ShuffleShape(c);
}
absl::StatusOr<Kernel> StatelessShuffleKernel(const KernelSetup& setup) {
  SF_RETURN_IF_ERROR(CheckShuffled(setup));
  return Kernel([](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const Philox generator, FromKeyCounterInputs(c, 1));
    return ShuffleSlices(c, [&](uint64_t) { return generator; });
  });
}
const OpRegistrar stateless_shuffle({.name = "StatelessShuffle",
                                     .inputs = {"value: T", "key: uint64", "counter: uint64", "alg: int32"},
                                     .outputs = {"output: T"},
                                     .attrs = {"T: type"},
                                     .shape = StatelessShuffleShape,
                                     .gradient = kGradientIsError,
                                     .kernel = StatelessShuffleKernel,
                                     .batch = MixBatch,
                                     .doc = "The slices in an order that is a function of key and counter."});

// Multinomial: samples classes by their unnormalized log-probabilities.
absl::Status MultinomialShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape logits, c.WithRank(0, 2));
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_ASSIGN_OR_RETURN(const auto samples, c.Integers(1));
  if (samples.has_value() && (*samples)[0] < 0) {
    return absl::InvalidArgumentError(absl::StrCat("expected num_samples >= 0, got ", (*samples)[0]));
  }
  if (logits.dim(1) == 0) return absl::InvalidArgumentError("expected at least one class, got none");
  c.set_output(0, {logits.dim(0), samples.has_value() ? (*samples)[0] : Shape::kUnknownDim});
  return absl::OkStatus();
}

// sums[j] = the sum of exp(logits[i] - max) for i <= j, where infinite and NaN logits count nothing.
template <typename T>
void CumulativeExponents(const T* logits, int64_t classes, double* sums) {
  double largest = std::numeric_limits<double>::lowest();
  for (int64_t j = 0; j < classes; ++j) {
    const double logit = Widen(logits[j]);
    if (std::isfinite(logit)) largest = std::max(largest, logit);
  }
  double total = 0;
  for (int64_t j = 0; j < classes; ++j) {
    const double logit = Widen(logits[j]);
    if (std::isfinite(logit)) total += std::exp(logit - largest);
    sums[j] = total;
  }
}

// One stream of numbers goes through all rows, so the kernel does not split.
template <typename T, typename Class>
absl::Status SampleClasses(KernelContext& c, RandomCounter* counter) {
  const int64_t batch = c.input(0).dim(0), classes = c.input(0).dim(1), samples = c.output(0).dim(1);
  if (c.output(0).num_elements == 0) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(double* sums, c.Scratch<double>(classes));
  // Without a counter the seed is an input.
  PhiloxNumbers numbers(counter == nullptr ? FromSeedInput(c, 2)
                                           : counter->Reserve(BlocksFor(batch * ((samples + 3) / 4 * 4) * 2)));
  Class* y = c.out<Class>(0);
  for (int64_t b = 0; b < batch; ++b) {
    CumulativeExponents(c.in<T>(0) + b * classes, classes, sums);
    for (int64_t s = 0; s < samples; ++s) {
      const double point = numbers.NextDouble() * sums[classes - 1];
      const int64_t found = std::upper_bound(sums, sums + classes, point) - sums;
      y[b * samples + s] = static_cast<Class>(std::min(found, classes - 1));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> MultinomialKernel(const KernelSetup& setup) {
  Kernel kernel;
  RandomCounter* counter = nullptr;
  if (setup.num_inputs() == 2) {
    SF_ASSIGN_OR_RETURN(counter, RandomCounterOf(setup));
  }
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() {
        DispatchType<int32_t, int64_t>(setup.output_dtype(0), [&]<typename Class>() {
          kernel = [counter](KernelContext& c) { return SampleClasses<T, Class>(c, counter); };
        });
      });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

const OpRegistrar multinomial({.name = "Multinomial",
                               .inputs = {"logits: T", "num_samples: int32"},
                               .outputs = {"output: output_dtype"},
                               .attrs = {kSeedAttr, kSeed2Attr, kNumberT, "output_dtype: {int32, int64} = int64"},
                               .shape = MultinomialShape,
                               .gradient = kNotDifferentiable,
                               .kernel = MultinomialKernel,
                               .traits = kStateful,
                               .batch = VectorsBatch,
                               .doc = "Class numbers drawn from the softmax of each row of logits."});

absl::Status StatelessMultinomialShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape seed, c.WithRank(2, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(seed.dim(0), 2, "elements of seed").status());
  return MultinomialShape(c);
}
const OpRegistrar stateless_multinomial({.name = "StatelessMultinomial",
                                         .inputs = {"logits: T", "num_samples: int32", "seed: Tseed"},
                                         .outputs = {"output: output_dtype"},
                                         .attrs = {kNumberT, "Tseed: indextype = int64",
                                                   "output_dtype: indextype = int64"},
                                         .shape = StatelessMultinomialShape,
                                         .gradient = kNotDifferentiable,
                                         .kernel = MultinomialKernel,
                                         .doc = "Class numbers drawn from the softmax of logits by a seed."});

Output Seeded(NodeBuilder builder, const Operand& anchor, const RandomSeedOptions& options) {
  if (!anchor.output().valid()) return Output();
  const auto [seed, seed2] = anchor.output().graph().OpSeeds(options.seed);
  return builder.Attr("seed", seed).Attr("seed2", seed2).Name(options.name).Build();
}

}  // namespace

Output RandomShuffle(Operand value, const RandomSeedOptions& options) {
  return Seeded(NodeBuilder("RandomShuffle", {value}), value, options);
}

Output Multinomial(Operand logits, Operand num_samples, const RandomSeedOptions& options) {
  return Seeded(NodeBuilder("Multinomial", {logits, num_samples}), logits, options);
}

}  // namespace staticflow
