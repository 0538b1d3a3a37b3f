// Segments of ids in any order: UnsortedSegmentSum, -Prod, -Max, -Min; and Bincount. Contracts: ops/math_segment.h.
#include "ops/batch_rules.h"
#include "ops/math_segment_loops.h"

namespace staticflow {
namespace {

absl::Status UnsortedSegmentShape(ShapeContext& c) {
  const Shape& data = c.input(0);
  const Shape& ids = c.input(1);
  SF_RETURN_IF_ERROR(c.WithRank(2, 0).status());
  SF_ASSIGN_OR_RETURN(const auto number, c.Integers(2));
  const int64_t segments = number.has_value() ? (*number)[0] : Shape::kUnknownDim;
  if (number.has_value() && segments < 0) {
    return absl::InvalidArgumentError(absl::StrCat("num_segments is ", segments, ", expected at least 0"));
  }
  if (!data.has_rank() || !ids.has_rank()) return absl::OkStatus();
  if (ids.rank() > data.rank() || !ids.IsCompatibleWith(data.Slice(0, ids.rank()))) {
    return absl::InvalidArgumentError(absl::StrCat("segment_ids have shape ", ids.ToString(),
                                                   ", expected the first dimensions of data, ", data.ToString()));
  }
  c.set_output(0, Shape({segments}).Concatenate(data.Slice(ids.rank(), data.rank())));
  return absl::OkStatus();
}

template <typename Combination, typename T>
absl::Status RunUnsorted(KernelContext& c) {
  const TensorView& ids = c.input(1);
  const int64_t row = RowSize(c.input(0), ids), segments = c.output(0).dim(0);
  std::fill_n(c.out<T>(0), c.output(0).num_elements, StartValue<T>(Combination::kStart));
  for (int64_t i = 0; i < ids.num_elements; ++i) {
    const int64_t id = IdAt(ids, i);
    if (id < 0) continue;
    if (id >= segments) {
      return absl::InvalidArgumentError(
          absl::StrCat("segment_ids[", i, "] is ", id, ", expected less than num_segments, ", segments));
    }
    CombineRow<Combination>(c.in<T>(0) + i * row, row, c.out<T>(0) + id * row);
  }
  return absl::OkStatus();
}

template <typename Combination>
absl::StatusOr<Kernel> UnsortedKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() { kernel = &RunUnsorted<Combination, T>; });
  if (kernel == nullptr) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

OpSpec UnsortedOp(std::string name, KernelSource kernel, GradientFunction gradient, std::string doc,
                  const char* id_types = "Tindices: indextype") {
  return {.name = std::move(name),
          .inputs = {"data: T", "segment_ids: Tindices", "num_segments: Tnumsegments"},
          .outputs = {"output: T"},
          .attrs = {kNumberT, id_types, "Tnumsegments: indextype = int32"},
          .shape = UnsortedSegmentShape,
          .gradient = gradient,
          .kernel = kernel,
          .batch = SegmentBatch,
          .doc = std::move(doc)};
}

// `mask`, with the shape of the ids, in a shape that broadcasts to `rows`.
Output OverRows(Output mask, Output rows) {
  if (!rows.valid() || !mask.valid()) return Output();
  const int rank = rows.shape().rank(), leading = mask.shape().rank();
  if (rank == Shape::kUnknownRank || leading == Shape::kUnknownRank) {
    const Output more = Reshape(RankOf(rows) - RankOf(mask), {1});
    return Reshape(mask, Concat({ShapeOf(mask), Fill(more, Operand(Const(rows.graph(), 1)))}, 0));
  }
  for (int i = leading; i < rank; ++i) mask = ExpandDims(mask, -1);
  return mask;
}

Output SpreadUnsorted(const GradientContext& c, Output segments) {
  const Output ids = c.x(1);
  const Output rows = Gather(segments, Maximum(ids, 0));
  return Where(OverRows(GreaterEqual(ids, 0), rows), rows, 0);
}
constexpr SegmentGradient kGradient = {
    .sum = [](const GradientContext& c, Output data) { return UnsortedSegmentSum(data, c.x(1), c.x(2)); },
    .product = [](const GradientContext& c, Output data) { return UnsortedSegmentProd(data, c.x(1), c.x(2)); },
    .spread = SpreadUnsorted};

// UnsortedSegmentSum: y_s = the sum of x_i with id i = s.   dx_i = dy_s, 0 for negative ids.
void UnsortedSumGradient(GradientContext& c) { c.set_dx(0, kGradient.spread(c, c.dy(0))); }
const OpRegistrar unsorted_segment_sum_op(UnsortedOp("UnsortedSegmentSum", &UnsortedKernel<SegmentSumming>,
                                                     UnsortedSumGradient, "The sums of rows with equal ids.",
                                                     "Tindices: {int16, int32, int64}"));

// UnsortedSegmentProd: y_s = the product.
void UnsortedProdGradient(GradientContext& c) { kGradient.Prod(c); }
const OpRegistrar unsorted_segment_prod_op(UnsortedOp("UnsortedSegmentProd", &UnsortedKernel<SegmentMultiplying>,
                                                      UnsortedProdGradient, "The products of rows with equal ids."));

// UnsortedSegmentMax and UnsortedSegmentMin: y_s = the largest and the smallest.
void UnsortedExtremeGradient(GradientContext& c) { kGradient.Extreme(c); }
const OpRegistrar unsorted_segment_max_op(UnsortedOp("UnsortedSegmentMax", &UnsortedKernel<SegmentMaximizing>,
                                                     UnsortedExtremeGradient,
                                                     "The largest of rows with equal ids, element by element."));
const OpRegistrar unsorted_segment_min_op(UnsortedOp("UnsortedSegmentMin", &UnsortedKernel<SegmentMinimizing>,
                                                     UnsortedExtremeGradient,
                                                     "The smallest of rows with equal ids, element by element."));

// SegmentSumV2 and its kin: the same with ids that do not decrease.
template <typename Combination>
absl::StatusOr<Kernel> SortedKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(Kernel run, UnsortedKernel<Combination>(setup));
  return Kernel([run](KernelContext& c) -> absl::Status {
    const TensorView& ids = c.input(1);
    for (int64_t i = 0; i < ids.num_elements; ++i) {
      const int64_t least = i == 0 ? 0 : IdAt(ids, i - 1);
      if (IdAt(ids, i) >= least) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("segment_ids[", i, "] is ", IdAt(ids, i), ", expected at least ", least));
    }
    return run(c);
  });
}
absl::Status SortedShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 1).status());
  return UnsortedSegmentShape(c);
}
OpSpec SortedOp(std::string name, KernelSource kernel, std::string doc) {
  OpSpec spec = UnsortedOp(std::move(name), kernel, kGradientIsError, std::move(doc));
  spec.shape = SortedShape;
  return spec;
}
const OpRegistrar segment_sum_v2(SortedOp("SegmentSumV2", &SortedKernel<SegmentSumming>,
                                          "The sums of rows with equal ids, which are sorted; a number of segments."));
