// SparseReduceSum, SparseSoftmax, SparseAdd, SparseAddGrad. Contracts: ops/sparse.h.
#include <cmath>
#include <limits>

#include "graph/gradients.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/sparse.h"
#include "ops/sparse_entries.h"
#include "ops/sparse_merge.h"

namespace staticflow {
namespace {

// SparseReduceSum: a dense sum over some dimensions.   dvalues = dy at the reduced index.
absl::StatusOr<Kernel> ReduceKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.output_dtype(0), [&]<typename T>() {
        kernel = [](KernelContext& c) -> absl::Status {
          using A = ComputeType<T>;
          const SparseIndices indices(c.input(0));
          SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 2));
          SF_RETURN_IF_ERROR(indices.Check(shape));
          const absl::Span<const int32_t> given(c.in<int32_t>(3), c.input(3).num_elements);
          const std::vector<int64_t> axes(given.begin(), given.end());
          SF_ASSIGN_OR_RETURN(const std::vector<bool> reduced, ReducedDims(axes, static_cast<int>(shape.size())));
          SF_ASSIGN_OR_RETURN(A * sums, c.Scratch<A>(c.output(0).num_elements));
          std::fill_n(sums, c.output(0).num_elements, A(0));
          for (int64_t k = 0; k < indices.count(); ++k) {
            int64_t at = 0;
            for (size_t d = 0; d < shape.size(); ++d) {
              if (!reduced[d]) at = at * shape[d] + indices.at(k, static_cast<int64_t>(d));
            }
            sums[at] = WrapAdd<A>(sums[at], Widen(c.in<T>(1)[k]));
          }
          for (int64_t i = 0; i < c.output(0).num_elements; ++i) c.out<T>(0)[i] = T(sums[i]);
          return absl::OkStatus();
        };
      });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
// Multiplying ones by the gradient, broadcast, takes the gradient to the entries.
void ReduceGradient(GradientContext& c) {
  const SparseParts ones = {.indices = c.x(0), .values = OnesLike(c.x(1)), .shape = c.x(2)};
  const Output rank = SizeOf(c.x(2));
  const Output axes = Reshape(Mod(c.x(3) + rank, rank), {-1});
  // The shape with 1 in place of the reduced dimensions.
  const Output all = Range(Const(c.graph(), 0), rank, Const(c.graph(), 1));
  const Output is_reduced = Any(Equal(ExpandDims(all, 1), ExpandDims(axes, 0)), {1});
  const Output kept = Where(is_reduced, OnesLike(c.x(2)), c.x(2));
  c.set_dx(1, SparseDenseCwiseMul(ones, Reshape(c.dy(0), kept)));
}
const OpRegistrar reduce_sum({.name = "SparseReduceSum",
                              .inputs = {"input_indices: int64", "input_values: T", "input_shape: int64",
                                         "reduction_axes: int32"},
                              .outputs = {"output: T"},
                              .attrs = {"keep_dims: bool = false", kNumberT},
                              .shape = SparseReduceShape,
                              .gradient = ReduceGradient,
                              .kernel = ReduceKernel,
                              .doc = "The dense sum of a sparse tensor over some dimensions."});

// SparseSoftmax: y = e^x / the sum of e^x over the row's entries, which follow each other.
//   dx = y (dy - the sum of y dy over the row).
absl::Status SoftmaxShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const SparseSizes sizes, SparseInputs(c, 0));
  if (sizes.rank == 0 || sizes.rank == 1) {
    return absl::InvalidArgumentError(absl::StrCat("the tensor has rank ", sizes.rank, ", expected at least 2"));
  }
  c.set_output(0, {sizes.entries});
  return absl::OkStatus();
}
absl::StatusOr<Kernel> SoftmaxKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) -> absl::Status {
      const SparseIndices indices(c.input(0));
      SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 2));
      SF_RETURN_IF_ERROR(indices.Check(shape));
      const auto same_row = [&](int64_t a, int64_t b) {
        for (int64_t d = 0; d + 1 < indices.rank(); ++d) {
          if (indices.at(a, d) != indices.at(b, d)) return false;
        }
        return true;
      };
      const T* x = c.in<T>(1);
      T* y = c.out<T>(0);
      for (int64_t begin = 0, end = 0; begin < indices.count(); begin = end) {
        double most = -std::numeric_limits<double>::infinity(), sum = 0;
        for (end = begin; end < indices.count() && same_row(begin, end); ++end) {
          most = std::max<double>(most, Widen(x[end]));
        }
        for (int64_t k = begin; k < end; ++k) sum += std::exp(Widen(x[k]) - most);
        for (int64_t k = begin; k < end; ++k) y[k] = T(static_cast<ComputeType<T>>(std::exp(Widen(x[k]) - most) / sum));
      }
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
void SoftmaxGradient(GradientContext& c) {
  const Output y = c.y(0), product = c.dy(0) * y;
  const Output sums =
      SparseReduceSum({.indices = c.x(0), .values = product, .shape = c.x(2)}, {-1}, {.keep_dims = true});
  const Output weighted = SparseDenseCwiseMul({.indices = c.x(0), .values = y, .shape = c.x(2)}, sums);
  c.set_dx(1, product - weighted);
}
const OpRegistrar softmax({.name = "SparseSoftmax",
                           .inputs = {"sp_indices: int64", "sp_values: T", "sp_shape: int64"},
                           .outputs = {"output: T"},
                           .attrs = {"T: {half, float, double}"},
                           .shape = SoftmaxShape,
                           .gradient = SoftmaxGradient,
                           .kernel = SoftmaxKernel,
                           .doc = "The softmax over the entries of each row of a sparse tensor."});

