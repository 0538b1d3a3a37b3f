// Abs, Neg, Sign, Square, roots and reciprocals. Contracts: ops/math_unary.h.
#include <cmath>

#include "ops/array.h"
#include "ops/elementwise.h"
#include "ops/loop_arithmetic.h"
#include "ops/math_binary.h"
#include "ops/math_unary.h"

namespace staticflow {
namespace {

// Abs: y = |x|.   dx = dy sign(x).
void AbsGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Sign(c.x(0))); }
const OpRegistrar abs_op(UnaryOp("Abs", kSignedT, UnaryKernel<SignedTypes>([](auto x) {
                                   if constexpr (std::is_integral_v<decltype(x)>) {
                                     return x < 0 ? WrapNegate(x) : x;
                                   } else {
                                     return std::abs(x);
                                   }
                                 }),
                                 AbsGradient, "Element-wise |x|.", LaneLoop<LaneOp::kAbs>));

// Neg: y = -x.   dx = -dy.
void NegGradient(GradientContext& c) { c.set_dx(0, Neg(c.dy(0))); }
const OpRegistrar neg_op(UnaryOp("Neg", kSignedT, UnaryKernel<SignedTypes>([](auto x) { return WrapNegate(x); }),
                                 NegGradient, "Element-wise -x.", LaneLoop<LaneOp::kNeg>));

// Sign: y = -1, 0 or 1; NaN stays NaN.   dx = 0.
void SignGradient(GradientContext& c) { c.set_dx(0, ZerosLike(c.x(0))); }
const OpRegistrar sign_op(UnaryOp("Sign", kSignedT, UnaryKernel<SignedTypes>([](auto x) {
                                    using X = decltype(x);
                                    return x != x ? x : X(X(x > 0) - X(x < 0));
                                  }),
                                  SignGradient, "Element-wise sign: -1, 0 or 1.", LaneLoop<LaneOp::kSign>));

// Square: y = x^2.   dx = 2 x dy.
void SquareGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * (2.0 * c.x(0))); }
const OpRegistrar square_op(UnaryOp("Square", kNumberT,
                                    UnaryKernel<NumberTypes>([](auto x) { return WrapMultiply(x, x); }), SquareGradient,
                                    "Element-wise x squared.", LaneLoop<LaneOp::kSquare>));

// Sqrt: y = x^(1/2).   dx = dy / (2 y).
void SqrtGradient(GradientContext& c) { c.set_dx(0, SqrtGrad(c.y(0), c.dy(0))); }
const OpRegistrar sqrt_op(UnaryOp("Sqrt", kFloatT,
                                  UnaryKernel<FloatTypes, LaneOp::kSqrt>([](auto x) { return std::sqrt(x); }),
                                  SqrtGradient, "Element-wise square root.", LaneLoop<LaneOp::kSqrt>));

// SqrtGrad, RsqrtGrad, ReciprocalGrad and InvGrad are 0 where dy is 0, as in TensorFlow, even where y is 0 or infinite:
// so nothing comes back through a root or a quotient that a mask has left out.
template <typename T>
T ZeroWithout(T dy, T z) {
  return dy == T(0) ? T(0) : z;
}
Lanes ZeroWithout(const Lanes& dy, const Lanes& z) { return Choose(IsZero(dy), 0, z); }

// SqrtGrad: z = dy / (2 y).   d(y) = -dz z / y, d(dy) = dz / (2 y).
void SqrtGradGradient(GradientContext& c) {
  const Output by_y = c.dy(0) / c.x(0);
  c.set_dx(0, Neg(by_y) * c.y(0));
  c.set_dx(1, by_y * 0.5);
}
bool SqrtGradLoop(LoopContext& c) {
  const Lanes y(c, 0), dy(c, 1);
  return c.set_output(0, ZeroWithout(dy, dy * 0.5 / y).reg());
}
const OpRegistrar sqrt_grad_op(UnaryGradOp("SqrtGrad", BinaryKernel<FloatTypes>([](auto y, auto dy) {
                                             return ZeroWithout(dy, dy * decltype(y)(0.5) / y);
                                           }),
                                           SqrtGradGradient, "The gradient of Sqrt, from its value.", SqrtGradLoop));

// Rsqrt: y = x^(-1/2).   dx = -dy y^3 / 2.
void RsqrtGradient(GradientContext& c) { c.set_dx(0, RsqrtGrad(c.y(0), c.dy(0))); }
const OpRegistrar rsqrt_op(UnaryOp(
    "Rsqrt", kFloatT, UnaryKernel<FloatTypes, LaneOp::kRsqrt>([](auto x) { return decltype(x)(1) / std::sqrt(x); }),
    RsqrtGradient, "Element-wise reciprocal of the square root.", LaneLoop<LaneOp::kRsqrt>));

