// Constraints: cheap values that build, from a variable's value, the one that an optimizer puts back after its update.
//
//   layers::Dense(g, x, {.units = 100, .kernel_constraint = constraints::MaxNorm({.max_value = 2})});
//   GetVariable(g, "w", {.shape = {3}, .constraint = constraints::NonNeg()});
//
// The norm of a vector is sqrt(sum(w^2)) over `axes`; for a kernel [inputs, units], axis 0 gives one norm for each
// unit, for a convolution's [rows, columns, channels, filters] it is {0, 1, 2}.
//
// The factories are pure and may be called from any thread; calling a constraint adds to its graph. Wrong axes are
// InvalidArgument and stick to the graph. Source of formulas: tf.keras.constraints (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_CONSTRAINTS_H_
#define STATICFLOW_OPS_CONSTRAINTS_H_

#include <cstdint>
#include <vector>

#include "ops/state.h"

namespace staticflow::constraints {

struct MaxNormOptions {
  double max_value = 2;
  std::vector<int64_t> axes = {0};
};
// Vectors whose norm is above max_value are scaled down to it.
Constraint MaxNorm(const MaxNormOptions& options = {});

// What is below 0 becomes 0.
Constraint NonNeg();

struct UnitNormOptions {
  std::vector<int64_t> axes = {0};
};
// Vectors are scaled to norm 1.
Constraint UnitNorm(const UnitNormOptions& options = {});

struct MinMaxNormOptions {
  double min_value = 0;
  double max_value = 1;
  double rate = 1;  // the share of the way to the nearest allowed norm that one step goes
  std::vector<int64_t> axes = {0};
};
// Vectors are scaled towards norms in [min_value, max_value].
Constraint MinMaxNorm(const MinMaxNormOptions& options = {});

}  // namespace staticflow::constraints

#endif  // STATICFLOW_OPS_CONSTRAINTS_H_
