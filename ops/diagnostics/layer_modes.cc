#include "ops/diagnostics/layer_modes.h"

#include <algorithm>
#include <mutex>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "graph/variable_key.h"
#include "ops/diagnostics/pooled_moments.h"
#include "runtime/store_mutex.h"

namespace staticflow {
namespace {

absl::StatusOr<VariableSlot*> SlotOf(Session& session, const Node& declaration) {
  VariableSlot* slot = session.resources().FindVariable(VariableKey(declaration));
  if (slot != nullptr && slot->initialized) return slot;
  return absl::FailedPreconditionError(absl::StrCat(declaration.DebugName(), ": the variable has no value"));
}

}  // namespace

std::vector<std::pair<Output, Tensor>> ModeFeeds(absl::Span<const BatchNormLayer> layers, bool batch) {
  std::vector<std::pair<Output, Tensor>> feeds;
  absl::flat_hash_set<Output> fed;
  for (const BatchNormLayer& layer : layers) {
    if (!layer.predicate.valid() || !fed.insert(layer.predicate).second) continue;
    feeds.push_back({layer.predicate, Tensor(batch == layer.batch_when)});
  }
  return feeds;
}

std::vector<int> LayerDepths(const Graph& g, absl::Span<const BatchNormLayer> layers) {
  absl::flat_hash_set<const Node*> outputs;
  for (const BatchNormLayer& layer : layers) outputs.insert(layer.output.node());
  std::vector<int> depth(static_cast<size_t>(g.num_nodes()), 0);
  for (const auto& node : g.nodes()) {
    int deepest = 0;
    for (Output input : node->inputs()) {
      // An edge back to the start of a loop comes from a node that was not met yet.
      if (input.valid() && input.node()->id() < node->id()) deepest = std::max(deepest, depth[input.node()->id()]);
    }
    depth[node->id()] = deepest + (outputs.contains(node.get()) ? 1 : 0);
  }
  std::vector<int> result;
  for (const BatchNormLayer& layer : layers) result.push_back(depth[layer.input.node()->id()]);
  return result;
}

absl::StatusOr<std::vector<double>> ReadStatistic(Session& session, const Node& declaration) {
  SF_ASSIGN_OR_RETURN(VariableSlot* const slot, SlotOf(session, declaration));
  std::shared_lock lock(session.resources().mutex());
  absl::StatusOr<std::vector<double>> numbers = Numbers(slot->value);
  if (!numbers.ok()) return Annotate(numbers.status(), absl::StrCat(declaration.DebugName(), ": "));
  return numbers;
}

absl::Status WriteStatistic(Session& session, const Node& declaration, absl::Span<const double> elements) {
  SF_ASSIGN_OR_RETURN(VariableSlot* const slot, SlotOf(session, declaration));
  std::unique_lock lock(session.resources().mutex());
  if (slot->value.num_elements() != static_cast<int64_t>(elements.size())) {
    return absl::InvalidArgumentError(absl::StrCat(declaration.DebugName(), ": the layer has ", elements.size(),
                                                   " channels, the variable ", slot->value.num_elements(),
                                                   " elements"));
  }
  if (slot->dtype == DT_DOUBLE) {
    std::copy(elements.begin(), elements.end(), slot->value.data<double>());
    return absl::OkStatus();
  }
  if (slot->dtype != DT_FLOAT) {
    return absl::InvalidArgumentError(absl::StrCat(declaration.DebugName(), ": moving averages of type ",
                                                   DataTypeName(slot->dtype), " cannot be written"));
  }
  std::transform(elements.begin(), elements.end(), slot->value.data<float>(),
                 [](double value) { return static_cast<float>(value); });
  return absl::OkStatus();
}

KeptStatistics::KeptStatistics(Session& session, absl::Span<const BatchNormLayer> layers) : session_(session) {
  absl::flat_hash_set<const Node*> kept;
  for (const BatchNormLayer& layer : layers) {
    for (const BatchNormUpdate& update : layer.updates) {
      const Node* declaration = update.is_variance ? layer.moving_variance : layer.moving_mean;
      if (!kept.insert(declaration).second) continue;
      const absl::StatusOr<VariableSlot*> slot = SlotOf(session, *declaration);
      if (!slot.ok()) continue;  // whoever reads it says so
      std::shared_lock lock(session.resources().mutex());
      absl::StatusOr<Tensor> value = (*slot)->value.Clone();
      if (value.ok()) values_.push_back({*slot, *std::move(value)});
    }
  }
}

KeptStatistics::~KeptStatistics() {
  std::unique_lock lock(session_.resources().mutex());
  for (auto& [slot, value] : values_) slot->Assign(value.dtype(), value.shape(), value.raw()).IgnoreError();
}

}  // namespace staticflow
