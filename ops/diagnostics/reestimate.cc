#include "ops/diagnostics/reestimate.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "graph/status.h"
#include "graph/topological_order.h"
#include "graph/variable_key.h"
#include "ops/analysis/batch_norm_layers.h"
#include "ops/analysis/checkpoint_coverage.h"
#include "ops/diagnostics/checkpoint_copy.h"
#include "ops/diagnostics/layer_modes.h"
#include "ops/diagnostics/pooled_moments.h"

namespace staticflow {
namespace {

// Layers that keep their statistics in the same variables: they are estimated together.
struct SharedLayer {
  std::vector<const BatchNormLayer*> uses;
  int depth = 0;
  bool approximate = false;
  std::vector<double> mean, variance;  // once estimated
  const BatchNormLayer& layer() const { return *uses[0]; }
};

constexpr absl::string_view kWhySkipped = " (without variables for the statistics, or in a loop)";

// By node id: whether a node's results are of each iteration of a loop, where nobody outside can ask for them.
std::vector<bool> FindNodesInLoops(const Graph& g) {
  std::vector<const Node*> enters;
  for (const auto& node : g.nodes()) {
    if (node->op().is(OpRole::kEnter)) enters.push_back(node.get());
  }
  return DependentsOf(g, enters, [](const Node& node, std::vector<const Node*>* sources) {
    if (node.op().is(OpRole::kExit)) return;
    for (Output input : node.inputs()) {
      if (input.valid()) sources->push_back(input.node());
    }
  });
}

class Reestimator {
 public:
  Reestimator(Session& session, const Graph& g, const DataSet& data, const ReestimateOptions& options)
      : session_(session), g_(g), data_(data), options_(options), layers_(FindBatchNormLayers(g)) {}

  absl::StatusOr<ReestimateReport> Run() {
    SF_RETURN_IF_ERROR(ChooseLayers());
    if (data_.size() == 0) return absl::InvalidArgumentError("the data set is empty");
    if (options_.feeds.size() > static_cast<size_t>(data_.num_components())) {
      return absl::InvalidArgumentError(absl::StrCat("there are ", options_.feeds.size(), " feeds, the data set has ",
                                                     data_.num_components(), " components"));
    }
    for (const SharedLayer& shared : shared_) {
      ReestimatedLayer entry{.name = shared.layer().name, .depth = shared.depth};
      SF_ASSIGN_OR_RETURN(entry.mean_before, ReadStatistic(session_, *shared.layer().moving_mean));
      SF_ASSIGN_OR_RETURN(entry.variance_before, ReadStatistic(session_, *shared.layer().moving_variance));
      entry.epsilon = shared.layer().epsilon;
      report_.layers.push_back(std::move(entry));
    }
    for (size_t begin = 0; begin < shared_.size();) {
      size_t end = begin;
      while (end < shared_.size() && (options_.one_pass || shared_[end].depth == shared_[begin].depth)) ++end;
      SF_RETURN_IF_ERROR(Pass(begin, end));
      begin = end;
    }
    report_.examples = data_.size();
    if (!options_.checkpoint.empty()) {
      SF_RETURN_IF_ERROR(SaveWithStatistics());
    }
    return std::move(report_);
  }

 private:
  absl::Status ChooseLayers() {
    if (layers_.empty()) return absl::NotFoundError("the graph has no batch-normalization layer");
    const std::vector<int> depths = LayerDepths(g_, layers_);
    const std::vector<bool> in_loop = FindNodesInLoops(g_);
    absl::flat_hash_map<const Node*, size_t> by_variable;
    absl::flat_hash_set<std::string> wanted(options_.layers.begin(), options_.layers.end()), known;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const BatchNormLayer& layer = layers_[i];
      known.insert(layer.name);
      if (!wanted.empty() && !wanted.contains(layer.name)) continue;
      const bool has_variables = layer.moving_mean != nullptr && layer.moving_variance != nullptr;
      if (!has_variables || layer.axes.empty() || in_loop[layer.input.node()->id()]) {
        report_.skipped.push_back(layer.name);
        continue;
      }
      auto [it, inserted] = by_variable.try_emplace(layer.moving_mean, shared_.size());
      if (inserted) shared_.emplace_back();
      SharedLayer& shared = shared_[it->second];
      shared.uses.push_back(&layer);
      shared.depth = std::max(shared.depth, depths[i]);
    }
    for (const std::string& name : options_.layers) {
      if (!known.contains(name)) return absl::NotFoundError(absl::StrCat("there is no layer '", name, "'"));
    }
    if (shared_.empty() && !report_.skipped.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("nothing to estimate: ", absl::StrJoin(report_.skipped, ", "), kWhySkipped));
    }
    std::stable_sort(shared_.begin(), shared_.end(),
                     [](const SharedLayer& a, const SharedLayer& b) { return a.depth < b.depth; });
    return absl::OkStatus();
  }

