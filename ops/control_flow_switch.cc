// Switch and Merge: how values enter and leave the branches of a condition. They have no kernels: the planner turns
// them into guards.
#include <algorithm>

#include "graph/control_flow.h"
#include "graph/gradients.h"
#include "graph/liveness.h"
#include "graph/shape_inference.h"
#include "graph/variable_key.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/state.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

// Switch: (false, true) = data, on the side that pred says.
absl::Status SwitchShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  c.set_output(0, c.input(0));
  c.set_output(1, c.input(0));
  return absl::OkStatus();
}
// Zeros like output i, alive when that output is.
Output ZerosBehind(GradientContext& c, int i) {
  // What is the same in every iteration of a loop need not be kept for the gradient, only where it went.
  if (c.x(0).node()->op().is(OpRole::kEnter) && c.y(i).dtype() != DT_RESOURCE) {
    const SwitchOutputs zeros = Switch(ZerosLike(c.x(0)), c.x(1));
    return i == 0 ? zeros.output_false : zeros.output_true;
  }
  if (c.y(i).dtype() != DT_RESOURCE) return NodeBuilder("ZerosLike", {c.y(i)}).Build();
  const Node* declaration = VariableBehind(c.y(i));
  if (declaration == nullptr) return Output();
  return NodeBuilder("ZerosLike", {ReadVariable(c.y(i), declaration->attr<DataType>("dtype"))}).Build();
}
// d(data) = the gradient of the side that was taken. A side without one gives zeros, made from its Switch output so
// that they are dead when the side is.
void SwitchGradient(GradientContext& c) {
  if (!c.has_dy(0) && !c.has_dy(1)) return;
  const Output d_false = c.has_dy(0) ? c.dy(0) : ZerosBehind(c, 0);
  const Output d_true = c.has_dy(1) ? c.dy(1) : ZerosBehind(c, 1);
  if (!d_false.valid() || !d_true.valid()) return c.Fail("the handle comes from outside the graph");
  c.set_dx(0, Merge({d_false, d_true}, {.name = "cond_grad"}).output);
}
const OpRegistrar switch_op({.name = "Switch",
                             .inputs = {"data: T", "pred: bool"},
                             .outputs = {"output_false: T", "output_true: T"},
                             .attrs = {"T: type"},
                             .shape = SwitchShape,
                             .gradient = SwitchGradient,
                             .role = OpRole::kSwitch,
                             .doc = "Passes data on to the output that pred says."});
const OpRegistrar ref_switch({.name = "RefSwitch",
                              .inputs = {"data: Ref(T)", "pred: bool"},
                              .outputs = {"output_false: Ref(T)", "output_true: Ref(T)"},
                              .attrs = {"T: type"},
                              .shape = SwitchShape,
                              .gradient = SwitchGradient,
                              .role = OpRole::kSwitch,
                              .doc = "Passes a variable on to the output that pred says."});

// Merge: output = the input that is alive.
absl::Status MergeShape(ShapeContext& c) {
  Shape shape = c.input(0);
  for (int i = 1; i < c.num_inputs(); ++i) shape = shape.Join(c.input(i));
  c.set_output(0, std::move(shape));
  c.set_output(1, Shape());
  return absl::OkStatus();
}

// What decides between the two inputs of a Merge: input 0 is alive when pred has the value `branch_of_first`.
struct Decision {
  Output pred;
  int branch_of_first = 0;
};
const CondContext* BranchOf(Output output) { return dynamic_cast<const CondContext*>(output.node()->context()); }

// From the branches that the inputs were built in; for nodes that came from a file without contexts, from a predicate
// of which the inputs need opposite values.
std::optional<Decision> FindDecision(const Node& merge) {
  if (merge.num_inputs() != 2) return std::nullopt;
  const CondContext* first = BranchOf(merge.input(0));
  const CondContext* second = BranchOf(merge.input(1));
  if (first != nullptr && second != nullptr && first->pred() == second->pred() && first->branch() != second->branch()) {
    return Decision{first->pred(), first->branch()};
  }
  const std::vector<Literals> guards = LiveWhen(merge.inputs());
  for (const Literal& literal : guards[0]) {
    if (guards[1].contains({literal.pred, 1 - literal.branch})) return Decision{literal.pred, literal.branch};
  }
  return std::nullopt;
}

