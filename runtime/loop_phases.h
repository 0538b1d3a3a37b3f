// Phases: a loop over more rows than a strip can hold, as a sequence of loops.
//
// What a sum over all rows gives is there only when all rows have been read, so whatever uses it comes in a later pass
// over memory. A batch normalization becomes: chunks of rows summed; a small loop that adds up the chunks' sums and
// computes the mean; chunks of squared differences summed; their small loop; one pass that normalizes. Values of
// matrices that a later pass needs are computed again from the operands, not stored.
#ifndef STATICFLOW_RUNTIME_LOOP_PHASES_H_
#define STATICFLOW_RUNTIME_LOOP_PHASES_H_

#include <optional>
#include <vector>

#include "runtime/loop.h"

namespace staticflow {

// An operand or result of a phase: one of the whole loop, or memory that only the phases share.
struct PhaseMemory {
  int of_loop = -1;  // operand or result of the loop
  int shared = -1;   // number among the shared ones
};

struct LoopPhase {
  LoopProgram program;
  std::vector<PhaseMemory> inputs;
  std::vector<PhaseMemory> results;
};

struct LoopPhases {
  std::vector<LoopPhase> phases;
  std::vector<Shape> shared;  // shapes of the memory that the phases share
};

// nullopt when the loop cannot be divided so: it overwrites a matrix that it reads.
std::optional<LoopPhases> SplitIntoPhases(const LoopProgram& program);

// Whether rows can be taken in chunks as they are (LoopProgram::DivideByRows): each row is computed for itself.
bool CanDivideByRows(const LoopProgram& program);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_LOOP_PHASES_H_
