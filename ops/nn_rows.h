// Kernels over the rows of a tensor, its last dimension: softmax and its losses. Rows of float are computed on lanes,
// several together, because a row of ten classes alone does not fill them; other types one by one, plainly.
#ifndef STATICFLOW_OPS_NN_ROWS_H_
#define STATICFLOW_OPS_NN_ROWS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "ops/elementwise.h"
#include "runtime/kernel.h"
#include "runtime/lanes.h"

namespace staticflow {

// What softmax needs of one row: the largest element, and the sum of exp(x - largest). NaN when an element is NaN, or
// when the largest is infinite, as the formula says.
template <typename C>
struct RowExponents {
  C largest;
  C sum;
};

// Reads x[i * stride]; writes exp(x - largest) to `exponents` unless it is null.
template <typename T, typename C = ComputeType<T>>
RowExponents<C> ExponentiateRow(const T* x, int64_t n, int64_t stride, T* exponents) {
  C largest = -std::numeric_limits<C>::infinity();
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, C(Widen(x[i * stride])));
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const C e = std::exp(C(Widen(x[i * stride])) - largest);
    sum += e;
    if (exponents != nullptr) exponents[i] = T(e);
  }
  return {largest, C(sum)};
}

// The largest of n floats, or their sum: in eight parts, for which there are vectors. A NaN is not the largest.
inline float LargestOf(const float* x, int64_t n) {
  constexpr int kParts = 8;
  float part[kParts];
  std::fill_n(part, kParts, -std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + kParts <= n; i += kParts) {
    for (int k = 0; k < kParts; ++k) part[k] = part[k] < x[i + k] ? x[i + k] : part[k];
  }
  for (int k = 0; i < n; ++i, ++k) part[k] = std::max(part[k], x[i]);
  return *std::max_element(part, part + kParts);
}

inline double SumOf(const float* x, int64_t n) {
  constexpr int kParts = 8;
  double part[kParts] = {};
  int64_t i = 0;
  for (; i + kParts <= n; i += kParts) {
    for (int k = 0; k < kParts; ++k) part[k] += x[i + k];
  }
  for (int k = 0; i < n; ++i, ++k) part[k] += x[i];
  double sum = 0;
  for (double p : part) sum += p;
  return sum;
}

// e = exp(x - shift) for n floats.
inline void ShiftedExponents(const float* x, int64_t n, float shift, float* e) {
  for (int64_t i = 0; i < n; ++i) e[i] = x[i] - shift;
  ApplyLanes(LaneOp::kExp, e, e, n);
}

// Rows of n floats that are computed together, a few kilobytes of them, and their RowExponents.
struct FloatRows {
  static constexpr int64_t kMax = 64;

  // As many of `rows` as go together; those before them are done.
  FloatRows(int64_t n, int64_t rows)
      : count(std::min(rows, std::clamp<int64_t>(1024 / std::max<int64_t>(n, 1), 1, kMax))) {}

  // Reads the rows at x, x + x_row and so on; writes exp(x - largest) side by side to `e`.
  void Exponentiate(const float* x, int64_t x_row, int64_t n, float* e) {
    for (int64_t r = 0; r < count; ++r) {
      largest[r] = LargestOf(x + r * x_row, n);
      for (int64_t i = 0; i < n; ++i) e[r * n + i] = x[r * x_row + i] - largest[r];
    }
    ApplyLanes(LaneOp::kExp, e, e, count * n);
    for (int64_t r = 0; r < count; ++r) sum[r] = static_cast<float>(SumOf(e + r * n, n));
    ApplyLanes(LaneOp::kLog, sum, log_sum, count);
  }

  int64_t count;
  float largest[kMax], sum[kMax], log_sum[kMax];
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_NN_ROWS_H_
