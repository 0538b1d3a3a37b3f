// MatrixSquareRoot, MatrixExponential: functions of square matrices. Contracts: ops/linalg.h.
#include <cmath>
#include <complex>
#include <limits>
#include <vector>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/array_layout.h"
#include "ops/batch_rules.h"
#include "ops/linalg.h"
#include "ops/linalg_matrices.h"
#include "ops/math.h"

namespace staticflow {
namespace {

// ---- The square root, by the Schur form a = u t u^H with an upper triangle t ----

using Complex = std::complex<double>;

// The rotation [c, s; -conj(s), c] that turns (x, y) into (r, 0).
struct Rotation {
  Rotation(Complex x, Complex y) {
    const double norm = std::hypot(std::abs(x), std::abs(y));
    if (norm == 0) return;
    c = std::abs(x) / norm;
    const Complex direction = std::abs(x) == 0 ? Complex(1) : x / std::abs(x);
    s = direction * std::conj(y) / norm;
  }
  // Rows i, i + 1 of columns [begin, end).
  void Rows(Complex* a, int64_t n, int64_t i, int64_t begin, int64_t end) const {
    for (int64_t j = begin; j < end; ++j) {
      const Complex x = a[i * n + j], y = a[(i + 1) * n + j];
      a[i * n + j] = c * x + s * y;
      a[(i + 1) * n + j] = c * y - std::conj(s) * x;
    }
  }
  // Columns j, j + 1 of rows [0, end), by the inverse.
  void Columns(Complex* a, int64_t n, int64_t j, int64_t end) const {
    for (int64_t i = 0; i < end; ++i) {
      const Complex x = a[i * n + j], y = a[i * n + j + 1];
      a[i * n + j] = c * x + std::conj(s) * y;
      a[i * n + j + 1] = c * y - s * x;
    }
  }
  double c = 1;
  Complex s = 0;
};

// The eigenvalue of the last two rows that is nearer to the last element.
Complex Shift(const Complex* t, int64_t n, int64_t last) {
  const Complex a = t[(last - 1) * n + last - 1], b = t[(last - 1) * n + last], c = t[last * n + last - 1],
                d = t[last * n + last];
  const Complex half = (a + d) / 2.0, root = std::sqrt(half * half - (a * d - b * c));
  return std::abs(half + root - d) < std::abs(half - root - d) ? half + root : half - root;
}

// Makes `t` an upper triangle, and `u` what leads back; false when that does not converge.
bool Triangularize(Complex* t, Complex* u, int64_t n) {
  for (int64_t i = 0; i < n * n; ++i) u[i] = i / n == i % n ? 1 : 0;
  for (int64_t k = 0; k + 2 < n; ++k) {
    for (int64_t i = n - 2; i > k; --i) {
      const Rotation rotation(t[i * n + k], t[(i + 1) * n + k]);
      rotation.Rows(t, n, i, 0, n);
      rotation.Columns(t, n, i, n);
      rotation.Columns(u, n, i, n);
    }
  }
  std::vector<Rotation> rotations;
  int64_t rounds = 0;
  for (int64_t last = n - 1; last > 0;) {
    int64_t first = last;
    for (; first > 0; --first) {
      const double near = std::abs(t[first * n + first]) + std::abs(t[(first - 1) * n + first - 1]);
      Complex& below = t[first * n + first - 1];
      if (!(std::abs(below) > std::numeric_limits<double>::epsilon() * near)) {
        below = 0;
        break;
      }
    }
    if (first == last) {
      --last;
      rounds = 0;
      continue;
    }
    if (++rounds > 100) return false;
    // Now and then another shift, should the usual one run in a circle.
    const Complex shift = rounds % 11 == 10 ? Complex(std::abs(t[last * n + last - 1])) : Shift(t, n, last);
    for (int64_t i = first; i <= last; ++i) t[i * n + i] -= shift;
    rotations.clear();
    for (int64_t i = first; i < last; ++i) {
      rotations.emplace_back(t[i * n + i], t[(i + 1) * n + i]);
      rotations.back().Rows(t, n, i, i, n);
    }
    for (int64_t i = first; i < last; ++i) {
      rotations[i - first].Columns(t, n, i, std::min(i + 2, last + 1));
      rotations[i - first].Columns(u, n, i, n);
    }
    for (int64_t i = first; i <= last; ++i) t[i * n + i] += shift;
  }
  return true;
}

// r with r r = t, both upper triangles, column by column.
void TriangularRoot(const Complex* t, Complex* r, int64_t n) {
  std::fill_n(r, n * n, Complex(0));
  for (int64_t j = 0; j < n; ++j) {
    r[j * n + j] = std::sqrt(t[j * n + j]);
    for (int64_t i = j - 1; i >= 0; --i) {
      Complex sum = t[i * n + j];
      for (int64_t k = i + 1; k < j; ++k) sum -= r[i * n + k] * r[k * n + j];
      r[i * n + j] = sum / (r[i * n + i] + r[j * n + j]);
    }
  }
}

template <typename T>
struct SquareRootFunction {
  explicit SquareRootFunction(const KernelSetup&) {}
  absl::Status operator()(KernelContext& c) const {
    const Matrices a(c.input(0));
    const int64_t n = a.rows;
    SF_ASSIGN_OR_RETURN(Complex * scratch, c.Scratch<Complex>(MultiplySizes(3, a.size())));
    Complex *t = scratch, *u = t + a.size(), *r = u + a.size();
    for (int64_t b = 0; b < a.count; ++b) {
      const T* in = c.in<T>(0) + b * a.size();
      T* out = c.out<T>(0) + b * a.size();
      std::copy_n(in, a.size(), t);
      bool is_real = Triangularize(t, u, n);
      // A real matrix has a real root of this kind unless an eigenvalue is negative.
      for (int64_t i = 0; i < n; ++i) {
        const Complex value = t[i * n + i];
        is_real = is_real && !(value.real() < 0 && std::abs(value.imag()) <= 1e-12 * std::abs(value.real()));
      }
      if (!is_real) {
        std::fill_n(out, a.size(), std::numeric_limits<T>::quiet_NaN());
        continue;
      }
      TriangularRoot(t, r, n);
      Product(u, r, t, n);
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < n; ++k) sum += (t[i * n + k] * std::conj(u[j * n + k])).real();
          out[i * n + j] = static_cast<T>(sum);
        }
      }
    }
    return absl::OkStatus();
  }
  static void Product(const Complex* x, const Complex* y, Complex* z, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        Complex sum = 0;
        for (int64_t k = 0; k < n; ++k) sum += x[i * n + k] * y[k * n + j];
        z[i * n + j] = sum;
      }
    }
  }
};

