// MatrixBandPart, MatrixDiag, MatrixDiagPart, MatrixSetDiag, Diag, DiagPart.
#include "absl/strings/str_cat.h"
#include "ops/array_layout.h"
#include "ops/array_shapes.h"
#include "ops/batch_names.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"

namespace staticflow {
namespace {

// MatrixBandPart: zeros outside a band of diagonals.   dx = the band of dy.
absl::Status MatrixBandPartShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_RETURN_IF_ERROR(c.WithRank(2, 0).status());
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRankAtLeast(0, 2));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> MatrixBandPartKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) -> absl::Status {
      const int64_t m = c.input(0).dim(-2), n = c.input(0).dim(-1);
      SF_ASSIGN_OR_RETURN(const int64_t lower, ScalarInput(c, 1));
      SF_ASSIGN_OR_RETURN(const int64_t upper, ScalarInput(c, 2));
      if (lower > m || upper > n) {
        return absl::InvalidArgumentError(
            absl::StrCat("num_lower ", lower, " and num_upper ", upper, " exceed a matrix of ", m, " x ", n));
      }
      const T* x = c.in<T>(0);
      T* y = c.out<T>(0);
      const int64_t rows = n == 0 ? 0 : c.input(0).num_elements / n;
      for (int64_t row = 0; row < rows; ++row, x += n, y += n) {
        const int64_t i = row % m;
        const int64_t first = lower < 0 ? 0 : std::clamp<int64_t>(i - lower, 0, n);
        const int64_t last = upper < 0 ? n : std::clamp<int64_t>(i + upper + 1, first, n);
        std::fill(y, y + first, T());
        if (x != y) std::copy(x + first, x + last, y + first);
        std::fill(y + last, y + n, T());
      }
      return absl::OkStatus();
    };
  });
}

void MatrixBandPartGradient(GradientContext& c) { c.set_dx(0, MatrixBandPart(c.dy(0), c.x(1), c.x(2))); }

const OpRegistrar matrix_band_part({.name = "MatrixBandPart",
                                    .inputs = {"input: T", "num_lower: Tindex", "num_upper: Tindex"},
                                    .outputs = {"band: T"},
                                    .attrs = {"T: type", "Tindex: indextype = int64"},
                                    .shape = MatrixBandPartShape,
                                    .gradient = MatrixBandPartGradient,
                                    .kernel = MatrixBandPartKernel,
                                    .traits = kInPlace,
                                    .batch = MatricesBatch,
                                    .doc = "Zeros outside a band of diagonals."});
const OpRegistrar batch_matrix_band_part({.name = "BatchMatrixBandPart",
                                          .inputs = {"input: T", "num_lower: int64", "num_upper: int64"},
                                          .outputs = {"band: T"},
                                          .attrs = {"T: type"},
                                          .shape = MatrixBandPartShape,
                                          .gradient = MatrixBandPartGradient,
                                          .kernel = MatrixBandPartKernel,
                                          .traits = kInPlace,
                                          .batch = MatricesBatch,
                                          .doc = "The old name of MatrixBandPart."});

// Calls visit(matrix, diagonal) for the flat positions of every diagonal element of [..., m, n].
template <typename F>
void ForEachDiagonal(const Shape& matrices, F&& visit) {
  const int64_t m = matrices.dim(-2), n = matrices.dim(-1), k = std::min(m, n);
  const int64_t count = matrices.num_elements(0, matrices.rank() - 2);
  for (int64_t b = 0; b < count; ++b) {
    for (int64_t i = 0; i < k; ++i) visit(b * m * n + i * (n + 1), b * k + i);
  }
}

// MatrixDiag: vectors on diagonals.   dx = the diagonals of dy.
absl::Status MatrixDiagShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRankAtLeast(0, 1));
  if (shape.has_rank()) shape.push_back(shape.dim(-1));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> MatrixDiagKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) {
      ClearOutput(c.output(0));
      ForEachDiagonal(*c.output(0).shape, [&](int64_t to, int64_t from) { c.out<T>(0)[to] = c.in<T>(0)[from]; });
      return absl::OkStatus();
    };
  });
}

void MatrixDiagGradient(GradientContext& c) { c.set_dx(0, MatrixDiagPart(c.dy(0))); }

const BothNames matrix_diag({.name = "MatrixDiag",
                             .inputs = {"diagonal: T"},
                             .outputs = {"output: T"},
                             .attrs = {"T: type"},
                             .shape = MatrixDiagShape,
                             .gradient = MatrixDiagGradient,
                             .kernel = MatrixDiagKernel,
                             .batch = MatricesBatch,
                             .doc = "Matrices with the given diagonals."});

// The shape of the diagonals of [..., m, n]: [..., min(m, n)].
Shape DiagonalShape(const Shape& matrices) {
  if (!matrices.has_rank()) return Shape::Unknown();
  Shape shape = matrices.Slice(0, matrices.rank() - 2);
  const int64_t m = matrices.dim(-2), n = matrices.dim(-1);
  shape.push_back(m < 0 || n < 0 ? Shape::kUnknownDim : std::min(m, n));
  return shape;
}

// MatrixDiagPart: the diagonals.   dx = zeros with dy on the diagonals.
absl::Status MatrixDiagPartShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape shape, c.WithRankAtLeast(0, 2));
  c.set_output(0, DiagonalShape(shape));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> MatrixDiagPartKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) {
      ForEachDiagonal(*c.input(0).shape, [&](int64_t from, int64_t to) { c.out<T>(0)[to] = c.in<T>(0)[from]; });
      return absl::OkStatus();
    };
  });
}

void MatrixDiagPartGradient(GradientContext& c) { c.set_dx(0, MatrixSetDiag(ZerosLike(c.x(0)), c.dy(0))); }

