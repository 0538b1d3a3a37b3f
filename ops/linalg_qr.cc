// Qr by Householder reflections.
#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/array_layout.h"
#include "ops/batch_rules.h"
#include "ops/linalg.h"
#include "ops/linalg_matrices.h"
#include "ops/math.h"
#include "ops/matmul.h"

namespace staticflow {
namespace {

absl::Status QrShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape a, c.WithRankAtLeast(0, 2));
  if (!a.has_rank()) return absl::OkStatus();
  const int64_t m = a.dim(-2), n = a.dim(-1);
  int64_t p = m >= 0 && n >= 0 ? std::min(m, n) : Shape::kUnknownDim;
  if (c.attr<bool>("full_matrices")) p = m;
  Shape q = a.Slice(0, a.rank() - 2), r = q;
  q.push_back(m);
  q.push_back(p);
  r.push_back(p);
  r.push_back(n);
  c.set_output(0, std::move(q));
  c.set_output(1, std::move(r));
  return absl::OkStatus();
}

// x -= tau v (v . x), for a reflection whose v is 1 followed by `tail`.
void Reflect(const double* tail, double tau, double* x, int64_t length) {
  double dot = x[0];
  for (int64_t i = 1; i < length; ++i) dot += tail[i - 1] * x[i];
  dot *= tau;
  x[0] -= dot;
  for (int64_t i = 1; i < length; ++i) x[i] -= dot * tail[i - 1];
}

// Turns the column x into (beta, 0, ..., 0): leaves beta and the tail of v in x and returns tau. beta has the sign
// opposite to x[0], so that nothing cancels.
double MakeReflection(double* x, int64_t length) {
  double tail = 0;
  for (int64_t i = 1; i < length; ++i) tail += x[i] * x[i];
  if (tail <= std::numeric_limits<double>::min()) {
    std::fill(x + 1, x + length, 0.0);
    return 0;
  }
  const double norm = std::sqrt(x[0] * x[0] + tail);
  const double beta = x[0] >= 0 ? -norm : norm;
  for (int64_t i = 1; i < length; ++i) x[i] /= x[0] - beta;
  const double tau = (beta - x[0]) / beta;
  x[0] = beta;
  return tau;
}

// a [m, n] = q [m, k] r [k, n]; `columns` (m n), `basis` (m k) and `tau` are memory to work in, by columns.
template <typename T>
void Factorize(const T* a, int64_t m, int64_t n, int64_t k, T* q, T* r, double* columns, double* basis, double* tau) {
  const int64_t p = std::min(m, n);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) columns[j * m + i] = Widen(a[i * n + j]);
  }
  for (int64_t j = 0; j < p; ++j) {
    double* column = columns + j * m + j;
    tau[j] = MakeReflection(column, m - j);
    for (int64_t other = j + 1; other < n; ++other) Reflect(column + 1, tau[j], columns + other * m + j, m - j);
  }
  std::fill(basis, basis + m * k, 0.0);
  for (int64_t j = 0; j < k; ++j) basis[j * m + j] = 1;
  for (int64_t j = p - 1; j >= 0; --j) {
    for (int64_t b = j; b < k; ++b) Reflect(columns + j * m + j + 1, tau[j], basis + b * m + j, m - j);
  }
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < k; ++j) q[i * k + j] = static_cast<T>(basis[j * m + i]);
  }
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t j = 0; j < n; ++j) r[i * n + j] = i <= j ? static_cast<T>(columns[j * m + i]) : T(0);
  }
}

