// Svd, by Jacobi rotations of columns. Contract: ops/linalg.h.
#include <cmath>
#include <numeric>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/array_layout.h"
#include "ops/batch_names.h"
#include "ops/linalg.h"
#include "ops/linalg_matrices.h"
#include "ops/math.h"
#include "ops/matmul.h"

namespace staticflow {
namespace {

absl::Status SvdShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape a, c.WithRankAtLeast(0, 2));
  const bool uv = c.attr<bool>("compute_uv"), full = c.attr<bool>("full_matrices");
  if (!uv) {
    c.set_output(1, {0});
    c.set_output(2, {0});
  }
  if (!a.has_rank()) return absl::OkStatus();
  const int64_t m = a.dim(-2), n = a.dim(-1);
  const int64_t p = m >= 0 && n >= 0 ? std::min(m, n) : Shape::kUnknownDim;
  Shape s = a.Slice(0, a.rank() - 2), u = s, v = s;
  s.push_back(p);
  c.set_output(0, std::move(s));
  if (!uv) return absl::OkStatus();
  u.push_back(m);
  u.push_back(full ? m : p);
  v.push_back(n);
  v.push_back(full ? n : p);
  c.set_output(1, std::move(u));
  c.set_output(2, std::move(v));
  return absl::OkStatus();
}

// Columns of length `length`, one after another.
struct Columns {
  double* data;
  int64_t length, count;
  double* at(int64_t j) const { return data + j * length; }
};
double Dot(const double* x, const double* y, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}
void Rotate(double* x, double* y, int64_t n, double cosine, double sine) {
  for (int64_t i = 0; i < n; ++i) {
    const double a = x[i], b = y[i];
    x[i] = cosine * a - sine * b;
    y[i] = sine * a + cosine * b;
  }
}

// Turns pairs of columns of `a` (at least as long as there are of them) until all are orthogonal, and those of v, the
// identity at first, with them: a v' = what a was.
void Orthogonalize(const Columns& a, const Columns& v) {
  constexpr int kSweeps = 60;
  constexpr double kSmall = 1e-15;
  for (int64_t i = 0; i < v.count * v.length; ++i) v.data[i] = i / v.length == i % v.length ? 1 : 0;
  bool turned = true;
  for (int sweep = 0; turned && sweep < kSweeps; ++sweep) {
    turned = false;
    for (int64_t p = 0; p + 1 < a.count; ++p) {
      for (int64_t q = p + 1; q < a.count; ++q) {
        const double pp = Dot(a.at(p), a.at(p), a.length), qq = Dot(a.at(q), a.at(q), a.length);
        const double pq = Dot(a.at(p), a.at(q), a.length);
        if (!(std::abs(pq) > kSmall * std::sqrt(pp * qq))) continue;
        const double zeta = (qq - pp) / (2 * pq);
        const double t = (zeta >= 0 ? 1 : -1) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
        const double cosine = 1 / std::sqrt(1 + t * t);
        Rotate(a.at(p), a.at(q), a.length, cosine, cosine * t);
        Rotate(v.at(p), v.at(q), v.length, cosine, cosine * t);
        turned = true;
      }
    }
  }
}

// Makes the columns from `known` on orthonormal to all before them: of the unit vectors, each time the one that keeps
// most of its length.
void CompleteBasis(const Columns& u, int64_t known) {
  std::vector<double> candidate(u.length);
  for (int64_t j = known; j < u.count; ++j) {
    double longest = 0;
    for (int64_t e = 0; e < u.length && longest < 0.5; ++e) {
      std::fill(candidate.begin(), candidate.end(), 0.0);
      candidate[e] = 1;
      for (int pass = 0; pass < 2; ++pass) {
        for (int64_t k = 0; k < j; ++k) {
          const double along = Dot(u.at(k), candidate.data(), u.length);
          for (int64_t i = 0; i < u.length; ++i) candidate[i] -= along * u.at(k)[i];
        }
      }
      const double norm = std::sqrt(Dot(candidate.data(), candidate.data(), u.length));
      if (norm <= longest) continue;
      longest = norm;
      for (int64_t i = 0; i < u.length; ++i) u.at(j)[i] = candidate[i] / norm;
    }
  }
}

template <typename T>
struct SvdFunction {
  explicit SvdFunction(const KernelSetup& setup) : uv(setup.attr<bool>("compute_uv")) {}

  absl::Status operator()(KernelContext& c) const {
    const Matrices a(c.input(0));
    for (int64_t b = 0; b < a.count; ++b) SF_RETURN_IF_ERROR(Decompose(c, a, b));
    return absl::OkStatus();
  }

