#include "graph/variable_key.h"

#include "absl/strings/str_cat.h"

namespace staticflow {
namespace {

bool CarriesVariable(Output output) { return output.valid() && (output.is_ref() || output.dtype() == DT_RESOURCE); }

}  // namespace

Node* VariableBehind(Output output) {
  // Ops that pass a variable on take it as input 0, or each output as the input of the same number. Loops lead
  // backwards through Merge's other inputs only, but a file can say anything, so the walk is bounded.
  for (int steps = 0; CarriesVariable(output) && steps <= output.graph().num_nodes(); ++steps) {
    Node* node = output.node();
    if (node->op().is(OpRole::kVariable) || node->op().is(OpRole::kVarHandle)) return node;
    const int input = node->op().has(kAlias) ? output.index() : 0;
    if (input >= node->num_inputs()) return nullptr;
    output = node->input(input);
  }
  return nullptr;
}

std::string VariableKey(const Node& declaration) {
  if (!declaration.has_attr("shared_name")) return declaration.name();
  const std::string& shared_name = declaration.attr<std::string>("shared_name");
  const std::string& container = declaration.attr<std::string>("container");
  const std::string& name = shared_name.empty() ? declaration.name() : shared_name;
  return container.empty() ? name : absl::StrCat(container, "/", name);
}

}  // namespace staticflow
