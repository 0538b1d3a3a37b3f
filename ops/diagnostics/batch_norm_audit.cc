#include "ops/diagnostics/batch_norm_audit.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "graph/status.h"
#include "graph/variable_key.h"
#include "ops/analysis/checkpoint_coverage.h"
#include "ops/analysis/graph_uses.h"
#include "ops/analysis/run_nodes.h"
#include "ops/diagnostics/average_writes.h"
#include "ops/diagnostics/skew.h"
#include "runtime/audit.h"

namespace staticflow {
namespace {

constexpr double kSlowMomentum = 0.999;
constexpr int64_t kFewElements = 11;  // up to which n / (n - 1) is 1.1 and more

// The variables that the savers of the graph write into checkpoints; nullopt without a saver that is meant to be
// complete.
std::optional<absl::flat_hash_set<const Node*>> SavedVariables(const Graph& g) {
  std::optional<absl::flat_hash_set<const Node*>> saved;
  for (const auto& node : g.nodes()) {
    if (!IsType(*node, {"SaveV2", "Save", "SaveSlices"}) || node->has_attr(kPartialSaver)) continue;
    if (!saved.has_value()) saved.emplace();
    for (Output input : node->inputs()) {
      if (const Node* variable = VariableOfValue(input)) saved->insert(variable);
    }
  }
  return saved;
}

class Auditor {
 public:
  Auditor(const Graph& g, const Session::Feeds& feeds, const std::vector<Output>& fetches,
          const std::vector<Operation>& targets, const BatchNormAuditOptions& options)
      : graph_(g), run_(g, feeds, fetches, targets), fetches_(fetches), targets_(targets), options_(options) {}

  BatchNormAudit Run() {
    for (const Node* node : run_.needed()) {
      if (const Node* variable = run_.Trained(*node)) trained_.insert(variable);
    }
    audit_.trains = !trained_.empty();
    trainable_ = trained_;
    for (const Variable* variable : graph_.variables(kTrainableVariables)) trainable_.insert(variable->variable);
    const auto saved = SavedVariables(graph_);
    for (BatchNormLayer& layer : FindBatchNormLayers(graph_)) {
      if (std::optional<BatchNormLayerRun> report = Describe(std::move(layer), saved)) {
        audit_.layers.push_back(*std::move(report));
      }
    }
    for (const BatchNormLayerRun& layer : audit_.layers) {
      if (audit_.trains) {
        CheckTraining(layer);
      } else {
        CheckPrediction(layer);
      }
      CheckElements(layer);
      CheckVariance(layer);
      CheckAverages(layer);
      CheckSaved(layer);
    }
    CheckDoubleUpdates();
    return std::move(audit_);
  }

 private:
  template <typename... Parts>
  void Report(BatchNormIssue issue, const BatchNormLayerRun& layer, const Parts&... parts) {
    const std::string message = absl::StrCat(parts...);
    const auto says_so = [&](const BatchNormFinding& finding) { return finding.message == message; };
    if (absl::c_any_of(audit_.findings, says_so)) return;  // of a layer that is applied twice
    audit_.findings.push_back({issue, layer.layer.name, message});
  }

  static std::vector<const Node*> Parameters(const BatchNormLayer& layer) {
    std::vector<const Node*> parameters;
    for (Output value : {layer.gamma, layer.beta}) {
      const Node* variable = value.valid() ? VariableOfValue(value) : nullptr;
      if (variable != nullptr) parameters.push_back(variable);
    }
    return parameters;
  }

