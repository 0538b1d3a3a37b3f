// Lu and MatrixSolveLs. Contracts: ops/linalg.h.
#include <cmath>
#include <numeric>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/array_layout.h"
#include "ops/batch_names.h"
#include "ops/control_flow.h"
#include "ops/linalg.h"
#include "ops/linalg_matrices.h"
#include "ops/math.h"
#include "ops/matmul.h"

namespace staticflow {
namespace {

// --- Lu: rows p of a are l u; both triangles in one matrix, without the ones on l's diagonal ---

absl::Status LuShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape a, SquareMatrices(c, 0));
  c.set_output(0, a);
  if (a.has_rank()) c.set_output(1, a.Slice(0, a.rank() - 1));
  return absl::OkStatus();
}

template <typename T>
struct LuFunction {
  explicit LuFunction(const KernelSetup&) {}
  absl::Status operator()(KernelContext& c) const {
    const Matrices a(c.input(0));
    const int64_t n = a.rows;
    SF_ASSIGN_OR_RETURN(double* lu, c.Scratch<double>(a.size()));
    for (int64_t b = 0; b < a.count; ++b) {
      for (int64_t i = 0; i < a.size(); ++i) lu[i] = static_cast<double>(c.in<T>(0)[b * a.size() + i]);
      DispatchType<int32_t, int64_t>(c.output(1).dtype, [&]<typename I>() {
        I* p = c.out<I>(1) + b * n;
        std::iota(p, p + n, I{0});
        for (int64_t j = 0; j < n; ++j) std::swap(p[j], p[EliminateColumn(lu, n, j)]);
      });
      if (IsSingularTriangle(lu, n, n + 1)) {
        return absl::InvalidArgumentError(absl::StrCat("matrix ", b, " is not invertible"));
      }
      for (int64_t i = 0; i < a.size(); ++i) c.out<T>(0)[b * a.size() + i] = static_cast<T>(lu[i]);
    }
    return absl::OkStatus();
  }
};

// With d the strict lower triangle of l'dl plus the upper one of du u': da[p] = l^-T d u^-T.
void LuGradient(GradientContext& c) {
  const Output lu = c.y(0), dlu = c.dy(0);
  const Output u = MatrixBandPart(lu, 0, -1), strict = lu - u;
  const Output l = MatrixSetDiag(strict, OnesLike(MatrixDiagPart(lu)));
  const Output du = MatrixBandPart(dlu, 0, -1), dl = dlu - du;
  const Output from_l = BatchMatMul(l, dl, {.adj_x = true});
  if (!from_l.valid()) return;
  const Output d = from_l - MatrixBandPart(from_l, 0, -1) + MatrixBandPart(BatchMatMul(du, u, {.adj_y = true}), 0, -1);
  // x u' = d is u x' = d'.
  const Output right = Adjoint(MatrixTriangularSolve(u, Adjoint(d), {.lower = false}));
  const Output rows = MatrixTriangularSolve(l, right, {.lower = true, .adjoint = true});
  const Output size = StridedSlice(ShapeOf(lu), {-1}, {0}, {1}, {.end_mask = 1, .shrink_axis_mask = 1});
  const Output one = Cast(Const(c.graph(), Tensor(1.0f)), lu.dtype());
  const Output permutation = OneHot(c.y(1), size, one, ZerosLike(one));
  c.set_dx(0, BatchMatMul(permutation, rows, {.adj_x = true}));
}

const OpRegistrar lu({.name = "Lu",
                      .inputs = {"input: T"},
                      .outputs = {"lu: T", "p: output_idx_type"},
                      .attrs = {kLinalgT, "output_idx_type: indextype = int32"},
                      .shape = LuShape,
                      .gradient = LuGradient,
                      .kernel = LinalgKernel<LuFunction>,
                      .doc = "The triangular factors of square matrices with their rows permuted."});

// --- MatrixSolveLs: the x that makes |a x - b|^2 + l2 |x|^2 least ---

