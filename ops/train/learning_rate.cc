#include "ops/train/learning_rate.h"

#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/math.h"

namespace staticflow::train {
namespace {

// The value of a counter, whichever way it was given.
Output ValueOf(Output step) {
  const Variable* variable = step.graph().FindVariable(step.node());
  return variable == nullptr ? step : variable->snapshot;
}

// The step as a number of the rate's type.
Output StepAs(const Operand& learning_rate, Output step) {
  const DataType type = learning_rate.is_number() ? DT_FLOAT : learning_rate.output().dtype();
  const Output value = ValueOf(step);
  return value.dtype() == type ? value : Cast(value, type);
}

bool Valid(const Operand& learning_rate, Output step) {
  return step.valid() && (learning_rate.is_number() || learning_rate.output().valid());
}

// p = step / decay_steps, or its whole part.
Output Periods(const Operand& learning_rate, Output step, const Operand& decay_steps, bool staircase) {
  const Output p = RealDiv(StepAs(learning_rate, step), decay_steps);
  return staircase ? Floor(p) : p;
}

std::string ScopeName(const std::string& name, const char* fallback) { return name.empty() ? fallback : name; }

}  // namespace

Output ExponentialDecay(Operand learning_rate, Output global_step, Operand decay_steps, Operand decay_rate,
                        const DecayOptions& options) {
  if (!Valid(learning_rate, global_step)) return Output();
  const NameScope scope(global_step.graph(), ScopeName(options.name, "ExponentialDecay"));
  return Mul(learning_rate, Pow(decay_rate, Periods(learning_rate, global_step, decay_steps, options.staircase)),
             {.name = scope.name()});
}

Output NaturalExpDecay(Operand learning_rate, Output global_step, Operand decay_steps, Operand decay_rate,
                       const DecayOptions& options) {
  if (!Valid(learning_rate, global_step)) return Output();
  const NameScope scope(global_step.graph(), ScopeName(options.name, "NaturalExpDecay"));
  const Output p = Periods(learning_rate, global_step, decay_steps, options.staircase);
  return Mul(learning_rate, Exp(Neg(Mul(p, decay_rate))), {.name = scope.name()});
}

Output InverseTimeDecay(Operand learning_rate, Output global_step, Operand decay_steps, Operand decay_rate,
                        const DecayOptions& options) {
  if (!Valid(learning_rate, global_step)) return Output();
  const NameScope scope(global_step.graph(), ScopeName(options.name, "InverseTimeDecay"));
  const Output p = Periods(learning_rate, global_step, decay_steps, options.staircase);
  return RealDiv(learning_rate, Add(Mul(p, decay_rate), 1), {.name = scope.name()});
}

Output PiecewiseConstant(Output x, const std::vector<double>& boundaries, const std::vector<double>& values,
                         const OpOptions& options) {
  if (!x.valid()) return Output();
  Graph& g = x.graph();
  bool increasing = values.size() == boundaries.size() + 1;
  for (size_t i = 1; i < boundaries.size(); ++i) increasing &= boundaries[i - 1] < boundaries[i];
  if (!increasing) {
    g.RecordError(absl::InvalidArgumentError(absl::StrCat("PiecewiseConstant: got ", values.size(), " values for ",
                                                          boundaries.size(),
                                                          " boundaries, expected one more and increasing boundaries")));
    return Output();
  }
  const NameScope scope(g, ScopeName(options.name, "PiecewiseConstant"));
  const Output position = Cast(ValueOf(x), DT_DOUBLE);
  Output rate = Const(g, Tensor(static_cast<float>(values.back())));
  for (size_t i = boundaries.size(); i-- > 0;) {
    rate = Where(LessEqual(position, boundaries[i]), Const(g, Tensor(static_cast<float>(values[i]))), rate);
  }
  return rate;
}

Output PolynomialDecay(Operand learning_rate, Output global_step, double decay_steps,
                       const PolynomialDecayOptions& options) {
  if (!Valid(learning_rate, global_step)) return Output();
  const NameScope scope(global_step.graph(), ScopeName(options.name, "PolynomialDecay"));
  const Output step = StepAs(learning_rate, global_step);
  Output p;
  if (options.cycle) {
    const Output periods = Where(Equal(step, 0), 1, Ceil(step / decay_steps));
    p = step / (decay_steps * periods);
  } else {
    p = Minimum(step, decay_steps) / decay_steps;
  }
  const Output remaining = Pow(1 - p, options.power);
  return Add(Mul(Sub(learning_rate, Mul(OnesLike(p), options.end_learning_rate)), remaining), options.end_learning_rate,
             {.name = scope.name()});
}

Output CosineDecay(Operand learning_rate, Output global_step, double decay_steps, const CosineDecayOptions& options) {
  if (!Valid(learning_rate, global_step)) return Output();
  const NameScope scope(global_step.graph(), ScopeName(options.name, "CosineDecay"));
  const Output p = Minimum(StepAs(learning_rate, global_step), decay_steps) / decay_steps;
  const Output wave = 0.5 * (1 + Cos(std::numbers::pi * p));
  return Mul(learning_rate, (1 - options.alpha) * wave + options.alpha);
}

Output CosineDecayRestarts(Operand learning_rate, Output global_step, double first_decay_steps,
                           const CosineDecayRestartsOptions& options) {
  if (!Valid(learning_rate, global_step)) return Output();
  const NameScope scope(global_step.graph(), ScopeName(options.name, "SGDRDecay"));
  Output p = StepAs(learning_rate, global_step) / first_decay_steps;
  Output restarts;
  if (options.t_mul == 1) {
    restarts = Floor(p);
    p = p - restarts;
  } else {
    // The periods' lengths are a geometric series.
    restarts = Floor(Log(1 - p * (1 - options.t_mul)) / std::log(options.t_mul));
    const Output length = Pow(options.t_mul, restarts);
    p = (p - (1 - length) / (1 - options.t_mul)) / length;
  }
  const Output wave = 0.5 * Pow(options.m_mul, restarts) * (1 + Cos(std::numbers::pi * p));
  return Mul(learning_rate, (1 - options.alpha) * wave + options.alpha);
}

Output LinearWarmup(Operand learning_rate, Output global_step, double warmup_steps, const OpOptions& options) {
  if (!Valid(learning_rate, global_step)) return Output();
  const NameScope scope(global_step.graph(), ScopeName(options.name, "LinearWarmup"));
  return Mul(learning_rate, Minimum(StepAs(learning_rate, global_step) / warmup_steps, 1), {.name = scope.name()});
}

}  // namespace staticflow::train