  // nullopt when the run has nothing to do with the layer.
  std::optional<BatchNormLayerRun> Describe(BatchNormLayer layer,
                                            const std::optional<absl::flat_hash_set<const Node*>>& saved) {
    BatchNormLayerRun report;
    for (const BatchNormUpdate& update : layer.updates) {
      const Output statistic = update.is_variance ? layer.batch_variance : layer.batch_mean;
      if (TakesFrom(run_, *update.write, statistic)) report.updates.push_back(update.write);
    }
    const bool normalizes = absl::c_any_of(layer.nodes, [&](const Node* node) { return run_.MayRun(*node); });
    if (!normalizes && report.updates.empty()) return std::nullopt;
    report.statistics = layer.statistics;
    if (layer.statistics == BatchNormStatistics::kDecided) {
      const std::optional<bool> value = layer.predicate.valid() ? run_.Predicate(layer.predicate) : std::nullopt;
      if (value.has_value()) {
        report.statistics = *value == layer.batch_when ? BatchNormStatistics::kBatch : BatchNormStatistics::kMoving;
      }
    }
    for (const Node* variable : Parameters(layer)) {
      if (trained_.contains(variable)) report.trained.push_back(variable);
    }
    if (saved.has_value()) {
      std::vector<const Node*> variables = Parameters(layer);
      for (const Node* moving : {layer.moving_mean, layer.moving_variance}) {
        if (moving != nullptr) variables.push_back(moving);
      }
      for (const Node* variable : variables) {
        (saved->contains(variable) ? report.saved : report.not_saved).push_back(variable);
      }
    }
    report.elements_per_channel = Elements(layer);
    report.layer = std::move(layer);
    return report;
  }

  int64_t Elements(const BatchNormLayer& layer) const {
    const Shape& shape = run_.ShapeOf(layer.input);
    if (layer.axes.empty() || shape.rank() <= layer.axes.back()) return -1;
    int64_t n = 1;
    for (int axis : layer.axes) n = shape.dim(axis) < 0 || n < 0 ? -1 : MultiplySizes(n, shape.dim(axis));
    return n;
  }

  static bool UsesBatch(const BatchNormLayerRun& layer) { return layer.statistics == BatchNormStatistics::kBatch; }
  // Whether the layer's parameters exist and none of them may be trained.
  bool IsFrozen(const BatchNormLayerRun& layer) const {
    const std::vector<const Node*> parameters = Parameters(layer.layer);
    return !parameters.empty() && absl::c_none_of(parameters, [&](const Node* node) {
      const Variable* variable = graph_.FindVariable(node);
      return variable == nullptr || variable->trainable || trained_.contains(node);
    });
  }
  // " (is_training is true)", where that decides.
  std::string Decision(const BatchNormLayerRun& layer) const {
    if (layer.layer.statistics != BatchNormStatistics::kDecided || !layer.layer.predicate.valid()) return "";
    const std::optional<bool> value = run_.Predicate(layer.layer.predicate);
    if (!value.has_value()) return absl::StrCat(" (", layer.layer.predicate.node()->name(), " decides)");
    return absl::StrCat(" (", layer.layer.predicate.node()->name(), " is ", *value ? "true" : "false", ")");
  }

  // Whether using the layer's output runs its updates: by a control edge between them.
  bool UpdatesInPlace(const BatchNormLayer& layer) const {
    const RunNodes use(graph_, {}, {layer.output}, {});
    return absl::c_any_of(layer.updates, [&](const BatchNormUpdate& update) { return use.Needs(*update.write); });
  }
  // Whether the run asks for the updates as such, and not for the sake of the layer's output.
  bool AsksForUpdates(const BatchNormLayerRun& layer) const {
    const std::vector<bool> uses_output = run_.ReachedFrom({layer.layer.output});
    std::vector<Output> fetches;
    std::vector<Operation> targets;
    for (Output fetch : fetches_) {
      if (!uses_output[static_cast<size_t>(fetch.node()->id())] && fetch != layer.layer.output) {
        fetches.push_back(fetch);
      }
    }
    for (Operation target : targets_) {
      if (!uses_output[static_cast<size_t>(target.node()->id())]) targets.push_back(target);
    }
    const RunNodes asked(graph_, {}, fetches, targets);
    return absl::c_any_of(layer.updates, [&](const Node* update) { return asked.Needs(*update); });
  }
  // Whether a fetched value, statistics of other layers aside, is computed from the layer's output.
  bool IsPrediction(const BatchNormLayerRun& layer) const {
    const std::vector<bool> uses_output = run_.ReachedFrom({layer.layer.output});
    return absl::c_any_of(fetches_, [&](Output fetch) {
      if (fetch == layer.layer.output) return true;
      if (!uses_output[static_cast<size_t>(fetch.node()->id())]) return false;
      return absl::c_none_of(audit_.layers, [&](const BatchNormLayerRun& other) {
        return ViewedValue(fetch) == other.layer.batch_mean || ViewedValue(fetch) == other.layer.batch_variance;
      });
    });
  }
  // Whether anything trainable comes before.
  bool FollowsTrainable(Output input) const {
    const RunNodes before(graph_, {}, {input}, {});
    return absl::c_any_of(trainable_, [&](const Node* variable) { return before.Needs(*variable); });
  }
  // Whether the run trains what the layer belongs to: its gamma or beta, or without these what comes right before it.
  bool BelongsToTraining(const BatchNormLayerRun& layer) const {
    if (!layer.trained.empty()) return true;
    if (!Parameters(layer.layer).empty()) return false;
    return NearestIsTrained({layer.layer.input}, trainable_, trained_);
  }

