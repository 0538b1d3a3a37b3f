// The frame of optimizer ops. A rule states how one element of the variables changes; the frame makes of it the two ops
// TensorFlow has, for references (ApplyAdam) and for handles (ResourceApplyAdam).
//
//   // accum += grad^2; var -= lr * grad / sqrt(accum)
//   template <typename A>
//   struct Adagrad {
//     static constexpr int kVariables = 2;
//     A lr;
//     Adagrad(const A* p, bool) : lr(p[0]) {}
//     void operator()(A* v, A grad) const { ... v[0] is var, v[1] is accum ... }
//   };
//   const RuleSignature kAdagrad = {.name = "Adagrad", .variables = {"var", "accum"}, .arguments = {"lr", "grad"}};
//   const OpRegistrar adagrad(ReferenceForm<Adagrad>(kAdagrad, RuleLoop<Adagrad>));
//   const OpRegistrar resource_adagrad(HandleForm<Adagrad>(kAdagrad, RuleLoop<Adagrad>));
//
// A rule whose scalars may be wrong says so with `const char* Mistake() const` (null: nothing is), or MistakeInRows()
// where TensorFlow looks at them only in the op's form for rows. That form takes OfRow in place of operator() where
// a rule has it, and refuses rows of no elements where kRowsHaveElements says so. Half and bfloat16 are computed in
// float. A rule sees one element at a time, so the update may be cut anywhere.
#ifndef STATICFLOW_OPS_UPDATE_RULE_H_
#define STATICFLOW_OPS_UPDATE_RULE_H_

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "graph/gradients.h"
#include "ops/loop_arithmetic.h"
#include "ops/variable_value.h"
#include "runtime/lanes.h"

namespace staticflow {

struct RuleSignature {
  std::string name;                    // "Adam": ApplyAdam and ResourceApplyAdam
  std::vector<std::string> variables;  // the first is the one that is trained
  std::vector<std::string> arguments;  // scalars and the gradient ("grad" or "delta") in the op's order
  std::string flag = "";               // "use_nesterov: bool = false", given to the rule
  std::string doc = "";
};

// Shape functions of the two forms: all variables and the gradient have one shape, everything else is a scalar.
absl::Status UpdateRuleShape(ShapeContext& c);

// Which input is the gradient.
int GradientInput(const Node& node);

// The variables, all initialized, of the gradient's shape; InvalidArgument or FailedPrecondition otherwise.
absl::Status CheckUpdate(KernelContext& c, int num_variables, int gradient, VariableSlot** slots);

OpSpec RuleSpec(const RuleSignature& signature, bool is_resource, KernelSource kernel, LoopFunction loop = nullptr);

// The attribute that the rule is given; false when there is none.
bool RuleFlag(const Node& node);

// The type in which elements of type T are computed.
template <typename T>
using RuleNumber = std::conditional_t<std::is_same_v<T, double>, double, float>;

// The rule with its scalars: the inputs behind the variables but for `num_gradients` from `gradient` on.
template <typename Rule, typename T>
Rule RuleOf(const KernelContext& c, int gradient, int num_gradients, bool flag) {
  using A = RuleNumber<T>;
  A parameters[12];
  int n = 0;
  for (int i = Rule::kVariables; i < c.num_inputs(); ++i) {
    if (i >= gradient && i < gradient + num_gradients) continue;
    parameters[n++] = c.input(i).dtype == DT_INT64 ? static_cast<A>(c.scalar<int64_t>(i)) : A(c.scalar<T>(i));
  }
  return Rule(parameters, flag);
}

// Elements begin..end, in one pass over the variables and the gradient, which divisions and roots of some elements
// share with the arithmetic and the loads of others.
template <typename Rule, typename T, size_t... k>
[[gnu::always_inline]] inline void UpdateElements(const Rule& given, T* const* variables, const T* grad, int64_t begin,
                                                  int64_t end, std::index_sequence<k...>) {
  using A = RuleNumber<T>;
  const Rule rule = given;  // which no variable overwrites
  T* const variable[] = {variables[k]...};
#pragma GCC ivdep
  for (int64_t i = begin; i < end; ++i) {
    A values[] = {A(variable[k][i])...};
    rule(values, A(grad[i]));
    ((variable[k][i] = T(values[k])), ...);
  }
}
template <typename Rule, typename T>
[[gnu::always_inline]] inline void UpdateElements(const Rule& rule, T* const* variables, const T* grad, int64_t begin,
                                                  int64_t end) {
  UpdateElements(rule, variables, grad, begin, end, std::make_index_sequence<Rule::kVariables>());
}

#if defined(__x86_64__)
// The same for CPUs with more than every x86-64 has. REQUIRES for the use of the function: such a CPU.
template <typename Rule>
[[gnu::target("avx512f,avx512dq,avx512vl,prefer-vector-width=512"), gnu::flatten]] void UpdateAvx512(
    const Rule& rule, float* const* variables, const float* grad, int64_t begin, int64_t end) {
  UpdateElements(rule, variables, grad, begin, end);
}
template <typename Rule>
[[gnu::target("avx2"), gnu::flatten]] void UpdateAvx2(const Rule& rule, float* const* variables, const float* grad,
                                                      int64_t begin, int64_t end) {
  UpdateElements(rule, variables, grad, begin, end);
}
#endif

template <template <typename> class Rule, typename T>
absl::Status ApplyRule(KernelContext& c, int gradient, bool flag) {
  using A = RuleNumber<T>;
  constexpr int kVariables = Rule<A>::kVariables;
  VariableSlot* slots[kVariables];
  SF_RETURN_IF_ERROR(CheckUpdate(c, kVariables, gradient, slots));
  const Rule<A> rule = RuleOf<Rule<A>, T>(c, gradient, 1, flag);
  if constexpr (requires { rule.Mistake(); }) {
    if (const char* mistake = rule.Mistake(); mistake != nullptr) return absl::InvalidArgumentError(mistake);
  }
  T* variables[kVariables];
  for (int k = 0; k < kVariables; ++k) variables[k] = slots[k]->value.template data<T>();
  const auto [begin, end] = UpdateRange(c, *slots[0]);
  const T* grad = c.in<T>(gradient);
#if defined(__x86_64__)
  if constexpr (std::is_same_v<T, float>) {
    const LanePath path = BestLanePath();
    if (path == LanePath::kAvx512) return UpdateAvx512(rule, variables, grad, begin, end), absl::OkStatus();
    if (path == LanePath::kAvx2) return UpdateAvx2(rule, variables, grad, begin, end), absl::OkStatus();
  }
#endif
  UpdateElements(rule, variables, grad, begin, end);
  return absl::OkStatus();
}

template <template <typename> class Rule>
absl::StatusOr<Kernel> RuleKernel(const KernelSetup& setup) {
  const int gradient = GradientInput(setup.node());
  const bool flag = RuleFlag(setup.node());
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.input_dtype(gradient), [&]<typename T>() {
    kernel = [gradient, flag](KernelContext& c) { return ApplyRule<Rule, T>(c, gradient, flag); };
  });
  return kernel;
}

