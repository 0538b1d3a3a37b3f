// What a node does to the variables behind its inputs.
//
//   AccessOf(*assign_sub.node(), 0)     // Access::kUpdate
//
// The functions only read the graph and may be called from any thread while nobody adds nodes.
#ifndef STATICFLOW_GRAPH_VARIABLE_ACCESS_H_
#define STATICFLOW_GRAPH_VARIABLE_ACCESS_H_

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace staticflow {

// What `node` does to the variable behind its input `i`; nullopt when there is none or it only passes it on.
std::optional<Access> AccessOf(const Node& node, int i);

// The declarations of the variables that `node` writes, in the order of its inputs.
std::vector<Node*> VariablesWrittenBy(const Node& node);

// The variable whose value `output` is at whatever moment it is read: a reference, or what identities and the like make
// of one without a copy. Null for anything computed, also for what a ReadVariableOp gives: the value at its own place.
Node* VariableSeenThrough(Output output);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_VARIABLE_ACCESS_H_
