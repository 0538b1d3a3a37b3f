// RunNodes: what a step runs, as far as the graph and its feeds tell, for diagnostics that speak about a run.
//
//   const RunNodes run(g, {{x, images}, {is_training, true}}, {loss}, {train});
//   run.MayRun(*update.node());        // false when nothing asks for it, or its branch is not taken
//
// A predicate is known when it is a constant, fed with a value, or the default of a placeholder that is not fed.
// Only reads the graph, which must not grow meanwhile. Not to be asked by several threads at once.
#ifndef STATICFLOW_OPS_ANALYSIS_RUN_NODES_H_
#define STATICFLOW_OPS_ANALYSIS_RUN_NODES_H_

#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/types/span.h"
#include "graph/graph.h"
#include "runtime/session.h"

namespace staticflow {

class RunNodes {
 public:
  // A feed without a tensor is fed with something that is not known.
  RunNodes(const Graph& g, const Session::Feeds& feeds, absl::Span<const Output> fetches,
           absl::Span<const Operation> targets);

  // The nodes that something needs, inputs first; some may be in branches that are not taken.
  const std::vector<Node*>& needed() const { return needed_; }
  bool Needs(const Node& node) const { return rank_[static_cast<size_t>(node.id())] >= 0; }
  // Whether the node is needed and in no branch that is known not to be taken.
  bool MayRun(const Node& node) const;
  bool MayBeComputed(Output output) const;
  bool IsFed(Output output) const { return feeds_.contains(output); }

  // The value of a bool scalar, where it is known, through LogicalNot, LogicalAnd and LogicalOr, too.
  std::optional<bool> Predicate(Output predicate) const;
  // The shape of an output with the feeds' shapes put in; unknown where nothing tells.
  const Shape& ShapeOf(Output output) const;

  // By node id: whether data of one of `sources` reaches the node's inputs through needed nodes.
  std::vector<bool> ReachedFrom(absl::Span<const Output> sources) const;
  // By node id: whether the node's data reaches one of `ends`.
  std::vector<bool> Reaching(absl::Span<const Output> ends) const;

  // The variable that a node trains: written by an optimizer's op, or trainable and assigned by anything but its
  // initializer or a restored checkpoint. Null when it trains none, or may not run.
  Node* Trained(const Node& node) const;

 private:
  std::optional<bool> Predicate(Output predicate, int depth) const;
  void Collect(absl::Span<const Output> fetches, absl::Span<const Operation> targets);
  void FindLiving();
  void InferAll() const;

  const Graph& graph_;
  absl::flat_hash_map<Output, Tensor> feeds_;
  std::vector<Node*> needed_;
  std::vector<int> rank_;                   // by node id: position in needed_, or -1
  std::vector<bool> lives_;                 // by position
  absl::flat_hash_map<Output, bool> dead_;  // outputs of Switches that are not taken
  // That the feeds sharpened; found when the first one is asked for.
  mutable absl::flat_hash_map<Output, Shape> shapes_;
  mutable bool inferred_ = false;
};

// Whether the variables of `trainable` that are fewest steps before `outputs` are in `trained`, one of them at least;
// true where no trainable variable comes before.
bool NearestIsTrained(absl::Span<const Output> outputs, const absl::flat_hash_set<const Node*>& trainable,
                      const absl::flat_hash_set<const Node*>& trained);

// The variable whose value `value` is, through identities, casts, reshapes and branches; null when it is computed.
Node* VariableOfValue(Output value);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ANALYSIS_RUN_NODES_H_
