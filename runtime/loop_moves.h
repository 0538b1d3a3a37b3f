// MoveToReaders: what one loop would leave in memory for another loop alone, the other one had better compute. Inside
// the pass that fuses loops.
//
//   loop: y = relu(x * s); d = x - m -> y, d        ->   loop: y = relu(x * s) -> y
//   loop: z = sum_rows(d * e) -> z                       loop: d = x - m; z = sum_rows(d * e) -> z
//
// The matrix d is neither written nor read again; x, which lies in memory anyway, is read in its place.
#ifndef STATICFLOW_RUNTIME_LOOP_MOVES_H_
#define STATICFLOW_RUNTIME_LOOP_MOVES_H_

#include <vector>

#include "runtime/loop_writer.h"
#include "runtime/plan.h"

namespace staticflow {

// A straight run of a plan from instruction `begin` on, whose members have been given to loops.
struct LoopMembers {
  int begin = 0;
  const std::vector<std::vector<int>>& before;  // Dependences() of the run
  const std::vector<int>& readers;              // CountReaders() of the plan
  const UniformBuffers& uniform;
  std::vector<int>& loop_of;  // by instruction of the run; -1: it is in none
};

// Changes `loop_of`. True when it did.
bool MoveToReaders(const Plan& plan, const LoopMembers& members);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_LOOP_MOVES_H_
