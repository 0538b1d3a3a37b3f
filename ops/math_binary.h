// Element-wise functions of two tensors: arithmetic, comparisons, logic, bits.
//
//   Output y = x * gamma + beta;                    // [60,100], [100] and [100]: NumPy's broadcasting
//   Output correct = Equal(ArgMax(logits, 1), labels);
//
// Both operands have one element type; a number takes the other operand's. The result has the broadcast shape; shapes
// that do not broadcast are InvalidArgument. Source: the TensorFlow 1.15 functions of these names.
#ifndef STATICFLOW_OPS_MATH_BINARY_H_
#define STATICFLOW_OPS_MATH_BINARY_H_

#include "graph/node_builder.h"

namespace staticflow {

// --- Arithmetic: all numbers unless a line says otherwise ---

// Python's operators: nodes add (op AddV2), sub, mul and truediv (op RealDiv; integers up to 16 bits are cast to float
// first, larger ones to double).
Output operator+(const Operand& x, const Operand& y);
Output operator-(const Operand& x, const Operand& y);
Output operator*(const Operand& x, const Operand& y);
Output operator/(const Operand& x, const Operand& y);

Output Add(Operand x, Operand y, const OpOptions& options = {});  // x + y; op AddV2
Output Sub(Operand x, Operand y, const OpOptions& options = {});  // x - y
Output Mul(Operand x, Operand y, const OpOptions& options = {});  // x y
// x / y. Integers: cut towards zero; dividing by zero fails the step with InvalidArgument, here and below.
Output Div(Operand x, Operand y, const OpOptions& options = {});
Output RealDiv(Operand x, Operand y, const OpOptions& options = {});      // Div of floating types
Output TruncateDiv(Operand x, Operand y, const OpOptions& options = {});  // Div of integers
Output FloorDiv(Operand x, Operand y, const OpOptions& options = {});     // floor(x / y); no gradient
Output DivNoNan(Operand x, Operand y, const OpOptions& options = {});     // x / y, or 0 where y is 0; floating types
Output MulNoNan(Operand x, Operand y, const OpOptions& options = {});     // x y, or 0 where y is 0; floating types
Output Mod(Operand x, Operand y, const OpOptions& options = {});          // op FloorMod: x - floor(x / y) y
Output TruncateMod(Operand x, Operand y, const OpOptions& options = {});  // C's %: the sign of x
Output SquaredDifference(Operand x, Operand y, const OpOptions& options = {});  // (x - y)^2
Output Maximum(Operand x, Operand y, const OpOptions& options = {});  // NaN if x is; where equal x gets the gradient
Output Minimum(Operand x, Operand y, const OpOptions& options = {});  // the same
// x^y. Integers: a negative y fails the step with InvalidArgument.
Output Pow(Operand x, Operand y, const OpOptions& options = {});

// Floating types: the angle of the point (x, y); x / y and x log y and x log(1 + y) that are 0 where x is 0.
Output Atan2(Operand y, Operand x, const OpOptions& options = {});
Output Xdivy(Operand x, Operand y, const OpOptions& options = {});
Output Xlogy(Operand x, Operand y, const OpOptions& options = {});
Output Xlog1py(Operand x, Operand y, const OpOptions& options = {});
// float and double: Hurwitz's zeta function (differentiable in q), and the a-th derivative of Digamma for whole a >= 0
// (differentiable in x).
Output Zeta(Operand x, Operand q, const OpOptions& options = {});
Output Polygamma(Operand a, Operand x, const OpOptions& options = {});

// t cut to [low, high], which are scalars or broadcast to t's shape: Minimum, then Maximum, as tf.clip_by_value.
Output ClipByValue(Operand t, Operand low, Operand high, const OpOptions& options = {});

// --- Comparisons: bool results, no gradient. A NaN is unequal to everything and in no order ---

Output Less(Operand x, Operand y, const OpOptions& options = {});
Output LessEqual(Operand x, Operand y, const OpOptions& options = {});
Output Greater(Operand x, Operand y, const OpOptions& options = {});
Output GreaterEqual(Operand x, Operand y, const OpOptions& options = {});

struct EqualOptions {
  bool incompatible_shape_error = true;  // false: operands that do not broadcast are unequal, as one scalar
  std::string name = "";
};
// Numbers, bool and strings.
Output Equal(Operand x, Operand y, const EqualOptions& options = {});
Output NotEqual(Operand x, Operand y, const EqualOptions& options = {});

struct ApproximateEqualOptions {
  float tolerance = 1e-5f;
  std::string name = "";
};
// |x - y| < tolerance, for operands of one shape.
Output ApproximateEqual(Operand x, Operand y, const ApproximateEqualOptions& options = {});

// --- Logic (bool) and bits (integers): no gradient ---

Output LogicalAnd(Operand x, Operand y, const OpOptions& options = {});
Output LogicalOr(Operand x, Operand y, const OpOptions& options = {});
Output BitwiseAnd(Operand x, Operand y, const OpOptions& options = {});
Output BitwiseOr(Operand x, Operand y, const OpOptions& options = {});
Output BitwiseXor(Operand x, Operand y, const OpOptions& options = {});
// Shifts by y, which is cut to [0, bits - 1]. Right shifts of signed integers keep the sign.
Output LeftShift(Operand x, Operand y, const OpOptions& options = {});
Output RightShift(Operand x, Operand y, const OpOptions& options = {});

// --- For gradient functions ---

// `gradient`, which has the broadcast shape of `like` and `other`, summed over the dimensions in which `like` was
// broadcast: `like`'s shape. No node at all when the known shapes show that nothing was; a Sum over constant axes when
// they show what was; else the axes are computed by BroadcastGradientArgs in the step. `other` may be left out, but
// tells that a dimension unknown to `like` was not broadcast where it has none, or size 1.
Output SumToShapeOf(Output gradient, Output like, Output other = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_MATH_BINARY_H_
