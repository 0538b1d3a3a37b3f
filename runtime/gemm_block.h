// The register block of a product: a few rows by a few vectors of C, added up in registers.
//
// Included by runtime/gemm_blocks.h, which says what a vector type V has. Not for any other file.
#ifndef STATICFLOW_RUNTIME_GEMM_BLOCK_H_
#define STATICFLOW_RUNTIME_GEMM_BLOCK_H_

#include <cstdint>

namespace staticflow {
namespace {

// One register block: C[rows, NV vectors] from runs of `depth` products. The last vector may have fewer lanes.
template <typename T>
struct Block {
  const int64_t* runs = nullptr;
  int64_t num_runs = 1;
  int64_t depth = 0;
  const T* a = nullptr;
  int64_t a_row = 0;    // from one row of op(A) to the next
  int64_t a_depth = 0;  // from one column of op(A) to the next
  const T* b = nullptr;
  int64_t ldb = 0;
  T* c = nullptr;
  int64_t ldc = 0;
  int64_t last_lanes = 0;
  T alpha = 1;
  bool accumulate = false;
  // Memory that is asked for meanwhile, `fetch_step` bytes further with each product (kAskingAhead).
  uintptr_t fetch = 0;
  int64_t fetch_step = 0;
};

// A block of products for the last columns of C, which fill no vector: C[rows, columns] (+)= alpha op(A) op(B), `depth`
// deep; `a`, `b` and `c` begin where the block does.
template <typename T>
struct LastColumns {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t depth = 0;
  const T* a = nullptr;
  int64_t lda = 0;
  const T* b = nullptr;
  int64_t ldb = 0;
  bool transpose_b = false;
  T* c = nullptr;
  int64_t ldc = 0;
  T alpha = 1;
  bool accumulate = false;
};

template <typename V, int kRows, int kVectors, bool kAccumulate, typename Mask>
inline void StoreBlock(const typename V::Vector (&sum)[kRows][kVectors], const Block<typename V::Element>& x,
                       Mask mask) {
  const int64_t ldc = x.ldc;
  typename V::Element* row = x.c;
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i, row += ldc) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      typename V::Element* c = row + v * V::kWidth;
      if (v + 1 < kVectors) {
        V::Store(c, kAccumulate ? V::Add(V::Load(c), sum[i][v]) : sum[i][v]);
      } else {
        V::Store(c, kAccumulate ? V::Add(V::Load(c, mask), sum[i][v]) : sum[i][v], mask);
      }
    }
  }
}

// Rows share pointers by threes, which the addressing modes reach without arithmetic: a, a + s, a + 2 s. Products
// without runs have instances of their own: they are small, and keeping the runs costs them some percent. So have
// blocks of whole vectors: a load with a mask takes half a product's place.
enum BlockKind { kWholeVectors, kAskingAhead, kMaskedVector, kBlockWithRuns, kBlockKinds };

// Blocks that ask for memory meanwhile: of whole vectors, with a load to spare.
template <typename V>
constexpr bool AsksAhead(int64_t vectors) {
  return V::kAsksAhead && vectors > 1 && vectors <= V::kUsualVectors;
}

// Asks for the lines of C that a block adds to, which arrive while it computes.
template <typename V, int kRows, int kVectors>
[[gnu::always_inline]] inline void FetchSums(const typename V::Element* row, int64_t ldc) {
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i, row += ldc) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) __builtin_prefetch(row + v * V::kWidth, /*write=*/1, /*all levels*/ 3);
  }
}

