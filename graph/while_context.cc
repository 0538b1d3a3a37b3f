// WhileContext: how loops are built.
#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/control_flow.h"
#include "graph/node_builder.h"
#include "graph/status.h"

namespace staticflow {
namespace {

// The op of a loop's machinery for values, or for references.
const Op& OpFor(OpRole role, bool is_ref) {
  static const auto& ops = *new std::map<std::pair<OpRole, bool>, const Op*>([] {
    std::map<std::pair<OpRole, bool>, const Op*> by_role;
    for (const Op* op : AllOps()) {
      if (!op->inputs.empty()) by_role.try_emplace({op->spec.role, op->inputs[0].is_ref}, op);
    }
    return by_role;
  }());
  const auto it = ops.find({role, is_ref});
  return it == ops.end() ? OpWithRole(role) : *it->second;
}

// The open control dependencies, less those on nodes that do not run in `loop` itself (null: outside all loops), while
// it lives: no control edge crosses the border of a loop.
class DependenciesIn {
 public:
  DependenciesIn(Graph& g, const WhileContext* loop) : graph_(g), open_(g.control_scopes()) {
    for (Graph::ControlScope& scope : g.control_scopes()) {
      std::erase_if(scope.nodes, [loop](Node* node) { return LoopAround(node->context()) != loop; });
    }
  }
  ~DependenciesIn() { graph_.control_scopes() = std::move(open_); }

