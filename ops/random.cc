// RandomUniform, RandomStandardNormal, TruncatedNormal, RandomUniformInt and the builders of tf.random over them.
#include "ops/random.h"

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/node_builder.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/nn_composition.h"
#include "ops/random_counter.h"

namespace staticflow {
namespace {

// One call takes one stretch of the counter, so these kernels do not split.
template <typename Distribution>
absl::StatusOr<Kernel> RandomKernel(const KernelSetup& setup) {
  Kernel kernel;
  SF_ASSIGN_OR_RETURN(RandomCounter * counter, RandomCounterOf(setup));
  DispatchType<float, double, Half, BFloat16>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [counter](KernelContext& c) {
      const int64_t n = c.output(0).num_elements;
      FillRandom(counter->Reserve(BlocksFor(n)), Distribution(), c.out<T>(0), 0, n);
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

OpSpec RandomOp(std::string name, KernelSource kernel, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"shape: T"},
          .outputs = {"output: dtype"},
          .attrs = {kSeedAttr, kSeed2Attr, "dtype: {half, bfloat16, float, double}", "T: {int32, int64}"},
          .shape = ShapeFromInput,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .traits = kStateful,
          .doc = std::move(doc)};
}

const OpRegistrar random_uniform(RandomOp("RandomUniform", RandomKernel<UniformDistribution>,
                                          "Uniform random numbers in [0, 1)."));
const OpRegistrar random_standard_normal(RandomOp("RandomStandardNormal", RandomKernel<NormalDistribution>,
                                                  "Normal random numbers with mean 0 and deviation 1."));
const OpRegistrar truncated_normal(RandomOp("TruncatedNormal", RandomKernel<TruncatedNormalDistribution>,
                                            "Standard normal random numbers below 2 in magnitude."));

// RandomUniformInt: uniform integers in [minval, maxval).
absl::Status RandomUniformIntShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_RETURN_IF_ERROR(c.WithRank(2, 0).status());
  return ShapeFromInput(c);
}

absl::StatusOr<Kernel> RandomUniformIntKernel(const KernelSetup& setup) {
  Kernel kernel;
  SF_ASSIGN_OR_RETURN(RandomCounter * counter, RandomCounterOf(setup));
  DispatchType<int32_t, int64_t>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [counter](KernelContext& c) -> absl::Status {
      const int64_t n = c.output(0).num_elements;
      if (n == 0) return absl::OkStatus();
      SF_ASSIGN_OR_RETURN(const auto distribution, UniformIntBetween(c.scalar<T>(1), c.scalar<T>(2)));
      FillRandom(counter->Reserve(BlocksFor(n)), distribution, c.out<T>(0), 0, n);
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

const OpRegistrar random_uniform_int({.name = "RandomUniformInt",
                                      .inputs = {"shape: T", "minval: Tout", "maxval: Tout"},
                                      .outputs = {"output: Tout"},
                                      .attrs = {kSeedAttr, kSeed2Attr, "Tout: {int32, int64}", "T: {int32, int64}"},
                                      .shape = RandomUniformIntShape,
                                      .gradient = kNotDifferentiable,
                                      .kernel = RandomUniformIntKernel,
                                      .traits = kStateful,
                                      .doc = "Uniform random integers in [minval, maxval)."});

Output ShapeInput(Graph& g, const Ints& shape) {
  return shape.is_output() ? shape.output() : Const(g, shape.AsTensor(), {.name = "shape"});
}

// `operands` are all but the seeds, whose default counts the nodes built so far: they have to exist.
Output RandomNode(absl::string_view type, std::initializer_list<Operand> operands, int64_t seed,
                  absl::string_view dtype_attr, DataType dtype, absl::string_view name) {
  for (const Operand& operand : operands) {
    if (!operand.output().valid()) return Output();
  }
  const auto [seed1, seed2] = operands.begin()->output().graph().OpSeeds(seed);
  return NodeBuilder(type, operands)
      .Attr("seed", seed1)
      .Attr("seed2", seed2)
      .Attr(dtype_attr, dtype)
      .Name(name)
      .Build();
}

Output NormalBuilder(Graph& g, const Ints& shape, const RandomNormalOptions& options, absl::string_view type,
                     absl::string_view scope_name) {
  Composition scope(g, options.where, options.name, scope_name);
  const Output dims = ShapeInput(g, shape);
  const Output mean = Const(g, ScalarOf(options.dtype, options.mean), {.name = "mean"});
  const Output stddev = Const(g, ScalarOf(options.dtype, options.stddev), {.name = "stddev"});
  const Output normal = RandomNode(type, {dims}, options.seed, "dtype", options.dtype, "");
  return Add(normal * stddev, mean, {.name = scope.name()});
}

}  // namespace

Output RandomUniform(Graph& g, const Ints& shape, const RandomUniformOptions& options) {
  Composition scope(g, options.where, options.name, "random_uniform");
  const Output dims = ShapeInput(g, shape);
  const bool integers = IsInteger(options.dtype);
  if (!integers && options.minval == 0 && options.maxval == 1) {
    return RandomNode("RandomUniform", {dims}, options.seed, "dtype", options.dtype, "");
  }
  const Output min = Const(g, ScalarOf(options.dtype, options.minval), {.name = "min"});
  const Output max = Const(g, ScalarOf(options.dtype, options.maxval), {.name = "max"});
  if (integers) {
    return RandomNode("RandomUniformInt", {dims, min, max}, options.seed, "Tout", options.dtype, scope.name());
  }
  const Output uniform = RandomNode("RandomUniform", {dims}, options.seed, "dtype", options.dtype, "");
  const Output range = max - min;
  return Add(uniform * range, min, {.name = scope.name()});
}

Output RandomNormal(Graph& g, const Ints& shape, const RandomNormalOptions& options) {
  return NormalBuilder(g, shape, options, "RandomStandardNormal", "random_normal");
}

Output TruncatedNormal(Graph& g, const Ints& shape, const RandomNormalOptions& options) {
  return NormalBuilder(g, shape, options, "TruncatedNormal", "truncated_normal");
}

}  // namespace staticflow
