// LogMatrixDeterminant, SelfAdjointEigV2, SelfAdjointEig and CholeskyGrad.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

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

// LogMatrixDeterminant: sign and log |det a|.   da = dlog a^-T.
template <typename T>
struct LogDeterminantFunction {
  explicit LogDeterminantFunction(const KernelSetup&) {}
  absl::Status operator()(KernelContext& c) const {
    const Matrices a(c.input(0));
    const int64_t n = a.rows;
    SF_ASSIGN_OR_RETURN(double* lu, c.Scratch<double>(a.size()));
    for (int64_t b = 0; b < a.count; ++b) {
      std::copy_n(c.in<T>(0) + b * a.size(), a.size(), lu);
      double sign = 1, log_abs = 0;
      for (int64_t j = 0; j < n; ++j) {
        if (EliminateColumn(lu, n, j) != j) sign = -sign;
        const double diagonal = lu[j * n + j];
        log_abs += std::log(std::abs(diagonal));
        sign *= diagonal > 0 ? 1 : diagonal < 0 ? -1 : diagonal;
        if (!(std::abs(diagonal) > 0)) break;
      }
      c.out<T>(0)[b] = static_cast<T>(sign);
      c.out<T>(1)[b] = static_cast<T>(log_abs);
    }
    return absl::OkStatus();
  }
};
void LogDeterminantGradient(GradientContext& c) {
  const Output inverse = MatrixInverse(c.x(0), {.adjoint = true});
  c.set_dx(0, ExpandDims(ExpandDims(c.dy(1), -1), -1) * inverse);
}
const OpRegistrar log_determinant({.name = "LogMatrixDeterminant",
                                   .inputs = {"input: T"},
                                   .outputs = {"sign: T", "log_abs_determinant: T"},
                                   .attrs = {kLinalgT},
                                   .shape = PerMatrixShape,
                                   .gradient = LogDeterminantGradient,
                                   .kernel = LinalgKernel<LogDeterminantFunction>,
                                   .batch = MatricesBatch,
                                   .doc = "The sign and the logarithm of the determinant of each square matrix."});

// Jacobi's method: rotations make the symmetric matrix a diagonal; v collects them in its columns.
void Diagonalize(double* a, int64_t n, double* v) {
  for (int64_t i = 0; i < n * n; ++i) v[i] = i / n == i % n ? 1 : 0;
  for (int sweep = 0; sweep < 60; ++sweep) {
    double off = 0, all = 0;
    for (int64_t i = 0; i < n * n; ++i) {
      all += a[i] * a[i];
      if (i / n != i % n) off += a[i] * a[i];
    }
    if (!(off > 1e-32 * all)) break;
    for (int64_t p = 0; p < n; ++p) {
      for (int64_t q = p + 1; q < n; ++q) {
        const double apq = a[p * n + q];
        if (apq == 0) continue;
        const double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
        const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        for (int64_t k = 0; k < n; ++k) {
          const double x = a[k * n + p], y = a[k * n + q];
          a[k * n + p] = c * x - s * y;
          a[k * n + q] = s * x + c * y;
        }
        for (int64_t k = 0; k < n; ++k) {
          const double x = a[p * n + k], y = a[q * n + k];
          a[p * n + k] = c * x - s * y;
          a[q * n + k] = s * x + c * y;
          const double vx = v[k * n + p], vy = v[k * n + q];
          v[k * n + p] = c * vx - s * vy;
          v[k * n + q] = s * vx + c * vy;
        }
      }
    }
  }
}

