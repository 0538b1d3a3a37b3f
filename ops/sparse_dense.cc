// Sparse with dense: SparseToDense, SparseTensorDenseAdd, SparseTensorDenseMatMul, SparseDenseCwiseAdd, -Mul, -Div.
#include "graph/gradients.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/sparse.h"
#include "ops/sparse_entries.h"

namespace staticflow {
namespace {

// The flat position of each entry in a row-major tensor. REQUIRES: SparseIndices::Check.
int64_t FlatPosition(const SparseIndices& indices, int64_t entry, absl::Span<const int64_t> shape) {
  int64_t position = 0;
  for (size_t d = 0; d < shape.size(); ++d) position = position * shape[d] + indices.at(entry, static_cast<int64_t>(d));
  return position;
}

// SparseToDense: y = default, but for values at indices.   dvalues = dy there, ddefault = the sum of the rest.
absl::Status ToDenseShape(ShapeContext& c) {
  if (c.input(0).rank() > 2) return c.WithRank(0, 2).status();
  if (c.input(2).rank() > 1) return c.WithRank(2, 1).status();
  SF_RETURN_IF_ERROR(c.WithRank(1, 1).status());
  SF_RETURN_IF_ERROR(c.WithRank(3, 0).status());
  SF_ASSIGN_OR_RETURN(Shape shape, DimsFromInput(c, 1));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> ToDenseKernel(const KernelSetup& setup) {
  const bool validate = setup.attr<bool>("validate_indices");
  return StorageKernel(setup.output_dtype(0), [validate]<typename T>() -> Kernel {
    return [validate](KernelContext& c) -> absl::Status {
      const SparseIndices indices(c.input(0));
      const absl::Span<const int64_t> shape = c.output(0).shape->dims();
      SF_RETURN_IF_ERROR(indices.Check(shape));
      const bool one_value = c.input(2).rank() == 0;
      if (!one_value && c.input(2).num_elements != indices.count()) {
        return absl::InvalidArgumentError(
            absl::StrCat(c.input(2).num_elements, " values for ", indices.count(), " indices"));
      }
      T* y = c.out<T>(0);
      std::fill_n(y, c.output(0).num_elements, c.scalar<T>(3));
      for (int64_t k = 0; k < indices.count(); ++k) {
        if (validate && k > 0 && !indices.Before(k - 1, k)) {
          return absl::InvalidArgumentError(absl::StrCat("the index of entry ", k, " is repeated or out of order"));
        }
        y[FlatPosition(indices, k, shape)] = c.in<T>(2)[one_value ? 0 : k];
      }
      return absl::OkStatus();
    };
  });
}

void ToDenseGradient(GradientContext& c) {
  // Indices of any rank as a matrix.
  const Output any = Const(c.graph(), Tensor::Vector<int32_t>({-1}));
  const Output indices = Reshape(c.x(0), Concat({any, ExpandDims(SizeOf(c.x(1)), 0)}, 0));
  const Output values = GatherNd(c.dy(0), indices);
  c.set_dx(2, SumToShapeOf(values, c.x(2)));
  c.set_dx(3, Sum(c.dy(0)) - Sum(values));
}

const OpRegistrar to_dense({.name = "SparseToDense",
                            .inputs = {"sparse_indices: Tindices", "output_shape: Tindices", "sparse_values: T",
                                       "default_value: T"},
                            .outputs = {"dense: T"},
                            .attrs = {"validate_indices: bool = true", "T: type", "Tindices: indextype"},
                            .shape = ToDenseShape,
                            .gradient = ToDenseGradient,
                            .kernel = ToDenseKernel,
                            .doc = "A dense tensor with some values at given places."});

// SparseTensorDenseAdd: y = b with a added.   da = dy at the indices, db = dy.
absl::Status DenseAddShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(SparseInputs(c, 0).status());
  SF_ASSIGN_OR_RETURN(const Shape a, DimsFromInput(c, 2));
  SF_ASSIGN_OR_RETURN(Shape shape, c.input(3).MergeWith(a));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> DenseAddKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.output_dtype(0), [&]<typename T>() {
        kernel = [](KernelContext& c) -> absl::Status {
          const SparseIndices indices(c.input(0));
          const absl::Span<const int64_t> shape = c.output(0).shape->dims();
          SF_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, SizesInput(c, 2));
          SF_RETURN_IF_ERROR(ExpectOutput(c, 0, Shape(sizes)));
          SF_RETURN_IF_ERROR(indices.Check(shape));
          T* y = c.out<T>(0);
          if (y != c.in<T>(3)) std::copy_n(c.in<T>(3), c.output(0).num_elements, y);
          for (int64_t k = 0; k < indices.count(); ++k) {
            T& element = y[FlatPosition(indices, k, shape)];
            element = T(WrapAdd<ComputeType<T>>(Widen(element), Widen(c.in<T>(1)[k])));
          }
          return absl::OkStatus();
        };
      });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
void DenseAddGradient(GradientContext& c) {
  c.set_dx(1, GatherNd(c.dy(0), c.x(0)));
  c.set_dx(3, c.dy(0));
}
const OpRegistrar dense_add({.name = "SparseTensorDenseAdd",
                             .inputs = {"a_indices: Tindices", "a_values: T", "a_shape: Tindices", "b: T"},
                             .outputs = {"output: T"},
                             .attrs = {kNumberT, "Tindices: indextype"},
                             .shape = DenseAddShape,
                             .gradient = DenseAddGradient,
                             .kernel = DenseAddKernel,
                             .doc = "A dense tensor with a sparse one added."});

// SparseTensorDenseMatMul: y = a b, for matrices.   da = the sum of dy_r b_c over columns, db = a^T dy.
absl::Status MatMulShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const SparseSizes sizes, SparseInputs(c, 0));
  SF_RETURN_IF_ERROR(c.MergeDims(sizes.rank, 2, "dimensions of a").status());
  SF_ASSIGN_OR_RETURN(const Shape b, c.WithRank(3, 2));
  SF_ASSIGN_OR_RETURN(Shape a, DimsFromInput(c, 2));
  if (!a.has_rank()) a = Shape::UnknownOfRank(2);
  if (a.rank() != 2) return absl::InvalidArgumentError(absl::StrCat("a has rank ", a.rank(), ", expected 2"));
  const int adjoint_a = c.attr<bool>("adjoint_a") ? 1 : 0, adjoint_b = c.attr<bool>("adjoint_b") ? 1 : 0;
  SF_RETURN_IF_ERROR(c.MergeDims(a.dim(1 - adjoint_a), b.dim(adjoint_b), "inner dimensions").status());
  c.set_output(0, {a.dim(adjoint_a), b.dim(1 - adjoint_b)});
  return absl::OkStatus();
}
absl::StatusOr<Kernel> MatMulKernel(const KernelSetup& setup) {
  const bool adjoint_a = setup.attr<bool>("adjoint_a"), adjoint_b = setup.attr<bool>("adjoint_b");
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [=](KernelContext& c) -> absl::Status {
      using A = ComputeType<T>;
      const SparseIndices indices(c.input(0));
      SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 2));
      SF_RETURN_IF_ERROR(indices.Check(shape));
      const int64_t columns = c.output(0).dim(1), inner = c.input(3).dim(adjoint_b ? 1 : 0);
      SF_ASSIGN_OR_RETURN(A * sums, c.Scratch<A>(c.output(0).num_elements));
      std::fill_n(sums, c.output(0).num_elements, A(0));
      for (int64_t k = 0; k < indices.count(); ++k) {
        const int64_t row = indices.at(k, adjoint_a ? 1 : 0), at = indices.at(k, adjoint_a ? 0 : 1);
        const A value = Widen(c.in<T>(1)[k]);
        for (int64_t j = 0; j < columns; ++j) {
          const A factor = Widen(c.in<T>(3)[adjoint_b ? j * inner + at : at * columns + j]);
          sums[row * columns + j] = WrapAdd(sums[row * columns + j], WrapMultiply(value, factor));
        }
      }
      for (int64_t i = 0; i < c.output(0).num_elements; ++i) c.out<T>(0)[i] = T(sums[i]);
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
Output Column(Output matrix, int64_t i) {
  return StridedSlice(matrix, {0, i}, {0, i + 1}, {1, 1}, {.begin_mask = 1, .end_mask = 1, .shrink_axis_mask = 2});
}
void MatMulGradient(GradientContext& c) {
  const bool adjoint_a = c.attr<bool>("adjoint_a"), adjoint_b = c.attr<bool>("adjoint_b");
  const Output b = adjoint_b ? Transpose(c.x(3)) : c.x(3), dy = c.dy(0);
  const Output rows = Column(c.x(0), adjoint_a ? 1 : 0), columns = Column(c.x(0), adjoint_a ? 0 : 1);
  c.set_dx(1, Sum(Gather(dy, rows) * Gather(b, columns), {1}));
  const Output db =
      SparseTensorDenseMatMul({.indices = c.x(0), .values = c.x(1), .shape = c.x(2)}, dy, {.adjoint_a = !adjoint_a});
  c.set_dx(3, adjoint_b ? Transpose(db) : db);
}
const OpRegistrar mat_mul({.name = "SparseTensorDenseMatMul",
                           .inputs = {"a_indices: Tindices", "a_values: T", "a_shape: int64", "b: T"},
                           .outputs = {"product: T"},
                           .attrs = {"T: {bfloat16, half, float, double, int32, int64}", "Tindices: indextype = int64",
                                     "adjoint_a: bool = false", "adjoint_b: bool = false"},
                           .shape = MatMulShape,
                           .gradient = MatMulGradient,
                           .kernel = MatMulKernel,
                           .doc = "The product of a sparse matrix and a dense one."});

