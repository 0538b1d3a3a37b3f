// Kernels over the rows of a tensor, its last dimension: softmax and its losses. Rows of float are computed on lanes,
// several together, because a row of ten classes alone does not fill them; other types one by one, plainly.
#ifndef STATICFLOW_OPS_NN_ROWS_H_
#define STATICFLOW_OPS_NN_ROWS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
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

// Some rows of few floats turned round: each element beside those of the other rows, so that lanes hold rows and sums
// over a row take no steps within a vector.
struct TurnedRows {
  static constexpr int64_t kMostColumns = 32;  // rows of more fill vectors of their own
  static constexpr int64_t kMostRows = 64;
  static constexpr int64_t kFloats = 1024;

  // As many of `rows` as go together.
  static int64_t Count(int64_t rows, int64_t n) {
    return std::min({rows, kMostRows, kFloats / std::max<int64_t>(n, 1) / kLanes * kLanes});
  }

  // Rows of n floats from x on, `x_row` floats apart. REQUIRES: n <= kMostColumns, as many rows as Count() says.
  TurnedRows(const float* x, int64_t x_row, int64_t rows, int64_t n)
      : vectors((rows + kLanes - 1) / kLanes), width(vectors * kLanes) {
    if (rows < width) std::fill_n(at, n * width, 0.0f);  // the lanes of missing rows
    Turn(x, x_row, rows, n, at, width);
  }

  // to[j][i] = from[i][j] for i < rows, j < columns: by four rows and columns, of which the last may be done twice.
  static void Turn(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to, int64_t to_row) {
    if (rows < 4 || columns < 4) {
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) to[j * to_row + i] = from[i * from_row + j];
      }
      return;
    }
    for (int64_t i = 0; i < rows; i += 4) {
      const int64_t row = std::min(i, rows - 4);
      for (int64_t j = 0; j < columns; j += 4) {
        const int64_t column = std::min(j, columns - 4);
        TurnFour(from + row * from_row + column, from_row, to + column * to_row + row, to_row);
      }
    }
  }
  static void TurnFour(const float* from, int64_t from_row, float* to, int64_t to_row) {
    using Four = float __attribute__((vector_size(16)));
    Four a, b, c, d;
    std::memcpy(&a, from, sizeof(a));
    std::memcpy(&b, from + from_row, sizeof(b));
    std::memcpy(&c, from + 2 * from_row, sizeof(c));
    std::memcpy(&d, from + 3 * from_row, sizeof(d));
    const Four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const Four ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7), cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    const Four turned[] = {__builtin_shufflevector(ab, cd, 0, 1, 4, 5), __builtin_shufflevector(ab, cd, 2, 3, 6, 7),
                           __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5),
                           __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7)};
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) std::memcpy(to + k * to_row, &turned[k], sizeof(Four));
  }

  const int64_t vectors, width;
  alignas(64) float at[kFloats];  // element i of row r: at[i * width + r]
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_NN_ROWS_H_
