#include "ops/train/gradient_descent.h"

namespace staticflow::train {

void GradientDescent::Prepare() { learning_rate_ = Hyperparameter(options_.learning_rate, "learning_rate"); }

Operation GradientDescent::Apply(Output gradient, const Variable& variable) {
  return Update("GradientDescent", variable, {As(variable, learning_rate_), gradient})
      .Attr("use_locking", options_.use_locking)
      .BuildNode();
}

}  // namespace staticflow::train
