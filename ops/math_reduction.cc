// Sum, Mean, All and Any, and what their builders share. Contracts: ops/math_reduction.h.
#include "ops/array.h"
#include "ops/loop_arithmetic.h"
#include "ops/math_binary.h"
#include "ops/math_reduction_ops.h"
#include "ops/math_unary.h"
#include "ops/reduction.h"

namespace staticflow {
namespace {

// Whether the axes, known beforehand, leave one element per column of a matrix.
bool ReducesAxesToRow(const LoopContext& c) {
  if (c.value(1) == nullptr) return false;
  const absl::StatusOr<std::vector<int64_t>> axes = IntegerValues(*c.value(1));
  return axes.ok() && c.ReducesRows(0, *axes);
}

// Sum: y = the sum of the elements.   dx = dy, repeated.
struct Summing {
  template <typename T>
  using Sum = WrappingSum<T>;
  template <typename A>
  static A Start() {
    return A(0);
  }
  template <typename A>
  [[gnu::always_inline]] static inline void Combine(A& a, const A& b) {
    a += b;
  }
  template <typename T>
  static T Finish(Sum<T> sum, int64_t) {
    return static_cast<T>(sum);
  }
};
bool SumLoop(LoopContext& c) { return ReducesAxesToRow(c) && c.set_output(0, c.SumRows(c.input(0))); }
void SumGradient(GradientContext& c) { c.set_dx(0, BroadcastTo(WithReducedDims(c, c.dy(0)), ShapeOf(c.x(0)))); }
const OpRegistrar sum_op(ReductionOp("Sum", kNumberT,
                                     &ReductionKernel<Summing, float, double, Half, BFloat16, int32_t, int64_t, uint8_t,
                                                      int8_t, int16_t, uint16_t, uint32_t, uint64_t>,
                                     SumGradient, "The sum of the elements along the reduced dimensions.", SumLoop));

// Mean: y = the sum / n.   dx = dy / n, repeated. Integers are summed in 64 bits: the mean of bytes is no sum of bytes.
struct Averaging : Summing {
  template <typename T>
  using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, WrappingSum<T>>;
  template <typename T>
  static T Finish(Sum<T> sum, int64_t n) {
    if constexpr (std::is_integral_v<T>) {
      using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
      return n == 0 ? T(0) : static_cast<T>(static_cast<Wide>(sum) / static_cast<Wide>(n));
    } else {
      return static_cast<T>(sum / static_cast<Sum<T>>(n));
    }
  }
};
bool MeanLoop(LoopContext& c) {
  if (!ReducesAxesToRow(c)) return false;
  return c.set_output(0, (SumRows(Lanes(c, 0)) / static_cast<double>(c.rows(0))).reg());
}
void MeanGradient(GradientContext& c) {
  const Shape& x = c.x(0).shape();
  const Shape& y = c.y(0).shape();
  Output dy = c.dy(0);
  if (x.IsFullyDefined() && y.IsFullyDefined() && y.num_elements() > 0) {
    dy = dy / static_cast<double>(x.num_elements() / y.num_elements());
  } else {
    dy = dy / Cast(FloorDiv(SizeOf(c.x(0)), Maximum(SizeOf(c.y(0)), 1)), c.y(0).dtype());
  }
  c.set_dx(0, BroadcastTo(WithReducedDims(c, dy), ShapeOf(c.x(0))));
}
const OpRegistrar mean_op(ReductionOp("Mean", kNumberT,
                                      &ReductionKernel<Averaging, float, double, Half, BFloat16, int32_t, int64_t,
                                                       uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>,
                                      MeanGradient, "The mean of the elements along the reduced dimensions.",
                                      MeanLoop));

// All and Any of booleans, which are bytes 0 and 1.
struct Conjunction {
  template <typename T>
  using Sum = uint8_t;
  template <typename A>
  static A Start() {
    return A(1);
  }
  template <typename A>
  [[gnu::always_inline]] static inline void Combine(A& a, const A& b) {
    a &= b;
  }
  template <typename T>
  static T Finish(uint8_t all, int64_t) {
    return all != 0;
  }
};
struct Disjunction : Conjunction {
  template <typename A>
  static A Start() {
    return A(0);
  }
  template <typename A>
  [[gnu::always_inline]] static inline void Combine(A& a, const A& b) {
    a |= b;
  }
};
OpSpec LogicalReductionOp(std::string name, KernelSource kernel, std::string doc) {
  OpSpec spec = ReductionOp(std::move(name), kNumberT, kernel, kNotDifferentiable, std::move(doc));
  spec.inputs[0] = "input: bool";
  spec.outputs[0] = "output: bool";
  spec.attrs.erase(spec.attrs.begin());
  return spec;
}
const OpRegistrar all_op(LogicalReductionOp("All", &ReductionKernel<Conjunction, bool>,
                                            "Whether all elements along the reduced dimensions are true."));
const OpRegistrar any_op(LogicalReductionOp("Any", &ReductionKernel<Disjunction, bool>,
                                            "Whether any element along the reduced dimensions is true."));

// The value of a Const, or null.
const Tensor* ConstantValue(Output output) {
  return output.node()->op().is(OpRole::kConst) ? &output.node()->attr<Tensor>("value") : nullptr;
}

// The dimensions of x that the reduction removes; nullopt when the graph does not tell.
std::optional<std::vector<int64_t>> KnownAxes(const GradientContext& c) {
  const Tensor* axes = ConstantValue(c.x(1));
  const int rank = c.x(0).shape().rank();
  if (axes == nullptr || rank == Shape::kUnknownRank) return std::nullopt;
  const absl::StatusOr<std::vector<int64_t>> values = IntegerValues(*axes);
  if (!values.ok()) return std::nullopt;
  std::vector<int64_t> sorted;
  for (int64_t axis : *values) sorted.push_back(axis < 0 ? axis + rank : axis);
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

// 1 for the reduced dimensions, 0 for the others, as an int32 vector.
Output ReducedMask(const GradientContext& c) {
  const Output rank = RankOf(c.x(0));
  const Output axes = Mod(Cast(Reshape(c.x(1), {-1}), DT_INT32), rank);
  return Sum(OneHot(axes, rank, Operand(Const(c.graph(), 1)), Operand(Const(c.graph(), 0))), {0});
}

}  // namespace

Output WithReducedDims(const GradientContext& c, Output reduced) {
  if (c.attr<bool>("keep_dims")) return reduced;
  if (const std::optional<std::vector<int64_t>> axes = KnownAxes(c); axes.has_value()) {
    // Leading dimensions come by broadcasting.
    const bool leading = axes->empty() || axes->back() + 1 == static_cast<int64_t>(axes->size());
    if (leading) return reduced;
    for (int64_t axis : *axes) reduced = ExpandDims(reduced, static_cast<int>(axis));
    return reduced;
  }
  const Output mask = ReducedMask(c);
  return Reshape(reduced, ShapeOf(c.x(0)) * (1 - mask) + mask);
}

DimensionOrder ReducedFirst(const GradientContext& c) {
  if (const std::optional<std::vector<int64_t>> axes = KnownAxes(c); axes.has_value()) {
    std::vector<int64_t> order = *axes;
    for (int i = 0; i < c.x(0).shape().rank(); ++i) {
      if (!std::binary_search(axes->begin(), axes->end(), i)) order.push_back(i);
    }
    const Output constant = Const(c.graph(), Ints(order).AsTensor());
    return {constant, Const(c.graph(), static_cast<int32_t>(axes->size()))};
  }
  const Output mask = ReducedMask(c);
  const Output reduced = Reshape(WhereIndices(Equal(mask, 1)), {-1});
  const Output others = Reshape(WhereIndices(Equal(mask, 0)), {-1});
  return {Cast(Concat({reduced, others}, 0), DT_INT32), SizeOf(reduced)};
}

Output BuildReduction(const char* type, const Operand& x, const Axes& axes, const ReduceOptions& options) {
  if (axes.operand().has_value()) {
    return NodeBuilder(type, {x, *axes.operand()}).Attr("keep_dims", options.keep_dims).Name(options.name).Build();
  }
  if (x.is_number() || !x.output().valid()) return NodeBuilder(type, {x}).Name(options.name).Build();
  Graph& g = x.output().graph();
  if (axes.list().has_value()) {
    const NodeName name(x, options.name, type);
    const Output list = name.Vector(Ints(*axes.list()), "reduction_indices");
    return NodeBuilder(type, {x, list}).Attr("keep_dims", options.keep_dims).Name(name.exact()).Build();
  }
  Output all;
  if (x.output().shape().has_rank()) {
    std::vector<int64_t> order(x.output().shape().rank());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
    all = Const(g, Ints(order).AsTensor(), {.where = x.where()});
  } else {
    all = Range(0, RankOf(x), 1, {.name = "range"});
  }
  return NodeBuilder(type, {x, all}).Attr("keep_dims", options.keep_dims).Name(options.name).Build();
}

Output Sum(Operand x, const Axes& axes, const ReduceOptions& o) { return BuildReduction("Sum", x, axes, o); }
Output Mean(Operand x, const Axes& axes, const ReduceOptions& o) { return BuildReduction("Mean", x, axes, o); }
Output All(Operand x, const Axes& axes, const ReduceOptions& o) { return BuildReduction("All", x, axes, o); }
Output Any(Operand x, const Axes& axes, const ReduceOptions& o) { return BuildReduction("Any", x, axes, o); }

}  // namespace staticflow
