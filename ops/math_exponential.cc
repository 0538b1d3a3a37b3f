// Exponentials, logarithms and hyperbolic functions. Contracts: ops/math_unary.h.
#include <cmath>

#include "ops/elementwise.h"
#include "ops/math_binary.h"
#include "ops/math_unary.h"

namespace staticflow {
namespace {

// Exp: y = e^x.   dx = dy y.
void ExpGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * c.y(0)); }
const OpRegistrar exp_op(UnaryOp("Exp", kFloatT,
                                 UnaryKernel<FloatTypes, LaneOp::kExp>([](auto x) { return std::exp(x); }), ExpGradient,
                                 "Element-wise e^x.", LaneLoop<LaneOp::kExp>));

// Expm1: y = e^x - 1.   dx = dy e^x.
void Expm1Gradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Exp(c.x(0))); }
const OpRegistrar expm1_op(UnaryOp("Expm1", kFloatT,
                                   UnaryKernel<FloatTypes, LaneOp::kExpm1>([](auto x) { return std::expm1(x); }),
                                   Expm1Gradient, "Element-wise e^x - 1, accurate near 0.", LaneLoop<LaneOp::kExpm1>));

// Log: y = ln x.   dx = dy / x.
void LogGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Reciprocal(c.x(0))); }
const OpRegistrar log_op(UnaryOp("Log", kFloatT,
                                 UnaryKernel<FloatTypes, LaneOp::kLog>([](auto x) { return std::log(x); }), LogGradient,
                                 "Element-wise natural logarithm.", LaneLoop<LaneOp::kLog>));

// Log1p: y = ln(1 + x).   dx = dy / (1 + x).
void Log1pGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Reciprocal(1.0 + c.x(0))); }
const OpRegistrar log1p_op(UnaryOp("Log1p", kFloatT,
                                   UnaryKernel<FloatTypes, LaneOp::kLog1p>([](auto x) { return std::log1p(x); }),
                                   Log1pGradient, "Element-wise ln(1 + x), accurate near 0.",
                                   LaneLoop<LaneOp::kLog1p>));

// Sigmoid: y = 1 / (1 + e^-x).   dx = dy y (1 - y).
void SigmoidGradient(GradientContext& c) { c.set_dx(0, SigmoidGrad(c.y(0), c.dy(0))); }
const OpRegistrar sigmoid_op(UnaryOp("Sigmoid", kFloatT, UnaryKernel<FloatTypes, LaneOp::kSigmoid>([](auto x) {
                                       return decltype(x)(1) / (decltype(x)(1) + std::exp(-x));
                                     }),
                                     SigmoidGradient, "Element-wise 1 / (1 + e^-x).", LaneLoop<LaneOp::kSigmoid>));

// SigmoidGrad: z = dy y (1 - y).   d(y) = dz dy (1 - 2 y), d(dy) = dz y (1 - y).
void SigmoidGradGradient(GradientContext& c) {
  c.set_dx(0, (c.dy(0) * c.x(1)) * (1.0 - 2.0 * c.x(0)));
  c.set_dx(1, SigmoidGrad(c.x(0), c.dy(0)));
}
const OpRegistrar sigmoid_grad_op(UnaryGradOp(
    "SigmoidGrad", BinaryKernel<FloatTypes>([](auto y, auto dy) { return dy * (y * (decltype(y)(1) - y)); }),
    SigmoidGradGradient, "The gradient of Sigmoid, from its value.", LaneLoop<LaneOp::kSigmoidGrad>));

// Tanh: y = tanh x.   dx = dy (1 - y^2).
void TanhGradient(GradientContext& c) { c.set_dx(0, TanhGrad(c.y(0), c.dy(0))); }
const OpRegistrar tanh_op(UnaryOp("Tanh", kFloatT,
                                  UnaryKernel<FloatTypes, LaneOp::kTanh>([](auto x) { return std::tanh(x); }),
                                  TanhGradient, "Element-wise hyperbolic tangent.", LaneLoop<LaneOp::kTanh>));