// g with s' g + g s' = dy: (s' x 1 + 1 x s) vec(g) = vec(dy), where x is Kronecker's product.
void SquareRootGradient(GradientContext& c) {
  const Output s = c.y(0), dy = c.dy(0), shape = ShapeOf(s);
  const Output one = MatrixDiag(OnesLike(MatrixDiagPart(s)));
  const auto kronecker = [](Output a, Output b) {
    return ExpandDims(ExpandDims(a, -1), -3) * ExpandDims(ExpandDims(b, -2), -4);
  };
  const Output batch = StridedSlice(shape, {0}, {-2}, {1}, {.begin_mask = 1});
  const Output n = StridedSlice(shape, {-1}, {0}, {1}, {.end_mask = 1}), n2 = n * n;
  const Output sum = kronecker(Adjoint(s), one) + kronecker(one, s);
  const Output matrix = Reshape(sum, Concat({batch, n2, n2}, 0));
  const Output rhs = Reshape(dy, Concat({batch, n2, OnesLike(n)}, 0));
  c.set_dx(0, Reshape(MatrixSolve(matrix, rhs), shape));
}

const OpRegistrar square_root({.name = "MatrixSquareRoot",
                               .inputs = {"input: T"},
                               .outputs = {"output: T"},
                               .attrs = {kLinalgT},
                               .shape = SquareShape,
                               .gradient = SquareRootGradient,
                               .kernel = LinalgKernel<SquareRootFunction>,
                               .batch = MatricesBatch,
                               .doc = "The square root of each square matrix, where it is real."});

// ---- The exponential: Pade's approximation of e^(a / 2^s), squared s times (Higham 2005) ----

// z = x y.
void Multiply(const double* x, const double* y, double* z, int64_t n) {
  std::fill_n(z, n * n, 0.0);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k < n; ++k) {
      for (int64_t j = 0; j < n; ++j) z[i * n + j] += x[i * n + k] * y[k * n + j];
    }
  }
}

