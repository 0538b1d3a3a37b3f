// The stateless random ops: functions of a seed, or (V2) of a key and a counter.
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/node_builder.h"
#include "ops/array_nodes.h"
#include "ops/elementwise.h"
#include "ops/random.h"
#include "ops/random_counter.h"
#include "ops/random_seed.h"

namespace staticflow {
namespace {

uint64_t Join(uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; }

// Where a stateless op finds its generator: input 1 is a seed, or inputs 1 to 3 are key, counter and algorithm.
struct SeedSource {
  static constexpr int kInputs = 1;
  static absl::Status CheckShapes(ShapeContext& c) { return ExpectElements(c, 1, 2); }
  static absl::StatusOr<Philox> Generator(const KernelContext& c) { return FromSeedInput(c, 1); }
};

struct KeyCounterSource {
  static constexpr int kInputs = 3;
  static absl::Status CheckShapes(ShapeContext& c) { return CheckKeyCounter(c, 1); }
  static absl::StatusOr<Philox> Generator(const KernelContext& c) { return FromKeyCounterInputs(c, 1); }
};

template <typename Source>
absl::Status StatelessShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(Source::CheckShapes(c));
  for (int i = 1 + Source::kInputs; i < c.num_inputs(); ++i) SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  return ShapeFromInput(c);
}

template <typename Source, typename Distribution>
absl::StatusOr<Kernel> StatelessKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) -> absl::Status {
      SF_ASSIGN_OR_RETURN(const Philox generator, Source::Generator(c));
      FillRandom(generator, Distribution(), c.out<T>(0), c.range().begin, c.range().end);
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

template <typename Source>
absl::StatusOr<Kernel> StatelessIntKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<int32_t, int64_t, uint32_t, uint64_t>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) -> absl::Status {
      constexpr int low = 1 + Source::kInputs;
      if (c.output(0).num_elements == 0) return absl::OkStatus();
      SF_ASSIGN_OR_RETURN(const Philox generator, Source::Generator(c));
      SF_ASSIGN_OR_RETURN(const auto distribution, UniformIntBetween(c.scalar<T>(low), c.scalar<T>(low + 1)));
      FillRandom(generator, distribution, c.out<T>(0), c.range().begin, c.range().end);
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

constexpr char kFloatDtype[] = "dtype: {half, bfloat16, float, double} = float";

OpSpec StatelessOp(std::string name, KernelSource kernel, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"shape: T", "seed: Tseed"},
          .outputs = {"output: dtype"},
          .attrs = {kFloatDtype, "T: {int32, int64} = int32", "Tseed: {int32, int64} = int64"},
          .shape = StatelessShape<SeedSource>,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .iteration = {.split = Split::kFlat},
          .doc = std::move(doc)};
}

OpSpec StatelessOpV2(std::string name, KernelSource kernel, std::string doc) {
  OpSpec spec = StatelessOp(std::move(name), kernel, std::move(doc));
  spec.inputs = {"shape: Tshape", "key: uint64", "counter: uint64", "alg: int32"};
  spec.attrs = {kFloatDtype, "Tshape: {int32, int64} = int32"};
  spec.shape = StatelessShape<KeyCounterSource>;
  return spec;
}

// Adds the bounds, of the type of the result.
OpSpec WithBounds(OpSpec spec, std::string dtype_attr) {
  spec.inputs.push_back("minval: dtype");
  spec.inputs.push_back("maxval: dtype");
  spec.attrs[0] = std::move(dtype_attr);
  return spec;
}

const OpRegistrar uniform(StatelessOp("StatelessRandomUniform", StatelessKernel<SeedSource, UniformDistribution>,
                                      "Uniform numbers in [0, 1) that are a function of the seed."));
const OpRegistrar normal(StatelessOp("StatelessRandomNormal", StatelessKernel<SeedSource, NormalDistribution>,
                                     "Standard normal numbers that are a function of the seed."));
const OpRegistrar truncated(StatelessOp("StatelessTruncatedNormal",
                                        StatelessKernel<SeedSource, TruncatedNormalDistribution>,
                                        "Truncated standard normal numbers that are a function of the seed."));
const OpRegistrar uniform_int(WithBounds(StatelessOp("StatelessRandomUniformInt", StatelessIntKernel<SeedSource>,
                                                     "Uniform integers that are a function of the seed."),
                                         "dtype: {int32, int64}"));

const OpRegistrar uniform_v2(StatelessOpV2("StatelessRandomUniformV2",
                                           StatelessKernel<KeyCounterSource, UniformDistribution>,
                                           "Uniform numbers in [0, 1) that are a function of key and counter."));
const OpRegistrar normal_v2(StatelessOpV2("StatelessRandomNormalV2",
                                          StatelessKernel<KeyCounterSource, NormalDistribution>,
                                          "Standard normal numbers that are a function of key and counter."));
const OpRegistrar truncated_v2(StatelessOpV2("StatelessTruncatedNormalV2",
                                             StatelessKernel<KeyCounterSource, TruncatedNormalDistribution>,
                                             "Truncated standard normal numbers, a function of key and counter."));