  // A wide matrix is decomposed through its transpose: long and short change their places.
  absl::Status Decompose(KernelContext& c, const Matrices& a, int64_t b) const {
    const bool wide = a.columns > a.rows;
    const int64_t length = std::max(a.rows, a.columns), p = std::min(a.rows, a.columns);
    const int64_t long_count = uv ? c.output(wide ? 2 : 1).dim(-1) : p,
                  short_count = uv ? c.output(wide ? 1 : 2).dim(-1) : p;
    SF_ASSIGN_OR_RETURN(double* scratch, c.Scratch<double>(2 * length * long_count + 2 * p * short_count + 2 * p));
    const Columns turned = {scratch, length, p}, v = {scratch + length * long_count, p, p};
    const Columns u = {v.data + p * short_count, length, long_count};
    double* s = u.data + length * long_count;
    const T* matrix = c.in<T>(0) + b * a.size();
    for (int64_t j = 0; j < p; ++j) {
      for (int64_t i = 0; i < length; ++i) {
        turned.at(j)[i] = static_cast<double>(wide ? matrix[j * a.columns + i] : matrix[i * a.columns + j]);
        if (!std::isfinite(turned.at(j)[i])) return AllNaN(c, b);
      }
    }
    Orthogonalize(turned, v);
    for (int64_t j = 0; j < p; ++j) s[j] = std::sqrt(Dot(turned.at(j), turned.at(j), length));
    std::vector<int64_t> order(p);
    std::iota(order.begin(), order.end(), int64_t{0});
    std::stable_sort(order.begin(), order.end(), [s](int64_t x, int64_t y) { return s[x] > s[y]; });
    for (int64_t j = 0; j < p; ++j) c.out<T>(0)[b * p + j] = static_cast<T>(s[order[j]]);
    if (!uv) return absl::OkStatus();
    const double zero = p == 0 ? 0 : s[order[0]] * 1e-14;
    int64_t known = 0;
    for (; known < p && s[order[known]] > zero; ++known) {
      for (int64_t i = 0; i < length; ++i) u.at(known)[i] = turned.at(order[known])[i] / s[order[known]];
    }
    CompleteBasis(u, known);
    Store(c, wide ? 2 : 1, b, u, nullptr);
    Store(c, wide ? 1 : 2, b, v, order.data());
    return absl::OkStatus();
  }

  // Nothing is known of a matrix that is not finite.
  absl::Status AllNaN(KernelContext& c, int64_t b) const {
    for (int i = 0; i < (uv ? 3 : 1); ++i) {
      const TensorView& out = c.output(i);
      const int64_t size = i == 0 ? out.dim(-1) : out.dim(-2) * out.dim(-1);
      std::fill_n(c.out<T>(i) + b * size, size, std::numeric_limits<T>::quiet_NaN());
    }
    return absl::OkStatus();
  }

  static void Store(KernelContext& c, int output, int64_t b, const Columns& columns, const int64_t* order) {
    const Matrices to(c.output(output));
    for (int64_t i = 0; i < to.rows; ++i) {
      for (int64_t j = 0; j < to.columns; ++j) {
        c.out<T>(output)[b * to.size() + i * to.columns + j] =
            static_cast<T>(columns.at(order == nullptr ? j : order[j])[i]);
      }
    }
  }

  bool uv;
};

// Svd: a = u diag(s) v'. With f_ij = 1 / (s_j^2 - s_i^2), 0 on the diagonal, and x - x' written as skew(x):
//   da = [u (f skew(u'du) s + s f skew(v'dv) + ds) + (1 - u u') du / s] v' + u [(1 - v v') dv / s]'
void SvdGradient(GradientContext& c) {
  const bool uv = c.attr<bool>("compute_uv");
  const Shape& shape = c.x(0).shape();
  if (c.attr<bool>("full_matrices") && uv &&
      !(shape.has_rank() && shape.dim(-1) == shape.dim(-2) && shape.dim(-1) >= 0)) {
    return c.Fail("full_matrices of matrices that are not square");
  }
  Output s = c.y(0), u = c.y(1), v = c.y(2);
  if (!uv) {
    const SvdResult all = Svd(c.x(0));
    u = all.u;
    v = all.v;
  }
  if (!u.valid() || !v.valid()) return;
  const Output ds = c.dy(0);
  if (!uv || (!c.has_dy(1) && !c.has_dy(2))) {
    c.set_dx(0, BatchMatMul(u * ExpandDims(ds, -2), v, {.adj_y = true}));
    return;
  }
  const Output du = c.dy(1), dv = c.dy(2), columns = ExpandDims(s, -2), rows = ExpandDims(s, -1);
  const Output gaps = Square(columns) - Square(rows), f = DivNoNan(OnesLike(gaps), gaps);
  const auto skew = [&](Output x, Output dx) {
    const Output product = BatchMatMul(x, dx, {.adj_x = true});
    return product.valid() ? f * (product - Adjoint(product)) : Output();
  };
  const auto outside = [&](Output x, Output dx) {
    return RealDiv(dx - BatchMatMul(x, BatchMatMul(x, dx, {.adj_x = true})), columns);
  };
  const Output inner = skew(u, du) * columns + rows * skew(v, dv) + MatrixDiag(ds);
  const Output left = BatchMatMul(u, inner) + outside(u, du);
  c.set_dx(0, BatchMatMul(left, v, {.adj_y = true}) + BatchMatMul(u, outside(v, dv), {.adj_y = true}));
}

const BothNames svd({.name = "Svd",
                     .inputs = {"input: T"},
                     .outputs = {"s: T", "u: T", "v: T"},
                     .attrs = {"compute_uv: bool = true", "full_matrices: bool = false", kLinalgT},
                     .shape = SvdShape,
                     .gradient = SvdGradient,
                     .kernel = LinalgKernel<SvdFunction>,
                     .doc = "The singular value decomposition of each matrix."});

}  // namespace

SvdResult Svd(Operand input, const SvdOptions& options) {
  Node* node = NodeBuilder("Svd", {input})
                   .Attr("compute_uv", options.compute_uv)
                   .Attr("full_matrices", options.full_matrices)
                   .Name(options.name)
                   .BuildNode();
  if (node == nullptr) return {};
  return {.s = node->output(0), .u = node->output(1), .v = node->output(2)};
}

}  // namespace staticflow