absl::Status SolveLsShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape a, c.WithRankAtLeast(0, 2));
  SF_ASSIGN_OR_RETURN(const Shape b, c.WithRankAtLeast(1, 2));
  SF_RETURN_IF_ERROR(c.WithRank(2, 0).status());
  if (!a.has_rank() || !b.has_rank()) return absl::OkStatus();
  SF_RETURN_IF_ERROR(c.MergeDims(a.dim(-2), b.dim(-2), "equations").status());
  SF_ASSIGN_OR_RETURN(Shape x, a.Slice(0, a.rank() - 2).MergeWith(b.Slice(0, b.rank() - 2)));
  x.push_back(a.dim(-1));
  x.push_back(b.dim(-1));
  c.set_output(0, std::move(x));
  return absl::OkStatus();
}

// x = gramian^-1 x for a symmetric positive definite matrix, whose lower triangle is replaced. False when it is not.
bool CholeskySolve(double* gramian, int64_t n, double* x, int64_t k) {
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = j; i < n; ++i) {
      double sum = gramian[i * n + j];
      for (int64_t l = 0; l < j; ++l) sum -= gramian[i * n + l] * gramian[j * n + l];
      if (i == j && sum <= 0) return false;
      gramian[i * n + j] = i == j ? std::sqrt(sum) : sum / gramian[j * n + j];
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) {
      for (int64_t l = 0; l < k; ++l) x[i * k + l] -= gramian[i * n + j] * x[j * k + l];
    }
    for (int64_t l = 0; l < k; ++l) x[i * k + l] /= gramian[i * n + i];
  }
  for (int64_t i = n - 1; i >= 0; --i) {
    for (int64_t j = i + 1; j < n; ++j) {
      for (int64_t l = 0; l < k; ++l) x[i * k + l] -= gramian[j * n + i] * x[j * k + l];
    }
    for (int64_t l = 0; l < k; ++l) x[i * k + l] /= gramian[i * n + i];
  }
  return true;
}

// As many equations as unknowns or more: (a'a + l2) x = a'b. Fewer: x = a' y with (a a' + l2) y = b. Without `fast`,
// TensorFlow ignores l2.
template <typename T>
struct SolveLsFunction {
  explicit SolveLsFunction(const KernelSetup& setup) : fast(setup.attr<bool>("fast")) {}

  absl::Status operator()(KernelContext& c) const {
    const Matrices a(c.input(0)), b(c.input(1)), x(c.output(0));
    const double given = c.scalar<double>(2), l2 = fast ? given : 0;
    if (!(given >= 0))
      return absl::InvalidArgumentError(absl::StrCat("l2_regularizer is ", given, ", expected at least 0"));
    const bool tall = a.rows >= a.columns;
    const int64_t m = a.rows, n = a.columns, k = b.columns, p = std::min(m, n);
    SF_ASSIGN_OR_RETURN(double* gramian, c.Scratch<double>(p * p + p * k));
    double* y = gramian + p * p;
    for (int64_t batch = 0; batch < a.count; ++batch) {
      const T *A = c.in<T>(0) + batch * a.size(), *B = c.in<T>(1) + batch * b.size();
      const auto at = [&](int64_t i, int64_t j) { return static_cast<double>(A[i * n + j]); };
      for (int64_t i = 0; i < p; ++i) {
        for (int64_t j = 0; j < p; ++j) {
          double sum = i == j ? l2 : 0;
          for (int64_t l = 0; l < (tall ? m : n); ++l) sum += tall ? at(l, i) * at(l, j) : at(i, l) * at(j, l);
          gramian[i * p + j] = sum;
        }
        for (int64_t j = 0; j < k; ++j) {
          double sum = tall ? 0 : static_cast<double>(B[i * k + j]);
          for (int64_t l = 0; tall && l < m; ++l) sum += at(l, i) * static_cast<double>(B[l * k + j]);
          y[i * k + j] = sum;
        }
      }
      if (!CholeskySolve(gramian, p, y, k)) {
        return absl::InvalidArgumentError(absl::StrCat("matrix ", batch, " has not full rank"));
      }
      T* X = c.out<T>(0) + batch * x.size();
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < k; ++j) {
          double sum = tall ? y[i * k + j] : 0;
          for (int64_t l = 0; !tall && l < m; ++l) sum += at(l, i) * y[l * k + j];
          X[i * k + j] = static_cast<T>(sum);
        }
      }
    }
    return absl::OkStatus();
  }

  bool fast;
};

