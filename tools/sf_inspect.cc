// sf inspect and sf summary: what a file holds.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "graph/status.h"
#include "graph/variable_key.h"
#include "ops/analysis/batch_norm_layers.h"
#include "ops/analysis/checkpoint_coverage.h"
#include "runtime/io/bundle.h"
#include "tools/sf.h"

namespace staticflow {
namespace {

bool IsVariable(const Node& node) { return node.op().is(OpRole::kVariable) || node.op().is(OpRole::kVarHandle); }

void PrintNodes(const Graph& g, std::ostream& out) {
  std::map<std::string, int> counts;
  for (const auto& node : g.nodes()) ++counts[node->type()];
  std::vector<std::pair<std::string, int>> by_count(counts.begin(), counts.end());
  std::stable_sort(by_count.begin(), by_count.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  out << "nodes: " << g.num_nodes() << ": " << absl::StrJoin(by_count, ", ", [](std::string* to, const auto& c) {
    absl::StrAppend(to, c.second, " ", c.first);
  }) << "\n";
  for (const auto& node : g.nodes()) {
    if (!node->op().is(OpRole::kPlaceholder) && !node->op().is(OpRole::kDefault)) continue;
    out << (node->op().is(OpRole::kDefault) ? "input with a default: " : "input: ") << node->name() << ":0 "
        << DataTypeName(node->output_dtype(0)) << node->output_shape(0).ToString() << "\n";
  }
  for (const std::string& key : g.collection_keys()) {
    const size_t variables = g.variables(key).size();
    out << "collection " << key << ": " << (variables > 0 ? variables : g.collection(key).size()) << "\n";
  }
}

const char* StatisticsText(BatchNormStatistics statistics) {
  switch (statistics) {
    case BatchNormStatistics::kBatch:
      return "of the batch, always";
    case BatchNormStatistics::kMoving:
      return "moving averages, always";
    case BatchNormStatistics::kDecided:
      return "as decided by ";
  }
  return "";
}

void PrintLayers(const Graph& g, std::ostream& out) {
  for (const BatchNormLayer& layer : FindBatchNormLayers(g)) {
    out << "batch normalization " << layer.name << ": " << layer.input.name() << " " << layer.input.shape().ToString()
        << ", statistics " << StatisticsText(layer.statistics)
        << (layer.predicate.valid() ? layer.predicate.name() : "") << ", epsilon " << layer.epsilon << ", "
        << layer.updates.size() << " updates";
    if (!layer.updates.empty() && layer.updates[0].momentum.has_value()) {
      out << " with momentum " << absl::StrFormat("%g", *layer.updates[0].momentum);
    }
    out << "\n";
  }
}

absl::Status PrintTensors(const std::string& prefix, std::ostream& out) {
  SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(PosixEnv(), prefix));
  SF_RETURN_IF_ERROR(reader.Verify());
  uint64_t bytes = 0;
  for (const auto& [name, entry] : reader.tensors()) {
    out << "tensor " << name << ": " << DataTypeName(entry.dtype) << entry.shape.ToString() << "\n";
    bytes += entry.size;
  }
  out << "checkpoint " << prefix << ": " << reader.tensors().size() << " tensors, " << bytes
      << " bytes, every checksum agrees\n";
  return absl::OkStatus();
}

// Whether the checkpoint has the graph's variables, by the names that its saver restores them from; 1 if not.
absl::StatusOr<int> CompareWithGraph(const ModelFile& file, std::ostream& out) {
  std::vector<Output> variables;
  for (const Variable* variable : file.graph->variables(kGlobalVariables)) variables.push_back(variable->ref());
  SF_ASSIGN_OR_RETURN(const CheckpointCoverage coverage,
                      CoverageOfCheckpoint(PosixEnv(), file.checkpoint, *file.graph, variables, {}, file.meta.saver));
  for (const Node* missing : coverage.missing) out << "not in the checkpoint: variable " << missing->name() << "\n";
  for (const std::string& line : coverage.different) out << "of another kind: " << line << "\n";
  for (const std::string& name : coverage.unused) out << "no variable of the graph takes: " << name << "\n";
  return coverage.missing.empty() && coverage.different.empty() ? 0 : 1;
}

std::string ScopeOf(const std::string& name) {
  const size_t slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash);
}

// A line for each variable, a total for each scope that has several.
struct Totals {
  int64_t variables = 0;
  int64_t parameters = 0;
  int64_t trainable = 0;
};

void PrintRow(const std::string& name, DataType dtype, const Shape& shape, const char* note, std::ostream& out) {
  const int64_t n = shape.IsFullyDefined() ? shape.num_elements() : -1;
  out << absl::StrFormat("%-50s %-24s %12s%s\n", name, absl::StrCat(DataTypeName(dtype), shape.ToString()),
                         n < 0 ? "?" : absl::StrCat(n), note);
}

}  // namespace

absl::StatusOr<int> SfInspect(const SfArguments& arguments, std::ostream& out) {
  int code = 0;
  for (const std::string& path : arguments.files) {
    SF_ASSIGN_OR_RETURN(const ModelFile file, OpenModelFile(path));
    out << path << ": " << file.kind << "\n";
    if (file.graph != nullptr) {
      if (!file.meta.tensorflow_version.empty()) out << "written by " << file.meta.tensorflow_version << "\n";
      if (file.inlined_calls > 0) out << file.inlined_calls << " calls of functions, inlined in what follows\n";
      PrintNodes(*file.graph, out);
      PrintLayers(*file.graph, out);
    }
    if (file.checkpoint.empty()) continue;
    SF_RETURN_IF_ERROR(PrintTensors(file.checkpoint, out));
    if (file.graph == nullptr) continue;
    SF_ASSIGN_OR_RETURN(const int differs, CompareWithGraph(file, out));
    code = std::max(code, differs);
  }
  return code;
}

absl::StatusOr<int> SfSummary(const SfArguments& arguments, std::ostream& out) {
  for (const std::string& path : arguments.files) {
    SF_ASSIGN_OR_RETURN(const ModelFile file, OpenModelFile(path));
    std::map<std::string, Totals> scopes;
    Totals all;
    const auto add = [&](const std::string& name, DataType dtype, const Shape& shape, bool trainable) {
      PrintRow(name, dtype, shape, trainable ? "  trainable" : "", out);
      for (Totals* totals : {&scopes[ScopeOf(name)], &all}) {
        ++totals->variables;
        const int64_t n = shape.IsFullyDefined() ? shape.num_elements() : 0;
        totals->parameters += n;
        totals->trainable += trainable ? n : 0;
      }
    };
    if (file.graph != nullptr) {
      for (const auto& node : file.graph->nodes()) {
        if (!IsVariable(*node)) continue;
        const Variable* variable = file.graph->FindVariable(node.get());
        const bool trainable = variable != nullptr && variable->trainable;
        add(VariableKey(*node), node->attr<DataType>("dtype"), node->attr<Shape>("shape"), trainable);
      }
    } else {
      SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(PosixEnv(), file.checkpoint));
      for (const auto& [name, entry] : reader.tensors()) add(name, entry.dtype, entry.shape, false);
    }
    for (const auto& [scope, totals] : scopes) {
      if (totals.variables < 2 || scope.empty()) continue;
      out << absl::StrFormat("%-50s %-24s %12d\n", scope + "/", absl::StrCat(totals.variables, " variables"),
                             totals.parameters);
    }
    out << path << ": " << all.variables << " variables, " << all.parameters << " parameters";
    if (all.trainable > 0) out << ", " << all.trainable << " of them trainable";
    out << "\n";
  }
  return 0;
}

}  // namespace staticflow
