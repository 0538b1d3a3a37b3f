// Learning rates that change with the steps: scalars for the option `learning_rate` of an optimizer.
//
//   Variable step = GetOrCreateGlobalStep(g);
//   Output rate = train::ExponentialDecay(0.1, step.ref(), 1000, 0.96, {.staircase = true});
//   train::GradientDescent(g, {.learning_rate = rate}).Minimize(loss, {.global_step = step.ref()});
//
// `global_step` is a variable that counts steps, or any integer or float scalar. Rates and other numbers are float, or
// tensors of the rate's type. Not thread-safe: all of them add to the graph; errors stick to it.
// Source: tf.train (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_TRAIN_LEARNING_RATE_H_
#define STATICFLOW_OPS_TRAIN_LEARNING_RATE_H_

#include <string>
#include <vector>

#include "graph/node_builder.h"

namespace staticflow::train {

struct DecayOptions {
  bool staircase = false;  // only whole multiples of decay_steps count
  std::string name = "";
};
// learning_rate * decay_rate^p with p = global_step / decay_steps.
Output ExponentialDecay(Operand learning_rate, Output global_step, Operand decay_steps, Operand decay_rate,
                        const DecayOptions& options = {});
// learning_rate * e^(-decay_rate p)
Output NaturalExpDecay(Operand learning_rate, Output global_step, Operand decay_steps, Operand decay_rate,
                       const DecayOptions& options = {});
// learning_rate / (1 + decay_rate p)
Output InverseTimeDecay(Operand learning_rate, Output global_step, Operand decay_steps, Operand decay_rate,
                        const DecayOptions& options = {});

// values[i] for the first i with x <= boundaries[i], else the last value. InvalidArgument unless there is one value
// more than boundaries, which increase.
Output PiecewiseConstant(Output x, const std::vector<double>& boundaries, const std::vector<double>& values,
                         const OpOptions& options = {});

struct PolynomialDecayOptions {
  double end_learning_rate = 0.0001;
  double power = 1;
  bool cycle = false;  // past decay_steps, go on with the next multiple of decay_steps as the end
  std::string name = "";
};
// From learning_rate to end_learning_rate in decay_steps steps, as (1 - p)^power.
Output PolynomialDecay(Operand learning_rate, Output global_step, double decay_steps,
                       const PolynomialDecayOptions& options = {});

struct CosineDecayOptions {
  double alpha = 0;  // what share of the rate remains in the end
  std::string name = "";
};
// From learning_rate to alpha * learning_rate in decay_steps steps, along half a cosine.
Output CosineDecay(Operand learning_rate, Output global_step, double decay_steps,
                   const CosineDecayOptions& options = {});

struct CosineDecayRestartsOptions {
  double t_mul = 2;  // each period is so many times as long as the one before; at least 1
  double m_mul = 1;  // and begins with so many times its rate
  double alpha = 0;
  std::string name = "";
};
// The same over and over, the first time in first_decay_steps steps.
Output CosineDecayRestarts(Operand learning_rate, Output global_step, double first_decay_steps,
                           const CosineDecayRestartsOptions& options = {});

// `learning_rate` * global_step / warmup_steps as long as that is smaller, then `learning_rate` itself.
Output LinearWarmup(Operand learning_rate, Output global_step, double warmup_steps, const OpOptions& options = {});

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_LEARNING_RATE_H_
