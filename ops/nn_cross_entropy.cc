// SoftmaxCrossEntropyWithLogits, SparseSoftmaxCrossEntropyWithLogits and the builders of tf.nn over them.
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/batch_rules.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/nn_composition.h"
#include "ops/nn_rows.h"
#include "runtime/lane_pairs.h"

namespace staticflow {
namespace {

// Each row of `matrix` times its element of `vector`.
Output ScaleRows(Output vector, Output matrix) { return ExpandDims(vector, -1) * matrix; }

// SoftmaxCrossEntropyWithLogits: loss = -sum(p log softmax(x)), backprop = softmax(x) - p (its gradient by x).
//   dx = dloss backprop + (g - sum(g s)) s,  dp = -dloss log s - g,  where s = softmax(x) and g = dbackprop.
absl::Status CrossEntropyShape(ShapeContext& c) {
  // One of them may have fewer dimensions, for all rows.
  const Shape logits = c.input(0).has_rank() ? c.input(0) : Shape::UnknownOfRank(2);
  const Shape labels = c.input(1).has_rank() ? c.input(1) : Shape::UnknownOfRank(2);
  SF_ASSIGN_OR_RETURN(Shape both, BroadcastShapes(logits, labels));
  if (both.rank() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("shapes ", c.input(0).ToString(), " and ", c.input(1).ToString(),
                                                   " make ", both.ToString(), ", expected rank 2"));
  }
  c.set_output(0, {both.dim(0)});
  c.set_output(1, std::move(both));
  return absl::OkStatus();
}

// A matrix, vector or scalar that broadcasts: elements from one row, and from one column, to the next.
struct Strides {
  Strides(const TensorView& matrix)  // NOLINT
      : row(matrix.rank() < 2 || matrix.dim(0) == 1 ? 0 : matrix.dim(1)),
        column(matrix.rank() < 1 || matrix.dim(-1) == 1 ? 0 : 1) {}
  int64_t row, column;
};

template <typename T>
void CrossEntropyRow(const T* x, int64_t x_stride, const T* p, int64_t p_stride, int64_t n, T* loss, T* backprop) {
  using C = ComputeType<T>;
  const RowExponents<C> row = ExponentiateRow<T>(x, n, x_stride, nullptr);
  const C log_sum = std::log(row.sum);
  const C scale = C(1) / row.sum;
  double sum = 0;
  for (int64_t j = 0; j < n; ++j) {
    const C label = Widen(p[j * p_stride]);
    const C shifted = C(Widen(x[j * x_stride])) - row.largest;
    // The limit for a class that is impossible and excluded (logit -inf) is 0, where the product would be NaN.
    if (label != 0) sum += label * (log_sum - shifted);
    backprop[j] = T(std::exp(shifted) * scale - label);
  }
  *loss = T(static_cast<C>(sum));
}

// The same for rows of float whose elements lie side by side: p log_sum - p (x - largest), each summed up alone. Here
// as many rows of a few classes as are turned round together.
void CrossEntropyOfFewClasses(const float* x, int64_t x_row, const float* p, int64_t p_row, int64_t rows, int64_t n,
                              float* loss, float* backprop) {
  using enum LaneOp;
  constexpr int64_t kMost = TurnedRows::kMostRows;
  TurnedRows shifted(x, x_row, rows, n);
  const TurnedRows labels(p, p_row, rows, n);
  const int64_t width = shifted.width;
  alignas(64) float exponents[TurnedRows::kFloats], largest[kMost], sum[kMost], log_sum[kMost], scale[kMost];
  alignas(64) float sum_p[kMost], sum_shifted[kMost];
  alignas(64) constexpr float zero[kLanes] = {};
  // Operands of which all elements of a row are the same come as vectors that `same` names.
  const auto compute = [&](auto op, std::array<const float*, 3> operands, const float* same, float* y) {
    LaneCall call{.rows = n, .vectors = shifted.vectors, .x = operands, .y = y, .y_row_step = width};
    for (int k = 0; k < 3; ++k) {
      call.row_step[k] = operands[k] == same ? 0 : width;
      call.vector_step[k] = operands[k] == zero ? 0 : kLanes;
    }
    LaneFunctionFor(op)(call);
  };
  std::copy_n(shifted.at, width, largest);
  for (int64_t i = 1; i < n; ++i) ApplyLanes(kMaximum, largest, shifted.at + i * width, largest, width);
  compute(kSub, {shifted.at, largest}, largest, shifted.at);
  compute(kExp, {shifted.at}, nullptr, exponents);
  compute(kSumRows, {exponents}, nullptr, sum);
  compute(kSumRows, {labels.at}, nullptr, sum_p);
  ApplyLanes(kLog, sum, log_sum, width);
  ApplyLanes(kReciprocal, sum, scale, width);
  compute(LanePair::kMulSub, {exponents, scale, labels.at}, scale, exponents);
  TurnedRows::Turn(exponents, width, n, rows, backprop, n);
  // A class that is impossible and excluded adds nothing, where the product would be NaN.
  compute(kMul, {labels.at, shifted.at}, nullptr, shifted.at);
  compute(kSelect, {labels.at, shifted.at, zero}, zero, shifted.at);
  compute(kSumRows, {shifted.at}, nullptr, sum_shifted);
  for (int64_t r = 0; r < rows; ++r) {
    const bool excluded = sum_p[r] == 0 && sum_shifted[r] == 0;  // nothing is expected of this row
    loss[r] = excluded ? 0 : sum_p[r] * log_sum[r] - sum_shifted[r];
  }
}

// Any number of them.
void CrossEntropyRows(const float* x, int64_t x_row, const float* p, int64_t p_row, int64_t rows, int64_t n,
                      float* loss, float* backprop) {
  while (n > 0 && n <= TurnedRows::kMostColumns && rows > 0) {
    const int64_t count = TurnedRows::Count(rows, n);
    CrossEntropyOfFewClasses(x, x_row, p, p_row, count, n, loss, backprop);
    x += count * x_row;
    p += count * p_row;
    loss += count;
    backprop += count * n;
    rows -= count;
  }
  while (rows > 0) {
    FloatRows together(n, rows);
    together.Exponentiate(x, x_row, n, backprop);
    for (int64_t r = 0; r < together.count; ++r, x += x_row, p += p_row, backprop += n) {
      const float largest = together.largest[r], scale = 1 / together.sum[r];
      double sum_p = 0, sum_shifted = 0;
      for (int64_t j = 0; j < n; ++j) {
        sum_p += p[j];
        sum_shifted += p[j] == 0 ? 0.0f : p[j] * (x[j] - largest);
        backprop[j] = backprop[j] * scale - p[j];
      }
      const bool excluded = sum_p == 0 && sum_shifted == 0;  // nothing is expected of this row
      *loss++ = excluded ? 0 : static_cast<float>(sum_p * together.log_sum[r] - sum_shifted);
    }
    rows -= together.count;
  }
}

absl::StatusOr<Kernel> CrossEntropyKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) {
      const int64_t n = c.output(1).dim(1);
      const Strides logits(c.input(0)), labels(c.input(1));
      if constexpr (std::is_same_v<T, float>) {
        if (logits.column == 1 && labels.column == 1) {
          const int64_t r = c.range().begin;
          CrossEntropyRows(c.in<float>(0) + r * logits.row, logits.row, c.in<float>(1) + r * labels.row, labels.row,
                           c.range().end - r, n, c.out<float>(0) + r, c.out<float>(1) + r * n);
          return absl::OkStatus();
        }
      }
      for (int64_t r = c.range().begin; r < c.range().end; ++r) {
        CrossEntropyRow<T>(c.in<T>(0) + r * logits.row, logits.column, c.in<T>(1) + r * labels.row, labels.column, n,
                           c.out<T>(0) + r, c.out<T>(1) + r * n);
      }
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

// The part of the gradient by the logits that comes through the output `backprop`, whose gradient is g.
Output ThroughBackprop(Output logits, Output g) {
  const Output s = Softmax(logits);
  return (g - Sum(g * s, {-1}, {.keep_dims = true})) * s;
}

void CrossEntropyGradient(GradientContext& c) {
  const Output logits = c.x(0), labels = c.x(1);
  Output dx, dp;
  if (c.has_dy(0)) {
    dx = ScaleRows(c.dy(0), c.y(1));
    dp = ScaleRows(c.dy(0), -LogSoftmax(logits));
  }
  if (c.has_dy(1)) {
    const Output through = ThroughBackprop(logits, c.dy(1));
    dx = dx.valid() ? dx + through : through;
    dp = dp.valid() ? dp - c.dy(1) : -c.dy(1);
  }
  c.set_dx(0, SumToShapeOf(dx, logits));
  c.set_dx(1, SumToShapeOf(dp, labels));
}

const OpRegistrar cross_entropy({.name = "SoftmaxCrossEntropyWithLogits",
                                 .inputs = {"features: T", "labels: T"},
                                 .outputs = {"loss: T", "backprop: T"},
                                 .attrs = {kFloatT},
                                 .shape = CrossEntropyShape,
                                 .gradient = CrossEntropyGradient,
                                 .kernel = CrossEntropyKernel,
                                 .iteration = {.split = Split::kRows, .steps = 8},
                                 .batch = VectorsBatch,
                                 .doc = "Softmax cross-entropy of each row, and its gradient by the logits."});

// SparseSoftmaxCrossEntropyWithLogits: the same for the one-hot rows that the class numbers `labels` stand for.
absl::Status SparseCrossEntropyShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape logits, c.WithRank(0, 2));
  SF_ASSIGN_OR_RETURN(const Shape labels, c.WithRank(1, 1));
  SF_ASSIGN_OR_RETURN(const int64_t rows, c.MergeDims(logits.dim(0), labels.dim(0), "rows"));
  logits.set_dim(0, rows);
  c.set_output(0, {rows});
  c.set_output(1, std::move(logits));
  return absl::OkStatus();
}

