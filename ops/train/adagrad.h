// Adagrad (Duchi, Hazan and Singer): each element's step shrinks with the squares of its gradients so far; and its
// variant by dual averaging, which makes sparse models.
//
//   Operation step = train::Adagrad(g, {.learning_rate = 0.1}).Minimize(loss);
//
// Slot "accumulator" of w is the variable w/Adagrad. AdagradDA has "gradient_accumulator" and
// "gradient_squared_accumulator": w/AdagradDA and w/AdagradDA_1.
#ifndef STATICFLOW_OPS_TRAIN_ADAGRAD_H_
#define STATICFLOW_OPS_TRAIN_ADAGRAD_H_

#include <string>

#include "ops/train/optimizer.h"

namespace staticflow::train {

struct AdagradOptions {
  Operand learning_rate = 0.01;
  double initial_accumulator_value = 0.1;  // above 0
  bool use_locking = false;                // kept for files
  std::string name = "Adagrad";
};

class Adagrad : public Optimizer {
 public:
  explicit Adagrad(Graph& g, const AdagradOptions& options = {}) : Optimizer(g, options.name), options_(options) {}

 private:
  void CreateSlots(absl::Span<const Variable* const> variables) override;
  void Prepare() override;
  Operation Apply(Output gradient, const Variable& variable) override;
  Operation ApplyRows(Output rows, Output indices, const Variable& variable) override;

  AdagradOptions options_;
  Output learning_rate_;
};

struct AdagradDAOptions {
  Operand learning_rate = 0.01;
  Output global_step = Output();  // the variable that counts the steps; needed
  double initial_gradient_squared_accumulator_value = 0.1;
  double l1_regularization_strength = 0;
  double l2_regularization_strength = 0;
  bool use_locking = false;  // kept for files
  std::string name = "AdagradDA";
};

class AdagradDA : public Optimizer {
 public:
  explicit AdagradDA(Graph& g, const AdagradDAOptions& options) : Optimizer(g, options.name), options_(options) {}

 private:
  void CreateSlots(absl::Span<const Variable* const> variables) override;
  void Prepare() override;
  Operation Apply(Output gradient, const Variable& variable) override;
  Operation ApplyRows(Output rows, Output indices, const Variable& variable) override;

  AdagradDAOptions options_;
  Output learning_rate_, l1_, l2_, step_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_ADAGRAD_H_