// SparseDenseCwise...: values combined with the dense elements that broadcasting brings to their places.
absl::Status CwiseShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const SparseSizes sizes, SparseInputs(c, 0));
  c.set_output(0, {sizes.entries});
  return absl::OkStatus();
}

// How far dense elements lie apart along each dimension of the sparse shape: 0 where they are broadcast.
absl::StatusOr<std::vector<int64_t>> BroadcastStrides(absl::Span<const int64_t> sparse, const Shape& dense) {
  const int64_t missing = static_cast<int64_t>(sparse.size()) - dense.rank();
  std::vector<int64_t> strides(sparse.size(), 0);
  int64_t stride = 1;
  bool fits = missing >= 0;
  for (int d = dense.rank() - 1; fits && d >= 0; --d) {
    const int64_t size = sparse[d + missing];
    fits = dense.dim(d) == size || dense.dim(d) == 1;
    if (dense.dim(d) == size) strides[d + missing] = stride;
    stride *= dense.dim(d);
  }
  if (fits) return strides;
  return absl::InvalidArgumentError(
      absl::StrCat("dense shape ", dense.ToString(), " cannot be broadcast to ", Shape(sparse).ToString()));
}

constexpr auto kAdd = [](auto x, auto y) { return WrapAdd(x, y); };
constexpr auto kMultiply = [](auto x, auto y) { return WrapMultiply(x, y); };
struct Dividing {
  template <typename T>
  T operator()(T x, T y) const {
    if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
      if (y == T(-1)) return WrapNegate(x);
    }
    return static_cast<T>(x / y);
  }
};

