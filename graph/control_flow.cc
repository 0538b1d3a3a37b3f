#include "graph/control_flow.h"

#include <algorithm>

#include "graph/node_builder.h"

namespace staticflow {
namespace {

// The op that passes values, or references, by a predicate.
const Op* SwitchFor(bool is_ref) {
  for (const Op* op : AllOps()) {
    if (op->is(OpRole::kSwitch) && op->inputs[0].is_ref == is_ref) return op;
  }
  return nullptr;
}

}  // namespace

bool ControlFlowContext::Contains(const ControlFlowContext* context) const {
  while (context != nullptr && context != this) context = context->outer();
  return context == this;
}

void ControlFlowContext::Complete(NodeDefinition& definition) {
  for (Output& input : definition.inputs) {
    if (input.valid()) input = Capture(input);
  }
  if (WhileContext* loop = LoopAround(this)) definition.control_inputs = loop->Await(definition.control_inputs);
  // Control edges from outside order the node but do not tell whether its branch is taken: that is the pivot's part.
  const bool waits_inside = std::any_of(definition.control_inputs.begin(), definition.control_inputs.end(),
                                        [&](Node* node) { return Contains(node->context()); });
  if (definition.inputs.empty() && !waits_inside && pivot() != nullptr) definition.control_inputs.push_back(pivot());
}

void ControlFlowContext::RestoreValues(std::vector<std::string> values,
                                       std::vector<std::pair<std::string, std::string>> external_values) {
  values_ = std::move(values);
  external_values_ = std::move(external_values);
}

CondContext::CondContext(std::string name, ControlFlowContext* outer, Output pred, Node* pivot, int branch)
    : ControlFlowContext(std::move(name), outer), pred_(pred), pivot_(pivot), branch_(branch) {
  // The predicate is seen from both branches alike, so it needs no Switch.
  captured_[pred] = pred;
  values_ = {pred.name(), pivot->output(0).name()};
  external_values_ = {{pred.name(), pred.name()}};
  pivot->set_context(this);
}

Output CondContext::Capture(Output value) {
  if (Contains(value.node()->context())) return value;
  if (auto it = captured_.find(value); it != captured_.end()) return it->second;
  values_.push_back(value.name());
  Output visible = value;
  if (outer() != nullptr) {
    visible = outer()->Capture(value);
    if (!visible.valid()) return Output();
    if (visible != value) values_.push_back(visible.name());
    external_values_.emplace_back(visible.name(), visible.name());
  }
  const Op* op = SwitchFor(visible.is_ref());
  SF_CHECK(op != nullptr);
  Graph& g = value.graph();
  Node* node = nullptr;
  {
    // The Switch stands outside the branch: it waits for nothing but its inputs.
    const ControlDependencies outside(g, ControlDependencies::kClear);
    NodeBuilder builder(op->name(), {visible, pred_});
    // In a loop it must not let anything through when the loop is over.
    const WhileContext* loop = LoopAround(outer());
    if (loop != nullptr && loop->OnlyConstants({visible, pred_})) builder.ControlInput(loop->pivot());
    node = builder.Name("Switch").Line(value.node()->where()).BuildNode();
  }
  if (node == nullptr) return Output();
  node->set_context(this);
  const Output inside = node->output(branch_);
  values_.push_back(inside.name());
  if (outer() != nullptr) outer()->Added(node);
  captured_[value] = inside;
  external_values_.emplace_back(value.name(), inside.name());
  return inside;
}

void CondContext::Added(Node* node) {
  for (int i = 0; i < node->num_outputs(); ++i) values_.push_back(node->output(i).name());
  if (outer() != nullptr) outer()->Added(node);
}

}  // namespace staticflow
