#include "ops/diagnostics/average_writes.h"

#include <iterator>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_set.h"
#include "graph/control_flow.h"
#include "graph/variable_access.h"
#include "ops/analysis/graph_uses.h"

namespace staticflow {
namespace {

// The inputs of `node` that its outputs may be made of in this run.
std::vector<Output> LivingInputs(const RunNodes& run, const Node& node) {
  std::vector<Output> inputs;
  if (IsType(node, {"Select", "SelectV2"})) {
    const std::optional<bool> value = run.Predicate(ViewedValue(node.input(0)));
    if (value.value_or(true)) inputs.push_back(node.input(1));
    if (!value.value_or(false)) inputs.push_back(node.input(2));
    return inputs;
  }
  for (Output input : node.inputs()) {
    if (run.MayBeComputed(input)) inputs.push_back(input);
  }
  return inputs;
}

bool IsRestored(Output value) { return IsType(*ViewedValue(value).node(), {"RestoreV2", "Restore", "RestoreSlice"}); }

}  // namespace

bool TakesFrom(const RunNodes& run, const Node& write, Output statistic) {
  if (!run.MayRun(write) || write.num_inputs() < 2 || !run.MayBeComputed(statistic)) return false;
  std::vector<Output> open = {write.input(1)};
  absl::flat_hash_set<Output> seen;
  while (!open.empty()) {
    const Output value = open.back();
    open.pop_back();
    if (value == statistic) return true;
    if (!seen.insert(value).second || run.IsFed(value)) continue;
    absl::c_move(LivingInputs(run, *value.node()), std::back_inserter(open));
  }
  return false;
}

std::vector<const Node*> WritesOf(const Node& variable) {
  std::vector<const Node*> writes;
  const Variable* declared = variable.graph().FindVariable(&variable);
  for (const auto& node : variable.graph().nodes()) {
    if (declared != nullptr && declared->initializer == node.get()) continue;
    if (node->num_inputs() > 1 && IsRestored(node->input(1))) continue;
    if (absl::c_linear_search(VariablesWrittenBy(*node), &variable)) writes.push_back(node.get());
  }
  return writes;
}

namespace {

bool ExcludeByContext(const Node& a, const Node& b) {
  for (const ControlFlowContext* x = a.context(); x != nullptr; x = x->outer()) {
    const auto* first = dynamic_cast<const CondContext*>(x);
    for (const ControlFlowContext* y = b.context(); first != nullptr && y != nullptr; y = y->outer()) {
      const auto* second = dynamic_cast<const CondContext*>(y);
      if (second != nullptr && first->pred() == second->pred() && first->branch() != second->branch()) return true;
    }
  }
  return false;
}

}  // namespace

bool Exclude(const Node& a, const Node& b) {
  if (a.context() != nullptr && b.context() != nullptr) return ExcludeByContext(a, b);
  // A file need not tell the contexts; the Switches do.
  if (a.num_inputs() == 0 || b.num_inputs() == 0) return false;
  const std::optional<Branch> first = BranchOf(a.input(0)), second = BranchOf(b.input(0));
  return first.has_value() && second.has_value() && first->predicate == second->predicate &&
         first->value != second->value;
}

}  // namespace staticflow
