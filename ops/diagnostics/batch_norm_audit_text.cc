// The audit of a run as text.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ops/diagnostics/batch_norm_audit.h"

namespace staticflow {
namespace {

std::string Names(const std::vector<const Node*>& nodes) {
  if (nodes.empty()) return "none";
  return absl::StrJoin(nodes, ", ", [](std::string* out, const Node* node) { out->append(node->name()); });
}

}  // namespace

std::string BatchNormAudit::ToString() const {
  std::string text = absl::StrCat(trains ? "training" : "inference", " run, ", layers.size(),
                                  layers.size() == 1 ? " batch-norm layer\n" : " batch-norm layers\n");
  for (const BatchNormLayerRun& run : layers) {
    const char* statistics = run.statistics == BatchNormStatistics::kBatch    ? "statistics of the batch"
                             : run.statistics == BatchNormStatistics::kMoving ? "moving averages"
                                                                              : "either statistics";
    absl::StrAppend(&text, "  ", run.layer.name, ": ", statistics);
    if (run.layer.statistics == BatchNormStatistics::kDecided && run.layer.predicate.valid()) {
      absl::StrAppend(&text, " (", run.layer.predicate.node()->name(), " decides)");
    }
    if (run.elements_per_channel >= 0) absl::StrAppend(&text, ", ", run.elements_per_channel, " elements per channel");
    absl::StrAppend(&text, "\n    updates: ", Names(run.updates), "\n    trained: ", Names(run.trained), "\n");
    if (!run.saved.empty() || !run.not_saved.empty()) absl::StrAppend(&text, "    saved: ", Names(run.saved), "\n");
    if (!run.not_saved.empty()) absl::StrAppend(&text, "    not saved: ", Names(run.not_saved), "\n");
  }
  for (const BatchNormFinding& finding : findings) absl::StrAppend(&text, "  warning: ", finding.message, "\n");
  return text;
}

}  // namespace staticflow
