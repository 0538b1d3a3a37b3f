// Softmax and LogSoftmax over the last dimension.
#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/batch_rules.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/nn_rows.h"

namespace staticflow {
namespace {

absl::Status RowsShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape logits, c.WithRankAtLeast(0, 1));
  c.set_output(0, std::move(logits));
  return absl::OkStatus();
}

// One row: y = softmax(x), or its logarithm. Only columns [begin, end) are written.
template <bool log, typename T>
void SoftmaxRow(const T* x, int64_t n, T* y, IndexRange columns) {
  using C = ComputeType<T>;
  const RowExponents<C> row = ExponentiateRow<T>(x, n, 1, nullptr);
  const C log_sum = std::log(row.sum);
  const C scale = C(1) / row.sum;
  for (int64_t i = columns.begin; i < columns.end; ++i) {
    const C shifted = C(Widen(x[i])) - row.largest;
    y[i] = T(log ? shifted - log_sum : std::exp(shifted) * scale);
  }
}

// The same for rows of float.
template <bool log>
void SoftmaxRows(const float* x, int64_t rows, int64_t n, float* y) {
  while (rows > 0) {
    FloatRows together(n, rows);
    together.Exponentiate(x, n, n, y);
    for (int64_t r = 0; r < together.count; ++r, x += n, y += n) {
      const float largest = together.largest[r], log_sum = together.log_sum[r], scale = 1 / together.sum[r];
      for (int64_t i = 0; i < n; ++i) y[i] = log ? (x[i] - largest) - log_sum : y[i] * scale;
    }
    rows -= together.count;
  }
}

// The same for one row of float, of which only columns [begin, end) are written.
template <bool log>
void SoftmaxColumns(const float* x, int64_t n, float* y, IndexRange columns) {
  constexpr int64_t kPiece = 1024;
  float piece[kPiece];
  const float largest = LargestOf(x, n);
  double sum = 0;
  for (int64_t i = 0; i < n; i += kPiece) {
    const int64_t size = std::min(kPiece, n - i);
    ShiftedExponents(x + i, size, largest, piece);
    sum += SumOf(piece, size);
  }
  const float rounded = static_cast<float>(sum), scale = 1 / rounded;
  float log_sum;
  ApplyLanes(LaneOp::kLog, &rounded, &log_sum, 1);
  if (!log) ShiftedExponents(x + columns.begin, columns.end - columns.begin, largest, y + columns.begin);
  for (int64_t i = columns.begin; i < columns.end; ++i) y[i] = log ? (x[i] - largest) - log_sum : y[i] * scale;
}

template <bool log>
absl::StatusOr<Kernel> SoftmaxKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) {
      const TensorView& logits = c.input(0);
      if (logits.num_elements == 0) return absl::OkStatus();
      const T* x = c.in<T>(0);
      T* y = c.out<T>(0);
      const int64_t n = logits.dim(-1);
      if (logits.rank() == 1) {  // the rows to split by are this row's elements
        if constexpr (std::is_same_v<T, float>) {
          SoftmaxColumns<log>(x, n, y, c.range());
        } else {
          SoftmaxRow<log>(x, n, y, c.range());
        }
        return absl::OkStatus();
      }
      const int64_t rows_each = logits.num_elements / logits.dim(0) / n;
      const int64_t begin = c.range().begin * rows_each, end = c.range().end * rows_each;
      if constexpr (std::is_same_v<T, float>) {
        SoftmaxRows<log>(x + begin * n, end - begin, n, y + begin * n);
      } else {
        for (int64_t r = begin; r < end; ++r) SoftmaxRow<log>(x + r * n, n, y + r * n, {0, n});
      }
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

// Softmax: y = exp(x) / sum exp(x).   dx = (dy - sum(dy y)) y.
void SoftmaxGradient(GradientContext& c) {
  const Output dy = c.dy(0), y = c.y(0);
  c.set_dx(0, (dy - Sum(dy * y, {-1}, {.keep_dims = true})) * y);
}

const OpRegistrar softmax({.name = "Softmax",
                           .inputs = {"logits: T"},
                           .outputs = {"softmax: T"},
                           .attrs = {kFloatT},
                           .shape = RowsShape,
                           .gradient = SoftmaxGradient,
                           .kernel = SoftmaxKernel<false>,
                           .iteration = {.split = Split::kRows},
                           .batch = VectorsBatch,
                           .doc = "exp(x) / sum(exp(x)) over the last dimension."});

// LogSoftmax: y = x - log sum exp(x).   dx = dy - sum(dy) exp(y).
void LogSoftmaxGradient(GradientContext& c) {
  const Output dy = c.dy(0), y = c.y(0);
  c.set_dx(0, dy - Sum(dy, {-1}, {.keep_dims = true}) * Exp(y));
}

const OpRegistrar log_softmax({.name = "LogSoftmax",
                               .inputs = {"logits: T"},
                               .outputs = {"logsoftmax: T"},
                               .attrs = {kFloatT},
                               .shape = RowsShape,
                               .gradient = LogSoftmaxGradient,
                               .kernel = SoftmaxKernel<true>,
                               .iteration = {.split = Split::kRows},
                               .batch = VectorsBatch,
                               .doc = "x - log(sum(exp(x))) over the last dimension."});

}  // namespace

Output Softmax(Operand logits, const OpOptions& options) {
  return NodeBuilder("Softmax", {logits}).Name(options.name).Build();
}

Output LogSoftmax(Operand logits, const OpOptions& options) {
  return NodeBuilder("LogSoftmax", {logits}).Name(options.name).Build();
}

}  // namespace staticflow
