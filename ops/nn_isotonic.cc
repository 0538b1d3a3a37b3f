// IsotonicRegression. Contract: ops/nn.h.
#include <numeric>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/nn.h"

namespace staticflow {
namespace {

// The non-increasing row y with the least sum of (y - x)^2: neighbours that increase are pooled and replaced by their
// mean.   dx = the mean of dy over each pool.
absl::Status IsotonicShape(ShapeContext& c) {
  c.set_output(0, c.input(0));
  c.set_output(1, c.input(0));
  return absl::OkStatus();
}

// Neighbours that have one value.
template <typename A>
struct Pool {
  A sum = 0;
  int64_t count = 0;
  A mean() const { return sum / static_cast<A>(count); }
};

template <typename T, typename Z>
absl::Status FitRows(KernelContext& c) {
  using A = ComputeType<Z>;
  const TensorView& x = c.input(0);
  const int64_t n = x.rank() == 0 ? 1 : x.dim(-1);
  if (x.num_elements == 0) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(Pool<A> * pools, c.Scratch<Pool<A>>(n));
  for (int64_t row = 0; row < x.num_elements; row += n) {
    int64_t last = -1;
    for (int64_t i = 0; i < n; ++i) {
      pools[++last] = {static_cast<A>(Widen(c.in<T>(0)[row + i])), 1};
      for (; last > 0 && pools[last - 1].mean() < pools[last].mean(); --last) {
        pools[last - 1].sum += pools[last].sum;
        pools[last - 1].count += pools[last].count;
      }
    }
    for (int64_t k = 0, i = row; k <= last; ++k) {
      const Z mean = Z(pools[k].mean());
      for (const int64_t end = i + pools[k].count; i < end; ++i) {
        c.out<Z>(0)[i] = mean;
        c.out<int32_t>(1)[i] = static_cast<int32_t>(k);
      }
    }
  }
  return absl::OkStatus();
}

// The result has the type of a floating input, double for int32 and int64, float for shorter integers.
absl::StatusOr<Kernel> IsotonicKernel(const KernelSetup& setup) {
  Kernel kernel;
  const DataType out = setup.output_dtype(0);
  DispatchType<float, double, Half, BFloat16>(setup.input_dtype(0), [&]<typename T>() {
    if (out == setup.input_dtype(0)) kernel = FitRows<T, T>;
  });
  DispatchType<int32_t, int64_t>(setup.input_dtype(0), [&]<typename T>() {
    if (out == DT_DOUBLE) kernel = FitRows<T, double>;
  });
  DispatchType<int8_t, int16_t>(setup.input_dtype(0), [&]<typename T>() {
    if (out == DT_FLOAT) kernel = FitRows<T, float>;
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

// Pools are numbered through all rows: pool k of row r is segment r n + k.
void IsotonicGradient(GradientContext& c) {
  if (!c.has_dy(0) || !IsFloating(c.x(0).dtype())) return;
  const Output dy = c.dy(0), segments = c.y(1), shape = ShapeOf(dy), size = SizeOf(dy);
  const Output flat = Reshape(dy, {-1}), places = Range(Const(c.graph(), 0), size, Const(c.graph(), 1));
  const bool is_row = dy.shape().has_rank() && dy.shape().rank() < 2;
  const Output starts =
      is_row ? ZerosLike(places) : Sub(places, Mod(places, StridedSlice(shape, {-1}, {0}, {1}, {.end_mask = 1})));
  const Output ids = Add(Reshape(segments, {-1}), starts);
  const Output sums = UnsortedSegmentSum(flat, ids, size);
  const Output counts = UnsortedSegmentSum(OnesLike(flat), ids, size);
  c.set_dx(0, Reshape(RealDiv(Gather(sums, ids), Gather(counts, ids)), shape));
}

const OpRegistrar isotonic({.name = "IsotonicRegression",
                            .inputs = {"input: T"},
                            .outputs = {"output: output_dtype", "segments: int32"},
                            .attrs = {kNumberT, "output_dtype: floattype = float"},
                            .shape = IsotonicShape,
                            .gradient = IsotonicGradient,
                            .kernel = IsotonicKernel,
                            .batch = VectorsBatch,
                            .doc = "The rows that do not increase and are nearest to the input's."});

}  // namespace

IsotonicRegressionResult IsotonicRegression(Operand input, const IsotonicRegressionOptions& options) {
  Node* node = NodeBuilder("IsotonicRegression", {input})
                   .Attr("output_dtype", options.output_dtype)
                   .Name(options.name)
                   .BuildNode();
  if (node == nullptr) return {};
  return {.output = node->output(0), .segments = node->output(1)};
}

}  // namespace staticflow
