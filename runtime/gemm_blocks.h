// The blocked product that every path of Gemm shares, as templates over a vector type V. Each path's file defines its
// V for its instruction set, under its target pragma, and includes this file there; the anonymous namespace keeps the
// instances of one instruction set apart from another's. Not for any other file.
//
// V has: Element, Vector, kWidth (elements of a vector), kMaxRows[NV] (rows of the register block that is NV vectors
// wide, NV = 1..kMaxVectors), kUsualVectors (how wide a panel is when C has many rows), Zero, Broadcast(p), Load(p),
// Load(p, mask), Store(p, v), Store(p, v, mask), MultiplyAdd(a, b, c) = a b + c, Multiply, Add (never fused),
// FirstLanes(count), and kTileDepth, TransposeTile(src, ld, dst, ld): dst[p][j] = src[j][p] for j < kWidth, p <
// kTileDepth.
#ifndef STATICFLOW_RUNTIME_GEMM_BLOCKS_H_
#define STATICFLOW_RUNTIME_GEMM_BLOCKS_H_

#include <cstdint>

#include "runtime/gemm.h"

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
};

template <typename V, int kRows, int kVectors, bool kAccumulate, typename Mask>
inline void StoreBlock(const typename V::Vector (&sum)[kRows][kVectors], const Block<typename V::Element>& x,
                       Mask mask) {
  const typename V::Vector alpha = V::Broadcast(&x.alpha);
  const int64_t ldc = x.ldc;
  typename V::Element* row = x.c;
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i, row += ldc) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      typename V::Element* c = row + v * V::kWidth;
      typename V::Vector value = V::Multiply(alpha, sum[i][v]);
      if (v + 1 < kVectors) {
        if (kAccumulate) value = V::Add(V::Load(c), value);
        V::Store(c, value);
      } else {
        if (kAccumulate) value = V::Add(V::Load(c, mask), value);
        V::Store(c, value, mask);
      }
    }
  }
}

