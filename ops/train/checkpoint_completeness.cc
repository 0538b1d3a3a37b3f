#include "ops/train/checkpoint_completeness.h"

#include <algorithm>
#include <iterator>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/variable_access.h"
#include "graph/variable_key.h"
#include "ops/analysis/checkpoint_coverage.h"
#include "ops/analysis/graph_uses.h"
#include "runtime/program.h"

namespace staticflow::train {
namespace {

constexpr size_t kMaxNames = 12;

// What a step does with the variables that belong into checkpoints.
struct Uses {
  std::set<std::string> read, written;
};

Uses UsesOf(const Program& program) {
  Uses uses;
  std::vector<Node*> nodes;
  for (const ProgramItem& item : program.items) {
    if (item.kind == ProgramItem::kNode) nodes.push_back(item.node);
  }
  const bool saves = absl::c_any_of(nodes, [](const Node* node) {
    return IsType(*node, {"SaveV2", "Save", "SaveSlices"});
  });
  std::set<std::string> local;
  if (!nodes.empty()) {
    for (const Variable* variable : nodes[0]->graph().variables(kLocalVariables)) {
      local.insert(VariableKey(*variable->variable));
    }
  }
  const auto add = [&](const Node& declaration, std::set<std::string>* names) {
    std::string key = VariableKey(declaration);
    if (!local.contains(key)) names->insert(std::move(key));
  };
  for (const Node* node : nodes) {
    for (const Node* variable : VariablesWrittenBy(*node)) add(*variable, &uses.written);
  }
  if (saves) return uses;
  for (const Node* variable : VariablesRead(nodes)) add(*variable, &uses.read);
  return uses;
}

std::vector<std::string> AuditCheckpoints(AuditedStep& step) {
  const absl::StatusOr<CheckpointCompleteness*> completeness = CheckpointCompleteness::Of(step.resources);
  return completeness.ok() ? (*completeness)->Audit(step) : std::vector<std::string>();
}
const AuditRegistrar checkpoint_audit(AuditCheckpoints);

}  // namespace

std::string NameSome(const std::vector<std::string>& names) {
  if (names.size() <= kMaxNames) return absl::StrJoin(names, ", ");
  return absl::StrCat(absl::StrJoin(names.begin(), names.begin() + kMaxNames, ", "), " and ", names.size() - kMaxNames,
                      " more");
}

absl::StatusOr<CheckpointCompleteness*> CheckpointCompleteness::Of(ResourceStore& resources) {
  return resources.FindOrCreate<CheckpointCompleteness>("staticflow/checkpoint_completeness",
                                                        [] { return std::make_unique<CheckpointCompleteness>(); });
}

std::vector<std::string> CheckpointCompleteness::NotSaved(const std::set<std::string>& covered) {
  std::lock_guard lock(mutex_);
  std::vector<std::string> left_out;
  absl::c_set_difference(read_, covered, std::back_inserter(left_out));
  return left_out;
}

std::vector<std::string> CheckpointCompleteness::NotRestored(const std::set<std::string>& covered) {
  std::vector<std::string> left_out = NotSaved(covered);
  std::lock_guard lock(mutex_);
  std::erase_if(left_out, [this](const std::string& name) { return settled_.contains(name); });
  return left_out;
}

void CheckpointCompleteness::Restored(const std::string& prefix, const std::set<std::string>& covered) {
  std::lock_guard lock(mutex_);
  restored_from_ = prefix;
  settled_.insert(covered.begin(), covered.end());
}

bool CheckpointCompleteness::IsNew(const std::string& sentence) {
  std::lock_guard lock(mutex_);
  return told_.insert(sentence).second;
}

std::vector<std::string> CheckpointCompleteness::Audit(const AuditedStep& step) {
  const Uses uses = UsesOf(step.program);
  std::lock_guard lock(mutex_);
  read_.insert(uses.read.begin(), uses.read.end());
  if (restored_from_.empty()) return {};
  settled_.insert(uses.written.begin(), uses.written.end());
  std::vector<std::string> left;
  absl::c_set_difference(uses.read, settled_, std::back_inserter(left));
  if (left.empty()) return {};
  return {absl::StrCat("this run reads ", NameSome(left), ", which restoring ", restored_from_, " left as ",
                       left.size() == 1 ? "it was" : "they were")};
}

}  // namespace staticflow::train
