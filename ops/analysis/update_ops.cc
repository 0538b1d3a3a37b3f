#include "ops/analysis/update_ops.h"

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "graph/variable_access.h"
#include "graph/variable_key.h"
#include "ops/analysis/batch_norm_layers.h"
#include "ops/analysis/run_nodes.h"

namespace staticflow {
namespace {

// The writes of variables that are nearest to an operation, itself included, along data and control edges backwards.
std::vector<const Node*> NearestWrites(const Node* operation) {
  std::vector<const Node*> writes;
  absl::flat_hash_set<const Node*> seen = {operation};
  std::vector<const Node*> level = {operation};
  while (!level.empty() && writes.empty()) {
    std::vector<const Node*> next;
    for (const Node* node : level) {
      if (!VariablesWrittenBy(*node).empty()) writes.push_back(node);
      for (Output input : node->inputs()) {
        if (seen.insert(input.node()).second) next.push_back(input.node());
      }
      for (const Node* control : node->control_inputs()) {
        if (seen.insert(control).second) next.push_back(control);
      }
    }
    level = std::move(next);
  }
  return writes;
}

class Scope {
 public:
  Scope(Output loss, absl::Span<const Output> var_list)
      : graph_(loss.graph()), run_(graph_, {}, {loss}, {}), on_path_(run_.Reaching({loss})) {
    for (Output output : var_list) {
      if (!output.valid()) continue;
      const bool is_variable = output.is_ref() || output.dtype() == DT_RESOURCE;
      const Node* variable = is_variable ? VariableBehind(output) : VariableOfValue(output);
      if (variable != nullptr) trained_.insert(variable);
    }
    for (const Variable* variable : graph_.variables(kTrainableVariables)) {
      trainable_.insert(variable->variable);
      if (var_list.empty()) trained_.insert(variable->variable);
    }
    for (const Node* variable : trained_) trainable_.insert(variable);
    for (BatchNormLayer& layer : FindBatchNormLayers(graph_)) {
      const size_t index = layers_.size();
      for (const BatchNormUpdate& update : layer.updates) by_write_[update.write] = index;
      layers_.push_back(std::move(layer));
    }
  }

  bool Covers(const Node* operation) const {
    for (const Node* write : NearestWrites(operation)) {
      const auto layer = by_write_.find(write);
      if (layer != by_write_.end() ? Covers(layers_[layer->second]) : CoversWrite(*write)) return true;
    }
    return false;
  }

 private:
  bool IsOnPath(Output output) const { return on_path_[static_cast<size_t>(output.node()->id())]; }

  bool Covers(const BatchNormLayer& layer) const {
    if (!IsOnPath(layer.output)) return false;
    bool has_parameters = false;
    for (Output value : {layer.gamma, layer.beta}) {
      const Node* variable = value.valid() ? VariableOfValue(value) : nullptr;
      if (variable == nullptr) continue;
      if (trained_.contains(variable)) return true;
      has_parameters = true;
    }
    return !has_parameters && NearestIsTrained({layer.input}, trainable_, trained_);
  }

  bool CoversWrite(const Node& write) const {
    std::vector<Output> on_path;
    for (Output input : write.inputs()) {
      if (!input.is_ref() && input.dtype() != DT_RESOURCE) AddComputedFrom(input, &on_path);
    }
    return !on_path.empty() && NearestIsTrained(on_path, trainable_, trained_);
  }

  // The tensors on the way to the loss from which `value` is computed.
  void AddComputedFrom(Output value, std::vector<Output>* on_path) const {
    absl::flat_hash_set<const Node*> seen;
    std::vector<Output> open = {value};
    while (!open.empty()) {
      const Output output = open.back();
      open.pop_back();
      if (!seen.insert(output.node()).second || output.node()->num_inputs() == 0) continue;
      if (IsOnPath(output) && VariableOfValue(output) == nullptr) {
        on_path->push_back(output);
        continue;
      }
      for (Output input : output.node()->inputs()) open.push_back(input);
    }
  }

  const Graph& graph_;
  const RunNodes run_;
  const std::vector<bool> on_path_;
  absl::flat_hash_set<const Node*> trained_, trainable_;
  std::vector<BatchNormLayer> layers_;
  absl::flat_hash_map<const Node*, size_t> by_write_;
};

}  // namespace

std::vector<Operation> UpdateOpsFor(Output loss, absl::Span<const Output> var_list) {
  std::vector<Operation> updates;
  if (!loss.valid()) return updates;
  const Scope scope(loss, var_list);
  for (const CollectionItem& item : loss.graph().collection(kUpdateOps)) {
    if (scope.Covers(item.node)) updates.push_back(Operation(item.node));
  }
  return updates;
}

}  // namespace staticflow