  void CheckTraining(const BatchNormLayerRun& layer) {
    const std::string& name = layer.layer.name;
    if (!layer.updates.empty() && IsFrozen(layer)) {
      return Report(BatchNormIssue::kFrozenUpdate, layer, "this training run moves the averages of ", name,
                    ", which is not trainable");
    }
    if (layer.updates.empty() && UsesBatch(layer) && IsFrozen(layer) && layer.layer.moving_mean != nullptr) {
      return Report(BatchNormIssue::kFrozenBatch, layer, "this training run normalizes ", name,
                    ", which is not trainable, with the statistics of its batch", Decision(layer),
                    " and never moves its averages: inference will use others; freeze it with training = false");
    }
    if (!layer.updates.empty() && layer.statistics != BatchNormStatistics::kMoving && !BelongsToTraining(layer)) {
      return Report(BatchNormIssue::kForeignUpdate, layer, "this training run moves the averages of ", name,
                    ", of which it trains nothing: give Minimize {.update_ops = UpdateOps::kOfLoss}");
    }
    if (!layer.updates.empty() || IsMovedElsewhere(layer)) return;
    if (UsesBatch(layer) && !layer.layer.updates.empty() && !IsFrozen(layer) && BelongsToTraining(layer)) {
      return ReportNoUpdate(layer);
    }
    // Data that are standardized by variables are no layer that learns anything.
    const bool in_training =
        !layer.trained.empty() ||
        (Parameters(layer.layer).empty() && FollowsTrainable(layer.layer.input) && BelongsToTraining(layer));
    if (!in_training) return;
    const std::vector<const Node*> others = OtherWrites(layer.layer);
    if (absl::c_any_of(others, [&](const Node* write) { return run_.MayRun(*write); })) return;
    const bool never = layer.layer.updates.empty() && others.empty();
    if (layer.statistics == BatchNormStatistics::kMoving) {
      Report(BatchNormIssue::kTrainsWithAverages, layer, "this training run normalizes ", name,
             " with its moving averages", Decision(layer),
             !never ? ", and moves them not"
             : layer.layer.statistics == BatchNormStatistics::kMoving
                 ? ", which nothing in the graph ever moves: it was built with training = false"
                 : ", which nothing in the graph ever moves");
    } else if (UsesBatch(layer) && never && layer.layer.moving_mean != nullptr) {
      Report(BatchNormIssue::kNoUpdate, layer, "this training run normalizes ", name,
             " with the statistics of its batch", Decision(layer),
             ", and nothing in the graph ever moves its averages, which inference will use");
    }
  }

  // Whether the run moves the averages where the layer is applied to something else, as of the first of several towers.
  bool IsMovedElsewhere(const BatchNormLayerRun& layer) const {
    return absl::c_any_of(audit_.layers, [&](const BatchNormLayerRun& other) {
      return other.layer.moving_mean != nullptr && other.layer.moving_mean == layer.layer.moving_mean &&
             !other.updates.empty();
    });
  }

