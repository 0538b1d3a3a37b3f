#include "ops/train/adadelta.h"

namespace staticflow::train {

void Adadelta::CreateSlots(absl::Span<const Variable* const> variables) {
  for (const Variable* variable : variables) {
    AddZerosSlot(*variable, "accum", name());
    AddZerosSlot(*variable, "accum_update", name());
  }
}

void Adadelta::Prepare() {
  learning_rate_ = Hyperparameter(options_.learning_rate, "lr");
  rho_ = Hyperparameter(options_.rho, "rho");
  epsilon_ = Hyperparameter(options_.epsilon, "epsilon");
}

Operation Adadelta::Apply(Output gradient, const Variable& variable) {
  const Variable* accum = GetSlot(variable, "accum");
  const Variable* updates = GetSlot(variable, "accum_update");
  if (accum == nullptr || updates == nullptr) return Operation();
  const auto as = [&](Output value) { return As(variable, value); };
  return Update("Adadelta", variable,
                {accum->ref(), updates->ref(), as(learning_rate_), as(rho_), as(epsilon_), gradient})
      .Attr("use_locking", options_.use_locking)
      .BuildNode();
}

Operation Adadelta::ApplyRows(Output rows, Output indices, const Variable& variable) {
  const Variable* accum = GetSlot(variable, "accum");
  const Variable* updates = GetSlot(variable, "accum_update");
  if (accum == nullptr || updates == nullptr) return Operation();
  const auto as = [&](Output value) { return As(variable, value); };
  return UpdateRows("Adadelta", variable,
                    {accum->ref(), updates->ref(), as(learning_rate_), as(rho_), as(epsilon_), rows, indices})
      .Attr("use_locking", options_.use_locking)
      .BuildNode();
}

}  // namespace staticflow::train
