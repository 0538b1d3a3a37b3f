#include "ops/analysis/batch_norm_layers.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "graph/variable_key.h"
#include "ops/analysis/batch_moments.h"
#include "ops/analysis/normalizations.h"
#include "runtime/program.h"

namespace staticflow {
namespace {

// A normalization with what is known of its statistics.
struct Site {
  Normalization n;
  Origins mean, variance;
  bool batch() const { return n.fused_training || (!n.fused && variance.batch.has_value()); }
  bool stored() const { return !n.fused_training && variance.stored.valid(); }
};

std::vector<int> FusedAxes(const Node& node) {
  const std::string& format = node.attr<std::string>("data_format");
  std::vector<int> axes;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != 'C') axes.push_back(static_cast<int>(i));
  }
  return axes;
}

std::vector<Site> FindSites(const Graph& g, const GraphUses& uses) {
  std::vector<Site> sites;
  for (Normalization& n : FindNormalizations(g, uses)) {
    Site site;
    if (n.fused) {
      site.mean = TraceStatistic(n.given_mean, false);
      site.variance = TraceStatistic(n.given_variance, true);
    } else {
      site.mean = TraceStatistic(n.mean, false);
      site.variance = TraceStatistic(n.variance, true);
    }
    site.n = std::move(n);
    // The batch's variance has to be that of what is normalized; (x - a) / sqrt(b + c) may be anything else.
    if (!site.n.fused && site.variance.batch.has_value() && site.variance.batch->input != site.n.input) continue;
    // Batch renormalization compares the batch's mean with the moving one: no layer of its own.
    if (!site.n.fused && !site.variance.batch.has_value() && AsBatchMean(site.n.input).has_value()) continue;
    const bool complete = site.n.fused || (site.mean.batch.has_value() == site.variance.batch.has_value() &&
                                           site.mean.stored.valid() == site.variance.stored.valid());
    if (complete && (site.batch() || site.stored())) sites.push_back(std::move(site));
  }
  return sites;
}

absl::string_view ScopeOf(absl::string_view name) {
  const size_t slash = name.rfind('/');
  return slash == absl::string_view::npos ? absl::string_view() : name.substr(0, slash);
}

class LayerMaker {
 public:
  LayerMaker(const GraphUses& uses, std::vector<Site> sites) : uses_(uses), sites_(std::move(sites)) {}

  std::vector<BatchNormLayer> Run() {
    std::vector<bool> used(sites_.size(), false);
    std::vector<BatchNormLayer> layers;
    for (size_t i = 0; i < sites_.size(); ++i) {
      if (used[i]) continue;
      const Node* merge = MergeOf(sites_[i]);
      size_t other = i;
      for (size_t j = i + 1; j < sites_.size() && merge != nullptr; ++j) {
        const bool pair = !used[j] && MergeOf(sites_[j]) == merge && sites_[j].n.input == sites_[i].n.input &&
                          sites_[j].batch() != sites_[i].batch();
        if (pair) other = j;
      }
      used[i] = used[other] = true;
      layers.push_back(
          other == i ? Single(sites_[i])
                     : Pair(sites_[sites_[i].batch() ? i : other], sites_[sites_[i].batch() ? other : i], *merge));
    }
    for (BatchNormLayer& layer : layers) {
      FindUpdates(&layer);
      layer.name = NameOf(layer);
    }
    return layers;
  }

 private:
  // The Merge that joins this place with the one for the other mode.
  const Node* MergeOf(const Site& site) const {
    for (const auto& [node, input] : uses_.through_views(site.n.output)) {
      if (node->op().is(OpRole::kMerge)) return node;
    }
    return nullptr;
  }

  static BatchNormLayer Common(const Site& site) {
    BatchNormLayer layer;
    layer.input = site.n.input;
    layer.output = site.n.output;
    layer.gamma = site.n.gamma;
    layer.beta = site.n.beta;
    layer.epsilon = site.n.epsilon;
    layer.fused = site.n.fused;
    layer.nodes = {site.n.node};
    return layer;
  }
  static void AddBatch(const Site& site, BatchNormLayer* layer) {
    if (site.n.fused) {
      layer->batch_mean = site.n.mean;
      layer->batch_variance = site.n.variance;
      layer->axes = FusedAxes(*site.n.node);
    } else {
      layer->batch_mean = site.mean.batch->value;
      layer->batch_variance = site.variance.batch->value;
      layer->axes = site.variance.batch->axes;
    }
  }
  static void AddStored(const Site& site, BatchNormLayer* layer) {
    layer->moving_mean = site.mean.variable;
    layer->moving_variance = site.variance.variable;
    if (site.stored()) {
      layer->inference_mean = site.mean.stored;
      layer->inference_variance = site.variance.stored;
    }
    layer->axes = site.n.fused ? FusedAxes(*site.n.node) : AxesBeside(site.n.mean.shape(), site.n.input.shape());
  }
  // The dimensions of x along which a statistic of this shape is the same; empty when the shapes do not tell.
  static std::vector<int> AxesBeside(const Shape& statistic, const Shape& x) {
    std::vector<int> axes;
    if (!x.has_rank() || !statistic.has_rank() || statistic.rank() > x.rank()) return axes;
    const int missing = x.rank() - statistic.rank();
    for (int i = 0; i < x.rank(); ++i) {
      if (i < missing || (statistic.dim(i - missing) == 1 && x.dim(i) != 1)) axes.push_back(i);
    }
    return axes;
  }

