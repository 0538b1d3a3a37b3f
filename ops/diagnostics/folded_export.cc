#include "ops/diagnostics/folded_export.h"

#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "graph/batch_dependence.h"
#include "graph/graph_def.h"
#include "graph/status.h"
#include "ops/analysis/batch_norm_layers.h"
#include "ops/diagnostics/frozen_graph.h"
#include "ops/diagnostics/layer_modes.h"
#include "ops/diagnostics/pooled_moments.h"
#include "ops/diagnostics/saved_model.h"
#include "runtime/io/bundle.h"
#include "runtime/io/crc32c.h"
#include "runtime/io/env.h"

namespace staticflow {
namespace {

constexpr char kReportNode[] = "export_report";

// Every node that the fetches need by data.
absl::flat_hash_set<const Node*> NeededBy(const std::vector<Output>& fetches, const std::vector<Output>& feeds) {
  absl::flat_hash_set<const Node*> needed;
  std::vector<Output> open(fetches.begin(), fetches.end());
  while (!open.empty()) {
    const Output output = open.back();
    open.pop_back();
    if (std::find(feeds.begin(), feeds.end(), output) != feeds.end() || !needed.insert(output.node()).second) continue;
    for (Output input : output.node()->inputs()) open.push_back(input);
  }
  return needed;
}

absl::Status CheckLayers(const std::vector<BatchNormLayer>& layers) {
  std::vector<std::string> from_batch;
  for (const BatchNormLayer& layer : layers) {
    const bool undecided = layer.statistics == BatchNormStatistics::kDecided && !layer.predicate.valid();
    if (layer.statistics == BatchNormStatistics::kBatch || undecided) from_batch.push_back(layer.name);
  }
  if (from_batch.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the graph predicts from the statistics of its batch, in ", absl::StrJoin(from_batch, ", "),
                   ": what it says of an example depends on the others; build it with moving averages"));
}

absl::Status CheckSamples(const FoldedExportOptions& options) {
  if (options.fetches.empty()) return absl::InvalidArgumentError("nothing to export: no fetch");
  if (options.samples.size() != options.feeds.size() || options.samples.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("got ", options.samples.size(), " samples for ",
                                                   options.feeds.size(), " feeds; the export is checked on them"));
  }
  return absl::OkStatus();
}

class Exporter {
 public:
  Exporter(Session& session, const Graph& g, const FoldedExportOptions& options)
      : session_(session), g_(g), options_(options) {}

  absl::StatusOr<FoldedExport> Run() {
    SF_RETURN_IF_ERROR(CheckSamples(options_));
    const absl::flat_hash_set<const Node*> needed = NeededBy(options_.fetches, options_.feeds);
    std::vector<BatchNormLayer> layers = FindBatchNormLayers(g_);
    std::erase_if(layers, [&](const BatchNormLayer& layer) { return !needed.contains(layer.output.node()); });
    SF_RETURN_IF_ERROR(CheckLayers(layers));
    result_.layers = static_cast<int>(layers.size());
    pins_ = options_.constants;
    for (auto& [predicate, value] : ModeFeeds(layers, false)) {
      const auto same = [&](const auto& pin) { return pin.first == predicate; };
      if (std::none_of(pins_.begin(), pins_.end(), same)) pins_.push_back({predicate, value});
    }
    Session::Feeds feeds;
    for (size_t i = 0; i < options_.feeds.size(); ++i) feeds.emplace_back(options_.feeds[i], options_.samples[i]);
    SF_ASSIGN_OR_RETURN(FrozenGraph frozen, Freeze(session_, g_, feeds, pins_, options_.fetches));
    result_.nodes_before = static_cast<int>(needed.size());
    if (options_.fold) result_.folded = FoldAffine(&frozen);
    SF_RETURN_IF_ERROR(frozen.AddTo(out_));
    result_.nodes_after = out_.num_nodes();
    for (const auto& node : out_.nodes()) {
      if (absl::StartsWith(node->type(), "FusedBatchNorm")) result_.normalizing.push_back(node->name());
    }
    SF_RETURN_IF_ERROR(Compare());
    JudgeDependence();
    if (!options_.source_checkpoint.empty()) SF_RETURN_IF_ERROR(TakeFingerprint());
    SF_RETURN_IF_ERROR(AddReport());
    SF_ASSIGN_OR_RETURN(result_.graph_def, GraphDefBytes(out_));
    if (!options_.path.empty()) SF_RETURN_IF_ERROR(ReplaceFile(TheEnv(), options_.path, result_.graph_def));
    if (!options_.saved_model_dir.empty()) SF_RETURN_IF_ERROR(WriteModel());
    return std::move(result_);
  }

 private:
  Env* TheEnv() const { return session_.options().env != nullptr ? session_.options().env : PosixEnv(); }

