#include "graph/variable_key.h"

#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace staticflow {
namespace {

bool CarriesVariable(Output output) { return output.valid() && (output.is_ref() || output.dtype() == DT_RESOURCE); }

// The input of its node that `output`, a reference or a handle, is: of the same number, or the first; -1 for neither.
int PassedInput(Output output) {
  const Node& node = *output.node();
  int input = node.op().has(kAlias) ? output.index() : -1;
  // An assignment gives the reference that it took.
  if (PassesFirstInputOn(node.op()) || (input < 0 && output.is_ref())) input = 0;
  return input < node.num_inputs() ? input : -1;
}

// The declaration that a chain of nodes leads back to, the Merge at its other end, or null.
Node* EndOfChain(Output output) {
  // A file can say anything, so the walk is bounded.
  for (int steps = 0; CarriesVariable(output) && steps <= output.graph().num_nodes(); ++steps) {
    Node* node = output.node();
    const OpRole role = node->op().spec.role;
    if (role == OpRole::kVariable || role == OpRole::kVarHandle || role == OpRole::kMerge) return node;
    const int input = PassedInput(output);
    if (input < 0) return nullptr;
    output = node->input(input);
  }
  return nullptr;
}

}  // namespace

bool PassesFirstInputOn(const Op& op) {
  switch (op.spec.role) {
    case OpRole::kIdentity:
    case OpRole::kStopGradient:
    case OpRole::kDefault:
    case OpRole::kSwitch:
    case OpRole::kEnter:
    case OpRole::kExit:
    case OpRole::kNextIteration:
      return true;
    default:
      return false;
  }
}

Node* VariableBehind(Output output) {
  Node* const end = EndOfChain(output);
  if (end == nullptr || !end->op().is(OpRole::kMerge)) return end;
  // All that the Merge may pass on must be one variable. A loop's Merge leads back to itself.
  Node* found = nullptr;
  std::vector<const Node*> open = {end};
  absl::flat_hash_set<const Node*> seen = {end};
  while (!open.empty()) {
    const Node* const merge = open.back();
    open.pop_back();
    for (Output input : merge->inputs()) {
      if (!input.valid()) continue;
      Node* const behind = EndOfChain(input);
      if (behind == nullptr) return nullptr;
      if (behind->op().is(OpRole::kMerge)) {
        if (seen.insert(behind).second) open.push_back(behind);
        continue;
      }
      if (found != nullptr && found != behind) return nullptr;
      found = behind;
    }
  }
  return found;
}

std::string VariableKey(const Node& declaration) {
  if (!declaration.has_attr("shared_name")) return declaration.name();
  const std::string& shared_name = declaration.attr<std::string>("shared_name");
  const std::string& container = declaration.attr<std::string>("container");
  const std::string& name = shared_name.empty() ? declaration.name() : shared_name;
  return container.empty() ? name : absl::StrCat(container, "/", name);
}

}  // namespace staticflow
