// Segments of sorted ids: SegmentSum, SegmentMean, SegmentProd, SegmentMax, SegmentMin. Contracts: ops/math_segment.h.
#include "ops/batch_rules.h"
#include "ops/math_segment_loops.h"

namespace staticflow {
namespace {

absl::Status SegmentShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape data, c.WithRankAtLeast(0, 1));
  SF_ASSIGN_OR_RETURN(const Shape ids, c.WithRank(1, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(data.dim(0), ids.dim(0), "rows of data and segment_ids").status());
  if (!data.has_rank()) return absl::OkStatus();
  data.set_dim(0, Shape::kUnknownDim);
  c.set_output(0, data);
  return absl::OkStatus();
}

// Rows come in the order of their segments: the first one is copied, the others are combined with it.
template <typename Combination, typename T, bool mean>
absl::Status RunSegments(KernelContext& c) {
  const TensorView& ids = c.input(1);
  SF_ASSIGN_OR_RETURN(const int64_t segments, CountSegments(ids));
  Shape shape = *c.input(0).shape;
  shape.set_dim(0, segments);
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, shape));
  if (c.output(0).num_elements == 0) return absl::OkStatus();
  const int64_t row = RowSize(c.input(0), ids);
  constexpr bool kOneIfEmpty = Combination::kStart == SegmentStart::kOne;
  int64_t next = 0;
  for (int64_t s = 0; s < segments; ++s) {
    T* out = c.out<T>(0) + s * row;
    const int64_t first = next;
    for (; next < ids.num_elements && IdAt(ids, next) == s; ++next) {
      const T* x = c.in<T>(0) + next * row;
      if (next == first) {
        std::copy_n(x, row, out);
      } else {
        CombineRow<Combination>(x, row, out);
      }
    }
    if (next == first) std::fill_n(out, row, T(kOneIfEmpty ? 1.0f : 0.0f));
    if constexpr (mean) {
      using X = ComputeType<T>;
      const X n = static_cast<X>(std::max<int64_t>(next - first, 1));
      for (int64_t j = 0; j < row; ++j) out[j] = T(Widen(out[j]) / n);
    }
  }
  return absl::OkStatus();
}

template <typename Combination, bool mean = false>
absl::StatusOr<Kernel> SegmentKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() { kernel = &RunSegments<Combination, T, mean>; });
  if (kernel == nullptr) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

OpSpec SegmentOp(std::string name, KernelSource kernel, GradientFunction gradient, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"data: T", "segment_ids: Tindices"},
          .outputs = {"output: T"},
          .attrs = {kNumberT, "Tindices: indextype"},
          .shape = SegmentShape,
          .gradient = gradient,
          .kernel = kernel,
          .batch = SegmentBatch,
          .doc = std::move(doc)};
}

constexpr SegmentGradient kGradient = {
    .sum = [](const GradientContext& c, Output data) { return SegmentSum(data, c.x(1)); },
    .product = [](const GradientContext& c, Output data) { return SegmentProd(data, c.x(1)); },
    .spread = [](const GradientContext& c, Output segments) { return Gather(segments, c.x(1)); }};

// SegmentSum: y_s = the sum of x_i with id i = s.   dx_i = dy_s.
void SegmentSumGradient(GradientContext& c) { c.set_dx(0, kGradient.spread(c, c.dy(0))); }
const OpRegistrar segment_sum_op(SegmentOp("SegmentSum", &SegmentKernel<SegmentSumming>, SegmentSumGradient,
                                           "The sums of rows with equal ids, which are sorted."));

// SegmentMean: y_s = the mean.   dx_i = dy_s / the number of rows of s.
void SegmentMeanGradient(GradientContext& c) {
  const Output numbers = kGradient.sum(c, OnesLike(c.x(0)));
  c.set_dx(0, kGradient.spread(c, DivNoNan(c.dy(0), numbers)));
}
const OpRegistrar segment_mean_op(SegmentOp("SegmentMean", &SegmentKernel<SegmentSumming, true>, SegmentMeanGradient,
                                            "The means of rows with equal ids, which are sorted."));

// SegmentProd: y_s = the product.
void SegmentProdGradient(GradientContext& c) { kGradient.Prod(c); }
const OpRegistrar segment_prod_op(SegmentOp("SegmentProd", &SegmentKernel<SegmentMultiplying>, SegmentProdGradient,
                                            "The products of rows with equal ids, which are sorted."));

// SegmentMax and SegmentMin: y_s = the largest and the smallest.
void SegmentExtremeGradient(GradientContext& c) { kGradient.Extreme(c); }
const OpRegistrar segment_max_op(
    SegmentOp("SegmentMax", &SegmentKernel<SegmentMaximizing>, SegmentExtremeGradient,
              "The largest of rows with equal ids, which are sorted, element by element."));
const OpRegistrar segment_min_op(
    SegmentOp("SegmentMin", &SegmentKernel<SegmentMinimizing>, SegmentExtremeGradient,
              "The smallest of rows with equal ids, which are sorted, element by element."));

Output Build(const char* type, const Operand& data, const Operand& ids, const OpOptions& options) {
  return NodeBuilder(type, {data, ids}).Name(options.name).Build();
}

}  // namespace

Output SegmentSum(Operand data, Operand ids, const OpOptions& o) { return Build("SegmentSum", data, ids, o); }
Output SegmentMean(Operand data, Operand ids, const OpOptions& o) { return Build("SegmentMean", data, ids, o); }
Output SegmentProd(Operand data, Operand ids, const OpOptions& o) { return Build("SegmentProd", data, ids, o); }
Output SegmentMax(Operand data, Operand ids, const OpOptions& o) { return Build("SegmentMax", data, ids, o); }
Output SegmentMin(Operand data, Operand ids, const OpOptions& o) { return Build("SegmentMin", data, ids, o); }

}  // namespace staticflow