const OpRegistrar segment_prod_v2(SortedOp("SegmentProdV2", &SortedKernel<SegmentMultiplying>,
                                           "The products of rows with equal ids, which are sorted."));
const OpRegistrar segment_max_v2(SortedOp("SegmentMaxV2", &SortedKernel<SegmentMaximizing>,
                                          "The largest of rows with equal ids, which are sorted."));
const OpRegistrar segment_min_v2(SortedOp("SegmentMinV2", &SortedKernel<SegmentMinimizing>,
                                          "The smallest of rows with equal ids, which are sorted."));

// Bincount: bins_v = the number of i with arr_i = v, or the sum of their weights.
absl::Status BincountShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_ASSIGN_OR_RETURN(const auto size, c.Integers(1));
  if (size.has_value() && (*size)[0] < 0) {
    return absl::InvalidArgumentError(absl::StrCat("size is ", (*size)[0], ", expected at least 0"));
  }
  const Shape& weights = c.input(2);
  const bool known = weights.IsFullyDefined() && c.input(0).IsFullyDefined();
  if (known && weights.num_elements() > 0 && weights.num_elements() != c.input(0).num_elements()) {
    return absl::InvalidArgumentError(absl::StrCat("weights have shape ", weights.ToString(),
                                                   ", expected as many elements as arr, ", c.input(0).ToString()));
  }
  c.set_output(0, Shape({size.has_value() ? (*size)[0] : Shape::kUnknownDim}));
  return absl::OkStatus();
}
template <typename T>
absl::Status RunBincount(KernelContext& c) {
  const int64_t size = c.output(0).num_elements, n = c.input(0).num_elements;
  const bool weighted = c.input(2).num_elements > 0;
  if (weighted && c.input(2).num_elements != n) {
    return absl::InvalidArgumentError(absl::StrCat(c.input(2).num_elements, " weights for ", n, " elements of arr"));
  }
  T* bins = c.out<T>(0);
  std::fill_n(bins, size, T(0));
  for (int64_t i = 0; i < n; ++i) {
    const int32_t v = c.in<int32_t>(0)[i];
    if (v < 0) return absl::InvalidArgumentError(absl::StrCat("arr[", i, "] is ", v, ", expected at least 0"));
    if (v < size) bins[v] = WrapAdd(bins[v], weighted ? c.in<T>(2)[i] : T(1));
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> BincountKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<int32_t, int64_t, float, double>(setup.output_dtype(0), [&]<typename T>() { kernel = &RunBincount<T>; });
  if (kernel == nullptr) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
const OpRegistrar bincount_op({.name = "Bincount",
                               .inputs = {"arr: int32", "size: int32", "weights: T"},
                               .outputs = {"bins: T"},
                               .attrs = {"T: {int32, int64, float, double}"},
                               .shape = BincountShape,
                               .gradient = kGradientIsError,
                               .kernel = &BincountKernel,
                               .batch = MixBatch,
                               .doc = "How often each of 0, 1, ..., size - 1 occurs, or the sums of weights."});

Output Build(const char* type, const Operand& data, const Operand& ids, const Operand& number,
             const OpOptions& options) {
  return NodeBuilder(type, {data, ids, number}).Name(options.name).Build();
}

}  // namespace

Output UnsortedSegmentSum(Operand data, Operand ids, Operand number, const OpOptions& o) {
  return Build("UnsortedSegmentSum", data, ids, number, o);
}
Output UnsortedSegmentProd(Operand data, Operand ids, Operand number, const OpOptions& o) {
  return Build("UnsortedSegmentProd", data, ids, number, o);
}
Output UnsortedSegmentMax(Operand data, Operand ids, Operand number, const OpOptions& o) {
  return Build("UnsortedSegmentMax", data, ids, number, o);
}
Output UnsortedSegmentMin(Operand data, Operand ids, Operand number, const OpOptions& o) {
  return Build("UnsortedSegmentMin", data, ids, number, o);
}
Output Bincount(Operand arr, Operand size, Operand weights, const OpOptions& o) {
  return Build("Bincount", arr, size, weights, o);
}

}  // namespace staticflow