  // Runs both graphs on the samples.
  absl::Status Compare() {
    Session::Feeds original = pins_, folded;
    for (size_t i = 0; i < options_.feeds.size(); ++i) {
      const Output feed = options_.feeds[i];
      original.push_back({feed, options_.samples[i]});
      Node* node = out_.FindNode(feed.node()->name());
      if (node != nullptr) folded.push_back({node->output(0), options_.samples[i]});
      if (options_.samples[i].shape().rank() > 0) result_.examples = options_.samples[i].shape().dim(0);
    }
    std::vector<Output> fetches;
    for (Output fetch : options_.fetches) fetches.push_back(out_.FindNode(fetch.node()->name())->output(0));
    Session session(out_, {.threads = session_.options().threads});
    SF_ASSIGN_OR_RETURN(const std::vector<Tensor> want, session_.Run(original, options_.fetches));
    SF_ASSIGN_OR_RETURN(const std::vector<Tensor> got, session.Run(folded, fetches));
    for (size_t i = 0; i < want.size(); ++i) SF_RETURN_IF_ERROR(CompareOne(options_.fetches[i], want[i], got[i]));
    if (result_.largest_error <= options_.tolerance * std::max(result_.largest_result, 1e-30)) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrFormat(
        "the folded graph is off by %g where results are up to %g: more than the tolerance of %g allows",
        result_.largest_error, result_.largest_result, options_.tolerance));
  }
  absl::Status CompareOne(Output fetch, const Tensor& want, const Tensor& got) {
    if (!(want.shape() == got.shape()) || want.dtype() != got.dtype()) {
      return absl::InternalError(absl::StrCat(fetch.name(), " became ", DataTypeName(got.dtype()),
                                              got.shape().ToString(), " from ", DataTypeName(want.dtype()),
                                              want.shape().ToString()));
    }
    const absl::StatusOr<std::vector<double>> a = Numbers(want), b = Numbers(got);
    if (!a.ok()) {
      if (BitwiseEqual(want, got)) return absl::OkStatus();
      return absl::FailedPreconditionError(absl::StrCat(fetch.name(), ": the folded graph gives other values"));
    }
    for (size_t k = 0; k < a->size(); ++k) {
      const double was = (*a)[k], is = (*b)[k];
      if ((std::isnan(was) && std::isnan(is)) || (std::isinf(was) && was == is)) {
        ++result_.not_finite;
        continue;
      }
      if (std::isfinite(was)) result_.largest_result = std::max(result_.largest_result, std::abs(was));
      const double error = std::abs(was - is);
      result_.largest_error = std::isnan(error) ? HUGE_VAL : std::max(result_.largest_error, error);
    }
    return absl::OkStatus();
  }

  void JudgeDependence() {
    for (Output fetch : options_.fetches) {
      if (fetch.shape().rank() == 0) continue;
      const absl::StatusOr<BatchDependence> found = AnalyzeBatchDependence(fetch, 0, {.feeds = pins_});
      const BatchVerdict verdict = found.ok() ? found->verdict : BatchVerdict::kUnknown;
      const absl::string_view reason = found.ok() ? absl::string_view(found->reason) : found.status().message();
      result_.verdicts.push_back(absl::StrCat(fetch.name(), " ", BatchVerdictName(verdict), ": ", reason));
    }
  }

  absl::Status TakeFingerprint() {
    const std::string& prefix = options_.source_checkpoint;
    absl::StatusOr<std::string> index = ReadWholeFile(TheEnv(), BundleIndexPath(prefix));
    if (!index.ok()) index = ReadWholeFile(TheEnv(), prefix);  // of the first format: one file
    SF_RETURN_IF_ERROR(index.status());
    result_.fingerprint = absl::StrFormat("%s crc32c 0x%08x", BaseName(prefix), crc32c::Value(*index));
    return absl::OkStatus();
  }

  absl::Status WriteModel() {
    SavedModelOptions model;
    for (Output feed : options_.feeds) {
      Node* node = out_.FindNode(feed.node()->name());
      if (node != nullptr) model.inputs.emplace_back(node->name(), node->output(0));
    }
    for (Output fetch : options_.fetches) {
      Node* node = out_.FindNode(fetch.node()->name());
      model.outputs.emplace_back(node->name(), node->output(0));
    }
    return WriteSavedModel(TheEnv(), options_.saved_model_dir, out_, model);
  }

  absl::Status AddReport() {
    NodeDefinition report{.name = kReportNode, .op = &OpWithRole(OpRole::kConst)};
    report.attrs = {{"dtype", DT_STRING}, {"value", Tensor(result_.ToString())}};
    return out_.AddNode(std::move(report)).status();
  }

  Session& session_;
  const Graph& g_;
  const FoldedExportOptions& options_;
  Session::Feeds pins_;
  Graph out_;
  FoldedExport result_;
};

}  // namespace

std::string FoldedExport::ToString() const {
  std::string out = absl::StrFormat(
      "%d batch-normalization layer%s, %d nodes taken into products and convolutions, %d fused ones left; %d nodes "
      "became %d; largest error %.3g of results up to %.3g over %d examples\n",
      layers, layers == 1 ? "" : "s", folded.size(), normalizing.size(), nodes_before, nodes_after, largest_error,
      largest_result, examples);
  if (not_finite > 0) absl::StrAppend(&out, not_finite, " results are NaN or infinite, before folding as after\n");
  for (const std::string& verdict : verdicts) absl::StrAppend(&out, "row by row, ", verdict, "\n");
  if (!fingerprint.empty()) absl::StrAppend(&out, "from ", fingerprint, "\n");
  return out;
}

absl::StatusOr<FoldedExport> ExportFolded(Session& session, const Graph& g, const FoldedExportOptions& options) {
  return Exporter(session, g, options).Run();
}

}  // namespace staticflow