  // What else writes the moving averages, in ways that are not those of a layer: of either, or one that is missing.
  static std::vector<const Node*> OtherWrites(const BatchNormLayer& layer) {
    std::vector<const Node*> writes;
    for (const Node* moving : {layer.moving_mean, layer.moving_variance}) {
      if (moving == nullptr || absl::c_any_of(layer.updates, [&](const BatchNormUpdate& update) {
            return VariableBehind(update.write->input(0)) == moving;
          })) {
        continue;
      }
      absl::c_copy(WritesOf(*moving), std::back_inserter(writes));
    }
    return writes;
  }

  void ReportNoUpdate(const BatchNormLayerRun& layer) {
    const std::string start = absl::StrCat("this training run fetches no update op of ", layer.layer.name,
                                           ": its moving averages will never change");
    const int first = layer.layer.updates[0].write->id();
    for (const BatchNormLayerRun& other : audit_.layers) {
      if (other.layer.updates.empty() || &other == &layer) continue;
      if (UpdatesInPlace(other.layer)) {
        return Report(BatchNormIssue::kMixedUpdates, layer, start, "; ", other.layer.name,
                      " updates itself wherever its output is used, this layer does not");
      }
      if (!other.updates.empty() && other.layer.updates[0].write->id() < first) {
        return Report(BatchNormIssue::kUpdatesMadeLater, layer, start, "; those of ", other.layer.name,
                      " run: the update ops were collected before ", layer.layer.name, " was built");
      }
    }
    Report(
        BatchNormIssue::kNoUpdate, layer, start,
        "; after the last layer is built, give Minimize {.update_ops = UpdateOps::kOfLoss}, or ControlDependencies on "
        "the update ops around it");
  }

  void CheckPrediction(const BatchNormLayerRun& layer) {
    const std::string& name = layer.layer.name;
    if (!layer.updates.empty() && UsesBatch(layer)) {
      if (AsksForUpdates(layer) || !IsPrediction(layer)) return;
      return Report(BatchNormIssue::kPredictionUpdates, layer, "this run trains nothing, yet it moves the averages of ",
                    name, " because it uses the layer's output", Decision(layer));
    }
    if (!UsesBatch(layer) || !IsPrediction(layer)) return;
    Report(BatchNormIssue::kPredictsFromBatch, layer, "this run trains nothing and normalizes ", name,
           " with the statistics of its batch", Decision(layer), ": each result depends on the other examples",
           layer.elements_per_channel == 1 ? ", and of one example alone is beta" : "");
  }

  void CheckElements(const BatchNormLayerRun& layer) {
    if (!audit_.trains || !UsesBatch(layer) || layer.elements_per_channel != 1) return;
    Report(BatchNormIssue::kOneElement, layer, "this training run gives ", layer.layer.name,
           " one element per channel: its variance is 0 and the output beta, whatever the input");
  }

  void CheckVariance(const BatchNormLayerRun& layer) {
    if (!audit_.trains || !UsesBatch(layer)) return;
    const std::string& name = layer.layer.name;
    if (layer.layer.batch_variance.valid() && ViewedValue(layer.layer.batch_variance).node()->type() == "Sub") {
      Report(BatchNormIssue::kCancellingVariance, layer, name,
             " computes its variance as E[x^2] - E[x]^2, which rounding makes negative where the mean is large: take "
             "Moments");
    }
    const int64_t n = layer.elements_per_channel;
    if (layer.layer.fused && !layer.updates.empty() && n > 1 && n <= kFewElements) {
      Report(BatchNormIssue::kUnbiasedAverage, layer, name, " is fused: with ", n,
             " elements per channel its moving variance is ",
             absl::StrFormat("%.3g", static_cast<double>(n) / static_cast<double>(n - 1)),
             " times the variance that it normalizes with");
    }
  }

