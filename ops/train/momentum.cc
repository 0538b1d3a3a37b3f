#include "ops/train/momentum.h"

namespace staticflow::train {

void Momentum::CreateSlots(absl::Span<const Variable* const> variables) {
  for (const Variable* variable : variables) AddZerosSlot(*variable, "momentum", name());
}

void Momentum::Prepare() {
  learning_rate_ = Hyperparameter(options_.learning_rate, "learning_rate");
  momentum_ = Hyperparameter(options_.momentum, "momentum");
}

Operation Momentum::Apply(Output gradient, const Variable& variable) {
  const Variable* accum = GetSlot(variable, "momentum");
  if (accum == nullptr) return Operation();
  return Update("Momentum", variable, {accum->ref(), As(variable, learning_rate_), gradient, As(variable, momentum_)})
      .Attr("use_locking", options_.use_locking)
      .Attr("use_nesterov", options_.use_nesterov)
      .BuildNode();
}

Operation Momentum::ApplyRows(Output rows, Output indices, const Variable& variable) {
  const Variable* accum = GetSlot(variable, "momentum");
  if (accum == nullptr) return Operation();
  return UpdateRows("Momentum", variable,
                    {accum->ref(), As(variable, learning_rate_), rows, indices, As(variable, momentum_)})
      .Attr("use_locking", options_.use_locking)
      .Attr("use_nesterov", options_.use_nesterov)
      .BuildNode();
}

}  // namespace staticflow::train
