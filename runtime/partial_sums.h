// KeepPartsApart: instructions that workers divide by the inner dimension of a sum give their parts as values of their
// own. Inside the pass that partitions.
//
//   MatMul (x, w) -> y            ->   MatMul [inner, apart] (x, w) -> y, z
//   loop: relu(y + bias)               loop: relu((y + z) + bias)
//
// Whoever reads the sum in a loop adds the parts up; where others read it, one loop does so at once.
#ifndef STATICFLOW_RUNTIME_PARTIAL_SUMS_H_
#define STATICFLOW_RUNTIME_PARTIAL_SUMS_H_

#include "runtime/plan.h"

namespace staticflow {

// REQUIRES: the instructions are divided for plan->workers, two or more.
void KeepPartsApart(Plan* plan);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_PARTIAL_SUMS_H_
