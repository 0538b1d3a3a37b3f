// Pow, Atan2, and products and quotients that are 0 where a factor is. Contracts: ops/math_binary.h.
#include <cmath>

#include "ops/array.h"
#include "ops/elementwise.h"
#include "ops/loop_arithmetic.h"
#include "ops/math_binary.h"
#include "ops/math_unary.h"
#include "ops/neutral_operands.h"

namespace staticflow {
namespace {

// Sets both gradients, each in the broadcast shape.
void SetBoth(GradientContext& c, Output dx, Output dy) {
  c.set_dx(0, SumToShapeOf(dx, c.x(0), c.x(1)));
  c.set_dx(1, SumToShapeOf(dy, c.x(1), c.x(0)));
}

// Pow: z = x^y.   dx = dz y x^(y-1), dy = dz z ln x, taken as 0 where x <= 0.
template <typename X>
X Power(X x, X y) {
  if constexpr (std::is_floating_point_v<X>) {
    return std::pow(x, y);
  } else {
    X power = 1;
    for (; y > 0; y = static_cast<X>(y / 2)) {
      if (y % 2 != 0) power = WrapMultiply(power, x);
      x = WrapMultiply(x, x);
    }
    return power;
  }
}
struct CheckExponent {
  template <typename Y>
  requires std::is_integral_v<Y>
  const char* operator()(Y y) const { return y < 0 ? "an integer to a negative integer power" : nullptr; }
};
void PowGradient(GradientContext& c) {
  const Output x = c.x(0), y = c.x(1);
  const Output positive = Greater(x, 0);
  const Output log = Where(positive, Log(Where(positive, x, 1)), 0);
  SetBoth(c, c.dy(0) * y * Pow(x, y - 1), c.dy(0) * c.y(0) * log);
}
const OpRegistrar pow_op(
    BinaryOp("Pow", kSignedT, BinaryKernel<SignedTypes>([](auto x, auto y) { return Power(x, y); }, CheckExponent()),
             PowGradient, "Element-wise x to the power of y with broadcasting.", kNoTraits, nullptr, SimplifyPower));

// Atan2: z = the angle of the point (x, y).   dy = dz x / (x^2 + y^2), dx = -dz y / (x^2 + y^2).
void Atan2Gradient(GradientContext& c) {
  const Output y = c.x(0), x = c.x(1);
  const Output scaled = c.dy(0) / (Square(x) + Square(y));
  SetBoth(c, x * scaled, -y * scaled);
}
OpSpec Atan2Op() {
  OpSpec spec = BinaryOp("Atan2", kFloatT, BinaryKernel<FloatTypes>([](auto y, auto x) { return std::atan2(y, x); }),
                         Atan2Gradient, "Element-wise angle of the point (x, y), in [-pi, pi].");
  spec.inputs = {"y: T", "x: T"};
  return spec;
}
const OpRegistrar atan2_op(Atan2Op());

// Xdivy: z = x / y, 0 where x = 0.   dx = dz / y where x != 0, dy = -dz x / y^2.
void XdivyGradient(GradientContext& c) {
  const Output x = c.x(0), y = c.x(1);
  const Output inverse = Xdivy(Cast(NotEqual(x, 0), x.dtype()), y);
  SetBoth(c, inverse * c.dy(0), Xdivy(Neg(x), Square(y)) * c.dy(0));
}
bool XdivyLoop(LoopContext& c) {
  const Lanes x(c, 0), y(c, 1);
  return c.set_output(0, Choose(IsZero(x), 0, x / y).reg());
}
const OpRegistrar xdivy_op(BinaryOp("Xdivy", kFloatT, BinaryKernel<FloatTypes>([](auto x, auto y) {
                                      return x == 0 ? decltype(x)(0) : x / y;
                                    }),
                                    XdivyGradient, "Element-wise x / y, 0 where x is 0.", kNoTraits, XdivyLoop));

// Xlogy: z = x ln y, 0 where x = 0.   dx = dz ln y where x != 0, dy = dz x / y.
void XlogyGradient(GradientContext& c) {
  const Output x = c.x(0), y = c.x(1);
  SetBoth(c, Xlogy(Cast(NotEqual(x, 0), x.dtype()), y) * c.dy(0), Xdivy(x, y) * c.dy(0));
}
const OpRegistrar xlogy_op(BinaryOp("Xlogy", kFloatT, BinaryKernel<FloatTypes>([](auto x, auto y) {
                                      return x == 0 ? decltype(x)(0) : x * std::log(y);
                                    }),
                                    XlogyGradient, "Element-wise x ln y, 0 where x is 0."));

// Xlog1py: z = x ln(1 + y), 0 where x = 0.   dx = dz ln(1 + y) where x != 0, dy = dz x / (1 + y).
void Xlog1pyGradient(GradientContext& c) {
  const Output x = c.x(0), y = c.x(1);
  SetBoth(c, Xlog1py(Cast(NotEqual(x, 0), x.dtype()), y) * c.dy(0), Xdivy(x, 1 + y) * c.dy(0));
}
const OpRegistrar xlog1py_op(BinaryOp("Xlog1py", kFloatT, BinaryKernel<FloatTypes>([](auto x, auto y) {
                                        return x == 0 ? decltype(x)(0) : x * std::log1p(y);
                                      }),
                                      Xlog1pyGradient, "Element-wise x ln(1 + y), 0 where x is 0."));

// MulNoNan: z = x y, 0 where y = 0, even if x is not finite.   dx = dz y, dy = dz x where dz != 0.
void MulNoNanGradient(GradientContext& c) { SetBoth(c, MulNoNan(c.dy(0), c.x(1)), MulNoNan(c.x(0), c.dy(0))); }
bool MulNoNanLoop(LoopContext& c) {
  const Lanes x(c, 0), y(c, 1);
  return c.set_output(0, Choose(IsZero(y), 0, x * y).reg());
}
const OpRegistrar mul_no_nan_op(BinaryOp(
    "MulNoNan", kFloatT, BinaryKernel<FloatTypes>([](auto x, auto y) { return y == 0 ? decltype(x)(0) : x * y; }),
    MulNoNanGradient, "Element-wise x y, 0 where y is 0.", kNoTraits, MulNoNanLoop));

Output Build(const char* type, const Operand& x, const Operand& y, absl::string_view name) {
  return NodeBuilder(type, {x, y}).Name(name).Build();
}

}  // namespace

Output Pow(Operand x, Operand y, const OpOptions& o) { return Build("Pow", x, y, o.name); }
Output Atan2(Operand y, Operand x, const OpOptions& o) { return Build("Atan2", y, x, o.name); }
Output Xdivy(Operand x, Operand y, const OpOptions& o) {
  return Build("Xdivy", x, y, o.name.empty() ? "xdivy" : o.name);
}
Output Xlogy(Operand x, Operand y, const OpOptions& o) {
  return Build("Xlogy", x, y, o.name.empty() ? "xlogy" : o.name);
}
Output Xlog1py(Operand x, Operand y, const OpOptions& o) {
  return Build("Xlog1py", x, y, o.name.empty() ? "xlog1py" : o.name);
}
Output MulNoNan(Operand x, Operand y, const OpOptions& o) {
  return Build("MulNoNan", x, y, o.name.empty() ? "multiply_no_nan" : o.name);
}

}  // namespace staticflow
