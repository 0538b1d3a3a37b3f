#include "ops/train/optimizer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/gradients.h"
#include "graph/source_line.h"
#include "ops/analysis/gradient_coverage.h"
#include "ops/analysis/update_ops.h"
#include "ops/array.h"
#include "ops/array_index.h"
#include "ops/control_flow.h"
#include "ops/initializers.h"
#include "ops/math.h"
#include "ops/state.h"
#include "runtime/audit.h"
#include "runtime/program.h"

namespace staticflow::train {
namespace {

// While it lives, new nodes answer for the line of the call that asked for them.
class LineScope {
 public:
  LineScope(Graph& g, const SourceLine& line) : graph_(g), outer_(g.line_override()) {
    if (!outer_.has_value()) g.set_line_override(line);
  }
  ~LineScope() { graph_.set_line_override(outer_); }

 private:
  Graph& graph_;
  std::optional<SourceLine> outer_;
};

void ColocateWith(const Variable& slot, const Variable& primary) {
  for (Node* node : {slot.variable, slot.initializer, slot.snapshot.node()}) {
    node->SetExtraAttr("_class", std::vector<std::string>{absl::StrCat("loc:@", primary.name())});
  }
}

// The variable = constraint(variable), right after `update`.
Operation Constrain(const Variable& variable, Operation update) {
  if (!update.valid()) return update;
  const ControlDependencies after(variable.variable->graph(), {update});
  const Output value = variable.is_resource ? ReadVariable(variable.ref(), variable.dtype) : Identity(variable.ref());
  return Assign(variable.ref(), variable.constraint(value));
}

constexpr absl::string_view kWithoutGradient = "_without_gradient";

// Tells what Minimize found about the steps that a session is to run.
std::vector<std::string> AuditGradients(AuditedStep& step) {
  std::vector<std::string> sentences;
  for (const ProgramItem& item : step.program.items) {
    if (item.kind != ProgramItem::kNode) continue;
    const auto attr = item.node->attrs().find(kWithoutGradient);
    if (attr == item.node->attrs().end()) continue;
    const auto* reasons = attr->second.find<std::vector<std::string>>();
    if (reasons == nullptr) continue;  // a file can say anything
    sentences.push_back(absl::StrCat(
        "the training step ", item.node->DebugName(), " has no gradient for ", reasons->size(),
        reasons->size() == 1 ? " variable, which stays as it is: " : " variables, which stay as they are: ",
        absl::StrJoin(*reasons, "; ")));
  }
  return sentences;
}
const AuditRegistrar gradient_audit(AuditGradients);

}  // namespace

const Variable* Optimizer::Resolve(Output output) const {
  return output.valid() ? graph_.FindVariable(output.node()) : nullptr;
}

bool Optimizer::CheckCoverage(Output loss, absl::Span<const GradientAndVariable> gradients,
                              const MinimizeOptions& options, std::vector<std::string>* reasons) {
  if (options.without_gradient == WithoutGradient::kIgnore) return true;
  std::vector<Output> without;
  for (const GradientAndVariable& item : gradients) {
    if (!item.gradient.valid()) without.push_back(item.variable->ref());
  }
  if (without.empty()) return true;
  for (const VariableGradient& v : GradientCoverage(loss, without)) {
    reasons->push_back(v.flows() ? absl::StrCat(v.variable->name(), ": no op passes a gradient on to it") : v.reason);
  }
  if (options.without_gradient != WithoutGradient::kError) return true;
  const SourceLine line = LineOf(options.where);
  graph_.RecordError(
      absl::InvalidArgumentError(absl::StrCat(name_, " (", line.file, ":", line.line, "): ", reasons->size(),
                                              " variable(s) get no gradient: ", absl::StrJoin(*reasons, "; "))));
  return false;
}

Operation Optimizer::Minimize(Output loss, const MinimizeOptions& options) {
  std::vector<Operation> updates;
  if (options.update_ops == UpdateOps::kOfLoss) updates = UpdateOpsFor(loss, options.var_list);
  if (options.update_ops == UpdateOps::kAll) {
    for (const CollectionItem& item : graph_.collection(kUpdateOps)) updates.push_back(item);
  }
  const ControlDependencies after(graph_, updates);
  const std::vector<GradientAndVariable> gradients =
      ComputeGradients(loss, {.var_list = options.var_list, .grad_loss = options.grad_loss, .where = options.where});
  if (!graph_.status().ok()) return Operation();
  const bool none =
      std::none_of(gradients.begin(), gradients.end(), [](const GradientAndVariable& g) { return g.gradient.valid(); });
  if (none) {
    const auto append_name = [](std::string* out, const GradientAndVariable& g) { out->append(g.variable->name()); };
    const SourceLine line = LineOf(options.where);
    graph_.RecordError(absl::InvalidArgumentError(absl::StrCat(
        name_, " (", line.file, ":", line.line, "): the loss ", loss.node()->DebugName(),
        gradients.empty()
            ? " has no variable to train"
            : absl::StrCat(" depends on none of the variables ", absl::StrJoin(gradients, ", ", append_name),
                           ", or only through ops that pass no gradient on"))));
    return Operation();
  }
  std::vector<std::string> reasons;
  if (!CheckCoverage(loss, gradients, options, &reasons)) return Operation();
  const Operation step =
      ApplyGradients(gradients, {.global_step = options.global_step, .name = options.name, .where = options.where});
  if (!reasons.empty() && step.valid()) step.node()->SetExtraAttr(kWithoutGradient, std::move(reasons));
  return step;
}

std::vector<GradientAndVariable> Optimizer::ComputeGradients(Output loss, const ComputeGradientsOptions& options) {
  const LineScope lines(graph_, LineOf(options.where));
  std::vector<GradientAndVariable> result;
  for (Output output : options.var_list) {
    const Variable* variable = Resolve(output);
    if (variable == nullptr) {
      const std::string name = output.valid() ? output.name() : "an invalid output";
      graph_.RecordError(absl::InvalidArgumentError(absl::StrCat(name_, ": ", name, " in var_list is no variable")));
      return {};
    }
    result.push_back({.variable = variable});
  }
  if (options.var_list.empty()) {
    for (const Variable* variable : graph_.variables(kTrainableVariables)) result.push_back({.variable = variable});
  }
  if (!loss.valid() || result.empty()) return result;
  std::vector<Output> xs;
  for (const GradientAndVariable& item : result) xs.push_back(item.variable->ref());
  GradientOptions gradient_options;
  if (options.grad_loss.valid()) gradient_options.grad_ys = {options.grad_loss};
  const std::vector<SlicesOrDense> gradients =
      GradientsOrSlices(absl::MakeConstSpan(&loss, 1), absl::MakeConstSpan(xs), gradient_options, options.where);
  for (size_t i = 0; i < result.size() && i < gradients.size(); ++i) {
    result[i].gradient = gradients[i].is_slices() ? gradients[i].slices.values : gradients[i].dense;
    result[i].indices = gradients[i].slices.indices;
  }
  return result;
}

Operation Optimizer::ApplyGradients(absl::Span<const GradientAndVariable> gradients,
                                    const ApplyGradientsOptions& options) {
  if (!graph_.status().ok()) return Operation();
  line_ = LineOf(options.where);
  const LineScope lines(graph_, line_);
  std::vector<const Variable*> variables;
  for (const GradientAndVariable& item : gradients) {
    if (item.gradient.valid() && item.variable != nullptr) variables.push_back(item.variable);
  }
  if (variables.empty()) {
    graph_.RecordError(
        absl::InvalidArgumentError(absl::StrCat(name_, " (", line_.file, ":", line_.line, "): no gradient to apply")));
    return Operation();
  }
  CreateSlots(variables);
  const NameScope scope(graph_, options.name.empty() ? name_ : options.name);
  Prepare();
  std::vector<Operation> updates;
  for (const GradientAndVariable& item : gradients) {
    if (!item.gradient.valid() || item.variable == nullptr) continue;
    const NameScope update(graph_, absl::StrCat("update_", item.variable->name()));
    updates.push_back(item.indices.valid() ? ApplySlices(item.gradient, item.indices, *item.variable)
                                           : Apply(item.gradient, *item.variable));
    if (item.variable->constraint) updates.back() = Constrain(*item.variable, updates.back());
    if (Node* node = updates.back().node()) {
      node->SetExtraAttr("_class", std::vector<std::string>{absl::StrCat("loc:@", item.variable->name())});
    }
  }
  Operation train;
  if (!options.global_step.valid()) {
    train = Finish(std::move(updates), scope.name());
  } else {
    const Variable* counter = Resolve(options.global_step);
    const ControlDependencies after(graph_, {Finish(std::move(updates), "update")});
    if (counter != nullptr && counter->is_resource) {
      train = NodeBuilder("AssignAddVariableOp", {counter->ref(), 1})
                  .Attr("dtype", counter->dtype)
                  .Name(scope.name())
                  .BuildNode();
    } else {
      const Output ref = counter != nullptr ? counter->ref() : options.global_step;
      train = NodeBuilder("AssignAdd", {ref, 1}).Name(scope.name()).BuildNode();
    }
  }
  if (train.valid()) graph_.AddToCollection(kTrainOp, train);
  return train;
}

void Optimizer::CreateSlots(absl::Span<const Variable* const>) {}

Operation Optimizer::ApplySlices(Output values, Output indices, const Variable& variable) {
  const auto [unique, positions, count] = Unique(indices);
  const Output rows = StridedSlice(ShapeOf(unique), {0}, {1}, {1}, {.shrink_axis_mask = 1});
  return ApplyRows(UnsortedSegmentSum(values, positions, rows), unique, variable);
}

Operation Optimizer::ApplyRows(Output rows, Output indices, const Variable& variable) {
  const double num_rows = static_cast<double>(variable.shape.dim(0));
  return Apply(UnsortedSegmentSum(rows, indices, num_rows), variable);
}

Operation Optimizer::Finish(std::vector<Operation> updates, const std::string& name) {
  return Group(graph_, updates, {.name = name});
}

const Variable* Optimizer::GetSlot(const Variable& variable, absl::string_view slot) const {
  const auto it = std::find_if(slots_.begin(), slots_.end(), [&](const auto& entry) {
    return entry.first.first->variable == variable.variable && entry.first.second == slot;
  });
  return it == slots_.end() ? nullptr : it->second;
}

void Optimizer::AddZerosSlot(const Variable& variable, absl::string_view slot, absl::string_view variable_name) {
  MakeSlot(variable, slot, variable_name,
           [](Graph& g, DataType dtype, const Shape& shape) { return Zeros(g, dtype, shape, {.name = "zeros"}); });
}

void Optimizer::AddSlot(const Variable& variable, absl::string_view slot, absl::string_view variable_name,
                        double value) {
  MakeSlot(variable, slot, variable_name, initializers::Constant(value));
}

void Optimizer::MakeSlot(const Variable& variable, absl::string_view slot, absl::string_view variable_name,
                         Initializer initializer) {
  if (GetSlot(variable, slot) != nullptr) return;
  const VariableScope scope(graph_, "", {.default_name = absl::StrCat(variable.name(), "/", variable_name)});
  const Variable made = GetVariable(graph_, "",
                                    {.dtype = variable.dtype,
                                     .shape = variable.shape,
                                     .initializer = std::move(initializer),
                                     .trainable = false,
                                     .use_resource = variable.is_resource});
  if (made.variable == nullptr) return;
  ColocateWith(made, variable);
  slots_[{&variable, std::string(slot)}] = graph_.FindVariable(made.variable);
}

Output Optimizer::Hyperparameter(const Operand& value, absl::string_view name) {
  if (!value.is_number()) return value.output();
  return Const(graph_, Tensor(static_cast<float>(value.number())), {.name = std::string(name), .where = value.where()});
}

Output Optimizer::As(const Variable& variable, Output value) const {
  return !value.valid() || value.dtype() == variable.dtype ? value : Cast(value, variable.dtype);
}

NodeBuilder Optimizer::Update(absl::string_view rule, const Variable& variable,
                              std::initializer_list<Output> inputs) const {
  NodeBuilder builder(absl::StrCat(variable.is_resource ? "ResourceApply" : "Apply", rule), {variable.ref()});
  for (Output input : inputs) builder.Input(input);
  return builder;
}

NodeBuilder Optimizer::UpdateRows(absl::string_view rule, const Variable& variable,
                                  std::initializer_list<Output> inputs) const {
  NodeBuilder builder(absl::StrCat(variable.is_resource ? "ResourceSparseApply" : "SparseApply", rule),
                      {variable.ref()});
  for (Output input : inputs) builder.Input(input);
  return builder;
}

}  // namespace staticflow::train