template <typename F>
KernelSource CwiseKernel(F) {
  return +[](const KernelSetup& setup) -> absl::StatusOr<Kernel> {
    Kernel kernel;
    DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t,
                 uint64_t>(setup.output_dtype(0), [&]<typename T>() {
      kernel = [](KernelContext& c) -> absl::Status {
        const SparseIndices indices(c.input(0));
        SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 2));
        SF_RETURN_IF_ERROR(indices.Check(shape));
        SF_ASSIGN_OR_RETURN(const std::vector<int64_t> strides, BroadcastStrides(shape, *c.input(3).shape));
        for (int64_t k = 0; k < indices.count(); ++k) {
          int64_t at = 0;
          for (int64_t d = 0; d < indices.rank(); ++d) at += indices.at(k, d) * strides[d];
          const ComputeType<T> factor = Widen(c.in<T>(3)[at]);
          if (std::is_same_v<F, Dividing> && factor == ComputeType<T>(0)) {
            return absl::InvalidArgumentError("division by zero");
          }
          c.out<T>(0)[k] = T(F()(ComputeType<T>(Widen(c.in<T>(1)[k])), factor));
        }
        return absl::OkStatus();
      };
    });
    if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
    return kernel;
  };
}
// The dense elements at the entries' places.
Output DenseValues(const GradientContext& c, const SparseParts& a) {
  return SparseDenseCwiseMul({.indices = a.indices, .values = OnesLike(a.values), .shape = a.shape}, c.x(3));
}
// Values at the entries, added up where the dense operand was broadcast. Its indices are those of the entries, divided
// by how often each dimension repeats.
Output SumToDense(const GradientContext& c, const SparseParts& a, Output values) {
  const Output dense = c.x(3), dense_shape = ShapeOf(dense, {.out_type = DT_INT64});
  const Output added = ExpandDims(SizeOf(a.shape) - RankOf(dense), 0);
  const Output ones = Fill(added, Const(c.graph(), Tensor(int64_t{1})));
  const Output repeats = FloorDiv(a.shape, Concat({ones, dense_shape}, 0));
  const Output zero = Const(c.graph(), Tensor::Vector<int32_t>({0}));
  const Output indices = Slice(FloorDiv(a.indices, repeats), Concat({zero, added}, 0), {-1, -1});
  return SparseTensorDenseAdd({.indices = indices, .values = values, .shape = dense_shape}, ZerosLike(dense));
}
SparseParts PartsOf(const GradientContext& c) { return {.indices = c.x(0), .values = c.x(1), .shape = c.x(2)}; }

