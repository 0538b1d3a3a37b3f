// The passes themselves; runtime/pass.h says what a pass is. Each says here what it changes, and by how much results
// may differ from those without it.
#ifndef STATICFLOW_RUNTIME_PASSES_H_
#define STATICFLOW_RUNTIME_PASSES_H_

#include "runtime/plan.h"

namespace staticflow {

// Instructions without effects whose results nobody reads are left out: a loss that only gives its shape to its
// gradient. What is a target, or what other nodes wait for, stays. No rounding changes.
void Prune(Plan* plan);

// An instruction whose op's `simplify` hook names an operand that output 0 equals is left out, and its users take the
// operand. No rounding changes.
void Simplify(Plan* plan);

// Of instructions with the same op, attributes and operands (in either order if the op commutes), under guards of which
// the first implies the others', only the first runs. No rounding changes.
void ShareCommon(Plan* plan);

// Products of float or double matrices become calls (Instruction::product), which other passes can transpose, add up
// and divide. No rounding changes.
void CallProducts(Plan* plan);

// A product whose operand is a transpose of a matrix reads the matrix itself; a product that is only wanted transposed
// is computed so. No rounding changes.
void FoldTransposes(Plan* plan);

// Products that only an update (variable += scale * product) uses are added to the variable as they are computed. No
// rounding changes, since the scaled product is rounded before it is added; but a product that is deeper than
// kGemmDepth is added block by block.
void FuseProducts(Plan* plan);

// Float ops with a `loop` hook that work on the same rows and columns become one instruction where their order allows.
// Sums over rows are added in the order of LaneOp::kSumRows; nothing else changes.
void FuseLoops(Plan* plan);

// A product by a constant matrix, or a convolution by a constant filter with its channels last, scaled and shifted by
// constant rows in a loop, becomes one by other weights and one sum. Results differ by rounding: of each weight once,
// and of the shifts, which are added up beforehand. Steps of loops on constants alone are computed here, to the same
// bits. What variables hold may change between steps and is never folded.
void FoldBatchNorm(Plan* plan);

// Divides products, loops and kernels among Plan::workers (left at 1 when the step is too small), by rows, by columns
// or by the inner dimension, so that what one instruction leaves in a worker's cache the next one finds there. Where
// the division is by the inner dimension, products are added up in two parts: for any number of workers, one included,
// so that the bits are the same for all.
void Partition(Plan* plan);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_PASSES_H_
