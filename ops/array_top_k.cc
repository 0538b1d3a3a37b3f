// TopKV2, TopK, ApproxTopK, InTopK, InTopKV2.
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "ops/array_index.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/math.h"

namespace staticflow {
namespace {

// TopKV2: the k largest elements of every row.   dx = zeros with dy at the indices.
absl::Status TopKShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRankAtLeast(0, 1));
  std::optional<int64_t> k;
  if (c.num_inputs() == 1) {
    k = c.attr<int64_t>("k");
  } else {
    SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
    SF_ASSIGN_OR_RETURN(k, ScalarFromInput(c, 1));
  }
  if (k && (*k < 0 || (shape.has_rank() && shape.dim(-1) >= 0 && *k > shape.dim(-1)))) {
    return absl::InvalidArgumentError(
        absl::StrCat("k is ", *k, ", expected 0 to the size of the rows of ", shape.ToString()));
  }
  if (shape.has_rank()) shape.set_dim(shape.rank() - 1, k.value_or(Shape::kUnknownDim));
  c.set_output(0, shape);
  c.set_output(1, shape);
  return absl::OkStatus();
}

void StorePosition(const TensorView& out, int64_t i, int32_t position) {
  DispatchType<int32_t, int64_t, int16_t>(out.dtype,
                                          [&]<typename Index>() { out.as<Index>()[i] = static_cast<Index>(position); });
}

template <typename T>
absl::Status TopKRows(KernelContext& c) {
  const int64_t n = c.input(0).dim(-1), k = c.output(0).dim(-1);
  const int64_t rows = n == 0 ? 0 : c.input(0).num_elements / n;
  if (k > n) return absl::InvalidArgumentError(absl::StrCat("k is ", k, ", but rows have ", n, " elements"));
  if (n > std::numeric_limits<int32_t>::max()) return absl::InvalidArgumentError("rows have more than 2^31 elements");
  SF_ASSIGN_OR_RETURN(int32_t * order, c.Scratch<int32_t>(n));
  for (int64_t row = 0; row < rows; ++row) {
    const T* x = c.in<T>(0) + row * n;
    // A total order, or sorting would be undefined: NaN above all numbers, equal ones by position.
    const auto larger = [x](int32_t i, int32_t j) {
      const auto a = Widen(x[i]), b = Widen(x[j]);
      const bool a_nan = a != a, b_nan = b != b;
      if (a_nan != b_nan) return a_nan;
      return !a_nan && a != b ? a > b : i < j;
    };
    std::iota(order, order + n, 0);
    std::partial_sort(order, order + k, order + n, larger);
    for (int64_t i = 0; i < k; ++i) {
      c.out<T>(0)[row * k + i] = x[order[i]];
      StorePosition(c.output(1), row * k + i, order[i]);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> TopKKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() { kernel = TopKRows<T>; });
  return kernel;
}

// Rows are numbered through: element i of row r is segment r * n + i of the flat gradient.
void TopKGradient(GradientContext& c) {
  const Output shape = ShapeOf(c.x(0));
  const Output size = StridedSlice(shape, {-1}, {0}, {1}, {.end_mask = 1});
  const Output rows = Prod(StridedSlice(shape, {0}, {-1}, {1}, {.begin_mask = 1}));
  const Output one = OnesLike(size);
  const Output k = StridedSlice(ShapeOf(c.y(1)), {-1}, {0}, {1}, {.end_mask = 1});
  const Output row_count = Reshape(rows, {1});
  const Output starts = Mul(Range(Const(c.graph(), 0), rows, Const(c.graph(), 1)), size);
  const Output positions = c.y(1).dtype() == DT_INT32 ? c.y(1) : Cast(c.y(1), DT_INT32);
  const Output indices = Reshape(positions, Concat({row_count, k}, 0));
  const Output flat = Reshape(Add(indices, Reshape(starts, Concat({row_count, one}, 0))), {-1});
  c.set_dx(0, Reshape(UnsortedSegmentSum(Reshape(c.dy(0), {-1}), flat, Prod(shape)), shape));
}

const OpRegistrar top_k_v2({.name = "TopKV2",
                            .inputs = {"input: T", "k: Tk"},
                            .outputs = {"values: T", "indices: index_type"},
                            .attrs = {"sorted: bool = true", kNumberT, "Tk: {int16, int32, int64} = int32",
                                      "index_type: {int16, int32, int64} = int32"},
                            .shape = TopKShape,
                            .gradient = TopKGradient,
                            .kernel = TopKKernel,
                            .batch = VectorsBatch,
                            .doc = "The k largest elements of every row and where they are."});
// The first version, with k in an attribute.
const OpRegistrar top_k({.name = "TopK",
                         .inputs = {"input: T"},
                         .outputs = {"values: T", "indices: int32"},
                         .attrs = {"k: int >= 0", "sorted: bool = true", kNumberT},
                         .shape = TopKShape,
                         .gradient = TopKGradient,
                         .kernel = TopKKernel,
                         .doc = "The k largest elements of every row, and where they are."});

// ApproxTopK, which on a processor without matrix units finds exactly the largest.
absl::Status ApproxTopKShape(ShapeContext& c) {
  if (c.attr<int64_t>("reduction_dimension") != -1 || !c.attr<bool>("is_max_k")) {
    return absl::UnimplementedError("only the largest elements along the last dimension are available");
  }
  return TopKShape(c);
}
const OpRegistrar approx_top_k({.name = "ApproxTopK",
                                .inputs = {"input: T"},
                                .outputs = {"values: T", "indices: int32"},
                                .attrs = {"k: int >= 0", "reduction_dimension: int = -1", "recall_target: float = 0.95",
                                          "is_max_k: bool = true", "reduction_input_size_override: int = -1",
                                          "aggregate_to_topk: bool = true", "T: {half, bfloat16, float}"},
                                .shape = ApproxTopKShape,
                                .gradient = TopKGradient,
                                .kernel = TopKKernel,
                                .batch = VectorsBatch,
                                .doc = "The k largest elements of every row, here all of them."});

// InTopK: whether fewer than k predictions are larger than the target's.
absl::Status InTopKShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape predictions, c.WithRank(0, 2));
  SF_ASSIGN_OR_RETURN(const Shape targets, c.WithRank(1, 1));
  if (c.num_inputs() == 3) {
    SF_RETURN_IF_ERROR(c.WithRank(2, 0).status());
  }
  SF_ASSIGN_OR_RETURN(const int64_t n,
                      c.MergeDims(predictions.dim(0), targets.dim(0), "rows of predictions and targets"));
  c.set_output(0, {n});
  return absl::OkStatus();
}

