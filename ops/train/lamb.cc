#include "ops/train/lamb.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/state.h"

namespace staticflow::train {
namespace {

Operation Store(const Variable& variable, Output value) {
  if (variable.is_resource) return NodeBuilder("AssignVariableOp", {variable.ref(), value}).BuildNode();
  return Operation(Assign(variable.ref(), value));
}

}  // namespace

Lamb::Lamb(Graph& g, const LambOptions& options)
    : Adam(g, {.learning_rate = options.learning_rate,
               .beta1 = options.beta1,
               .beta2 = options.beta2,
               .epsilon = options.epsilon,
               .name = options.name}),
      options_(options) {}

Operation Lamb::Apply(Output gradient, const Variable& variable) {
  const Variable* m = GetSlot(variable, "m");
  const Variable* v = GetSlot(variable, "v");
  if (m == nullptr || v == nullptr) return Operation();
  const auto as = [&](Output value) { return As(variable, value); };
  const Output beta1 = as(this->beta1()), beta2 = as(this->beta2()), weights = variable.snapshot;
  const Output mean = beta1 * m->snapshot + (1 - beta1) * gradient;
  const Output square = beta2 * v->snapshot + (1 - beta2) * Square(gradient);
  Output update =
      mean / (1 - as(beta1_power().snapshot)) / (Sqrt(square / (1 - as(beta2_power().snapshot))) + as(epsilon()));
  const auto in_name = [&](const std::string& part) { return absl::StrContains(variable.name(), part); };
  const std::vector<std::string>& exclude = options_.exclude_from_weight_decay;
  if (options_.weight_decay_rate != 0 && std::none_of(exclude.begin(), exclude.end(), in_name)) {
    update = update + options_.weight_decay_rate * weights;
  }
  const Output w_norm = Sqrt(Sum(Square(weights))), u_norm = Sqrt(Sum(Square(update)));
  const Output both = LogicalAnd(Greater(w_norm, 0), Greater(u_norm, 0));
  const Output ratio = Where(both, w_norm / u_norm, 1);
  const Output next = weights - as(learning_rate()) * ratio * update;
  return Group(graph(), {Store(variable, next), Store(*m, mean), Store(*v, square)});
}

// The ratio of norms is that of the whole layer, so rows become a dense gradient.
Operation Lamb::ApplyRows(Output rows, Output indices, const Variable& variable) {
  return Optimizer::ApplyRows(rows, indices, variable);
}

}  // namespace staticflow::train
