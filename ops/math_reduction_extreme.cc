// Prod, Max and Min. Contracts: ops/math_reduction.h.
#include <limits>

#include "ops/array.h"
#include "ops/math_binary.h"
#include "ops/math_reduction_ops.h"
#include "ops/math_unary.h"

namespace staticflow {
namespace {

// Prod: y = the product.   dx = dy times the product of all others, which running products from both ends give
// without dividing by elements that may be 0.
struct Multiplying {
  template <typename T>
  using Sum = WrappingSum<T>;
  template <typename A>
  static A Start() {
    return A(1);
  }
  template <typename A>
  [[gnu::always_inline]] static inline void Combine(A& a, const A& b) {
    a *= b;
  }
  template <typename T>
  static T Finish(Sum<T> product, int64_t) {
    return static_cast<T>(product);
  }
};
void ProdGradient(GradientContext& c) {
  const auto [order, num_reduced] = ReducedFirst(c);
  const Output x = Transpose(c.x(0), order);
  const Output shape = ShapeOf(x);
  // [product of the reduced sizes, product of the others]: no -1, which empty tensors would leave open.
  const Output sizes = Stack({Prod(Slice(shape, {0}, ReshapeTo(num_reduced, {1})), {0}),
                              Prod(Slice(shape, ReshapeTo(num_reduced, {1}), {-1}), {0})});
  const Output matrix = Reshape(x, sizes);
  const Output before = CumProd(matrix, 0, {.exclusive = true});
  const Output after = CumProd(matrix, 0, {.exclusive = true, .reverse = true});
  const Output others = Transpose(Reshape(before * after, shape), InvertPermutation(order));
  c.set_dx(0, WithReducedDims(c, c.dy(0)) * others);
}
const OpRegistrar prod_op(ReductionOp("Prod", kNumberT,
                                      &ReductionKernel<Multiplying, float, double, Half, BFloat16, int32_t, int64_t,
                                                       uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>,
                                      ProdGradient, "The product of the elements along the reduced dimensions."));

// Max: y = the largest element, NaN when there is one.   dx = dy, shared evenly by the elements that equal y.
struct Maximizing {
  template <typename T>
  using Sum = ComputeType<T>;
  template <typename A>
  static A Start() {
    using Limits = std::numeric_limits<A>;
    return Limits::has_infinity ? A(-Limits::infinity()) : Limits::lowest();
  }
  template <typename A>
  [[gnu::always_inline]] static inline void Combine(A& a, const A& b) {
    a = ((a > b) | (a != a)) ? a : b;
  }
  template <typename T>
  static T Finish(Sum<T> extreme, int64_t) {
    return static_cast<T>(extreme);
  }
};
struct Minimizing : Maximizing {
  template <typename A>
  static A Start() {
    using Limits = std::numeric_limits<A>;
    return Limits::has_infinity ? Limits::infinity() : Limits::max();
  }
  template <typename A>
  [[gnu::always_inline]] static inline void Combine(A& a, const A& b) {
    a = ((a < b) | (a != a)) ? a : b;
  }
};
void ExtremeGradient(GradientContext& c) {
  const Output chosen = Cast(Equal(WithReducedDims(c, c.y(0)), c.x(0)), c.y(0).dtype());
  const Output number = WithReducedDims(c, Sum(chosen, c.x(1), {.keep_dims = c.attr<bool>("keep_dims")}));
  c.set_dx(0, chosen / number * WithReducedDims(c, c.dy(0)));
}
const OpRegistrar max_op(ReductionOp("Max", kNumberT,
                                     &ReductionKernel<Maximizing, float, double, Half, BFloat16, int32_t, int64_t,
                                                      uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>,
                                     ExtremeGradient, "The largest element along the reduced dimensions."));
const OpRegistrar min_op(ReductionOp("Min", kNumberT,
                                     &ReductionKernel<Minimizing, float, double, Half, BFloat16, int32_t, int64_t,
                                                      uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>,
                                     ExtremeGradient, "The smallest element along the reduced dimensions."));

}  // namespace

Output Prod(Operand x, const Axes& axes, const ReduceOptions& o) { return BuildReduction("Prod", x, axes, o); }
Output Max(Operand x, const Axes& axes, const ReduceOptions& o) { return BuildReduction("Max", x, axes, o); }
Output Min(Operand x, const Axes& axes, const ReduceOptions& o) { return BuildReduction("Min", x, axes, o); }

}  // namespace staticflow
