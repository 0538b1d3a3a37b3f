// Operands that change nothing: x * 1, x / 1, x - 0. Hooks for OpSpec::simplify.
//
// Exact for every x, NaN, infinities and -0 included: x + 0 is not x for x = -0, but x + -0 and x - 0 are.
#ifndef STATICFLOW_OPS_NEUTRAL_OPERANDS_H_
#define STATICFLOW_OPS_NEUTRAL_OPERANDS_H_

#include "graph/shape_inference.h"

namespace staticflow {

// The operand that the other one leaves as it is; -1 when neither does, or nothing is known of them.
int SimplifyProduct(const ShapeContext& c);     // x * 1, 1 * x
int SimplifyQuotient(const ShapeContext& c);    // x / 1
int SimplifySum(const ShapeContext& c);         // x + -0, -0 + x; of integers x + 0, 0 + x
int SimplifyDifference(const ShapeContext& c);  // x - 0
int SimplifyPower(const ShapeContext& c);       // x^1

// 0 when output 0 has the shape of input 0: for ops that then have nothing to do, such as padding, repeating, cutting
// out a part, and reductions.
int SimplifySameShape(const ShapeContext& c);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_NEUTRAL_OPERANDS_H_
