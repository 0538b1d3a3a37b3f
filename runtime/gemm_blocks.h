// The blocked product that every path of Gemm shares, as templates over a vector type V. Each path's file defines its
// V for its instruction set, under its target pragma, and includes this file there; the anonymous namespace keeps the
// instances of one instruction set apart from another's. Not for any other file.
//
// V has: Element, Vector, kWidth (elements of a vector), kMaxRows[NV] (rows of the register block that is NV vectors
// wide, NV = 1..kMaxVectors), kUsualVectors (how wide a panel is when C has many rows), Zero, Broadcast(p), Load(p),
// Load(p, mask), Store(p, v), Store(p, v, mask), MultiplyAdd(a, b, c) = a b + c, Multiply, Add (never fused),
// FirstLanes(count), and kTileDepth, LoadTransposed(src, ld, column): column[p][j] = src[j][p] for j < kWidth, p <
// kTileDepth. kAsksAhead: whether blocks may ask for memory meanwhile. kMostTail: how many last columns that fill no
// vector are computed with rows in the lanes; 0: none, else there is StoreTurned, which stores such rows. kGroup: how
// many products of a last column take the lanes; 0: one, else there are BroadcastGroup, LoadGroups, TurnGroups,
// AddGroups and StoreGroups.
#ifndef STATICFLOW_RUNTIME_GEMM_BLOCKS_H_
#define STATICFLOW_RUNTIME_GEMM_BLOCKS_H_

#include <cstdint>

#include "runtime/gemm.h"
#include "runtime/gemm_block.h"
#include "runtime/gemm_dots.h"
#include "runtime/gemm_paths.h"
#include "runtime/gemm_tail.h"

namespace staticflow {
namespace {

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
      typename V::Vector column[V::kTileDepth];
      V::LoadTransposed(src + j * ld_src + p, ld_src, column);
#pragma GCC unroll 4
      for (int q = 0; q < V::kTileDepth; ++q) V::Store(dst + (p + q) * ld_dst + j, column[q]);
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

// A panel of columns of C, whose rows of op(B) are ready at `panel->b`. `fetch_rows`: what the panel reads of A lies in
// memory, and nobody has asked for it.
template <typename V>
void ComputePanel(const GemmShape& s, int vectors, bool fetch_rows, Block<typename V::Element>* panel) {
  using T = typename V::Element;
  const int64_t rows = s.m / s.row_runs;
  const int64_t blocks = CeilDiv(rows, V::kMaxRows[vectors]);
  const int64_t small = rows / blocks;
  const int64_t large_blocks = rows % blocks;
  Block<typename V::Element> block = *panel;
  // A column of the stored A is a row of op(A): what lies in one line serves several blocks.
  const bool asks_columns = fetch_rows && s.transpose_a && s.row_runs == 1;
  if (asks_columns) block.fetch_step = block.a_depth * static_cast<int64_t>(sizeof(T));
  const bool asks = block.fetch_step > 0 && AsksAhead<V>(vectors);
  const BlockKind kind = s.runs != nullptr               ? kBlockWithRuns
                         : panel->last_lanes < V::kWidth ? kMaskedVector
                         : asks                          ? kAskingAhead
                                                         : kWholeVectors;
  const auto& compute = kBlockTable<V>.of[kind][vectors];
  for (int64_t r = 0; r < s.row_runs; ++r) {
    block.a = panel->a + r * s.row_run_step;
    for (int64_t i = 0; i < blocks; ++i) {
      const int64_t count = small + (i < large_blocks ? 1 : 0);
      if (asks_columns) {
        // The last column of the next block; behind the last block, the columns of the products after these.
        const int64_t ahead = i + 1 < blocks ? 2 * count - 1 : block.depth * block.a_depth - (block.a - panel->a);
        block.fetch = reinterpret_cast<uintptr_t>(block.a) + ahead * sizeof(T);
      } else if (fetch_rows && i + 1 < blocks) {
        FetchRows<V>(block, block.a + count * block.a_row, count);
      }
      compute[count](block);
      block.a += count * panel->a_row;
      block.c += count * panel->ldc;
      if (kind == kAskingAhead && !asks_columns) block.fetch += block.fetch_step * block.depth;
    }
  }
  if (!asks_columns) panel->fetch = block.fetch;
}

// Whether copying B's panel into consecutive memory pays: not for a few rows of C, nor where B is narrow.
template <typename V>
bool PacksB(const GemmShape& s) {
  return s.transpose_b || (s.m > 3 * V::kMaxRows[V::kUsualVectors] && s.ldb * sizeof(typename V::Element) >= 2048);
}

// How C is cut into panels of columns. Behind them come the last columns that gemm_tail.h or gemm_dots.h computes.
template <typename V>
struct Panels {
  explicit Panels(const GemmShape& s)
      : columns(s.n - TailColumns<V>(s) - DotColumns<V>(s)),
        vectors(CeilDiv(columns, V::kWidth)),
        count(CeilDiv(vectors, VectorsPerPanel<V>(s.m / s.row_runs))) {}

