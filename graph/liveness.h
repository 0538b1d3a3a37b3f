// Under which predicates the results of nodes exist, as far as the Switch nodes before them tell.
//
//   const Literals literals = LiveWhen({&y, 1})[0];    // y exists where literal.pred == literal.branch, for all of
//   them
//
// A node needs what all of its inputs need, a Merge what its inputs need in common.
#ifndef STATICFLOW_GRAPH_LIVENESS_H_
#define STATICFLOW_GRAPH_LIVENESS_H_

#include <set>
#include <vector>

#include "absl/functional/function_ref.h"
#include "graph/graph.h"

namespace staticflow {

// "The predicate is false (0) or true (1)".
struct Literal {
  Output pred;  // not one of its Identity copies (cond/pred_id)
  int branch = 0;
};
bool operator<(const Literal& a, const Literal& b);
using Literals = std::set<Literal>;

// By output. Ids are a topological order up to the back edges of loops, which are left out. What comes before a node
// for which `begins` holds is not looked at: as if that node always existed.
std::vector<Literals> LiveWhen(
    absl::Span<const Output> outputs, absl::FunctionRef<bool(const Node&)> begins = [](const Node&) { return false; });

// `value`, which exists when all of `when` hold, and `otherwise`, which always exists, where they do not. Adds Switch
// and Merge nodes to the graph, in its open context; invalid when an argument is.
Output WhereLive(Output value, absl::Span<const Literal> when, Output otherwise);

// `output`, or what an Identity (or several) copied; a reference that is read stays as it is.
Output BehindIdentity(Output output);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_LIVENESS_H_
