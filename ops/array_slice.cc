// Slice, Range, LinSpace.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/neutral_operands.h"
#include "ops/strided_copy.h"

namespace staticflow {
namespace {

// Slice: size[d] elements from begin[d], all that remain for -1.   dx = dy with zeros around it.
absl::Status SliceShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape begin_shape, c.WithRank(1, 1));
  SF_ASSIGN_OR_RETURN(const Shape size_shape, c.WithRank(2, 1));
  SF_ASSIGN_OR_RETURN(int64_t rank, c.MergeDims(begin_shape.dim(0), size_shape.dim(0), "lengths of begin and size"));
  SF_ASSIGN_OR_RETURN(rank, c.MergeDims(rank, c.input(0).rank(), "rank of input and length of begin"));
  if (rank < 0 || rank > Shape::kMaxRank) return absl::OkStatus();
  const Shape in = c.input(0).has_rank() ? c.input(0) : Shape::UnknownOfRank(static_cast<int>(rank));
  SF_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> begin, c.Integers(1));
  SF_ASSIGN_OR_RETURN(Shape out, c.ValueAsShape(2));
  if (!out.has_rank()) out = Shape::UnknownOfRank(static_cast<int>(rank));
  for (int i = 0; i < rank; ++i) {
    const bool rest = out.dim(i) == Shape::kUnknownDim;
    if (begin && ((*begin)[i] < 0 || (in.dim(i) >= 0 && (*begin)[i] > in.dim(i)))) {
      return absl::InvalidArgumentError(
          absl::StrCat("begin[", i, "] is ", (*begin)[i], ", expected 0 to the size of the dimension, ", in.dim(i)));
    }
    if (rest && c.value(2) != nullptr && begin && in.dim(i) >= 0) out.set_dim(i, in.dim(i) - (*begin)[i]);
    if (!rest && in.dim(i) >= 0 && AddSizes(begin ? (*begin)[i] : 0, out.dim(i)) > in.dim(i)) {
      return absl::InvalidArgumentError(
          absl::StrCat("begin[", i, "] and size[", i, "] reach beyond the input's shape ", in.ToString()));
    }
  }
  c.set_output(0, std::move(out));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> SliceKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) -> absl::Status {
      const Shape &in = *c.input(0).shape, &out = *c.output(0).shape;
      const Sizes begin = Integers(c.input(1)), strides = RowMajorStrides(in);
      StridedView view;
      for (int i = 0; i < in.rank(); ++i) {
        if (begin[i] < 0 || AddSizes(begin[i], out.dim(i)) > in.dim(i)) {
          return absl::InvalidArgumentError(absl::StrCat("elements ", begin[i], " to ", AddSizes(begin[i], out.dim(i)),
                                                         " of dimension ", i, " are asked for, but it has ",
                                                         in.dim(i)));
        }
        view.Add(out.dim(i), strides[i]);
        view.offset += begin[i] * strides[i];
      }
      CopyFromView(view, c.in<T>(0), c.out<T>(0), FlatRows(c));
      return absl::OkStatus();
    };
  });
}

void SliceGradient(GradientContext& c) {
  const Output begin = c.x(1);
  const Output before = ExpandDims(begin, 1);
  const Output sizes = ShapeOf(c.x(0), {.out_type = begin.dtype()});
  const Output taken = ShapeOf(c.y(0), {.out_type = begin.dtype()});
  const Output after = ExpandDims(Sub(Sub(sizes, taken), begin), 1);
  c.set_dx(0, Pad(c.dy(0), Concat({before, after}, 1)));
}

std::optional<Shape> SliceShapeValue(const ShapeContext& c) {
  absl::StatusOr<Shape> value = c.ValueAsShape(0);
  if (!value.ok() || !value->has_rank() || c.value(1) == nullptr || c.value(2) == nullptr) return std::nullopt;
  absl::StatusOr<std::optional<std::vector<int64_t>>> begin = c.Integers(1), size = c.Integers(2);
  if (!begin.ok() || !size.ok() || (*begin)->size() != 1 || (*size)->size() != 1) return std::nullopt;
  const int64_t first = (**begin)[0], count = (**size)[0] == -1 ? value->rank() - first : (**size)[0];
  if (first < 0 || count < 0 || AddSizes(first, count) > value->rank()) return std::nullopt;
  return value->Slice(static_cast<int>(first), static_cast<int>(first + count));
}

const OpRegistrar slice({.name = "Slice",
                         .inputs = {"input: T", "begin: Index", "size: Index"},
                         .outputs = {"output: T"},
                         .attrs = {"T: type", "Index: indextype"},
                         .shape = SliceShape,
                         .gradient = SliceGradient,
                         .kernel = SliceKernel,
                         .iteration = {.split = Split::kRows},
                         .shape_value = SliceShapeValue,
                         .simplify = SimplifySameShape,
                         .batch = SliceBatch,
                         .doc = "A block of the input."});

