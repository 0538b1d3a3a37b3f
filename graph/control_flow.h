// Control-flow contexts: which branch of a cond or which loop a node is being built in.
//
// While a branch is being built, Graph::context() is its CondContext. A node built then may use outputs from outside:
// each passes through a Switch on the predicate first (Capture), so that nothing in the branch runs unless it is
// taken. A node without inputs from inside waits for the branch's pivot by a control edge. For a loop that is a
// WhileContext, and what comes from outside passes through an Enter.
// The contexts are written to the `cond_context` and `while_context` collections of a MetaGraphDef, as TensorFlow does.
//
// Not thread-safe: contexts belong to the graph that is being built.
#ifndef STATICFLOW_GRAPH_CONTROL_FLOW_H_
#define STATICFLOW_GRAPH_CONTROL_FLOW_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
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
  // Makes a node that is about to be added inside one of this context: captures its inputs, and ties it to the pivot
  // where nothing else does. Captured inputs are invalid after an error.
  virtual void Complete(NodeDefinition& definition);
  // Called for every node that is added inside.
  virtual void Added(Node* node) = 0;

  // Tensors seen inside by name, and for each captured one the name it has inside: ValuesDef.
  const std::vector<std::string>& values() const { return values_; }
  const std::vector<std::pair<std::string, std::string>>& external_values() const { return external_values_; }
  // For the importer, which finds the nodes there already.
  void RestoreValues(std::vector<std::string> values, std::vector<std::pair<std::string, std::string>> external_values);

 protected:
  std::vector<std::string> values_;
  std::vector<std::pair<std::string, std::string>> external_values_;

 private:
  std::string name_;
  ControlFlowContext* outer_;
};

// The nodes of `graph` belong to `context` while it lives; null for none.
class InContext {
 public:
  InContext(Graph& graph, ControlFlowContext* context) : graph_(graph), outer_(graph.context()) {
    graph.set_context(context);
  }
  ~InContext() { graph_.set_context(outer_); }
  InContext(const InContext&) = delete;
  InContext& operator=(const InContext&) = delete;

 private:
  Graph& graph_;
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

 private:
  Output pred_;
  Node* pivot_;
  int branch_;
  absl::flat_hash_map<Output, Output> captured_;
};

// What tf.while_loop takes beside its functions and variables.
struct WhileSettings {
  Output maximum_iterations = {};  // int32 scalar; invalid: no limit
  int64_t parallel_iterations = 10;
  bool back_prop = true;
  bool swap_memory = false;
};

// A loop. Building one goes so:
//
//   WhileContext& loop = WhileContext::Create(g, "while_context", settings);
//   for (Output x : initial) merged.push_back(loop.AddVariable(x, x.shape()));
//   { InContext inside(g, &loop); loop.SetCondition(cond(merged)); ...
//     for (i...) values.push_back(loop.BodyValue(i));  next = body(values);
//     for (i...) loop.SetNext(i, next[i]); }
//   for (i...) results.push_back(loop.ExitOf(i));
//
// Variables can be added until the loop is used: a gradient adds counters and sums to loops that stand already.
class WhileContext : public ControlFlowContext {
 public:
  // The nodes of one value that is carried around; those that are not built yet are null.
  struct Variable {
    Node* enter = nullptr;
    Node* merge = nullptr;
    Node* switch_node = nullptr;
    Node* body = nullptr;  // the Identity that stands for the value in the body
    Node* next = nullptr;
    Node* exit = nullptr;
  };

  WhileContext(std::string name, ControlFlowContext* outer, WhileSettings settings)
      : ControlFlowContext(std::move(name), outer), settings_(std::move(settings)) {}
  // A new loop inside the graph's context; `name` is made unique and names the frame.
  static WhileContext& Create(Graph& g, absl::string_view name, const WhileSettings& settings);

  Output Capture(Output value) override;
  Node* pivot() const override { return pivot_for_body_ != nullptr ? pivot_for_body_ : pivot_for_pred_; }
  void Complete(NodeDefinition& definition) override;
  void Added(Node* node) override;

  // A value that begins as `initial` and has `shape` in every iteration. Gives it as the condition sees it.
  // All of these give an invalid Output after an error, which the graph then keeps.
  Output AddVariable(Output initial, const Shape& shape);
  // InvalidArgument unless `condition` is a bool scalar.
  bool SetCondition(Output condition);
  // Variable `i` as the body sees it. REQUIRES: the condition is set.
  Output BodyValue(int i);
  // What variable `i` is in the next iteration. InvalidArgument for another type or a shape that contradicts its own.
  bool SetNext(int i, Output value);
  // Variable `i` after the loop.
  Output ExitOf(int i);

  const WhileSettings& settings() const { return settings_; }
  const std::vector<Variable>& variables() const { return variables_; }
  Node* condition() const { return condition_; }  // the LoopCond
  Node* pivot_for_pred() const { return pivot_for_pred_; }
  Node* pivot_for_body() const { return pivot_for_body_; }

  // The nodes to wait for inside in place of those in `nodes`: of one outside, an Identity of what it gives; who gives
  // nothing is awaited by the Enters.
  std::vector<Node*> Await(absl::Span<Node* const> nodes);
  // Whether nothing but constants of the loop are among `inputs`: a node of these runs in every evaluation of the
  // condition, unless it waits for the pivot.
  bool OnlyConstants(absl::Span<const Output> inputs) const;

  // For loops whose nodes are there already. `body_pivot` may be null.
  void Restore(std::vector<Variable> variables, Node* condition, Node* body_pivot);

 private:
  // An Enter for `value`, outside the loop but for its result.
  Node* MakeEnter(Output value, bool is_constant);
  // The output 0 of a node for which the frame's machinery has `role`, built in this context.
  Node* MakeNode(OpRole role, absl::Span<const Output> inputs, absl::string_view name);
  bool IsConstantEnter(const Node& node) const;

  WhileSettings settings_;
  std::vector<Variable> variables_;
  Node* condition_ = nullptr;
  Node* pivot_for_pred_ = nullptr;
  Node* pivot_for_body_ = nullptr;
  absl::flat_hash_map<Output, Output> captured_;
  absl::flat_hash_map<const Node*, Node*> awaited_;  // by node outside: what stands for it inside
};

// The innermost loop around `context`, itself included; null when there is none.
WhileContext* LoopAround(ControlFlowContext* context);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_CONTROL_FLOW_H_
