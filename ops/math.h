// Mathematics on tensors: element-wise functions, arithmetic with broadcasting, comparisons, reductions, scans and
// segments, under TensorFlow's names.
//
//   Output variance = Mean(SquaredDifference(x, mean), {0});
//   Output y = (x - mean) * Rsqrt(variance + 0.001);
//
// What all of them share: operands have one element type T; names default to those that TensorFlow's Python gives;
// mistakes stick to the graph (graph/node_builder.h); integers wrap around on overflow; half and bfloat16 are computed
// in float. Not thread-safe: all of them add to the graph.
#ifndef STATICFLOW_OPS_MATH_H_
#define STATICFLOW_OPS_MATH_H_

#include "ops/math_binary.h"     // + - * /, Pow, Maximum, ..., comparisons, logic, bits, SumToShapeOf
#include "ops/math_reduction.h"  // Sum, Mean, ..., ArgMax, CumSum, AddN
#include "ops/math_segment.h"    // SegmentSum, UnsortedSegmentSum, ..., Bincount
#include "ops/math_unary.h"      // Exp, Sqrt, Tanh, ..., Cast

#endif  // STATICFLOW_OPS_MATH_H_