  // One pass over the data for the layers [begin, end), whose statistics are then set.
  absl::Status Pass(size_t begin, size_t end) {
    Signature signature;
    std::vector<Tensor> constants;
    Feed(begin, &signature, &constants);
    std::vector<PooledMoments> moments;
    std::vector<size_t> moments_of;
    for (size_t i = begin; i < end; ++i) {
      moments.emplace_back(shared_[i].layer().axes);
      for (const BatchNormLayer* use : shared_[i].uses) {
        signature.fetches.push_back(use->input);
        moments_of.push_back(i - begin);
      }
    }
    for (Output feed : options_.feeds) {
      if (feed.valid()) signature.feeds.push_back(feed);
    }
    SF_ASSIGN_OR_RETURN(const Step step, session_.Prepare(signature));
    {
      const KeptStatistics kept(session_, layers_);
      SF_RETURN_IF_ERROR(SeeData(step, constants, moments_of, &moments));
    }
    ++report_.passes;
    for (size_t i = begin; i < end; ++i) SF_RETURN_IF_ERROR(Set(i, moments[i - begin]));
    return absl::OkStatus();
  }

  // Runs the step on every batch; what it fetches goes to the moments of these numbers.
  absl::Status SeeData(const Step& step, const std::vector<Tensor>& constants, const std::vector<size_t>& moments_of,
                       std::vector<PooledMoments>* moments) const {
    Batches batches(data_, {.batch_size = options_.batch_size, .tail = Tail::kKeep, .epochs = 1});
    std::vector<Tensor> batch;
    for (;;) {
      SF_ASSIGN_OR_RETURN(const bool more, batches.Next(&batch));
      if (!more) break;
      std::vector<Tensor> feeds = constants;
      for (size_t i = 0; i < options_.feeds.size(); ++i) {
        if (options_.feeds[i].valid()) feeds.push_back(batch[i]);
      }
      SF_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs, step.Run(feeds));
      for (size_t k = 0; k < inputs.size(); ++k) {
        SF_RETURN_IF_ERROR((*moments)[moments_of[k]].Add(inputs[k]));
      }
    }
    return absl::OkStatus();
  }

  // What decides the mode, the user's constants, and the statistics of layers that would take their batch's.
  void Feed(size_t begin, Signature* signature, std::vector<Tensor>* values) {
    absl::flat_hash_set<Output> fed;
    for (Output feed : options_.feeds) fed.insert(feed);
    const auto feed = [&](Output output, Tensor value) {
      if (!fed.insert(output).second) return;
      signature->feeds.push_back(output);
      values->push_back(std::move(value));
    };
    for (auto& [predicate, value] : ModeFeeds(layers_, options_.one_pass)) feed(predicate, value);
    for (const auto& [output, value] : options_.constants) feed(output, value);
    if (options_.one_pass) {
      for (SharedLayer& shared : shared_) shared.approximate = shared.depth > 0;
      return;
    }
    bool all_exact = true;
    for (size_t i = 0; i < begin; ++i) {
      for (const BatchNormLayer* use : shared_[i].uses) {
        if (use->statistics != BatchNormStatistics::kBatch) continue;
        if (use->fused) {
          all_exact = false;
          continue;
        }
        feed(use->batch_mean, Shaped(use->batch_mean, shared_[i].mean));
        feed(use->batch_variance, Shaped(use->batch_variance, shared_[i].variance));
      }
    }
    for (size_t i = begin; i < shared_.size() && !all_exact; ++i) shared_[i].approximate = true;
  }

  // The statistic as the tensor that `output` would be, its reduced dimensions kept or not.
  static Tensor Shaped(Output output, const std::vector<double>& statistic) {
    Shape shape = output.shape();
    if (!shape.IsFullyDefined() || shape.num_elements() != static_cast<int64_t>(statistic.size())) {
      shape = {static_cast<int64_t>(statistic.size())};
    }
    if (output.dtype() == DT_DOUBLE) return Tensor::Of<double>(shape, statistic);
    const std::vector<float> rounded(statistic.begin(), statistic.end());
    return Tensor::Of<float>(shape, rounded);
  }

  absl::Status Set(size_t i, const PooledMoments& moments) {
    SharedLayer& shared = shared_[i];
    shared.mean = moments.mean();
    shared.variance = moments.variance();
    ReestimatedLayer& entry = report_.layers[i];
    entry.elements = moments.count();
    entry.mean_after = shared.mean;
    entry.variance_after = moments.variance(options_.unbiased);
    entry.approximate = shared.approximate;
    SF_RETURN_IF_ERROR(WriteStatistic(session_, *shared.layer().moving_mean, entry.mean_after));
    return WriteStatistic(session_, *shared.layer().moving_variance, entry.variance_after);
  }

  absl::Status SaveWithStatistics() const {
    std::map<std::string, std::string> names, changed;
    if (options_.saver.has_value()) names = NamesInCheckpoints(g_, *options_.saver);
    for (const SharedLayer& shared : shared_) {
      for (const Node* variable : {shared.layer().moving_mean, shared.layer().moving_variance}) {
        const std::string key = VariableKey(*variable);
        const auto name = names.find(key);
        changed[key] = name == names.end() ? key : name->second;
      }
    }
    return CopyCheckpoint(session_, options_.source_checkpoint, options_.checkpoint, changed);
  }

  Session& session_;
  const Graph& g_;
  const DataSet& data_;
  const ReestimateOptions& options_;
  const std::vector<BatchNormLayer> layers_;
  std::vector<SharedLayer> shared_;  // by depth
  ReestimateReport report_;
};

}  // namespace

