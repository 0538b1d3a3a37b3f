// NodeBuilder: what every builder function stands on. It applies the open scopes (names, control dependencies, the
// branch being built), turns numbers into constants, infers type attributes and records mistakes in the graph.
//
//   Output MatMul(Operand a, Operand b, const MatMulOptions& options) {
//     return NodeBuilder("MatMul", {a, b}).Attr("transpose_a", options.transpose_a).Name(options.name).Build();
//   }
//
// Not thread-safe: it adds to the graph.
#ifndef STATICFLOW_GRAPH_NODE_BUILDER_H_
#define STATICFLOW_GRAPH_NODE_BUILDER_H_

#include <initializer_list>
#include <source_location>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "graph/graph.h"

namespace staticflow {

// The options of builders that have no other attributes.
struct OpOptions {
  std::string name = "";  // "": the op type, made unique
};

class NodeBuilder {
 public:
  using Where = std::source_location;

  // A source: a node that needs no operand to find its graph.
  NodeBuilder(Graph& g, absl::string_view type, Where where);
  // The graph and the line come from the first operand that has them. Each operand is one argument of the op.
  NodeBuilder(absl::string_view type, std::initializer_list<Operand> operands);

  // The next argument. A list argument ("N * T" or a type list) takes Inputs().
  NodeBuilder& Input(const Operand& operand);
  NodeBuilder& Inputs(absl::Span<const Output> operands);
  NodeBuilder& ControlInput(Operation operation);
  NodeBuilder& Attr(absl::string_view name, AttrValue value);
  // A wish; "" means `fallback`, or the op type when that is empty too. See Graph::UniqueName.
  NodeBuilder& Name(absl::string_view name, absl::string_view fallback = "");
  NodeBuilder& Line(const SourceLine& line);

  // Adds the node. Null after an error, which the graph then keeps; silent when an operand is invalid already.
  Node* BuildNode();
  // Output 0 of the node; invalid after an error (or when the op has no output).
  Output Build();

 private:
  struct Argument {
    std::vector<Operand> operands;
    bool is_list = false;
  };
  void TakeGraph(const Operand& operand);
  Node* Fail(absl::string_view message);
  bool Check();
  // The dtype that a number in argument `i` gets.
  DataType TypeOfNumber(int i) const;
  Output MakeConst(const Operand& number, int argument, const std::string& node_name);
  void ApplyScopes(NodeDefinition& definition);

  Graph* graph_ = nullptr;
  std::string type_;
  const Op* op_;
  std::vector<Argument> arguments_;
  std::vector<Node*> control_inputs_;
  AttrMap attrs_;
  std::string name_;
  SourceLine line_;
  bool has_line_ = false;
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_NODE_BUILDER_H_
