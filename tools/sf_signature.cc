// What the flags of sf stand for in a graph.
#include <algorithm>
#include <iterator>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "graph/status.h"
#include "ops/analysis/batch_norm_layers.h"
#include "ops/analysis/graph_uses.h"
#include "ops/diagnostics/checkpoint_copy.h"
#include "runtime/explain.h"
#include "tools/sf.h"

namespace staticflow {
namespace {

constexpr size_t kMaxResults = 8;  // fetched without being asked for

// A scalar of the feed's type from the command line.
absl::StatusOr<Tensor> ReadValue(Output feed, const std::string& text) {
  double number = 0;
  if (feed.dtype() == DT_BOOL && (text == "true" || text == "false")) return Tensor(text == "true");
  if (absl::SimpleAtod(text, &number)) {
    if (feed.dtype() == DT_FLOAT) return Tensor(static_cast<float>(number));
    if (feed.dtype() == DT_DOUBLE) return Tensor(number);
    if (feed.dtype() == DT_INT32) return Tensor(static_cast<int32_t>(number));
    if (feed.dtype() == DT_INT64) return Tensor(static_cast<int64_t>(number));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--feeds: '", text, "' is no ", DataTypeName(feed.dtype()), " for ", feed.name()));
}

// Whether it stands there for a gradient, as TensorFlow's and our names tell: "gradients/...", ".../mul_grad/...".
bool IsOfGradient(const Node& node) {
  for (absl::string_view scope : absl::StrSplit(node.name(), '/')) {
    if (absl::StartsWith(scope, "gradients") || absl::EndsWith(scope, "_grad")) return true;
  }
  return false;
}

// Whether it saves or restores the variables, as the file says or by the name that savers have.
bool IsOfSaver(const Node& node, const std::optional<SaverInfo>& saver) {
  if (absl::StartsWith(node.name(), "save/")) return true;
  if (!saver.has_value()) return false;
  return node.name() == saver->restore_op || absl::StartsWith(saver->save_tensor, node.name() + ":");
}

// Results that nobody uses, or gradients alone, and that depend on something fed. Unless `for_effects`, what variables
// are written with counts as used.
std::vector<Output> UnusedResults(const ModelFile& file, bool for_effects) {
  const Graph& g = *file.graph;
  absl::flat_hash_set<const Node*> used, fed;
  for (const auto& node : g.nodes()) {
    bool depends = node->op().is(OpRole::kPlaceholder);
    const bool counts =
        !IsOfGradient(*node) && !node->op().has(kShapeOnly) && !(for_effects && node->num_outputs() == 0);
    for (Output input : node->inputs()) {
      if (counts) used.insert(input.node());
      depends |= fed.contains(input.node());
    }
    if (counts) used.insert(node->control_inputs().begin(), node->control_inputs().end());
    if (depends) fed.insert(node.get());
  }
  std::vector<Output> results;
  for (const auto& node : g.nodes()) {
    // What stands in a branch, and the predicates of branches, are no results.
    const bool outside = node->context() == nullptr && (node->num_outputs() == 0 || node->output_dtype(0) != DT_BOOL);
    const bool is_result = outside && node->num_outputs() > 0 && fed.contains(node.get()) &&
                           !used.contains(node.get()) && !node->op().is(OpRole::kPlaceholder) &&
                           !IsOfSaver(*node, file.meta.saver) && !IsOfGradient(*node) &&
                           !IsOfGradient(*ViewedValue(node->output(0)).node()) && !node->op().has(kShapeOnly);
    if (is_result && results.size() < kMaxResults) results.push_back(node->output(0));
  }
  return results;
}

// The results with a row for each example, as far as shapes tell; in the place of the others, numbers for a whole
// batch, the nearest such values that they are computed from.
std::vector<Output> RowsOf(const std::vector<Output>& results) {
  std::vector<Output> rows;
  absl::flat_hash_set<const Node*> seen;
  std::vector<Output> open = results;
  for (size_t next = 0; next < open.size() && rows.size() < kMaxResults; ++next) {
    const Output value = open[next];
    const Node& node = *value.node();
    if (!seen.insert(&node).second || node.op().is(OpRole::kPlaceholder)) continue;
    const Shape& shape = value.shape();
    const bool is_result = next < results.size();
    const bool is_number = value.dtype() == DT_FLOAT || value.dtype() == DT_DOUBLE;
    const bool is_row = is_result || (is_number && shape.rank() > 1 && PassedOnInput(value) < 0);
    if (is_row && shape.rank() > 0 && shape.dim(0) < 0) {
      rows.push_back(value);
    } else {
      for (Output input : node.inputs()) open.push_back(input);
    }
  }
  return rows.empty() ? results : rows;
}

// Those of `values` that no other one is computed from.
std::vector<Output> LastOf(const std::vector<Output>& values) {
  absl::flat_hash_set<const Node*> before;
  std::vector<const Node*> open;
  for (Output value : values) open.push_back(value.node());
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    for (Output input : node->inputs()) {
      if (before.insert(input.node()).second) open.push_back(input.node());
    }
  }
  std::vector<Output> last;
  std::copy_if(values.begin(), values.end(), std::back_inserter(last),
               [&](Output value) { return !before.contains(value.node()); });
  return last;
}

// What a step is asked for that the command line says nothing of.
std::vector<Output> DefaultFetches(const ModelFile& file, bool rows) {
  std::vector<Output> results = UnusedResults(file, false);
  if (!results.empty()) return rows ? RowsOf(results) : results;
  // As Keras writes models: the loss goes into a metric's variables, the gradients into the weights.
  return LastOf(RowsOf(UnusedResults(file, true)));
}

}  // namespace

absl::StatusOr<SfSignature> ReadSignature(const ModelFile& file, const SfArguments& arguments) {
  if (file.graph == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(file.path, ": it holds no graph (.meta), only variables"));
  }
  const Graph& g = *file.graph;
  SfSignature result;
  Signature& signature = result.signature;
  for (const std::string& name : arguments.fetches) {
    SF_ASSIGN_OR_RETURN(const Output fetch, g.FindOutput(name));
    signature.fetches.push_back(fetch);
  }
  for (const std::string& name : arguments.targets) {
    Node* node = g.FindNode(name);
    if (node == nullptr) return absl::NotFoundError(absl::StrCat("the graph has no node '", name, "'"));
    signature.targets.push_back(node);
  }
  if (signature.fetches.empty() && signature.targets.empty()) {
    if (!arguments.results_only) {
      for (const CollectionItem& item : g.collection(kTrainOp)) signature.targets.push_back(item);
    }
    if (signature.targets.empty()) signature.fetches = DefaultFetches(file, arguments.results_only);
  }
  if (signature.fetches.empty() && signature.targets.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(file.path, ": nothing in it asks to be run; give --fetches"));
  }
  for (const std::string& word : arguments.feeds) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
    SF_ASSIGN_OR_RETURN(const Output feed, g.FindOutput(parts.first));
    signature.feeds.push_back(feed);
    if (!absl::StrContains(word, '=')) continue;
    SF_ASSIGN_OR_RETURN(Tensor value, ReadValue(feed, parts.second));
    result.values.push_back({feed, std::move(value)});
  }
  if (!arguments.feeds.empty()) return result;
  Session session(g, {.threads = 1});
  SF_ASSIGN_OR_RETURN(const Explanation explanation, session.Explain(signature));
  for (const Node* node : explanation.missing_feeds) {
    // It may be of a copy of the graph, in which functions are inlined.
    SF_ASSIGN_OR_RETURN(const Output feed, g.FindOutput(node->name()));
    signature.feeds.push_back(feed);
  }
  return result;
}

