// What builders of arrays share: a node whose constants carry its name, as TensorFlow's Python makes them:
// Reshape(x, {-1}) adds `Reshape/shape` and `Reshape`.
#ifndef STATICFLOW_OPS_ARRAY_NODES_H_
#define STATICFLOW_OPS_ARRAY_NODES_H_

#include <string>
#include <vector>

#include "graph/node_builder.h"
#include "ops/array.h"

namespace staticflow {

class NodeName {
 public:
  // Settles the node's name. `anchor` tells the graph and the line.
  NodeName(const Operand& anchor, absl::string_view wish, absl::string_view fallback);
  NodeName(Graph& g, absl::string_view wish, absl::string_view fallback, std::source_location where);

  // False when there is no graph to build in: the operand was invalid.
  explicit operator bool() const { return graph_ != nullptr; }
  Graph& graph() const { return *graph_; }
  const std::string& exact() const { return exact_; }  // "scope/Reshape/", for NodeBuilder::Name
  // The vector as an output: itself, or a Const `scope/Reshape/argument`.
  // The list is int32 when all of it fits, unless `dtype` says otherwise.
  Output Vector(const Ints& ints, absl::string_view argument, DataType dtype = DT_INVALID) const;
  Output Constant(Tensor value, absl::string_view argument) const;

 private:
  Graph* graph_ = nullptr;
  std::string exact_;
  std::source_location where_;
};

// The one type for vectors that an op wants to be of one type: that of the outputs among them, or int64 as soon as one
// list needs it.
DataType IndexType(std::initializer_list<const Ints*> vectors);

// All outputs of `node`; none when it is null.
std::vector<Output> OutputsOf(Node* node);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ARRAY_NODES_H_
