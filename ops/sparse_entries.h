// What the kernels and shape functions of sparse ops share: reading and checking the parts of a sparse tensor.
#ifndef STATICFLOW_OPS_SPARSE_ENTRIES_H_
#define STATICFLOW_OPS_SPARSE_ENTRIES_H_

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "graph/shape_inference.h"
#include "ops/array_shapes.h"
#include "runtime/kernel.h"

namespace staticflow {

// The indices in a matrix [n, rank]; a vector holds indices of rank 1, a scalar one of them.
class SparseIndices {
 public:
  explicit SparseIndices(const TensorView& view)
      : view_(view), count_(view.rank() == 0 ? 1 : view.dim(0)), rank_(view.rank() < 2 ? 1 : view.dim(1)) {}

  int64_t count() const { return count_; }
  int64_t rank() const { return rank_; }
  int64_t at(int64_t entry, int64_t d) const {
    const int64_t i = entry * rank_ + d;
    return view_.dtype == DT_INT64 ? view_.as<int64_t>()[i] : view_.as<int32_t>()[i];
  }
  void Copy(int64_t entry, int64_t* to) const {
    for (int64_t d = 0; d < rank_; ++d) to[d] = at(entry, d);
  }
  // Whether entry a comes before entry b in row-major order.
  bool Before(int64_t a, int64_t b) const { return Compare(a, *this, b) < 0; }
  // < 0, 0 or > 0 as entry a comes before, with or after entry b of `other`. REQUIRES: equal ranks.
  int Compare(int64_t a, const SparseIndices& other, int64_t b) const {
    for (int64_t d = 0; d < rank_; ++d) {
      if (at(a, d) != other.at(b, d)) return at(a, d) < other.at(b, d) ? -1 : 1;
    }
    return 0;
  }
  // InvalidArgument unless all indices lie within `shape`.
  absl::Status Check(absl::Span<const int64_t> shape) const {
    if (rank_ != static_cast<int64_t>(shape.size())) {
      return absl::InvalidArgumentError(absl::StrCat("indices of rank ", rank_, " for a shape of rank ", shape.size()));
    }
    for (int64_t k = 0; k < count_; ++k) {
      for (int64_t d = 0; d < rank_; ++d) {
        if (at(k, d) >= 0 && at(k, d) < shape[d]) continue;
        return absl::InvalidArgumentError(
            absl::StrCat("index ", at(k, d), " of entry ", k, " is outside dimension ", d, " of size ", shape[d]));
      }
    }
    return absl::OkStatus();
  }

 private:
  const TensorView& view_;
  int64_t count_, rank_;
};

// The integers of input i, a vector of sizes; InvalidArgument for one below 0.
inline absl::StatusOr<std::vector<int64_t>> SizesInput(const KernelContext& c, int i) {
  const TensorView& view = c.input(i);
  SF_ASSIGN_OR_RETURN(std::vector<int64_t> sizes,
                      IntegerValues(Tensor::BorrowBytes(view.dtype, *view.shape, view.data)));
  for (int64_t size : sizes) {
    if (size < 0) return absl::InvalidArgumentError(absl::StrCat("size ", size, " in input ", i, " is below 0"));
  }
  return sizes;
}

// The number of entries and the rank of a sparse tensor, as far as known, from inputs [first, first + 3): indices
// [n, rank], values [n], shape [rank].
struct SparseSizes {
  int64_t entries = Shape::kUnknownDim;
  int64_t rank = Shape::kUnknownDim;
};
inline absl::StatusOr<SparseSizes> SparseInputs(const ShapeContext& c, int first) {
  SF_ASSIGN_OR_RETURN(const Shape indices, c.WithRank(first, 2));
  SF_ASSIGN_OR_RETURN(const Shape values, c.WithRank(first + 1, 1));
  SF_ASSIGN_OR_RETURN(const Shape shape, c.WithRank(first + 2, 1));
  SparseSizes sizes;
  SF_ASSIGN_OR_RETURN(sizes.entries, c.MergeDims(indices.dim(0), values.dim(0), "entries"));
  SF_ASSIGN_OR_RETURN(sizes.rank, c.MergeDims(indices.dim(1), shape.dim(0), "dimensions"));
  return sizes;
}

// Which of `rank` dimensions the axes name.
inline absl::StatusOr<std::vector<bool>> ReducedDims(absl::Span<const int64_t> axes, int rank) {
  std::vector<bool> reduced(rank, false);
  for (int64_t axis : axes) {
    SF_ASSIGN_OR_RETURN(const int d, NormalizeAxis(axis, rank));
    reduced[d] = true;
  }
  return reduced;
}
// The shape of a dense reduction: inputs are a sparse tensor and axes, the attribute keep_dims.
// Input 3 of a reduction: axes, or one.
inline absl::Status CheckReductionAxes(const ShapeContext& c) {
  if (!c.input(3).has_rank() || c.input(3).rank() <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("reduction_axes has shape ", c.input(3).ToString(), ", expected a scalar or a vector"));
}
inline absl::Status SparseReduceShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckReductionAxes(c));
  SF_RETURN_IF_ERROR(SparseInputs(c, 0).status());
  SF_ASSIGN_OR_RETURN(const Shape shape, DimsFromInput(c, 2));
  SF_ASSIGN_OR_RETURN(const auto axes, c.Integers(3));
  if (!shape.has_rank() || !axes.has_value()) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const std::vector<bool> reduced, ReducedDims(*axes, shape.rank()));
  Shape result;
  for (int d = 0; d < shape.rank(); ++d) {
    if (!reduced[d]) result.push_back(shape.dim(d));
    if (reduced[d] && c.attr<bool>("keep_dims")) result.push_back(1);
  }
  c.set_output(0, std::move(result));
  return absl::OkStatus();
}
}  // namespace staticflow

#endif  // STATICFLOW_OPS_SPARSE_ENTRIES_H_
