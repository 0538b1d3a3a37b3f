// Control-flow contexts: which branch of a cond (or body of a loop) a node is being built in.
//
// While a branch is being built, Graph::context() is its CondContext. A node built then may use outputs from outside:
// each passes through a Switch on the predicate first (Capture), so that nothing in the branch runs unless it is
// taken. A node without inputs from inside waits for the branch's pivot by a control edge.
// The contexts are written to the `cond_context` collection of a MetaGraphDef, as TensorFlow does.
//
// Not thread-safe: contexts belong to the graph that is being built.
#ifndef STATICFLOW_GRAPH_CONTROL_FLOW_H_
#define STATICFLOW_GRAPH_CONTROL_FLOW_H_

#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "graph/graph.h"

namespace staticflow {

class ControlFlowContext {
 public:
  ControlFlowContext(std::string name, ControlFlowContext* outer) : name_(std::move(name)), outer_(outer) {}
  virtual ~ControlFlowContext() = default;

  const std::string& name() const { return name_; }
  ControlFlowContext* outer() const { return outer_; }
  // Whether a node of `context` is inside this one, at any depth.
  bool Contains(const ControlFlowContext* context) const;

  // `value` as seen inside: itself when it was built inside, else what a Switch (or an Enter) lets through.
  // Invalid after an error, which the graph then keeps.
  virtual Output Capture(Output value) = 0;
  // What a node without any input from inside waits for.
  virtual Node* pivot() const = 0;
  // Called for every node that is added inside.
  virtual void Added(Node* node) = 0;

 private:
  std::string name_;
  ControlFlowContext* outer_;
};

// One branch of a cond.
class CondContext : public ControlFlowContext {
 public:
  // `pred` is the predicate as nodes inside see it (an Identity), `pivot` the node that lives when `branch` (0: false,
  // 1: true) is taken.
  CondContext(std::string name, ControlFlowContext* outer, Output pred, Node* pivot, int branch);

  Output Capture(Output value) override;
  Node* pivot() const override { return pivot_; }
  void Added(Node* node) override;

  Output pred() const { return pred_; }
  int branch() const { return branch_; }
  // Tensors of the branch by name, and for each captured one the name it has inside: CondContextDef.values_def.
  const std::vector<std::string>& values() const { return values_; }
  const std::vector<std::pair<std::string, std::string>>& external_values() const { return external_values_; }

  // For the importer, which finds the nodes there already.
  void Restore(std::vector<std::string> values, std::vector<std::pair<std::string, std::string>> external_values);

 private:
  Output pred_;
  Node* pivot_;
  int branch_;
  absl::flat_hash_map<Output, Output> captured_;
  std::vector<std::string> values_;
  std::vector<std::pair<std::string, std::string>> external_values_;
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_CONTROL_FLOW_H_
