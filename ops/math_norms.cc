// EuclideanNorm, CumulativeLogsumexp, Cross, UnravelIndex.
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/linalg.h"
#include "ops/math.h"
#include "ops/math_reduction_ops.h"

namespace staticflow {
namespace {

// EuclideanNorm: y = sqrt(the sum of squares).   dx = dy x / y.
// The sum of integers wraps around in their type, as TensorFlow's does. Of one that has become negative there is no
// root: it gives what the processor makes of NaN as int32 or int64, cut to the type.
template <typename T, typename A>
T RootOf(A sum) {
  if constexpr (std::is_integral_v<T>) {
    const T wrapped = static_cast<T>(sum);
    if (!(wrapped < T(0))) return static_cast<T>(std::sqrt(static_cast<double>(wrapped)));
    return sizeof(T) < sizeof(int32_t) ? T(0) : std::numeric_limits<T>::min();
  } else {
    return T(std::sqrt(sum));
  }
}
template <typename T>
absl::Status NormInto(KernelContext& c) {
  using Real = std::conditional_t<std::is_same_v<T, double>, double, float>;
  using A = std::conditional_t<std::is_integral_v<T>, uint64_t, Real>;
  const Shape& in = *c.input(0).shape;
  absl::InlinedVector<bool, 8> reduced(in.rank(), false);
  for (int64_t axis : Integers(c.input(1))) {
    SF_ASSIGN_OR_RETURN(const int a, NormalizeAxis(axis, in.rank()));
    reduced[a] = true;
  }
  const int64_t outputs = c.output(0).num_elements;
  SF_ASSIGN_OR_RETURN(A * sums, c.Scratch<A>(outputs));
  std::fill_n(sums, outputs, A(0));
  const Sizes strides = RowMajorStrides(in);
  for (int64_t i = 0; i < c.input(0).num_elements; ++i) {
    int64_t o = 0;
    for (int d = 0; d < in.rank(); ++d) {
      if (!reduced[d]) o = o * in.dim(d) + i / strides[d] % in.dim(d);
    }
    const A x = static_cast<A>(Widen(c.in<T>(0)[i]));
    sums[o] += x * x;
  }
  for (int64_t o = 0; o < outputs; ++o) c.out<T>(0)[o] = RootOf<T>(sums[o]);
  return absl::OkStatus();
}
absl::StatusOr<Kernel> NormKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() { kernel = NormInto<T>; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
void NormGradient(GradientContext& c) {
  c.set_dx(0, c.x(0) * (WithReducedDims(c, c.dy(0)) / WithReducedDims(c, c.y(0))));
}
OpSpec NormOp() {
  OpSpec spec = ReductionOp("EuclideanNorm", kNumberT, NormKernel, NormGradient,
                            "The root of the sum of squares along the reduced dimensions.");
  spec.iteration = {};
  spec.simplify = nullptr;  // the norm of one element is its absolute value
  return spec;
}
const OpRegistrar norm(NormOp());

// CumulativeLogsumexp: y_i = log(the sum of e^x_j for j <= i (j < i)).   dx_j = the sum of dy_i e^(x_j - y_i).
// log(e^a + e^b); -infinity is the logarithm of 0. Every operation rounds to T, as TensorFlow's do.
template <typename T>
T LogAddExp(T a, T b) {
  const auto round = [](ComputeType<T> x) { return Widen(T(x)); };
  const ComputeType<T> high = std::max(Widen(a), Widen(b)), low = std::min(Widen(a), Widen(b));
  if (std::isinf(high) && high < 0) return T(high);
  return T(high + round(std::log1p(round(std::exp(round(low - high))))));
}
template <typename T>
absl::Status ScanInto(KernelContext& c, bool exclusive, bool reverse) {
  const Shape& shape = *c.input(0).shape;
  SF_ASSIGN_OR_RETURN(const int axis, AxisInput(c, 1, shape.rank()));
  if (c.output(0).num_elements == 0) return absl::OkStatus();
  const int64_t n = shape.dim(axis), inner = shape.num_elements(axis + 1, shape.rank());
  for (int64_t line = 0; line < c.output(0).num_elements / n; ++line) {
    const int64_t start = line / inner * n * inner + line % inner;
    T running = T(-std::numeric_limits<ComputeType<T>>::infinity());
    for (int64_t k = 0; k < n; ++k) {
      const int64_t at = start + (reverse ? n - 1 - k : k) * inner;
      const T next = LogAddExp(running, c.in<T>(0)[at]);
      c.out<T>(0)[at] = exclusive ? running : next;
      running = next;
    }
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ScanKernel(const KernelSetup& setup) {
  const bool exclusive = setup.attr<bool>("exclusive"), reverse = setup.attr<bool>("reverse");
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [=](KernelContext& c) { return ScanInto<T>(c, exclusive, reverse); };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
// In logarithms, dy's positive and negative part each on their own.
void ScanGradient(GradientContext& c) {
  const Output x = c.x(0), y = c.y(0), dy = c.dy(0);
  const double lowest = dy.dtype() == DT_DOUBLE ? -1e300 : dy.dtype() == DT_HALF ? -6e4 : -3e38;
  const auto part = [&](Output positive) {
    const Output is = Greater(positive, 0);
    const Output log_part = Where(is, Log(Where(is, positive, 1)) - y, lowest);
    const Output sums = NodeBuilder("CumulativeLogsumexp", {log_part, c.x(1)})
                            .Attr("exclusive", c.attr<bool>("exclusive"))
                            .Attr("reverse", !c.attr<bool>("reverse"))
                            .Build();
    return Exp(sums + x);
  };
  c.set_dx(0, part(dy) - part(-dy));
}
const OpRegistrar scan({.name = "CumulativeLogsumexp",
                        .inputs = {"x: T", "axis: Tidx"},
                        .outputs = {"out: T"},
                        .attrs = {"exclusive: bool = false", "reverse: bool = false", kFloatT,
                                  "Tidx: indextype = int32"},
                        .shape = ScanShape,
                        .gradient = ScanGradient,
                        .kernel = ScanKernel,
                        .batch = ScanBatch,
                        .doc = "Running logarithms of sums of exponents along a dimension."});

// Cross: a x b of vectors of three.   da = b x dy, db = dy x a.
absl::Status CrossShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape a, c.WithRankAtLeast(0, 1));
  SF_ASSIGN_OR_RETURN(Shape shape, a.MergeWith(c.input(1)));
  if (shape.has_rank()) SF_RETURN_IF_ERROR(c.MergeDims(shape.dim(-1), 3, "elements of the vectors").status());
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> CrossKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() {
        kernel = [](KernelContext& c) {
          const T *a = c.in<T>(0), *b = c.in<T>(1);
          T* y = c.out<T>(0);
          for (int64_t i = 0; i < c.output(0).num_elements; i += 3) {
            for (int k = 0; k < 3; ++k) {
              const int64_t p = i + (k + 1) % 3, q = i + (k + 2) % 3;
              y[i + k] =
                  T(WrapSubtract(WrapMultiply(Widen(a[p]), Widen(b[q])), WrapMultiply(Widen(a[q]), Widen(b[p]))));
            }
          }
          return absl::OkStatus();
        };
      });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
void CrossGradient(GradientContext& c) {
  c.set_dx(0, NodeBuilder("Cross", {c.x(1), c.dy(0)}).Build());
  c.set_dx(1, NodeBuilder("Cross", {c.dy(0), c.x(0)}).Build());
}
const OpRegistrar cross({.name = "Cross",
                         .inputs = {"a: T", "b: T"},
                         .outputs = {"product: T"},
                         .attrs = {kNumberT},
                         .shape = CrossShape,
                         .gradient = CrossGradient,
                         .kernel = CrossKernel,
                         .batch = VectorsBatch,
                         .doc = "The cross products of vectors of three."});

// UnravelIndex: the coordinates of flat indices, [dims] + indices.shape.
absl::Status UnravelShape(ShapeContext& c) {
  if (c.input(0).rank() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("indices has shape ", c.input(0).ToString(), ", expected a scalar or a vector"));
  }
  SF_ASSIGN_OR_RETURN(const Shape dims, c.WithRank(1, 1));
  if (c.input(0).has_rank()) c.set_output(0, Shape({dims.dim(0)}).Concatenate(c.input(0)));
  return absl::OkStatus();
}
template <typename I>
absl::Status Unravel(KernelContext& c) {
  const int64_t rank = c.input(1).num_elements, count = c.input(0).num_elements;
  int64_t total = 1;
  for (int64_t d = 0; d < rank; ++d) {
    if (c.in<I>(1)[d] <= 0) return absl::InvalidArgumentError(absl::StrCat("dims[", d, "] is ", c.in<I>(1)[d]));
    total = MultiplySizes(total, c.in<I>(1)[d]);
  }
  if (total > std::numeric_limits<I>::max()) {
    return absl::InvalidArgumentError("dims have a product that their type cannot hold");
  }
  for (int64_t i = 0; i < count; ++i) {
    int64_t index = c.in<I>(0)[i];
    if (index < 0 || index >= total) {
      return absl::InvalidArgumentError(absl::StrCat("index ", index, " is not in [0, ", total, ")"));
    }
    for (int64_t d = rank - 1; d >= 0; --d) {
      c.out<I>(0)[d * count + i] = static_cast<I>(index % c.in<I>(1)[d]);
      index /= c.in<I>(1)[d];
    }
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> UnravelKernel(const KernelSetup& setup) {
  return setup.output_dtype(0) == DT_INT64 ? Kernel(Unravel<int64_t>) : Kernel(Unravel<int32_t>);
}
const OpRegistrar unravel({.name = "UnravelIndex",
                           .inputs = {"indices: Tidx", "dims: Tidx"},
                           .outputs = {"output: Tidx"},
                           .attrs = {"Tidx: indextype = int32"},
                           .shape = UnravelShape,
                           .gradient = kNotDifferentiable,
                           .kernel = UnravelKernel,
                           .doc = "The coordinates of flat indices."});

}  // namespace

Output EuclideanNorm(Operand x, const Axes& axes, const ReduceOptions& options) {
  return BuildReduction("EuclideanNorm", x, axes, options);
}
Output CumulativeLogsumexp(Operand x, Operand axis, const ScanOptions& options) {
  return NodeBuilder("CumulativeLogsumexp", {x, axis})
      .Attr("exclusive", options.exclusive)
      .Attr("reverse", options.reverse)
      .Name(options.name)
      .Build();
}
Output Cross(Operand a, Operand b, const OpOptions& options) {
  return NodeBuilder("Cross", {a, b}).Name(options.name).Build();
}

}  // namespace staticflow
