// SparseSegmentSum, -Mean, -SqrtN, with and without a number of segments, and their gradients of both forms: segments
// of gathered rows, as embedding lookups need them.
#include <algorithm>
#include <cmath>

#include "ops/array_shapes.h"
#include "ops/math_segment_loops.h"
#include "ops/state_rows.h"

namespace staticflow {
namespace {

// What a segment's sum of n rows is divided by.
struct BySum {
  static double Divisor(int64_t) { return 1; }
};
struct ByMean {
  static double Divisor(int64_t n) { return static_cast<double>(n); }
};
struct BySqrtN {
  static double Divisor(int64_t n) { return std::sqrt(static_cast<double>(n)); }
};

absl::Status CheckIds(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape indices, c.WithRank(1, 1));
  SF_ASSIGN_OR_RETURN(const Shape ids, c.WithRank(2, 1));
  return c.MergeDims(indices.dim(0), ids.dim(0), "indices and segment_ids").status();
}

// [segments] + data.shape[1:]
absl::Status SegmentsShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckIds(c));
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRankAtLeast(0, 1));
  std::optional<int64_t> segments;
  if (c.num_inputs() == 4) {
    SF_RETURN_IF_ERROR(c.WithRank(3, 0).status());
    SF_ASSIGN_OR_RETURN(segments, ScalarFromInput(c, 3));
    if (segments.has_value() && *segments < 0) {
      return absl::InvalidArgumentError(absl::StrCat("the number of rows is ", *segments, ", expected 0 or more"));
    }
  }
  if (!shape.has_rank()) return absl::OkStatus();
  shape.set_dim(0, segments.value_or(Shape::kUnknownDim));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

// The rows that input 3 asks for, in an output that may have to be made.
absl::Status PrepareOutput(KernelContext& c, int64_t needed, bool allocate) {
  int64_t rows = needed;
  if (c.num_inputs() == 4) {
    SF_ASSIGN_OR_RETURN(rows, ScalarInput(c, 3));
    if (rows < 0) return absl::InvalidArgumentError(absl::StrCat("the number of rows is ", rows));
  }
  if (!allocate) return absl::OkStatus();
  Shape shape = *c.input(0).shape;
  shape.set_dim(0, rows);
  return c.AllocateOutput(0, shape);
}

// The rows of a segment, which begin at position i of the sorted ids: [i, end).
int64_t SegmentEnd(const TensorView& ids, int64_t i) {
  const int64_t id = IdAt(ids, i);
  while (i < ids.num_elements && IdAt(ids, i) == id) ++i;
  return i;
}