// SelfAdjointEigV2: a v = v diag(e), e in increasing order, of the lower triangle of a; of each eigenvector the first
// element that is not 0 is positive.   da = v (diag(de) + F (v' dv)) v' with F_ij = 1 / (e_j - e_i), folded onto the
// lower triangle.
absl::Status EigShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape a, SquareMatrices(c, 0));
  if (a.has_rank()) c.set_output(0, a.Slice(0, a.rank() - 1));
  c.set_output(1, c.attr<bool>("compute_v") ? a : Shape({0}));
  return absl::OkStatus();
}
template <typename T>
struct EigFunction {
  explicit EigFunction(const KernelSetup& setup)
      : is_first(setup.node().num_outputs() == 1), compute_v(is_first || setup.attr<bool>("compute_v")) {}
  absl::Status operator()(KernelContext& c) const {
    const Matrices a(c.input(0));
    const int64_t n = a.rows;
    SF_ASSIGN_OR_RETURN(double* scratch, c.Scratch<double>(AddSizes(MultiplySizes(2, a.size()), n)));
    double *matrix = scratch, *v = scratch + a.size(), *order = scratch + 2 * a.size();
    for (int64_t b = 0; b < a.count; ++b) {
      const T* in = c.in<T>(0) + b * a.size();
      for (int64_t i = 0; i < a.size(); ++i) {
        matrix[i] = in[std::max(i / n, i % n) * n + std::min(i / n, i % n)];
        if (!std::isfinite(matrix[i])) return absl::InvalidArgumentError(absl::StrCat("matrix ", b, " is not finite"));
      }
      Diagonalize(matrix, n, v);
      T* values = c.out<T>(0) + b * (is_first ? n + a.size() : n);
      T* vectors = is_first ? values + n : compute_v ? c.out<T>(1) + b * a.size() : nullptr;
      std::iota(order, order + n, 0.0);
      std::sort(order, order + n, [&](double x, double y) {
        const int64_t i = static_cast<int64_t>(x), j = static_cast<int64_t>(y);
        return matrix[i * n + i] < matrix[j * n + j] || (matrix[i * n + i] == matrix[j * n + j] && i < j);
      });
      for (int64_t j = 0; j < n; ++j) {
        const int64_t from = static_cast<int64_t>(order[j]);
        values[j] = static_cast<T>(matrix[from * n + from]);
        if (!compute_v) continue;
        double sign = 0;
        for (int64_t i = 0; i < n && sign == 0; ++i) {
          if (std::abs(v[i * n + from]) > 1e-12) sign = std::copysign(1.0, v[i * n + from]);
        }
        for (int64_t i = 0; i < n; ++i) vectors[i * n + j] = static_cast<T>(sign * v[i * n + from]);
      }
    }
    return absl::OkStatus();
  }
  bool is_first, compute_v;
};
void EigGradient(GradientContext& c) {
  Output e = c.y(0), v = c.y(1);
  const bool compute_v = c.attr<bool>("compute_v");
  Output inner = MatrixDiag(c.dy(0));
  if (compute_v && c.has_dy(1)) {
    const Output difference = ExpandDims(e, -2) - ExpandDims(e, -1);
    const Output same = Equal(difference, 0);
    const Output factor = Where(same, 0, Reciprocal(Where(same, 1, difference)));
    inner = inner + factor * BatchMatMul(v, c.dy(1), {.adj_x = true});
  } else if (!compute_v) {
    Node* again = NodeBuilder("SelfAdjointEigV2", {c.x(0)}).BuildNode();
    if (again == nullptr) return;
    v = again->output(1);
  }
  const Output full = BatchMatMul(v, BatchMatMul(inner, v, {.adj_y = true}));
  // The kernel reads the lower triangle alone, for both.
  const Output folded = MatrixBandPart(full + Adjoint(full), -1, 0);
  c.set_dx(0, MatrixSetDiag(folded, MatrixDiagPart(folded) * 0.5));
}
const BothNames eig({.name = "SelfAdjointEigV2",
                     .inputs = {"input: T"},
                     .outputs = {"e: T", "v: T"},
                     .attrs = {"compute_v: bool = true", kLinalgT},
                     .shape = EigShape,
                     .gradient = EigGradient,
                     .kernel = LinalgKernel<EigFunction>,
                     .batch = MatricesBatch,
                     .doc = "The eigenvalues and eigenvectors of symmetric matrices."});

