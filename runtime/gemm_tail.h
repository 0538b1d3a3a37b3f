// The last columns of a product whose op(A) is stored transposed, when they are a few that fill no vector: rows take
// the lanes instead, as they lie in memory, so that no lane is idle. Of 100 columns in vectors of 16, 96 are six
// vectors for each row and product; the other four would cost a seventh, and cost a quarter of one for 16 rows at a
// time. So are all columns computed where they are ten, as those of the last layer's weights. The bits are those of the
// usual blocks: each element is added up by itself in the same order.
//
// Included by runtime/gemm_blocks.h, which says what a vector type V has. Not for any other file.
#ifndef STATICFLOW_RUNTIME_GEMM_TAIL_H_
#define STATICFLOW_RUNTIME_GEMM_TAIL_H_

#include <cstdint>

#include "runtime/gemm.h"
#include "runtime/gemm_block.h"

namespace staticflow {
namespace {

// sum[t][c] += a[t] b[c], for one of the products that are added up.
template <typename V, int kTiles, int kColumns>
inline void AddProducts(const typename V::Vector (&a)[kTiles], const typename V::Element* b, int64_t b_column,
                        typename V::Vector (&sum)[kTiles][kColumns]) {
#pragma GCC unroll 4
  for (int c = 0; c < kColumns; ++c) {
    const typename V::Vector bv = V::Broadcast(b + c * b_column);
#pragma GCC unroll 2
    for (int t = 0; t < kTiles; ++t) sum[t][c] = V::MultiplyAdd(a[t], bv, sum[t][c]);
  }
}

// kTiles times kWidth rows from `row` on, of which the first `skipped` are there already.
template <typename V, int kTiles, int kColumns>
void ComputeTail(const LastColumns<typename V::Element>& x, int64_t row, int64_t skipped) {
  using T = typename V::Element;
  typename V::Vector sum[kTiles][kColumns], av[kTiles];
#pragma GCC unroll 2
  for (int t = 0; t < kTiles; ++t) {
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; ++c) sum[t][c] = V::Zero();
  }
  const int64_t lda = x.lda, b_depth = x.transpose_b ? 1 : x.ldb, b_column = x.transpose_b ? x.ldb : 1;
  const T* a = x.a + row;
  const T* b = x.b;
  for (int64_t p = 0; p < x.depth; ++p, a += lda, b += b_depth) {
#pragma GCC unroll 2
    for (int t = 0; t < kTiles; ++t) av[t] = V::Load(a + t * V::kWidth);
    AddProducts<V, kTiles, kColumns>(av, b, b_column, sum);
  }
  const typename V::Vector alpha = V::Broadcast(&x.alpha);
  for (int t = 0; t < kTiles; ++t) {
    typename V::Vector column[V::kTileDepth];
    for (int c = 0; c < V::kTileDepth; ++c) column[c] = c < kColumns ? V::Multiply(alpha, sum[t][c]) : V::Zero();
    const int64_t first = row + t * V::kWidth;
    V::template StoreTurned<kColumns>(column, t == 0 ? skipped : 0, x.accumulate, x.c + first * x.ldc, x.ldc);
  }
}

// The same for all columns, kColumns at a time.
template <typename V, int kTiles, int kColumns>
void ComputeTailColumns(LastColumns<typename V::Element> x, int64_t row, int64_t skipped) {
  if constexpr (kColumns > 0) {
    for (; x.columns >= kColumns; x.columns -= kColumns) {
      ComputeTail<V, kTiles, kColumns>(x, row, skipped);
      x.b += kColumns * (x.transpose_b ? x.ldb : 1);
      x.c += kColumns;
    }
    ComputeTailColumns<V, kTiles, kColumns - 1>(x, row, skipped);
  }
}

// REQUIRES: rows >= kWidth. The last tile begins where it ends with the last row.
template <typename V>
void ComputeTailRows(const LastColumns<typename V::Element>& x) {
  int64_t row = 0;
  for (; row + 2 * V::kWidth <= x.rows; row += 2 * V::kWidth) ComputeTailColumns<V, 2, V::kMostTail>(x, row, 0);
  for (; row < x.rows; row += V::kWidth) {
    const int64_t first = row + V::kWidth <= x.rows ? row : x.rows - V::kWidth;
    ComputeTailColumns<V, 1, V::kMostTail>(x, first, row - first);
  }
}

// How many last columns are computed here: a few behind the last whole vector, or all, where they are so few that rows
// fill the lanes better.
template <typename V>
int64_t TailColumns(const GemmShape& s) {
  if (V::kMostTail == 0 || !s.transpose_a || s.m < V::kWidth || s.runs != nullptr || s.row_runs > 1) return 0;
  if (s.n < V::kWidth) return 5 * s.n * ((s.m + V::kWidth - 1) / V::kWidth) <= 4 * s.m ? s.n : 0;
  return s.n % V::kWidth <= V::kMostTail ? s.n % V::kWidth : 0;
}

}  // namespace
}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_GEMM_TAIL_H_
