#include "ops/linalg_matrices.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "ops/array.h"
#include "ops/math.h"

namespace staticflow {

absl::StatusOr<Shape> SquareMatrices(const ShapeContext& c, int i) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRankAtLeast(i, 2));
  if (!shape.has_rank()) return shape;
  SF_ASSIGN_OR_RETURN(const int64_t n, c.MergeDims(shape.dim(-2), shape.dim(-1), "rows and columns"));
  shape.set_dim(shape.rank() - 2, n);
  shape.set_dim(shape.rank() - 1, n);
  return shape;
}

absl::Status SquareShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, SquareMatrices(c, 0));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::Status PerMatrixShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape a, SquareMatrices(c, 0));
  if (!a.has_rank()) return absl::OkStatus();
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, a.Slice(0, a.rank() - 2));
  return absl::OkStatus();
}

absl::Status SolveShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape matrix, SquareMatrices(c, 0));
  SF_ASSIGN_OR_RETURN(Shape rhs, c.WithRankAtLeast(1, 2));
  if (!matrix.has_rank()) {
    c.set_output(0, std::move(rhs));
    return absl::OkStatus();
  }
  const Shape rows = matrix.Slice(0, matrix.rank() - 1);  // the leading dimensions and n
  Shape solution = rows;
  int64_t columns = Shape::kUnknownDim;
  if (rhs.has_rank()) {
    columns = rhs.dim(-1);
    SF_ASSIGN_OR_RETURN(solution, rows.MergeWith(rhs.Slice(0, rhs.rank() - 1)));
  }
  solution.push_back(columns);
  c.set_output(0, std::move(solution));
  return absl::OkStatus();
}

int64_t EliminateColumn(double* lu, int64_t n, int64_t j) {
  int64_t pivot = j;
  for (int64_t i = j + 1; i < n; ++i) {
    if (std::abs(lu[i * n + j]) > std::abs(lu[pivot * n + j])) pivot = i;
  }
  if (pivot != j) std::swap_ranges(lu + j * n, lu + j * n + n, lu + pivot * n);
  if (lu[j * n + j] == 0) return pivot;
  for (int64_t i = j + 1; i < n; ++i) {
    const double factor = lu[i * n + j] /= lu[j * n + j];
    for (int64_t k = j + 1; k < n; ++k) lu[i * n + k] -= factor * lu[j * n + k];
  }
  return pivot;
}

int64_t MatrixOffset(const Shape& operand, const Shape& output, int64_t index) {
  int64_t offset = 0;
  int64_t stride = operand.dim(-1) * operand.dim(-2);
  for (int i = -3; i >= -output.rank(); --i) {
    const int64_t position = index % output.dim(i);
    index /= output.dim(i);
    if (-i > operand.rank()) continue;
    if (operand.dim(i) > 1) offset += position * stride;
    stride *= operand.dim(i);
  }
  return offset;
}

Output Adjoint(Output x) {
  if (!x.valid()) return Output();
  if (!x.shape().has_rank()) {
    const Output rank = RankOf(x);
    const Output last = Stack({rank - 1, rank - 2});
    return Transpose(x, Concat({Range(0, rank - 2, 1), last}, 0));
  }
  std::vector<int64_t> perm(x.shape().rank());
  std::iota(perm.begin(), perm.end(), int64_t{0});
  std::swap(perm[perm.size() - 2], perm[perm.size() - 1]);
  return Transpose(x, perm);
}

}  // namespace staticflow
