// FrozenGraph: the part of a graph that predicts, with every variable and every decided branch replaced by its value. A
// draft that can still be rewritten, before it becomes a Graph.
//
//   SF_ASSIGN_OR_RETURN(FrozenGraph frozen, Freeze(session, g, {{x, images}}, {{is_training, false}}, {logits}));
//   FoldAffine(&frozen);
//   SF_RETURN_IF_ERROR(frozen.AddTo(out));
#ifndef STATICFLOW_OPS_DIAGNOSTICS_FROZEN_GRAPH_H_
#define STATICFLOW_OPS_DIAGNOSTICS_FROZEN_GRAPH_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "runtime/session.h"

namespace staticflow {

struct FrozenGraph {
  struct Edge {
    int node = -1;
    int output = 0;
    friend bool operator==(const Edge&, const Edge&) = default;
  };
  struct FrozenNode {
    std::string name;
    const Op* op = nullptr;
    std::vector<Edge> inputs = {};
    AttrMap attrs = {};
    Shape shape = Shape::Unknown();  // of output 0, as far as the source graph knows it
  };
  std::vector<FrozenNode> nodes;  // each after those it needs
  std::vector<Edge> fetches;
  std::vector<std::string> fetch_names;  // of the nodes that they had

  // Null unless the node is a Const.
  const Tensor* ConstantOf(Edge edge) const;
  // How many inputs and fetches use it.
  int UsesOf(int node) const;
  int AddConstant(std::string name, Tensor value);
  // Lets all who used `from` use `to`.
  void Replace(Edge from, Edge to);
  // Adds what the fetches need to `g`, each fetch under its old node name.
  absl::Status AddTo(Graph& g) const;
};

// `pins` are values that hold for good: what decides the mode. Everything that depends on no feed is computed by the
// session, which must hold the variables; `feeds` come with the samples that it is given where something only waits for
// them. Control edges go: nothing that is left has effects.
// FailedPrecondition: a fetch that needs a write, or a branch that nothing decides; the node is named.
absl::StatusOr<FrozenGraph> Freeze(Session& session, const Graph& g, const Session::Feeds& feeds,
                                   const Session::Feeds& pins, const std::vector<Output>& fetches);

// Takes scales and shifts per channel into the product or convolution by constant weights before or after them, also
// across a bias, reshapes that keep channels together, and zero padding (only a scale). Returns the names of the nodes
// that were taken in. Float rounding changes, nothing else.
std::vector<std::string> FoldAffine(FrozenGraph* graph);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_FROZEN_GRAPH_H_
