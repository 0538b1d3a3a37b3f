// ArgMax and ArgMin. Contracts: ops/math_reduction.h.
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/math_reduction.h"
#include "ops/reduction.h"

namespace staticflow {
namespace {

absl::Status ArgShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_ASSIGN_OR_RETURN(const auto axis, c.Integers(1));
  const Shape& input = c.input(0);
  if (!input.has_rank()) return absl::OkStatus();
  if (!axis.has_value()) {
    if (input.rank() > 0) c.set_output(0, Shape::UnknownOfRank(input.rank() - 1));
    return absl::OkStatus();
  }
  SF_ASSIGN_OR_RETURN(const int removed, NormalizeAxis((*axis)[0], input.rank()));
  c.set_output(0, input.Slice(0, removed).Concatenate(input.Slice(removed + 1, input.rank())));
  return absl::OkStatus();
}

// The first of n elements, `stride` apart, that none precedes in the order; NaNs only when there is nothing else.
template <typename T, typename Precedes>
int64_t First(const T* x, int64_t n, int64_t stride) {
  int64_t best = 0;
  for (int64_t i = 1; i < n; ++i) {
    const auto candidate = Widen(x[i * stride]);
    const auto leader = Widen(x[best * stride]);
    if (Precedes()(candidate, leader) || (leader != leader && candidate == candidate)) best = i;
  }
  return best;
}

struct Above {
  template <typename T>
  bool operator()(T a, T b) const {
    return a > b;
  }
};
struct Below {
  template <typename T>
  bool operator()(T a, T b) const {
    return a < b;
  }
};

void StorePosition(const TensorView& out, int64_t i, int64_t position) {
  DispatchType<int64_t, int32_t, int16_t, uint16_t>(
      out.dtype, [&]<typename Index>() { out.as<Index>()[i] = static_cast<Index>(position); });
}

template <typename Precedes, typename T>
absl::Status RunArg(KernelContext& c) {
  const Shape& shape = *c.input(0).shape;
  SF_ASSIGN_OR_RETURN(const int axis, AxisInput(c, 1, shape.rank()));
  const int64_t n = shape.dim(axis), inner = shape.num_elements(axis + 1, shape.rank());
  if (n == 0)
    return absl::InvalidArgumentError(absl::StrCat("dimension ", axis, " of ", shape.ToString(), " is empty"));
  const auto [begin, end] = FlatRangeOfRows(c);
  for (int64_t i = begin; i < end; ++i) {
    const T* x = c.in<T>(0) + i / inner * n * inner + i % inner;
    StorePosition(c.output(0), i, First<T, Precedes>(x, n, inner));
  }
  return absl::OkStatus();
}

template <typename Precedes>
absl::StatusOr<Kernel> ArgKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t,
               bool>(setup.input_dtype(0), [&]<typename T>() { kernel = &RunArg<Precedes, T>; });
  if (kernel == nullptr) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

OpSpec ArgOp(std::string name, KernelSource kernel, std::string doc) {
  return {
      .name = std::move(name),
      .inputs = {"input: T", "dimension: Tidx"},
      .outputs = {"output: output_type"},
      .attrs = {"T: {float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64, bool}",
                "Tidx: {int16, int32, int64} = int32", "output_type: {int16, uint16, int32, int64} = int64"},
      .shape = ArgShape,
      .gradient = kNotDifferentiable,
      .kernel = kernel,
      .iteration = {.split = Split::kRows},
      .batch = ArgReductionBatch,
      .doc = std::move(doc)};
}

// ArgMax: y = the first position of the largest element.   ArgMin: of the smallest.
const OpRegistrar arg_max_op(ArgOp("ArgMax", &ArgKernel<Above>,
                                   "The first position of the largest element along a dimension."));
const OpRegistrar arg_min_op(ArgOp("ArgMin", &ArgKernel<Below>,
                                   "The first position of the smallest element along a dimension."));

Output Build(const char* type, const Operand& x, const Operand& axis, const ArgOptions& options) {
  return NodeBuilder(type, {x, axis}).Attr("output_type", options.output_type).Name(options.name).Build();
}

}  // namespace

Output ArgMax(Operand x, Operand axis, const ArgOptions& o) { return Build("ArgMax", x, axis, o); }
Output ArgMin(Operand x, Operand axis, const ArgOptions& o) { return Build("ArgMin", x, axis, o); }

}  // namespace staticflow
