#include "ops/train/proximal.h"

namespace staticflow::train {

void ProximalGradientDescent::Prepare() {
  learning_rate_ = Hyperparameter(options_.learning_rate, "learning_rate");
  l1_ = Hyperparameter(options_.l1_regularization_strength, "l1_regularization_strength");
  l2_ = Hyperparameter(options_.l2_regularization_strength, "l2_regularization_strength");
}

Operation ProximalGradientDescent::Apply(Output gradient, const Variable& variable) {
  return Update("ProximalGradientDescent", variable,
                {As(variable, learning_rate_), As(variable, l1_), As(variable, l2_), gradient})
      .Attr("use_locking", options_.use_locking)
      .BuildNode();
}

Operation ProximalGradientDescent::ApplyRows(Output rows, Output indices, const Variable& variable) {
  return UpdateRows("ProximalGradientDescent", variable,
                    {As(variable, learning_rate_), As(variable, l1_), As(variable, l2_), rows, indices})
      .Attr("use_locking", options_.use_locking)
      .BuildNode();
}

void ProximalAdagrad::CreateSlots(absl::Span<const Variable* const> variables) {
  for (const Variable* variable : variables) {
    AddSlot(*variable, "accumulator", name(), options_.initial_accumulator_value);
  }
}

void ProximalAdagrad::Prepare() {
  learning_rate_ = Hyperparameter(options_.learning_rate, "learning_rate");
  l1_ = Hyperparameter(options_.l1_regularization_strength, "l1_regularization_strength");
  l2_ = Hyperparameter(options_.l2_regularization_strength, "l2_regularization_strength");
}

Operation ProximalAdagrad::Apply(Output gradient, const Variable& variable) {
  const Variable* accum = GetSlot(variable, "accumulator");
  if (accum == nullptr) return Operation();
  return Update("ProximalAdagrad", variable,
                {accum->ref(), As(variable, learning_rate_), As(variable, l1_), As(variable, l2_), gradient})
      .Attr("use_locking", options_.use_locking)
      .BuildNode();
}

Operation ProximalAdagrad::ApplyRows(Output rows, Output indices, const Variable& variable) {
  const Variable* accum = GetSlot(variable, "accumulator");
  if (accum == nullptr) return Operation();
  return UpdateRows("ProximalAdagrad", variable,
                    {accum->ref(), As(variable, learning_rate_), As(variable, l1_), As(variable, l2_), rows, indices})
      .Attr("use_locking", options_.use_locking)
      .BuildNode();
}

}  // namespace staticflow::train
