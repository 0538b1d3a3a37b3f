// Initializers: cheap values that build the initial value of a variable.
//
//   Variable w = GetVariable(g, "kernel", {.shape = {784, 100}, .initializer = initializers::GlorotUniform({.seed =
//   1})});
//
// An initializer adds its nodes where it is called, named as TensorFlow 1 names them (random_uniform/RandomUniform,
// ...), and gives an Output of the asked type and shape. A seed of 0 leaves the choice to the graph (Graph::OpSeeds);
// either way a program gives the same numbers in every run. Random initializers are for floating types.
//
// The factories are pure and may be called from any thread; calling an initializer adds to its graph.
#ifndef STATICFLOW_OPS_INITIALIZERS_H_
#define STATICFLOW_OPS_INITIALIZERS_H_

#include <cstdint>

#include "graph/tensor.h"
#include "graph/variable_scope.h"

namespace staticflow::initializers {

// All 0, 1 or `value`, of any number type.
Initializer Zeros();
Initializer Ones();
Initializer Constant(double value);
// A copy of `tensor`, whose type and shape must be the variable's.
Initializer FromTensor(Tensor tensor);

struct UniformOptions {
  double minval = 0;
  double maxval = 1;
  int64_t seed = 0;
};
Initializer RandomUniform(const UniformOptions& options = {});

struct NormalOptions {
  double mean = 0;
  double stddev = 1;
  int64_t seed = 0;
};
Initializer RandomNormal(const NormalOptions& options = {});
// Values more than two standard deviations from the mean are drawn again.
Initializer TruncatedNormal(const NormalOptions& options = {});

enum class Fan { kIn, kOut, kAverage };
enum class Distribution { kTruncatedNormal, kUntruncatedNormal, kUniform };

struct VarianceScalingOptions {
  double scale = 1;
  Fan mode = Fan::kIn;
  Distribution distribution = Distribution::kTruncatedNormal;
  int64_t seed = 0;
};
// Variance scale / n, where n counts the inputs or outputs of a unit, or is their mean. For a shape [..., in, out] the
// leading dimensions are the window of a convolution and multiply both counts.
Initializer VarianceScaling(const VarianceScalingOptions& options = {});

struct SeedOptions {
  int64_t seed = 0;
};
// VarianceScaling by name: Glorot (1, average), He (2, in) and Lecun (1, in); uniform or truncated normal.
Initializer GlorotUniform(const SeedOptions& options = {});
Initializer GlorotNormal(const SeedOptions& options = {});
Initializer HeUniform(const SeedOptions& options = {});
Initializer HeNormal(const SeedOptions& options = {});
Initializer LecunUniform(const SeedOptions& options = {});
Initializer LecunNormal(const SeedOptions& options = {});

struct OrthogonalOptions {
  double gain = 1;
  int64_t seed = 0;
};
// gain times a matrix with orthonormal rows or columns, whichever are fewer, as [product of the others, last]
// dimension. float and double; InvalidArgument for rank below 2.
Initializer Orthogonal(const OrthogonalOptions& options = {});

struct IdentityOptions {
  double gain = 1;
};
// gain on the main diagonal, zeros elsewhere. InvalidArgument unless the rank is 2.
Initializer Identity(const IdentityOptions& options = {});

}  // namespace staticflow::initializers

#endif  // STATICFLOW_OPS_INITIALIZERS_H_