Output SideOf(const SwitchOutputs& outputs, int branch) {
  return branch == 0 ? outputs.output_false : outputs.output_true;
}

// d(input i) = dy where input i was the one alive.
void MergeGradient(GradientContext& c) {
  if (!c.has_dy(0)) return;
  if (const std::optional<Decision> decision = FindDecision(c.node())) {
    const SwitchOutputs sides = Switch(c.dy(0), decision->pred, {.name = "cond_grad"});
    c.set_dx(0, SideOf(sides, decision->branch_of_first));
    c.set_dx(1, SideOf(sides, 1 - decision->branch_of_first));
    return;
  }
  for (int i = 0; i < c.num_inputs(); ++i) c.set_dx(i, Switch(c.dy(0), Equal(c.y(1), i)).output_true);
}
const OpRegistrar merge_op({.name = "Merge",
                            .inputs = {"inputs: N * T"},
                            .outputs = {"output: T", "value_index: int32"},
                            .attrs = {"T: type", "N: int >= 1"},
                            .shape = MergeShape,
                            .gradient = MergeGradient,
                            .role = OpRole::kMerge,
                            .doc = "Passes on the input that is alive, and its index."});
const OpRegistrar ref_merge({.name = "RefMerge",
                             .inputs = {"inputs: Ref(N * T)"},
                             .outputs = {"output: Ref(T)", "value_index: int32"},
                             .attrs = {"T: type", "N: int >= 1"},
                             .shape = MergeShape,
                             .gradient = MergeGradient,
                             .role = OpRole::kMerge,
                             .doc = "Passes on the variable that is alive, and its index."});

// RefSelect: output = inputs[index]. Programs replace it by what uses it, once for each variable.
absl::Status RefSelectShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  Shape shape = c.input(1);
  for (int i = 2; i < c.num_inputs(); ++i) shape = shape.Join(c.input(i));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> RefSelectKernel(const KernelSetup&) {
  return absl::UnimplementedError("its variables must be known before the step, but one is fed or computed");
}
const OpRegistrar ref_select({.name = "RefSelect",
                              .inputs = {"index: int32", "inputs: Ref(N * T)"},
                              .outputs = {"output: Ref(T)"},
                              .attrs = {"T: type", "N: int >= 1"},
                              .shape = RefSelectShape,
                              .gradient = kGradientIsError,
                              .kernel = RefSelectKernel,
                              .doc = "Passes on the variable that index says."});

}  // namespace

Output RefSelect(Operand index, absl::Span<const Output> inputs, const OpOptions& options) {
  if (inputs.empty()) return Output();
  return NodeBuilder("RefSelect", {index}).Inputs(inputs).Name(options.name, "RefSelect").Build();
}

SwitchOutputs Switch(Operand data, Operand pred, const OpOptions& options) {
  const bool is_ref = data.output().valid() && data.output().is_ref();
  Node* node = NodeBuilder(is_ref ? "RefSwitch" : "Switch", {data, pred}).Name(options.name, "Switch").BuildNode();
  return node == nullptr ? SwitchOutputs() : SwitchOutputs{node->output(0), node->output(1)};
}

MergeOutputs Merge(absl::Span<const Output> inputs, const OpOptions& options, std::source_location where) {
  for (Output input : inputs) {
    if (!input.valid()) return MergeOutputs();
  }
  if (inputs.empty()) return MergeOutputs();
  const bool all_refs = std::all_of(inputs.begin(), inputs.end(), [](Output input) { return input.is_ref(); });
  Node* node = NodeBuilder(inputs[0].graph(), all_refs ? "RefMerge" : "Merge", where)
                   .Inputs(inputs)
                   .Name(options.name, "Merge")
                   .BuildNode();
  return node == nullptr ? MergeOutputs() : MergeOutputs{node->output(0), node->output(1)};
}

}  // namespace staticflow
