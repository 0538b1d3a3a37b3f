// Moments and BatchNormalization, as tf.nn composes them of simpler ops.
#include "ops/array.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/nn_composition.h"

namespace staticflow {

MomentsResult Moments(Operand x, const std::vector<int64_t>& axes, const MomentsOptions& options) {
  if (!x.output().valid()) return {};
  Composition scope(x, options.name, "moments");
  // The squares of 16-bit numbers need more range and precision than they have.
  const DataType dtype = x.output().dtype();
  const bool cast = dtype == DT_HALF;
  const Output y = cast ? Cast(x, DT_FLOAT) : x.output();
  // The mean passes no gradient to the variance: the sum of (x - mean) is zero.
  Output mean = Mean(y, axes, {.keep_dims = true, .name = "mean"});
  const Output square = SquaredDifference(y, StopGradient(mean));
  Output variance = Mean(square, axes, {.keep_dims = true, .name = "variance"});
  if (!options.keep_dims) {
    mean = Squeeze(mean, axes);
    variance = Squeeze(variance, axes);
  }
  if (!cast) return {mean, variance};
  mean = Cast(mean, dtype);
  return {mean, Cast(variance, dtype)};
}

Output BatchNormalization(Operand x, Output mean, Output variance, Output offset, Output scale, double epsilon,
                          const OpOptions& options) {
  if (!x.output().valid() || !mean.valid() || !variance.valid()) return Output();
  Composition scope(x, options.name, "batchnorm");
  Output inverse = Rsqrt(variance + epsilon);
  if (scale.valid()) inverse = inverse * scale;
  const auto as_x = [&x](Output y) {
    return y.valid() && y.dtype() != x.output().dtype() ? Cast(y, x.output().dtype()) : y;
  };
  const Output scaled = x * as_x(inverse);
  const Output shift = offset.valid() ? offset - mean * inverse : -mean * inverse;
  return scaled + as_x(shift);
}

}  // namespace staticflow