// RsqrtGrad: z = -dy y^3 / 2.   d(y) = -3/2 dz dy y^2, d(dy) = -dz y^3 / 2.
void RsqrtGradGradient(GradientContext& c) {
  c.set_dx(0, (-1.5 * c.dy(0)) * (c.x(1) * Square(c.x(0))));
  c.set_dx(1, RsqrtGrad(c.x(0), c.dy(0)));
}
bool RsqrtGradLoop(LoopContext& c) {
  const Lanes y(c, 0), dy(c, 1);
  return c.set_output(0, ZeroWithout(dy, dy * -0.5 * y * (y * y)).reg());
}
const OpRegistrar rsqrt_grad_op(UnaryGradOp("RsqrtGrad", BinaryKernel<FloatTypes>([](auto y, auto dy) {
                                              return ZeroWithout(dy, dy * decltype(y)(-0.5) * y * (y * y));
                                            }),
                                            RsqrtGradGradient, "The gradient of Rsqrt, from its value.",
                                            RsqrtGradLoop));

// Reciprocal and Inv: y = 1 / x.   dx = -dy y^2.
void ReciprocalGradient(GradientContext& c) { c.set_dx(0, ReciprocalGrad(c.y(0), c.dy(0))); }
const KernelSource kReciprocalKernel = UnaryKernel<FloatTypes>([](auto x) { return decltype(x)(1) / x; });
const OpRegistrar reciprocal_op(UnaryOp("Reciprocal", kFloatT, kReciprocalKernel, ReciprocalGradient,
                                        "Element-wise 1 / x.", LaneLoop<LaneOp::kReciprocal>));
const OpRegistrar inv_op(UnaryOp("Inv", kFloatT, kReciprocalKernel, ReciprocalGradient, "Element-wise 1 / x.",
                                 LaneLoop<LaneOp::kReciprocal>));

// ReciprocalGrad and InvGrad: z = -dy y^2.   d(y) = -2 dz dy y, d(dy) = -dz y^2.
void ReciprocalGradGradient(GradientContext& c) {
  c.set_dx(0, (-2.0 * c.dy(0)) * (c.x(1) * c.x(0)));
  c.set_dx(1, ReciprocalGrad(c.x(0), c.dy(0)));
}
bool ReciprocalGradLoop(LoopContext& c) {
  const Lanes y(c, 0), dy(c, 1);
  return c.set_output(0, ZeroWithout(dy, -dy * (y * y)).reg());
}
const KernelSource kReciprocalGradKernel =
    BinaryKernel<FloatTypes>([](auto y, auto dy) { return ZeroWithout(dy, -dy * (y * y)); });
const OpRegistrar reciprocal_grad_op(UnaryGradOp("ReciprocalGrad", kReciprocalGradKernel, ReciprocalGradGradient,
                                                 "The gradient of Reciprocal, from its value.", ReciprocalGradLoop));
const OpRegistrar inv_grad_op(UnaryGradOp("InvGrad", kReciprocalGradKernel, ReciprocalGradGradient,
                                          "The gradient of Inv, from its value.", ReciprocalGradLoop));

Output Build(const char* type, const Operand& x, const OpOptions& options) {
  return NodeBuilder(type, {x}).Name(options.name).Build();
}
Output Build(const char* type, const Operand& y, const Operand& dy, const OpOptions& options) {
  return NodeBuilder(type, {y, dy}).Name(options.name).Build();
}

}  // namespace

Output Abs(Operand x, const OpOptions& o) { return Build("Abs", x, o); }
Output Neg(Operand x, const OpOptions& o) { return Build("Neg", x, o); }
Output operator-(const Operand& x) { return Build("Neg", x, {}); }
Output Sign(Operand x, const OpOptions& o) { return Build("Sign", x, o); }
Output Square(Operand x, const OpOptions& o) { return Build("Square", x, o); }
Output Sqrt(Operand x, const OpOptions& o) { return Build("Sqrt", x, o); }
Output Rsqrt(Operand x, const OpOptions& o) { return Build("Rsqrt", x, o); }
Output Reciprocal(Operand x, const OpOptions& o) { return Build("Reciprocal", x, o); }
Output Inv(Operand x, const OpOptions& o) { return Build("Inv", x, o); }
Output SqrtGrad(Operand y, Operand dy, const OpOptions& o) { return Build("SqrtGrad", y, dy, o); }
Output RsqrtGrad(Operand y, Operand dy, const OpOptions& o) { return Build("RsqrtGrad", y, dy, o); }
Output ReciprocalGrad(Operand y, Operand dy, const OpOptions& o) { return Build("ReciprocalGrad", y, dy, o); }

}  // namespace staticflow
