// The last columns of a product, when they are a few that fill no vector: rows take the lanes instead, so that no lane
// is idle. Of 100 columns in vectors of 16, 96 are six vectors for each row and product; the other four would cost a
// seventh, and cost a quarter of one for 16 rows at a time. Turning op(A) round, where it is not stored transposed,
// takes half of that gain back. The bits are those of the usual blocks: each element is added up by itself in the same
// order.
//
// Included by runtime/gemm_blocks.h, which says what a vector type V has. Not for any other file.
#ifndef STATICFLOW_RUNTIME_GEMM_TAIL_H_
#define STATICFLOW_RUNTIME_GEMM_TAIL_H_

#include <cstdint>

#include "runtime/gemm.h"

namespace staticflow {
namespace {

// A block of products for the tail: C[rows, columns] (+)= alpha op(A) op(B), `depth` deep.
template <typename T>
struct Tail {
  int64_t rows = 0;
  int64_t depth = 0;
  const T* a = nullptr;
  int64_t lda = 0;
  const T* b = nullptr;
  int64_t b_depth = 0;   // from one row of op(B) to the next
  int64_t b_column = 0;  // from one column of op(B) to the next
  T* c = nullptr;
  int64_t ldc = 0;
  T alpha = 1;
  bool accumulate = false;
};

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
template <typename V, int kTiles, int kColumns, bool kTransposed>
void ComputeTail(const Tail<typename V::Element>& x, int64_t row, int64_t skipped) {
  using T = typename V::Element;
  typename V::Vector sum[kTiles][kColumns], av[kTiles];
#pragma GCC unroll 2
  for (int t = 0; t < kTiles; ++t) {
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; ++c) sum[t][c] = V::Zero();
  }
  const T* b = x.b;
  const int64_t lda = x.lda, tile_step = V::kWidth * (kTransposed ? 1 : lda);
  const T* a = x.a + row * (kTransposed ? 1 : lda);
  int64_t p = 0;
  if constexpr (kTransposed) {
    for (; p < x.depth; ++p, a += lda, b += x.b_depth) {
#pragma GCC unroll 2
      for (int t = 0; t < kTiles; ++t) av[t] = V::Load(a + t * tile_step);
      AddProducts<V, kTiles, kColumns>(av, b, x.b_column, sum);
    }
  } else {
    for (; p + V::kTileDepth <= x.depth; p += V::kTileDepth, a += V::kTileDepth) {
      typename V::Vector column[kTiles][V::kTileDepth];
#pragma GCC unroll 2
      for (int t = 0; t < kTiles; ++t) V::LoadTransposed(a + t * tile_step, lda, column[t]);
#pragma GCC unroll 4
      for (int q = 0; q < V::kTileDepth; ++q, b += x.b_depth) {
#pragma GCC unroll 2
        for (int t = 0; t < kTiles; ++t) av[t] = column[t][q];
        AddProducts<V, kTiles, kColumns>(av, b, x.b_column, sum);
      }
    }
    for (; p < x.depth; ++p, ++a, b += x.b_depth) {
      for (int t = 0; t < kTiles; ++t) {
        alignas(64) T column[V::kWidth];
        for (int i = 0; i < V::kWidth; ++i) column[i] = a[t * tile_step + i * lda];
        av[t] = V::Load(column);
      }
      AddProducts<V, kTiles, kColumns>(av, b, x.b_column, sum);
    }
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
template <typename V, int kColumns, bool kTransposed>
void ComputeTailRows(const Tail<typename V::Element>& x) {
  int64_t row = 0;
  for (; row + 2 * V::kWidth <= x.rows; row += 2 * V::kWidth) ComputeTail<V, 2, kColumns, kTransposed>(x, row, 0);
  for (; row < x.rows; row += V::kWidth) {
    const int64_t first = row + V::kWidth <= x.rows ? row : x.rows - V::kWidth;
    ComputeTail<V, 1, kColumns, kTransposed>(x, first, row - first);
  }
}

template <typename V, int kColumns>
void ComputeTailColumns(const Tail<typename V::Element>& x, int64_t columns, bool transposed) {
  if constexpr (kColumns > 0) {
    if (columns < kColumns) return ComputeTailColumns<V, kColumns - 1>(x, columns, transposed);
    return transposed ? ComputeTailRows<V, kColumns, true>(x) : ComputeTailRows<V, kColumns, false>(x);
  }
}

template <typename V>
int64_t TailColumns(const GemmShape& s) {
  const int64_t columns = s.n % V::kWidth;
  const bool pays = s.n > V::kWidth && s.m >= V::kWidth && s.runs == nullptr && s.row_runs == 1;
  return pays && columns <= V::kMostTail ? columns : 0;
}

}  // namespace
}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_GEMM_TAIL_H_
