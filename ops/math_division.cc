// Quotients and remainders. Contracts: ops/math_binary.h.
#include <cmath>

#include "ops/array.h"
#include "ops/array_nodes.h"
#include "ops/elementwise.h"
#include "ops/loop_arithmetic.h"
#include "ops/math_binary.h"
#include "ops/math_unary.h"
#include "ops/neutral_operands.h"

namespace staticflow {
namespace {

// Rejects the integer divisor that has no quotient.
struct CheckDivisor {
  template <typename Y>
  requires std::is_integral_v<Y>
  const char* operator()(Y y) const { return y == 0 ? "integer division by zero" : nullptr; }
};

// x / y towards zero. The lowest integer by -1 wraps around.
template <typename X>
X Quotient(X x, X y) {
  if constexpr (std::is_floating_point_v<X>) {
    return x / y;
  } else if constexpr (std::is_signed_v<X>) {
    return y == -1 ? WrapNegate(x) : static_cast<X>(x / y);
  } else {
    return static_cast<X>(x / y);
  }
}
template <typename X>
X Remainder(X x, X y) {
  if constexpr (std::is_floating_point_v<X>) {
    return std::fmod(x, y);
  } else if constexpr (std::is_signed_v<X>) {
    return y == -1 ? X(0) : static_cast<X>(x % y);
  } else {
    return static_cast<X>(x % y);
  }
}

// Div and RealDiv: z = x / y, of integers cut towards zero.   dx = dz / y, dy = -dz x / y^2.
void DivGradient(GradientContext& c) {
  const Output by_y = RealDiv(c.dy(0), c.x(1));
  c.set_dx(0, SumToShapeOf(by_y, c.x(0), c.x(1)));
  c.set_dx(1, SumToShapeOf(Neg(by_y * c.y(0)), c.x(1), c.x(0)));
}
const KernelSource kQuotient = BinaryKernel<NumberTypes>([](auto x, auto y) { return Quotient(x, y); }, CheckDivisor());
const OpRegistrar div_op(BinaryOp("Div", kNumberT, kQuotient, DivGradient, "Element-wise x / y with broadcasting.",
                                  kNoTraits, LaneLoop<LaneOp::kDiv>, SimplifyQuotient));
const OpRegistrar real_div_op(BinaryOp("RealDiv", kFloatT,
                                       BinaryKernel<FloatTypes>([](auto x, auto y) { return x / y; }), DivGradient,
                                       "Element-wise x / y of real numbers with broadcasting.", kNoTraits,
                                       LaneLoop<LaneOp::kDiv>, SimplifyQuotient));

// TensorFlow expects a division by zero of Div, FloorDiv, Mod and FloorMod; that of the others is an internal error.
template <const KernelSource& kSource>
absl::StatusOr<Kernel> FailsInternally(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const Kernel kernel, kSource.Make(setup));
  return Kernel([kernel](KernelContext& c) {
    const absl::Status status = kernel(c);
    return absl::IsInvalidArgument(status) ? absl::InternalError(status.message()) : status;
  });
}

// TruncateDiv: z = trunc(x / y).
const KernelSource kTruncateDivKernel = BinaryKernel<NumberTypes>(
    [](auto x, auto y) {
      if constexpr (std::is_integral_v<decltype(x)>) {
        return Quotient(x, y);
      } else {
        return std::trunc(x / y);
      }
    },
    CheckDivisor());
const OpRegistrar truncate_div_op(BinaryOp("TruncateDiv", kNumberT, &FailsInternally<kTruncateDivKernel>,
                                           kNotDifferentiable, "Element-wise x / y, cut towards zero."));

// FloorDiv: z = floor(x / y).
bool FloorDivLoop(LoopContext& c) { return c.set_output(0, floor(Lanes(c, 0) / Lanes(c, 1)).reg()); }
const OpRegistrar floor_div_op(BinaryOp("FloorDiv", kNumberT,
                                        BinaryKernel<NumberTypes>(
                                            [](auto x, auto y) {
                                              using X = decltype(x);
                                              if constexpr (std::is_floating_point_v<X>) {
                                                return std::floor(x / y);
                                              } else {
                                                const bool down = (x < 0) != (y < 0) && Remainder(x, y) != 0;
                                                return static_cast<X>(Quotient(x, y) - (down ? 1 : 0));
                                              }
                                            },
                                            CheckDivisor()),
                                        kNotDifferentiable, "Element-wise floor(x / y) with broadcasting.", kNoTraits,
                                        FloorDivLoop));

// DivNoNan: z = x / y, 0 where y = 0.   dx = dz / y, dy = -dz x / y^2, both 0 where y = 0.
void DivNoNanGradient(GradientContext& c) {
  const Output by_y = DivNoNan(c.dy(0), c.x(1));
  c.set_dx(0, SumToShapeOf(by_y, c.x(0), c.x(1)));
  c.set_dx(1, SumToShapeOf(Neg(by_y * c.y(0)), c.x(1), c.x(0)));
}
bool DivNoNanLoop(LoopContext& c) {
  const Lanes x(c, 0), y(c, 1);
  return c.set_output(0, Choose(IsZero(y), 0, x / y).reg());
}
const OpRegistrar div_no_nan_op(BinaryOp(
    "DivNoNan", kFloatT, BinaryKernel<FloatTypes>([](auto x, auto y) { return y == 0 ? decltype(x)(0) : x / y; }),
    DivNoNanGradient, "Element-wise x / y, 0 where y is 0.", kNoTraits, DivNoNanLoop));

// Mod (integers and floating types) and TruncateMod: z = x - trunc(x / y) y.   dx = dz, dy = -dz trunc(x / y).
void TruncateModGradient(GradientContext& c) {
  c.set_dx(0, SumToShapeOf(c.dy(0), c.x(0), c.x(1)));
  const Output quotient = NodeBuilder("TruncateDiv", {c.x(0), c.x(1)}).Build();
  c.set_dx(1, SumToShapeOf(Neg(c.dy(0) * quotient), c.x(1), c.x(0)));
}
constexpr char kModT[] = "T: {int32, int64, half, bfloat16, float, double}";
const KernelSource kTruncateModKernel = BinaryKernel<TypeList<float, double, Half, BFloat16, int32_t, int64_t>>(
    [](auto x, auto y) { return Remainder(x, y); }, CheckDivisor());
const OpRegistrar mod_op(BinaryOp("Mod", kModT, kTruncateModKernel, TruncateModGradient,
                                  "Element-wise remainder with the sign of x."));
const OpRegistrar truncate_mod_op(BinaryOp("TruncateMod", kModT, &FailsInternally<kTruncateModKernel>,
                                           TruncateModGradient, "Element-wise remainder with the sign of x."));

// FloorMod: z = x - floor(x / y) y.   dx = dz, dy = -dz floor(x / y).
void FloorModGradient(GradientContext& c) {
  c.set_dx(0, SumToShapeOf(c.dy(0), c.x(0), c.x(1)));
  c.set_dx(1, SumToShapeOf(Neg(c.dy(0) * FloorDiv(c.x(0), c.x(1))), c.x(1), c.x(0)));
}
const OpRegistrar floor_mod_op(BinaryOp("FloorMod", kNumberT,
                                        BinaryKernel<NumberTypes>(
                                            [](auto x, auto y) {
                                              const auto remainder = Remainder(x, y);
                                              const bool other_sign = remainder != 0 && (remainder < 0) != (y < 0);
                                              return other_sign ? WrapAdd(remainder, y) : remainder;
                                            },
                                            CheckDivisor()),
                                        FloorModGradient, "Element-wise remainder with the sign of y."));

Output Build(const char* type, const Operand& x, const Operand& y, absl::string_view name) {
  return NodeBuilder(type, {x, y}).Name(name).Build();
}

// The type in which Python divides: floating types as they are.
DataType TrueDivisionType(DataType dtype) {
  if (!IsInteger(dtype)) return dtype;
  return DataTypeSize(dtype) <= 2 ? DT_FLOAT : DT_DOUBLE;
}

}  // namespace

