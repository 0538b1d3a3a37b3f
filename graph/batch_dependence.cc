#include "graph/batch_dependence.h"

#include <algorithm>
#include <deque>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/batch_flow.h"
#include "graph/status.h"

namespace staticflow {
namespace {

constexpr size_t kMaxModes = 8;  // predicates that are tried one by one

// The shortest way on which data of `kind` came to the fetch, from where it became so.
std::vector<const Node*> ShortestPath(const BatchFlow& flow, Output fetch, BatchRows::Kind kind) {
  absl::flat_hash_map<const Node*, const Node*> consumer = {{fetch.node(), nullptr}};
  std::deque<const Node*> queue = {fetch.node()};
  const Node* culprit = fetch.node();
  while (!queue.empty()) {
    const Node* const node = queue.front();
    queue.pop_front();
    if (flow.IsToBlame(*node, kind)) {
      culprit = node;
      break;
    }
    for (const Node* source : flow.Sources(*node, kind)) {
      if (consumer.try_emplace(source, node).second) queue.push_back(source);
    }
  }
  std::vector<const Node*> path;
  for (const Node* node = culprit; node != nullptr; node = consumer[node]) path.push_back(node);
  return path;
}

std::string Blame(const BatchFlow& flow, const Node& node) {
  const std::string reason = flow.Reason(node);
  return absl::StrCat(node.type(), reason.empty() ? "" : " ", reason, " in ", node.name());
}

// The verdict, its reason and its path for a fetch that the flow has reached.
void Judge(const BatchFlow& flow, Output fetch, int axis, BatchDependence* result) {
  const BatchRows& rows = result->rows = flow.Of(fetch);
  switch (rows.kind) {
    case BatchRows::kNone:
      result->verdict = BatchVerdict::kIndependent;
      result->reason = "it is never computed";
      return;
    case BatchRows::kConstant:
      result->verdict = BatchVerdict::kIndependent;
      result->reason = "it holds no data of the batch";
      return;
    case BatchRows::kRows:
      if (rows.axis == axis) {
        result->verdict = BatchVerdict::kIndependent;
        result->reason = rows.outer == 1 && rows.inner == 1
                             ? absl::StrCat("index i of dimension ", axis, " is example i")
                             : absl::StrCat("index k of dimension ", axis, " is of example k / ", rows.inner, " mod N");
        return;
      }
      result->verdict = BatchVerdict::kDepends;
      result->reason = absl::StrCat("the examples lie along dimension ", rows.axis, ", not ", axis, ", of ",
                                    fetch.node()->type(), " ", fetch.node()->name());
      result->path = {fetch.node()};
      return;
    case BatchRows::kUnknown:
    case BatchRows::kMixed:
      result->verdict = rows.kind == BatchRows::kMixed ? BatchVerdict::kDepends : BatchVerdict::kUnknown;
      result->path = ShortestPath(flow, fetch, rows.kind);
      result->reason = Blame(flow, *result->path[0]);
      return;
  }
}

// What the fetch needs, as far as nothing is assumed or fed.
std::vector<Node*> NeededNodes(Output fetch, const BatchDependenceOptions& options) {
  absl::flat_hash_set<Output> given;
  for (const auto& [output, value] : options.feeds) given.insert(output);
  for (const BatchInput& input : options.batch) given.insert(input.output);
  std::vector<Node*> needed;
  absl::flat_hash_set<Node*> seen;
  const auto need = [&](Node* node) {
    if (seen.insert(node).second) needed.push_back(node);
  };
  if (!given.contains(fetch)) need(fetch.node());
  for (size_t next = 0; next < needed.size(); ++next) {
    for (Output input : needed[next]->inputs()) {
      if (!given.contains(input)) need(input.node());
    }
    for (Node* control : needed[next]->control_inputs()) need(control);
  }
  std::sort(needed.begin(), needed.end(), [](const Node* a, const Node* b) { return a->id() < b->id(); });
  return needed;
}

bool MayBePredicate(Output output) {
  return output.dtype() == DT_BOOL && (!output.shape().has_rank() || output.shape().IsScalar());
}

std::vector<BatchInput> FindBatch(const std::vector<Node*>& nodes) {
  std::vector<BatchInput> open, complete;
  for (Node* node : nodes) {
    const bool has_default = node->op().is(OpRole::kDefault);
    if (!has_default && !node->op().is(OpRole::kPlaceholder)) continue;
    const Output output = node->output(0);
    const Shape& shape = output.shape();
    if (shape.IsScalar() || MayBePredicate(output)) continue;
    if (!shape.has_rank() || shape.dim(0) < 0) {
      open.push_back({output, 0});
    } else if (!has_default && (complete.empty() || complete[0].output.shape().dim(0) == shape.dim(0))) {
      complete.push_back({output, 0});
    }
  }
  return open.empty() ? complete : open;
}

// The scalar by which `node` decides what passes: of a Switch, or of an op that chooses between its operands.
Output Decider(const Node& node) {
  if (node.op().is(OpRole::kSwitch)) return node.input(1);
  const bool chooses = node.num_inputs() == 3 && node.input(1).dtype() == node.input(2).dtype();
  return chooses && MayBePredicate(node.input(0)) ? node.input(0) : Output();
}

// What could decide the conds: a bool scalar that is fed, behind each Switch's predicate, or else the predicate itself.
std::vector<Output> OpenPredicates(const BatchFlow& flow) {
  std::vector<Output> predicates;
  for (const Node* node : flow.nodes()) {
    Output predicate = Decider(*node);
    if (!predicate.valid() || flow.Value(predicate) != nullptr) continue;
    while (predicate.node()->num_inputs() == 1 && MayBePredicate(predicate.node()->input(0)) &&
           !predicate.node()->op().is(OpRole::kDefault)) {
      predicate = predicate.node()->input(0);
    }
    if (predicate.node()->op().is(OpRole::kLoopCond)) continue;
    if (!flow.Of(predicate).is_constant() || absl::c_linear_search(predicates, predicate)) continue;
    predicates.push_back(predicate);
    if (predicates.size() == kMaxModes) break;
  }
  return predicates;
}

absl::Status Check(Output output, const Graph& graph, absl::string_view what) {
  if (output.valid() && &output.graph() == &graph) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("AnalyzeBatchDependence: ", what, " is no output of the fetch's graph"));
}

absl::Status CheckArguments(Output fetch, int axis, const BatchDependenceOptions& options) {
  if (!fetch.valid()) return absl::InvalidArgumentError("AnalyzeBatchDependence: the fetch is no output of any node");
  const Graph& graph = fetch.graph();
  SF_RETURN_IF_ERROR(graph.status());
  if (axis < 0 || (fetch.shape().has_rank() && axis >= std::max(1, fetch.shape().rank()))) {
    return absl::InvalidArgumentError(absl::StrCat("AnalyzeBatchDependence: ", fetch.node()->DebugName(), " has shape ",
                                                   fetch.shape().ToString(), ", which has no dimension ", axis));
  }
  for (const BatchInput& input : options.batch) {
    SF_RETURN_IF_ERROR(Check(input.output, graph, "a batch input"));
    const Shape& shape = input.output.shape();
    if (input.axis >= 0 && (!shape.has_rank() || input.axis < shape.rank())) continue;
    return absl::InvalidArgumentError(absl::StrCat("AnalyzeBatchDependence: ", input.output.node()->DebugName(),
                                                   " has shape ", shape.ToString(), ", which has no dimension ",
                                                   input.axis));
  }
  for (const auto& [output, value] : options.feeds) SF_RETURN_IF_ERROR(Check(output, graph, "an assumed tensor"));
  return absl::OkStatus();
}

}  // namespace

