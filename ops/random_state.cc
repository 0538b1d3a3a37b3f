// Random numbers whose generator is in a variable: StatefulUniform and its kin, StatefulStandardNormalV2,
// StatefulTruncatedNormal, RngSkip, RngReadAndSkip. They are what tf.random.Generator runs.
#include "graph/gradients.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/random_counter.h"
#include "ops/random_seed.h"

namespace staticflow {
namespace {

// The algorithm of a generator in a variable: Unimplemented for the one that only accelerators have.
absl::Status CheckStateAlgorithm(int64_t algorithm) {
  if (algorithm == kThreeFryAlgorithm) return absl::UnimplementedError("algorithm 2 (ThreeFry) is not for processors");
  return CheckAlgorithm(algorithm);
}

// (resource, algorithm, shape, ...): scalars from input 3 on.
absl::Status StateShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_RETURN_IF_ERROR(c.WithRank(2, 1).status());
  for (int i = 3; i < c.num_inputs(); ++i) SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  SF_ASSIGN_OR_RETURN(Shape shape, DimsFromInput(c, 2));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

template <typename T, typename Distribution>
absl::Status FillFromState(KernelContext& c, const Distribution& distribution) {
  SF_RETURN_IF_ERROR(CheckStateAlgorithm(c.scalar<int64_t>(1)));
  const int64_t n = c.output(0).num_elements;
  SF_ASSIGN_OR_RETURN(const Philox generator, TakeFromState(c, BlocksFor(n)));
  FillRandom(generator, distribution, c.out<T>(0), 0, n);
  return absl::OkStatus();
}

template <typename Distribution>
absl::StatusOr<Kernel> FloatKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) { return FillFromState<T>(c, Distribution()); };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

OpSpec StateOp(std::string name, KernelSource kernel, std::string dtype_attr, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"resource: resource", "algorithm: int64", "shape: shape_dtype"},
          .outputs = {"output: dtype"},
          .attrs = {std::move(dtype_attr), "shape_dtype: {int32, int64} = int64"},
          .shape = StateShape,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .traits = kStateful,
          .access = {{0, Access::kUpdate}},
          .doc = std::move(doc)};
}

constexpr char kFloats[] = "dtype: {half, bfloat16, float, double} = float";
const OpRegistrar uniform(StateOp("StatefulUniform", FloatKernel<UniformDistribution>, kFloats,
                                  "Uniform numbers in [0, 1) of the generator in a variable."));
const OpRegistrar normal(StateOp("StatefulStandardNormalV2", FloatKernel<NormalDistribution>, kFloats,
                                 "Standard normal numbers of the generator in a variable."));
const OpRegistrar truncated(StateOp("StatefulTruncatedNormal", FloatKernel<TruncatedNormalDistribution>, kFloats,
                                    "Standard normal numbers below 2 in magnitude of the generator in a variable."));

// StatefulUniformFullInt: integers of the whole range.
absl::StatusOr<Kernel> FullIntKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<int32_t, int64_t, uint32_t, uint64_t>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) { return FillFromState<T>(c, FullIntDistribution()); };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
const OpRegistrar full_int(StateOp("StatefulUniformFullInt", FullIntKernel,
                                   "dtype: {int32, int64, uint32, uint64} = uint64",
                                   "Integers of the whole range of the generator in a variable."));

// StatefulUniformInt: integers in [minval, maxval), which may not be empty even where there is nothing to draw.
absl::StatusOr<Kernel> UniformIntKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<int32_t, int64_t>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) -> absl::Status {
      SF_ASSIGN_OR_RETURN(const auto distribution, UniformIntBetween(c.scalar<T>(3), c.scalar<T>(4)));
      return FillFromState<T>(c, distribution);
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
OpSpec UniformIntOp() {
  OpSpec spec = StateOp("StatefulUniformInt", UniformIntKernel, "dtype: {int32, int64} = int64",
                        "Uniform integers in [minval, maxval) of the generator in a variable.");
  spec.inputs.insert(spec.inputs.end(), {"minval: dtype", "maxval: dtype"});
  return spec;
}
const OpRegistrar uniform_int(UniformIntOp());

// RngSkip, RngReadAndSkip: moves the generator on as if `delta` numbers had been drawn; what it was before.
absl::Status SkipShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_RETURN_IF_ERROR(c.WithRank(2, 0).status());
  if (c.num_outputs() > 0) c.set_output(0, {3});
  return absl::OkStatus();
}
absl::Status SkipKernel(KernelContext& c) {
  SF_RETURN_IF_ERROR(CheckStateAlgorithm(c.scalar<int64_t>(1)));
  return TakeFromState(c, static_cast<uint64_t>(c.scalar<int64_t>(2)) * kReservedPerResult).status();
}
const OpRegistrar skip({.name = "RngSkip",
                        .inputs = {"resource: resource", "algorithm: int64", "delta: int64"},
                        .shape = SkipShape,
                        .gradient = kNotDifferentiable,
                        .kernel = SkipKernel,
                        .traits = kStateful,
                        .access = {{0, Access::kUpdate}},
                        .doc = "Moves the generator in a variable on."});

absl::Status ReadAndSkipKernel(KernelContext& c) {
  SF_RETURN_IF_ERROR(CheckStateAlgorithm(c.scalar<int32_t>(1)));
  SF_ASSIGN_OR_RETURN(const Philox before, TakeFromState(c, c.scalar<uint64_t>(2) * kReservedPerResult));
  const auto join = [](uint32_t low, uint32_t high) { return static_cast<int64_t>(low | uint64_t{high} << 32); };
  int64_t* value = c.out<int64_t>(0);
  value[0] = join(before.counter()[0], before.counter()[1]);
  value[1] = join(before.counter()[2], before.counter()[3]);
  value[2] = join(before.key()[0], before.key()[1]);
  return absl::OkStatus();
}
const OpRegistrar read_and_skip({.name = "RngReadAndSkip",
                                 .inputs = {"resource: resource", "alg: int32", "delta: uint64"},
                                 .outputs = {"value: int64"},
                                 .shape = SkipShape,
                                 .gradient = kNotDifferentiable,
                                 .kernel = ReadAndSkipKernel,
                                 .traits = kStateful,
                                 .access = {{0, Access::kUpdate}},
                                 .doc = "Moves the generator in a variable on and gives what it was before."});

}  // namespace
}  // namespace staticflow
