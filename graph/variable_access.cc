#include "graph/variable_access.h"

#include "graph/signature.h"
#include "graph/variable_key.h"

namespace staticflow {
namespace {

// Whether output 0 (or i of an alias) is input 0 (or i), as it is at the moment it is read.
bool PassesOn(const Op& op) { return PassesFirstInputOn(op) || op.has(kAlias); }

}  // namespace

std::optional<Access> AccessOf(const Node& node, int i) {
  const Output input = node.input(i);
  if (VariableBehind(input) == nullptr) return std::nullopt;
  for (const VariableAccess& access : node.op().spec.access) {
    if (access.input == i) return access.access;
  }
  if (node.op().is(OpRole::kReadVariable)) return Access::kRead;
  // A Merge, too: of its inputs that are alive, it passes on whichever comes.
  const bool passes_on = PassesOn(node.op()) || node.op().is(OpRole::kMerge);
  if (input.dtype() == DT_RESOURCE) return passes_on ? std::nullopt : std::optional(Access::kUpdate);
  absl::StatusOr<std::vector<ArgType>> args = ExpandArgs(node.op().inputs, node.attrs());
  const bool takes_ref = args.ok() && (*args)[i].is_ref;
  if (!takes_ref) return Access::kRead;
  return passes_on ? std::nullopt : std::optional(Access::kUpdate);
}

std::vector<Node*> VariablesWrittenBy(const Node& node) {
  std::vector<Node*> written;
  if (node.op().spec.access.empty() && !node.op().has(kStateful)) return written;
  for (int i = 0; i < node.num_inputs(); ++i) {
    const std::optional<Access> access = AccessOf(node, i);
    if (access != Access::kUpdate && access != Access::kOverwrite) continue;
    written.push_back(VariableBehind(node.input(i)));
  }
  return written;
}

Node* VariableSeenThrough(Output output) {
  // A file can say anything, so the walk is bounded.
  for (int steps = 0; output.valid() && steps <= output.graph().num_nodes(); ++steps) {
    if (output.is_ref()) return VariableBehind(output);
    const Node& node = *output.node();
    if (output.dtype() == DT_RESOURCE || !PassesOn(node.op()) || node.num_inputs() == 0) return nullptr;
    output = node.input(node.op().has(kAlias) && output.index() < node.num_inputs() ? output.index() : 0);
  }
  return nullptr;
}

}  // namespace staticflow