  int64_t VectorsOf(int64_t i) const { return PartBegin(vectors, count, i + 1) - PartBegin(vectors, count, i); }
  // How many blocks of `rows` rows ask for memory meanwhile, for each depth.
  int64_t AskingBlocks(int64_t rows) const {
    int64_t blocks = 0;
    for (int64_t i = 0; i < count; ++i) {
      const bool whole = i + 1 < count || columns % V::kWidth == 0;
      if (whole && AsksAhead<V>(VectorsOf(i))) blocks += CeilDiv(rows, V::kMaxRows[VectorsOf(i)]);
    }
    return blocks;
  }

  const int64_t columns;
  const int64_t vectors;
  const int64_t count;
};

// What of A lies in memory, while one chunk of rows of a product is computed; behind the last one, GemmShape::ahead.
struct Chunk {
  bool rows_fetched = false;  // somebody asked for the chunk's own rows
  uintptr_t fetch = 0;        // what to ask for meanwhile
  int64_t fetch_bytes = 0;
};

template <typename V>
void BlockedRows(const GemmShape& s, const typename V::Element* a, const typename V::Element* b, typename V::Element* c,
                 const Chunk& chunk, void* scratch) {
  using T = typename V::Element;
  const bool pack = PacksB<V>(s);
  const Panels<V> panels(s);
  const int64_t b_column = s.transpose_b ? s.ldb : 1;
  const int64_t depths = s.runs == nullptr ? CeilDiv(s.k, kGemmDepth) : 1;
  Block<T> x = {.a_row = s.transpose_a ? 1 : s.lda,
                .a_depth = s.transpose_a ? s.lda : 1,
                .ldc = s.ldc,
                .alpha = Scale<T>(s.alpha)};
  if (s.runs != nullptr) {
    x.runs = s.runs;
    x.num_runs = s.num_runs;
  }
  if (chunk.fetch_bytes > 0) {
    // Evenly: many lines at once would keep the blocks' own loads waiting.
    x.fetch = chunk.fetch;
    x.fetch_step = CeilDiv(chunk.fetch_bytes, panels.AskingBlocks(s.m) * s.k);
  }
  for (int64_t d = 0; d < depths; ++d) {
    const int64_t p = PartBegin(s.k, depths, d);
    const int64_t depth = PartBegin(s.k, depths, d + 1) - p;
    const T* depth_b = b + p * (s.transpose_b ? 1 : s.ldb);
    x.depth = depth / x.num_runs;
    x.a = a + p * x.a_depth;
    x.accumulate = s.accumulate || d > 0;
    const bool fetch_rows = s.transpose_a || (depths > 1 && !chunk.rows_fetched);
    for (int64_t i = 0; i < panels.count; ++i) {
      const int64_t count = panels.VectorsOf(i);
      const int64_t column = PartBegin(panels.vectors, panels.count, i) * V::kWidth;
      const int64_t columns = (i + 1 < panels.count ? count * V::kWidth : panels.columns - column);
      x.last_lanes = columns - (count - 1) * V::kWidth;
      x.c = c + column;
      x.b = depth_b + column * b_column;
      x.ldb = s.ldb;
      if (pack) {
        T* packed = static_cast<T*>(scratch);
        (s.transpose_b ? PackTransposed<V> : PackStraight<V>)(x.b, s.ldb, depth, columns, packed, count * V::kWidth);
        x.b = packed;
        x.ldb = count * V::kWidth;
      }
      ComputePanel<V>(s, static_cast<int>(count), fetch_rows && i == 0, &x);
    }
    if (panels.columns == s.n) continue;
    const LastColumns<T> last = {.rows = s.m,
                                 .columns = s.n - panels.columns,
                                 .depth = depth,
                                 .a = x.a,
                                 .lda = s.lda,
                                 .b = depth_b + panels.columns * b_column,
                                 .ldb = s.ldb,
                                 .transpose_b = s.transpose_b,
                                 .c = c + panels.columns,
                                 .ldc = s.ldc,
                                 .alpha = x.alpha,
                                 .accumulate = x.accumulate};
    s.transpose_a ? ComputeTailRows<V>(last) : ComputeDotRows<V>(s, last);
  }
}

// Whether the rows of A that come next can be asked for while others are computed: not where there is too much between
// two rows. A half of the inner dimension asks for the other half, too, which is wanted next or by another worker.
template <typename V>
bool CanAskAhead(const GemmShape& s) {
  return s.lda <= 2 * s.k && Panels<V>(s).AskingBlocks(s.m) > 0;
}

// Rows of C that are computed for all of k before the next ones: so many that B's panels, which each chunk fetches
// again, cost little, so few that A is read as it lies in memory, that what several panels and the last columns read of
// it stays in the first-level cache, and that most of it is asked for in time.
template <typename V>
int64_t RowsPerChunk(const GemmShape& s) {
  constexpr int64_t kRows = 64, kRowsOfFew = 32, kRowsNotAskedFor = 90, kFew = 128, kWideB = 256;
  if (s.transpose_a || s.runs != nullptr || s.row_runs > 1 || s.k <= kGemmDepth || PacksB<V>(s)) return s.m;
  if (!CanAskAhead<V>(s)) return kRowsNotAskedFor;
  return s.m > kFew || s.n > kWideB ? kRows : kRowsOfFew;
}

// y += x, `count` elements.
template <typename V>
void AddRow(const typename V::Element* x, int64_t count, typename V::Element* y) {
  int64_t j = 0;
  for (; j + V::kWidth <= count; j += V::kWidth) V::Store(y + j, V::Add(V::Load(y + j), V::Load(x + j)));
  if (j == count) return;
  const auto mask = V::FirstLanes(count - j);
  V::Store(y + j, V::Add(V::Load(y + j, mask), V::Load(x + j, mask)), mask);
}

// C (+)= op(A) op(B), the products before and behind `inner_cut` each added up for themselves. What is added to C is
// computed apart if it has several blocks.
template <typename V>
void BlockedParts(const GemmShape& s, const typename V::Element* a, const typename V::Element* b,
                  typename V::Element* c, const Chunk& chunk, void* scratch) {
  using T = typename V::Element;
  GemmShape part = s;
  part.k = s.inner_cut;
  Chunk part_chunk = chunk;
  part_chunk.fetch_bytes = chunk.fetch_bytes * s.inner_cut / s.k;
  const auto compute = [&] {
    if (!part.accumulate || part.k <= kGemmDepth) return BlockedRows<V>(part, a, b, c, part_chunk, scratch);
    T* apart = reinterpret_cast<T*>(static_cast<char*>(scratch) + internal::GemmPanelBytes(s.k));
    part.accumulate = false;
    part.ldc = CeilDiv(s.n, V::kWidth) * V::kWidth;
    BlockedRows<V>(part, a, b, apart, part_chunk, scratch);
    for (int64_t i = 0; i < s.m; ++i) AddRow<V>(apart + i * part.ldc, s.n, c + i * s.ldc);
    part.ldc = s.ldc;
  };
  compute();
  part.k = s.k - s.inner_cut;
  part.accumulate = true;
  part_chunk.fetch = chunk.fetch + part_chunk.fetch_bytes;
  part_chunk.fetch_bytes = chunk.fetch_bytes - part_chunk.fetch_bytes;
  a += s.inner_cut * (s.transpose_a ? s.lda : 1);
  b += s.inner_cut * (s.transpose_b ? 1 : s.ldb);
  compute();
}

template <typename V>
void BlockedGemm(const GemmShape& s, const typename V::Element* a, const typename V::Element* b, typename V::Element* c,
                 void* scratch) {
  using T = typename V::Element;
  const int64_t most = RowsPerChunk<V>(s);
  const bool asks = CanAskAhead<V>(s);
  // The last chunk is not so small that its tail would not fill a vector.
  const auto size = [most](int64_t left) { return left < most + V::kWidth ? left : most; };
  GemmShape rows = s;
  for (int64_t first = 0; first < s.m; first += rows.m) {
    const int64_t left = s.m - first;
    rows.m = size(left);
    const T* chunk_a = a + first * s.lda;
    const int64_t rows_after = asks ? size(left - rows.m) : 0;
    Chunk chunk = {.rows_fetched = first > 0 && asks,
                   .fetch = reinterpret_cast<uintptr_t>(chunk_a + rows.m * s.lda),
                   .fetch_bytes = rows_after * s.lda * static_cast<int64_t>(sizeof(T))};
    if (rows_after == 0 && !s.transpose_a && Panels<V>(rows).AskingBlocks(rows.m) > 0) {
      chunk.fetch = reinterpret_cast<uintptr_t>(s.ahead);
      chunk.fetch_bytes = s.ahead_bytes;
    }
    if (s.inner_cut > 0) {
      BlockedParts<V>(rows, chunk_a, b, c + first * s.ldc, chunk, scratch);
    } else {
      BlockedRows<V>(rows, chunk_a, b, c + first * s.ldc, chunk, scratch);
    }
  }
}

}  // namespace
}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_GEMM_BLOCKS_H_
