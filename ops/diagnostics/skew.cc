#include "ops/diagnostics/skew.h"

#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "graph/status.h"
#include "graph/variable_key.h"
#include "ops/analysis/batch_norm_layers.h"
#include "ops/analysis/graph_uses.h"
#include "ops/diagnostics/layer_modes.h"
#include "ops/diagnostics/pooled_moments.h"
#include "proto/event.pb.h"
#include "proto/summary.pb.h"

namespace staticflow {
namespace {

// Runs `fetches` in one mode.
absl::StatusOr<std::vector<Tensor>> Forward(Session& session, absl::Span<const BatchNormLayer> layers, bool batch,
                                            const SkewOptions& options, const std::vector<Output>& fetches) {
  Session::Feeds feeds = ModeFeeds(layers, batch);
  for (const auto& [output, value] : options.feeds) {
    const auto same = [&](const auto& feed) { return feed.first == output; };
    if (std::none_of(feeds.begin(), feeds.end(), same)) feeds.push_back({output, value});
  }
  return session.Run(feeds, fetches);
}

// Whether the variable begins as zeros, as far as its initial value is a constant.
bool BeginsAtZero(const Node& declaration) {
  const Variable* variable = declaration.graph().FindVariable(&declaration);
  if (variable == nullptr || !variable->initial_value.valid()) return false;
  const Node& node = *ViewedValue(variable->initial_value).node();
  if (node.op().is(OpRole::kFill)) return ConstantNumber(node.input(1)) == 0;
  if (!node.op().is(OpRole::kConst)) return false;
  const absl::StatusOr<std::vector<double>> numbers = Numbers(node.attr<Tensor>("value"));
  return numbers.ok() && std::all_of(numbers->begin(), numbers->end(), [](double v) { return v == 0; });
}

absl::StatusOr<LayerSkew> Compare(Session& session, const BatchNormLayer& layer, const Tensor& x,
                                  std::optional<int64_t> updates) {
  LayerSkew skew{.name = layer.name};
  skew.moving_mean = VariableKey(*layer.moving_mean);
  skew.moving_variance = VariableKey(*layer.moving_variance);
  if (BeginsAtZero(*layer.moving_mean)) skew.initial_mean = "the initial 0";
  for (const BatchNormUpdate& update : layer.updates) {
    if (!update.is_variance && update.momentum.has_value()) skew.momentum = update.momentum;
  }
  if (skew.momentum.has_value() && updates.has_value()) skew.initial_weight = InitialWeight(*skew.momentum, *updates);
  PooledMoments batch(layer.axes);
  SF_RETURN_IF_ERROR(batch.Add(x));
  SF_ASSIGN_OR_RETURN(const std::vector<double> mean, ReadStatistic(session, *layer.moving_mean));
  SF_ASSIGN_OR_RETURN(const std::vector<double> variance, ReadStatistic(session, *layer.moving_variance));
  if (mean.size() != batch.mean().size() || variance.size() != mean.size()) {
    return absl::InvalidArgumentError(absl::StrCat("layer '", layer.name, "': ", batch.mean().size(),
                                                   " channels, but moving averages of ", mean.size(), " and ",
                                                   variance.size(), " elements"));
  }
  const std::vector<double> of_batch = batch.variance();
  for (size_t c = 0; c < mean.size(); ++c) {
    skew.mean_distance.push_back((batch.mean()[c] - mean[c]) / std::sqrt(variance[c] + layer.epsilon));
    skew.variance_ratio.push_back((of_batch[c] + layer.epsilon) / (variance[c] + layer.epsilon));
  }
  return skew;
}

absl::StatusOr<double> ScalarNumber(Output metric, const Tensor& value) {
  absl::StatusOr<std::vector<double>> numbers = Numbers(value);
  if (numbers.ok() && numbers->size() == 1) return (*numbers)[0];
  return absl::InvalidArgumentError(absl::StrCat(metric.node()->DebugName(), ": a metric is one number, this is ",
                                                 DataTypeName(value.dtype()), value.shape().ToString()));
}

void AddScalar(const std::string& tag, double value, proto::Summary* summary) {
  proto::Summary::Value* entry = summary->add_value();
  entry->set_tag(tag);
  entry->set_simple_value(static_cast<float>(value));
}

// Buckets of a tenth of a sigma up to 1, then of one sigma, on both sides.
void AddHistogram(const std::string& tag, const std::vector<double>& values, proto::Summary* summary) {
  proto::Summary::Value* entry = summary->add_value();
  entry->set_tag(tag);
  proto::HistogramProto* histogram = entry->mutable_histo();
  std::vector<double> limits;
  for (int i = 1; i <= 10; ++i) limits.push_back(0.1 * i);
  for (int i = 2; i <= 10; ++i) limits.push_back(i);
  limits.push_back(1e308);
  std::vector<double> all;
  for (auto it = limits.rbegin(); it != limits.rend(); ++it) all.push_back(-*it);
  all.push_back(0);
  all.insert(all.end(), limits.begin(), limits.end());
  std::vector<double> counts(all.size(), 0);
  double sum = 0, squares = 0, least = 0, most = 0;
  for (double value : values) {
    if (!std::isfinite(value)) continue;
    ++counts[std::lower_bound(all.begin(), all.end(), value) - all.begin()];
    sum += value;
    squares += value * value;
    least = std::min(least, value);
    most = std::max(most, value);
  }
  histogram->set_min(least);
  histogram->set_max(most);
  histogram->set_num(static_cast<double>(values.size()));
  histogram->set_sum(sum);
  histogram->set_sum_squares(squares);
  for (size_t i = 0; i < all.size(); ++i) {
    histogram->add_bucket_limit(all[i]);
    histogram->add_bucket(counts[i]);
  }
}

}  // namespace

double InitialWeight(double momentum, int64_t updates) { return std::pow(momentum, static_cast<double>(updates)); }

int64_t UpdatesUntil(double momentum, double weight) {
  if (weight >= 1) return 0;
  if (momentum >= 1) return -1;
  if (momentum <= 0) return 1;
  return static_cast<int64_t>(std::ceil(std::log(weight) / std::log(momentum)));
}

double LayerSkew::worst_distance() const {
  double worst = 0;
  for (double distance : mean_distance) worst = std::max(worst, std::abs(distance));
  return worst;
}

std::string SkewReport::ToString() const {
  constexpr double kForgotten = 0.01;
  std::string out;
  for (const LayerSkew& layer : layers) {
    if (layer.initial_weight.has_value()) {
      absl::StrAppendFormat(&out, "%d updates at momentum %g: %.0f %% of %s is still %s", *updates, *layer.momentum,
                            100 * *layer.initial_weight, layer.moving_mean, layer.initial_mean);
      const int64_t needed = UpdatesUntil(*layer.momentum, kForgotten);
      if (*layer.initial_weight > kForgotten && needed > 0) absl::StrAppend(&out, ", 1 % after ", needed);
      out += "\n";
    }
    const auto [least, most] = std::minmax_element(layer.variance_ratio.begin(), layer.variance_ratio.end());
    const bool any = least != layer.variance_ratio.end();
    absl::StrAppendFormat(
        &out, "%s: the batch's mean is up to %.3g sigma from the moving one, its variance %.3g to %.3g times\n",
        layer.name, layer.worst_distance(), any ? *least : 1, any ? *most : 1);
  }
  for (const MetricSkew& metric : metrics) {
    absl::StrAppendFormat(&out, "%s: %.6g with the batch's statistics, %.6g with the moving averages\n", metric.name,
                          metric.training, metric.inference);
  }
  return out;
}

absl::StatusOr<SkewReport> MeasureSkew(Session& session, const Graph& g, const SkewOptions& options) {
  const std::vector<BatchNormLayer> layers = FindBatchNormLayers(g);
  std::vector<const BatchNormLayer*> averaged;
  std::vector<Output> fetches;
  for (const BatchNormLayer& layer : layers) {
    if (layer.moving_mean == nullptr || layer.moving_variance == nullptr || layer.axes.empty()) continue;
    averaged.push_back(&layer);
    fetches.push_back(layer.input);
  }
  if (averaged.empty()) return absl::NotFoundError("the graph has no batch-normalization layer with moving averages");
  fetches.insert(fetches.end(), options.metrics.begin(), options.metrics.end());
  std::vector<Tensor> training;
  {
    const KeptStatistics kept(session, layers);
    SF_ASSIGN_OR_RETURN(training, Forward(session, layers, true, options, fetches));
  }
  SkewReport report{.updates = options.updates, .layers = {}, .metrics = {}};
  for (size_t i = 0; i < averaged.size(); ++i) {
    SF_ASSIGN_OR_RETURN(LayerSkew skew, Compare(session, *averaged[i], training[i], options.updates));
    report.layers.push_back(std::move(skew));
  }
  if (options.metrics.empty()) return report;
  SF_ASSIGN_OR_RETURN(const std::vector<Tensor> inference, Forward(session, layers, false, options, options.metrics));
  for (size_t i = 0; i < options.metrics.size(); ++i) {
    MetricSkew skew{.name = options.metrics[i].name()};
    SF_ASSIGN_OR_RETURN(skew.training, ScalarNumber(options.metrics[i], training[averaged.size() + i]));
    SF_ASSIGN_OR_RETURN(skew.inference, ScalarNumber(options.metrics[i], inference[i]));
    report.metrics.push_back(std::move(skew));
  }
  return report;
}

absl::Status WriteSkew(const SkewReport& report, int64_t step, EventWriter& writer) {
  proto::Event event;
  event.set_step(step);
  proto::Summary* summary = event.mutable_summary();
  for (const LayerSkew& layer : report.layers) {
    if (layer.initial_weight.has_value()) {
      AddScalar(absl::StrCat(layer.name, "/skew/initial_weight"), *layer.initial_weight, summary);
    }
    AddScalar(absl::StrCat(layer.name, "/skew/worst_distance"), layer.worst_distance(), summary);
    AddHistogram(absl::StrCat(layer.name, "/skew/mean_distance"), layer.mean_distance, summary);
  }
  for (const MetricSkew& metric : report.metrics) {
    AddScalar(absl::StrCat(metric.name, "/training"), metric.training, summary);
    AddScalar(absl::StrCat(metric.name, "/inference"), metric.inference, summary);
  }
  return writer.Write(event);
}

}  // namespace staticflow
