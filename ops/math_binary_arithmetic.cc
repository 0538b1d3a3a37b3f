// Add, Sub, Mul, Maximum, Minimum, SquaredDifference and the operators + - *. Contracts: ops/math_binary.h.
#include "ops/array.h"
#include "ops/elementwise.h"
#include "ops/math_binary.h"
#include "ops/math_unary.h"
#include "ops/neutral_operands.h"

namespace staticflow {
namespace {

// Add and AddV2: z = x + y; strings (Add only) are joined.   dx = dy = dz.
void AddGradient(GradientContext& c) {
  c.set_dx(0, SumToShapeOf(c.dy(0), c.x(0), c.x(1)));
  c.set_dx(1, SumToShapeOf(c.dy(0), c.x(1), c.x(0)));
}
struct AddElements {
  template <typename X>
  X operator()(const X& x, const X& y) const {
    if constexpr (std::is_same_v<X, std::string>) {
      return x + y;
    } else {
      return WrapAdd(x, y);
    }
  }
};
using AddTypes = TypeList<float, double, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t, int64_t, std::string>;
const OpRegistrar add_op(BinaryOp("Add", "T: {bfloat16, half, float, double, uint8, int8, int16, int32, int64, string}",
                                  BinaryKernel<AddTypes>(AddElements()), AddGradient,
                                  "Element-wise x + y with broadcasting.", kNoTraits, LaneLoop<LaneOp::kAdd>));
const OpRegistrar add_v2_op(BinaryOp("AddV2", kNumberT, BinaryKernel<NumberTypes>(AddElements()), AddGradient,
                                     "Element-wise x + y with broadcasting.", kCommutative, LaneLoop<LaneOp::kAdd>,
                                     SimplifySum));

// Sub: z = x - y.   dx = dz, dy = -dz.
void SubGradient(GradientContext& c) {
  c.set_dx(0, SumToShapeOf(c.dy(0), c.x(0), c.x(1)));
  c.set_dx(1, Neg(SumToShapeOf(c.dy(0), c.x(1), c.x(0))));
}
const OpRegistrar sub_op(BinaryOp("Sub", kNumberT,
                                  BinaryKernel<NumberTypes>([](auto x, auto y) { return WrapSubtract(x, y); }),
                                  SubGradient, "Element-wise x - y with broadcasting.", kNoTraits,
                                  LaneLoop<LaneOp::kSub>, SimplifyDifference));

// Mul: z = x y.   dx = dz y, dy = dz x.
void MulGradient(GradientContext& c) {
  c.set_dx(0, SumToShapeOf(c.dy(0) * c.x(1), c.x(0), c.x(1)));
  c.set_dx(1, SumToShapeOf(c.x(0) * c.dy(0), c.x(1), c.x(0)));
}
const OpRegistrar mul_op(BinaryOp("Mul", kNumberT,
                                  BinaryKernel<NumberTypes>([](auto x, auto y) { return WrapMultiply(x, y); }),
                                  MulGradient, "Element-wise x * y with broadcasting.", kCommutative,
                                  LaneLoop<LaneOp::kMul>, SimplifyProduct));

// SquaredDifference: z = (x - y)^2.   dx = 2 dz (x - y) = -dy.
void SquaredDifferenceGradient(GradientContext& c) {
  const Output both = (2.0 * c.dy(0)) * (c.x(0) - c.x(1));
  c.set_dx(0, SumToShapeOf(both, c.x(0), c.x(1)));
  c.set_dx(1, Neg(SumToShapeOf(both, c.x(1), c.x(0))));
}
const OpRegistrar squared_difference_op(
    BinaryOp("SquaredDifference", "T: {bfloat16, half, float, double, int32, int64}",
             BinaryKernel<TypeList<float, double, Half, BFloat16, int32_t, int64_t>>([](auto x, auto y) {
               const auto difference = WrapSubtract(x, y);
               return WrapMultiply(difference, difference);
             }),
             SquaredDifferenceGradient, "Element-wise (x - y)^2 with broadcasting.", kCommutative,
             LaneLoop<LaneOp::kSquaredDifference>));

// The gradient of an op that takes x where `x_taken` holds and y elsewhere.
void TakeGradient(GradientContext& c, Output x_taken) {
  c.set_dx(0, SumToShapeOf(Where(x_taken, c.dy(0), 0), c.x(0), c.x(1)));
  c.set_dx(1, SumToShapeOf(Where(x_taken, 0, c.dy(0)), c.x(1), c.x(0)));
}

// Maximum: z = the larger of x and y, a NaN if either is.   dz goes to the one taken, to x when they are equal.
void MaximumGradient(GradientContext& c) { TakeGradient(c, GreaterEqual(c.x(0), c.x(1))); }
const OpRegistrar maximum_op(BinaryOp("Maximum", kNumberT,
                                      BinaryKernel<NumberTypes>([](auto x, auto y) { return x > y || x != x ? x : y; }),
                                      MaximumGradient, "Element-wise maximum with broadcasting.", kNoTraits,
                                      LaneLoop<LaneOp::kMaximum>));

// Minimum: the same with the smaller one.
void MinimumGradient(GradientContext& c) { TakeGradient(c, LessEqual(c.x(0), c.x(1))); }
const OpRegistrar minimum_op(BinaryOp("Minimum", kNumberT,
                                      BinaryKernel<NumberTypes>([](auto x, auto y) { return x < y || x != x ? x : y; }),
                                      MinimumGradient, "Element-wise minimum with broadcasting.", kNoTraits,
                                      LaneLoop<LaneOp::kMinimum>));

Output Build(const char* type, const Operand& x, const Operand& y, absl::string_view name,
             absl::string_view fallback = "") {
  return NodeBuilder(type, {x, y}).Name(name, fallback).Build();
}

}  // namespace

Output operator+(const Operand& x, const Operand& y) { return Build("AddV2", x, y, "add"); }
Output operator-(const Operand& x, const Operand& y) { return Build("Sub", x, y, "sub"); }
Output operator*(const Operand& x, const Operand& y) { return Build("Mul", x, y, "mul"); }
Output Add(Operand x, Operand y, const OpOptions& o) { return Build("AddV2", x, y, o.name, "Add"); }
Output Sub(Operand x, Operand y, const OpOptions& o) { return Build("Sub", x, y, o.name); }
Output Mul(Operand x, Operand y, const OpOptions& o) { return Build("Mul", x, y, o.name); }
Output Maximum(Operand x, Operand y, const OpOptions& o) { return Build("Maximum", x, y, o.name); }
Output Minimum(Operand x, Operand y, const OpOptions& o) { return Build("Minimum", x, y, o.name); }
Output SquaredDifference(Operand x, Operand y, const OpOptions& o) { return Build("SquaredDifference", x, y, o.name); }

}  // namespace staticflow
