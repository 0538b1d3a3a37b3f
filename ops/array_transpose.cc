// Transpose, ConjugateTranspose, InvertPermutation.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ops/array.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/strided_copy.h"

namespace staticflow {
namespace {

// InvalidArgument unless `perm` holds each of 0, 1, ..., rank - 1 once.
template <typename Values>
absl::Status CheckPermutation(const Values& perm, int64_t rank) {
  absl::InlinedVector<bool, 16> seen(perm.size(), false);
  bool good = static_cast<int64_t>(perm.size()) == rank;
  for (int64_t p : perm) {
    good = good && p >= 0 && p < rank && !seen[p];
    if (good) seen[p] = true;
  }
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("[", absl::StrJoin(perm, ", "), "] is no permutation of ", rank, " dimensions"));
}

// Transpose: dimension i of y is dimension perm[i] of x.   dx = dy transposed by the inverse of perm.
absl::Status TransposeShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape perm_shape, c.WithRank(1, 1));
  SF_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> perm, c.Integers(1));
  Shape in = c.input(0);
  const int rank = in.has_rank() ? in.rank() : perm.has_value() ? static_cast<int>(perm->size()) : -1;
  if (rank < 0) return absl::OkStatus();
  SF_RETURN_IF_ERROR(c.MergeDims(rank, perm_shape.dim(0), "rank and number of entries of perm").status());
  if (!in.has_rank()) in = Shape::UnknownOfRank(rank);
  Shape out = Shape::UnknownOfRank(rank);
  if (perm.has_value()) {
    for (int64_t& p : *perm) p = p < 0 ? p + rank : p;
    SF_RETURN_IF_ERROR(CheckPermutation(*perm, rank));
    for (int i = 0; i < rank; ++i) out.set_dim(i, in.dim(static_cast<int>((*perm)[i])));
  }
  c.set_output(0, std::move(out));
  return absl::OkStatus();
}

// Rows of y are columns of x: square tiles keep both within the cache.
template <typename T>
void TransposeMatrix(const T* x, T* y, int64_t columns, int64_t rows, IndexRange y_rows) {
  constexpr int64_t kTile = 16;
  for (int64_t i0 = y_rows.begin; i0 < y_rows.end; i0 += kTile) {
    const int64_t i1 = std::min(i0 + kTile, y_rows.end);
    for (int64_t j0 = 0; j0 < rows; j0 += kTile) {
      const int64_t j1 = std::min(j0 + kTile, rows);
      for (int64_t i = i0; i < i1; ++i) {
        for (int64_t j = j0; j < j1; ++j) y[i * rows + j] = x[j * columns + i];
      }
    }
  }
}

absl::StatusOr<Kernel> TransposeKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) -> absl::Status {
      const Shape& in = *c.input(0).shape;
      Sizes perm = Integers(c.input(1));
      for (int64_t& p : perm) p = p < 0 ? p + in.rank() : p;
      SF_RETURN_IF_ERROR(CheckPermutation(perm, in.rank()));
      const Sizes strides = RowMajorStrides(in);
      StridedView view;
      Shape out;
      for (int64_t p : perm) {
        view.Add(in.dim(static_cast<int>(p)), strides[p]);
        out.push_back(in.dim(static_cast<int>(p)));
      }
      SF_RETURN_IF_ERROR(ExpectOutput(c, 0, out));
      const bool is_matrix = in.rank() == 2 && view.dims.size() == 2 && view.strides[0] == 1;
      if (is_matrix) {
        TransposeMatrix(c.in<T>(0), c.out<T>(0), in.dim(1), in.dim(0), c.range());
      } else {
        CopyFromView(view, c.in<T>(0), c.out<T>(0), FlatRows(c));
      }
      return absl::OkStatus();
    };
  });
}

// With every dimension where it is, y is x.
int LeavesAllInPlace(const ShapeContext& c) {
  const absl::StatusOr<std::optional<std::vector<int64_t>>> perm = c.Integers(1);
  if (!perm.ok() || !perm->has_value()) return -1;
  const int64_t rank = static_cast<int64_t>((*perm)->size());
  for (int64_t i = 0; i < rank; ++i) {
    if (((**perm)[i] + rank) % rank != i) return -1;
  }
  return 0;
}

void TransposeGradient(GradientContext& c) { c.set_dx(0, Transpose(c.dy(0), InvertPermutation(c.x(1)))); }

OpSpec TransposeOp(const char* name, const char* doc) {
  return {.name = name,
          .inputs = {"x: T", "perm: Tperm"},
          .outputs = {"y: T"},
          .attrs = {"T: type", "Tperm: indextype = int32"},
          .shape = TransposeShape,
          .gradient = TransposeGradient,
          .kernel = TransposeKernel,
          .role = OpRole::kTranspose,
          .iteration = {.split = Split::kRows},
          .simplify = LeavesAllInPlace,
          .doc = doc};
}
const OpRegistrar transpose(TransposeOp("Transpose", "Reorders the dimensions of x."));
// Of real numbers, the only ones here, the conjugates are themselves.
const OpRegistrar conjugate_transpose(TransposeOp("ConjugateTranspose",
                                                  "Reorders the dimensions of x, and conjugates it."));

// InvertPermutation: y[x[i]] = i.
absl::Status InvertPermutationShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRank(0, 1));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> InvertPermutationKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<int32_t, int64_t>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) {
      const int64_t n = c.input(0).num_elements;
      absl::Span<T> y = c.output(0).flat<T>();
      std::fill(y.begin(), y.end(), T(-1));
      for (int64_t i = 0; i < n; ++i) {
        const T x = c.in<T>(0)[i];
        if (x < 0 || x >= n || y[x] >= 0) {
          return absl::InvalidArgumentError(
              absl::StrCat("element ", i, " is ", x, ", expected each of 0 to ", n - 1, " once"));
        }
        y[x] = static_cast<T>(i);
      }
      return absl::OkStatus();
    };
  });
  return kernel;
}

const OpRegistrar invert_permutation({.name = "InvertPermutation",
                                      .inputs = {"x: T"},
                                      .outputs = {"y: T"},
                                      .attrs = {"T: indextype = int32"},
                                      .shape = InvertPermutationShape,
                                      .gradient = kNotDifferentiable,
                                      .kernel = InvertPermutationKernel,
                                      .batch = MixBatch,
                                      .doc = "The inverse of a permutation."});

}  // namespace

Output Transpose(Operand x, const Ints& perm, const OpOptions& options) {
  const NodeName node(x, options.name, "transpose");
  if (!node) return Output();
  return NodeBuilder("Transpose", {x, node.Vector(perm, "perm")}).Name(node.exact()).Build();
}

Output Transpose(Operand x, const OpOptions& options) {
  const NodeName node(x, options.name, "transpose");
  if (!node) return Output();
  if (x.output().shape().has_rank()) {
    std::vector<int64_t> perm;
    for (int i = x.output().shape().rank() - 1; i >= 0; --i) perm.push_back(i);
    return NodeBuilder("Transpose", {x, node.Vector(perm, "perm")}).Name(node.exact()).Build();
  }
  const NameScope scope(node.graph(), node.exact());
  const Output last = NodeBuilder("Sub", {RankOf(x), Operand(1, x.where())}).Name("sub").Build();
  return NodeBuilder("Transpose", {x, Range(last, -1, -1)}).Name(node.exact()).Build();
}

Output InvertPermutation(Operand x, const OpOptions& options) {
  return NodeBuilder("InvertPermutation", {x}).Name(options.name).Build();
}

}  // namespace staticflow
