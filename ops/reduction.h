// Reduction kernels: how one way of combining two values becomes the kernels of an op for all its types.
//
//   struct Summing {
//     template <typename T> using Sum = ...;                       // the type that accumulates elements of T
//     template <typename A> static A Start();                      // the result of combining nothing
//     template <typename A> static void Combine(A& a, const A& b); // a with b; A may be a vector of lanes
//     template <typename T> static T Finish(Sum<T> a, int64_t n);  // the result for n elements
//   };
//   .kernel = &ReductionKernel<Summing, float, double>
//
// The order of combination depends on nothing but the shape: blocks of 32 rows are combined one after the other, and
// the blocks in a binary tree, so that errors grow with the logarithm of the size. Where the last dimension is
// reduced, 16 lanes run side by side and are combined in a tree at the end. How the output is split among workers and
// which instruction set runs changes no bit.
#ifndef STATICFLOW_OPS_REDUCTION_H_
#define STATICFLOW_OPS_REDUCTION_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "ops/elementwise.h"
#include "runtime/kernel.h"

namespace staticflow {

// The walk through an input: neighbouring dimensions that are both kept or both reduced are one, size 1 is none.
struct ReductionLayout {
  struct Dim {
    int64_t size;
    int64_t stride;  // in elements of the input
  };
  using Dims = absl::InlinedVector<Dim, Shape::kMaxKernelRank>;
  Dims kept;     // innermost first, without the innermost dimension of all, which is `inner`
  Dims reduced;  // the same
  int64_t inner = 1;
  bool inner_reduced = false;
  int64_t rows = 1;   // product of `reduced`
  int64_t count = 1;  // elements per element of the output

  int64_t KeptOffset(int64_t index) const {
    int64_t offset = 0;
    for (const Dim& dim : kept) {
      offset += index % dim.size * dim.stride;
      index /= dim.size;
    }
    return offset;
  }
};

// The axes in `axes`, an int32 or int64 scalar or vector, as a mask over the dimensions of a tensor of rank `rank`.
// InvalidArgument for an axis outside [-rank, rank) or one that comes twice.
absl::StatusOr<absl::InlinedVector<bool, Shape::kMaxKernelRank>> ReducedDimensions(const TensorView& axes, int rank);
absl::StatusOr<ReductionLayout> MakeReductionLayout(const Shape& input, const TensorView& axes);

// The shape of a reduction of input 0 over the axes in input 1, with the attribute "keep_dims".
absl::Status ReductionShape(ShapeContext& c);
// Declares outputs in rows; flat elements [begin, end) of output 0 that the context's range of rows covers.
IndexRange FlatRangeOfRows(const KernelContext& c);

namespace internal {

inline constexpr int kLanes = 16;
inline constexpr int kTile = 4;        // vectors of lanes side by side when the last dimension is kept
inline constexpr int kBlockRows = 32;  // combined one after the other
inline constexpr int kLevels = 60;     // of the tree: enough for any int64_t number of blocks

// The offsets of the reduced rows, in order, a block at a time.
class RowWalk {
 public:
  explicit RowWalk(const ReductionLayout& layout)
      : dims_(layout.reduced), left_(layout.rows), index_(dims_.size(), 0) {}
  int64_t left() const { return left_; }
  int Fill(int64_t (&offsets)[kBlockRows]) {
    const int n = static_cast<int>(std::min<int64_t>(left_, kBlockRows));
    for (int i = 0; i < n; ++i) {
      offsets[i] = offset_;
      for (size_t d = 0; d < dims_.size(); ++d) {
        offset_ += dims_[d].stride;
        if (++index_[d] < dims_[d].size) break;
        offset_ -= dims_[d].size * dims_[d].stride;
        index_[d] = 0;
      }
    }
    left_ -= n;
    return n;
  }

 private:
  const ReductionLayout::Dims& dims_;
  int64_t left_;
  int64_t offset_ = 0;
  absl::InlinedVector<int64_t, Shape::kMaxKernelRank> index_;
};

template <typename R, typename T>
struct ReductionLoops {
  using Sum = typename R::template Sum<T>;
  // Two vectors, each of which is one register for float and AVX2.
  typedef Sum HalfLanes __attribute__((vector_size(kLanes / 2 * sizeof(Sum))));
  struct Lanes {
    HalfLanes low, high;
  };

