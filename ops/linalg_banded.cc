// BandedTriangularSolve. Contract: ops/linalg.h.
#include <cmath>

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

// a x = b, where only the diagonals of a that the bands hold are not 0.   db = a^-T dx, da = -db x', of which the bands
// are kept.
absl::Status BandedShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape bands, c.WithRankAtLeast(0, 2));
  SF_ASSIGN_OR_RETURN(const Shape rhs, c.WithRankAtLeast(1, 2));
  if (!bands.has_rank() || !rhs.has_rank()) return absl::OkStatus();
  if (bands.dim(-2) == 0) return absl::InvalidArgumentError("the matrix has no diagonals");
  SF_ASSIGN_OR_RETURN(const int64_t n, c.MergeDims(bands.dim(-1), rhs.dim(-2), "equations"));
  SF_ASSIGN_OR_RETURN(const Shape batch,
                      BroadcastShapes(bands.Slice(0, bands.rank() - 2), rhs.Slice(0, rhs.rank() - 2)));
  c.set_output(0, batch.Concatenate({n, rhs.dim(-1)}));
  return absl::OkStatus();
}

template <typename T>
struct BandedFunction {
  explicit BandedFunction(const KernelSetup& setup)
      : lower(setup.attr<bool>("lower")), adjoint(setup.attr<bool>("adjoint")) {}

  absl::Status operator()(KernelContext& c) const {
    const Matrices bands(c.input(0)), x(c.output(0));
    const int64_t n = x.rows, k = x.columns;
    SF_ASSIGN_OR_RETURN(double* scratch, c.Scratch<double>(x.size()));
    for (int64_t b = 0; b < x.count; ++b) {
      const T* a = c.in<T>(0) + MatrixOffset(*c.input(0).shape, *c.output(0).shape, b);
      const T* rhs = c.in<T>(1) + MatrixOffset(*c.input(1).shape, *c.output(0).shape, b);
      std::copy_n(rhs, x.size(), scratch);
      if (IsSingularTriangle(a + (lower ? 0 : (bands.rows - 1) * n), n, 1)) {
        return absl::InvalidArgumentError(absl::StrCat("matrix ", b, " is not invertible: its diagonal has a zero"));
      }
      Solve(a, bands.rows, n, k, scratch);
      for (int64_t i = 0; i < x.size(); ++i) c.out<T>(0)[b * x.size() + i] = static_cast<T>(scratch[i]);
    }
    return absl::OkStatus();
  }

  void Solve(const T* a, int64_t rows, int64_t n, int64_t k, double* x) const {
    // Diagonal d, counted from the main one.
    const auto diagonal = [&](int64_t d) { return a + (lower ? d : rows - 1 - d) * n; };
    const bool forward = lower != adjoint;  // the transpose of a lower triangle is an upper one
    for (int64_t step = 0; step < n; ++step) {
      const int64_t i = forward ? step : n - 1 - step;
      for (int64_t d = 1; d < rows && d <= step; ++d) {
        const int64_t j = forward ? i - d : i + d;
        const double factor = static_cast<double>(diagonal(d)[adjoint ? j : i]);
        for (int64_t l = 0; l < k; ++l) x[i * k + l] -= factor * x[j * k + l];
      }
      const double pivot = static_cast<double>(diagonal(0)[i]);
      for (int64_t l = 0; l < k; ++l) x[i * k + l] /= pivot;
    }
  }

  bool lower, adjoint;
};

void BandedGradient(GradientContext& c) {
  const bool lower = c.attr<bool>("lower"), adjoint = c.attr<bool>("adjoint");
  const Output bands = c.x(0), x = c.y(0);
  const Output db = BandedTriangularSolve(bands, c.dy(0), {.lower = lower, .adjoint = !adjoint});
  const Output da = -(adjoint ? BatchMatMul(x, db, {.adj_y = true}) : BatchMatMul(db, x, {.adj_y = true}));
  const Output others = StridedSlice(ShapeOf(bands), {-2}, {-1}) - 1, main = ZerosLike(others);
  const Output k = lower ? Concat({-others, main}, 0) : Concat({main, others}, 0);
  const Output padding = Cast(Const(c.graph(), 0.0f), da.dtype());
  // One diagonal alone comes without a dimension for diagonals.
  const Output kept = MatrixDiagPartV3(da, k, padding, {.align = "LEFT_RIGHT"});
  const Output batch = StridedSlice(ShapeOf(da), {0}, {-2}, {1}, {.begin_mask = 1});
  const Output matrix = StridedSlice(ShapeOf(bands), {-2}, {0}, {1}, {.end_mask = 1});
  c.set_dx(0, SumToShapeOf(Reshape(kept, Concat({batch, matrix}, 0)), bands));
  c.set_dx(1, SumToShapeOf(db, c.x(1)));
}

const OpRegistrar banded({.name = "BandedTriangularSolve",
                          .inputs = {"matrix: T", "rhs: T"},
                          .outputs = {"output: T"},
                          .attrs = {"lower: bool = true", "adjoint: bool = false", kLinalgT},
                          .shape = BandedShape,
                          .gradient = BandedGradient,
                          .kernel = LinalgKernel<BandedFunction>,
                          .doc = "Solves systems of linear equations with triangular matrices of few diagonals."});

}  // namespace

Output BandedTriangularSolve(Operand bands, Operand rhs, const BandedTriangularSolveOptions& options) {
  return NodeBuilder("BandedTriangularSolve", {bands, rhs})
      .Attr("lower", options.lower)
      .Attr("adjoint", options.adjoint)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
