// What the linear algebra ops share: batches of matrices, their shapes, their transposes in gradients.
#ifndef STATICFLOW_OPS_LINALG_MATRICES_H_
#define STATICFLOW_OPS_LINALG_MATRICES_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/elementwise.h"
#include "runtime/kernel.h"

namespace staticflow {

inline constexpr char kLinalgT[] = "T: {double, float}";
inline constexpr char kLinalgHalfT[] = "T: {double, float, half}";

// The innermost matrices of a tensor.
struct Matrices {
  explicit Matrices(const TensorView& tensor)
      : rows(tensor.dim(-2)), columns(tensor.dim(-1)), count(tensor.shape->num_elements(0, tensor.rank() - 2)) {}
  int64_t size() const { return rows * columns; }
  int64_t rows, columns, count;
};

// Input i, whose innermost matrices are square.
absl::StatusOr<Shape> SquareMatrices(const ShapeContext& c, int i);
// Output 0 has the shape of input 0: square matrices.
absl::Status SquareShape(ShapeContext& c);
// Every output has one number for each of the square matrices of input 0.
absl::Status PerMatrixShape(ShapeContext& c);
// Output 0 is what solves input 0 x = input 1: the shape of input 1.
absl::Status SolveShape(ShapeContext& c);

// Step j of Gaussian elimination with partial pivoting on lu [n, n]: the largest number of column j on or below the
// diagonal comes to the diagonal by an exchange of rows, whose other row is returned (j when there was none), and
// multiples of row j are subtracted from the rows below, where column j keeps the factors. A pivot that is 0
// leaves the rows below as they are.
int64_t EliminateColumn(double* lu, int64_t n, int64_t j);

// Whether a triangle with these n numbers on its diagonal, `stride` apart, has no inverse. A NaN is a reason to say so
// in the first place alone, as in TensorFlow; in others it shows in the solution.
template <typename T>
bool IsSingularTriangle(const T* diagonal, int64_t n, int64_t stride) {
  if (n == 0) return false;
  double smallest = std::abs(static_cast<double>(diagonal[0]));
  for (int64_t i = 1; i < n; ++i) smallest = std::min(smallest, std::abs(static_cast<double>(diagonal[i * stride])));
  return !(smallest > 0);
}

// Where the matrix of `operand` starts that output matrix `index` uses: broadcast dimensions do not move it.
int64_t MatrixOffset(const Shape& operand, const Shape& output, int64_t index);

// `x` with its last two dimensions exchanged.
Output Adjoint(Output x);

// The kernel Function<float> or Function<double>, by the type of input 0, or one for some of the other types `More`.
template <template <typename> typename Function, typename... More>
absl::StatusOr<Kernel> LinalgKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, More...>(setup.input_dtype(0), [&]<typename T>() { kernel = Function<T>(setup); });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_LINALG_MATRICES_H_