// TanhGrad: z = dy (1 - y^2).   d(y) = -2 dz dy y, d(dy) = dz (1 - y^2).
void TanhGradGradient(GradientContext& c) {
  c.set_dx(0, (-2.0 * c.dy(0)) * (c.x(1) * c.x(0)));
  c.set_dx(1, TanhGrad(c.x(0), c.dy(0)));
}
const OpRegistrar tanh_grad_op(
    UnaryGradOp("TanhGrad", BinaryKernel<FloatTypes>([](auto y, auto dy) { return dy * (decltype(y)(1) - y * y); }),
                TanhGradGradient, "The gradient of Tanh, from its value.", LaneLoop<LaneOp::kTanhGrad>));

// Sinh: y = sinh x.   dx = dy cosh x.
void SinhGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Cosh(c.x(0))); }
const OpRegistrar sinh_op(UnaryOp("Sinh", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::sinh(x); }),
                                  SinhGradient, "Element-wise hyperbolic sine."));

// Cosh: y = cosh x.   dx = dy sinh x.
void CoshGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Sinh(c.x(0))); }
const OpRegistrar cosh_op(UnaryOp("Cosh", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::cosh(x); }),
                                  CoshGradient, "Element-wise hyperbolic cosine."));

// Asinh: y = arsinh x.   dx = dy / cosh y.
void AsinhGradient(GradientContext& c) { c.set_dx(0, c.dy(0) / Cosh(c.y(0))); }
const OpRegistrar asinh_op(UnaryOp("Asinh", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::asinh(x); }),
                                   AsinhGradient, "Element-wise inverse of Sinh."));

// Acosh: y = arcosh x.   dx = dy / sinh y.
void AcoshGradient(GradientContext& c) { c.set_dx(0, c.dy(0) / Sinh(c.y(0))); }
const OpRegistrar acosh_op(UnaryOp("Acosh", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::acosh(x); }),
                                   AcoshGradient, "Element-wise inverse of Cosh, for x >= 1."));

// Atanh: y = artanh x.   dx = dy / (1 - x^2).
void AtanhGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Reciprocal(1.0 - Square(c.x(0)))); }
const OpRegistrar atanh_op(UnaryOp("Atanh", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::atanh(x); }),
                                   AtanhGradient, "Element-wise inverse of Tanh, for |x| <= 1."));

Output Build(const char* type, const Operand& x, const OpOptions& options) {
  return NodeBuilder(type, {x}).Name(options.name).Build();
}

}  // namespace

Output Exp(Operand x, const OpOptions& o) { return Build("Exp", x, o); }
Output Expm1(Operand x, const OpOptions& o) { return Build("Expm1", x, o); }
Output Log(Operand x, const OpOptions& o) { return Build("Log", x, o); }
Output Log1p(Operand x, const OpOptions& o) { return Build("Log1p", x, o); }
Output Sigmoid(Operand x, const OpOptions& o) { return Build("Sigmoid", x, o); }
Output SigmoidGrad(Operand y, Operand dy, const OpOptions& o) {
  return NodeBuilder("SigmoidGrad", {y, dy}).Name(o.name).Build();
}
Output TanhGrad(Operand y, Operand dy, const OpOptions& o) {
  return NodeBuilder("TanhGrad", {y, dy}).Name(o.name).Build();
}
Output Tanh(Operand x, const OpOptions& o) { return Build("Tanh", x, o); }
Output Sinh(Operand x, const OpOptions& o) { return Build("Sinh", x, o); }
Output Cosh(Operand x, const OpOptions& o) { return Build("Cosh", x, o); }
Output Asinh(Operand x, const OpOptions& o) { return Build("Asinh", x, o); }
Output Acosh(Operand x, const OpOptions& o) { return Build("Acosh", x, o); }
Output Atanh(Operand x, const OpOptions& o) { return Build("Atanh", x, o); }

}  // namespace staticflow
