#include "graph/liveness.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>

#include "graph/node_builder.h"

namespace staticflow {

bool operator<(const Literal& a, const Literal& b) {
  const auto key = [](const Literal& l) { return std::make_tuple(l.pred.node()->id(), l.pred.index(), l.branch); };
  return key(a) < key(b);
}

Output BehindIdentity(Output output) {
  while (output.node()->op().is(OpRole::kIdentity) && !output.node()->input(0).is_ref()) {
    output = output.node()->input(0);
  }
  return output;
}

std::vector<Literals> LiveWhen(absl::Span<const Output> outputs, absl::FunctionRef<bool(const Node&)> begins) {
  std::set<int> ancestors;
  std::vector<const Node*> stack;
  const auto visit = [&](const Node* node, int before) {
    if (node != nullptr && node->id() < before && ancestors.insert(node->id()).second) stack.push_back(node);
  };
  for (Output output : outputs) visit(output.node(), output.graph().num_nodes());
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (begins(*node)) continue;
    for (Output input : node->inputs()) visit(input.node(), node->id());
    for (Node* control : node->control_inputs()) visit(control, node->id());
  }
  std::map<int, Literals> by_node;
  const auto of_output = [&](Output output) {
    Literals literals = by_node[output.node()->id()];
    if (output.node()->op().is(OpRole::kSwitch)) {
      literals.insert({BehindIdentity(output.node()->input(1)), output.index()});
    }
    return literals;
  };
  for (int id : ancestors) {
    const Node& node = *outputs[0].graph().nodes()[id];
    Literals literals;
    bool first = true;
    if (begins(node)) continue;
    for (Output input : node.inputs()) {
      if (!input.valid() || input.node()->id() >= id) continue;
      const Literals of_input = of_output(input);
      if (first || !node.op().is(OpRole::kMerge)) {
        literals.insert(of_input.begin(), of_input.end());
      } else {
        Literals common;
        std::set_intersection(literals.begin(), literals.end(), of_input.begin(), of_input.end(),
                              std::inserter(common, common.end()));
        literals = std::move(common);
      }
      first = false;
    }
    for (Node* control : node.control_inputs()) {
      if (control->id() >= id) continue;
      const Literals& of_control = by_node[control->id()];
      literals.insert(of_control.begin(), of_control.end());
    }
    by_node[id] = std::move(literals);
  }
  std::vector<Literals> result;
  for (Output output : outputs) result.push_back(of_output(output));
  return result;
}

Output WhereLive(Output value, absl::Span<const Literal> when, Output otherwise) {
  const std::string& switch_type = OpWithRole(OpRole::kSwitch).name();
  for (size_t k = when.size(); k-- > 0;) {
    // The first k literals hold, the next one does not.
    Output side = otherwise;
    for (size_t j = 0; j <= k && side.valid(); ++j) {
      Node* sides = NodeBuilder(switch_type, {side, when[j].pred}).BuildNode();
      side = sides == nullptr ? Output() : sides->output(j < k ? when[j].branch : 1 - when[j].branch);
    }
    if (!value.valid() || !side.valid()) return Output();
    const Output inputs[] = {value, side};
    value = NodeBuilder(OpWithRole(OpRole::kMerge).name(), {}).Inputs(inputs).Build();
  }
  return value;
}

}  // namespace staticflow
