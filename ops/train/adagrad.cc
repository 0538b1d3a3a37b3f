#include "ops/train/adagrad.h"

#include "ops/array.h"
#include "ops/math.h"

namespace staticflow::train {

void Adagrad::CreateSlots(absl::Span<const Variable* const> variables) {
  for (const Variable* variable : variables) {
    AddSlot(*variable, "accumulator", name(), options_.initial_accumulator_value);
  }
}

void Adagrad::Prepare() { learning_rate_ = Hyperparameter(options_.learning_rate, "learning_rate"); }

Operation Adagrad::Apply(Output gradient, const Variable& variable) {
  const Variable* accum = GetSlot(variable, "accumulator");
  if (accum == nullptr) return Operation();
  return Update("Adagrad", variable, {accum->ref(), As(variable, learning_rate_), gradient})
      .Attr("use_locking", options_.use_locking)
      .BuildNode();
}

Operation Adagrad::ApplyRows(Output rows, Output indices, const Variable& variable) {
  const Variable* accum = GetSlot(variable, "accumulator");
  if (accum == nullptr) return Operation();
  return UpdateRows("Adagrad", variable, {accum->ref(), As(variable, learning_rate_), rows, indices})
      .Attr("use_locking", options_.use_locking)
      .BuildNode();
}

void AdagradDA::CreateSlots(absl::Span<const Variable* const> variables) {
  for (const Variable* variable : variables) {
    AddZerosSlot(*variable, "gradient_accumulator", name());
    AddSlot(*variable, "gradient_squared_accumulator", name(), options_.initial_gradient_squared_accumulator_value);
  }
}

void AdagradDA::Prepare() {
  learning_rate_ = Hyperparameter(options_.learning_rate, "learning_rate");
  l1_ = Hyperparameter(options_.l1_regularization_strength, "l1_regularization_strength");
  l2_ = Hyperparameter(options_.l2_regularization_strength, "l2_regularization_strength");
  const Variable* counter = options_.global_step.valid() ? graph().FindVariable(options_.global_step.node()) : nullptr;
  if (counter == nullptr) {
    graph().RecordError(absl::InvalidArgumentError("AdagradDA: global_step must be a variable that counts the steps"));
    return;
  }
  // The step that this update is, counted from 1.
  step_ = Identity(counter->snapshot) + 1;
  if (step_.valid() && step_.dtype() != DT_INT64) step_ = Cast(step_, DT_INT64);
}

Operation AdagradDA::Apply(Output gradient, const Variable& variable) {
  const Variable* sum = GetSlot(variable, "gradient_accumulator");
  const Variable* squares = GetSlot(variable, "gradient_squared_accumulator");
  if (sum == nullptr || squares == nullptr) return Operation();
  const auto as = [&](Output value) { return As(variable, value); };
  return Update("AdagradDA", variable,
                {sum->ref(), squares->ref(), gradient, as(learning_rate_), as(l1_), as(l2_), step_})
      .Attr("use_locking", options_.use_locking)
      .BuildNode();
}

Operation AdagradDA::ApplyRows(Output rows, Output indices, const Variable& variable) {
  const Variable* sum = GetSlot(variable, "gradient_accumulator");
  const Variable* squares = GetSlot(variable, "gradient_squared_accumulator");
  if (sum == nullptr || squares == nullptr) return Operation();
  const auto as = [&](Output value) { return As(variable, value); };
  return UpdateRows("AdagradDA", variable,
                    {sum->ref(), squares->ref(), rows, indices, as(learning_rate_), as(l1_), as(l2_), step_})
      .Attr("use_locking", options_.use_locking)
      .BuildNode();
}

}  // namespace staticflow::train
