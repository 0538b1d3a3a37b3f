// AdamW (Loshchilov and Hutter): Adam, with weights that decay by themselves instead of through the gradient.
//
//   Operation step = train::AdamW(g, {.weight_decay = 1e-4, .learning_rate = 0.001}).Minimize(loss);
//
// In every step w becomes w - weight_decay * w before Adam's update; the decay is not multiplied by the learning rate.
// Slots as Adam's: w/AdamW and w/AdamW_1. Source: tf.contrib.opt.AdamWOptimizer (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_TRAIN_ADAM_W_H_
#define STATICFLOW_OPS_TRAIN_ADAM_W_H_

#include <string>
#include <vector>

#include "ops/train/adam.h"

namespace staticflow::train {

struct AdamWOptions {
  Operand weight_decay = 0.0;
  Operand learning_rate = 0.001;
  Operand beta1 = 0.9;  // a number, as is beta2
  Operand beta2 = 0.999;
  Operand epsilon = 1e-8;
  std::vector<Output> decay_var_list = {};  // the variables that decay; empty: all that are trained
  bool use_locking = false;                 // kept for files
  std::string name = "AdamW";
};

class AdamW : public Adam {
 public:
  explicit AdamW(Graph& g, const AdamWOptions& options = {});

 private:
  void Prepare() override;
  Operation Apply(Output gradient, const Variable& variable) override;
  Operation ApplyRows(Output rows, Output indices, const Variable& variable) override;
  // w -= weight_decay * w; invalid for a variable that does not decay.
  Operation Decay(const Variable& variable);

  AdamWOptions options_;
  Output weight_decay_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_ADAM_W_H_
