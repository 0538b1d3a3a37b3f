// Calls: the kernels of what passes made of instructions.
#ifndef STATICFLOW_RUNTIME_CALLS_H_
#define STATICFLOW_RUNTIME_CALLS_H_

#include "runtime/plan.h"

namespace staticflow {

// Makes the kernels of loops and products, and says how many items they divide. Rows of matrices that only such
// instructions touch are padded to whole cache lines before, and loops learn which operands they may overwrite: less
// memory to write (among several workers, loops by rows alone). Call after the passes.
void CompileCalls(Plan* plan);

// Makes the kernels of what enters loops and goes around in them, as far as that has its place in the arena: all at
// once, whatever memory is whose. Call when buffers are shared.
void CompileLoopCopies(Plan* plan);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_CALLS_H_
