// AskAhead: products ask for the weights of the next product while they compute. Part of the pass that partitions.
#ifndef STATICFLOW_RUNTIME_ASK_AHEAD_H_
#define STATICFLOW_RUNTIME_ASK_AHEAD_H_

#include "runtime/plan.h"

namespace staticflow {

// Sets Instruction::ahead where several workers each need all of a variable that the step updates: but for their own
// part, its lines are in another core's cache. REQUIRES: the plan is divided.
void AskAhead(Plan* plan);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_ASK_AHEAD_H_
