// Products of matrices as instructions of their own kind: what the planner may transpose, add up in place, and divide.
#ifndef STATICFLOW_RUNTIME_PRODUCT_H_
#define STATICFLOW_RUNTIME_PRODUCT_H_

#include <cstdint>

#include "runtime/kernel.h"

namespace staticflow {

// output 0 = op(input 0) op(input 1), or output 0 += sign * scale * op(input 0) op(input 1). Float or double.
struct ProductCall {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  bool accumulate = false;
  int scale_input = -1;  // the scalar operand; -1: none
  double sign = 1;

  // What c.range() counts.
  enum class Split { kRows, kColumns, kInner };
  Split split = Split::kRows;
  // The k products of an element are added up in two parts, cut at `inner_cut`, whose sums are added: so that two
  // workers can compute one part each. 0: one part. Fixed by the shapes, whoever computes.
  int64_t inner_cut = 0;
  // The two parts go to outputs 0 and 1, and whoever uses the product adds them.
  bool partial = false;

  // Behind them may come what is asked for meanwhile (Instruction::ahead).
  int num_inputs() const { return 2 + (scale_input >= 0 ? 1 : 0) + (accumulate ? 1 : 0); }
  // How many items can be divided.
  int64_t items() const { return split == Split::kRows ? m : split == Split::kColumns ? n : 2; }
};

// The inner cut for a product of this depth: a function of k alone. A multiple of a cache line of floats.
int64_t InnerCut(int64_t k);

// A kernel for matrices of `dtype` whose rows may be padded (TensorView::row_stride).
// REQUIRES: dtype is DT_FLOAT or DT_DOUBLE.
Kernel CompileProduct(const ProductCall& call, DataType dtype);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_PRODUCT_H_
