// Gradient descent and Adagrad with L1 and L2 penalties that every step solves exactly (Duchi and Singer), which makes
// weights exactly 0.
//
//   Operation step = train::ProximalAdagrad(g, {.learning_rate = 0.1, .l1_regularization_strength = 0.01})
//                        .Minimize(loss);
//
// ProximalGradientDescent has no slots; slot "accumulator" of w is the variable w/ProximalAdagrad.
#ifndef STATICFLOW_OPS_TRAIN_PROXIMAL_H_
#define STATICFLOW_OPS_TRAIN_PROXIMAL_H_

#include <string>

#include "ops/train/optimizer.h"

namespace staticflow::train {

struct ProximalGradientDescentOptions {
  Operand learning_rate = 0.01;
  double l1_regularization_strength = 0;
  double l2_regularization_strength = 0;
  bool use_locking = false;  // kept for files
  std::string name = "ProximalGradientDescent";
};

class ProximalGradientDescent : public Optimizer {
 public:
  explicit ProximalGradientDescent(Graph& g, const ProximalGradientDescentOptions& options = {})
      : Optimizer(g, options.name), options_(options) {}

 private:
  void Prepare() override;
  Operation Apply(Output gradient, const Variable& variable) override;
  Operation ApplyRows(Output rows, Output indices, const Variable& variable) override;

  ProximalGradientDescentOptions options_;
  Output learning_rate_, l1_, l2_;
};

struct ProximalAdagradOptions {
  Operand learning_rate = 0.01;
  double initial_accumulator_value = 0.1;  // above 0
  double l1_regularization_strength = 0;
  double l2_regularization_strength = 0;
  bool use_locking = false;  // kept for files
  std::string name = "ProximalAdagrad";
};

class ProximalAdagrad : public Optimizer {
 public:
  explicit ProximalAdagrad(Graph& g, const ProximalAdagradOptions& options = {})
      : Optimizer(g, options.name), options_(options) {}

 private:
  void CreateSlots(absl::Span<const Variable* const> variables) override;
  void Prepare() override;
  Operation Apply(Output gradient, const Variable& variable) override;
  Operation ApplyRows(Output rows, Output indices, const Variable& variable) override;

  ProximalAdagradOptions options_;
  Output learning_rate_, l1_, l2_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_PROXIMAL_H_