  [[gnu::always_inline]] static inline void Load(const T* x, Lanes& lanes) {
    if constexpr (std::is_same_v<T, Sum>) {
      std::memcpy(&lanes.low, x, sizeof(HalfLanes));
      std::memcpy(&lanes.high, x + kLanes / 2, sizeof(HalfLanes));
    } else {
      Sum sums[kLanes];
      for (int i = 0; i < kLanes; ++i) sums[i] = Sum(Widen(x[i]));
      std::memcpy(&lanes.low, sums, sizeof(HalfLanes));
      std::memcpy(&lanes.high, sums + kLanes / 2, sizeof(HalfLanes));
    }
  }
  [[gnu::always_inline]] static inline void LoadPart(const T* x, int n, Lanes& lanes) {
    Sum sums[kLanes];
    for (int i = 0; i < kLanes; ++i) sums[i] = R::template Start<Sum>();
    for (int i = 0; i < n; ++i) sums[i] = Sum(Widen(x[i]));
    std::memcpy(&lanes.low, sums, sizeof(HalfLanes));
    std::memcpy(&lanes.high, sums + kLanes / 2, sizeof(HalfLanes));
  }
  [[gnu::always_inline]] static inline void Store(const Lanes& lanes, Sum* sums) {
    std::memcpy(sums, &lanes.low, sizeof(HalfLanes));
    std::memcpy(sums + kLanes / 2, &lanes.high, sizeof(HalfLanes));
  }
  [[gnu::always_inline]] static inline void Combine(Lanes& a, const Lanes& b) {
    R::Combine(a.low, b.low);
    R::Combine(a.high, b.high);
  }

  // Adds blocks as a binary counter adds ones: level l holds the combination of 2^l blocks.
  template <int kWidth>
  struct Tree {
    Lanes level[kLevels][kWidth];
    uint64_t blocks = 0;

    [[gnu::always_inline]] inline void Add(Lanes (&block)[kWidth]) {
      int l = 0;
      for (; blocks >> l & 1; ++l) Merge(l, block);
      for (int v = 0; v < kWidth; ++v) level[l][v] = block[v];
      ++blocks;
    }
    // REQUIRES: Add was called.
    [[gnu::always_inline]] inline void Result(Lanes (&result)[kWidth]) const {
      bool first = true;
      for (int l = 0; blocks >> l != 0; ++l) {
        if ((blocks >> l & 1) == 0) continue;
        if (first) {
          for (int v = 0; v < kWidth; ++v) result[v] = level[l][v];
        } else {
          Merge(l, result);
        }
        first = false;
      }
    }
    [[gnu::always_inline]] inline void Merge(int l, Lanes (&right)[kWidth]) const {
      for (int v = 0; v < kWidth; ++v) {
        Lanes left = level[l][v];
        Combine(left, right[v]);
        right[v] = left;
      }
    }
  };

  // out[j] = the combination of x[row + j] over all rows, for `width` <= kTile * kLanes columns, the first of which is
  // column `first` of the input.
  [[gnu::always_inline]] static inline void Columns(const T* x, const ReductionLayout& layout, int64_t first, int width,
                                                    T* out) {
    // The last lanes start early enough to be full, where the row has that many elements: some columns come twice.
    const int vectors = (width + kLanes - 1) / kLanes, rest = width - (vectors - 1) * kLanes;
    const int early = first + width >= kLanes ? kLanes - rest : 0;
    Tree<kTile> tree;
    Lanes block[kTile] = {};
    int64_t offsets[kBlockRows];
    for (RowWalk walk(layout); walk.left() > 0;) {
      const int rows = walk.Fill(offsets);
      for (int v = 0; v < vectors; ++v) {
        const bool last = v == vectors - 1;
        const T* column = x + v * kLanes - (last ? early : 0);
        Lanes sum, row;
        if (!last || early + rest == kLanes) {
          Load(column + offsets[0], sum);
          for (int r = 1; r < rows; ++r) {
            Load(column + offsets[r], row);
            Combine(sum, row);
          }
        } else {
          LoadPart(column + offsets[0], rest, sum);
          for (int r = 1; r < rows; ++r) {
            LoadPart(column + offsets[r], rest, row);
            Combine(sum, row);
          }
        }
        block[v] = sum;
      }
      tree.Add(block);
    }
    tree.Result(block);
    Sum sums[kTile * kLanes];
    for (int v = 0; v < kTile; ++v) Store(block[v], sums + v * kLanes);
    for (int j = 0; j < width; ++j) {
      out[j] = R::template Finish<T>(sums[j < width - rest ? j : j + early], layout.count);
    }
  }

