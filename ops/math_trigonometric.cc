// Sines and their kin. Contracts: ops/math_unary.h.
#include <cmath>

#include "ops/elementwise.h"
#include "ops/math_binary.h"
#include "ops/math_unary.h"

namespace staticflow {
namespace {

// Sin: y = sin x.   dx = dy cos x.
void SinGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Cos(c.x(0))); }
const OpRegistrar sin_op(UnaryOp("Sin", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::sin(x); }),
                                 SinGradient, "Element-wise sine."));

// Cos: y = cos x.   dx = -dy sin x.
void CosGradient(GradientContext& c) { c.set_dx(0, Neg(c.dy(0)) * Sin(c.x(0))); }
const OpRegistrar cos_op(UnaryOp("Cos", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::cos(x); }),
                                 CosGradient, "Element-wise cosine."));

// Tan: y = tan x.   dx = dy / cos^2 x.
void TanGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Square(Reciprocal(Cos(c.x(0))))); }
const OpRegistrar tan_op(UnaryOp("Tan", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::tan(x); }),
                                 TanGradient, "Element-wise tangent."));

// Asin: y = arcsin x.   dx = dy / sqrt(1 - x^2).
void AsinGradient(GradientContext& c) { c.set_dx(0, c.dy(0) / Sqrt(1.0 - Square(c.x(0)))); }
const OpRegistrar asin_op(UnaryOp("Asin", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::asin(x); }),
                                  AsinGradient, "Element-wise inverse of Sin, for |x| <= 1."));

// Acos: y = arccos x.   dx = -dy / sqrt(1 - x^2).
void AcosGradient(GradientContext& c) { c.set_dx(0, Neg(c.dy(0)) / Sqrt(1.0 - Square(c.x(0)))); }
const OpRegistrar acos_op(UnaryOp("Acos", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::acos(x); }),
                                  AcosGradient, "Element-wise inverse of Cos, for |x| <= 1."));

// Atan: y = arctan x.   dx = dy / (1 + x^2).
void AtanGradient(GradientContext& c) { c.set_dx(0, c.dy(0) * Reciprocal(1.0 + Square(c.x(0)))); }
const OpRegistrar atan_op(UnaryOp("Atan", kFloatT, UnaryKernel<FloatTypes>([](auto x) { return std::atan(x); }),
                                  AtanGradient, "Element-wise inverse of Tan."));

Output Build(const char* type, const Operand& x, const OpOptions& options) {
  return NodeBuilder(type, {x}).Name(options.name).Build();
}

}  // namespace

Output Sin(Operand x, const OpOptions& o) { return Build("Sin", x, o); }
Output Cos(Operand x, const OpOptions& o) { return Build("Cos", x, o); }
Output Tan(Operand x, const OpOptions& o) { return Build("Tan", x, o); }
Output Asin(Operand x, const OpOptions& o) { return Build("Asin", x, o); }
Output Acos(Operand x, const OpOptions& o) { return Build("Acos", x, o); }
Output Atan(Operand x, const OpOptions& o) { return Build("Atan", x, o); }

}  // namespace staticflow
