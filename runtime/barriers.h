// Barriers: where, in a plan whose instructions are divided among workers, all must wait for each other.
#ifndef STATICFLOW_RUNTIME_BARRIERS_H_
#define STATICFLOW_RUNTIME_BARRIERS_H_

#include "runtime/plan.h"

namespace staticflow {

// Sets Instruction::barrier wherever a worker would otherwise touch what another one writes or still reads, and around
// what changes the frame itself. Call after ShareBuffers and before PlaceBuffers.
void SetBarriers(Plan* plan);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_BARRIERS_H_
