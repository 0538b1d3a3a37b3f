// SparseReduceMax, SparseReduceSumSparse, SparseReduceMaxSparse: entries combined by place. Contracts: ops/sparse.h.
#include <algorithm>
#include <limits>
#include <numeric>

#include "graph/gradients.h"
#include "ops/array_nodes.h"
#include "ops/elementwise.h"
#include "ops/sparse.h"
#include "ops/sparse_entries.h"

namespace staticflow {
namespace {

// How the entries of one place are combined. A NaN is never the largest.
struct Adding {
  template <typename T>
  static ComputeType<T> Combine(ComputeType<T> sum, ComputeType<T> x) {
    return WrapAdd<ComputeType<T>>(sum, x);
  }
  template <typename T>
  static ComputeType<T> Start() {
    return ComputeType<T>(0);
  }
};
struct Maximizing {
  template <typename T>
  static ComputeType<T> Combine(ComputeType<T> most, ComputeType<T> x) {
    return most < x ? x : most;
  }
  template <typename T>
  static ComputeType<T> Start() {
    using A = ComputeType<T>;
    if constexpr (std::numeric_limits<A>::has_infinity) return -std::numeric_limits<A>::infinity();
    return std::numeric_limits<A>::lowest();
  }
};

// The entries in the order of the dimensions that stay, then of the reduced ones; groups are what is equal in the
// former.
struct Groups {
  std::vector<int64_t> order;
  std::vector<int64_t> starts;  // of each group in `order`, and the end
  std::vector<bool> reduced;
};
absl::StatusOr<Groups> MakeGroups(const KernelContext& c, const SparseIndices& indices,
                                  absl::Span<const int64_t> shape) {
  const absl::Span<const int32_t> axes(c.in<int32_t>(3), static_cast<size_t>(c.input(3).num_elements));
  SF_RETURN_IF_ERROR(indices.Check(shape));
  Groups groups;
  SF_ASSIGN_OR_RETURN(groups.reduced,
                      ReducedDims(std::vector<int64_t>(axes.begin(), axes.end()), static_cast<int>(shape.size())));
  const auto compare = [&](int64_t a, int64_t b, bool reduced) {
    for (size_t d = 0; d < shape.size(); ++d) {
      const int64_t x = indices.at(a, static_cast<int64_t>(d)), y = indices.at(b, static_cast<int64_t>(d));
      if (groups.reduced[d] == reduced && x != y) return x < y ? -1 : 1;
    }
    return 0;
  };
  groups.order.resize(static_cast<size_t>(indices.count()));
  std::iota(groups.order.begin(), groups.order.end(), int64_t{0});
  std::stable_sort(groups.order.begin(), groups.order.end(), [&](int64_t a, int64_t b) {
    const int kept = compare(a, b, false);
    return kept != 0 ? kept < 0 : compare(a, b, true) < 0;
  });
  for (size_t k = 0; k < groups.order.size(); ++k) {
    if (k == 0 || compare(groups.order[k - 1], groups.order[k], false) != 0) {
      groups.starts.push_back(static_cast<int64_t>(k));
    }
  }
  groups.starts.push_back(indices.count());
  return groups;
}

template <typename Combination, typename T>
T CombineGroup(const Groups& groups, size_t g, const T* values) {
  ComputeType<T> result = Combination::template Start<T>();
  for (int64_t k = groups.starts[g]; k < groups.starts[g + 1]; ++k) {
    result = Combination::template Combine<T>(result, Widen(values[groups.order[static_cast<size_t>(k)]]));
  }
  return T(result);
}

template <typename F>
absl::StatusOr<Kernel> ForNumbers(const KernelSetup& setup, int output, F make) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.output_dtype(output), [&]<typename T>() { kernel = make.template operator()<T>(); });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(output));
  return kernel;
}

