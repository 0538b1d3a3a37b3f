// Gradient descent: var -= learning_rate * gradient.
//
//   Operation step = train::GradientDescent(g, {.learning_rate = 0.01}).Minimize(loss);
#ifndef STATICFLOW_OPS_TRAIN_GRADIENT_DESCENT_H_
#define STATICFLOW_OPS_TRAIN_GRADIENT_DESCENT_H_

#include <string>

#include "ops/train/optimizer.h"

namespace staticflow::train {

struct GradientDescentOptions {
  Operand learning_rate = 0.01;  // a number or a scalar tensor, computed anew in every step
  bool use_locking = false;      // kept for files
  std::string name = "GradientDescent";
};

class GradientDescent : public Optimizer {
 public:
  explicit GradientDescent(Graph& g, const GradientDescentOptions& options = {})
      : Optimizer(g, options.name), options_(options) {}

 private:
  void Prepare() override;
  Operation Apply(Output gradient, const Variable& variable) override;
  Operation ApplySlices(Output values, Output indices, const Variable& variable) override;

  GradientDescentOptions options_;
  Output learning_rate_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_GRADIENT_DESCENT_H_