  // The combination of layout.inner neighbours in each of the rows.
  [[gnu::always_inline]] static inline T Run(const T* x, const ReductionLayout& layout) {
    const int64_t inner = layout.inner;
    if (inner <= kLanes && layout.rows == 1) {
      Sum sum = Sum(Widen(x[0]));
      for (int64_t i = 1; i < inner; ++i) R::Combine(sum, Sum(Widen(x[i])));
      return R::template Finish<T>(sum, layout.count);
    }
    Tree<1> tree;
    Lanes block[1];
    int64_t offsets[kBlockRows];
    for (RowWalk walk(layout); walk.left() > 0;) {
      const int rows = walk.Fill(offsets);
      for (int r = 0; r < rows; ++r) {
        const T* row = x + offsets[r];
        for (int64_t begin = 0; begin < inner; begin += kLanes * kBlockRows) {
          const int64_t end = std::min<int64_t>(inner, begin + kLanes * kBlockRows);
          Lanes sum, chunk;
          LoadChunk(row, begin, end, sum);
          for (int64_t i = begin + kLanes; i < end; i += kLanes) {
            LoadChunk(row, i, end, chunk);
            Combine(sum, chunk);
          }
          block[0] = sum;
          tree.Add(block);
        }
      }
    }
    tree.Result(block);
    Sum lanes[kLanes];
    Store(block[0], lanes);
    for (int n = kLanes / 2; n > 0; n /= 2) {
      for (int i = 0; i < n; ++i) R::Combine(lanes[i], lanes[i + n]);
    }
    return R::template Finish<T>(lanes[0], layout.count);
  }
  [[gnu::always_inline]] static inline void LoadChunk(const T* row, int64_t i, int64_t end, Lanes& lanes) {
    if (i + kLanes <= end) {
      Load(row + i, lanes);
    } else {
      LoadPart(row + i, static_cast<int>(end - i), lanes);
    }
  }

  // Output elements [begin, end).
  [[gnu::always_inline]] static inline void All(const T* x, const ReductionLayout& layout, int64_t begin, int64_t end,
                                                T* out) {
    if (layout.count == 0) {
      for (int64_t i = begin; i < end; ++i) out[i] = R::template Finish<T>(R::template Start<Sum>(), 0);
    } else if (layout.inner_reduced) {
      for (int64_t i = begin; i < end; ++i) out[i] = Run(x + layout.KeptOffset(i), layout);
    } else {
      while (begin < end) {
        const int64_t column = begin % layout.inner;
        const int64_t width = std::min({layout.inner - column, end - begin, int64_t{kTile * kLanes}});
        const T* corner = x + layout.KeptOffset(begin / layout.inner) + column;
        Columns(corner, layout, column, static_cast<int>(width), out + begin);
        begin += width;
      }
    }
  }
  static void Plain(const T* x, const ReductionLayout& layout, int64_t begin, int64_t end, T* out) {
    All(x, layout, begin, end, out);
  }
  // Compiled for size.
  [[gnu::cold]] static void Small(const T* x, const ReductionLayout& layout, int64_t begin, int64_t end, T* out) {
    All(x, layout, begin, end, out);
  }
  SF_AVX2 static void Avx2(const T* x, const ReductionLayout& layout, int64_t begin, int64_t end, T* out) {
    All(x, layout, begin, end, out);
  }
};

}  // namespace internal

// The kernel of a reduction of input 0 over the axes in input 1, by R, for the types Ts.
template <typename R, typename... Ts>
absl::StatusOr<Kernel> ReductionKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<Ts...>(setup.input_dtype(0), [&]<typename T>() {
    using Loops = internal::ReductionLoops<R, T>;
    auto loop = Loops::Small;
    if constexpr (std::is_same_v<T, float>) {
      loop = HasAvx2() ? Loops::Avx2 : Loops::Plain;
    } else if constexpr (std::is_same_v<T, double>) {
      loop = Loops::Plain;
    }
    kernel = [loop](KernelContext& c) -> absl::Status {
      SF_ASSIGN_OR_RETURN(const ReductionLayout layout, MakeReductionLayout(*c.input(0).shape, c.input(1)));
      const auto [begin, end] = FlatRangeOfRows(c);
      loop(c.in<T>(0), layout, begin, end, c.out<T>(0));
      return absl::OkStatus();
    };
  });
  if (kernel == nullptr) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_REDUCTION_H_
