// Momentum: accum = momentum * accum + gradient; var -= learning_rate * accum.
//
//   Operation step = train::Momentum(g, {.learning_rate = 0.01, .momentum = 0.9}).Minimize(loss);
//
// Slot "momentum" of w is the variable w/Momentum.
#ifndef STATICFLOW_OPS_TRAIN_MOMENTUM_H_
#define STATICFLOW_OPS_TRAIN_MOMENTUM_H_

#include <string>

#include "ops/train/optimizer.h"

namespace staticflow::train {

struct MomentumOptions {
  Operand learning_rate = 0.01;
  Operand momentum = 0.9;
  bool use_nesterov = false;  // var -= learning_rate * (gradient + momentum * accum)
  bool use_locking = false;   // kept for files
  std::string name = "Momentum";
};

class Momentum : public Optimizer {
 public:
  explicit Momentum(Graph& g, const MomentumOptions& options = {}) : Optimizer(g, options.name), options_(options) {}

 private:
  void CreateSlots(absl::Span<const Variable* const> variables) override;
  void Prepare() override;
  Operation Apply(Output gradient, const Variable& variable) override;
  Operation ApplyRows(Output rows, Output indices, const Variable& variable) override;

  MomentumOptions options_;
  Output learning_rate_;
  Output momentum_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_MOMENTUM_H_
