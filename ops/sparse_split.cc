// SparseSplit, SparseSparseMaximum, SparseSparseMinimum. Contracts: ops/sparse.h.
#include <algorithm>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/elementwise.h"
#include "ops/sparse.h"
#include "ops/sparse_entries.h"
#include "ops/sparse_merge.h"

namespace staticflow {
namespace {

// SparseSplit: outputs are lists of `num_split` indices, values and shapes.
absl::Status SplitShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  SF_ASSIGN_OR_RETURN(const SparseSizes sizes, SparseInputs(c, 1));
  const int n = static_cast<int>(c.attr<int64_t>("num_split"));
  for (int i = 0; i < n; ++i) {
    c.set_output(i, {Shape::kUnknownDim, sizes.rank});
    c.set_output(n + i, {Shape::kUnknownDim});
    c.set_output(2 * n + i, {sizes.rank});
  }
  return absl::OkStatus();
}

// `size` indices in `parts` parts, of which the first `size % parts` are larger by 1.
struct Parts {
  int64_t size, parts;

  int64_t Start(int64_t part) const { return part * (size / parts) + std::min(part, size % parts); }
  int64_t PartOf(int64_t index) const {
    const int64_t small = size / parts, large = size % parts, border = large * (small + 1);
    return index < border ? index / (small + 1) : large + (index - border) / small;
  }
};

template <typename T>
absl::Status Split(KernelContext& c, int64_t num_split, bool allocate_shape) {
  const SparseIndices indices(c.input(1));
  SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 3));
  SF_RETURN_IF_ERROR(indices.Check(shape));
  SF_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(c.scalar<int64_t>(0), static_cast<int>(shape.size())));
  const Parts parts = {.size = shape[static_cast<size_t>(axis)], .parts = num_split};
  if (parts.size < num_split) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_split is ", num_split, ", dimension ", axis, " has size ", parts.size));
  }
  std::vector<int64_t> counts(static_cast<size_t>(num_split));
  for (int64_t k = 0; k < indices.count(); ++k) ++counts[static_cast<size_t>(parts.PartOf(indices.at(k, axis)))];
  const int64_t rank = indices.rank();
  const int n = static_cast<int>(num_split);
  for (int i = 0; i < n; ++i) {
    SF_RETURN_IF_ERROR(c.AllocateOutput(i, {counts[i], rank}));
    SF_RETURN_IF_ERROR(c.AllocateOutput(n + i, {counts[i]}));
    if (allocate_shape) SF_RETURN_IF_ERROR(c.AllocateOutput(2 * n + i, {rank}));
    std::copy(shape.begin(), shape.end(), c.out<int64_t>(2 * n + i));
    c.out<int64_t>(2 * n + i)[axis] = parts.Start(i + 1) - parts.Start(i);
    counts[i] = 0;
  }
  for (int64_t k = 0; k < indices.count(); ++k) {
    const int part = static_cast<int>(parts.PartOf(indices.at(k, axis)));
    const int64_t at = counts[part]++;
    int64_t* to = c.out<int64_t>(part) + at * rank;
    indices.Copy(k, to);
    to[axis] -= parts.Start(part);
    c.out<T>(n + part)[at] = c.in<T>(2)[k];
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> SplitKernel(const KernelSetup& setup) {
  const int64_t num_split = setup.attr<int64_t>("num_split");
  const bool allocate = !setup.output_shape(static_cast<int>(2 * num_split)).IsFullyDefined();
  return StorageKernel(setup.input_dtype(2), [=]<typename T>() -> Kernel {
    return [=](KernelContext& c) { return Split<T>(c, num_split, allocate); };
  });
}
const OpRegistrar split({.name = "SparseSplit",
                         .inputs = {"split_dim: int64", "indices: int64", "values: T", "shape: int64"},
                         .outputs = {"output_indices: num_split * int64", "output_values: num_split * T",
                                     "output_shape: num_split * int64"},
                         .attrs = {"num_split: int >= 1", "T: type"},
                         .shape = SplitShape,
                         .gradient = kGradientIsError,
                         .kernel = SplitKernel,
                         .doc = "Parts of a sparse tensor along one dimension."});

// SparseSparseMaximum, SparseSparseMinimum: where either has an entry. Both are in row-major order.
absl::Status ExtremeShape(ShapeContext& c) { return MergedEntriesShape(c).status(); }
template <typename T, bool larger>
absl::Status Extreme(KernelContext& c) {
  return MergeEntries<T>(c, [](const T* x, const T* y) -> std::optional<T> {
    using A = ComputeType<T>;
    const A a = x == nullptr ? A(0) : A(Widen(*x)), b = y == nullptr ? A(0) : A(Widen(*y));
    if (a != a) return T(a);  // a NaN is as extreme as can be
    return T(b != b || (larger ? a < b : b < a) ? b : a);
  });
}
template <bool larger>
absl::StatusOr<Kernel> ExtremeKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.output_dtype(1), [&]<typename T>() { kernel = Extreme<T, larger>; });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(1));
  return kernel;
}
OpSpec ExtremeOp(std::string name, KernelSource kernel, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"a_indices: int64", "a_values: T", "a_shape: int64", "b_indices: int64", "b_values: T",
                     "b_shape: int64"},
          .outputs = {"output_indices: int64", "output_values: T"},
          .attrs = {kNumberT},
          .shape = ExtremeShape,
          .gradient = kGradientIsError,
          .kernel = kernel,
          .doc = std::move(doc)};
}
const OpRegistrar maximum(ExtremeOp("SparseSparseMaximum", ExtremeKernel<true>,
                                    "The larger of two sparse tensors wherever either has an entry."));
const OpRegistrar minimum(ExtremeOp("SparseSparseMinimum", ExtremeKernel<false>,
                                    "The smaller of two sparse tensors wherever either has an entry."));

SparseParts ExtremeNode(absl::string_view type, const SparseParts& a, const SparseParts& b, const OpOptions& options) {
  const Node* node =
      NodeBuilder(type, {a.indices, a.values, a.shape, b.indices, b.values, b.shape}).Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {.indices = node->output(0), .values = node->output(1), .shape = a.shape};
}

}  // namespace

std::vector<SparseParts> SparseSplit(const SparseParts& a, int64_t split_dim, int64_t num_split,
                                     const OpOptions& options) {
  if (!a.indices.valid()) return {};
  const Output axis = Const(a.indices.graph(), split_dim);
  const Node* node = NodeBuilder("SparseSplit", {axis, a.indices, a.values, a.shape})
                         .Attr("num_split", num_split)
                         .Name(options.name)
                         .BuildNode();
  if (node == nullptr) return {};
  std::vector<SparseParts> parts;
  const int n = static_cast<int>(num_split);
  for (int i = 0; i < n; ++i) parts.push_back({node->output(i), node->output(n + i), node->output(2 * n + i)});
  return parts;
}
SparseParts SparseMaximum(const SparseParts& a, const SparseParts& b, const OpOptions& options) {
  return ExtremeNode("SparseSparseMaximum", a, b, options);
}
SparseParts SparseMinimum(const SparseParts& a, const SparseParts& b, const OpOptions& options) {
  return ExtremeNode("SparseSparseMinimum", a, b, options);
}

}  // namespace staticflow