// SelfAdjointEig: the same in one tensor, the eigenvalues above the matrix of eigenvectors.
absl::Status FirstEigShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, SquareMatrices(c, 0));
  if (!shape.has_rank()) return absl::OkStatus();
  if (const int64_t n = shape.dim(-2); n >= 0) shape.set_dim(shape.rank() - 2, AddSizes(n, 1));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
const BothNames first_eig({.name = "SelfAdjointEig",
                           .inputs = {"input: T"},
                           .outputs = {"output: T"},
                           .attrs = {kLinalgT},
                           .shape = FirstEigShape,
                           .gradient = kGradientIsError,
                           .kernel = LinalgKernel<EigFunction>,
                           .batch = MatricesBatch,
                           .doc = "The eigenvalues and, below them, the eigenvectors of symmetric matrices."});

// CholeskyGrad: what the gradient `grad` by a Cholesky factor l is by the matrix: (s + s') / 2 with s = l^-T p l^-1,
// where p is the lower triangle of l' grad with its diagonal halved.
absl::Status CholeskyGradShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape l, SquareMatrices(c, 0));
  SF_ASSIGN_OR_RETURN(Shape shape, l.MergeWith(c.input(1)));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
template <typename T>
struct CholeskyGradFunction {
  explicit CholeskyGradFunction(const KernelSetup&) {}
  absl::Status operator()(KernelContext& c) const {
    const Matrices l(c.input(0));
    const int64_t n = l.rows;
    SF_ASSIGN_OR_RETURN(double* s, c.Scratch<double>(l.size()));
    for (int64_t b = 0; b < l.count; ++b) {
      const T *a = c.in<T>(0) + b * l.size(), *grad = c.in<T>(1) + b * l.size();
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (int64_t k = std::max(i, j); k < n && j <= i; ++k) sum += double(a[k * n + i]) * double(grad[k * n + j]);
          s[i * n + j] = i == j ? sum / 2 : sum;
        }
      }
      for (int64_t j = 0; j < n; ++j) SolveTransposed(a, n, s + j, n);      // the columns: l^-T p
      for (int64_t i = 0; i < n; ++i) SolveTransposed(a, n, s + i * n, 1);  // the rows: times l^-1
      for (int64_t i = 0; i < l.size(); ++i) {
        c.out<T>(0)[b * l.size() + i] = static_cast<T>((s[i] + s[i % n * n + i / n]) / 2);
      }
    }
    return absl::OkStatus();
  }
  // x = l^-T x for a vector whose elements lie `step` apart.
  static void SolveTransposed(const T* l, int64_t n, double* x, int64_t step) {
    for (int64_t i = n - 1; i >= 0; --i) {
      for (int64_t k = i + 1; k < n; ++k) x[i * step] -= l[k * n + i] * x[k * step];
      x[i * step] /= l[i * n + i];
    }
  }
};
const BothNames cholesky_grad({.name = "CholeskyGrad",
                               .inputs = {"l: T", "grad: T"},
                               .outputs = {"output: T"},
                               .attrs = {kLinalgT},
                               .shape = CholeskyGradShape,
                               .gradient = kGradientIsError,
                               .kernel = LinalgKernel<CholeskyGradFunction>,
                               .batch = MatricesBatch,
                               .doc = "The gradient of Cholesky by its input."});

}  // namespace

LogMatrixDeterminantResult LogMatrixDeterminant(Operand input, const OpOptions& options) {
  Node* node = NodeBuilder("LogMatrixDeterminant", {input}).Name(options.name).BuildNode();
  return node == nullptr ? LogMatrixDeterminantResult() : LogMatrixDeterminantResult{node->output(0), node->output(1)};
}
SelfAdjointEigResult SelfAdjointEig(Operand input, const OpOptions& options) {
  Node* node = NodeBuilder("SelfAdjointEigV2", {input}).Name(options.name, "SelfAdjointEigV2").BuildNode();
  return node == nullptr ? SelfAdjointEigResult() : SelfAdjointEigResult{node->output(0), node->output(1)};
}

}  // namespace staticflow
