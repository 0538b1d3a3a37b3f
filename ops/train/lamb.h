// LAMB (You and others): Adam whose step has, layer by layer, a norm in proportion to the weights'. For large batches.
//
//   Operation step = train::Lamb(g, {.learning_rate = 0.001, .weight_decay_rate = 0.01}).Minimize(loss);
//
// With m and v Adam's averages, corrected for their start at zero: u = m / (sqrt(v) + epsilon) + weight_decay_rate * w;
// w -= learning_rate * |w| / |u| * u, where the ratio is 1 when either norm is 0. Slots "m" and "v" of w are the
// variables w/LAMB and w/LAMB_1; beta1_power and beta2_power count the steps.
#ifndef STATICFLOW_OPS_TRAIN_LAMB_H_
#define STATICFLOW_OPS_TRAIN_LAMB_H_

#include <string>
#include <vector>

#include "ops/train/adam.h"

namespace staticflow::train {

struct LambOptions {
  Operand learning_rate = 0.001;
  Operand beta1 = 0.9;  // a number, as is beta2
  Operand beta2 = 0.999;
  Operand epsilon = 1e-6;
  double weight_decay_rate = 0;
  std::vector<std::string> exclude_from_weight_decay = {};  // variables with one of these in their names
  std::string name = "LAMB";
};

class Lamb : public Adam {
 public:
  explicit Lamb(Graph& g, const LambOptions& options = {});

 private:
  Operation Apply(Output gradient, const Variable& variable) override;
  Operation ApplyRows(Output rows, Output indices, const Variable& variable) override;

  LambOptions options_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_LAMB_H_
