#include "ops/analysis/checkpoint_coverage.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/status.h"
#include "graph/variable_access.h"
#include "graph/variable_key.h"
#include "ops/analysis/graph_uses.h"
#include "ops/analysis/run_nodes.h"
#include "runtime/io/bundle.h"

namespace staticflow {
namespace {

struct ById {
  bool operator()(const Node* a, const Node* b) const { return a->id() < b->id(); }
};
using Declarations = std::set<const Node*, ById>;

std::vector<const Node*> VariablesReadBy(const Graph& g, const std::vector<Output>& fetches,
                                         const std::vector<Operation>& targets) {
  return VariablesRead(RunNodes(g, {}, fetches, targets).needed(), fetches);
}

// The nodes that an operation needs.
std::vector<Node*> Needed(const Graph& g, const Node* node) {
  if (node == nullptr) return {};
  return RunNodes(g, {}, {}, {Operation(const_cast<Node*>(node))}).needed();
}

const Node* NodeOf(const Graph& g, absl::string_view tensor) { return g.FindNode(tensor.substr(0, tensor.find(':'))); }

// Element `i` of a constant list of strings; null when there is none.
const std::string* StringAt(Output list, int i) {
  if (!list.node()->op().is(OpRole::kConst)) return nullptr;
  const Tensor& strings = list.node()->attr<Tensor>("value");
  return strings.dtype() == DT_STRING && i < strings.num_elements() ? &strings.flat<std::string>()[i] : nullptr;
}

// Where the saver restores a variable from.
struct Restored {
  std::string key;
  bool is_part = false;  // of a partitioned variable, all of whose parts share the key
};
std::map<const Node*, Restored, ById> RestoredFrom(const Graph& g, const SaverInfo& saver) {
  std::map<const Node*, Restored, ById> restored;
  for (const Node* node : Needed(g, NodeOf(g, saver.restore_op))) {
    if (!IsType(*node, {"Assign", "AssignVariableOp"})) continue;
    const Output value = ViewedValue(node->input(1));
    if (!IsType(*value.node(), {"RestoreV2"})) continue;
    const Output keys = value.node()->input(1);
    const Node* variable = VariableBehind(node->input(0));
    if (variable == nullptr) continue;
    const std::string* key = StringAt(keys, value.index());
    const std::string* slice = StringAt(value.node()->input(2), value.index());
    if (key != nullptr) restored[variable] = {.key = *key, .is_part = slice != nullptr && !slice->empty()};
  }
  return restored;
}

std::string Names(const std::vector<const Node*>& nodes) {
  return absl::StrJoin(nodes, ", ", [](std::string* out, const Node* node) { out->append(node->name()); });
}

const Shape& ShapeOfVariable(const Node& variable) {
  return variable.output(0).is_ref() ? variable.output_shape(0) : variable.attr<Shape>("shape");
}

}  // namespace

std::map<std::string, std::string> NamesInCheckpoints(const Graph& g, const SaverInfo& saver) {
  std::map<std::string, std::string> names;
  for (const auto& [variable, from] : RestoredFrom(g, saver)) {
    if (!from.is_part) names[VariableKey(*variable)] = from.key;
  }
  return names;
}

std::vector<const Node*> VariablesRead(absl::Span<Node* const> nodes, absl::Span<const Output> fetches) {
  Declarations read;
  const auto add = [&](const Node* variable) {
    if (variable != nullptr) read.insert(variable);
  };
  for (Output fetch : fetches) add(VariableSeenThrough(fetch));
  for (const Node* node : nodes) {
    for (int i = 0; i < node->num_inputs(); ++i) {
      const std::optional<Access> access = AccessOf(*node, i);
      const bool reads = access == Access::kRead || access == Access::kUpdate;
      const Output input = node->input(i);
      if (input.is_ref() || input.dtype() == DT_RESOURCE) {
        if (reads) add(VariableBehind(input));
      } else {
        add(VariableSeenThrough(input));
      }
    }
  }
  return {read.begin(), read.end()};
}

CheckpointCoverage CoverageOfSaver(const Graph& g, const SaverInfo& saver, const std::vector<Output>& fetches,
                                   const std::vector<Operation>& targets) {
  CheckpointCoverage coverage{.subject = "the saver", .read = {}, .missing = {}, .different = {}, .unused = {}};
  Declarations saved;
  for (const Node* node : Needed(g, NodeOf(g, saver.save_tensor))) {
    if (!IsType(*node, {"SaveV2", "Save", "SaveSlices"})) continue;
    for (Output input : node->inputs()) {
      if (const Node* variable = VariableOfValue(input)) saved.insert(variable);
    }
  }
  for (const Node* variable : VariablesReadBy(g, fetches, targets)) {
    coverage.read.push_back(variable);
    if (!saved.contains(variable)) coverage.missing.push_back(variable);
  }
  return coverage;
}

absl::StatusOr<CheckpointCoverage> CoverageOfCheckpoint(Env* env, const std::string& prefix, const Graph& g,
                                                        const std::vector<Output>& fetches,
                                                        const std::vector<Operation>& targets,
                                                        const std::optional<SaverInfo>& saver) {
  SF_RETURN_IF_ERROR(g.status());
  SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(env, prefix));
  CheckpointCoverage coverage{
      .subject = absl::StrCat("checkpoint ", prefix), .read = {}, .missing = {}, .different = {}, .unused = {}};
  std::map<const Node*, Restored, ById> restored;
  if (saver.has_value()) {
    restored = RestoredFrom(g, *saver);
  } else {
    for (const auto& node : g.nodes()) {
      if (node->op().is(OpRole::kVariable) || node->op().is(OpRole::kVarHandle))
        restored[node.get()] = {.key = node->name()};
    }
  }
  for (const Node* variable : VariablesReadBy(g, fetches, targets)) {
    coverage.read.push_back(variable);
    const auto from = restored.find(variable);
    const auto entry = from == restored.end() ? reader.tensors().end() : reader.tensors().find(from->second.key);
    if (entry == reader.tensors().end()) {
      coverage.missing.push_back(variable);
      continue;
    }
    SF_RETURN_IF_ERROR(entry->second.damage);
    const DataType dtype = variable->attr<DataType>("dtype");
    const Shape& shape = ShapeOfVariable(*variable);
    const bool fits = from->second.is_part || shape.IsCompatibleWith(entry->second.shape);
    if (entry->second.dtype == dtype && fits) continue;
    coverage.different.push_back(absl::StrCat(variable->name(), " is ", DataTypeName(entry->second.dtype),
                                              entry->second.shape.ToString(), " in the file and ", DataTypeName(dtype),
                                              shape.ToString(), " in the graph"));
  }
  std::set<std::string> taken;
  for (const auto& [variable, from] : restored) taken.insert(from.key);
  for (const auto& [name, entry] : reader.tensors()) {
    if (!taken.contains(name)) coverage.unused.push_back(name);
  }
  return coverage;
}

absl::Status CheckpointCoverage::status() const {
  if (missing.empty() && different.empty()) return absl::OkStatus();
  std::string message = subject;
  if (!missing.empty()) absl::StrAppend(&message, " leaves out ", Names(missing), ", which the run reads");
  if (!different.empty()) absl::StrAppend(&message, missing.empty() ? ": " : "; ", absl::StrJoin(different, "; "));
  return absl::FailedPreconditionError(message);
}

std::string CheckpointCoverage::ToString() const {
  std::string text = absl::StrCat(subject, ": the run reads ", read.size(), " variables\n");
  if (!missing.empty()) absl::StrAppend(&text, "  left out: ", Names(missing), "\n");
  for (const std::string& line : different) absl::StrAppend(&text, "  different: ", line, "\n");
  if (!unused.empty())
    absl::StrAppend(&text, "  in the file, but not in the graph: ", absl::StrJoin(unused, ", "), "\n");
  return text;
}

}  // namespace staticflow
