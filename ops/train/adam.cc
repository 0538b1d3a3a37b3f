#include "ops/train/adam.h"

#include <algorithm>

#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/state.h"

namespace staticflow::train {

void Adam::CreateSlots(absl::Span<const Variable* const> variables) {
  if (beta1_power_.variable == nullptr) {
    // The powers stay with the variable that comes first by name, as TensorFlow places them.
    const Variable& first = **std::min_element(variables.begin(), variables.end(),
                                               [](const auto* a, const auto* b) { return a->name() < b->name(); });
    const auto power = [&](const Operand& beta, const char* name) {
      return NewVariable(graph(), Tensor(static_cast<float>(beta.number())),
                         {.name = name, .trainable = false, .use_resource = first.is_resource});
    };
    if (!options_.beta1.is_number() || !options_.beta2.is_number()) {
      graph().RecordError(absl::InvalidArgumentError("Adam: beta1 and beta2 must be numbers"));
      return;
    }
    beta1_power_ = power(options_.beta1, "beta1_power");
    beta2_power_ = power(options_.beta2, "beta2_power");
  }
  for (const Variable* variable : variables) {
    AddZerosSlot(*variable, "m", name());
    AddZerosSlot(*variable, "v", name());
  }
}

void Adam::Prepare() {
  learning_rate_ = Hyperparameter(options_.learning_rate, "learning_rate");
  beta1_ = Hyperparameter(options_.beta1, "beta1");
  beta2_ = Hyperparameter(options_.beta2, "beta2");
  epsilon_ = Hyperparameter(options_.epsilon, "epsilon");
}

Operation Adam::Apply(Output gradient, const Variable& variable) {
  const Variable* m = GetSlot(variable, "m");
  const Variable* v = GetSlot(variable, "v");
  if (m == nullptr || v == nullptr) return Operation();
  const auto as = [&](Output value) { return As(variable, value); };
  return Update("Adam", variable,
                {m->ref(), v->ref(), as(beta1_power_.snapshot), as(beta2_power_.snapshot), as(learning_rate_),
                 as(beta1_), as(beta2_), as(epsilon_), gradient})
      .Attr("use_locking", options_.use_locking)
      .Attr("use_nesterov", options_.use_nesterov)
      .BuildNode();
}

Output Adam::Accumulate(const Variable& slot, Output decay, Output rows, Output indices,
                        std::vector<Operation>& updates) {
  const Output decayed = Mul(slot.snapshot, decay, {.name = "mul"});
  if (!slot.is_resource) {
    const Output assigned = Assign(slot.ref(), decayed, {.use_locking = options_.use_locking});
    const ControlDependencies after(graph(), {Operation(assigned)});
    const Output sum =
        NodeBuilder("ScatterAdd", {slot.ref(), indices, rows}).Attr("use_locking", options_.use_locking).Build();
    updates.push_back(Operation(sum));
    return sum;
  }
  const Operation assigned = NodeBuilder("AssignVariableOp", {slot.ref(), decayed}).BuildNode();
  const ControlDependencies after(graph(), {assigned});
  updates.push_back(NodeBuilder("ResourceScatterAdd", {slot.ref(), indices, rows}).BuildNode());
  const ControlDependencies after_rows(graph(), {updates.back()});
  return ReadVariable(slot.ref(), slot.dtype);
}

Operation Adam::ApplyRows(Output rows, Output indices, const Variable& variable) {
  const Variable* m = GetSlot(variable, "m");
  const Variable* v = GetSlot(variable, "v");
  if (m == nullptr || v == nullptr) return Operation();
  const auto as = [&](Output value) { return As(variable, value); };
  const Output beta1 = as(beta1_), beta2 = as(beta2_);
  const Output rate = as(learning_rate_) * Sqrt(1 - as(beta2_power_.snapshot)) / (1 - as(beta1_power_.snapshot));
  std::vector<Operation> updates;
  const Output mean = Accumulate(*m, beta1, rows * (1 - beta1), indices, updates);
  const Output square = Accumulate(*v, beta2, rows * rows * (1 - beta2), indices, updates);
  const Output step = rate * mean / (Sqrt(square) + as(epsilon_));
  updates.insert(updates.begin(),
                 variable.is_resource
                     ? Operation(NodeBuilder("AssignSubVariableOp", {variable.ref(), step}).BuildNode())
                     : Operation(AssignSub(variable.ref(), step)));
  return Group(graph(), updates);
}

Operation Adam::Finish(std::vector<Operation> updates, const std::string& name) {
  {
    const ControlDependencies after(graph(), updates);
    const auto advance = [&](const Variable& power, Output beta) {
      const Output next = Mul(power.snapshot, beta, {.name = "mul"});
      updates.push_back(power.is_resource
                            ? Operation(NodeBuilder("AssignVariableOp", {power.ref(), next}).BuildNode())
                            : Operation(Assign(power.ref(), next, {.use_locking = options_.use_locking})));
    };
    advance(beta1_power_, beta1_);
    advance(beta2_power_, beta2_);
  }
  return Group(graph(), updates, {.name = name});
}

}  // namespace staticflow::train
