#include "ops/train/gradient_descent.h"

#include "ops/math.h"

namespace staticflow::train {

void GradientDescent::Prepare() { learning_rate_ = Hyperparameter(options_.learning_rate, "learning_rate"); }

Operation GradientDescent::Apply(Output gradient, const Variable& variable) {
  return Update("GradientDescent", variable, {As(variable, learning_rate_), gradient})
      .Attr("use_locking", options_.use_locking)
      .BuildNode();
}

// Steps add up, so an index may repeat.
Operation GradientDescent::ApplySlices(Output values, Output indices, const Variable& variable) {
  const Output rate = As(variable, learning_rate_);
  if (variable.is_resource) {
    return NodeBuilder("ResourceScatterAdd", {variable.ref(), indices, Mul(Neg(values), rate, {.name = "mul"})})
        .BuildNode();
  }
  return NodeBuilder("ScatterSub", {variable.ref(), indices, Mul(values, rate, {.name = "mul"})})
      .Attr("use_locking", options_.use_locking)
      .BuildNode();
}

}  // namespace staticflow::train