double ReestimatedLayer::mean_moved() const {
  double most = 0;
  for (size_t c = 0; c < mean_after.size(); ++c) {
    const double sigma = std::sqrt(variance_after[c] + epsilon);
    if (sigma > 0) most = std::max(most, std::abs(mean_after[c] - mean_before[c]) / sigma);
  }
  return most;
}

std::pair<double, double> ReestimatedLayer::variance_ratio() const {
  std::pair<double, double> range = {1, 1};
  for (size_t c = 0; c < variance_after.size(); ++c) {
    const double ratio = (variance_before[c] + epsilon) / (variance_after[c] + epsilon);
    if (c == 0) range = {ratio, ratio};
    range = {std::min(range.first, ratio), std::max(range.second, ratio)};
  }
  return range;
}

std::string ReestimateReport::ToString() const {
  std::string out = absl::StrFormat("%d layer%s from %d examples, %d pass%s\n", layers.size(),
                                    layers.size() == 1 ? "" : "s", examples, passes, passes == 1 ? "" : "es");
  for (const ReestimatedLayer& layer : layers) {
    const auto [least, most] = layer.variance_ratio();
    absl::StrAppendFormat(
        &out,
        "%s: %d channels of %d elements; the mean was up to %.3g sigma off, the variance %.3g to %.3g "
        "times what it is%s\n",
        layer.name, layer.mean_after.size(), layer.elements, layer.mean_moved(), least, most,
        layer.approximate ? " (by batches: a layer before it uses its own batch)" : "");
  }
  if (!skipped.empty()) {
    absl::StrAppend(&out, "left as they are: ", absl::StrJoin(skipped, ", "), kWhySkipped, "\n");
  }
  return out;
}

absl::StatusOr<ReestimateReport> ReestimateBatchNorm(Session& session, const Graph& g, const DataSet& data,
                                                     const ReestimateOptions& options) {
  return Reestimator(session, g, data, options).Run();
}

}  // namespace staticflow
