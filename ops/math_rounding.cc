// Rounding, classes of floating-point values, and the bits of integers. Contracts: ops/math_unary.h, ops/math_binary.h.
#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/gradients.h"
#include "ops/elementwise.h"
#include "ops/loop_arithmetic.h"
#include "ops/math_binary.h"
#include "ops/math_unary.h"

namespace staticflow {
namespace {

// Floor, Ceil, Rint and Round: y = a whole number near x, halves to the even one. Piecewise constant: no gradient.
const OpRegistrar floor_op(UnaryOp("Floor", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::floor(x); }),
                                   kNotDifferentiable, "The largest integer not above x, element-wise.",
                                   LaneLoop<LaneOp::kFloor>));
const OpRegistrar ceil_op(UnaryOp("Ceil", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::ceil(x); }),
                                  kNotDifferentiable, "The smallest integer not below x, element-wise.",
                                  LaneLoop<LaneOp::kCeil>));
const OpRegistrar rint_op(UnaryOp("Rint", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::nearbyint(x); }),
                                  kNotDifferentiable, "The nearest integer, element-wise; halves to even.",
                                  LaneLoop<LaneOp::kRint>));
const OpRegistrar round_op(UnaryOp("Round", kSignedT, UnaryKernel<SignedTypes>([](auto x) {
                                     if constexpr (std::is_integral_v<decltype(x)>) {
                                       return x;
                                     } else {
                                       return std::nearbyint(x);
                                     }
                                   }),
                                   kNotDifferentiable, "The nearest integer, element-wise; halves to even.",
                                   LaneLoop<LaneOp::kRint>));

// IsNan, IsInf and IsFinite: y = whether x is one.
constexpr float kInfinity = std::numeric_limits<float>::infinity();
bool IsNanLoop(LoopContext& c) { return c.set_output(0, Apply(LaneOp::kNotEqual, Lanes(c, 0), Lanes(c, 0)).reg()); }
bool IsInfLoop(LoopContext& c) { return c.set_output(0, Apply(LaneOp::kEqual, abs(Lanes(c, 0)), kInfinity).reg()); }
bool IsFiniteLoop(LoopContext& c) { return c.set_output(0, (abs(Lanes(c, 0)) < kInfinity).reg()); }
OpSpec ClassOp(std::string name, KernelSource kernel, std::string doc, LoopFunction loop) {
  OpSpec spec = UnaryOp(std::move(name), kFloatT, kernel, kNotDifferentiable, std::move(doc), loop);
  spec.outputs = {"y: bool"};
  spec.traits = kElementwise;
  return spec;
}
const OpRegistrar is_nan_op(ClassOp("IsNan", UnaryKernel<FloatTypes>([](auto x) { return bool(std::isnan(x)); }),
                                    "Whether x is not a number, element-wise.", IsNanLoop));
const OpRegistrar is_inf_op(ClassOp("IsInf", UnaryKernel<FloatTypes>([](auto x) { return bool(std::isinf(x)); }),
                                    "Whether x is infinite, element-wise.", IsInfLoop));
const OpRegistrar is_finite_op(ClassOp("IsFinite",
                                       UnaryKernel<FloatTypes>([](auto x) { return bool(std::isfinite(x)); }),
                                       "Whether x is neither infinite nor NaN, element-wise.", IsFiniteLoop));

// Invert: y = every bit of x flipped.   BitwiseAnd, BitwiseOr, BitwiseXor: z = x and, or, exclusive or y.
const OpRegistrar invert_op(UnaryOp("Invert", kIntegerT,
                                    UnaryKernel<IntegerTypes>([](auto x) { return static_cast<decltype(x)>(~x); }),
                                    kNotDifferentiable, "Every bit flipped, element-wise."));
const OpRegistrar bitwise_and_op(BinaryOp("BitwiseAnd", kIntegerT, BinaryKernel<IntegerTypes>([](auto x, auto y) {
                                            return static_cast<decltype(x)>(x & y);
                                          }),
                                          kNotDifferentiable, "Bit-wise x and y with broadcasting.", kCommutative));
const OpRegistrar bitwise_or_op(BinaryOp("BitwiseOr", kIntegerT, BinaryKernel<IntegerTypes>([](auto x, auto y) {
                                           return static_cast<decltype(x)>(x | y);
                                         }),
                                         kNotDifferentiable, "Bit-wise x or y with broadcasting.", kCommutative));
const OpRegistrar bitwise_xor_op(BinaryOp(
    "BitwiseXor", kIntegerT, BinaryKernel<IntegerTypes>([](auto x, auto y) { return static_cast<decltype(x)>(x ^ y); }),
    kNotDifferentiable, "Bit-wise exclusive or with broadcasting.", kCommutative));

// LeftShift and RightShift: z = x shifted by y bits, y cut to [0, bits - 1].
template <typename Y>
int ShiftBy(Y y) {
  constexpr int kBits = sizeof(Y) * 8;
  return y > Y(kBits - 1) ? kBits - 1 : static_cast<int>(std::max(y, Y(0)));
}
const OpRegistrar left_shift_op(BinaryOp("LeftShift", kIntegerT, BinaryKernel<IntegerTypes>([](auto x, auto y) {
                                           using X = decltype(x);
                                           return static_cast<X>(static_cast<uint64_t>(x) << ShiftBy(y));
                                         }),
                                         kNotDifferentiable, "Element-wise x << y with broadcasting."));
const OpRegistrar right_shift_op(BinaryOp("RightShift", kIntegerT, BinaryKernel<IntegerTypes>([](auto x, auto y) {
                                            return static_cast<decltype(x)>(x >> ShiftBy(y));
                                          }),
                                          kNotDifferentiable, "Element-wise x >> y with broadcasting."));

Output Build(const char* type, const Operand& x, const OpOptions& options) {
  return NodeBuilder(type, {x}).Name(options.name).Build();
}
Output Build(const char* type, const Operand& x, const Operand& y, const OpOptions& options) {
  return NodeBuilder(type, {x, y}).Name(options.name).Build();
}

}  // namespace

Output Floor(Operand x, const OpOptions& o) { return Build("Floor", x, o); }
Output Ceil(Operand x, const OpOptions& o) { return Build("Ceil", x, o); }
Output Rint(Operand x, const OpOptions& o) { return Build("Rint", x, o); }
Output Round(Operand x, const OpOptions& o) { return Build("Round", x, o); }
Output IsNan(Operand x, const OpOptions& o) { return Build("IsNan", x, o); }
Output IsInf(Operand x, const OpOptions& o) { return Build("IsInf", x, o); }
Output IsFinite(Operand x, const OpOptions& o) { return Build("IsFinite", x, o); }
Output Invert(Operand x, const OpOptions& o) { return Build("Invert", x, o); }
Output BitwiseAnd(Operand x, Operand y, const OpOptions& o) { return Build("BitwiseAnd", x, y, o); }
Output BitwiseOr(Operand x, Operand y, const OpOptions& o) { return Build("BitwiseOr", x, y, o); }
Output BitwiseXor(Operand x, Operand y, const OpOptions& o) { return Build("BitwiseXor", x, y, o); }
Output LeftShift(Operand x, Operand y, const OpOptions& o) { return Build("LeftShift", x, y, o); }
Output RightShift(Operand x, Operand y, const OpOptions& o) { return Build("RightShift", x, y, o); }

}  // namespace staticflow