// b = a^-1 b, with pivots; a is spoilt.
void Solve(double* a, double* b, int64_t n) {
  for (int64_t j = 0; j < n; ++j) {
    int64_t pivot = j;
    for (int64_t i = j + 1; i < n; ++i) {
      if (std::abs(a[i * n + j]) > std::abs(a[pivot * n + j])) pivot = i;
    }
    if (pivot != j) {
      std::swap_ranges(a + j * n, a + (j + 1) * n, a + pivot * n);
      std::swap_ranges(b + j * n, b + (j + 1) * n, b + pivot * n);
    }
    for (int64_t i = 0; i < n; ++i) {
      if (i == j) continue;
      const double factor = a[i * n + j] / a[j * n + j];
      for (int64_t k = j; k < n; ++k) a[i * n + k] -= factor * a[j * n + k];
      for (int64_t k = 0; k < n; ++k) b[i * n + k] -= factor * b[j * n + k];
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k < n; ++k) b[i * n + k] /= a[i * n + i];
  }
}

// e^a, in place; `w` has room for six matrices.
void Exponentiate(double* a, int64_t n, double* w) {
  constexpr double kPade[] = {64764752532480000,
                              32382376266240000,
                              7771770303897600,
                              1187353796428800,
                              129060195264000,
                              10559470521600,
                              670442572800,
                              33522128640,
                              1323241920,
                              40840800,
                              960960,
                              16380,
                              182,
                              1};
  constexpr double kRange = 5.371920351148152;  // of norms for which this is exact to double
  const int64_t size = n * n;
  double norm = 0;
  for (int64_t j = 0; j < n; ++j) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += std::abs(a[i * n + j]);
    norm = sum > norm || std::isnan(sum) ? sum : norm;
  }
  int squarings = 0;
  if (std::isfinite(norm) && norm > kRange) squarings = std::max(0, std::ilogb(norm / kRange) + 1);
  for (int64_t i = 0; i < size; ++i) a[i] = std::ldexp(a[i], -squarings);
  double *a2 = w, *a4 = a2 + size, *a6 = a4 + size, *inner = a6 + size, *v = inner + size, *odd = v + size;
  Multiply(a, a, a2, n);
  Multiply(a2, a2, a4, n);
  Multiply(a4, a2, a6, n);
  // a6 (p[h] a6 + p[h - 2] a4 + p[h - 4] a2) + p[h - 6] a6 + ... + p[h - 12] for the even (h = 12) and odd (13) powers.
  const auto polynomial = [&](int h, double* result) {
    for (int64_t i = 0; i < size; ++i) inner[i] = kPade[h] * a6[i] + kPade[h - 2] * a4[i] + kPade[h - 4] * a2[i];
    Multiply(a6, inner, result, n);
    for (int64_t i = 0; i < size; ++i) {
      result[i] += kPade[h - 6] * a6[i] + kPade[h - 8] * a4[i] + kPade[h - 10] * a2[i];
      if (i / n == i % n) result[i] += kPade[h - 12];
    }
  };
  polynomial(12, v);
  polynomial(13, odd);
  Multiply(a, odd, inner, n);
  for (int64_t i = 0; i < size; ++i) {
    a4[i] = v[i] - inner[i];
    a[i] = v[i] + inner[i];
  }
  Solve(a4, a, n);
  for (int i = 0; i < squarings; ++i) {
    Multiply(a, a, inner, n);
    std::copy_n(inner, size, a);
  }
}

template <typename T>
struct ExponentialFunction {
  explicit ExponentialFunction(const KernelSetup&) {}
  absl::Status operator()(KernelContext& c) const {
    const Matrices a(c.input(0));
    SF_ASSIGN_OR_RETURN(double* scratch, c.Scratch<double>(MultiplySizes(7, a.size())));
    for (int64_t b = 0; b < a.count; ++b) {
      std::copy_n(c.in<T>(0) + b * a.size(), a.size(), scratch);
      Exponentiate(scratch, a.rows, scratch + a.size());
      for (int64_t i = 0; i < a.size(); ++i) c.out<T>(0)[b * a.size() + i] = static_cast<T>(scratch[i]);
    }
    return absl::OkStatus();
  }
};

const OpRegistrar exponential({.name = "MatrixExponential",
                               .inputs = {"input: T"},
                               .outputs = {"output: T"},
                               .attrs = {kLinalgT},
                               .shape = SquareShape,
                               .gradient = kGradientIsError,
                               .kernel = LinalgKernel<ExponentialFunction>,
                               .batch = MatricesBatch,
                               .doc = "The exponential of each square matrix."});

}  // namespace

Output MatrixSquareRoot(Operand input, const OpOptions& options) {
  return NodeBuilder("MatrixSquareRoot", {input}).Name(options.name).Build();
}
Output MatrixExponential(Operand input, const OpOptions& options) {
  return NodeBuilder("MatrixExponential", {input}).Name(options.name).Build();
}

}  // namespace staticflow
