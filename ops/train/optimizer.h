// Optimizer: builds the nodes that train variables to make a loss small.
//
//   Operation step = train::GradientDescent(g, {.learning_rate = 0.01}).Minimize(loss);
//
//   auto gradients = optimizer.ComputeGradients(loss);
//   for (auto& [gradient, variable] : gradients) gradient = ClipByValue(gradient, -1, 1);
//   Operation step = optimizer.ApplyGradients(gradients);
//
// Built with {.update_ops = UpdateOps::kOfLoss}, or inside ControlDependencies(g, g.collection(kUpdateOps)), the step
// runs the updates of batch normalization too; the layers must be there already. A variable with a constraint gets
// constraint(value) after its update, within the same step.
//
// An optimizer's own variables (slots, named w/Momentum, w/Adam, w/Adam_1, beta1_power, ...) are part of the
// collection "variables", so initializers and savers made afterwards cover them. Variables may be references or
// resources. An optimizer belongs to one graph, which must outlive it; errors stick to the graph.
//
// Not thread-safe: it adds to the graph.
// Source of names, order and formulas: tf.train.Optimizer (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_TRAIN_OPTIMIZER_H_
#define STATICFLOW_OPS_TRAIN_OPTIMIZER_H_

#include <map>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "graph/node_builder.h"
#include "graph/variable_scope.h"

namespace staticflow::train {

struct GradientAndVariable {
  Output gradient = Output();  // invalid: the loss does not depend on the variable
  const Variable* variable = nullptr;
  // Valid where only rows of the variable were gathered: `gradient` then holds rows of the gradient, and this their
  // numbers, which may repeat. Such rows can be scaled and clipped by value like any tensor.
  Output indices = Output();
};

struct ComputeGradientsOptions {
  std::vector<Output> var_list = {};  // references, handles or values of variables; empty: trainable_variables
  Output grad_loss = Output();        // the gradient of what is minimized by the loss; invalid: ones
  std::source_location where = std::source_location::current();
};

struct ApplyGradientsOptions {
  Output global_step = Output();  // a variable that counts the steps, see GetOrCreateGlobalStep
  std::string name = "";          // the optimizer's
  std::source_location where = std::source_location::current();
};

// Which members of the collection update_ops the step runs before the gradients are computed.
enum class UpdateOps {
  kNone,    // none, or what the ControlDependencies around Minimize hold
  kOfLoss,  // those of the layers on the way to this loss that this step trains: UpdateOpsFor
            // (ops/analysis/update_ops.h)
  kAll,
};

// What to do about variables to train that get no gradient.
enum class WithoutGradient {
  kIgnore,
  kWarn,   // the audit of the session that first runs the step names them, each with its reason (runtime/audit.h)
  kError,  // InvalidArgument, the same
};

struct MinimizeOptions {
  UpdateOps update_ops = UpdateOps::kNone;
  Output global_step = Output();
  std::vector<Output> var_list = {};
  Output grad_loss = Output();
  WithoutGradient without_gradient = WithoutGradient::kWarn;
  std::string name = "";
  std::source_location where = std::source_location::current();
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // ComputeGradients, then ApplyGradients.
  // InvalidArgument, listing the variables, when the loss depends on none of them; when it depends on some only, as
  // `without_gradient` says. What a warning will say is kept in the step's attribute _without_gradient, also in files.
  Operation Minimize(Output loss, const MinimizeOptions& options = {});
  // d loss / d v for every variable, in their order.
  std::vector<GradientAndVariable> ComputeGradients(Output loss, const ComputeGradientsOptions& options = {});
  // The operation that applies the gradients once, then counts the global step; a member of the collection train_op.
  // Variables without gradient stay as they are.
  Operation ApplyGradients(absl::Span<const GradientAndVariable> gradients, const ApplyGradientsOptions& options = {});

  // The slot `slot` ("momentum", "m", "v") of a variable; null when there is none.
  const Variable* GetSlot(const Variable& variable, absl::string_view slot) const;
  const std::string& name() const { return name_; }

 protected:
  Optimizer(Graph& g, std::string name) : graph_(g), name_(std::move(name)) {}

  // The following are called by ApplyGradients, in this order.
  virtual void CreateSlots(absl::Span<const Variable* const> variables);
  virtual void Prepare() = 0;  // inside the optimizer's name scope: its numbers as tensors
  virtual Operation Apply(Output gradient, const Variable& variable) = 0;  // inside `update_<variable>`
  // The same for some rows of the gradient: with indices that may repeat, and (what that calls) with the rows of one
  // index added up. Left alone, they make the gradient dense.
  virtual Operation ApplySlices(Output values, Output indices, const Variable& variable);
  virtual Operation ApplyRows(Output rows, Output indices, const Variable& variable);
  // One operation, named `name`, that runs `updates` and whatever comes after them.
  virtual Operation Finish(std::vector<Operation> updates, const std::string& name);

  Graph& graph() const { return graph_; }
  const SourceLine& line() const { return line_; }
  // A variable of zeros, or all `value`, with the shape and type of `variable`, named `<variable>/<variable_name>`.
  void AddZerosSlot(const Variable& variable, absl::string_view slot, absl::string_view variable_name);
  void AddSlot(const Variable& variable, absl::string_view slot, absl::string_view variable_name, double value);
  // A number as a scalar Const of float named `name`; a tensor as it is.
  Output Hyperparameter(const Operand& value, absl::string_view name);
  // `value` in the variable's type.
  Output As(const Variable& variable, Output value) const;
  // The op "Apply<rule>" or "ResourceApply<rule>", after the variable's kind, on `inputs`.
  NodeBuilder Update(absl::string_view rule, const Variable& variable, std::initializer_list<Output> inputs) const;
  // The op "SparseApply<rule>" or "ResourceSparseApply<rule>".
  NodeBuilder UpdateRows(absl::string_view rule, const Variable& variable, std::initializer_list<Output> inputs) const;

 private:
  // Does what `policy` says about the members of `gradients` that have none; false after an error.
  bool CheckCoverage(Output loss, absl::Span<const GradientAndVariable> gradients, const MinimizeOptions& options,
                     std::vector<std::string>* reasons);
  void MakeSlot(const Variable& variable, absl::string_view slot, absl::string_view variable_name,
                Initializer initializer);
  const Variable* Resolve(Output output) const;

  Graph& graph_;
  std::string name_;
  SourceLine line_;  // of the call that is under way
  std::map<std::pair<const Variable*, std::string>, const Variable*> slots_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_OPTIMIZER_H_
