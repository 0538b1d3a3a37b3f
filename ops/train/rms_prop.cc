#include "ops/train/rms_prop.h"

namespace staticflow::train {

void RMSProp::CreateSlots(absl::Span<const Variable* const> variables) {
  for (const Variable* variable : variables) {
    AddSlot(*variable, "rms", name(), 1);
    if (options_.centered) AddZerosSlot(*variable, "mg", name());
    AddZerosSlot(*variable, "momentum", name());
  }
}

void RMSProp::Prepare() {
  learning_rate_ = Hyperparameter(options_.learning_rate, "learning_rate");
  decay_ = Hyperparameter(options_.decay, "decay");
  momentum_ = Hyperparameter(options_.momentum, "momentum");
  epsilon_ = Hyperparameter(options_.epsilon, "epsilon");
}

NodeBuilder RMSProp::Begin(bool is_rows, const Variable& variable) {
  const auto slot = [&](absl::string_view name) {
    const Variable* found = GetSlot(variable, name);
    return found == nullptr ? Output() : found->ref();
  };
  const char* rule = options_.centered ? "CenteredRMSProp" : "RMSProp";
  NodeBuilder builder = is_rows ? UpdateRows(rule, variable, {}) : Update(rule, variable, {});
  if (options_.centered) builder.Input(slot("mg"));
  builder.Input(slot("rms")).Input(slot("momentum"));
  for (Output value : {learning_rate_, decay_, momentum_, epsilon_}) builder.Input(As(variable, value));
  return builder.Attr("use_locking", options_.use_locking);
}

Operation RMSProp::Apply(Output gradient, const Variable& variable) {
  return Begin(false, variable).Input(gradient).BuildNode();
}

Operation RMSProp::ApplyRows(Output rows, Output indices, const Variable& variable) {
  return Begin(true, variable).Input(rows).Input(indices).BuildNode();
}

}  // namespace staticflow::train
