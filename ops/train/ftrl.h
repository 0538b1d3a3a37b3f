// Follow the regularized leader (McMahan and others): for large sparse models, whose weights it makes exactly 0.
//
//   Operation step = train::Ftrl(g, {.learning_rate = 0.1, .l1_regularization_strength = 0.01}).Minimize(loss);
//
// Slots "accum" and "linear" of w are the variables w/Ftrl and w/Ftrl_1.
#ifndef STATICFLOW_OPS_TRAIN_FTRL_H_
#define STATICFLOW_OPS_TRAIN_FTRL_H_

#include <string>

#include "ops/train/optimizer.h"

namespace staticflow::train {

struct FtrlOptions {
  Operand learning_rate = 0.001;
  double learning_rate_power = -0.5;       // at most 0; 0 keeps the learning rate as it is
  double initial_accumulator_value = 0.1;  // 0 or above
  double l1_regularization_strength = 0;
  double l2_regularization_strength = 0;
  double l2_shrinkage_regularization_strength = 0;  // a penalty on the weight in the gradient itself
  bool use_locking = false;                         // kept for files
  std::string name = "Ftrl";
};

class Ftrl : public Optimizer {
 public:
  explicit Ftrl(Graph& g, const FtrlOptions& options = {}) : Optimizer(g, options.name), options_(options) {}

 private:
  void CreateSlots(absl::Span<const Variable* const> variables) override;
  void Prepare() override;
  Operation Apply(Output gradient, const Variable& variable) override;
  Operation ApplyRows(Output rows, Output indices, const Variable& variable) override;
  // Adds what follows the gradient.
  Operation End(NodeBuilder builder, const Variable& variable) const;
  const char* rule() const { return options_.l2_shrinkage_regularization_strength > 0 ? "FtrlV2" : "Ftrl"; }

  FtrlOptions options_;
  Output learning_rate_, l1_, l2_, shrinkage_, power_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_FTRL_H_
