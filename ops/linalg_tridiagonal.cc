// TridiagonalSolve and TridiagonalMatMul. Contracts: ops/linalg.h.
#include <cmath>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/linalg.h"
#include "ops/linalg_matrices.h"
#include "ops/math.h"

namespace staticflow {
namespace {

// x with its rows (dimension -2) moved one down or up; what comes in is 0. Diagonals are rows of one column here.
Output Shift(Output x, bool down) {
  const auto rows = [&](int64_t begin, int64_t end, int64_t mask) {
    // Bits of the masks: the ellipsis, the rows, the columns.
    return StridedSlice(x, {0, begin, 0}, {0, end, 0}, {1, 1, 1},
                        {.begin_mask = 4 | (mask & 1 ? 2 : 0), .end_mask = 4 | (mask & 2 ? 2 : 0), .ellipsis_mask = 1});
  };
  const Output edge = ZerosLike(rows(0, 1, 1));
  return down ? Concat({edge, rows(0, -1, 1)}, -2) : Concat({rows(1, 0, 2), edge}, -2);
}
Output SumColumns(Output x) { return Sum(x, {-1}); }

// --- TridiagonalSolve: diagonals [..., 3, n] are the ones above, on and below the main diagonal ---

absl::Status SolveShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape diagonals, c.WithRankAtLeast(0, 2));
  SF_ASSIGN_OR_RETURN(Shape rhs, c.WithRankAtLeast(1, 2));
  if (c.attr<bool>("perturb_singular")) return absl::UnimplementedError("perturb_singular is not available");
  if (diagonals.has_rank() && rhs.has_rank()) {
    SF_RETURN_IF_ERROR(c.MergeDims(diagonals.dim(-2), 3, "diagonals").status());
    SF_RETURN_IF_ERROR(c.MergeDims(diagonals.dim(-1), rhs.dim(-2), "equations").status());
    SF_RETURN_IF_ERROR(diagonals.Slice(0, diagonals.rank() - 2).MergeWith(rhs.Slice(0, rhs.rank() - 2)).status());
  }
  c.set_output(0, std::move(rhs));
  return absl::OkStatus();
}

// Elimination with three diagonals of u: row i of the reduced matrix is (u0, u1, u2) from column i on.
template <typename T>
struct TridiagonalSolver {
  explicit TridiagonalSolver(const KernelSetup& setup) : pivots(setup.attr<bool>("partial_pivoting")) {}

  absl::Status operator()(KernelContext& c) const {
    const Matrices d(c.input(0)), x(c.output(0));
    const int64_t n = d.columns, k = x.columns;
    SF_ASSIGN_OR_RETURN(double* scratch, c.Scratch<double>(3 * n + n * k));
    for (int64_t b = 0; b < d.count; ++b) {
      const T* diagonals = c.in<T>(0) + b * d.size();
      double *u = scratch, *y = scratch + 3 * n;
      for (int64_t i = 0; i < n; ++i) {
        u[3 * i] = static_cast<double>(diagonals[n + i]);
        u[3 * i + 1] = i + 1 < n ? static_cast<double>(diagonals[i]) : 0;
        u[3 * i + 2] = 0;
      }
      for (int64_t i = 0; i < x.size(); ++i) y[i] = static_cast<double>(c.in<T>(1)[b * x.size() + i]);
      if (!Solve(diagonals + 2 * n, n, k, u, y)) {
        return absl::InvalidArgumentError(absl::StrCat("matrix ", b, " is not invertible"));
      }
      for (int64_t i = 0; i < x.size(); ++i) c.out<T>(0)[b * x.size() + i] = static_cast<T>(y[i]);
    }
    return absl::OkStatus();
  }

  bool Solve(const T* below, int64_t n, int64_t k, double* u, double* y) const {
    for (int64_t i = 0; i + 1 < n; ++i) {
      // Row i + 1, from column i on.
      double *row = u + 3 * i, *next = row + 3, under = static_cast<double>(below[i + 1]);
      if (pivots && std::abs(under) > std::abs(row[0])) {
        const double old[3] = {row[0], row[1], row[2]};
        row[0] = under, row[1] = next[0], row[2] = next[1];
        under = old[0], next[0] = old[1], next[1] = old[2];
        std::swap_ranges(y + i * k, y + (i + 1) * k, y + (i + 1) * k);
      }
      if (row[0] == 0) return false;
      const double factor = under / row[0];
      next[0] -= factor * row[1];
      next[1] -= factor * row[2];
      for (int64_t j = 0; j < k; ++j) y[(i + 1) * k + j] -= factor * y[i * k + j];
    }
    for (int64_t i = n - 1; i >= 0; --i) {
      const double* row = u + 3 * i;
      if (row[0] == 0 || std::isnan(row[0])) return false;
      for (int64_t j = 0; j < k; ++j) {
        double& value = y[i * k + j];
        if (i + 1 < n) value -= row[1] * y[(i + 1) * k + j];
        if (i + 2 < n) value -= row[2] * y[(i + 2) * k + j];
        value /= row[0];
      }
    }
    return true;
  }

  bool pivots;
};

