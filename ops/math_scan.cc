// Cumsum and Cumprod. Contracts: ops/math_reduction.h.
#include <algorithm>

#include "graph/gradients.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/math_binary.h"
#include "ops/math_reduction.h"
#include "ops/math_reduction_ops.h"

namespace staticflow {
absl::Status ScanShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_ASSIGN_OR_RETURN(const auto axis, c.Integers(1));
  if (c.input(0).has_rank() && axis.has_value()) {
    SF_RETURN_IF_ERROR(NormalizeAxis((*axis)[0], c.input(0).rank()).status());
  }
  c.set_output(0, c.input(0));
  return absl::OkStatus();
}

namespace {

struct Adding {
  template <typename A>
  static A Start() {
    return A(0);
  }
  template <typename A>
  static A Combine(A a, A b) {
    return a + b;
  }
};
struct Multiplying {
  template <typename A>
  static A Start() {
    return A(1);
  }
  template <typename A>
  static A Combine(A a, A b) {
    return a * b;
  }
};

// Scans `width` <= kWidth neighbouring lines of n elements, which lie `step` apart.
template <typename Scan, typename T>
struct ScanLoop {
  static constexpr int kWidth = 64;
  static void Lines(const T* x, T* y, int64_t n, int64_t step, int width, bool exclusive) {
    using Sum = WrappingSum<T>;
    Sum running[kWidth];
    std::fill_n(running, width, Scan::template Start<Sum>());
    for (int64_t i = 0; i < n; ++i, x += step, y += step) {
      for (int j = 0; j < width; ++j) {
        const Sum before = running[j];
        running[j] = Scan::Combine(before, Sum(Widen(x[j])));
        y[j] = static_cast<T>(exclusive ? before : running[j]);
      }
    }
  }
};

template <typename Scan, typename T>
absl::Status RunScan(KernelContext& c, bool exclusive, bool reverse) {
  const Shape& shape = *c.input(0).shape;
  const int64_t axis_value = c.input(1).dtype == DT_INT32 ? c.scalar<int32_t>(1) : c.scalar<int64_t>(1);
  SF_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(axis_value, shape.rank()));
  const int64_t n = shape.dim(axis), inner = shape.num_elements(axis + 1, shape.rank());
  if (c.output(0).num_elements == 0) return absl::OkStatus();
  const int64_t first = reverse ? (n - 1) * inner : 0, step = reverse ? -inner : inner;
  for (int64_t block = first; block < c.output(0).num_elements; block += n * inner) {
    for (int64_t j = 0; j < inner; j += ScanLoop<Scan, T>::kWidth) {
      const int width = static_cast<int>(std::min<int64_t>(ScanLoop<Scan, T>::kWidth, inner - j));
      ScanLoop<Scan, T>::Lines(c.in<T>(0) + block + j, c.out<T>(0) + block + j, n, step, width, exclusive);
    }
  }
  return absl::OkStatus();
}

template <typename Scan>
absl::StatusOr<Kernel> ScanKernel(const KernelSetup& setup) {
  const bool exclusive = setup.attr<bool>("exclusive"), reverse = setup.attr<bool>("reverse");
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() {
        kernel = [exclusive, reverse](KernelContext& c) { return RunScan<Scan, T>(c, exclusive, reverse); };
      });
  if (kernel == nullptr) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

OpSpec ScanOp(std::string name, KernelSource kernel, GradientFunction gradient, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"x: T", "axis: Tidx"},
          .outputs = {"out: T"},
          .attrs = {"exclusive: bool = false", "reverse: bool = false", kNumberT, "Tidx: indextype = int32"},
          .shape = ScanShape,
          .gradient = gradient,
          .kernel = kernel,
          .traits = kInPlace,
          .batch = ScanBatch,
          .doc = std::move(doc)};
}

// The scan of `x` from the other end: the way back from a running sum.
Output SumBack(const GradientContext& c, Output x) {
  return CumSum(x, c.x(1), {.exclusive = c.attr<bool>("exclusive"), .reverse = !c.attr<bool>("reverse")});
}

// Cumsum: y_i = the sum of x_j for j <= i (j < i when exclusive).   dx_j = the sum of dy_i for i >= j (i > j).
void CumsumGradient(GradientContext& c) { c.set_dx(0, SumBack(c, c.dy(0))); }
const OpRegistrar cumsum_op(ScanOp("Cumsum", &ScanKernel<Adding>, CumsumGradient, "Running sums along a dimension."));

// Cumprod: y_i = the product of x_j for j <= i (j < i).   dx_j = the sum of dy_i y_i for i >= j (i > j), by x_j;
// 0 where x_j is 0, as TensorFlow has it.
void CumprodGradient(GradientContext& c) { c.set_dx(0, DivNoNan(SumBack(c, c.dy(0) * c.y(0)), c.x(0))); }
const OpRegistrar cumprod_op(ScanOp("Cumprod", &ScanKernel<Multiplying>, CumprodGradient,
                                    "Running products along a dimension."));

Output Build(const char* type, const Operand& x, const Operand& axis, const ScanOptions& options) {
  return NodeBuilder(type, {x, axis})
      .Attr("exclusive", options.exclusive)
      .Attr("reverse", options.reverse)
      .Name(options.name)
      .Build();
}

}  // namespace

Output CumSum(Operand x, Operand axis, const ScanOptions& o) { return Build("Cumsum", x, axis, o); }
Output CumProd(Operand x, Operand axis, const ScanOptions& o) { return Build("Cumprod", x, axis, o); }

}  // namespace staticflow
