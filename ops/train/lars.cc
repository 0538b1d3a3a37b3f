#include "ops/train/lars.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "ops/array.h"
#include "ops/math.h"

namespace staticflow::train {

void Lars::CreateSlots(absl::Span<const Variable* const> variables) {
  for (const Variable* variable : variables) AddZerosSlot(*variable, "momentum", name());
}

void Lars::Prepare() {
  learning_rate_ = Hyperparameter(options_.learning_rate, "learning_rate");
  momentum_ = Hyperparameter(options_.momentum, "momentum");
}

Operation Lars::Apply(Output gradient, const Variable& variable) {
  const Variable* accum = GetSlot(variable, "momentum");
  if (accum == nullptr) return Operation();
  Output rate = As(variable, learning_rate_);
  const bool skip = std::any_of(options_.skip_list.begin(), options_.skip_list.end(),
                                [&](const std::string& part) { return absl::StrContains(variable.name(), part); });
  if (!skip) {
    const Output weights = variable.snapshot;
    const Output w_norm = Sqrt(Sum(Square(weights))), g_norm = Sqrt(Sum(Square(gradient)));
    const Output ratio = options_.eeta * w_norm / (g_norm + options_.weight_decay * w_norm + options_.epsilon);
    const Output both = LogicalAnd(Greater(w_norm, 0), Greater(g_norm, 0));
    rate = rate * Where(both, ratio, 1);
    gradient = gradient + options_.weight_decay * weights;
  }
  return Update("Momentum", variable, {accum->ref(), rate, gradient, As(variable, momentum_)})
      .Attr("use_nesterov", options_.use_nesterov)
      .BuildNode();
}

}  // namespace staticflow::train