// drhs solves with the transpose; the gradient by element (i, j) of the matrix is -drhs_i x_j, summed over columns.
void SolveGradient(GradientContext& c) {
  const Output diagonals = c.x(0), x = c.y(0);
  const std::vector<Output> parts = Split(diagonals, 3, -2);
  if (parts.size() != 3) return;
  // As columns: [..., n, 1].
  const Output above = Adjoint(parts[0]), main = parts[1], below = Adjoint(parts[2]);
  const Output transposed = Concat({Adjoint(Shift(below, false)), main, Adjoint(Shift(above, true))}, -2);
  const Output drhs = TridiagonalSolve(transposed, c.dy(0), {.partial_pivoting = c.attr<bool>("partial_pivoting")});
  if (!drhs.valid()) return;
  const Output ddiagonals =
      Stack({SumColumns(drhs * Shift(x, false)), SumColumns(drhs * x), SumColumns(drhs * Shift(x, true))}, -2);
  c.set_dx(0, -ddiagonals);
  c.set_dx(1, drhs);
}

const OpRegistrar solve({.name = "TridiagonalSolve",
                         .inputs = {"diagonals: T", "rhs: T"},
                         .outputs = {"output: T"},
                         .attrs = {"partial_pivoting: bool = true", "perturb_singular: bool = false", kLinalgT},
                         .shape = SolveShape,
                         .gradient = SolveGradient,
                         .kernel = LinalgKernel<TridiagonalSolver>,
                         .doc = "Solves systems of linear equations with tridiagonal matrices."});

// --- TridiagonalMatMul: diagonals [..., 1, n] ---

absl::Status MatMulShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape rhs, c.WithRankAtLeast(3, 2));
  for (int i = 0; i < 3; ++i) {
    SF_ASSIGN_OR_RETURN(const Shape diagonal, c.WithRankAtLeast(i, 2));
    if (!diagonal.has_rank() || !rhs.has_rank()) continue;
    SF_RETURN_IF_ERROR(c.MergeDims(diagonal.dim(-2), 1, "rows of a diagonal").status());
    SF_RETURN_IF_ERROR(c.MergeDims(diagonal.dim(-1), rhs.dim(-2), "rows").status());
    SF_RETURN_IF_ERROR(diagonal.Slice(0, diagonal.rank() - 2).MergeWith(rhs.Slice(0, rhs.rank() - 2)).status());
  }
  c.set_output(0, std::move(rhs));
  return absl::OkStatus();
}
template <typename T>
struct TridiagonalProduct {
  explicit TridiagonalProduct(const KernelSetup&) {}
  absl::Status operator()(KernelContext& c) const {
    const Matrices x(c.input(3));
    const int64_t n = x.rows, k = x.columns;
    for (int64_t b = 0; b < x.count; ++b) {
      const T *above = c.in<T>(0) + b * n, *main = c.in<T>(1) + b * n, *below = c.in<T>(2) + b * n;
      const T* from = c.in<T>(3) + b * x.size();
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < k; ++j) {
          T sum = main[i] * from[i * k + j];
          if (i + 1 < n) sum += above[i] * from[(i + 1) * k + j];
          if (i > 0) sum += below[i] * from[(i - 1) * k + j];
          c.out<T>(0)[b * x.size() + i * k + j] = sum;
        }
      }
    }
    return absl::OkStatus();
  }
};
void MatMulGradient(GradientContext& c) {
  const Output above = c.x(0), main = c.x(1), below = c.x(2), x = c.x(3), dy = c.dy(0);
  const auto row = [](Output product) { return ExpandDims(SumColumns(product), -2); };
  c.set_dx(0, row(Shift(x, false) * dy));
  c.set_dx(1, row(x * dy));
  c.set_dx(2, row(Shift(x, true) * dy));
  const Output transposed_above = Adjoint(Shift(Adjoint(below), false));
  const Output transposed_below = Adjoint(Shift(Adjoint(above), true));
  c.set_dx(3, TridiagonalMatMul(transposed_above, main, transposed_below, dy));
}
const OpRegistrar mat_mul({.name = "TridiagonalMatMul",
                           .inputs = {"superdiag: T", "maindiag: T", "subdiag: T", "rhs: T"},
                           .outputs = {"output: T"},
                           .attrs = {kLinalgT},
                           .shape = MatMulShape,
                           .gradient = MatMulGradient,
                           .kernel = LinalgKernel<TridiagonalProduct>,
                           .doc = "The product of a tridiagonal matrix and a dense one."});

}  // namespace

Output TridiagonalSolve(Operand diagonals, Operand rhs, const TridiagonalSolveOptions& options) {
  return NodeBuilder("TridiagonalSolve", {diagonals, rhs})
      .Attr("partial_pivoting", options.partial_pivoting)
      .Name(options.name)
      .Build();
}
Output TridiagonalMatMul(Operand superdiag, Operand maindiag, Operand subdiag, Operand rhs, const OpOptions& options) {
  return NodeBuilder("TridiagonalMatMul", {superdiag, maindiag, subdiag, rhs}).Name(options.name).Build();
}

}  // namespace staticflow