template <typename V, int kRows, int kVectors, BlockKind kKind>
void ComputeBlock(const Block<typename V::Element>& x) {
  using T = typename V::Element;
  constexpr int kGroups = (kRows + 2) / 3;
  constexpr bool kRuns = kKind == kBlockWithRuns;
  const auto mask = V::FirstLanes(x.last_lanes);
  typename V::Vector sum[kRows][kVectors];
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[i][v] = V::Zero();
  }
  if (kKind != kBlockWithRuns && x.accumulate) FetchSums<V, kRows, kVectors>(x.c, x.ldc);
  const T* b = x.b;
  const int64_t a_row = x.a_row, a_depth = x.a_depth, ldb = x.ldb;
  [[maybe_unused]] uintptr_t fetch = x.fetch;
  [[maybe_unused]] const int64_t fetch_step = x.fetch_step;
  const int64_t runs = kRuns ? x.num_runs : 1;
  for (int64_t r = 0; r < runs; ++r) {
    const T* a[kGroups];
#pragma GCC unroll 32
    for (int g = 0; g < kGroups; ++g) a[g] = x.a + (kRuns ? x.runs[r] : 0) + 3 * g * a_row;
    for (int64_t p = x.depth; p > 0; --p) {
      if constexpr (kKind == kAskingAhead) {
        __builtin_prefetch(reinterpret_cast<const void*>(fetch), /*write=*/0, /*second-level cache*/ 2);
        fetch += fetch_step;
      }
      // One row uses B as fast as the second-level cache gives it, if that is asked early enough.
      if constexpr (kRows == 1 && kVectors > 4 && V::kAsksAhead) {
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) __builtin_prefetch(b + 4 * ldb + v * V::kWidth);
      }
      typename V::Vector bv[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        const bool whole = kKind == kWholeVectors || kKind == kAskingAhead || v + 1 < kVectors;
        bv[v] = whole ? V::Load(b + v * V::kWidth) : V::Load(b + v * V::kWidth, mask);
      }
#pragma GCC unroll 32
      for (int i = 0; i < kRows; ++i) {
        const typename V::Vector av = V::Broadcast(a[i / 3] + (i % 3) * a_row);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[i][v] = V::MultiplyAdd(av, bv[v], sum[i][v]);
      }
#pragma GCC unroll 32
      for (int g = 0; g < kGroups; ++g) a[g] += a_depth;
      b += ldb;
    }
  }
  if (x.alpha != 1) {
    const typename V::Vector alpha = V::Broadcast(&x.alpha);
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[i][v] = V::Multiply(alpha, sum[i][v]);
    }
  }
  if (x.accumulate) {
    StoreBlock<V, kRows, kVectors, true>(sum, x, mask);
  } else {
    StoreBlock<V, kRows, kVectors, false>(sum, x, mask);
  }
}

template <typename V>
struct BlockTable {
  using Function = void (*)(const Block<typename V::Element>&);
  static constexpr int kRowLimit = V::kMaxRows[1];
  Function of[kBlockKinds][V::kMaxVectors + 1][kRowLimit + 1] = {};  // [kind][vectors][rows]

  constexpr BlockTable() { FillVectors<1>(); }
  template <int kVectors>
  constexpr void FillVectors() {
    FillRows<kVectors, 1>();
    if constexpr (kVectors < V::kMaxVectors) FillVectors<kVectors + 1>();
  }
  template <int kVectors, int kRows>
  constexpr void FillRows() {
    of[kWholeVectors][kVectors][kRows] = ComputeBlock<V, kRows, kVectors, kWholeVectors>;
    of[kAskingAhead][kVectors][kRows] = ComputeBlock < V, kRows, kVectors,
    AsksAhead<V>(kVectors) ? kAskingAhead : kWholeVectors > ;
    of[kMaskedVector][kVectors][kRows] = ComputeBlock<V, kRows, kVectors, kMaskedVector>;
    of[kBlockWithRuns][kVectors][kRows] = ComputeBlock<V, kRows, kVectors, kBlockWithRuns>;
    if constexpr (kRows < V::kMaxRows[kVectors]) FillRows<kVectors, kRows + 1>();
  }
};
template <typename V>
constexpr BlockTable<V> kBlockTable;

}  // namespace
}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_GEMM_BLOCK_H_
