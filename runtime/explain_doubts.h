// What is doubtful about a step although it runs: the findings of runtime/explain.h.
#ifndef STATICFLOW_RUNTIME_EXPLAIN_DOUBTS_H_
#define STATICFLOW_RUNTIME_EXPLAIN_DOUBTS_H_

#include <vector>

#include "runtime/explain.h"
#include "runtime/plan.h"
#include "runtime/program.h"

namespace staticflow {

// The pairs of a read and a write, or of two writes, of one variable that no data or control edge orders and that may
// happen in one step. A read counts for whoever computes with the value it gives, as far as that shares the variable's
// memory. In the order of the variables, writes and reads.
std::vector<VariableRace> FindRaces(const Program& program);

// Nodes with effects or chance that run in any case but whose results only one branch uses.
std::vector<StrayNode> FindStrays(const Program& program, const Plan& plan);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_EXPLAIN_DOUBTS_H_
