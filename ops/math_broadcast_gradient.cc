// SumToShapeOf: the way back through a broadcast. Contract: ops/math_binary.h.
#include <vector>

#include "ops/array.h"
#include "ops/math_binary.h"
#include "ops/math_reduction.h"

namespace staticflow {
namespace {

enum class Broadcast { kNo, kYes, kUnknown };

// Whether dimension i (negative, from the end) of `like` was repeated to give that of the result.
Broadcast WasBroadcast(const Shape& result, const Shape& like, const Shape* other, int i) {
  if (-i > like.rank()) return Broadcast::kYes;
  const int64_t size = like.dim(i);
  if (size == 1) return result.dim(i) == 1 ? Broadcast::kNo : Broadcast::kYes;
  if (size != Shape::kUnknownDim || result.dim(i) == 1) return Broadcast::kNo;
  const bool other_is_one = other != nullptr && (-i > other->rank() || other->dim(i) == 1);
  return other_is_one ? Broadcast::kNo : Broadcast::kUnknown;
}

// The dimensions of `result` over which to sum; false when the shapes do not tell.
bool FindAxes(const Shape& result, const Shape& like, const Shape* other, std::vector<int64_t>* axes) {
  if (!result.has_rank() || !like.has_rank()) return false;
  if (other != nullptr && !other->has_rank()) other = nullptr;
  for (int i = -result.rank(); i < 0; ++i) {
    const Broadcast broadcast = WasBroadcast(result, like, other, i);
    if (broadcast == Broadcast::kUnknown) return false;
    if (broadcast == Broadcast::kYes) axes->push_back(result.rank() + i);
  }
  return true;
}

}  // namespace

Output SumToShapeOf(Output gradient, Output like, Output other) {
  if (!gradient.valid() || !like.valid() || like == other) return gradient;
  const Shape& shape = like.shape();
  std::vector<int64_t> axes;
  if (FindAxes(gradient.shape(), shape, other.valid() ? &other.shape() : nullptr, &axes)) {
    if (axes.empty()) return gradient;
    const int dropped = gradient.shape().rank() - shape.rank();
    if (dropped == 0) return Sum(gradient, axes, {.keep_dims = true});
    const Output sum = Sum(gradient, axes);
    if (static_cast<int>(axes.size()) == dropped) return sum;
    return shape.IsFullyDefined() ? ReshapeTo(sum, shape) : Reshape(sum, ShapeOf(like));
  }
  const Output like_shape = ShapeOf(like);
  const Output dynamic_axes = BroadcastGradientArgs(like_shape, ShapeOf(gradient)).first;
  return Reshape(Sum(gradient, dynamic_axes), like_shape);
}

}  // namespace staticflow
