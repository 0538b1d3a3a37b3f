// The last columns of a product whose op(A) is stored transposed, when they are a few that fill no vector: rows take
// the lanes instead, as they lie in memory, so that no lane is idle. Of 100 columns in vectors of 16, 96 are six
// vectors for each row and product; the other four would cost a seventh, and cost a quarter of one for 16 rows at a
// time. The bits are those of the usual blocks: each element is added up by itself in the same order.
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

// REQUIRES: rows >= kWidth. The last tile begins where it ends with the last row.
template <typename V, int kColumns>
void ComputeTailRows(const LastColumns<typename V::Element>& x) {
  int64_t row = 0;
  for (; row + 2 * V::kWidth <= x.rows; row += 2 * V::kWidth) ComputeTail<V, 2, kColumns>(x, row, 0);
  for (; row < x.rows; row += V::kWidth) {
    const int64_t first = row + V::kWidth <= x.rows ? row : x.rows - V::kWidth;
    ComputeTail<V, 1, kColumns>(x, first, row - first);
  }
}

template <typename V, int kColumns>
void ComputeTailColumns(const LastColumns<typename V::Element>& x) {
  if constexpr (kColumns > 0) {
    if (x.columns < kColumns) return ComputeTailColumns<V, kColumns - 1>(x);
    ComputeTailRows<V, kColumns>(x);
  }
}

// How many last columns are computed here.
template <typename V>
int64_t TailColumns(const GemmShape& s) {
  const int64_t columns = s.n % V::kWidth;
  const bool pays = s.transpose_a && s.n > V::kWidth && s.m >= V::kWidth && s.runs == nullptr && s.row_runs == 1;
  return pays && columns <= V::kMostTail ? columns : 0;
}

}  // namespace
}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_GEMM_TAIL_H_
