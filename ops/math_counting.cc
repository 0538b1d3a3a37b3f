// Bucketize, HistogramFixedWidth, DenseBincount, LowerBound, UpperBound, PopulationCount, NthElement: elements
// compared, counted and ranked. None of them has a gradient but NthElement.
#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_index.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/math.h"

namespace staticflow {
namespace {

// Bucketize: how many boundaries are at most the element.
absl::StatusOr<Kernel> BucketizeKernel(const KernelSetup& setup) {
  const std::vector<float>& boundaries = setup.attr<std::vector<float>>("boundaries");
  if (!std::is_sorted(boundaries.begin(), boundaries.end())) {
    return absl::InvalidArgumentError("boundaries are not sorted");
  }
  Kernel kernel;
  DispatchType<float, double, int32_t, int64_t>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [boundaries](KernelContext& c) {
      for (int64_t i = c.range().begin; i < c.range().end; ++i) {
        c.out<int32_t>(0)[i] = static_cast<int32_t>(
            std::upper_bound(boundaries.begin(), boundaries.end(), c.in<T>(0)[i]) - boundaries.begin());
      }
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
const OpRegistrar bucketize({.name = "Bucketize",
                             .inputs = {"input: T"},
                             .outputs = {"output: int32"},
                             .attrs = {"T: {int32, int64, float, double}", "boundaries: list(float)"},
                             .shape = SameShape,
                             .gradient = kNotDifferentiable,
                             .kernel = BucketizeKernel,
                             .iteration = {.split = Split::kFlat},
                             .batch = ElementwiseBatch,
                             .doc = "The number of the interval that each element lies in."});

// HistogramFixedWidth: counts in nbins equal parts of the range; what lies outside counts at its ends.
absl::Status HistogramShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape range, c.WithRank(1, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(range.dim(0), 2, "elements of value_range").status());
  SF_RETURN_IF_ERROR(c.WithRank(2, 0).status());
  SF_ASSIGN_OR_RETURN(const std::optional<int64_t> bins, ScalarFromInput(c, 2));
  if (bins.has_value() && *bins <= 0) return absl::InvalidArgumentError(absl::StrCat("nbins is ", *bins));
  c.set_output(0, {bins.value_or(Shape::kUnknownDim)});
  return absl::OkStatus();
}
template <typename T, typename C>
absl::Status FillHistogram(KernelContext& c, bool allocate) {
  SF_ASSIGN_OR_RETURN(const int64_t bins, ScalarInput(c, 2));
  if (bins <= 0) return absl::InvalidArgumentError(absl::StrCat("nbins is ", bins));
  if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(0, {bins}));
  if (c.input(1).num_elements != 2) return absl::InvalidArgumentError("value_range needs two elements");
  const double low = static_cast<double>(c.in<T>(1)[0]), high = static_cast<double>(c.in<T>(1)[1]);
  if (!(low < high)) return absl::InvalidArgumentError(absl::StrCat("value_range is [", low, ", ", high, "]"));
  const double step = (high - low) / static_cast<double>(bins);
  std::fill_n(c.out<C>(0), bins, C(0));
  for (int64_t i = 0; i < c.input(0).num_elements; ++i) {
    const double position = (static_cast<double>(c.in<T>(0)[i]) - low) / step;
    if (std::isnan(position)) return absl::InvalidArgumentError(absl::StrCat("element ", i, " is NaN"));
    ++c.out<C>(0)[static_cast<int64_t>(std::clamp(position, 0.0, static_cast<double>(bins - 1)))];
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> HistogramKernel(const KernelSetup& setup) {
  Kernel kernel;
  const bool allocate = !setup.output_shape(0).IsFullyDefined();
  DispatchType<float, double, int32_t, int64_t>(setup.input_dtype(0), [&]<typename T>() {
    DispatchType<int32_t, int64_t>(setup.output_dtype(0), [&]<typename C>() {
      kernel = [allocate](KernelContext& c) { return FillHistogram<T, C>(c, allocate); };
    });
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
const OpRegistrar histogram({.name = "HistogramFixedWidth",
                             .inputs = {"values: T", "value_range: T", "nbins: int32"},
                             .outputs = {"out: dtype"},
                             .attrs = {"T: {int32, int64, float, double}", "dtype: indextype = int32"},
                             .shape = HistogramShape,
                             .gradient = kNotDifferentiable,
                             .kernel = HistogramKernel,
                             .batch = MixBatch,
                             .doc = "Counts of values in equal parts of a range."});

// DenseBincount: for each row, the weights (or ones) of equal integers added up; `binary_output` tells only which
// occur.
absl::Status BincountShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_ASSIGN_OR_RETURN(const std::optional<int64_t> size, ScalarFromInput(c, 1));
  if (size.has_value() && *size < 0) return absl::InvalidArgumentError(absl::StrCat("size is ", *size));
  const Shape& input = c.input(0);
  if (!input.has_rank()) return absl::OkStatus();
  if (input.rank() > 2) return absl::InvalidArgumentError("input has a rank above 2");
  Shape shape = input.rank() == 2 ? Shape({input.dim(0)}) : Shape();
  shape.push_back(size.value_or(Shape::kUnknownDim));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
template <typename I, typename T>
absl::Status CountRows(KernelContext& c, bool binary, bool allocate) {
  const TensorView &input = c.input(0), &weights = c.input(2);
  SF_ASSIGN_OR_RETURN(const int64_t size, ScalarInput(c, 1));
  if (size < 0) return absl::InvalidArgumentError(absl::StrCat("size is ", size));
  const int64_t rows = input.rank() == 2 ? input.dim(0) : 1;
  if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(0, input.rank() == 2 ? Shape({rows, size}) : Shape({size})));
  if (weights.num_elements != 0 && *weights.shape != *input.shape) {
    return absl::InvalidArgumentError(
        absl::StrCat("weights has shape ", weights.shape->ToString(), ", input ", input.shape->ToString()));
  }
  std::fill_n(c.out<T>(0), c.output(0).num_elements, T(0));
  const int64_t row = rows == 0 ? 0 : input.num_elements / rows;
  for (int64_t i = 0; i < input.num_elements; ++i) {
    const int64_t value = c.in<I>(0)[i];
    if (value < 0)
      return absl::InvalidArgumentError(absl::StrCat("element ", i, " is ", value, ", expected 0 or more"));
    if (value >= size) continue;
    T& count = c.out<T>(0)[i / row * size + value];
    count = binary ? T(1) : WrapAdd(count, weights.num_elements > 0 ? weights.as<T>()[i] : T(1));
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> BincountKernel(const KernelSetup& setup) {
  Kernel kernel;
  const bool binary = setup.attr<bool>("binary_output"), allocate = !setup.output_shape(0).IsFullyDefined();
  DispatchType<int32_t, int64_t>(setup.input_dtype(0), [&]<typename I>() {
    DispatchType<int32_t, int64_t, float, double>(setup.output_dtype(0), [&]<typename T>() {
      kernel = [=](KernelContext& c) { return CountRows<I, T>(c, binary, allocate); };
    });
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
const OpRegistrar dense_bincount({.name = "DenseBincount",
                                  .inputs = {"input: Tidx", "size: Tidx", "weights: T"},
                                  .outputs = {"output: T"},
                                  .attrs = {"Tidx: indextype", "T: {int32, int64, float, double}",
                                            "binary_output: bool = false"},
                                  .shape = BincountShape,
                                  .gradient = kGradientIsError,
                                  .kernel = BincountKernel,
                                  .doc = "How often each integer occurs in each row."});

// LowerBound, UpperBound: where values would be inserted into sorted rows.
absl::Status BoundShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape sorted, c.WithRank(0, 2));
  SF_ASSIGN_OR_RETURN(const Shape values, c.WithRank(1, 2));
  SF_RETURN_IF_ERROR(c.MergeDims(sorted.dim(0), values.dim(0), "rows of sorted_inputs and values").status());
  c.set_output(0, values);
  return absl::OkStatus();
}
template <typename T>
bool Less(const T& a, const T& b) {
  return Widen(a) < Widen(b);
}
template <bool is_upper>
absl::StatusOr<Kernel> BoundKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() {
        DispatchType<int32_t, int64_t>(setup.output_dtype(0), [&]<typename I>() {
          kernel = [](KernelContext& c) {
            const int64_t size = c.input(0).dim(1), count = c.input(1).dim(1);
            for (int64_t i = 0; i < c.output(0).num_elements; ++i) {
              const T* row = c.in<T>(0) + i / count * size;
              const T value = c.in<T>(1)[i];
              const T* found = is_upper ? std::upper_bound(row, row + size, value, Less<T>)
                                        : std::lower_bound(row, row + size, value, Less<T>);
              c.out<I>(0)[i] = static_cast<I>(found - row);
            }
            return absl::OkStatus();
          };
        });
      });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
OpSpec Bound(const char* name, KernelSource kernel, const char* doc) {
  return {.name = name,
          .inputs = {"sorted_inputs: T", "values: T"},
          .outputs = {"output: out_type"},
          .attrs = {kNumberT, "out_type: indextype = int32"},
          .shape = BoundShape,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .batch = VectorsBatch,
          .doc = doc};
}
const OpRegistrar lower_bound(Bound("LowerBound", BoundKernel<false>, "The first places for values in sorted rows."));
const OpRegistrar upper_bound(Bound("UpperBound", BoundKernel<true>, "The last places for values in sorted rows."));

// PopulationCount: the ones among the bits.
absl::StatusOr<Kernel> PopulationCountKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() {
        kernel = [](KernelContext& c) {
          for (int64_t i = c.range().begin; i < c.range().end; ++i) {
            c.out<uint8_t>(0)[i] =
                static_cast<uint8_t>(std::popcount(static_cast<std::make_unsigned_t<T>>(c.in<T>(0)[i])));
          }
          return absl::OkStatus();
        };
      });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
const OpRegistrar population_count({.name = "PopulationCount",
                                    .inputs = {"x: T"},
                                    .outputs = {"y: uint8"},
                                    .attrs = {kIntegerT},
                                    .shape = SameShape,
                                    .gradient = kNotDifferentiable,
                                    .kernel = PopulationCountKernel,
                                    .iteration = {.split = Split::kFlat},
                                    .batch = ElementwiseBatch,
                                    .doc = "How many bits of each element are 1."});

// NthElement: the n-th smallest (or largest) of each row.   Those that equal it share dy.
absl::Status NthShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape input, c.WithRankAtLeast(0, 1));
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_ASSIGN_OR_RETURN(const std::optional<int64_t> n, ScalarFromInput(c, 1));
  if (n.has_value() && (*n < 0 || (input.has_rank() && input.dim(-1) >= 0 && *n >= input.dim(-1)))) {
    return absl::InvalidArgumentError(absl::StrCat("n is ", *n, " for rows of ", input.dim(-1)));
  }
  if (input.has_rank()) c.set_output(0, input.Slice(0, input.rank() - 1));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> NthKernel(const KernelSetup& setup) {
  Kernel kernel;
  const bool reverse = setup.attr<bool>("reverse");
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() {
        kernel = [reverse](KernelContext& c) -> absl::Status {
          const int64_t size = c.input(0).dim(-1);
          SF_ASSIGN_OR_RETURN(int64_t n, ScalarInput(c, 1));
          if (n < 0 || n >= size) return absl::InvalidArgumentError(absl::StrCat("n is ", n, " for rows of ", size));
          if (reverse) n = size - 1 - n;
          SF_ASSIGN_OR_RETURN(T * row, c.Scratch<T>(size));
          for (int64_t i = 0; i < c.output(0).num_elements; ++i) {
            std::copy_n(c.in<T>(0) + i * size, size, row);
            std::nth_element(row, row + n, row + size, Less<T>);
            c.out<T>(0)[i] = row[n];
          }
          return absl::OkStatus();
        };
      });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
void NthGradient(GradientContext& c) {
  const Output chosen = Cast(Equal(ExpandDims(c.y(0), -1), c.x(0)), c.dy(0).dtype());
  const Output number = Sum(chosen, {-1}, {.keep_dims = true});
  c.set_dx(0, chosen / number * ExpandDims(c.dy(0), -1));
}
const OpRegistrar nth_element({.name = "NthElement",
                               .inputs = {"input: T", "n: int32"},
                               .outputs = {"values: T"},
                               .attrs = {"reverse: bool = false", kNumberT},
                               .shape = NthShape,
                               .gradient = NthGradient,
                               .kernel = NthKernel,
                               .batch = VectorsBatch,
                               .doc = "The n-th smallest element of each row."});

}  // namespace

Output Bucketize(Operand input, const BucketizeOptions& options) {
  return NodeBuilder("Bucketize", {input}).Attr("boundaries", options.boundaries).Name(options.name).Build();
}

}  // namespace staticflow
