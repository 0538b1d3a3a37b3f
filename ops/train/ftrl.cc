#include "ops/train/ftrl.h"

namespace staticflow::train {

void Ftrl::CreateSlots(absl::Span<const Variable* const> variables) {
  for (const Variable* variable : variables) {
    AddSlot(*variable, "accum", name(), options_.initial_accumulator_value);
    AddZerosSlot(*variable, "linear", name());
  }
}

void Ftrl::Prepare() {
  learning_rate_ = Hyperparameter(options_.learning_rate, "learning_rate");
  l1_ = Hyperparameter(options_.l1_regularization_strength, "l1_regularization_strength");
  l2_ = Hyperparameter(options_.l2_regularization_strength, "l2_regularization_strength");
  shrinkage_ = Hyperparameter(options_.l2_shrinkage_regularization_strength, "l2_shrinkage_regularization_strength");
  power_ = Hyperparameter(options_.learning_rate_power, "learning_rate_power");
}

Operation Ftrl::End(NodeBuilder builder, const Variable& variable) const {
  for (Output value : {learning_rate_, l1_, l2_}) builder.Input(As(variable, value));
  if (options_.l2_shrinkage_regularization_strength > 0) builder.Input(As(variable, shrinkage_));
  return builder.Input(As(variable, power_)).Attr("use_locking", options_.use_locking).BuildNode();
}

Operation Ftrl::Apply(Output gradient, const Variable& variable) {
  const Variable* accum = GetSlot(variable, "accum");
  const Variable* linear = GetSlot(variable, "linear");
  if (accum == nullptr || linear == nullptr) return Operation();
  return End(Update(rule(), variable, {accum->ref(), linear->ref(), gradient}), variable);
}

Operation Ftrl::ApplyRows(Output rows, Output indices, const Variable& variable) {
  const Variable* accum = GetSlot(variable, "accum");
  const Variable* linear = GetSlot(variable, "linear");
  if (accum == nullptr || linear == nullptr) return Operation();
  return End(UpdateRows(rule(), variable, {accum->ref(), linear->ref(), rows, indices}), variable);
}

}  // namespace staticflow::train