// Range: start, start + delta, ... before limit.
template <typename T>
absl::StatusOr<int64_t> RangeSize(T start_value, T limit_value, T delta_value) {
  const auto start = Widen(start_value), limit = Widen(limit_value), delta = Widen(delta_value);
  if (!(delta > 0) && !(delta < 0)) return absl::InvalidArgumentError("delta is 0, expected another number");
  if (delta > 0 ? start > limit : start < limit) {
    return absl::InvalidArgumentError(absl::StrCat("start ", start, " lies beyond limit ", limit));
  }
  constexpr double kMost = 1e15;  // far more than memory, and exact in double
  double size;
  if constexpr (std::is_integral_v<T>) {
    // In 128 bits the distance of any two integers and its quotient are exact.
    const __int128 distance = delta > 0 ? __int128{limit} - start : __int128{start} - limit;
    const __int128 step = delta > 0 ? __int128{delta} : -__int128{delta};
    size = static_cast<double>((distance + step - 1) / step);
  } else {
    // Rounded as T at each step, as in TensorFlow: the three floats 0, 0.6 and 0.2 give three elements, not four.
    const T distance = static_cast<T>(limit - start);
    size = std::ceil(std::abs(static_cast<double>(Widen(static_cast<T>(Widen(distance) / delta)))));
  }
  if (!(size <= kMost)) return absl::InvalidArgumentError("the range has too many elements");
  return static_cast<int64_t>(size);
}

// The number of elements, from three integers of one type.
absl::StatusOr<int64_t> RangeSizeOf(DataType dtype, const void* start, const void* limit, const void* delta) {
  absl::StatusOr<int64_t> size = absl::InvalidArgumentError("no range of this type");
  DispatchType<int32_t, int64_t>(dtype, [&]<typename T>() {
    size = RangeSize(*static_cast<const T*>(start), *static_cast<const T*>(limit), *static_cast<const T*>(delta));
  });
  return size;
}

absl::Status RangeShape(ShapeContext& c) {
  bool known = !IsFloating(c.input_dtype(0));  // a step looks into integers only, so floats are data
  for (int i = 0; i < 3; ++i) {
    SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
    known = known && c.value(i) != nullptr;
  }
  int64_t size = Shape::kUnknownDim;
  if (known) {
    SF_ASSIGN_OR_RETURN(size, RangeSizeOf(c.input_dtype(0), c.value(0)->raw(), c.value(1)->raw(), c.value(2)->raw()));
  }
  c.set_output(0, {size});
  return absl::OkStatus();
}

absl::StatusOr<Kernel> RangeKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) {
      const T start = c.scalar<T>(0), delta = c.scalar<T>(2);
      SF_ASSIGN_OR_RETURN(const int64_t size, RangeSize(start, c.scalar<T>(1), delta));
      SF_RETURN_IF_ERROR(std::is_integral_v<T> ? ExpectOutput(c, 0, {size}) : c.AllocateOutput(0, {size}));
      // Adding up, as TensorFlow does, rather than multiplying: floating values agree to the last bit.
      T value = start;
      for (int64_t i = 0; i < size; ++i) {
        c.out<T>(0)[i] = value;
        if (i + 1 < size) value = static_cast<T>(Widen(value) + Widen(delta));
      }
      return absl::OkStatus();
    };
  });
  return kernel;
}

const OpRegistrar range({.name = "Range",
                         .inputs = {"start: Tidx", "limit: Tidx", "delta: Tidx"},
                         .outputs = {"output: Tidx"},
                         .attrs = {"Tidx: {float, double, half, bfloat16, int32, int64} = int32"},
                         .shape = RangeShape,
                         .gradient = kNotDifferentiable,
                         .kernel = RangeKernel,
                         .doc = "Evenly spaced numbers before a limit."});

// LinSpace: num values from start to stop, both included.
absl::Status LinSpaceShape(ShapeContext& c) {
  for (int i = 0; i < 3; ++i) SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  SF_ASSIGN_OR_RETURN(std::optional<int64_t> num, ScalarFromInput(c, 2));
  if (num && *num <= 0) return absl::InvalidArgumentError(absl::StrCat("num is ", *num, ", expected 1 or more"));
  c.set_output(0, {num.value_or(Shape::kUnknownDim)});
  return absl::OkStatus();
}

absl::StatusOr<Kernel> LinSpaceKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) {
      const T start = c.scalar<T>(0), stop = c.scalar<T>(1);
      const int64_t n = c.output(0).num_elements;
      const T step = n > 1 ? (stop - start) / static_cast<T>(n - 1) : T(0);
      for (int64_t i = 1; i < n; ++i) c.out<T>(0)[i] = start + step * static_cast<T>(i);
      if (n > 1) c.out<T>(0)[n - 1] = stop;  // exact, whatever rounding does
      c.out<T>(0)[0] = start;                // even where the step is not finite
      return absl::OkStatus();
    };
  });
  return kernel;
}

const OpRegistrar lin_space({.name = "LinSpace",
                             .inputs = {"start: T", "stop: T", "num: Tidx"},
                             .outputs = {"output: T"},
                             .attrs = {"T: {float, double}", "Tidx: indextype = int32"},
                             .shape = LinSpaceShape,
                             .gradient = kNotDifferentiable,
                             .kernel = LinSpaceKernel,
                             .doc = "Evenly spaced values, both ends included."});

}  // namespace

Output Slice(Operand input, const Ints& begin, const Ints& size, const OpOptions& options) {
  const NodeName node(input, options.name, "Slice");
  if (!node) return Output();
  const DataType index = IndexType({&begin, &size});
  return NodeBuilder("Slice", {input, node.Vector(begin, "begin", index), node.Vector(size, "size", index)})
      .Name(node.exact())
      .Build();
}

Output Range(Operand start, Operand limit, Operand delta, const OpOptions& options) {
  return NodeBuilder("Range", {start, limit, delta}).Name(options.name, "range").Build();
}

Output LinSpace(Operand start, Operand stop, Operand num, const OpOptions& options) {
  return NodeBuilder("LinSpace", {start, stop, num}).Name(options.name).Build();
}

}  // namespace staticflow