// SparseAdd: a and b merged; sums of two entries below `thresh` in magnitude are left out.
absl::Status AddShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const int64_t rank, MergedEntriesShape(c));
  SF_RETURN_IF_ERROR(c.WithRank(6, 0).status());
  c.set_output(2, {rank});
  return absl::OkStatus();
}
template <typename T>
absl::Status AddSparse(KernelContext& c, bool allocate) {
  using A = ComputeType<T>;
  const A threshold = Widen(c.scalar<T>(6));
  SF_RETURN_IF_ERROR(MergeEntries<T>(c, [threshold](const T* x, const T* y) -> std::optional<T> {
    if (x == nullptr || y == nullptr) return x == nullptr ? *y : *x;
    const A sum = WrapAdd<A>(Widen(*x), Widen(*y));
    if ((sum < A(0) ? WrapNegate(sum) : sum) >= threshold) return T(sum);
    return std::nullopt;
  }));
  const int64_t rank = c.input(2).num_elements;
  if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(2, {rank}));
  std::copy_n(c.in<int64_t>(2), rank, c.out<int64_t>(2));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> AddKernel(const KernelSetup& setup) {
  const bool allocate = !setup.output_shape(2).IsFullyDefined();
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, int8_t, int16_t>(
      setup.output_dtype(1),
      [&]<typename T>() { kernel = [allocate](KernelContext& c) { return AddSparse<T>(c, allocate); }; });
  if (!kernel || setup.input_dtype(6) != setup.output_dtype(1)) return NoKernelFor(setup, setup.input_dtype(6));
  return kernel;
}
void AddGradient(GradientContext& c) {
  Node* node = NodeBuilder("SparseAddGrad", {c.dy(1), c.x(0), c.x(3), c.y(0)}).BuildNode();
  if (node == nullptr) return;
  c.set_dx(1, node->output(0));
  c.set_dx(4, node->output(1));
}
const OpRegistrar add({.name = "SparseAdd",
                       .inputs = {"a_indices: int64", "a_values: T", "a_shape: int64", "b_indices: int64",
                                  "b_values: T", "b_shape: int64", "thresh: Treal"},
                       .outputs = {"sum_indices: int64", "sum_values: T", "sum_shape: int64"},
                       .attrs = {kSignedT, "Treal: {bfloat16, half, float, double, int8, int16, int32, int64}"},
                       .shape = AddShape,
                       .gradient = AddGradient,
                       .kernel = AddKernel,
                       .doc = "The sum of two sparse tensors."});

// SparseAddGrad: the gradient by the sum's values, for each entry of a and of b; 0 for what was left out.
absl::Status AddGradShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape dy, c.WithRank(0, 1));
  int64_t rank = Shape::kUnknownDim;
  for (int i = 1; i < 4; ++i) {
    SF_ASSIGN_OR_RETURN(const Shape indices, c.WithRank(i, 2));
    SF_ASSIGN_OR_RETURN(rank, c.MergeDims(rank, indices.dim(1), "dimensions"));
    if (i < 3) c.set_output(i - 1, {indices.dim(0)});
    if (i == 3) SF_RETURN_IF_ERROR(c.MergeDims(indices.dim(0), dy.dim(0), "entries of the sum").status());
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> AddGradKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) {
      const SparseIndices sum(c.input(3));
      for (int part = 0; part < 2; ++part) {
        const SparseIndices indices(c.input(1 + part));
        int64_t j = 0;
        for (int64_t k = 0; k < indices.count(); ++k) {
          while (j < sum.count() && sum.Compare(j, indices, k) < 0) ++j;
          const bool found = j < sum.count() && sum.Compare(j, indices, k) == 0;
          c.out<T>(part)[k] = found ? c.in<T>(0)[j] : T();
        }
      }
      return absl::OkStatus();
    };
  });
}
const OpRegistrar add_grad({.name = "SparseAddGrad",
                            .inputs = {"backprop_val_grad: T", "a_indices: int64", "b_indices: int64",
                                       "sum_indices: int64"},
                            .outputs = {"a_val_grad: T", "b_val_grad: T"},
                            .attrs = {kNumberT},
                            .shape = AddGradShape,
                            .gradient = kNotDifferentiable,
                            .kernel = AddGradKernel,
                            .doc = "The gradient of SparseAdd by the values of both."});

}  // namespace

Output SparseReduceSum(const SparseParts& a, const Ints& axes, const SparseReduceOptions& options) {
  const NodeName name(a.indices, options.name, "SparseReduceSum");
  if (!name) return Output();
  return NodeBuilder("SparseReduceSum", {a.indices, a.values, a.shape, name.Vector(axes, "reduction_axes", DT_INT32)})
      .Attr("keep_dims", options.keep_dims)
      .Name(name.exact())
      .Build();
}
Output SparseSoftmax(const SparseParts& a, const OpOptions& options) {
  return NodeBuilder("SparseSoftmax", {a.indices, a.values, a.shape}).Name(options.name).Build();
}
SparseParts SparseAdd(const SparseParts& a, const SparseParts& b, Operand threshold, const OpOptions& options) {
  Node* node = NodeBuilder("SparseAdd", {a.indices, a.values, a.shape, b.indices, b.values, b.shape, threshold})
                   .Name(options.name)
                   .BuildNode();
  if (node == nullptr) return {};
  return {.indices = node->output(0), .values = node->output(1), .shape = node->output(2)};
}

}  // namespace staticflow