bool IsInTopK(const float* row, int64_t classes, int64_t target, int64_t k) {
  if (target < 0 || target >= classes || !std::isfinite(row[target])) return false;
  int64_t larger = 0;
  for (int64_t i = 0; i < classes; ++i) {
    if (!std::isfinite(row[i])) return false;
    larger += row[i] > row[target] ? 1 : 0;
  }
  return larger < k;
}

absl::StatusOr<Kernel> InTopKKernel(const KernelSetup& setup) {
  const int64_t attr_k = setup.num_inputs() == 2 ? setup.attr<int64_t>("k") : -1;
  Kernel kernel;
  DispatchType<int32_t, int64_t>(setup.input_dtype(1), [&]<typename I>() {
    kernel = [attr_k](KernelContext& c) {
      const int64_t k = c.num_inputs() == 3 ? int64_t{c.scalar<I>(2)} : attr_k;
      const int64_t classes = c.input(0).dim(1);
      for (int64_t i = 0; i < c.output(0).num_elements; ++i) {
        c.out<bool>(0)[i] = IsInTopK(c.in<float>(0) + i * classes, classes, c.in<I>(1)[i], k);
      }
      return absl::OkStatus();
    };
  });
  return kernel;
}

const OpRegistrar in_top_k({.name = "InTopK",
                            .inputs = {"predictions: float", "targets: T"},
                            .outputs = {"precision: bool"},
                            .attrs = {"k: int", "T: indextype = int32"},
                            .shape = InTopKShape,
                            .gradient = kNotDifferentiable,
                            .kernel = InTopKKernel,
                            .batch = VectorsBatch,
                            .doc = "Whether targets are among the k largest predictions."});

const OpRegistrar in_top_k_v2({.name = "InTopKV2",
                               .inputs = {"predictions: float", "targets: T", "k: T"},
                               .outputs = {"precision: bool"},
                               .attrs = {"T: indextype = int32"},
                               .shape = InTopKShape,
                               .gradient = kNotDifferentiable,
                               .kernel = InTopKKernel,
                               .batch = VectorsBatch,
                               .doc = "Whether targets are among the k largest predictions."});

}  // namespace

TopKOutputs TopK(Operand input, Operand k, const TopKOptions& options) {
  Node* node = NodeBuilder("TopKV2", {input, k}).Attr("sorted", options.sorted).Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {.values = node->output(0), .indices = node->output(1)};
}

Output InTopK(Operand predictions, Operand targets, Operand k, const OpOptions& options) {
  return NodeBuilder("InTopKV2", {predictions, targets, k}).Name(options.name, "in_top_k").Build();
}

}  // namespace staticflow
