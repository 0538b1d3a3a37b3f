#include "ops/train/adam_w.h"

#include <algorithm>

#include "ops/math.h"
#include "ops/state.h"

namespace staticflow::train {

AdamW::AdamW(Graph& g, const AdamWOptions& options)
    : Adam(g, {.learning_rate = options.learning_rate,
               .beta1 = options.beta1,
               .beta2 = options.beta2,
               .epsilon = options.epsilon,
               .use_locking = options.use_locking,
               .name = options.name}),
      options_(options) {}

void AdamW::Prepare() {
  Adam::Prepare();
  weight_decay_ = Hyperparameter(options_.weight_decay, "weight_decay");
}

Operation AdamW::Decay(const Variable& variable) {
  const std::vector<Output>& list = options_.decay_var_list;
  const auto is_it = [&](Output output) {
    const Variable* found = output.valid() ? graph().FindVariable(output.node()) : nullptr;
    return found != nullptr && found->variable == variable.variable;
  };
  if (!list.empty() && std::none_of(list.begin(), list.end(), is_it)) return Operation();
  const Output change = Mul(As(variable, weight_decay_), variable.snapshot, {.name = "mul"});
  if (variable.is_resource) return NodeBuilder("AssignSubVariableOp", {variable.ref(), change}).BuildNode();
  return Operation(AssignSub(variable.ref(), change));
}

Operation AdamW::Apply(Output gradient, const Variable& variable) {
  const Operation decay = Decay(variable);
  if (!decay.valid()) return Adam::Apply(gradient, variable);
  const ControlDependencies after(graph(), {decay});
  return Adam::Apply(gradient, variable);
}

Operation AdamW::ApplyRows(Output rows, Output indices, const Variable& variable) {
  const Operation decay = Decay(variable);
  if (!decay.valid()) return Adam::ApplyRows(rows, indices, variable);
  const ControlDependencies after(graph(), {decay});
  return Adam::ApplyRows(rows, indices, variable);
}

}  // namespace staticflow::train