  void CheckAverages(const BatchNormLayerRun& layer) {
    for (const BatchNormUpdate& update : layer.layer.updates) {
      if (!update.momentum.has_value() || !absl::c_linear_search(layer.updates, update.write)) continue;
      const double momentum = *update.momentum;
      const int64_t n = options_.planned_updates > 0 ? options_.planned_updates : 1000;
      const double left = InitialWeight(momentum, n);
      if (options_.planned_updates > 0 ? left <= 0.1 : momentum <= kSlowMomentum) continue;
      return Report(BatchNormIssue::kSlowAverages, layer, "the averages of ", layer.layer.name, " keep ", momentum,
                    " of themselves at each update: after ", n, " updates ", absl::StrFormat("%.0f %%", 100 * left),
                    " of them will still be the initial value");
    }
  }

  void CheckSaved(const BatchNormLayerRun& layer) {
    std::vector<std::string> left_out;
    for (const Node* moving : {layer.layer.moving_mean, layer.layer.moving_variance}) {
      if (moving != nullptr && absl::c_linear_search(layer.not_saved, moving)) left_out.push_back(moving->name());
    }
    if (left_out.empty()) return;
    Report(BatchNormIssue::kNotSaved, layer, "no saver of the graph saves ", absl::StrJoin(left_out, " and "), " of ",
           layer.layer.name, ": a restored model predicts with other averages");
  }

  void CheckDoubleUpdates() {
    std::map<int, std::vector<std::pair<const Node*, const BatchNormLayerRun*>>> writes;  // by the variable's id
    for (const BatchNormLayerRun& layer : audit_.layers) {
      for (const Node* write : layer.updates) {
        const Node* variable = VariableBehind(write->input(0));
        if (variable == nullptr) continue;
        auto& of_variable = writes[variable->id()];
        if (absl::c_none_of(of_variable, [&](const auto& other) { return other.first == write; })) {
          of_variable.emplace_back(write, &layer);
        }
      }
    }
    absl::flat_hash_set<std::string> told;
    for (const auto& [id, of_variable] : writes) {
      for (size_t i = 1; i < of_variable.size(); ++i) {
        const auto& [write, layer] = of_variable[i];
        if (Exclude(*of_variable[0].first, *write) || !told.insert(layer->layer.name).second) continue;
        Report(BatchNormIssue::kDoubleUpdate, *layer, "this run updates ",
               graph_.nodes()[static_cast<size_t>(id)]->name(), " twice, by ", of_variable[0].first->name(), " and ",
               write->name(), ": ", layer->layer.name, " is applied more than once");
      }
    }
  }

  const Graph& graph_;
  const RunNodes run_;
  const std::vector<Output>& fetches_;
  const std::vector<Operation>& targets_;
  const BatchNormAuditOptions& options_;
  absl::flat_hash_set<const Node*> trained_, trainable_;
  BatchNormAudit audit_;
};

// For sessions: the sentences alone. In a graph without layers looking for them is all there is to do.
std::vector<std::string> AuditBatchNormOfStep(AuditedStep& step) {
  const RunningStep& run = step.running();
  std::vector<std::string> sentences;
  if (run.graph == nullptr || FindBatchNormLayers(*run.graph).empty()) return sentences;
  const absl::StatusOr<BatchNormAudit> audit = AuditBatchNorm(*run.graph, run.feeds, run.fetches, run.targets);
  if (!audit.ok()) return sentences;
  for (const BatchNormFinding& finding : audit->findings) sentences.push_back(finding.message);
  return sentences;
}
const AuditRegistrar batch_norm_audit(AuditBatchNormOfStep);

}  // namespace

absl::StatusOr<BatchNormAudit> AuditBatchNorm(const Graph& g, const Session::Feeds& feeds,
                                              const std::vector<Output>& fetches, const std::vector<Operation>& targets,
                                              const BatchNormAuditOptions& options) {
  SF_RETURN_IF_ERROR(g.status());
  const auto is_foreign = [&g](const Node* node) { return node == nullptr || &node->graph() != &g; };
  if (absl::c_any_of(fetches, [&](Output fetch) { return is_foreign(fetch.node()); }) ||
      absl::c_any_of(targets, [&](Operation target) { return is_foreign(target.node()); })) {
    return absl::InvalidArgumentError("AuditBatchNorm: a fetch or target is none of this graph");
  }
  return Auditor(g, feeds, fetches, targets, options).Run();
}

}  // namespace staticflow