Output operator/(const Operand& x, const Operand& y) {
  const Operand& typed = x.is_number() ? y : x;
  if (typed.is_number() || !typed.output().valid() || !IsInteger(typed.output().dtype())) {
    return Build("RealDiv", x, y, "truediv");
  }
  NameScope scope(typed.output().graph(), "truediv");
  const DataType dtype = TrueDivisionType(typed.output().dtype());
  const auto cast = [dtype](const Operand& operand) {
    return operand.is_number() ? operand : Operand(Cast(operand, dtype), operand.where());
  };
  const Operand left = cast(x);
  return Build("RealDiv", left, cast(y), scope.name());
}
Output Div(Operand x, Operand y, const OpOptions& o) { return Build("Div", x, y, o.name.empty() ? "div" : o.name); }
Output RealDiv(Operand x, Operand y, const OpOptions& o) { return Build("RealDiv", x, y, o.name); }
Output TruncateDiv(Operand x, Operand y, const OpOptions& o) { return Build("TruncateDiv", x, y, o.name); }
Output FloorDiv(Operand x, Operand y, const OpOptions& o) {
  return Build("FloorDiv", x, y, o.name.empty() ? "floordiv" : o.name);
}
Output DivNoNan(Operand x, Operand y, const OpOptions& o) {
  return Build("DivNoNan", x, y, o.name.empty() ? "div_no_nan" : o.name);
}
Output Mod(Operand x, Operand y, const OpOptions& o) { return Build("FloorMod", x, y, o.name); }
Output TruncateMod(Operand x, Operand y, const OpOptions& o) { return Build("TruncateMod", x, y, o.name); }

}  // namespace staticflow
