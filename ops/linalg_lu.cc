// MatrixInverse, MatrixSolve and MatrixDeterminant, by Gaussian elimination with partial pivoting.
#include <cmath>
#include <utility>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/batch_names.h"
#include "ops/batch_rules.h"
#include "ops/linalg.h"
#include "ops/linalg_matrices.h"
#include "ops/math.h"
#include "ops/matmul.h"

namespace staticflow {
namespace {

// Copies a matrix, or its transpose.
template <typename T>
void Load(const T* a, int64_t n, bool transpose, double* lu) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) lu[i * n + j] = Widen(transpose ? a[j * n + i] : a[i * n + j]);
  }
}

// Reduces `lu` [n, n] to an upper triangle and does the same to the rows of x [n, k]. Returns the determinant, which
// is 0 when the matrix is singular; then x is of no use.
double Eliminate(double* lu, int64_t n, double* x, int64_t k) {
  double determinant = 1;
  for (int64_t j = 0; j < n; ++j) {
    const int64_t pivot = EliminateColumn(lu, n, j);
    if (pivot != j) {
      std::swap_ranges(x + j * k, x + j * k + k, x + pivot * k);
      determinant = -determinant;
    }
    determinant *= lu[j * n + j];
    if (lu[j * n + j] == 0) return determinant;
    for (int64_t i = j + 1; i < n; ++i) {
      for (int64_t l = 0; l < k; ++l) x[i * k + l] -= lu[i * n + j] * x[j * k + l];
    }
  }
  return determinant;
}

// x = lu^-1 x for an upper triangle without zeros on its diagonal.
void SubstituteBack(const double* lu, int64_t n, double* x, int64_t k) {
  for (int64_t i = n - 1; i >= 0; --i) {
    for (int64_t j = i + 1; j < n; ++j) {
      for (int64_t l = 0; l < k; ++l) x[i * k + l] -= lu[i * n + j] * x[j * k + l];
    }
    for (int64_t l = 0; l < k; ++l) x[i * k + l] /= lu[i * n + i];
  }
}

// MatrixSolve, and MatrixInverse where there is no right-hand side: that of the identity.
template <typename T>
struct SolveFunction {
  explicit SolveFunction(const KernelSetup& setup) : adjoint(setup.attr<bool>("adjoint")) {}

  absl::Status operator()(KernelContext& c) const {
    const Matrices a(c.input(0)), x(c.output(0));
    const int64_t n = a.rows, k = x.columns;
    SF_ASSIGN_OR_RETURN(double* lu, c.Scratch<double>(a.size() + x.size()));
    double* solution = lu + a.size();
    for (int64_t b = 0; b < a.count; ++b) {
      Load(c.in<T>(0) + b * a.size(), n, adjoint, lu);
      for (int64_t i = 0; i < x.size(); ++i) {
        solution[i] = c.num_inputs() == 2 ? Widen(c.in<T>(1)[b * x.size() + i]) : (i / k == i % k ? 1 : 0);
      }
      Eliminate(lu, n, solution, k);
      if (IsSingularTriangle(lu, n, n + 1))
        return absl::InvalidArgumentError(absl::StrCat("matrix ", b, " is not invertible"));
      SubstituteBack(lu, n, solution, k);
      for (int64_t i = 0; i < x.size(); ++i) c.out<T>(0)[b * x.size() + i] = static_cast<T>(solution[i]);
    }
    return absl::OkStatus();
  }

  bool adjoint;
};

// MatrixInverse: y = a^-1 (a^-T).   da = -y' dy y' (-y dy' y).
void InverseGradient(GradientContext& c) {
  const bool adjoint = c.attr<bool>("adjoint");
  const Output y = c.y(0);
  const Output right = BatchMatMul(c.dy(0), y, {.adj_x = adjoint, .adj_y = !adjoint});
  c.set_dx(0, -BatchMatMul(y, right, {.adj_x = !adjoint}));
}

const BothNames inverse({.name = "MatrixInverse",
                         .inputs = {"input: T"},
                         .outputs = {"output: T"},
                         .attrs = {"adjoint: bool = false", kLinalgHalfT},
                         .shape = SquareShape,
                         .gradient = InverseGradient,
                         .kernel = LinalgKernel<SolveFunction, Half>,
                         .batch = MatricesBatch,
                         .doc = "The inverse of each square matrix."});

// MatrixSolve: a x = b.   db = a^-T dx, da = -db x' (transposed when a was).
void SolveGradient(GradientContext& c) {
  const bool adjoint = c.attr<bool>("adjoint");
  const Output x = c.y(0);
  const Output db = MatrixSolve(c.x(0), c.dy(0), {.adjoint = !adjoint});
  c.set_dx(0, -(adjoint ? BatchMatMul(x, db, {.adj_y = true}) : BatchMatMul(db, x, {.adj_y = true})));
  c.set_dx(1, db);
}

const BothNames solve({.name = "MatrixSolve",
                       .inputs = {"matrix: T", "rhs: T"},
                       .outputs = {"output: T"},
                       .attrs = {"adjoint: bool = false", kLinalgT},
                       .shape = SolveShape,
                       .gradient = SolveGradient,
                       .kernel = LinalgKernel<SolveFunction>,
                       .batch = MatricesBatch,
                       .doc = "Solves systems of linear equations."});

// MatrixDeterminant: y = det a.   da = dy y a^-T.
template <typename T>
struct DeterminantFunction {
  explicit DeterminantFunction(const KernelSetup&) {}
  absl::Status operator()(KernelContext& c) const {
    const Matrices a(c.input(0));
    SF_ASSIGN_OR_RETURN(double* lu, c.Scratch<double>(a.size()));
    for (int64_t b = 0; b < a.count; ++b) {
      Load(c.in<T>(0) + b * a.size(), a.rows, false, lu);
      c.out<T>(0)[b] = static_cast<T>(Eliminate(lu, a.rows, nullptr, 0));
    }
    return absl::OkStatus();
  }
};

void DeterminantGradient(GradientContext& c) {
  const Output inverse = MatrixInverse(c.x(0), {.adjoint = true});
  c.set_dx(0, ExpandDims(ExpandDims(c.dy(0) * c.y(0), -1), -1) * inverse);
}

const BothNames determinant({.name = "MatrixDeterminant",
                             .inputs = {"input: T"},
                             .outputs = {"output: T"},
                             .attrs = {kLinalgT},
                             .shape = PerMatrixShape,
                             .gradient = DeterminantGradient,
                             .kernel = LinalgKernel<DeterminantFunction>,
                             .batch = MatricesBatch,
                             .doc = "The determinant of each square matrix."});

}  // namespace

Output MatrixInverse(Operand input, const MatrixInverseOptions& options) {
  return NodeBuilder("MatrixInverse", {input}).Attr("adjoint", options.adjoint).Name(options.name).Build();
}

Output MatrixDeterminant(Operand input, const OpOptions& options) {
  return NodeBuilder("MatrixDeterminant", {input}).Name(options.name).Build();
}

Output MatrixSolve(Operand matrix, Operand rhs, const MatrixSolveOptions& options) {
  return NodeBuilder("MatrixSolve", {matrix, rhs}).Attr("adjoint", options.adjoint).Name(options.name).Build();
}

}  // namespace staticflow
