// The last columns of a product whose op(A) lies row by row, when they are a few that fill no vector: consecutive
// products take the lanes instead, so that no lane is idle. Of 100 columns in vectors of 16, 96 are six vectors for
// each row and product; the other four would cost a seventh, and cost a quarter of one: a vector holds four products of
// each of the four columns, and four elements of a row of A are loaded once for all of them.
//
// An element is then kGroup sums, each of every kGroup-th product of a block of kGemmDepth, added up at the block's
// end. Whether a column is one of these depends on its place alone, not on the number of rows (DotColumns).
//
// Included by runtime/gemm_blocks.h, which says what a vector type V has. Not for any other file.
#ifndef STATICFLOW_RUNTIME_GEMM_DOTS_H_
#define STATICFLOW_RUNTIME_GEMM_DOTS_H_

#include <cstdint>

#include "runtime/gemm.h"
#include "runtime/gemm_block.h"

namespace staticflow {
namespace {

// How many last columns are computed here: those behind the last multiple of a vector's width, if they are few. So some
// of the columns alone, from such a multiple on, have the bits of the whole.
template <typename V>
int64_t DotColumns(const GemmShape& s) {
  if constexpr (V::kGroup > 0) {
    const int64_t columns = s.n % V::kWidth;
    if (!s.transpose_a && s.runs == nullptr && columns <= V::kWidth / V::kGroup) return columns;
  }
  return 0;
}

// op(B) for `depth` products from the p-th on, kGroup at most: lane kGroup c + q belongs to column c and product q.
template <typename V>
[[gnu::always_inline]] inline typename V::Vector LoadDots(const LastColumns<typename V::Element>& x, int64_t p,
                                                          int64_t depth) {
  return x.transpose_b ? V::LoadGroups(x.b + p, x.ldb, x.columns, depth)
                       : V::TurnGroups(V::LoadGroups(x.b + p * x.ldb, x.ldb, depth, x.columns));
}

// kRows rows. `packed`: what LoadDots gives, one vector after the other; null: not kept, for a row on its own.
template <typename V, int kRows>
void ComputeDots(const LastColumns<typename V::Element>& x, const typename V::Element* packed) {
  using T = typename V::Element;
  constexpr int kTriples = (kRows + 2) / 3, kGroupsOfRows = (kRows + 3) / 4;
  const int64_t lda = x.lda;
  typename V::Vector sum[4 * kGroupsOfRows];
  const T* a[kTriples];  // rows share pointers by threes, as in the register blocks
#pragma GCC unroll 16
  for (int i = 0; i < 4 * kGroupsOfRows; ++i) sum[i] = V::Zero();
#pragma GCC unroll 8
  for (int t = 0; t < kTriples; ++t) a[t] = x.a + 3 * t * lda;
  int64_t p = 0;
  for (; p + V::kGroup <= x.depth; p += V::kGroup) {
    const typename V::Vector b =
        kRows > 1 ? V::Load(packed + p * (V::kWidth / V::kGroup)) : LoadDots<V>(x, p, V::kGroup);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) sum[i] = V::MultiplyAdd(V::BroadcastGroup(a[i / 3] + i % 3 * lda), b, sum[i]);
#pragma GCC unroll 8
    for (int t = 0; t < kTriples; ++t) a[t] += V::kGroup;
  }
  if (const int64_t left = x.depth - p; left > 0) {
    const typename V::Vector b = LoadDots<V>(x, p, left);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) sum[i] = V::MultiplyAdd(V::BroadcastGroup(a[i / 3] + i % 3 * lda, left), b, sum[i]);
  }
  const typename V::Vector alpha = V::Broadcast(&x.alpha);
#pragma GCC unroll 4
  for (int g = 0; g < kGroupsOfRows; ++g) {
    const typename V::Vector rows = V::AddGroups(sum[4 * g], sum[4 * g + 1], sum[4 * g + 2], sum[4 * g + 3]);
    V::StoreGroups(V::Multiply(alpha, rows), kRows - 4 * g, x.columns, x.accumulate, x.c + 4 * g * x.ldc, x.ldc);
  }
}

template <typename V>
struct DotTable {
  using Function = void (*)(const LastColumns<typename V::Element>&, const typename V::Element*);
  static constexpr int kMostRows = 16;
  Function of[kMostRows + 1] = {};  // [rows]

  constexpr DotTable() { FillRows<kMostRows>(); }
  template <int kRows>
  constexpr void FillRows() {
    of[kRows] = ComputeDots<V, kRows>;
    if constexpr (kRows > 1) FillRows<kRows - 1>();
  }
};
template <typename V>
constexpr DotTable<V> kDotTable;

// Rows [0, s.m) of `x`, which lie as s.row_runs says.
template <typename V>
void ComputeDotRows(const GemmShape& s, LastColumns<typename V::Element> x) {
  if constexpr (V::kGroup > 0) {
    using T = typename V::Element;
    if (s.m == 1) return ComputeDots<V, 1>(x, nullptr);
    alignas(64) T packed[kGemmDepth / V::kGroup * V::kWidth];
    for (int64_t p = 0; p + V::kGroup <= x.depth; p += V::kGroup) {
      V::Store(packed + p * (V::kWidth / V::kGroup), LoadDots<V>(x, p, V::kGroup));
    }
    const int64_t rows = s.m / s.row_runs;
    const int64_t blocks = (rows + DotTable<V>::kMostRows - 1) / DotTable<V>::kMostRows;
    const T* run = x.a;
    for (int64_t r = 0; r < s.row_runs; ++r, run += s.row_run_step) {
      x.a = run;
      for (int64_t i = 0; i < blocks; ++i) {
        const int64_t count = rows / blocks + (i < rows % blocks ? 1 : 0);
        kDotTable<V>.of[count](x, packed);
        x.a += count * x.lda;
        x.c += count * x.ldc;
      }
    }
  }
}

}  // namespace
}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_GEMM_DOTS_H_
