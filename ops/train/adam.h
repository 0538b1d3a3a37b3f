// Adam (Kingma and Ba): steps by the mean gradient over its root mean square, both corrected for their start at zero.
//
//   Operation step = train::Adam(g, {.learning_rate = 0.001}).Minimize(loss);
//
// Slots "m" and "v" of w are the variables w/Adam and w/Adam_1; beta1_power and beta2_power count the steps.
#ifndef STATICFLOW_OPS_TRAIN_ADAM_H_
#define STATICFLOW_OPS_TRAIN_ADAM_H_

#include <string>
#include <vector>

#include "ops/train/optimizer.h"

namespace staticflow::train {

struct AdamOptions {
  Operand learning_rate = 0.001;
  Operand beta1 = 0.9;  // a number, as is beta2
  Operand beta2 = 0.999;
  Operand epsilon = 1e-8;
  bool use_nesterov = false;
  bool use_locking = false;  // kept for files
  std::string name = "Adam";
};

class Adam : public Optimizer {
 public:
  explicit Adam(Graph& g, const AdamOptions& options = {}) : Optimizer(g, options.name), options_(options) {}

 protected:
  void CreateSlots(absl::Span<const Variable* const> variables) override;
  void Prepare() override;
  Operation Apply(Output gradient, const Variable& variable) override;
  // All rows of m and v decay and move the variable, whatever rows the gradient has.
  Operation ApplyRows(Output rows, Output indices, const Variable& variable) override;
  Operation Finish(std::vector<Operation> updates, const std::string& name) override;

  // The numbers of the step that is being built.
  Output learning_rate() const { return learning_rate_; }
  Output beta1() const { return beta1_; }
  Output beta2() const { return beta2_; }
  Output epsilon() const { return epsilon_; }
  const Variable& beta1_power() const { return beta1_power_; }
  const Variable& beta2_power() const { return beta2_power_; }

 private:
  // slot = slot * decay, then the rows added; the slot's value after that.
  Output Accumulate(const Variable& slot, Output decay, Output rows, Output indices, std::vector<Operation>& updates);

  AdamOptions options_;
  Variable beta1_power_, beta2_power_;
  Output learning_rate_, beta1_, beta2_, epsilon_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_ADAM_H_