void CwiseAddGradient(GradientContext& c) {
  c.set_dx(1, c.dy(0));
  c.set_dx(3, SumToDense(c, PartsOf(c), c.dy(0)));
}
void CwiseMulGradient(GradientContext& c) {
  const SparseParts a = PartsOf(c);
  c.set_dx(1, c.dy(0) * DenseValues(c, a));
  c.set_dx(3, SumToDense(c, a, c.dy(0) * a.values));
}
void CwiseDivGradient(GradientContext& c) {
  const SparseParts a = PartsOf(c);
  const Output dense = DenseValues(c, a);
  c.set_dx(1, RealDiv(c.dy(0), dense));
  c.set_dx(3, SumToDense(c, a, -RealDiv(c.dy(0) * a.values, Square(dense))));
}

OpSpec CwiseOp(const char* name, KernelSource kernel, GradientFunction gradient, const char* doc) {
  return {.name = name,
          .inputs = {"sp_indices: int64", "sp_values: T", "sp_shape: int64", "dense: T"},
          .outputs = {"output: T"},
          .attrs = {kNumberT},
          .shape = CwiseShape,
          .gradient = gradient,
          .kernel = kernel,
          .doc = doc};
}
const OpRegistrar cwise_add(CwiseOp("SparseDenseCwiseAdd", CwiseKernel(kAdd), CwiseAddGradient,
                                    "Sparse values plus what a dense tensor has at their places."));
const OpRegistrar cwise_mul(CwiseOp("SparseDenseCwiseMul", CwiseKernel(kMultiply), CwiseMulGradient,
                                    "Sparse values times what a dense tensor has at their places."));
const OpRegistrar cwise_div(CwiseOp("SparseDenseCwiseDiv", CwiseKernel(Dividing()), CwiseDivGradient,
                                    "Sparse values divided by what a dense tensor has at their places."));

Output BuildWithDense(const char* type, const SparseParts& a, const Operand& dense, const OpOptions& options) {
  return NodeBuilder(type, {a.indices, a.values, a.shape, dense}).Name(options.name).Build();
}

}  // namespace

Output SparseToDense(Operand indices, Operand output_shape, Operand values, Operand default_value,
                     const SparseToDenseOptions& options) {
  return NodeBuilder("SparseToDense", {indices, output_shape, values, default_value})
      .Attr("validate_indices", options.validate_indices)
      .Name(options.name)
      .Build();
}
Output SparseTensorDenseAdd(const SparseParts& a, Operand b, const OpOptions& options) {
  return BuildWithDense("SparseTensorDenseAdd", a, b, options);
}
Output SparseTensorDenseMatMul(const SparseParts& a, Operand b, const SparseMatMulOptions& options) {
  return NodeBuilder("SparseTensorDenseMatMul", {a.indices, a.values, a.shape, b})
      .Attr("adjoint_a", options.adjoint_a)
      .Attr("adjoint_b", options.adjoint_b)
      .Name(options.name)
      .Build();
}
Output SparseDenseCwiseAdd(const SparseParts& a, Operand dense, const OpOptions& options) {
  return BuildWithDense("SparseDenseCwiseAdd", a, dense, options);
}
Output SparseDenseCwiseMul(const SparseParts& a, Operand dense, const OpOptions& options) {
  return BuildWithDense("SparseDenseCwiseMul", a, dense, options);
}
Output SparseDenseCwiseDiv(const SparseParts& a, Operand dense, const OpOptions& options) {
  return BuildWithDense("SparseDenseCwiseDiv", a, dense, options);
}

}  // namespace staticflow
