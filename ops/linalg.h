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

struct SvdOptions {
  bool compute_uv = true;      // otherwise u and v are empty
  bool full_matrices = false;  // u is [m, m] and v [n, n], instead of [m, p] and [n, p] with p = min(m, n)
  std::string name = "";
};
// input = u diag(s) v^T, with decreasing s. Signs of columns are arbitrary. The gradient by u and v needs different s,
// none of them 0, and is not defined for full_matrices of matrices that are not square.
struct SvdResult {
  Output s, u, v;
};
SvdResult Svd(Operand input, const SvdOptions& options = {});

struct LuOptions {
  DataType output_idx_type = DT_INT32;  // or DT_INT64
  std::string name = "";
};
// The rows `p` of a square matrix are the product of a lower triangle with ones on its diagonal and an upper triangle,
// which lu holds together. Running it gives InvalidArgument for a singular matrix.
struct LuResult {
  Output lu, p;
};
LuResult Lu(Operand input, const LuOptions& options = {});

// The x for which |matrix x - rhs|^2 + l2_regularizer |x|^2 is least (and, where that leaves a choice, |x| too), for
// [..., m, n] and [..., m, k]; l2_regularizer is double. Running it gives InvalidArgument for a rank below min(m, n).
Output MatrixSolveLs(Operand matrix, Operand rhs, Operand l2_regularizer, const OpOptions& options = {});

struct TridiagonalSolveOptions {
  bool partial_pivoting = true;
  std::string name = "";
};
// The solution of matrix x = rhs [..., n, k] where `diagonals` [..., 3, n] holds the diagonals above, on and below the
// main one; the last element of the first and the first of the last are not looked at.
Output TridiagonalSolve(Operand diagonals, Operand rhs, const TridiagonalSolveOptions& options = {});
// The product of such a matrix, given by diagonals [..., 1, n], and rhs [..., n, k].
Output TridiagonalMatMul(Operand superdiag, Operand maindiag, Operand subdiag, Operand rhs,
                         const OpOptions& options = {});

struct BandedTriangularSolveOptions {
  bool lower = true;     // the band holds the diagonals below the main one, else those above it
  bool adjoint = false;  // solve with the transpose
  std::string name = "";
};
// x with matrix x = rhs for triangular matrices of few diagonals, `bands` [..., diagonals, n]. The main diagonal is the
// first row of a lower band, and element i of row d is in row i of the matrix, d to the left of the main one; it is the
// last row of an upper band, and element i of the d-th row before it is in row i, d to the right. Elements that fall
// outside the matrix are not looked at. rhs [..., n, k]; leading dimensions broadcast. Running it gives InvalidArgument
// for a zero on the diagonal. Differentiable.
Output BandedTriangularSolve(Operand bands, Operand rhs, const BandedTriangularSolveOptions& options = {});

// The square root s of a matrix without negative eigenvalues, s s = input, whose eigenvalues have no negative real
// part; NaN when there is no real one. Differentiable.
Output MatrixSquareRoot(Operand input, const OpOptions& options = {});
// e^input = 1 + input + input^2 / 2 + ...; no gradient.
Output MatrixExponential(Operand input, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_LINALG_H_