// Rows share pointers by threes, which the addressing modes reach without arithmetic: a, a + s, a + 2 s. Products
// without runs have instances of their own: they are small, and keeping the runs costs them some percent. So have
// blocks of whole vectors: a load with a mask takes half a product's place.
enum BlockKind { kWholeVectors, kMaskedVector, kBlockWithRuns, kBlockKinds };

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
  const T* b = x.b;
  const int64_t a_row = x.a_row, a_depth = x.a_depth, ldb = x.ldb;
  const int64_t runs = kRuns ? x.num_runs : 1;
  for (int64_t r = 0; r < runs; ++r) {
    const T* a[kGroups];
#pragma GCC unroll 32
    for (int g = 0; g < kGroups; ++g) a[g] = x.a + (kRuns ? x.runs[r] : 0) + 3 * g * a_row;
    for (int64_t p = x.depth; p > 0; --p) {
      typename V::Vector bv[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        const bool whole = kKind == kWholeVectors || v + 1 < kVectors;
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
    of[kMaskedVector][kVectors][kRows] = ComputeBlock<V, kRows, kVectors, kMaskedVector>;
    of[kBlockWithRuns][kVectors][kRows] = ComputeBlock<V, kRows, kVectors, kBlockWithRuns>;
    if constexpr (kRows < V::kMaxRows[kVectors]) FillRows<kVectors, kRows + 1>();
  }
};
template <typename V>
constexpr BlockTable<V> kBlockTable;

template <typename T>
constexpr T Scale(double alpha) {
  constexpr bool kInteger = T(0.5) == T(0);
  if constexpr (kInteger) return static_cast<T>(static_cast<int64_t>(alpha));
  return static_cast<T>(alpha);
}

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The i-th of `parts` nearly equal parts of `size`: where it begins.
constexpr int64_t PartBegin(int64_t size, int64_t parts, int64_t i) {
  return i * (size / parts) + (i < size % parts ? i : size % parts);
}

// dst[p][j] = src[j][p] for p < depth, j < columns.
template <typename V>
void PackTransposed(const typename V::Element* src, int64_t ld_src, int64_t depth, int64_t columns,
                    typename V::Element* dst, int64_t ld_dst) {
  int64_t j = 0;
  for (; j + V::kWidth <= columns; j += V::kWidth) {
    int64_t p = 0;
    for (; p + V::kTileDepth <= depth; p += V::kTileDepth) {
      V::TransposeTile(src + j * ld_src + p, ld_src, dst + p * ld_dst + j, ld_dst);
    }
    for (; p < depth; ++p) {
      for (int64_t l = j; l < j + V::kWidth; ++l) dst[p * ld_dst + l] = src[l * ld_src + p];
    }
  }
  for (; j < columns; ++j) {
    for (int64_t p = 0; p < depth; ++p) dst[p * ld_dst + j] = src[j * ld_src + p];
  }
}

template <typename V>
void PackStraight(const typename V::Element* src, int64_t ld_src, int64_t depth, int64_t columns,
                  typename V::Element* dst, int64_t ld_dst) {
  for (int64_t p = 0; p < depth; ++p, src += ld_src, dst += ld_dst) {
    int64_t j = 0;
    for (; j + V::kWidth <= columns; j += V::kWidth) V::Store(dst + j, V::Load(src + j));
    if (j < columns) {
      const auto mask = V::FirstLanes(columns - j);
      V::Store(dst + j, V::Load(src + j, mask), mask);
    }
  }
}

// How wide a panel of columns is, in vectors: few rows leave registers for more columns.
template <typename V>
int VectorsPerPanel(int64_t rows) {
  int vectors = V::kMaxVectors;
  while (vectors > V::kUsualVectors && rows > V::kMaxRows[vectors]) --vectors;
  return vectors;
}

// Asks for `count` rows of A from `row` on, which the next block finds in the cache. Inlined before the compiler sees a
// function without any effect, whose calls it would drop.
template <typename V>
[[gnu::always_inline]] inline void FetchRows(const Block<typename V::Element>& x, const typename V::Element* row,
                                             int64_t count) {
  for (; count > 0; --count, row += x.a_row) {
    for (int64_t p = 0; p < x.depth; p += 64 / sizeof(typename V::Element)) {
      __builtin_prefetch(row + p, /*write=*/0, /*second-level cache*/ 2);
    }
  }
}

// A panel of columns of C, whose rows of op(B) are ready at `panel.b`. `fetch`: the rows of A lie in memory, and nobody
// has read them yet.
template <typename V>
void ComputePanel(const GemmShape& s, const Block<typename V::Element>& panel, int vectors, bool fetch) {
  const int64_t rows = s.m / s.row_runs;
  const int64_t blocks = CeilDiv(rows, V::kMaxRows[vectors]);
  const int64_t small = rows / blocks;
  const int64_t large_blocks = rows % blocks;
  Block<typename V::Element> block = panel;
  const BlockKind kind = s.runs != nullptr              ? kBlockWithRuns
                         : panel.last_lanes < V::kWidth ? kMaskedVector
                                                        : kWholeVectors;
  const auto& compute = kBlockTable<V>.of[kind][vectors];
  for (int64_t r = 0; r < s.row_runs; ++r) {
    block.a = panel.a + r * s.row_run_step;
    for (int64_t i = 0; i < blocks; ++i) {
      const int64_t count = small + (i < large_blocks ? 1 : 0);
      if (fetch && i + 1 < blocks) FetchRows<V>(block, block.a + count * block.a_row, count);
      compute[count](block);
      block.a += count * panel.a_row;
      block.c += count * panel.ldc;
    }
  }
}

// Whether copying B's panel into consecutive memory pays: not for a few rows of C, nor where B is narrow.
template <typename V>
bool PacksB(const GemmShape& s) {
  return s.transpose_b || (s.m > 3 * V::kMaxRows[V::kUsualVectors] && s.ldb * sizeof(typename V::Element) >= 2048);
}

// Rows of C that are computed for all of k before the next ones: so many that B's panels, which each chunk fetches
// again, cost little, so few that A is read as it lies in memory.
template <typename V>
int64_t RowChunks(const GemmShape& s) {
  constexpr int64_t kRowsPerChunk = 90;
  const bool whole = s.transpose_a || s.runs != nullptr || s.row_runs > 1 || s.k <= kGemmDepth || PacksB<V>(s);
  return whole ? 1 : CeilDiv(s.m, kRowsPerChunk);
}

template <typename V>
void BlockedRows(const GemmShape& s, const typename V::Element* a, const typename V::Element* b, typename V::Element* c,
                 void* scratch) {
  using T = typename V::Element;
  const bool pack = PacksB<V>(s);
  const int max_vectors = VectorsPerPanel<V>(s.m / s.row_runs);
  const int64_t vectors = CeilDiv(s.n, V::kWidth);
  const int64_t panels = CeilDiv(vectors, max_vectors);
  const int64_t depths = s.runs == nullptr ? CeilDiv(s.k, kGemmDepth) : 1;
  Block<T> x = {.a_row = s.transpose_a ? 1 : s.lda,
                .a_depth = s.transpose_a ? s.lda : 1,
                .ldc = s.ldc,
                .alpha = Scale<T>(s.alpha)};
  if (s.runs != nullptr) {
    x.runs = s.runs;
    x.num_runs = s.num_runs;
  }
  for (int64_t d = 0; d < depths; ++d) {
    const int64_t p = PartBegin(s.k, depths, d);
    const int64_t depth = PartBegin(s.k, depths, d + 1) - p;
    x.depth = depth / x.num_runs;
    x.a = a + p * x.a_depth;
    x.accumulate = s.accumulate || d > 0;
    for (int64_t i = 0; i < panels; ++i) {
      const int64_t first = PartBegin(vectors, panels, i);
      const int64_t count = PartBegin(vectors, panels, i + 1) - first;
      const int64_t column = first * V::kWidth;
      const int64_t columns = (i + 1 < panels ? count * V::kWidth : s.n - column);
      x.last_lanes = columns - (count - 1) * V::kWidth;
      x.c = c + column;
      if (pack) {
        T* packed = static_cast<T*>(scratch);
        x.ldb = count * V::kWidth;
        x.b = packed;
        if (s.transpose_b) {
          PackTransposed<V>(b + column * s.ldb + p, s.ldb, depth, columns, packed, x.ldb);
        } else {
          PackStraight<V>(b + p * s.ldb + column, s.ldb, depth, columns, packed, x.ldb);
        }
      } else {
        x.ldb = s.ldb;
        x.b = b + p * s.ldb + column;
      }
      ComputePanel<V>(s, x, static_cast<int>(count), /*fetch=*/i == 0 && depths > 1 && !s.transpose_a);
    }
  }
}

template <typename V>
void BlockedGemm(const GemmShape& s, const typename V::Element* a, const typename V::Element* b, typename V::Element* c,
                 void* scratch) {
  const int64_t chunks = RowChunks<V>(s);
  GemmShape rows = s;
  for (int64_t i = 0; i < chunks; ++i) {
    const int64_t first = PartBegin(s.m, chunks, i);
    rows.m = PartBegin(s.m, chunks, i + 1) - first;
    BlockedRows<V>(rows, a + first * s.lda, b, c + first * s.ldc, scratch);
  }
}

}  // namespace
}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_GEMM_BLOCKS_H_