const OpRegistrar uniform_int_v2(WithBounds(StatelessOpV2("StatelessRandomUniformIntV2",
                                                          StatelessIntKernel<KeyCounterSource>,
                                                          "Uniform integers that are a function of key and counter."),
                                            "dtype: {int32, int64, uint32, uint64}"));

// StatelessRandomUniformFullInt: every integer of the type is as likely.
template <typename Source>
absl::StatusOr<Kernel> FullIntKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<int32_t, int64_t, uint32_t, uint64_t>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) -> absl::Status {
      SF_ASSIGN_OR_RETURN(const Philox generator, Source::Generator(c));
      FillRandom(generator, FullIntDistribution(), c.out<T>(0), c.range().begin, c.range().end);
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
OpSpec OfIntegers(OpSpec spec) {
  spec.attrs[0] = "dtype: {int32, int64, uint32, uint64} = uint64";
  return spec;
}
const OpRegistrar full_int(OfIntegers(StatelessOp("StatelessRandomUniformFullInt", FullIntKernel<SeedSource>,
                                                  "Integers of the whole range, a function of the seed.")));
const OpRegistrar full_int_v2(OfIntegers(StatelessOpV2("StatelessRandomUniformFullIntV2",
                                                       FullIntKernel<KeyCounterSource>,
                                                       "Integers of the whole range, a function of key and counter.")));

// StatelessRandomGetKeyCounter: the key and the counter that a seed stands for.
absl::Status KeyCounterShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(ExpectElements(c, 0, 2));
  c.set_output(0, {1});
  c.set_output(1, {2});
  if (c.num_outputs() == 3) c.set_output(2, {});
  return absl::OkStatus();
}

absl::Status KeyCounterKernel(KernelContext& c) {
  const Philox generator = FromSeedInput(c, 0);
  *c.out<uint64_t>(0) = Join(generator.key()[0], generator.key()[1]);
  c.out<uint64_t>(1)[0] = Join(generator.counter()[0], generator.counter()[1]);
  c.out<uint64_t>(1)[1] = Join(generator.counter()[2], generator.counter()[3]);
  if (c.num_outputs() == 3) *c.out<int32_t>(2) = kPhiloxAlgorithm;
  return absl::OkStatus();
}

const OpRegistrar key_counter({.name = "StatelessRandomGetKeyCounter",
                               .inputs = {"seed: Tseed"},
                               .outputs = {"key: uint64", "counter: uint64"},
                               .attrs = {"Tseed: {int32, int64} = int64"},
                               .shape = KeyCounterShape,
                               .gradient = kNotDifferentiable,
                               .kernel = KeyCounterKernel,
                               .doc = "The key and counter that a seed stands for."});
const OpRegistrar key_counter_alg({.name = "StatelessRandomGetKeyCounterAlg",
                                   .inputs = {"seed: Tseed"},
                                   .outputs = {"key: uint64", "counter: uint64", "alg: int32"},
                                   .attrs = {"Tseed: {int32, int64} = int64"},
                                   .shape = KeyCounterShape,
                                   .gradient = kNotDifferentiable,
                                   .kernel = KeyCounterKernel,
                                   .doc = "The key, counter and algorithm that a seed stands for."});

// StatelessRandomGetAlg: the algorithm of this machine, always Philox.
absl::Status AlgorithmKernel(KernelContext& c) {
  *c.out<int32_t>(0) = kPhiloxAlgorithm;
  return absl::OkStatus();
}

const OpRegistrar algorithm({.name = "StatelessRandomGetAlg",
                             .outputs = {"alg: int32"},
                             .shape = ScalarShape,
                             .gradient = kNotDifferentiable,
                             .kernel = AlgorithmKernel,
                             .traits = kStateful,
                             .doc = "The number of the random algorithm: 1, Philox."});

Output StatelessNode(absl::string_view type, const Ints& shape, const Operand& seed, const StatelessOptions& options) {
  const NodeName name(seed, options.name, type);
  if (!name) return Output();
  return NodeBuilder(type, {name.Vector(shape, "shape"), seed}).Attr("dtype", options.dtype).Name(name.exact()).Build();
}

}  // namespace

Output StatelessRandomUniform(const Ints& shape, Operand seed, const StatelessOptions& options) {
  return StatelessNode("StatelessRandomUniform", shape, seed, options);
}

Output StatelessRandomNormal(const Ints& shape, Operand seed, const StatelessOptions& options) {
  return StatelessNode("StatelessRandomNormal", shape, seed, options);
}

Output StatelessTruncatedNormal(const Ints& shape, Operand seed, const StatelessOptions& options) {
  return StatelessNode("StatelessTruncatedNormal", shape, seed, options);
}

Output StatelessRandomUniformInt(const Ints& shape, Operand seed, Operand minval, Operand maxval,
                                 const OpOptions& options) {
  const NodeName name(seed, options.name, "StatelessRandomUniformInt");
  if (!name) return Output();
  return NodeBuilder("StatelessRandomUniformInt", {name.Vector(shape, "shape"), seed, minval, maxval})
      .Name(name.exact())
      .Build();
}

}  // namespace staticflow
