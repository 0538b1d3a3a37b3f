// Walks along the edges of a graph, for diagnostics that look for patterns.
//
//   const GraphUses uses(g);
//   for (const auto& [node, input] : uses.of(loss)) ...
//
// All functions only read the graph and may be called from any thread while nobody adds nodes.
#ifndef STATICFLOW_OPS_ANALYSIS_GRAPH_USES_H_
#define STATICFLOW_OPS_ANALYSIS_GRAPH_USES_H_

#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "graph/graph.h"

namespace staticflow {

// Who uses each output of a graph.
class GraphUses {
 public:
  explicit GraphUses(const Graph& g);
  // The users of `output`, each with the number of its input, in graph order.
  const std::vector<std::pair<Node*, int>>& of(Output output) const;
  // The same, but instead of a user that only passes `output` on (Cast, Reshape, Switch, ...) that one's users.
  std::vector<std::pair<Node*, int>> through_views(Output output) const;

 private:
  absl::flat_hash_map<Output, std::vector<std::pair<Node*, int>>> uses_;
};

bool IsType(const Node& node, std::initializer_list<absl::string_view> types);

// The input of its node that `output` passes on under another name, type or shape, or into a branch; -1 when the node
// computes it, or reads it from a variable.
int PassedOnInput(Output output);
// `output` without what only passes it on. A reference or handle stays as it is, and so does what reads one.
Output ViewedValue(Output output);
// The same, but as long as the shape stays: x as it is outside of the branches that use it.
Output SameShapeValue(Output output);
// `output` before the Switches that pass it into branches; invalid stays invalid.
Output OutsideOfBranch(Output output);

// The branch of a cond: where `predicate` has this value.
struct Branch {
  Output predicate;
  bool value = false;
};
// The innermost cond in which `output` is computed, found along its inputs; nullopt when there is none near.
std::optional<Branch> BranchOf(Output output);

// The one element of a constant number, read through what passes it on; nullopt for anything else.
std::optional<double> ConstantNumber(Output output);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ANALYSIS_GRAPH_USES_H_
