// Orders in which everything comes after what it needs: of numbered items, and of the nodes of a graph; and what
// depends on given nodes.
//
//   OrderResult r = TopologicalOrder({{}, {0}, {1, 0}});    r.order == {0, 1, 2}
//
//   const NeededNodes needed = FindNeededNodes(g, {loss.node()}, [&](Output input) { return feeds.contains(input); });
//   needed.nodes                                   // ends with the loss
//   needed.rank[static_cast<size_t>(node.id())]    // where a node stands among them, or -1
#ifndef STATICFLOW_GRAPH_TOPOLOGICAL_ORDER_H_
#define STATICFLOW_GRAPH_TOPOLOGICAL_ORDER_H_

#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "graph/graph.h"

namespace staticflow {

struct OrderResult {
  std::vector<int> order;  // of all items, unless there is a cycle
  // One cycle, each item needed by the next and the last by the first; empty when there is none.
  std::vector<int> cycle;
};

// `needs[i]` lists the items that item i needs. Where these leave a choice, the smaller number comes first.
// A pure function, in time O(items log items + needs).
OrderResult TopologicalOrder(const std::vector<std::vector<int>>& needs);

struct NeededNodes {
  std::vector<Node*> nodes;  // each behind its data and control inputs, but for the edges that lead back in loops
  std::vector<int> rank;     // by node id: position in `nodes`; -1 for what is not needed
};

// What `roots` need, themselves included. What an output needs for which `is_given` holds is not asked for. Loops are
// needed whole: an edge back to a loop's Merge is an edge like others, followed when all else is found.
NeededNodes FindNeededNodes(const Graph& g, absl::Span<Node* const> roots, absl::FunctionRef<bool(Output)> is_given);

// By node id: whether a node is one of `roots` or depends on one through `nodes`, whatever the order in which they are
// listed. `sources_of` appends what its node depends on directly, all of it nodes of `g`. In time O(nodes + edges), but
// for a vector by id.
std::vector<bool> DependentsOf(const Graph& g, absl::Span<const Node* const> roots, absl::Span<Node* const> nodes,
                               absl::FunctionRef<void(const Node& node, std::vector<const Node*>* sources)> sources_of);
// Through any nodes.
std::vector<bool> DependentsOf(const Graph& g, absl::Span<const Node* const> roots,
                               absl::FunctionRef<void(const Node& node, std::vector<const Node*>* sources)> sources_of);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_TOPOLOGICAL_ORDER_H_
