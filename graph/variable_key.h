// Which variable an edge carries: references and handles lead back to the node that declares the variable, and that
// node tells under which key the session keeps its value.
//
//   const Node* declaration = VariableBehind(assign->input(0));
//   if (declaration != nullptr) slot = store.Variable(VariableKey(*declaration), ...);
//
// All functions only read the graph and may be called from any thread while nobody adds nodes.
#ifndef STATICFLOW_GRAPH_VARIABLE_KEY_H_
#define STATICFLOW_GRAPH_VARIABLE_KEY_H_

#include <string>

#include "graph/graph.h"

namespace staticflow {

// Whether every output of the op is its first input, as it is at the moment it is read, or dead.
bool PassesFirstInputOn(const Op& op);

// The VariableV2 or VarHandleOp behind `output`, a reference or a handle, through whatever passes it on (Identity,
// Switch, Merge, Enter, an assignment's output). Null when `output` is neither, comes from outside the graph, or is one
// of several variables, which the step chooses.
Node* VariableBehind(Output output);

// The key in the resource store of what a node declares (a variable, a table, a queue): attribute shared_name, or the
// node's name when that is empty, after "container/" when there is one.
// Of an op without these attributes (TemporaryVariable), the node's name.
std::string VariableKey(const Node& declaration);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_VARIABLE_KEY_H_
