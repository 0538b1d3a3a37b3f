// Element-wise functions of one tensor, and Cast.
//
//   Output y = Exp(-Square(x));
//
// The result has the operand's shape, and its type where nothing else is said. Floating types only, unless a line
// says otherwise. Every op is differentiable unless it says "no gradient"; outside a function's domain the result
// is NaN. Source: the TensorFlow 1.15 functions of these names.
#ifndef STATICFLOW_OPS_MATH_UNARY_H_
#define STATICFLOW_OPS_MATH_UNARY_H_

#include "graph/node_builder.h"

namespace staticflow {

// --- Arithmetic ---

Output Abs(Operand x, const OpOptions& options = {});     // |x|; also signed integers
Output Neg(Operand x, const OpOptions& options = {});     // -x; also signed integers
Output operator-(const Operand& x);                       // Neg
Output Sign(Operand x, const OpOptions& options = {});    // -1, 0 or 1, NaN for NaN; gradient 0; signed integers too
Output Square(Operand x, const OpOptions& options = {});  // x x; also integers
Output Sqrt(Operand x, const OpOptions& options = {});    // x^(1/2)
Output Rsqrt(Operand x, const OpOptions& options = {});   // x^(-1/2)
Output Reciprocal(Operand x, const OpOptions& options = {});  // 1 / x
Output Inv(Operand x, const OpOptions& options = {});         // the older name of Reciprocal

// The gradients of functions y of x, written in y and the gradient dy by y: TensorFlow's ops of these names.
Output SqrtGrad(Operand y, Operand dy, const OpOptions& options = {});        // dy / (2 y)
Output RsqrtGrad(Operand y, Operand dy, const OpOptions& options = {});       // -dy y^3 / 2
Output ReciprocalGrad(Operand y, Operand dy, const OpOptions& options = {});  // -dy y^2
Output TanhGrad(Operand y, Operand dy, const OpOptions& options = {});        // dy (1 - y^2)
Output SigmoidGrad(Operand y, Operand dy, const OpOptions& options = {});     // dy y (1 - y)

// --- Exponentials and logarithms ---

Output Exp(Operand x, const OpOptions& options = {});      // e^x
Output Expm1(Operand x, const OpOptions& options = {});    // e^x - 1, accurate near 0
Output Log(Operand x, const OpOptions& options = {});      // natural logarithm
Output Log1p(Operand x, const OpOptions& options = {});    // log(1 + x), accurate near 0
Output Sigmoid(Operand x, const OpOptions& options = {});  // 1 / (1 + e^-x)
Output Tanh(Operand x, const OpOptions& options = {});
Output Sinh(Operand x, const OpOptions& options = {});
Output Cosh(Operand x, const OpOptions& options = {});
Output Asinh(Operand x, const OpOptions& options = {});
Output Acosh(Operand x, const OpOptions& options = {});
Output Atanh(Operand x, const OpOptions& options = {});

// --- Trigonometry, in radians ---

Output Sin(Operand x, const OpOptions& options = {});
Output Cos(Operand x, const OpOptions& options = {});
Output Tan(Operand x, const OpOptions& options = {});
Output Asin(Operand x, const OpOptions& options = {});
Output Acos(Operand x, const OpOptions& options = {});
Output Atan(Operand x, const OpOptions& options = {});

// --- Special functions ---

Output Erf(Operand x, const OpOptions& options = {});
Output Erfc(Operand x, const OpOptions& options = {});     // 1 - erf(x), accurate for large x
Output Lgamma(Operand x, const OpOptions& options = {});   // log |gamma(x)|
Output Digamma(Operand x, const OpOptions& options = {});  // the derivative of Lgamma

// --- Rounding, classes, bits: no gradient ---

Output Floor(Operand x, const OpOptions& options = {});
Output Ceil(Operand x, const OpOptions& options = {});
Output Rint(Operand x, const OpOptions& options = {});        // to the nearest integer, halves to even
Output Round(Operand x, const OpOptions& options = {});       // the same; integers pass through
Output IsNan(Operand x, const OpOptions& options = {});       // bool
Output IsInf(Operand x, const OpOptions& options = {});       // bool
Output IsFinite(Operand x, const OpOptions& options = {});    // bool
Output LogicalNot(Operand x, const OpOptions& options = {});  // of bool
Output Invert(Operand x, const OpOptions& options = {});      // every bit of an integer

// --- Types ---

struct CastOptions {
  bool truncate = false;  // to a narrower floating type: cut the surplus bits instead of rounding to nearest even
  std::string name = "";
};
// Every number as the nearest of type `dtype`; `x` itself when it has that type already. To bool: whether it is not
// zero. From floating types to integers it cuts the fraction; what does not fit becomes the smallest integer of at
// least 32 bits, cut to the size. Numbers and bool. Gradient: a Cast back, between floating types only.
Output Cast(Operand x, DataType dtype, const CastOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_MATH_UNARY_H_
