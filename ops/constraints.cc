#include "ops/constraints.h"

#include "ops/math.h"

namespace staticflow::constraints {
namespace {

constexpr double kEpsilon = 1e-7;  // Keras's: a zero vector stays zero

Output Norms(Output w, const std::vector<int64_t>& axes) { return Sqrt(Sum(Square(w), axes, {.keep_dims = true})); }

}  // namespace

Constraint MaxNorm(const MaxNormOptions& options) {
  return [options](Output w) -> Output {
    const Output norms = Norms(w, options.axes);
    return w * (ClipByValue(norms, 0, options.max_value) / (norms + kEpsilon));
  };
}

Constraint NonNeg() {
  return [](Output w) -> Output { return w * Cast(GreaterEqual(w, 0), w.dtype()); };
}

Constraint UnitNorm(const UnitNormOptions& options) {
  return [options](Output w) -> Output { return w / (Norms(w, options.axes) + kEpsilon); };
}

Constraint MinMaxNorm(const MinMaxNormOptions& options) {
  return [options](Output w) -> Output {
    const Output norms = Norms(w, options.axes);
    const Output allowed = ClipByValue(norms, options.min_value, options.max_value);
    const Output target = options.rate == 1 ? allowed : options.rate * allowed + (1 - options.rate) * norms;
    return w * (target / (norms + kEpsilon));
  };
}

}  // namespace staticflow::constraints