absl::Status Initialize(const ModelFile& file, const SfArguments& arguments, Session& session) {
  const std::string prefix = arguments.checkpoint.empty() ? file.checkpoint : arguments.checkpoint;
  if (prefix.empty()) return session.Initialize();
  SF_ASSIGN_OR_RETURN(const std::vector<std::string> missing, LoadCheckpoint(session, *file.graph, prefix));
  // Counters of metrics and the like are in no checkpoint; a step that reads one says so.
  int64_t variables = 0;
  for (const auto& node : file.graph->nodes()) {
    variables += node->op().is(OpRole::kVariable) || node->op().is(OpRole::kVarHandle);
  }
  if (static_cast<int64_t>(missing.size()) < std::max<int64_t>(variables, 1)) return absl::OkStatus();
  // TensorFlow 2 saves variables under the names of the objects that hold them; the file's own saver knows them.
  if (const std::optional<SaverInfo>& saver = file.meta.saver; saver.has_value() && !saver->restore_op.empty()) {
    return session.RunByName({{saver->filename_tensor, Tensor(prefix)}}, {}, {saver->restore_op}).status();
  }
  return absl::NotFoundError(
      absl::StrCat(prefix, " lacks ", missing.size(), " variables of the graph, among them '", missing[0], "'"));
}

std::vector<Output> FeedsFromData(const ModelFile& file, const SfSignature& what) {
  const std::vector<BatchNormLayer> layers = FindBatchNormLayers(*file.graph);
  std::vector<Output> feeds;
  for (Output feed : what.signature.feeds) {
    const auto has_value = [&](const auto& value) { return value.first == feed; };
    const auto decides = [&](const BatchNormLayer& layer) { return layer.predicate == feed; };
    if (std::any_of(what.values.begin(), what.values.end(), has_value)) continue;
    if (std::none_of(layers.begin(), layers.end(), decides)) feeds.push_back(feed);
  }
  return feeds;
}

}  // namespace staticflow
