// DenseToDenseSetOperation, DenseToSparseSetOperation, SparseToSparseSetOperation, SetSize: the last dimension of a
// tensor as sets, one for each index of the others. Contract: ops/sparse.h.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <type_traits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/sparse.h"
#include "ops/sparse_entries.h"

namespace staticflow {
namespace {

constexpr char kSetT[] = "T: {int8, int16, int32, int64, uint8, uint16, string}";

// Sets of E by the index of all dimensions but the last. Sets without elements are left out.
template <typename E>
using Sets = std::map<std::vector<int64_t>, std::set<E>>;

template <typename E>
E ElementAt(const TensorView& values, int64_t i) {
  E element{};
  if constexpr (std::is_same_v<E, std::string>) {
    element = values.as<std::string>()[i];
  } else {
    DispatchType<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t>(
        values.dtype, [&]<typename T>() { element = static_cast<E>(values.as<T>()[i]); });
  }
  return element;
}
template <typename E>
void StoreElement(const TensorView& values, int64_t i, const E& element) {
  if constexpr (std::is_same_v<E, std::string>) {
    values.as<std::string>()[i] = element;
  } else {
    DispatchType<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t>(
        values.dtype, [&]<typename T>() { values.as<T>()[i] = static_cast<T>(element); });
  }
}

absl::Status CheckSetRank(size_t rank) {
  if (rank >= 2) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("sets of rank ", rank, ", expected 2 or more"));
}

// The sets of a dense input; `leading` becomes its shape without the last dimension.
template <typename E>
absl::StatusOr<Sets<E>> DenseSets(const TensorView& view, std::vector<int64_t>* leading) {
  const int rank = view.rank();
  SF_RETURN_IF_ERROR(CheckSetRank(static_cast<size_t>(rank)));
  leading->clear();
  for (int d = 0; d + 1 < rank; ++d) leading->push_back(view.dim(d));
  Sets<E> sets;
  std::vector<int64_t> index(leading->size(), 0);
  const int64_t size = view.dim(-1);
  for (int64_t row = 0; size > 0 && row < view.num_elements / size; ++row) {
    std::set<E>& set = sets[index];
    for (int64_t i = 0; i < size; ++i) set.insert(ElementAt<E>(view, row * size + i));
    for (int d = rank - 2; d >= 0 && ++index[d] == (*leading)[d]; --d) index[d] = 0;
  }
  return sets;
}

// The sets of the sparse tensor in inputs [first, first + 3).
template <typename E>
absl::StatusOr<Sets<E>> SparseSets(const KernelContext& c, int first, bool ordered, std::vector<int64_t>* leading) {
  const SparseIndices indices(c.input(first));
  SF_ASSIGN_OR_RETURN(*leading, SizesInput(c, first + 2));
  SF_RETURN_IF_ERROR(CheckSetRank(leading->size()));
  SF_RETURN_IF_ERROR(indices.Check(*leading));
  leading->pop_back();
  Sets<E> sets;
  std::vector<int64_t> index(static_cast<size_t>(indices.rank()));
  for (int64_t k = 0; k < indices.count(); ++k) {
    if (ordered && k > 0 && !indices.Before(k - 1, k)) {
      return absl::InvalidArgumentError(absl::StrCat("entry ", k, " does not come after the one before it"));
    }
    indices.Copy(k, index.data());
    sets[{index.begin(), index.end() - 1}].insert(ElementAt<E>(c.input(first + 1), k));
  }
  return sets;
}

enum class SetOperation { kAMinusB, kBMinusA, kIntersection, kUnion };

absl::StatusOr<SetOperation> ParseSetOperation(const std::string& name) {
  const std::string lower = absl::AsciiStrToLower(name);
  if (lower == "a-b") return SetOperation::kAMinusB;
  if (lower == "b-a") return SetOperation::kBMinusA;
  if (lower == "intersection") return SetOperation::kIntersection;
  if (lower == "union") return SetOperation::kUnion;
  return absl::InvalidArgumentError(absl::StrCat("unknown set_operation '", name, "'"));
}

template <typename E>
std::set<E> Combine(SetOperation operation, const std::set<E>& a, const std::set<E>& b) {
  std::set<E> result;
  const auto into = std::inserter(result, result.end());
  switch (operation) {
    case SetOperation::kAMinusB:
      std::set_difference(a.begin(), a.end(), b.begin(), b.end(), into);
      break;
    case SetOperation::kBMinusA:
      std::set_difference(b.begin(), b.end(), a.begin(), a.end(), into);
      break;
    case SetOperation::kIntersection:
      std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), into);
      break;
    case SetOperation::kUnion:
      std::set_union(a.begin(), a.end(), b.begin(), b.end(), into);
      break;
  }
  return result;
}