 private:
  Graph& graph_;
  std::vector<Graph::ControlScope> open_;
};

}  // namespace

WhileContext* LoopAround(ControlFlowContext* context) {
  for (; context != nullptr; context = context->outer()) {
    if (auto* loop = dynamic_cast<WhileContext*>(context)) return loop;
  }
  return nullptr;
}

WhileContext& WhileContext::Create(Graph& g, absl::string_view name, const WhileSettings& settings) {
  return static_cast<WhileContext&>(
      *g.AdoptContext(std::make_unique<WhileContext>(g.UniqueName(name), g.context(), settings)));
}

bool WhileContext::IsConstantEnter(const Node& node) const {
  return node.op().is(OpRole::kEnter) && node.attr<bool>("is_constant");
}

Node* WhileContext::MakeEnter(Output value, bool is_constant) {
  Graph& g = value.graph();
  const Output visible = outer() == nullptr ? value : outer()->Capture(value);
  if (!visible.valid()) return nullptr;
  const DependenciesIn dependencies(g, LoopAround(outer()));
  const InContext context(g, nullptr);
  NodeBuilder builder(OpFor(OpRole::kEnter, visible.is_ref() && is_constant).name(), {visible});
  // What never changes in the loop around would begin this one even when that is over.
  WhileContext* around = LoopAround(outer());
  if (!is_constant && around != nullptr && around->IsConstantEnter(*visible.node())) {
    builder.ControlInput(around->pivot());
  }
  Node* node = builder.Attr("frame_name", name())
                   .Attr("is_constant", is_constant)
                   .Attr("parallel_iterations", settings_.parallel_iterations)
                   .Name("Enter")
                   .Line(value.node()->where())
                   .BuildNode();
  if (node == nullptr) return nullptr;
  node->set_context(this);
  Added(node);
  return node;
}

Output WhileContext::Capture(Output value) {
  if (Contains(value.node()->context())) return value;
  if (auto it = captured_.find(value); it != captured_.end()) return it->second;
  Node* enter = MakeEnter(value, true);
  if (enter == nullptr) return Output();
  values_.push_back(value.name());
  external_values_.emplace_back(value.name(), enter->output(0).name());
  return captured_[value] = enter->output(0);
}

std::vector<Node*> WhileContext::Await(absl::Span<Node* const> nodes) {
  std::vector<Node*> inside;
  for (Node* node : nodes) {
    if (Contains(node->context())) {
      inside.push_back(node);
    } else if (node->num_outputs() > 0) {
      Node*& stands_for = awaited_[node];
      if (stands_for == nullptr) {
        Graph& g = node->graph();
        const std::vector<Graph::ControlScope> open = std::exchange(g.control_scopes(), {});
        stands_for = MakeNode(OpRole::kIdentity, {node->output(0)}, "Identity");
        g.control_scopes() = open;
      }
      if (stands_for != nullptr) inside.push_back(stands_for);
    }
  }
  return inside;
}

bool WhileContext::OnlyConstants(absl::Span<const Output> inputs) const {
  return std::all_of(inputs.begin(), inputs.end(),
                     [&](Output input) { return !input.valid() || IsConstantEnter(*input.node()); });
}

void WhileContext::Complete(NodeDefinition& definition) {
  for (Output& input : definition.inputs) {
    if (input.valid()) input = Capture(input);
  }
  definition.control_inputs = Await(definition.control_inputs);
  if (definition.control_inputs.empty() && OnlyConstants(definition.inputs) && pivot() != nullptr) {
    definition.control_inputs.push_back(pivot());
  }
}

void WhileContext::Added(Node* node) {
  for (int i = 0; i < node->num_outputs(); ++i) values_.push_back(node->output(i).name());
  if (outer() != nullptr) outer()->Added(node);
}

Node* WhileContext::MakeNode(OpRole role, absl::Span<const Output> inputs, absl::string_view name) {
  NodeBuilder builder(OpFor(role, false).name(), {});
  for (Output input : inputs) builder.Input(input);
  Graph& g = inputs[0].graph();
  const InContext context(g, this);
  return builder.Line(inputs[0].node()->where()).Name(name).BuildNode();
}

Output WhileContext::AddVariable(Output initial, const Shape& shape) {
  if (!initial.valid()) return Output();
  Graph& g = initial.graph();
  Variable variable{.enter = MakeEnter(initial, false)};
  if (variable.enter == nullptr) return Output();
  const DataType dtype = initial.dtype();
  NodeDefinition merge{.name = g.UniqueName("Merge"),
                       .op = &OpFor(OpRole::kMerge, false),
                       .inputs = {variable.enter->output(0), Output()},
                       .attrs = {{"N", int64_t{2}}, {"T", dtype}},
                       .where = variable.enter->where()};
  absl::StatusOr<Node*> node = g.AddNodeWithBackEdge(std::move(merge), {1}, {dtype});
  absl::Status status = node.status();
  if (status.ok()) status = (*node)->MergeOutputShape(0, shape);
  if (!status.ok()) {
    g.RecordError(std::move(status));
    return Output();
  }
  variable.merge = *node;
  variable.merge->set_context(this);
  Added(variable.merge);
  if (pivot_for_pred_ == nullptr) pivot_for_pred_ = variable.merge;
  variables_.push_back(variable);
  return variable.merge->output(0);
}

bool WhileContext::SetCondition(Output condition) {
  if (!condition.valid()) return false;
  Graph& g = condition.graph();
  if (condition.dtype() != DT_BOOL || !condition.shape().IsCompatibleWith(Shape())) {
    g.RecordError(absl::InvalidArgumentError(
        absl::StrCat(condition.node()->DebugName(), ": the condition of the loop '", name(), "' is ",
                     DataTypeName(condition.dtype()), condition.shape().ToString(), ", expected a bool scalar")));
    return false;
  }
  condition_ = MakeNode(OpRole::kLoopCond, {condition}, "LoopCond");
  return condition_ != nullptr;
}

Output WhileContext::BodyValue(int i) {
  Variable& variable = variables_[i];
  if (variable.switch_node == nullptr) {
    const Output merged = variable.merge->output(0);
    variable.switch_node = MakeNode(OpRole::kSwitch, {merged, condition_->output(0)}, "Switch");
  }
  if (variable.switch_node == nullptr) return Output();
  if (variable.body == nullptr) {
    variable.body = MakeNode(OpRole::kIdentity, {variable.switch_node->output(1)}, "Identity");
  }
  if (variable.body == nullptr) return Output();
  if (pivot_for_body_ == nullptr) pivot_for_body_ = variable.body;
  return variable.body->output(0);
}

bool WhileContext::SetNext(int i, Output value) {
  Variable& variable = variables_[i];
  Node& merge = *variable.merge;
  Graph& g = merge.graph();
  if (!value.valid()) return false;
  const auto describe = [](Output output) {
    return absl::StrCat(DataTypeName(output.dtype()), output.shape().ToString());
  };
  const Shape& shape = merge.output_shape(0);
  if (value.dtype() != merge.output_dtype(0) || !(shape.Join(value.shape()) == shape)) {
    g.RecordError(absl::InvalidArgumentError(absl::StrCat(merge.DebugName(), ": loop variable ", i, " is ",
                                                          describe(merge.output(0)), ", but the body makes it ",
                                                          describe(value), "; shape_invariants tell what may change")));
    return false;
  }
  variable.next = MakeNode(OpRole::kNextIteration, {value}, "NextIteration");
  if (variable.next == nullptr) return false;
  const absl::Status status = merge.ReplaceInput(1, variable.next->output(0));
  g.RecordError(status);
  return status.ok();
}

Output WhileContext::ExitOf(int i) {
  Variable& variable = variables_[i];
  if (variable.exit != nullptr) return variable.exit->output(0);
  const ControlDependencies outside(variable.merge->graph(), ControlDependencies::kClear);
  variable.exit = MakeNode(OpRole::kExit, {variable.switch_node->output(0)}, "Exit");
  if (variable.exit == nullptr) return Output();
  variable.exit->set_context(outer());
  return variable.exit->output(0);
}

void WhileContext::Restore(std::vector<Variable> variables, Node* condition, Node* body_pivot) {
  variables_ = std::move(variables);
  condition_ = condition;
  pivot_for_pred_ = variables_.empty() ? nullptr : variables_[0].merge;
  pivot_for_body_ = body_pivot;
}

}  // namespace staticflow