// gramian^-1 b, where the gramian is a'a (of_columns) or a a', with l2 on its diagonal.
Output SolveGramian(Output a, Output l2, bool of_columns, Output b) {
  const Output gramian = BatchMatMul(a, a, {.adj_x = of_columns, .adj_y = !of_columns});
  if (!gramian.valid()) return Output();
  const Output regularized = MatrixSetDiag(gramian, MatrixDiagPart(gramian) + Cast(l2, a.dtype()));
  return MatrixSolve(regularized, b);
}

// As many equations as unknowns or more: db = a z with z = gramian^-1 dx,  da = b z' - a (x z' + z x').
std::vector<Output> TallGradients(Output a, Output b, Output l2, Output x, Output dx) {
  const Output z = SolveGramian(a, l2, true, dx), xz = BatchMatMul(x, z, {.adj_y = true});
  if (!xz.valid()) return {Output(), Output()};
  return {BatchMatMul(b, z, {.adj_y = true}) - BatchMatMul(a, xz + Adjoint(xz)), BatchMatMul(a, z)};
}
// Fewer: db = gramian^-1 a dx,  da = y (dx - a'db)' - db y'a  with y = gramian^-1 b.
std::vector<Output> WideGradients(Output a, Output b, Output l2, Output dx) {
  const Output db = SolveGramian(a, l2, false, BatchMatMul(a, dx)), y = SolveGramian(a, l2, false, b);
  const Output rest = dx - BatchMatMul(a, db, {.adj_x = true});
  return {BatchMatMul(y, rest, {.adj_y = true}) - BatchMatMul(db, BatchMatMul(y, a, {.adj_x = true})), db};
}
void SolveLsGradient(GradientContext& c) {
  const Output a = c.x(0), b = c.x(1), l2 = c.x(2), dx = c.dy(0), x = c.y(0);
  if (!c.attr<bool>("fast")) return c.Fail("fast is false");
  const Shape& shape = a.shape();
  std::vector<Output> gradients;
  if (shape.has_rank() && shape.dim(-1) >= 0 && shape.dim(-2) >= 0) {
    gradients = shape.dim(-2) >= shape.dim(-1) ? TallGradients(a, b, l2, x, dx) : WideGradients(a, b, l2, dx);
  } else {
    const Output sizes = ShapeOf(a);
    const Output rows = StridedSlice(sizes, {-2}, {-1}, {1}),
                 columns = StridedSlice(sizes, {-1}, {0}, {1}, {.end_mask = 1});
    gradients = Cond(
        Squeeze(GreaterEqual(rows, columns)), [&] { return TallGradients(a, b, l2, x, dx); },
        [&] { return WideGradients(a, b, l2, dx); });
  }
  for (size_t i = 0; i < gradients.size(); ++i) c.set_dx(static_cast<int>(i), gradients[i]);
}

const BothNames solve_ls({.name = "MatrixSolveLs",
                          .inputs = {"matrix: T", "rhs: T", "l2_regularizer: double"},
                          .outputs = {"output: T"},
                          .attrs = {kLinalgT, "fast: bool = true"},
                          .shape = SolveLsShape,
                          .gradient = SolveLsGradient,
                          .kernel = LinalgKernel<SolveLsFunction>,
                          .doc = "Solves systems of linear equations in the least-squares sense."});

}  // namespace

LuResult Lu(Operand input, const LuOptions& options) {
  Node* node =
      NodeBuilder("Lu", {input}).Attr("output_idx_type", options.output_idx_type).Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {.lu = node->output(0), .p = node->output(1)};
}

Output MatrixSolveLs(Operand matrix, Operand rhs, Operand l2_regularizer, const OpOptions& options) {
  return NodeBuilder("MatrixSolveLs", {matrix, rhs, l2_regularizer}).Name(options.name).Build();
}

}  // namespace staticflow