// Writes sets as a sparse tensor whose last dimension holds the largest of them.
template <typename E>
absl::Status WriteSets(KernelContext& c, const Sets<E>& sets, const std::vector<int64_t>& leading) {
  int64_t total = 0, most = 0;
  for (const auto& [index, set] : sets) {
    total += static_cast<int64_t>(set.size());
    most = std::max(most, static_cast<int64_t>(set.size()));
  }
  const int64_t rank = static_cast<int64_t>(leading.size()) + 1;
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, {total, rank}));
  SF_RETURN_IF_ERROR(c.AllocateOutput(1, {total}));
  SF_RETURN_IF_ERROR(c.AllocateOutput(2, {rank}));
  int64_t* to = c.out<int64_t>(0);
  int64_t k = 0;
  for (const auto& [index, set] : sets) {
    int64_t place = 0;
    for (const E& element : set) {
      to = std::copy(index.begin(), index.end(), to);
      *to++ = place++;
      StoreElement(c.output(1), k++, element);
    }
  }
  *std::copy(leading.begin(), leading.end(), c.out<int64_t>(2)) = most;
  return absl::OkStatus();
}

// Whether the operands are sparse: three inputs each, else one.
struct Operands {
  bool sparse1, sparse2;
};

template <typename E>
absl::Status Operate(KernelContext& c, Operands operands, SetOperation operation, bool ordered) {
  std::vector<int64_t> leading, leading2;
  Sets<E> a, b;
  SF_ASSIGN_OR_RETURN(a,
                      operands.sparse1 ? SparseSets<E>(c, 0, ordered, &leading) : DenseSets<E>(c.input(0), &leading));
  const int second = operands.sparse1 ? 3 : 1;
  SF_ASSIGN_OR_RETURN(
      b, operands.sparse2 ? SparseSets<E>(c, second, ordered, &leading2) : DenseSets<E>(c.input(second), &leading2));
  if (leading != leading2)
    return absl::InvalidArgumentError("the sets have different shapes but for their last dimension");
  Sets<E> result;
  for (const auto& [index, set] : b) a.try_emplace(index);
  for (const auto& [index, set] : a) {
    const auto other = b.find(index);
    std::set<E> combined = Combine(operation, set, other == b.end() ? std::set<E>() : other->second);
    if (!combined.empty()) result.emplace(index, std::move(combined));
  }
  return WriteSets(c, result, leading);
}

template <bool sparse1, bool sparse2>
absl::StatusOr<Kernel> OperationKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const SetOperation operation, ParseSetOperation(setup.attr<std::string>("set_operation")));
  const bool ordered = setup.attr<bool>("validate_indices");
  const Operands operands = {sparse1, sparse2};
  if (setup.output_dtype(1) == DT_STRING) {
    return Kernel([=](KernelContext& c) { return Operate<std::string>(c, operands, operation, ordered); });
  }
  return Kernel([=](KernelContext& c) { return Operate<int64_t>(c, operands, operation, ordered); });
}

template <bool sparse1, bool sparse2>
absl::Status OperationShape(ShapeContext& c) {
  int64_t rank = Shape::kUnknownDim;
  for (int side = 0, i = 0; side < 2; ++side) {
    if (side == 0 ? sparse1 : sparse2) {
      SF_ASSIGN_OR_RETURN(const SparseSizes sizes, SparseInputs(c, i));
      SF_ASSIGN_OR_RETURN(rank, c.MergeDims(rank, sizes.rank, "ranks of the sets"));
      i += 3;
    } else {
      SF_ASSIGN_OR_RETURN(const Shape dense, c.WithRankAtLeast(i, 2));
      if (dense.has_rank()) {
        SF_ASSIGN_OR_RETURN(rank, c.MergeDims(rank, dense.rank(), "ranks of the sets"));
      }
      ++i;
    }
  }
  c.set_output(0, {Shape::kUnknownDim, rank});
  c.set_output(1, {Shape::kUnknownDim});
  c.set_output(2, {rank});
  return absl::OkStatus();
}

