// What sorted and unsorted segments share: the loops over rows, and gradients written in terms of gathered rows.
#ifndef STATICFLOW_OPS_MATH_SEGMENT_LOOPS_H_
#define STATICFLOW_OPS_MATH_SEGMENT_LOOPS_H_

#include <algorithm>
#include <cstdint>
#include <limits>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/elementwise.h"
#include "ops/math_binary.h"
#include "ops/math_segment.h"
#include "ops/math_unary.h"

namespace staticflow {

// The ways of combining two rows. kEmpty is the value of a segment without rows; kLowest and kHighest stand for the
// type's own.
enum class SegmentStart { kZero, kOne, kLowest, kHighest };
struct SegmentSumming {
  static constexpr SegmentStart kStart = SegmentStart::kZero;
  template <typename T>
  static T Combine(T a, T b) {
    return WrapAdd(a, b);
  }
};
struct SegmentMultiplying {
  static constexpr SegmentStart kStart = SegmentStart::kOne;
  template <typename T>
  static T Combine(T a, T b) {
    return WrapMultiply(a, b);
  }
};
struct SegmentMaximizing {
  static constexpr SegmentStart kStart = SegmentStart::kLowest;
  template <typename T>
  static T Combine(T a, T b) {
    return a > b ? a : b;  // b after a NaN and where b is one
  }
};
struct SegmentMinimizing {
  static constexpr SegmentStart kStart = SegmentStart::kHighest;
  template <typename T>
  static T Combine(T a, T b) {
    return a < b ? a : b;
  }
};

template <typename T>
T StartValue(SegmentStart start) {
  switch (start) {
    case SegmentStart::kZero:
      return T(0.0f);
    case SegmentStart::kOne:
      return T(1.0f);
    case SegmentStart::kLowest:
    case SegmentStart::kHighest:
      break;
  }
  const bool highest = start == SegmentStart::kHighest;
  if constexpr (std::is_same_v<T, Half>) {
    return T(highest ? 65504.0f : -65504.0f);
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return T(highest ? 3.3895314e38f : -3.3895314e38f);
  } else {
    return highest ? std::numeric_limits<T>::max() : std::numeric_limits<T>::lowest();
  }
}

template <typename Combination, typename T>
void CombineRow(const T* x, int64_t n, T* sum) {
  for (int64_t j = 0; j < n; ++j) sum[j] = T(Combination::Combine(Widen(sum[j]), Widen(x[j])));
}

// The id at position i of an int16, int32 or int64 tensor.
inline int64_t IdAt(const TensorView& ids, int64_t i) {
  if (ids.dtype == DT_INT32) return ids.as<int32_t>()[i];
  return ids.dtype == DT_INT64 ? ids.as<int64_t>()[i] : ids.as<int16_t>()[i];
}

// The number of segments that sorted ids need; InvalidArgument when they decrease or start below 0.
inline absl::StatusOr<int64_t> CountSegments(const TensorView& ids) {
  int64_t previous = 0;
  for (int64_t i = 0; i < ids.num_elements; ++i) {
    const int64_t id = IdAt(ids, i);
    if (id < previous) {
      return absl::InvalidArgumentError(absl::StrCat("segment_ids[", i, "] is ", id, ", expected at least ", previous));
    }
    previous = id;
  }
  return ids.num_elements == 0 ? 0 : AddSizes(previous, 1);
}

// Elements per row of `data` when `ids` has the leading dimensions.
inline int64_t RowSize(const TensorView& data, const TensorView& ids) {
  return data.shape->num_elements(ids.rank(), data.rank());
}

// What a gradient of segments needs of its op: how rows are summed into segments, and segments spread over rows.
struct SegmentGradient {
  using Sum = Output (*)(const GradientContext& c, Output data);
  using Product = Output (*)(const GradientContext& c, Output data);
  using Spread = Output (*)(const GradientContext& c, Output segments);  // 0 for rows that belong to none
  Sum sum;
  Product product;
  Spread spread;

  // Of the maximum or minimum: dy, shared by the rows that equal it.
  void Extreme(GradientContext& c) const {
    const Output chosen = Equal(c.x(0), spread(c, c.y(0)));
    const Output share = DivNoNan(c.dy(0), sum(c, Cast(chosen, c.y(0).dtype())));
    c.set_dx(0, Where(chosen, spread(c, share), 0));
  }

  // Of the product: dy times the product of the others, which is y / x, or the product of the nonzero ones where x is
  // the only zero.
  void Prod(GradientContext& c) const {
    const Output x = c.x(0);
    const Output is_zero = Equal(x, 0);
    const Output zeros = sum(c, Cast(is_zero, x.dtype()));
    const Output dy = Where(Greater(zeros, 1), 0, c.dy(0));
    const Output nonzero = Where(is_zero, 1, x);
    const Output others = Where(is_zero, spread(c, product(c, nonzero)), spread(c, c.y(0)) / nonzero);
    c.set_dx(0, spread(c, dy) * others);
  }
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_MATH_SEGMENT_LOOPS_H_
