// Stacks of tensors that live for one step. The gradient of a while loop keeps on them what its iterations need.
//
//   Output history = StackV2(Const(g, -1), DT_FLOAT);
//   Output kept = StackPush(history, x);          // x itself, once it is on the stack
//   Output last = StackPop(history, DT_FLOAT);    // under a control dependency on what was pushed
//
// Only edges order pushes and pops. Not thread-safe: all of them add to the graph.
// Source: the ops StackV2, StackPushV2, StackPopV2 and StackCloseV2 (TensorFlow 1.15), and those without V2.
#ifndef STATICFLOW_OPS_STACK_H_
#define STATICFLOW_OPS_STACK_H_

#include "graph/node_builder.h"

namespace staticflow {

// A new, empty stack for tensors of `elem_type`. `max_size`, an int32 scalar, bounds its height; negative: no bound.
Output StackV2(Operand max_size, DataType elem_type, const OpOptions& options = {});
// Puts a copy of `elem`, of any shape, on the stack and gives `elem`. When run: InvalidArgument for another type, a
// closed stack, or above the bound.
Output StackPush(Operand handle, Operand elem, const OpOptions& options = {});
// Takes the last tensor off. When run: InvalidArgument when the stack is empty or holds another type.
Output StackPop(Operand handle, DataType elem_type, const OpOptions& options = {});
// Empties the stack for good.
Operation StackClose(Operand handle, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_STACK_H_
