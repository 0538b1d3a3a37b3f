// Dropout, as tf.nn composes it of simpler ops.
#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/nn_composition.h"
#include "ops/random.h"

namespace staticflow {

// Dropout: y = x / (1 - rate) where u >= rate, 0 elsewhere, for uniform u in [0, 1).
Output Dropout(Operand x, const DropoutOptions& options) {
  if (!x.output().valid()) return Output();
  const Output features = x.output();
  if (!(options.rate >= 0 && options.rate < 1)) {
    features.graph().RecordError(absl::InvalidArgumentError(
        absl::StrCat("Dropout of '", features.name(), "': expected a rate in [0, 1), got ", options.rate)));
    return Output();
  }
  if (options.rate == 0) return features;
  Composition scope(x, options.name, "dropout");
  Graph& g = scope.graph();
  const Output scaled = Mul(features, Const(g, ScalarOf(features.dtype(), 1 / (1 - options.rate))), {.name = "Mul"});
  const Output shape = features.shape().IsFullyDefined()
                           ? Const(g, Ints(features.shape()).AsTensor(), {.name = "Shape"})
                           : ShapeOf(features);
  const Output uniform = RandomUniform(g, shape, {.dtype = features.dtype(), .seed = options.seed});
  const Output keep = GreaterEqual(uniform, options.rate);
  return Where(keep, scaled, Const(g, ScalarOf(features.dtype(), 0)));
}

}  // namespace staticflow