template <typename T>
struct QrFunction {
  explicit QrFunction(const KernelSetup&) {}
  absl::Status operator()(KernelContext& c) const {
    const Matrices a(c.input(0)), q(c.output(0)), r(c.output(1));
    SF_ASSIGN_OR_RETURN(double* scratch, c.Scratch<double>(a.size() + q.size() + std::min(a.rows, a.columns)));
    for (int64_t b = 0; b < a.count; ++b) {
      Factorize(c.in<T>(0) + b * a.size(), a.rows, a.columns, q.columns, c.out<T>(0) + b * q.size(),
                c.out<T>(1) + b * r.size(), scratch, scratch + a.size(), scratch + a.size() + q.size());
    }
    return absl::OkStatus();
  }
};

// x r^-T for an upper triangular r.
Output DivideByAdjoint(Output x, Output r) { return Adjoint(MatrixTriangularSolve(r, Adjoint(x), {.lower = false})); }

// The gradient for m >= n, with L the lower triangle of q'dq - dq'q + r dr' - dr r' (primes: transposes):
//   da = q (dr + L r^-T) + (dq - q q'dq) r^-T.
Output DeepGradient(Output q, Output r, Output dq, Output dr) {
  const Output qdq = BatchMatMul(q, dq, {.adj_x = true});
  const Output rdr = BatchMatMul(r, dr, {.adj_y = true});
  if (!qdq.valid() || !rdr.valid()) return Output();
  const Output lower = MatrixBandPart(qdq - Adjoint(qdq) + (rdr - Adjoint(rdr)), -1, 0);
  const Output inside = BatchMatMul(q, dr + DivideByAdjoint(lower, r));
  return inside + DivideByAdjoint(dq - BatchMatMul(q, qdq), r);
}

// The first `count` columns of the matrices in x, or those after them; `count` is a vector with one element.
Output Columns(Output x, Output count, bool first) {
  const Output bound = Concat({Const(x.graph(), Tensor::Vector<int32_t>({0})), count}, 0);
  constexpr int64_t kRows = 1, kColumns = 2;  // bits: an ellipsis for all but the columns
  if (first) return StridedSlice(x, {0, 0}, bound, {1, 1}, {.begin_mask = kColumns, .ellipsis_mask = kRows});
  return StridedSlice(x, bound, {0, 0}, {1, 1}, {.end_mask = kColumns, .ellipsis_mask = kRows});
}

// Qr: a = q r. A wide a is [x, y] with r = [u, v]: x = q u is the square case and y = q v. Where the sizes are unknown,
// y may be empty.
void QrGradient(GradientContext& c) {
  const Output q = c.y(0), r = c.y(1), dq = c.dy(0), dr = c.dy(1);
  const int64_t m = c.x(0).shape().dim(-2), n = c.x(0).shape().dim(-1);
  if (m >= 0 && n >= 0 && m >= n) {
    if (m > n && c.attr<bool>("full_matrices")) return c.Fail("full_matrices with more rows than columns");
    c.set_dx(0, DeepGradient(q, r, dq, dr));
    return;
  }
  const Output count = StridedSlice(ShapeOf(q), {-1}, {std::numeric_limits<int32_t>::max()}, {1});
  const Output y = Columns(c.x(0), count, false), dv = Columns(dr, count, false);
  const Output dx =
      DeepGradient(q, Columns(r, count, true), dq + BatchMatMul(y, dv, {.adj_y = true}), Columns(dr, count, true));
  c.set_dx(0, Concat({dx, BatchMatMul(q, dv)}, -1));
}

const OpRegistrar qr({.name = "Qr",
                      .inputs = {"input: T"},
                      .outputs = {"q: T", "r: T"},
                      .attrs = {"full_matrices: bool = false", kLinalgHalfT},
                      .shape = QrShape,
                      .gradient = QrGradient,
                      .kernel = LinalgKernel<QrFunction, Half>,
                      .batch = MatricesBatch,
                      .doc = "The QR decomposition of each matrix."});

}  // namespace

QrResult Qr(Operand input, const QrOptions& options) {
  Node* node = NodeBuilder("Qr", {input}).Attr("full_matrices", options.full_matrices).Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {node->output(0), node->output(1)};
}

}  // namespace staticflow