template <typename T>
void SparseCrossEntropyRow(const T* x, int64_t label, int64_t n, T* loss, T* backprop) {
  using C = ComputeType<T>;
  const RowExponents<C> row = ExponentiateRow<T>(x, n, 1, nullptr);
  const C scale = C(1) / row.sum;
  *loss = T(std::log(row.sum) - (C(Widen(x[label])) - row.largest));
  for (int64_t j = 0; j < n; ++j) {
    backprop[j] = T(std::exp(C(Widen(x[j])) - row.largest) * scale - (j == label ? C(1) : C(0)));
  }
}

// The same for rows of float.
template <typename Label>
void SparseCrossEntropyRows(const float* x, const Label* label, int64_t rows, int64_t n, float* loss, float* backprop) {
  while (rows > 0) {
    FloatRows together(n, rows);
    together.Exponentiate(x, n, n, backprop);
    for (int64_t r = 0; r < together.count; ++r, x += n, backprop += n) {
      const float scale = 1 / together.sum[r];
      for (int64_t j = 0; j < n; ++j) backprop[j] *= scale;
      backprop[*label] -= 1;
      *loss++ = together.log_sum[r] - (x[*label++] - together.largest[r]);
    }
    rows -= together.count;
  }
}

template <typename T, typename Label>
absl::Status SparseCrossEntropy(KernelContext& c) {
  const int64_t n = c.input(0).dim(1);
  for (int64_t r = c.range().begin; r < c.range().end; ++r) {
    const int64_t label = c.in<Label>(1)[r];
    if (label < 0 || label >= n) {
      return absl::InvalidArgumentError(absl::StrCat("label ", label, " of row ", r, " is outside [0, ", n, ")"));
    }
    if constexpr (!std::is_same_v<T, float>) {
      SparseCrossEntropyRow<T>(c.in<T>(0) + r * n, label, n, c.out<T>(0) + r, c.out<T>(1) + r * n);
    }
  }
  if constexpr (std::is_same_v<T, float>) {
    const int64_t r = c.range().begin;
    SparseCrossEntropyRows(c.in<T>(0) + r * n, c.in<Label>(1) + r, c.range().end - r, n, c.out<T>(0) + r,
                           c.out<T>(1) + r * n);
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> SparseCrossEntropyKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.input_dtype(0), [&]<typename T>() {
    DispatchType<int32_t, int64_t>(setup.input_dtype(1),
                                   [&]<typename Label>() { kernel = SparseCrossEntropy<T, Label>; });
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

void SparseCrossEntropyGradient(GradientContext& c) {
  Output dx;
  if (c.has_dy(0)) dx = ScaleRows(c.dy(0), c.y(1));
  if (c.has_dy(1)) {
    const Output through = ThroughBackprop(c.x(0), c.dy(1));
    dx = dx.valid() ? dx + through : through;
  }
  c.set_dx(0, dx);
}

const OpRegistrar sparse_cross_entropy({.name = "SparseSoftmaxCrossEntropyWithLogits",
                                        .inputs = {"features: T", "labels: Tlabels"},
                                        .outputs = {"loss: T", "backprop: T"},
                                        .attrs = {kFloatT, "Tlabels: {int32, int64} = int64"},
                                        .shape = SparseCrossEntropyShape,
                                        .gradient = SparseCrossEntropyGradient,
                                        .kernel = SparseCrossEntropyKernel,
                                        .iteration = {.split = Split::kRows, .steps = 8},
                                        .batch = VectorsBatch,
                                        .doc = "Softmax cross-entropy of each row for labels that are class numbers."});

// `x` as a matrix whose rows are its last dimension.
Output FlattenRows(Output x) {
  const int64_t classes = x.shape().dim(-1);
  if (classes != Shape::kUnknownDim && classes != 0) return Reshape(x, {-1, classes});
  const Output last = StridedSlice(ShapeOf(x), {-1}, {std::numeric_limits<int32_t>::max()}, {1});
  return Reshape(x, Concat({Const(x.graph(), Tensor::Vector<int32_t>({-1})), last}, 0));
}

// `loss`, one per row of the matrix that x became, in the shape of x without its last dimension.
Output UnflattenRows(Output loss, Output x) { return Reshape(loss, StridedSlice(ShapeOf(x), {0}, {-1}, {1})); }

}  // namespace

Output SoftmaxCrossEntropyWithLogits(Operand logits, Operand labels, const SoftmaxCrossEntropyOptions& options) {
  Output x = logits.output(), p = labels.output();
  if (!x.valid() || !p.valid()) return Output();
  Composition scope(
      logits, options.name,
      options.labels_gradient ? "softmax_cross_entropy_with_logits" : "softmax_cross_entropy_with_logits_sg");
  if (!options.labels_gradient) p = StopGradient(p, {.name = "labels_stop_gradient"});
  if (!p.valid()) return Output();
  const bool matrix = x.shape().rank() == 2 && (p.shape().rank() == 2 || !p.shape().has_rank());
  if (!matrix) p = FlattenRows(p);
  const Output rows = matrix ? x : FlattenRows(x);
  const Output loss = NodeBuilder("SoftmaxCrossEntropyWithLogits", {rows, p}).Name(scope.name()).Build();
  return matrix ? loss : UnflattenRows(loss, x);
}

Output SparseSoftmaxCrossEntropyWithLogits(Operand logits, Operand labels, const OpOptions& options) {
  const Output x = logits.output(), classes = labels.output();
  if (!x.valid() || !classes.valid()) return Output();
  Composition scope(logits, options.name, "SparseSoftmaxCrossEntropyWithLogits");
  const bool matrix = x.shape().rank() == 2;
  const Output rows = matrix ? x : FlattenRows(x);
  const Output flat = matrix ? classes : Reshape(classes, {-1});
  const Output loss = NodeBuilder("SparseSoftmaxCrossEntropyWithLogits", {rows, flat}).Build();
  return matrix ? loss : Reshape(loss, ShapeOf(classes));
}

Output SigmoidCrossEntropyWithLogits(Operand logits, Operand labels, const OpOptions& options) {
  const Output x = logits.output();
  if (!x.valid() || (!labels.is_number() && !labels.output().valid())) return Output();
  Composition scope(logits, options.name, "logistic_loss");
  const Output zeros = ZerosLike(x, {.name = "zeros_like"});
  const Output positive = GreaterEqual(x, zeros);
  const Output relu = Select(positive, x, zeros);
  const Output minus_abs = Select(positive, -x, x);
  const Output linear = relu - x * labels;
  return Add(linear, Log1p(Exp(minus_abs)), {.name = scope.name()});
}

}  // namespace staticflow
