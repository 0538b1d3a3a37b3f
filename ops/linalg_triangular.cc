// Cholesky and MatrixTriangularSolve.
#include <cmath>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/array_layout.h"
#include "ops/batch_names.h"
#include "ops/batch_rules.h"
#include "ops/linalg.h"
#include "ops/linalg_matrices.h"
#include "ops/math.h"
#include "ops/matmul.h"

namespace staticflow {
namespace {

// Cholesky: a = L L'.   da = (s + s') / 2 with s = L^-T P L^-1, P the lower triangle of L'dL with its diagonal halved.
// False when the matrix is not positive definite. A NaN is no reason to say so: it shows in the result.
bool Decompose(double* a, int64_t n) {
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = j; i < n; ++i) {
      double sum = a[i * n + j];
      for (int64_t l = 0; l < j; ++l) sum -= a[i * n + l] * a[j * n + l];
      if (i == j && sum <= 0) return false;
      a[i * n + j] = i == j ? std::sqrt(sum) : sum / a[j * n + j];
    }
  }
  return true;
}

template <typename T>
struct CholeskyFunction {
  explicit CholeskyFunction(const KernelSetup&) {}
  absl::Status operator()(KernelContext& c) const {
    const Matrices a(c.input(0));
    SF_ASSIGN_OR_RETURN(double* scratch, c.Scratch<double>(a.size()));
    for (int64_t b = 0; b < a.count; ++b) {
      const T* in = c.in<T>(0) + b * a.size();
      T* out = c.out<T>(0) + b * a.size();
      std::copy(in, in + a.size(), scratch);
      if (!Decompose(scratch, a.rows)) {
        return absl::InvalidArgumentError(absl::StrCat("matrix ", b, " is not positive definite"));
      }
      for (int64_t i = 0; i < a.size(); ++i)
        out[i] = i % a.columns <= i / a.columns ? static_cast<T>(scratch[i]) : T(0);
    }
    return absl::OkStatus();
  }
};

void CholeskyGradient(GradientContext& c) {
  const Output l = c.y(0);
  const Output product = BatchMatMul(l, c.dy(0), {.adj_x = true});
  const Output halved = MatrixBandPart(product, -1, 0) - MatrixDiag(MatrixDiagPart(product) * 0.5);
  const Output left = MatrixTriangularSolve(l, halved, {.adjoint = true});
  const Output both = MatrixTriangularSolve(l, Adjoint(left), {.adjoint = true});
  c.set_dx(0, (both + Adjoint(both)) * 0.5);
}

const BothNames cholesky({.name = "Cholesky",
                          .inputs = {"input: T"},
                          .outputs = {"output: T"},
                          .attrs = {kLinalgT},
                          .shape = SquareShape,
                          .gradient = CholeskyGradient,
                          .kernel = LinalgKernel<CholeskyFunction>,
                          .batch = MatricesBatch,
                          .doc = "The Cholesky decomposition of each symmetric positive definite matrix."});

// MatrixTriangularSolve: a x = b, where only one triangle of a counts; a zero on its diagonal shows as an infinity or a
// NaN.   db = a^-T dx, da = that triangle of -db x'.
absl::Status TriangularSolveShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape matrix, SquareMatrices(c, 0));
  SF_ASSIGN_OR_RETURN(const Shape rhs, c.WithRankAtLeast(1, 2));
  if (!matrix.has_rank() || !rhs.has_rank()) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const int64_t n, c.MergeDims(matrix.dim(-1), rhs.dim(-2), "equations"));
  SF_ASSIGN_OR_RETURN(const Shape batch,
                      BroadcastShapes(matrix.Slice(0, matrix.rank() - 2), rhs.Slice(0, rhs.rank() - 2)));
  c.set_output(0, batch.Concatenate({n, rhs.dim(-1)}));
  return absl::OkStatus();
}
template <typename T>
struct TriangularSolveFunction {
  explicit TriangularSolveFunction(const KernelSetup& setup)
      : lower(setup.attr<bool>("lower")), adjoint(setup.attr<bool>("adjoint")) {}