// SparseSegment*: y_s = the sum of data[indices[i]] with segment_ids[i] = s, divided; segments without rows are 0.
template <typename Scale, typename T>
absl::Status SumRows(KernelContext& c, bool allocate) {
  const TensorView &indices = c.input(1), &ids = c.input(2);
  SF_ASSIGN_OR_RETURN(const int64_t segments, CountSegments(ids));
  SF_RETURN_IF_ERROR(CheckRowIndices(indices, c.input(0).dim(0)));
  SF_RETURN_IF_ERROR(PrepareOutput(c, segments, allocate));
  if (segments > c.output(0).dim(0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("segment_ids goes up to ", segments - 1, " of ", c.output(0).dim(0), " segments"));
  }
  using Sum = ComputeType<T>;
  const int64_t row = c.input(0).shape->num_elements(1, c.input(0).rank());
  std::fill_n(c.out<T>(0), c.output(0).num_elements, T(0));
  SF_ASSIGN_OR_RETURN(Sum * sums, c.Scratch<Sum>(row));
  for (int64_t begin = 0; begin < ids.num_elements;) {
    const int64_t end = SegmentEnd(ids, begin);
    std::fill_n(sums, row, Sum(0));
    for (int64_t i = begin; i < end; ++i) {
      const T* from = c.in<T>(0) + RowIndexAt(indices, i) * row;
      for (int64_t k = 0; k < row; ++k) sums[k] = WrapAdd(sums[k], Sum(Widen(from[k])));
    }
    const Sum divisor = static_cast<Sum>(Scale::Divisor(end - begin));
    T* to = c.out<T>(0) + IdAt(ids, begin) * row;
    for (int64_t k = 0; k < row; ++k) to[k] = T(sums[k] / divisor);
    begin = end;
  }
  return absl::OkStatus();
}
template <typename Scale>
absl::StatusOr<Kernel> SumKernel(const KernelSetup& setup) {
  Kernel kernel;
  const bool allocate = !setup.output_shape(0).IsFullyDefined();
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0),
      [&]<typename T>() { kernel = [allocate](KernelContext& c) { return SumRows<Scale, T>(c, allocate); }; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

// Output 0: row_of(i) += grad[segment_ids[i]], divided.
template <typename Scale, typename T, typename F>
absl::Status SpreadInto(KernelContext& c, F row_of) {
  const TensorView &grad = c.input(0), &ids = c.input(2);
  SF_ASSIGN_OR_RETURN(const int64_t segments, CountSegments(ids));
  if (segments > grad.dim(0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("segment_ids goes up to ", segments - 1, " of ", grad.dim(0), " segments"));
  }
  const int64_t row = grad.shape->num_elements(1, grad.rank());
  std::fill_n(c.out<T>(0), c.output(0).num_elements, T(0));
  for (int64_t begin = 0; begin < ids.num_elements;) {
    const int64_t end = SegmentEnd(ids, begin);
    const auto divisor = static_cast<ComputeType<T>>(Scale::Divisor(end - begin));
    const T* from = c.in<T>(0) + IdAt(ids, begin) * row;
    for (int64_t i = begin; i < end; ++i) {
      T* to = c.out<T>(0) + row_of(i) * row;
      for (int64_t k = 0; k < row; ++k) to[k] = T(Widen(to[k]) + Widen(from[k]) / divisor);
    }
    begin = end;
  }
  return absl::OkStatus();
}

// SparseSegment*Grad: dx[indices[i]] += grad[segment_ids[i]], divided.
template <typename Scale, typename T>
absl::Status SpreadRows(KernelContext& c, bool allocate) {
  SF_RETURN_IF_ERROR(PrepareOutput(c, 0, allocate));
  SF_RETURN_IF_ERROR(CheckRowIndices(c.input(1), c.output(0).dim(0)));
  return SpreadInto<Scale, T>(c, [&indices = c.input(1)](int64_t i) { return RowIndexAt(indices, i); });
}

// SparseSegment*GradV2: of those rows the ones that indices name, and which these are, in order.
template <typename Scale, typename T>
absl::Status SpreadNamedRows(KernelContext& c) {
  const TensorView& indices = c.input(1);
  SF_ASSIGN_OR_RETURN(const int64_t rows, ScalarInput(c, 3));
  SF_RETURN_IF_ERROR(CheckRowIndices(indices, rows));
  const int64_t n = indices.num_elements;
  SF_ASSIGN_OR_RETURN(int64_t * names, c.Scratch<int64_t>(n));
  for (int64_t i = 0; i < n; ++i) names[i] = RowIndexAt(indices, i);
  std::sort(names, names + n);
  const int64_t* end = std::unique(names, names + n);
  Shape shape = *c.input(0).shape;
  shape.set_dim(0, end - names);
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, shape));
  SF_RETURN_IF_ERROR(c.AllocateOutput(1, {end - names}));
  DispatchType<int32_t, int64_t>(indices.dtype, [&]<typename I>() {
    std::transform(static_cast<const int64_t*>(names), end, c.out<I>(1), [](int64_t i) { return static_cast<I>(i); });
  });
  return SpreadInto<Scale, T>(
      c, [&](int64_t i) { return std::lower_bound(names, names + (end - names), RowIndexAt(indices, i)) - names; });
}
template <typename Scale>
absl::StatusOr<Kernel> SpreadKernel(const KernelSetup& setup) {
  Kernel kernel;
  const bool allocate = !setup.output_shape(0).IsFullyDefined();
  DispatchType<float, double, Half, BFloat16>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [allocate](KernelContext& c) { return SpreadRows<Scale, T>(c, allocate); };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

template <typename Scale>
absl::StatusOr<Kernel> SpreadNamedKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.input_dtype(0),
                                              [&]<typename T>() { kernel = SpreadNamedRows<Scale, T>; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

Output RowsOf(Output x) { return StridedSlice(ShapeOf(x), {0}, {1}, {1}, {.shrink_axis_mask = 1}); }

// Of a sum: slices of the data, so that an embedding keeps its sparse updates.
void SumGradient(GradientContext& c) {
  c.set_dx(0, IndexedSlices{.values = Gather(c.dy(0), c.x(2)), .indices = c.x(1), .dense_shape = ShapeOf(c.x(0))});
}
constexpr char kMeanGrad[] = "SparseSegmentMeanGrad", kSqrtNGrad[] = "SparseSegmentSqrtNGrad";
template <const char* kGrad>
void DividedGradient(GradientContext& c) {
  c.set_dx(0, NodeBuilder(kGrad, {c.dy(0), c.x(1), c.x(2), RowsOf(c.x(0))}).Build());
}
// The gradient ops are linear in grad: the way back is the op itself.
constexpr char kSum[] = "SparseSegmentSumWithNumSegments", kMean[] = "SparseSegmentMeanWithNumSegments",
               kSqrtN[] = "SparseSegmentSqrtNWithNumSegments";
template <const char* kForward>
void GradGradient(GradientContext& c) {
  c.set_dx(0, NodeBuilder(kForward, {c.dy(0), c.x(1), c.x(2), RowsOf(c.x(0))}).Build());
}

const std::vector<std::string> kIndexAttrs = {"Tidx: indextype = int32", "Tsegmentids: indextype = int32"};

OpSpec SparseSegment(std::string name, const char* types, bool with_number, KernelSource kernel,
                     GradientFunction gradient, std::string doc) {
  OpSpec spec = {.name = name + (with_number ? "WithNumSegments" : ""),
                 .inputs = {"data: T", "indices: Tidx", "segment_ids: Tsegmentids"},
                 .outputs = {"output: T"},
                 .attrs = {types, kIndexAttrs[0], kIndexAttrs[1], "sparse_gradient: bool = false"},
                 .shape = SegmentsShape,
                 .gradient = gradient,
                 .kernel = kernel,
                 .doc = std::move(doc)};
  if (with_number) {
    spec.inputs.push_back("num_segments: Tnumsegments");
    spec.attrs.push_back("Tnumsegments: indextype = int32");
  }
  return spec;
}
struct BothForms {
  BothForms(const char* name, const char* types, KernelSource kernel, GradientFunction gradient, const char* doc)
      : plain(SparseSegment(name, types, false, kernel, gradient, doc)),
        with_number(SparseSegment(name, types, true, kernel, gradient, doc)) {}
  OpRegistrar plain, with_number;
};
const BothForms sum("SparseSegmentSum", kNumberT, SumKernel<BySum>, SumGradient, "Sums of gathered rows by segment.");
const BothForms mean("SparseSegmentMean", kFloatT, SumKernel<ByMean>, DividedGradient<kMeanGrad>,
                     "Means of gathered rows by segment.");
const BothForms sqrt_n("SparseSegmentSqrtN", kFloatT, SumKernel<BySqrtN>, DividedGradient<kSqrtNGrad>,
                       "Sums of gathered rows by segment over the roots of their numbers.");

OpSpec SparseSegmentGrad(const char* name, KernelSource kernel, GradientFunction gradient, const char* doc) {
  return {.name = name,
          .inputs = {"grad: T", "indices: Tidx", "segment_ids: Tsegmentids", "output_dim0: int32"},
          .outputs = {"output: T"},
          .attrs = {kFloatT, kIndexAttrs[0], kIndexAttrs[1]},
          .shape = SegmentsShape,
          .gradient = gradient,
          .kernel = kernel,
          .doc = doc};
}
const OpRegistrar sum_grad(SparseSegmentGrad("SparseSegmentSumGrad", SpreadKernel<BySum>, GradGradient<kSum>,
                                             "The gradient of SparseSegmentSum by its data."));
const OpRegistrar mean_grad(SparseSegmentGrad(kMeanGrad, SpreadKernel<ByMean>, GradGradient<kMean>,
                                              "The gradient of SparseSegmentMean by its data."));
const OpRegistrar sqrt_n_grad(SparseSegmentGrad(kSqrtNGrad, SpreadKernel<BySqrtN>, GradGradient<kSqrtN>,
                                                "The gradient of SparseSegmentSqrtN by its data."));

absl::Status NamedRowsShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape grad, c.WithRankAtLeast(0, 1));
  SF_ASSIGN_OR_RETURN(const Shape indices, c.WithRank(1, 1));
  SF_ASSIGN_OR_RETURN(const Shape ids, c.WithRank(2, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(indices.dim(0), ids.dim(0), "lengths of indices and segment_ids").status());
  SF_RETURN_IF_ERROR(c.WithRank(3, 0).status());
  if (grad.has_rank()) grad.set_dim(0, Shape::kUnknownDim);
  c.set_output(0, std::move(grad));
  c.set_output(1, {Shape::kUnknownDim});
  return absl::OkStatus();
}
OpSpec SparseSegmentGradV2(const char* name, KernelSource kernel, const char* doc) {
  return {.name = name,
          .inputs = {"grad: T", "indices: Tidx", "segment_ids: Tsegmentids", "dense_output_dim0: int32"},
          .outputs = {"output: T", "sorted_unique_indices: Tidx"},
          .attrs = {kFloatT, kIndexAttrs[0], kIndexAttrs[1]},
          .shape = NamedRowsShape,
          .gradient = kGradientIsError,
          .kernel = kernel,
          .doc = doc};
}
const OpRegistrar sum_grad_v2(SparseSegmentGradV2("SparseSegmentSumGradV2", SpreadNamedKernel<BySum>,
                                                  "The gradient of SparseSegmentSum as slices of its data."));
const OpRegistrar mean_grad_v2(SparseSegmentGradV2("SparseSegmentMeanGradV2", SpreadNamedKernel<ByMean>,
                                                   "The gradient of SparseSegmentMean as slices of its data."));
const OpRegistrar sqrt_n_grad_v2(SparseSegmentGradV2("SparseSegmentSqrtNGradV2", SpreadNamedKernel<BySqrtN>,
                                                     "The gradient of SparseSegmentSqrtN as slices of its data."));

}  // namespace

Output SparseSegmentSum(Operand data, Operand indices, Operand segment_ids, const OpOptions& options) {
  return NodeBuilder("SparseSegmentSum", {data, indices, segment_ids}).Name(options.name).Build();
}
Output SparseSegmentMean(Operand data, Operand indices, Operand segment_ids, const OpOptions& options) {
  return NodeBuilder("SparseSegmentMean", {data, indices, segment_ids}).Name(options.name).Build();
}
Output SparseSegmentSqrtN(Operand data, Operand indices, Operand segment_ids, const OpOptions& options) {
  return NodeBuilder("SparseSegmentSqrtN", {data, indices, segment_ids}).Name(options.name).Build();
}

}  // namespace staticflow