// The rule as steps of a loop, what it computes from scalars alone once.
template <template <typename> class Rule>
bool RuleLoop(LoopContext& c) {
  constexpr int kVariables = Rule<Lanes>::kVariables;
  const int gradient = GradientInput(c.node());
  Lanes parameters[12], variables[kVariables];
  int n = 0;
  for (int i = kVariables; i < c.num_inputs(); ++i) {
    if (i != gradient) parameters[n++] = Lanes(c, i);
  }
  for (int k = 0; k < kVariables; ++k) variables[k] = Lanes(c, k);
  Rule<Lanes>(parameters, RuleFlag(c.node()))(variables, Lanes(c, gradient));
  for (int k = 0; k < kVariables; ++k) {
    if (variables[k].reg() != c.input(k)) c.set_variable(k, variables[k].reg());
  }
  return true;
}

// `loop` is RuleLoop<Rule> for rules without branches whose arithmetic is that of Lanes.
template <template <typename> class Rule>
OpSpec ReferenceForm(const RuleSignature& signature, LoopFunction loop = nullptr) {
  return RuleSpec(signature, /*is_resource=*/false, RuleKernel<Rule>, loop);
}
template <template <typename> class Rule>
OpSpec HandleForm(const RuleSignature& signature, LoopFunction loop = nullptr) {
  return RuleSpec(signature, /*is_resource=*/true, RuleKernel<Rule>, loop);
}

// -1, 0 or 1; NaN for NaN.
template <typename A>
A Sign(A x) {
  return x > 0 ? A(1) : x < 0 ? A(-1) : x;
}
inline Lanes Sign(const Lanes& x) { return Apply(LaneOp::kSign, x); }

}  // namespace staticflow

#endif  // STATICFLOW_OPS_UPDATE_RULE_H_
