// LARS (You, Gitman and Ginsburg): momentum whose learning rate is scaled, layer by layer, by the ratio of the norms of
// weights and gradient. For large batches.
//
//   Operation step = train::Lars(g, {.learning_rate = 1.0, .skip_list = {"bias"}}).Minimize(loss);
//
// Slot "momentum" of w is the variable w/LARSOptimizer. Source: tf.contrib.opt.LARSOptimizer (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_TRAIN_LARS_H_
#define STATICFLOW_OPS_TRAIN_LARS_H_

#include <string>
#include <vector>

#include "ops/train/optimizer.h"

namespace staticflow::train {

struct LarsOptions {
  Operand learning_rate = 0.001;
  double momentum = 0.9;
  double weight_decay = 0.0001;  // of the weights, through the gradient
  double eeta = 0.001;           // what share of the weights' norm a step of learning rate 1 has
  double epsilon = 0;
  std::vector<std::string> skip_list = {};  // variables with one of these in their names are only given momentum
  bool use_nesterov = false;
  std::string name = "LARSOptimizer";
};

class Lars : public Optimizer {
 public:
  explicit Lars(Graph& g, const LarsOptions& options = {}) : Optimizer(g, options.name), options_(options) {}

 private:
  void CreateSlots(absl::Span<const Variable* const> variables) override;
  void Prepare() override;
  Operation Apply(Output gradient, const Variable& variable) override;

  LarsOptions options_;
  Output learning_rate_, momentum_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_LARS_H_