  static BatchNormLayer Single(const Site& site) {
    BatchNormLayer layer = Common(site);
    AddStored(site, &layer);
    if (site.batch()) AddBatch(site, &layer);
    layer.statistics = !site.batch()    ? BatchNormStatistics::kMoving
                       : !site.stored() ? BatchNormStatistics::kBatch
                                        : BatchNormStatistics::kDecided;
    const std::optional<Branch>& branch = site.variance.batch_branch;
    if (layer.statistics == BatchNormStatistics::kDecided && branch.has_value()) {
      layer.predicate = OutsideOfBranch(branch->predicate);
      layer.batch_when = branch->value;
    }
    return layer;
  }
  static BatchNormLayer Pair(const Site& training, const Site& inference, const Node& merge) {
    BatchNormLayer layer = Common(training);
    AddStored(inference, &layer);
    AddBatch(training, &layer);
    layer.gamma = OutsideOfBranch(training.n.gamma);
    layer.beta = OutsideOfBranch(training.n.beta);
    layer.statistics = BatchNormStatistics::kDecided;
    layer.output = merge.output(0);
    layer.nodes.push_back(inference.n.node);
    if (const std::optional<Branch> branch = BranchOf(training.n.output); branch.has_value()) {
      layer.predicate = OutsideOfBranch(branch->predicate);
      layer.batch_when = branch->value;
    }
    return layer;
  }
  void FindUpdates(BatchNormLayer* layer) const {
    if (!layer->batch_mean.valid()) return;
    for (const bool is_variance : {false, true}) {
      Node*& variable = is_variance ? layer->moving_variance : layer->moving_mean;
      const Output statistic = is_variance ? layer->batch_variance : layer->batch_mean;
      for (Node* write : WritesFrom(statistic, variable, is_variance ? layer->moving_mean : layer->moving_variance)) {
        Node* written = VariableBehind(write->input(0));
        if (variable == nullptr) variable = written;
        if (variable != written) continue;
        layer->updates.push_back(
            {.write = write, .momentum = MomentumOf(*write, *variable, layer->batch_when), .is_variance = is_variance});
      }
    }
  }

  static bool IsAssignment(const Node& node) {
    return IsType(
        node, {"Assign", "AssignAdd", "AssignSub", "AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"});
  }

  // The assignments that `statistic` enters by additions and multiplications: to `variable`, or when that is not known
  // to any that is not trained and not `other`.
  std::vector<Node*> WritesFrom(Output statistic, const Node* variable, const Node* other) const {
    constexpr size_t kMaxValues = 200;
    std::vector<Node*> writes;
    std::vector<Output> open = {statistic};
    absl::flat_hash_set<const Node*> seen;
    for (size_t next = 0; next < open.size() && next < kMaxValues; ++next) {
      for (const auto& [node, input] : uses_.of(open[next])) {
        if (!seen.insert(node).second) continue;
        if (IsAssignment(*node) && input == 1) {
          const Node* written = VariableBehind(node->input(0));
          const Variable* declared = written == nullptr ? nullptr : node->graph().FindVariable(written);
          const bool trained = declared != nullptr && declared->trainable;
          const bool wanted = variable != nullptr ? written == variable : !trained && written != other;
          if (written != nullptr && wanted) writes.push_back(node);
          continue;
        }
        const bool computes = IsType(*node, {"Add", "AddV2", "Sub", "Mul", "Merge", "RefMerge", "Select", "SelectV2"});
        for (int i = 0; i < node->num_outputs(); ++i) {
          if (computes || PassedOnInput(node->output(i)) == input) open.push_back(node->output(i));
        }
      }
    }
    return writes;
  }

  static std::string NameOf(const BatchNormLayer& layer) {
    const Node *mean = layer.moving_mean, *variance = layer.moving_variance;
    const bool apart = mean != nullptr && variance != nullptr && ScopeOf(mean->name()) != ScopeOf(variance->name());
    for (const Node* variable : {mean, variance}) {
      if (variable != nullptr && !apart && absl::StrContains(variable->name(), "/")) {
        return std::string(ScopeOf(variable->name()));
      }
    }
    const Node& node = *layer.output.node();
    absl::string_view scope = ScopeOf(node.name());
    absl::ConsumeSuffix(&scope, "/batchnorm");
    return scope.empty() || scope == "batchnorm" ? node.name() : std::string(scope);
  }

  const GraphUses& uses_;
  std::vector<Site> sites_;
};

}  // namespace

int BatchNormLayer::channel_axis() const {
  const int rank = input.shape().rank();
  if (rank < 0 || static_cast<int>(axes.size()) != rank - 1) return -1;
  for (int i = 0; i < rank; ++i) {
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) return i;
  }
  return -1;
}

int64_t BatchNormLayer::elements_per_channel() const {
  if (axes.empty() || input.shape().rank() <= axes.back()) return -1;
  int64_t n = 1;
  for (int axis : axes) {
    if (input.shape().dim(axis) < 0) return -1;
    n = MultiplySizes(n, input.shape().dim(axis));
  }
  return n;
}

std::vector<BatchNormLayer> FindBatchNormLayers(const Graph& g) {
  const GraphUses uses(g);
  return LayerMaker(uses, FindSites(g, uses)).Run();
}

}  // namespace staticflow