OpSpec SetOp(const char* name, std::vector<std::string> inputs, ShapeFunction shape, KernelSource kernel) {
  return {.name = name,
          .inputs = std::move(inputs),
          .outputs = {"result_indices: int64", "result_values: T", "result_shape: int64"},
          .attrs = {"set_operation: string", "validate_indices: bool = true", kSetT},
          .shape = shape,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .doc = "Differences, intersections or unions of sets along the last dimension."};
}
const OpRegistrar dense_to_dense(SetOp("DenseToDenseSetOperation", {"set1: T", "set2: T"}, OperationShape<false, false>,
                                       OperationKernel<false, false>));
const OpRegistrar dense_to_sparse(SetOp("DenseToSparseSetOperation",
                                        {"set1: T", "set2_indices: int64", "set2_values: T", "set2_shape: int64"},
                                        OperationShape<false, true>, OperationKernel<false, true>));
const OpRegistrar sparse_to_sparse(SetOp("SparseToSparseSetOperation",
                                         {"set1_indices: int64", "set1_values: T", "set1_shape: int64",
                                          "set2_indices: int64", "set2_values: T", "set2_shape: int64"},
                                         OperationShape<true, true>, OperationKernel<true, true>));

// SetSize: how many different elements each set has.
absl::Status SetSizeShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(SparseInputs(c, 0).status());
  SF_ASSIGN_OR_RETURN(const Shape shape, DimsFromInput(c, 2));
  if (shape.has_rank() && shape.rank() > 0) c.set_output(0, shape.Slice(0, shape.rank() - 1));
  return absl::OkStatus();
}
template <typename E>
absl::Status CountElements(KernelContext& c, bool ordered, bool allocate) {
  std::vector<int64_t> leading;
  SF_ASSIGN_OR_RETURN(const Sets<E> sets, SparseSets<E>(c, 0, ordered, &leading));
  if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(0, Shape(absl::MakeConstSpan(leading))));
  std::fill_n(c.out<int32_t>(0), c.output(0).num_elements, 0);
  for (const auto& [index, set] : sets) {
    int64_t at = 0;
    for (size_t d = 0; d < leading.size(); ++d) at = at * leading[d] + index[d];
    c.out<int32_t>(0)[at] = static_cast<int32_t>(set.size());
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> SetSizeKernel(const KernelSetup& setup) {
  const bool ordered = setup.attr<bool>("validate_indices"), allocate = !setup.output_shape(0).IsFullyDefined();
  if (setup.input_dtype(1) == DT_STRING) {
    return Kernel([=](KernelContext& c) { return CountElements<std::string>(c, ordered, allocate); });
  }
  return Kernel([=](KernelContext& c) { return CountElements<int64_t>(c, ordered, allocate); });
}
const OpRegistrar set_size({.name = "SetSize",
                            .inputs = {"set_indices: int64", "set_values: T", "set_shape: int64"},
                            .outputs = {"size: int32"},
                            .attrs = {"validate_indices: bool = true", kSetT},
                            .shape = SetSizeShape,
                            .gradient = kNotDifferentiable,
                            .kernel = SetSizeKernel,
                            .doc = "How many different elements each set has."});

SparseParts Built(NodeBuilder builder, const std::string& operation, const OpOptions& options) {
  const Node* node = builder.Attr("set_operation", operation).Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {.indices = node->output(0), .values = node->output(1), .shape = node->output(2)};
}

}  // namespace

SparseParts SetOperation(Operand a, Operand b, const std::string& operation, const OpOptions& options) {
  return Built(NodeBuilder("DenseToDenseSetOperation", {a, b}), operation, options);
}
SparseParts SetOperation(Operand a, const SparseParts& b, const std::string& operation, const OpOptions& options) {
  return Built(NodeBuilder("DenseToSparseSetOperation", {a, b.indices, b.values, b.shape}), operation, options);
}
SparseParts SetOperation(const SparseParts& a, const SparseParts& b, const std::string& operation,
                         const OpOptions& options) {
  return Built(NodeBuilder("SparseToSparseSetOperation", {a.indices, a.values, a.shape, b.indices, b.values, b.shape}),
               operation, options);
}
Output SetSize(const SparseParts& a, const OpOptions& options) {
  return NodeBuilder("SetSize", {a.indices, a.values, a.shape}).Name(options.name).Build();
}

}  // namespace staticflow