const BothNames matrix_diag_part({.name = "MatrixDiagPart",
                                  .inputs = {"input: T"},
                                  .outputs = {"diagonal: T"},
                                  .attrs = {"T: type"},
                                  .shape = MatrixDiagPartShape,
                                  .gradient = MatrixDiagPartGradient,
                                  .kernel = MatrixDiagPartKernel,
                                  .batch = MatricesBatch,
                                  .doc = "The diagonals of matrices."});

// MatrixSetDiag: the input with other diagonals.
absl::Status MatrixSetDiagShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRankAtLeast(0, 2));
  SF_RETURN_IF_ERROR(Annotate(DiagonalShape(shape).MergeWith(c.input(1)).status(), "the diagonals: "));
  SF_ASSIGN_OR_RETURN(const Shape diagonal, c.WithRankAtLeast(1, 1));
  if (!shape.has_rank() && diagonal.has_rank()) {
    shape = diagonal.Slice(0, diagonal.rank() - 1).Concatenate(Shape::UnknownOfRank(2));
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> MatrixSetDiagKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) {
      CopyInput(c, 0, 0);
      ForEachDiagonal(*c.output(0).shape, [&](int64_t to, int64_t from) { c.out<T>(0)[to] = c.in<T>(1)[from]; });
      return absl::OkStatus();
    };
  });
}

void MatrixSetDiagGradient(GradientContext& c) {
  c.set_dx(0, MatrixSetDiag(c.dy(0), ZerosLike(c.x(1))));
  c.set_dx(1, MatrixDiagPart(c.dy(0)));
}

const BothNames matrix_set_diag({.name = "MatrixSetDiag",
                                 .inputs = {"input: T", "diagonal: T"},
                                 .outputs = {"output: T"},
                                 .attrs = {"T: type"},
                                 .shape = MatrixSetDiagShape,
                                 .gradient = MatrixSetDiagGradient,
                                 .kernel = MatrixSetDiagKernel,
                                 .traits = kInPlace,
                                 .batch = MatricesBatch,
                                 .doc = "Matrices with their diagonals replaced."});

// Diag: output[i..., i...] = diagonal[i...].   dx = DiagPart(dy).
absl::Status DiagShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape shape, c.WithRankAtLeast(0, 1));
  c.set_output(0, shape.Concatenate(shape));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> DiagKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) {
      ClearOutput(c.output(0));
      const int64_t n = c.input(0).num_elements;
      for (int64_t i = 0; i < n; ++i) c.out<T>(0)[i * (n + 1)] = c.in<T>(0)[i];
      return absl::OkStatus();
    };
  });
}

void DiagGradient(GradientContext& c) { c.set_dx(0, DiagPart(c.dy(0))); }

const OpRegistrar diag({.name = "Diag",
                        .inputs = {"diagonal: T"},
                        .outputs = {"output: T"},
                        .attrs = {"T: {bfloat16, half, float, double, int32, int64, complex64, complex128}"},
                        .shape = DiagShape,
                        .gradient = DiagGradient,
                        .kernel = DiagKernel,
                        .batch = MixBatch,
                        .doc = "A tensor on the diagonal of another of twice its rank."});

// DiagPart: diagonal[i...] = input[i..., i...].   dx = Diag(dy).
absl::Status DiagPartShape(ShapeContext& c) {
  const Shape& shape = c.input(0);
  if (!shape.has_rank()) return absl::OkStatus();
  const int half = shape.rank() / 2;
  if (shape.rank() == 0 || shape.rank() % 2 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("input has shape ", shape.ToString(), ", expected an even rank above 0"));
  }
  SF_ASSIGN_OR_RETURN(Shape out, shape.Slice(0, half).MergeWith(shape.Slice(half, shape.rank())));
  c.set_output(0, std::move(out));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> DiagPartKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) {
      const int64_t n = c.output(0).num_elements;
      for (int64_t i = 0; i < n; ++i) c.out<T>(0)[i] = c.in<T>(0)[i * (n + 1)];
      return absl::OkStatus();
    };
  });
}

void DiagPartGradient(GradientContext& c) { c.set_dx(0, Diag(c.dy(0))); }

const OpRegistrar diag_part({.name = "DiagPart",
                             .inputs = {"input: T"},
                             .outputs = {"diagonal: T"},
                             .attrs = {"T: {bfloat16, half, float, double, int32, int64, complex64, complex128}"},
                             .shape = DiagPartShape,
                             .gradient = DiagPartGradient,
                             .kernel = DiagPartKernel,
                             .batch = MixBatch,
                             .doc = "The diagonal of a tensor of even rank."});

}  // namespace

Output MatrixBandPart(Operand input, Operand num_lower, Operand num_upper, const OpOptions& options) {
  return NodeBuilder("MatrixBandPart", {input, num_lower, num_upper}).Name(options.name).Build();
}

Output MatrixDiag(Operand diagonal, const OpOptions& options) {
  return NodeBuilder("MatrixDiag", {diagonal}).Name(options.name).Build();
}

Output MatrixDiagPart(Operand input, const OpOptions& options) {
  return NodeBuilder("MatrixDiagPart", {input}).Name(options.name).Build();
}

Output MatrixSetDiag(Operand input, Operand diagonal, const OpOptions& options) {
  return NodeBuilder("MatrixSetDiag", {input, diagonal}).Name(options.name).Build();
}

Output Diag(Operand diagonal, const OpOptions& options) {
  return NodeBuilder("Diag", {diagonal}).Name(options.name).Build();
}

Output DiagPart(Operand input, const OpOptions& options) {
  return NodeBuilder("DiagPart", {input}).Name(options.name).Build();
}

}  // namespace staticflow
