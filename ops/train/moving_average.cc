#include "ops/train/moving_average.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/state.h"

namespace staticflow::train {

const Variable* ExponentialMovingAverage::Average(Output variable) const {
  const Variable* found = variable.valid() ? graph_.FindVariable(variable.node()) : nullptr;
  if (found == nullptr) return nullptr;
  const auto it =
      std::find_if(shadows_.begin(), shadows_.end(), [&](const auto& entry) { return entry.first == found->variable; });
  return it == shadows_.end() ? nullptr : it->second;
}

std::string ExponentialMovingAverage::AverageName(Output variable) const {
  if (const Variable* shadow = Average(variable)) return shadow->name();
  const Variable* found = variable.valid() ? graph_.FindVariable(variable.node()) : nullptr;
  return found == nullptr ? "" : absl::StrCat(found->name(), "/", options_.name);
}

const Variable* ExponentialMovingAverage::MakeShadow(const Variable& variable) {
  const VariableScope scope(graph_, "", {.default_name = absl::StrCat(variable.name(), "/", options_.name)});
  // The variable may have been restored already, and then keeps its value.
  const auto initializer = [&](Graph&, DataType, const Shape&) {
    return Cond(
        IsVariableInitialized(variable.ref()), [&] { return Identity(variable.snapshot); },
        [&] { return Identity(variable.initial_value); });
  };
  const Variable made = GetVariable(graph_, "",
                                    {.dtype = variable.dtype,
                                     .shape = variable.shape,
                                     .initializer = initializer,
                                     .trainable = false,
                                     .use_resource = variable.is_resource});
  if (made.variable == nullptr) return nullptr;
  graph_.AddToCollection("moving_average_variables", Operation(variable.variable));
  return graph_.FindVariable(made.variable);
}

Operation ExponentialMovingAverage::Apply(absl::Span<const Output> variables) {
  std::vector<const Variable*> followed;
  for (Output output : variables) {
    const Variable* variable = output.valid() ? graph_.FindVariable(output.node()) : nullptr;
    if (variable == nullptr || !IsFloating(variable->dtype)) {
      const std::string name = output.valid() ? output.name() : "an invalid output";
      graph_.RecordError(
          absl::InvalidArgumentError(absl::StrCat(options_.name, ": ", name, " is no variable of a floating type")));
      return Operation();
    }
    followed.push_back(variable);
  }
  if (variables.empty()) {
    for (const Variable* variable : graph_.variables(kTrainableVariables)) followed.push_back(variable);
  }
  for (const Variable* variable : followed) {
    if (Average(variable->ref()) == nullptr) shadows_.emplace_back(variable->variable, MakeShadow(*variable));
  }
  if (!graph_.status().ok()) return Operation();

  const NameScope scope(graph_, options_.name);
  Output decay = Const(graph_, Tensor(static_cast<float>(options_.decay)), {.name = "decay"});
  if (options_.num_updates.valid()) {
    const Variable* counter = graph_.FindVariable(options_.num_updates.node());
    const Output n = Cast(counter == nullptr ? options_.num_updates : counter->snapshot, DT_FLOAT);
    decay = Minimum(decay, (1 + n) / (10 + n));
  }
  std::vector<Operation> updates;
  for (const Variable* variable : followed) {
    const Variable& shadow = *Average(variable->ref());
    const NameScope update(graph_, "AssignMovingAvg");
    const Output rate = 1 - (decay.dtype() == shadow.dtype ? decay : Cast(decay, shadow.dtype));
    const Output change = (shadow.snapshot - variable->snapshot) * rate;
    updates.push_back(shadow.is_resource
                          ? Operation(NodeBuilder("AssignSubVariableOp", {shadow.ref(), change}).BuildNode())
                          : Operation(AssignSub(shadow.ref(), change, {.name = update.name()})));
  }
  return Group(graph_, updates, {.name = scope.name()});
}

std::map<std::string, Output> ExponentialMovingAverage::VariablesToRestore() const {
  std::map<std::string, Output> result;
  const auto is_shadow = [&](const Variable* v) {
    return std::any_of(shadows_.begin(), shadows_.end(), [v](const auto& entry) { return entry.second == v; });
  };
  const std::vector<const Variable*> trainable = graph_.variables(kTrainableVariables);
  for (const Variable* variable : graph_.variables(kGlobalVariables)) {
    if (is_shadow(variable)) continue;
    const bool averaged = Average(variable->ref()) != nullptr ||
                          std::find(trainable.begin(), trainable.end(), variable) != trainable.end();
    result[averaged ? AverageName(variable->ref()) : variable->name()] = variable->ref();
  }
  return result;
}

}  // namespace staticflow::train
