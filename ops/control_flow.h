// Order and choice: control edges, conditions, assertions and messages.
//
//   Output y = Cond(is_training, [&] { return Dropout(x); }, [&] { return x; });
//   Operation both = Group(g, {update_mean, update_variance});
//
// Inside the functions given to Cond, nodes belong to that branch: what they use from outside passes through a Switch,
// and nothing of a branch that is not taken runs, assignments included. What was built outside runs regardless.
// Source: tf.cond, tf.group (TensorFlow 1.15); node names are the same.
#ifndef STATICFLOW_OPS_CONTROL_FLOW_H_
#define STATICFLOW_OPS_CONTROL_FLOW_H_

#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "graph/node_builder.h"

namespace staticflow {

struct NoOpOptions {
  std::string name = "";
  std::source_location where = std::source_location::current();
};

// Does nothing, after whatever the open ControlDependencies ask for.
Operation NoOp(Graph& g, const NoOpOptions& options = {});
// Does nothing after all of `operations`; "group_deps".
Operation Group(Graph& g, absl::Span<const Operation> operations, const NoOpOptions& options = {});
inline Operation Group(Graph& g, std::initializer_list<Operation> operations, const NoOpOptions& options = {}) {
  return Group(g, absl::MakeConstSpan(operations.begin(), operations.size()), options);
}
// A NoOp that runs although its control inputs may be dead.
Operation ControlTrigger(Graph& g, const NoOpOptions& options = {});
// `value`, after `operations` have run: an Identity under control dependencies.
Output WithDependencies(absl::Span<const Operation> operations, Operand value, const OpOptions& options = {});

// (output_false, output_true): the data goes out where `pred`, a bool scalar, says; the other output is dead. A
// reference stays one.
struct SwitchOutputs {
  Output output_false;
  Output output_true;
};
SwitchOutputs Switch(Operand data, Operand pred, const OpOptions& options = {});
// The input that is alive, and its index (int32). All inputs have one dtype.
struct MergeOutputs {
  Output output;
  Output value_index;
};
MergeOutputs Merge(absl::Span<const Output> inputs, const OpOptions& options = {},
                   std::source_location where = std::source_location::current());
inline MergeOutputs Merge(std::initializer_list<Output> inputs, const OpOptions& options = {},
                          std::source_location where = std::source_location::current()) {
  return Merge(absl::MakeConstSpan(inputs.begin(), inputs.size()), options, where);
}
// The reference of `inputs` that `index`, an int32 scalar, says; whoever writes it writes that variable. In a step,
// InvalidArgument for an index that is out of range.
Output RefSelect(Operand index, absl::Span<const Output> inputs, const OpOptions& options = {});

// What a branch of Cond gives: tensors, an operation to run, or everything that it built.
class BranchResult {
 public:
  enum Kind { kTensors, kOperation, kEverything };
  BranchResult() : kind_(kEverything) {}
  BranchResult(Output output) : outputs_({output}) {}                              // NOLINT
  BranchResult(std::vector<Output> outputs) : outputs_(std::move(outputs)) {}      // NOLINT
  BranchResult(Operation operation) : kind_(kOperation), operation_(operation) {}  // NOLINT

  Kind kind() const { return kind_; }
  const std::vector<Output>& outputs() const { return outputs_; }
  Operation operation() const { return operation_; }

 private:
  Kind kind_ = kTensors;
  std::vector<Output> outputs_;
  Operation operation_;
};
using BranchFunction = absl::FunctionRef<BranchResult()>;

struct CondOptions {
  std::string name = "cond";
  std::source_location where = std::source_location::current();
};

// For Cond: builds both branches and one Merge per result. A branch that gives operations has one result, a bool that
// is there once they have run.
std::vector<Output> BuildCond(Output pred, BranchFunction then_branch, BranchFunction else_branch,
                              const CondOptions& options);
// The value of a predicate that the graph knows: a Const.
std::optional<bool> ConstantPredicate(Output pred);

namespace internal {

template <typename F>
BranchResult CallBranch(F& branch) {
  if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
    branch();
    return BranchResult();
  } else {
    return BranchResult(branch());
  }
}

// The results as the branch wrote them: one Output, an Operation, or a list.
template <typename Result>
auto CondResult(std::vector<Output> merged) {
  if constexpr (std::is_same_v<Result, Output>) {
    return merged.empty() ? Output() : merged[0];
  } else if constexpr (std::is_void_v<Result> || std::is_same_v<Result, Operation>) {
    return merged.empty() ? Operation() : Operation(merged[0]);
  } else {
    return merged;
  }
}

}  // namespace internal

// then_branch() where `pred`, a bool scalar, is true, else else_branch(). The functions are called at once, to build;
// each returns an Output, a std::vector<Output>, an Operation, or nothing: then all that it built runs. Cond returns
// what the first one does (a Merge for an operation or nothing). InvalidArgument when the branches give different
// numbers or types of results. Gradients flow through it; conds nest.
template <typename Then, typename Else>
auto Cond(Output pred, Then then_branch, Else else_branch, const CondOptions& options = {}) {
  using Result = std::invoke_result_t<Then&>;
  if (!pred.valid()) return internal::CondResult<Result>({});
  return internal::CondResult<Result>(BuildCond(
      pred, [&] { return internal::CallBranch(then_branch); }, [&] { return internal::CallBranch(else_branch); },
      options));
}

// The same, but a predicate known now builds its branch alone, without a cond.
template <typename Then, typename Else>
auto SmartCond(Output pred, Then then_branch, Else else_branch, const CondOptions& options = {}) {
  using Result = std::invoke_result_t<Then&>;
  if (const std::optional<bool> known = ConstantPredicate(pred)) {
    if constexpr (std::is_same_v<Result, std::invoke_result_t<Else&>>) {
      return *known ? then_branch() : else_branch();
    } else {
      return *known ? Result(then_branch()) : Result(else_branch());
    }
  }
  return Cond(pred, std::move(then_branch), std::move(else_branch), options);
}

struct AssertOptions {
  int summarize = 3;  // so many values of each tensor appear in the message
  std::string name = "";
};
// Ends the step with InvalidArgument, showing `data`, unless `condition` (a bool scalar) holds. Something must depend
// on it, or run it, for it to be looked at.
Operation Assert(Operand condition, absl::Span<const Output> data, const AssertOptions& options = {});

struct PrintOptions {
  std::string message = "";
  int first_n = -1;   // stay silent after so many times; -1: never
  int summarize = 3;  // so many values of each tensor
  std::string name = "";
};
// `input`; on the way a line with `data` goes where the session's warnings go.
Output Print(Operand input, absl::Span<const Output> data, const PrintOptions& options = {});
// Writes a string scalar there.
Operation PrintLine(Operand input, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_CONTROL_FLOW_H_
