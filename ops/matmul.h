// Matrix products.
//
//   Output y = MatMul(x, w) + b;                                // [60,784] [784,100] + [100]
//   Output scores = BatchMatMul(q, k, {.adj_y = true});         // [8,20,64] [8,20,64]^T = [8,20,20]
//
// Both operands have one element type: a floating type, int32 or int64, or (but for BatchMatMul's) an unsigned integer.
// Half types are summed up in float and rounded once, integers wrap around. Not thread-safe: both add to the graph.
// Source: tf.matmul (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_MATMUL_H_
#define STATICFLOW_OPS_MATMUL_H_

#include "graph/node_builder.h"

namespace staticflow {

struct MatMulOptions {
  bool transpose_a = false;  // `a` is stored as [k,m]
  bool transpose_b = false;  // `b` is stored as [n,k]
  std::string name = "";
};
// The product [m,n] of matrices [m,k] and [k,n]. InvalidArgument unless both are matrices whose k agree.
Output MatMul(Operand a, Operand b, const MatMulOptions& options = {});

struct BatchMatMulOptions {
  bool adj_x = false;  // the matrices in x are stored transposed
  bool adj_y = false;
  std::string name = "";
};
// Op BatchMatMulV2: the products of the matrices in the last two dimensions; the dimensions before them broadcast.
// InvalidArgument for operands of rank below 2, k that do not agree, or dimensions that do not broadcast.
Output BatchMatMul(Operand x, Operand y, const BatchMatMulOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_MATMUL_H_