  absl::Status operator()(KernelContext& c) const {
    const Matrices a(c.input(0)), x(c.output(0));
    SF_ASSIGN_OR_RETURN(double* scratch, c.Scratch<double>(x.size()));
    for (int64_t b = 0; b < x.count; ++b) {
      const T* matrix = c.in<T>(0) + MatrixOffset(*c.input(0).shape, *c.output(0).shape, b);
      const T* rhs = c.in<T>(1) + MatrixOffset(*c.input(1).shape, *c.output(0).shape, b);
      std::copy(rhs, rhs + x.size(), scratch);
      Solve(matrix, a.rows, scratch, x.columns);
      for (int64_t i = 0; i < x.size(); ++i) c.out<T>(0)[b * x.size() + i] = static_cast<T>(scratch[i]);
    }
    return absl::OkStatus();
  }

  void Solve(const T* a, int64_t n, double* x, int64_t k) const {
    const bool forward = lower != adjoint;  // the transpose of a lower triangle is an upper one
    for (int64_t step = 0; step < n; ++step) {
      const int64_t i = forward ? step : n - 1 - step;
      for (int64_t j = forward ? 0 : i + 1; j < (forward ? i : n); ++j) {
        const double factor = adjoint ? a[j * n + i] : a[i * n + j];
        for (int64_t l = 0; l < k; ++l) x[i * k + l] -= factor * x[j * k + l];
      }
      for (int64_t l = 0; l < k; ++l) x[i * k + l] /= a[i * n + i];
    }
  }

  bool lower, adjoint;
};

void TriangularSolveGradient(GradientContext& c) {
  const bool lower = c.attr<bool>("lower"), adjoint = c.attr<bool>("adjoint");
  const Output x = c.y(0);
  const Output db = MatrixTriangularSolve(c.x(0), c.dy(0), {.lower = lower, .adjoint = !adjoint});
  const Output da = -(adjoint ? BatchMatMul(x, db, {.adj_y = true}) : BatchMatMul(db, x, {.adj_y = true}));
  const Output triangle = lower ? MatrixBandPart(da, -1, 0) : MatrixBandPart(da, 0, -1);
  c.set_dx(0, SumToShapeOf(triangle, c.x(0)));
  c.set_dx(1, SumToShapeOf(db, c.x(1)));
}

// Of operands of different ranks only examples in the larger one keep their places.
void TriangularSolveBatch(BatchContext& c) {
  for (int i = 0; i < 2; ++i) {
    if (!c.input(i).is_rows()) continue;
    if (!c.output_shape(0).has_rank()) return c.Unknown("the rank is not known");
    if (c.input_shape(i).rank() != c.output_shape(0).rank()) return c.Mix("by its operands");
  }
  MatricesBatch(c);
}
const BothNames triangular_solve({.name = "MatrixTriangularSolve",
                                  .inputs = {"matrix: T", "rhs: T"},
                                  .outputs = {"output: T"},
                                  .attrs = {"lower: bool = true", "adjoint: bool = false", kLinalgT},
                                  .shape = TriangularSolveShape,
                                  .gradient = TriangularSolveGradient,
                                  .kernel = LinalgKernel<TriangularSolveFunction>,
                                  .batch = TriangularSolveBatch,
                                  .doc = "Solves systems of linear equations with triangular matrices."});

}  // namespace

Output Cholesky(Operand input, const OpOptions& options) {
  return NodeBuilder("Cholesky", {input}).Name(options.name).Build();
}

Output MatrixTriangularSolve(Operand matrix, Operand rhs, const MatrixTriangularSolveOptions& options) {
  return NodeBuilder("MatrixTriangularSolve", {matrix, rhs})
      .Attr("lower", options.lower)
      .Attr("adjoint", options.adjoint)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