// SparseReduceMax: dense, 0 where there is no entry.
template <typename T>
absl::Status ReduceMax(KernelContext& c) {
  const SparseIndices indices(c.input(0));
  SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 2));
  SF_ASSIGN_OR_RETURN(const Groups groups, MakeGroups(c, indices, shape));
  std::fill_n(c.out<T>(0), c.output(0).num_elements, T(0));
  for (size_t g = 0; g + 1 < groups.starts.size() && c.output(0).num_elements > 0; ++g) {
    const int64_t first = groups.order[static_cast<size_t>(groups.starts[g])];
    int64_t at = 0;
    for (size_t d = 0; d < shape.size(); ++d) {
      if (!groups.reduced[d]) at = at * shape[d] + indices.at(first, static_cast<int64_t>(d));
    }
    c.out<T>(0)[at] = CombineGroup<Maximizing>(groups, g, c.in<T>(1));
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ReduceMaxKernel(const KernelSetup& setup) {
  return ForNumbers(setup, 0, []<typename T>() -> Kernel { return ReduceMax<T>; });
}

OpSpec ReduceOp(std::string name, std::vector<std::string> outputs, ShapeFunction shape, KernelSource kernel,
                std::string doc) {
  return {.name = std::move(name),
          .inputs = {"input_indices: int64", "input_values: T", "input_shape: int64", "reduction_axes: int32"},
          .outputs = std::move(outputs),
          .attrs = {"keep_dims: bool = false", kNumberT},
          .shape = shape,
          .gradient = kGradientIsError,
          .kernel = kernel,
          .doc = std::move(doc)};
}
const OpRegistrar reduce_max(ReduceOp("SparseReduceMax", {"output: T"}, SparseReduceShape, ReduceMaxKernel,
                                      "The largest entries of a sparse tensor over some dimensions, as a dense one."));

// SparseReduceSumSparse, SparseReduceMaxSparse: an entry for each place that has any.
absl::Status SparseResultShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckReductionAxes(c));
  SF_ASSIGN_OR_RETURN(const SparseSizes sizes, SparseInputs(c, 0));
  SF_ASSIGN_OR_RETURN(const auto axes, c.Integers(3));
  int64_t rank = Shape::kUnknownDim;
  if (c.attr<bool>("keep_dims")) rank = sizes.rank;
  if (sizes.rank >= 0 && axes.has_value()) {
    SF_ASSIGN_OR_RETURN(const std::vector<bool> reduced, ReducedDims(*axes, static_cast<int>(sizes.rank)));
    if (rank < 0) rank = std::count(reduced.begin(), reduced.end(), false);
  }
  c.set_output(0, {Shape::kUnknownDim, rank});
  c.set_output(1, {Shape::kUnknownDim});
  c.set_output(2, {rank});
  return absl::OkStatus();
}
template <typename Combination, typename T>
absl::Status ReduceSparse(KernelContext& c, bool keep_dims, bool allocate_shape) {
  const SparseIndices indices(c.input(0));
  SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 2));
  SF_ASSIGN_OR_RETURN(const Groups groups, MakeGroups(c, indices, shape));
  std::vector<int64_t> dims;  // of the result: those that stay, -1 for a reduced one
  for (size_t d = 0; d < shape.size(); ++d) {
    if (!groups.reduced[d]) dims.push_back(static_cast<int64_t>(d));
    if (groups.reduced[d] && keep_dims) dims.push_back(-1);
  }
  const int64_t n = static_cast<int64_t>(groups.starts.size()) - 1, rank = static_cast<int64_t>(dims.size());
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, {n, rank}));
  SF_RETURN_IF_ERROR(c.AllocateOutput(1, {n}));
  if (allocate_shape) SF_RETURN_IF_ERROR(c.AllocateOutput(2, {rank}));
  for (int64_t g = 0; g < n; ++g) {
    const int64_t first = groups.order[static_cast<size_t>(groups.starts[static_cast<size_t>(g)])];
    for (int64_t d = 0; d < rank; ++d) {
      const int64_t from = dims[static_cast<size_t>(d)];
      c.out<int64_t>(0)[g * rank + d] = from < 0 ? 0 : indices.at(first, from);
    }
    c.out<T>(1)[g] = CombineGroup<Combination>(groups, static_cast<size_t>(g), c.in<T>(1));
  }
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t from = dims[static_cast<size_t>(d)];
    c.out<int64_t>(2)[d] = from < 0 ? 1 : shape[static_cast<size_t>(from)];
  }
  return absl::OkStatus();
}
template <typename Combination>
absl::StatusOr<Kernel> ReduceSparseKernel(const KernelSetup& setup) {
  const bool keep_dims = setup.attr<bool>("keep_dims"), allocate = !setup.output_shape(2).IsFullyDefined();
  return ForNumbers(setup, 1, [=]<typename T>() -> Kernel {
    return [=](KernelContext& c) { return ReduceSparse<Combination, T>(c, keep_dims, allocate); };
  });
}
const std::vector<std::string> kSparseOutputs = {"output_indices: int64", "output_values: T", "output_shape: int64"};
const OpRegistrar reduce_sum_sparse(ReduceOp("SparseReduceSumSparse", kSparseOutputs, SparseResultShape,
                                             ReduceSparseKernel<Adding>,
                                             "The sum of a sparse tensor over some dimensions, sparse again."));
const OpRegistrar reduce_max_sparse(ReduceOp("SparseReduceMaxSparse", kSparseOutputs, SparseResultShape,
                                             ReduceSparseKernel<Maximizing>,
                                             "The largest entries over some dimensions, sparse again."));

Node* ReduceNode(absl::string_view type, const SparseParts& a, const Ints& axes, const SparseReduceOptions& options) {
  const NodeName name(a.indices, options.name, type);
  if (!name) return nullptr;
  return NodeBuilder(type, {a.indices, a.values, a.shape, name.Vector(axes, "reduction_axes", DT_INT32)})
      .Attr("keep_dims", options.keep_dims)
      .Name(name.exact())
      .BuildNode();
}
SparseParts PartsOf(const Node* node) {
  if (node == nullptr) return {};
  return {.indices = node->output(0), .values = node->output(1), .shape = node->output(2)};
}

}  // namespace

Output SparseReduceMax(const SparseParts& a, const Ints& axes, const SparseReduceOptions& options) {
  const Node* node = ReduceNode("SparseReduceMax", a, axes, options);
  return node == nullptr ? Output() : node->output(0);
}
SparseParts SparseReduceSumSparse(const SparseParts& a, const Ints& axes, const SparseReduceOptions& options) {
  return PartsOf(ReduceNode("SparseReduceSumSparse", a, axes, options));
}
SparseParts SparseReduceMaxSparse(const SparseParts& a, const Ints& axes, const SparseReduceOptions& options) {
  return PartsOf(ReduceNode("SparseReduceMaxSparse", a, axes, options));
}

}  // namespace staticflow
