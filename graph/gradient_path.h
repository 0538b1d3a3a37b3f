// Where gradients flow: the nodes on some way from an x to a y, in the order in which the walk visits them. A loop
// that lies on the way is one unit. What a loop takes off a stack that another one filled is on the way, too.
#ifndef STATICFLOW_GRAPH_GRADIENT_PATH_H_
#define STATICFLOW_GRAPH_GRADIENT_PATH_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/types/span.h"
#include "graph/loop_frames.h"
#include "graph/stack_links.h"

namespace staticflow {

// Numbers that gradients flow through, and what may hold some.
constexpr bool IsDifferentiableType(DataType dtype) {
  return IsFloating(dtype) || IsComplex(dtype) || dtype == DT_RESOURCE || dtype == DT_VARIANT;
}

// A step of the walk.
struct GradientUnit {
  Node* node = nullptr;  // null: the loop
  int loop = 0;
};

class GradientPath {
 public:
  // Of ys in frame `level`; loops inside it are units. Links inside it that lie on the way become open; of links that
  // lead out of it, the open ones begin here as an x does, and those that gradients came through end here as a y does.
  // All arguments must outlive it.
  GradientPath(const Graph& graph, const LoopFrames& frames, StackLinks& stacks, int level, absl::Span<const Output> ys,
               absl::Span<const Output> xs, const absl::flat_hash_set<Output>& stopped);

  // Whether `node` depends on an x, and whether a y depends on it, too.
  bool FromX(const Node& node) const { return Has(from_x_, node); }
  bool Between(const Node& node) const { return Has(reached_, node); }
  // All that Between() holds for.
  const std::vector<Node*>& nodes() const { return nodes_; }
  // Consumers first.
  const std::vector<GradientUnit>& units() const { return units_; }
  // "a -> b -> y", for messages.
  std::string ToY(const Node& node) const;

 private:
  static bool Has(const std::vector<bool>& marks, const Node& node) {
    return node.id() < static_cast<int>(marks.size()) && marks[node.id()];
  }
  // Whether the walk follows the edge: there is one that gradients flow through, and it does not lead into an earlier
  // iteration of a loop whose single iteration is being differentiated.
  bool Follows(const Node& node, Output input) const;
  GradientUnit UnitOf(Node* node) const;
  std::vector<Node*> SourcesOf(const GradientUnit& unit) const;
  // The pushes that `node`, a pop, may take from, as far as they are inside `level`.
  absl::Span<Node* const> PushesOf(const Node& node) const;
  void MarkFromX(absl::Span<const Output> xs);
  void MarkReached();
  void OpenLinks();
  void OrderUnits();

  const Graph& graph_;
  const LoopFrames& frames_;
  StackLinks& stacks_;
  const int level_;
  const absl::flat_hash_set<Output>& stopped_;
  std::vector<Node*> ends_;                            // the ys, and the pushes that end here
  std::vector<bool> from_x_, reached_;                 // by node id
  std::vector<Node*> nodes_;                           // those reached
  absl::flat_hash_map<const Node*, Node*> towards_y_;  // a consumer on the way to a y
  std::vector<GradientUnit> units_;
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_GRADIENT_PATH_H_
