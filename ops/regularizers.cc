#include "ops/regularizers.h"

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/matmul.h"

namespace staticflow::regularizers {
namespace {

constexpr double kSmallest = 1e-12;  // of a sum of squares: a zero vector stays zero

absl::Status NotAMatrix(Output value) {
  return absl::InvalidArgumentError(absl::StrCat("Orthogonal regularizer of ", value.node()->DebugName(), ": shape is ",
                                                 value.shape().ToString(),
                                                 ", expected a matrix with at least two vectors"));
}

Output OrthogonalLoss(Output w, const OrthogonalOptions& options) {
  const bool is_matrix = w.shape().rank() == 2;
  const int64_t n = is_matrix ? w.shape().dim(options.rows ? 0 : 1) : 0;
  if (n < 2) {
    w.graph().RecordError(NotAMatrix(w));
    return Output();
  }
  const Output norms = Sum(Square(w), {options.rows ? 1 : 0}, {.keep_dims = true});
  const Output units = w * Rsqrt(Maximum(norms, kSmallest));
  const Output products = options.rows ? MatMul(units, units, {.transpose_b = true})  // [n, n], its diagonal is 1
                                       : MatMul(units, units, {.transpose_a = true});
  std::vector<float> others(static_cast<size_t>(n * n), 1);
  for (int64_t i = 0; i < n; ++i) others[static_cast<size_t>(i * n + i)] = 0;
  const Output mask = Cast(Const(w.graph(), Tensor::Of<float>({n, n}, others)), w.dtype());
  const double pairs = static_cast<double>(n) * static_cast<double>(n - 1);
  return Mul(options.factor / pairs, Sum(Abs(products * mask)));
}

}  // namespace

Regularizer L1L2(double l1, double l2) {
  return [l1, l2](Output w) -> Output {
    Output loss;
    if (l1 != 0) loss = Mul(l1, Sum(Abs(w)), {.name = "mul"});
    if (l2 != 0) {
      const Output squares = Mul(l2, Sum(Square(w)), {.name = "mul"});
      loss = loss.valid() ? Add(loss, squares, {.name = "add"}) : squares;
    }
    return loss;
  };
}

Regularizer L1(double l1) { return L1L2(l1, 0); }
Regularizer L2(double l2) { return L1L2(0, l2); }

Regularizer Orthogonal(const OrthogonalOptions& options) {
  return [options](Output w) { return options.factor == 0 ? Output() : OrthogonalLoss(w, options); };
}

}  // namespace staticflow::regularizers
