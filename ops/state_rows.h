// Rows and slices of variables by index: checks and walks that gathering and scattering share.
#ifndef STATICFLOW_OPS_STATE_ROWS_H_
#define STATICFLOW_OPS_STATE_ROWS_H_

#include <algorithm>

#include "graph/gradients.h"
#include "ops/elementwise.h"
#include "ops/variable_value.h"

namespace staticflow {

// How one element of a variable takes on an update: half and bfloat16 in float; integers wrap around, bools are or-ed.
struct ReplaceElement {
  template <typename T>
  static T Apply(const T&, const T& update) {
    return update;
  }
};
struct AddToElement {
  template <typename T>
  static T Apply(T a, T b) {
    if constexpr (std::is_same_v<T, bool>) {
      return a || b;
    } else {
      return T(WrapAdd(Widen(a), Widen(b)));
    }
  }
};
struct SubtractFromElement {
  template <typename T>
  static T Apply(T a, T b) {
    return T(WrapSubtract(Widen(a), Widen(b)));
  }
};
struct SmallerElement {
  template <typename T>
  static T Apply(T a, T b) {
    return Widen(b) < Widen(a) ? b : a;
  }
};
struct LargerElement {
  template <typename T>
  static T Apply(T a, T b) {
    return Widen(b) > Widen(a) ? b : a;
  }
};

inline int64_t RowIndexAt(const TensorView& indices, int64_t i) {
  return indices.dtype == DT_INT64 ? indices.as<int64_t>()[i] : int64_t{indices.as<int32_t>()[i]};
}

// All indices name one of `rows` rows.
inline absl::Status CheckRowIndices(const TensorView& indices, int64_t rows) {
  for (int64_t i = 0; i < indices.num_elements; ++i) {
    const int64_t index = RowIndexAt(indices, i);
    if (index < 0 || index >= rows) {
      return absl::InvalidArgumentError(absl::StrCat("indices[", i, "] = ", index, " is not in [0, ", rows, ")"));
    }
  }
  return absl::OkStatus();
}

// indices.shape[:-1] + variable.shape[indices.shape[-1]:], the slices that index tuples name.
inline absl::StatusOr<Shape> SlicesShape(const Shape& variable, const Shape& indices) {
  if (indices.rank() == 0) return absl::InvalidArgumentError("indices is a scalar, expected rank 1 or more");
  if (!variable.has_rank() || !indices.has_rank() || indices.dim(-1) == Shape::kUnknownDim) return Shape::Unknown();
  if (indices.dim(-1) > variable.rank()) {
    return absl::InvalidArgumentError(absl::StrCat("indices has shape ", indices.ToString(),
                                                   ", whose tuples are too long for shape ", variable.ToString()));
  }
  return indices.Slice(0, indices.rank() - 1)
      .Concatenate(variable.Slice(static_cast<int>(indices.dim(-1)), variable.rank()));
}

// Calls f(offset of the slice, its size) for every index tuple, in order; InvalidArgument at the first one that is out
// of range. REQUIRES: SlicesShape(variable, *indices.shape) is complete.
template <typename F>
absl::Status ForEachSlice(const Shape& variable, const TensorView& indices, F f) {
  const int depth = static_cast<int>(indices.dim(-1));
  const int64_t size = variable.num_elements(depth, variable.rank());
  const int64_t count = indices.shape->num_elements(0, indices.rank() - 1);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = 0;
    for (int d = 0; d < depth; ++d) {
      const int64_t index = RowIndexAt(indices, i * depth + d);
      if (index < 0 || index >= variable.dim(d)) {
        return absl::InvalidArgumentError(absl::StrCat("index ", index, " at position ", i * depth + d,
                                                       " is out of range [0, ", variable.dim(d), ")"));
      }
      at = at * variable.dim(d) + index;
    }
    f(at * size, size);
  }
  return absl::OkStatus();
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_STATE_ROWS_H_