absl::string_view BatchVerdictName(BatchVerdict verdict) {
  switch (verdict) {
    case BatchVerdict::kIndependent:
      return "independent";
    case BatchVerdict::kDepends:
      return "depends";
    case BatchVerdict::kUnknown:
      break;
  }
  return "unknown";
}

absl::StatusOr<BatchDependence> AnalyzeBatchDependence(Output fetch, int axis, const BatchDependenceOptions& options) {
  SF_RETURN_IF_ERROR(CheckArguments(fetch, axis, options));
  BatchDependence result;
  result.batch = options.batch.empty() ? FindBatch(NeededNodes(fetch, options)) : options.batch;
  BatchFlow::Settings settings;
  for (const BatchInput& input : result.batch) settings.batch[input.output] = input.axis;
  for (const auto& [output, value] : options.feeds) settings.values[output] = value;
  const BatchFlow flow(fetch, settings);
  Judge(flow, fetch, axis, &result);
  if (result.verdict == BatchVerdict::kIndependent) return result;
  for (Output predicate : OpenPredicates(flow)) {
    BatchDependence modes[2];
    for (bool value : {false, true}) {
      BatchFlow::Settings assumed = settings;
      assumed.values[predicate] = Tensor(value);
      Judge(BatchFlow(fetch, std::move(assumed)), fetch, axis, &modes[value]);
    }
    if (modes[0].verdict == modes[1].verdict) continue;
    for (bool value : {false, true}) {
      result.modes.push_back({predicate, value, modes[value].verdict, modes[value].reason});
    }
  }
  return result;
}

std::string BatchDependence::ToString() const {
  std::string text = absl::StrCat(BatchVerdictName(verdict), ": ", reason, "\n");
  const auto name = [](std::string* out, const Node* node) { out->append(node->name()); };
  if (path.size() > 1) absl::StrAppend(&text, "  path: ", absl::StrJoin(path, " -> ", name), "\n");
  for (const Mode& mode : modes) {
    absl::StrAppend(&text, "  when ", mode.predicate.node()->name(), " is ", mode.value ? "true" : "false", ": ",
                    BatchVerdictName(mode.verdict), ": ", mode.reason, "\n");
  }
  return text;
}

}  // namespace staticflow
