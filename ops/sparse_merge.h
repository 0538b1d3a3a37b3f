// Merging two sparse tensors of one shape, which are inputs [0, 3) and [3, 6), each in row-major order: outputs 0 and 1
// are the indices and values of the result.
#ifndef STATICFLOW_OPS_SPARSE_MERGE_H_
#define STATICFLOW_OPS_SPARSE_MERGE_H_

#include <optional>
#include <utility>
#include <vector>

#include "ops/sparse_entries.h"

namespace staticflow {

// Sets the shapes of outputs 0 and 1; returns the rank, as far as known.
inline absl::StatusOr<int64_t> MergedEntriesShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const SparseSizes a, SparseInputs(c, 0));
  SF_ASSIGN_OR_RETURN(const SparseSizes b, SparseInputs(c, 3));
  SF_ASSIGN_OR_RETURN(const int64_t rank, c.MergeDims(a.rank, b.rank, "dimensions"));
  c.set_output(0, {Shape::kUnknownDim, rank});
  c.set_output(1, {Shape::kUnknownDim});
  return rank;
}

// std::optional<T> combine(const T* x, const T* y) gives the value where either tensor has an entry, null where it has
// none; nullopt leaves the entry out.
template <typename T, typename Combine>
absl::Status MergeEntries(KernelContext& c, Combine combine) {
  const SparseIndices a(c.input(0)), b(c.input(3));
  SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 2));
  SF_ASSIGN_OR_RETURN(const std::vector<int64_t> other, SizesInput(c, 5));
  if (shape != other) return absl::InvalidArgumentError("the two tensors have different shapes");
  SF_RETURN_IF_ERROR(a.Check(shape));
  SF_RETURN_IF_ERROR(b.Check(shape));
  std::vector<std::pair<int64_t, T>> merged;  // an entry of a, or -1 - an entry of b, and the value
  for (int64_t i = 0, j = 0; i < a.count() || j < b.count();) {
    const int order = i == a.count() ? 1 : j == b.count() ? -1 : a.Compare(i, b, j);
    const int64_t entry = order <= 0 ? i : -1 - j;
    const T* x = order <= 0 ? c.in<T>(1) + i++ : nullptr;
    const T* y = order >= 0 ? c.in<T>(4) + j++ : nullptr;
    if (const std::optional<T> value = combine(x, y); value.has_value()) merged.push_back({entry, *value});
  }
  const int64_t n = static_cast<int64_t>(merged.size()), rank = a.rank();
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, {n, rank}));
  SF_RETURN_IF_ERROR(c.AllocateOutput(1, {n}));
  for (int64_t k = 0; k < n; ++k) {
    const auto& [entry, value] = merged[static_cast<size_t>(k)];
    entry >= 0 ? a.Copy(entry, c.out<int64_t>(0) + k * rank) : b.Copy(-1 - entry, c.out<int64_t>(0) + k * rank);
    c.out<T>(1)[k] = value;
  }
  return absl::OkStatus();
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_SPARSE_MERGE_H_
