// Adadelta (Zeiler): steps by the ratio of past updates to past gradients, so that their units are the variable's.
//
//   Operation step = train::Adadelta(g, {.learning_rate = 1}).Minimize(loss);
//
// Slots "accum" and "accum_update" of w are the variables w/Adadelta and w/Adadelta_1.
#ifndef STATICFLOW_OPS_TRAIN_ADADELTA_H_
#define STATICFLOW_OPS_TRAIN_ADADELTA_H_

#include <string>

#include "ops/train/optimizer.h"

namespace staticflow::train {

struct AdadeltaOptions {
  Operand learning_rate = 0.001;
  Operand rho = 0.95;  // the share of the past in the averages
  Operand epsilon = 1e-8;
  bool use_locking = false;  // kept for files
  std::string name = "Adadelta";
};

class Adadelta : public Optimizer {
 public:
  explicit Adadelta(Graph& g, const AdadeltaOptions& options = {}) : Optimizer(g, options.name), options_(options) {}

 private:
  void CreateSlots(absl::Span<const Variable* const> variables) override;
  void Prepare() override;
  Operation Apply(Output gradient, const Variable& variable) override;
  Operation ApplyRows(Output rows, Output indices, const Variable& variable) override;

  AdadeltaOptions options_;
  Output learning_rate_, rho_, epsilon_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_ADADELTA_H_
