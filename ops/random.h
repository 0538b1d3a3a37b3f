// Random numbers: Philox4x32-10 by TensorFlow's seed rules, bit for bit TensorFlow's numbers on a CPU.
//
//   Output u = RandomUniform(g, {60, 100}, {.maxval = 0.5, .seed = 1});     a new sample in every step
//   Output v = StatelessRandomUniform({60, 100}, seed);                  a function of `seed`
//
// A stateful op counts its samples in the session: the n-th run of an op gives the same numbers in every session. Its
// seeds come from the graph's seed and its own by TensorFlow's rule (Graph::OpSeeds), so that a program gives the same
// numbers whenever it runs; a node from a file whose two seeds are 0 derives its key from its name.
//
// Shapes are lists or integer vectors of the graph. Types are half, bfloat16, float or double unless stated. Nothing
// here is differentiable. The functions add to the graph and are not thread-safe.
#ifndef STATICFLOW_OPS_RANDOM_H_
#define STATICFLOW_OPS_RANDOM_H_

#include <cstdint>
#include <source_location>
#include <string>

#include "graph/graph.h"
#include "ops/array.h"

namespace staticflow {

struct RandomUniformOptions {
  double minval = 0;
  double maxval = 1;
  DataType dtype = DT_FLOAT;  // int32 and int64 too: then the bounds are integers and maxval must be given
  int64_t seed = 0;           // 0: the graph chooses one
  std::string name = "";      // of the scope; "": "random_uniform"
  std::source_location where = std::source_location::current();
};
// Uniform in [minval, maxval). Nodes: random_uniform/{shape,min,max,RandomUniform,sub,mul} and random_uniform, or
// RandomUniform alone for [0, 1); RandomUniformInt for integers, InvalidArgument (when run) unless minval < maxval.
Output RandomUniform(Graph& g, const Ints& shape, const RandomUniformOptions& options = {});

struct RandomNormalOptions {
  double mean = 0;
  double stddev = 1;
  DataType dtype = DT_FLOAT;
  int64_t seed = 0;
  std::string name = "";  // of the scope; "": "random_normal" or "truncated_normal"
  std::source_location where = std::source_location::current();
};
// Normal. Nodes: random_normal/{shape,mean,stddev,RandomStandardNormal,mul} and random_normal.
Output RandomNormal(Graph& g, const Ints& shape, const RandomNormalOptions& options = {});
// Normal, where values more than two standard deviations from the mean are drawn again.
// Nodes: truncated_normal/{shape,mean,stddev,TruncatedNormal,mul} and truncated_normal.
Output TruncatedNormal(Graph& g, const Ints& shape, const RandomNormalOptions& options = {});

struct RandomSeedOptions {
  int64_t seed = 0;
  std::string name = "";
};
// `value` (any type) with its slices along dimension 0 in random order.
Output RandomShuffle(Operand value, const RandomSeedOptions& options = {});
// `num_samples` class numbers (int64) for each row of [batch, classes] logits, class j with probability
// softmax(logits)[j]: [batch, num_samples]. logits: any real number type.
Output Multinomial(Operand logits, Operand num_samples, const RandomSeedOptions& options = {});
// `shape` samples for each element of a parameter, shape + parameter.shape: of the gamma distribution of shape alpha
// and scale 1 (half, float, double; alpha has a gradient, but for half), and of the Poisson distribution of mean `rate`
// (result: int64 unless the rate is floating, then its type). A parameter out of range gives NaN, an integer -1.
Output RandomGamma(Operand shape, Operand alpha, const RandomSeedOptions& options = {});
Output RandomPoisson(Operand shape, Operand rate, const RandomSeedOptions& options = {});

// A normal distribution between bounds, of which one may be infinite. half, float or double, all of one type.
struct TruncatedNormalParameters {
  Operand mean, stddev, minval, maxval;
};
// `shape`, which has at least one dimension; the parameters are scalars or one per index of dimension 0. When run:
// InvalidArgument unless stddev > 0 and minval < maxval.
Output ParameterizedTruncatedNormal(Operand shape, const TruncatedNormalParameters& parameters,
                                    const RandomSeedOptions& options = {});

struct StatelessOptions {
  DataType dtype = DT_FLOAT;
  std::string name = "";
};
// Functions of `seed`, a vector of two integers. The integer form is uniform in [minval, maxval), int32 or int64 as
// those are; running it gives InvalidArgument unless minval < maxval.
Output StatelessRandomUniform(const Ints& shape, Operand seed, const StatelessOptions& options = {});
Output StatelessRandomNormal(const Ints& shape, Operand seed, const StatelessOptions& options = {});
Output StatelessTruncatedNormal(const Ints& shape, Operand seed, const StatelessOptions& options = {});
Output StatelessRandomUniformInt(const Ints& shape, Operand seed, Operand minval, Operand maxval,
                                 const OpOptions& options = {});
// `shape` ends with that of the parameters, broadcast: how many of `counts` trials succeed with probability `probs`
// (half, float or double; result: any of these, int32, int64), and gamma-distributed numbers of shape alpha and scale 1
// (with a gradient by alpha), and normal numbers between bounds (with gradients by all parameters).
Output StatelessRandomBinomial(Operand shape, Operand seed, Operand counts, Operand probs,
                               const StatelessOptions& options = {});
Output StatelessRandomGamma(Operand shape, Operand seed, Operand alpha, const OpOptions& options = {});
Output StatelessParameterizedTruncatedNormal(Operand shape, Operand seed, const TruncatedNormalParameters& parameters,
                                             const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_RANDOM_H_
