// Linear algebra on the innermost matrices of a tensor [..., m, n]; the leading dimensions count matrices.
//
//   QrResult qr = Qr(a);                       // a = q r
//   Output x = MatrixSolve(a, b);              // a x = b
//
// T is float or double; inner computations run in double. All functions are differentiable again. They add to the
// graph and are not thread-safe.
#ifndef STATICFLOW_OPS_LINALG_H_
#define STATICFLOW_OPS_LINALG_H_

#include <string>

#include "graph/node_builder.h"

namespace staticflow {

struct QrOptions {
  bool full_matrices = false;  // q is [m, m] and r [m, n], instead of [m, p] and [p, n] with p = min(m, n)
  std::string name = "";
};
struct QrResult {
  Output q;  // orthonormal columns
  Output r;  // upper triangular; the signs on its diagonal are those of Householder's method
};
// The gradient needs full column rank, and is not defined for full_matrices with m > n.
QrResult Qr(Operand input, const QrOptions& options = {});

// The lower triangular L with L L^T = input, a symmetric positive definite matrix of which only the lower triangle is
// read. Running it gives InvalidArgument when the matrix is not positive definite.
Output Cholesky(Operand input, const OpOptions& options = {});

struct MatrixInverseOptions {
  bool adjoint = false;  // of the transposed matrix
  std::string name = "";
};
// The inverse of a square matrix. Running it gives InvalidArgument for a singular one.
Output MatrixInverse(Operand input, const MatrixInverseOptions& options = {});

// The determinant of each square matrix: [..., n, n] -> [...].
Output MatrixDeterminant(Operand input, const OpOptions& options = {});
// Its sign (-1, 0 or 1) and the logarithm of its absolute value, where the determinant itself would overflow.
struct LogMatrixDeterminantResult {
  Output sign;
  Output log_abs_determinant;
};
LogMatrixDeterminantResult LogMatrixDeterminant(Operand input, const OpOptions& options = {});

// The eigenvalues e, increasing, and the eigenvectors, the columns of v, of symmetric matrices, of which only the lower
// triangle is read. The first element of each eigenvector that is not 0 is positive. The gradient needs different
// eigenvalues where v has one.
struct SelfAdjointEigResult {
  Output e;
  Output v;
};
SelfAdjointEigResult SelfAdjointEig(Operand input, const OpOptions& options = {});

// The cross products of vectors of three, [..., 3]. All numbers.
Output Cross(Operand a, Operand b, const OpOptions& options = {});

struct MatrixSolveOptions {
  bool adjoint = false;  // solve with the transposed matrix
  std::string name = "";
};
// x with matrix x = rhs, for [..., n, n] and [..., n, k]. Running it gives InvalidArgument for a singular matrix.
Output MatrixSolve(Operand matrix, Operand rhs, const MatrixSolveOptions& options = {});

struct MatrixTriangularSolveOptions {
  bool lower = true;     // read the lower triangle of the matrix, else the upper one
  bool adjoint = false;  // solve with the transpose of that triangle
  std::string name = "";
};
// The same for a triangular matrix. Running it gives InvalidArgument for a zero on the diagonal.
Output MatrixTriangularSolve(Operand matrix, Operand rhs, const MatrixTriangularSolveOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_LINALG_H_
