#include "ops/analysis/graph_uses.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "runtime/program.h"

namespace staticflow {
namespace {

constexpr size_t kMaxBranchSearch = 64;  // nodes; what decides a branch stands near

bool IsVariable(Output output) { return output.is_ref() || output.dtype() == DT_RESOURCE; }

}  // namespace

GraphUses::GraphUses(const Graph& g) {
  for (const auto& node : g.nodes()) {
    for (int i = 0; i < node->num_inputs(); ++i) uses_[node->input(i)].push_back({node.get(), i});
  }
}

const std::vector<std::pair<Node*, int>>& GraphUses::of(Output output) const {
  static const std::vector<std::pair<Node*, int>>* const kNone = new std::vector<std::pair<Node*, int>>();
  auto it = uses_.find(output);
  return it == uses_.end() ? *kNone : it->second;
}

std::vector<std::pair<Node*, int>> GraphUses::through_views(Output output) const {
  std::vector<std::pair<Node*, int>> result;
  std::vector<Output> views = {output};
  absl::flat_hash_set<Output> seen = {output};
  for (size_t next = 0; next < views.size(); ++next) {
    for (const auto& [node, input] : of(views[next])) {
      bool passes_on = false;
      for (int i = 0; i < node->num_outputs(); ++i) {
        if (PassedOnInput(node->output(i)) != input) continue;
        passes_on = true;
        if (seen.insert(node->output(i)).second) views.push_back(node->output(i));
      }
      if (!passes_on) result.push_back({node, input});
    }
  }
  return result;
}

bool IsType(const Node& node, std::initializer_list<absl::string_view> types) {
  return std::find(types.begin(), types.end(), node.type()) != types.end();
}

int PassedOnInput(Output output) {
  const Node& node = *output.node();
  if (node.num_inputs() == 0 || node.op().is(OpRole::kDefault)) return -1;
  const int input = node.op().is(OpRole::kCast) ? 0 : AliasedInput(node, output.index());
  return input >= 0 && !IsVariable(node.input(input)) ? input : -1;
}

Output ViewedValue(Output output) {
  while (output.valid() && !IsVariable(output)) {
    const int input = PassedOnInput(output);
    if (input < 0) break;
    output = output.node()->input(input);
  }
  return output;
}

Output SameShapeValue(Output output) {
  while (output.valid() && !IsVariable(output)) {
    const int input = PassedOnInput(output);
    const bool same = input >= 0 && (output.node()->op().is(OpRole::kIdentity) || !output.node()->op().has(kAlias));
    if (!same) break;
    output = output.node()->input(input);
  }
  return output;
}

Output OutsideOfBranch(Output output) {
  const auto passes_on = [](const Node& node) {
    return node.op().is(OpRole::kSwitch) || (node.op().is(OpRole::kIdentity) && !node.input(0).is_ref());
  };
  while (output.valid() && passes_on(*output.node())) output = output.node()->input(0);
  return output;
}

std::optional<Branch> BranchOf(Output output) {
  std::vector<Output> open = {output};
  absl::flat_hash_set<const Node*> seen;
  for (size_t next = 0; next < open.size() && next < kMaxBranchSearch; ++next) {
    const Node& node = *open[next].node();
    if (node.op().is(OpRole::kSwitch)) return Branch{SwitchPredicate(node), open[next].index() == 1};
    if (!seen.insert(&node).second) continue;
    for (Output input : node.inputs()) open.push_back(input);
    for (Node* control : node.control_inputs()) {
      if (control->num_outputs() > 0) open.push_back(control->output(0));
    }
  }
  return std::nullopt;
}

std::optional<double> ConstantNumber(Output output) {
  const Output source = ViewedValue(output);
  if (!source.valid() || !source.node()->op().is(OpRole::kConst)) return std::nullopt;
  const Tensor* value = source.node()->attrs().at("value").find<Tensor>();
  if (value == nullptr || value->num_elements() != 1) return std::nullopt;
  switch (value->dtype()) {
    case DT_FLOAT:
      return value->scalar<float>();
    case DT_DOUBLE:
      return value->scalar<double>();
    case DT_HALF:
      return static_cast<float>(value->scalar<Half>());
    case DT_BFLOAT16:
      return static_cast<float>(value->scalar<BFloat16>());
    case DT_INT32:
      return value->scalar<int32_t>();
    default:
      return std::nullopt;
  }
}

}  // namespace staticflow
