// Control edges, and the builder of conditions.
#include "ops/control_flow.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "graph/control_flow.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array.h"

namespace staticflow {
namespace {

const OpRegistrar no_op({.name = "NoOp",
                         .shape = NoOutputs,
                         .gradient = kNotDifferentiable,
                         .role = OpRole::kNoOp,
                         .doc = "Nothing; for control edges."});
const OpRegistrar control_trigger({.name = "ControlTrigger",
                                   .shape = NoOutputs,
                                   .gradient = kNotDifferentiable,
                                   .traits = kAlwaysRuns,
                                   .role = OpRole::kNoOp,
                                   .doc = "Nothing, even when its control inputs are dead."});

// One branch while it is being built.
struct Branch {
  CondContext* context = nullptr;
  std::vector<Output> results;
  bool ok = true;
};

// What the branch built from node `first` on and nothing in it uses.
std::vector<Operation> Effects(const Graph& g, const CondContext& context, int first) {
  absl::flat_hash_set<const Node*> used;
  for (int i = first; i < g.num_nodes(); ++i) {
    const Node& node = *g.nodes()[i];
    for (Output input : node.inputs()) used.insert(input.node());
    used.insert(node.control_inputs().begin(), node.control_inputs().end());
  }
  std::vector<Operation> effects;
  for (int i = first; i < g.num_nodes(); ++i) {
    Node* node = g.nodes()[i].get();
    if (node->context() == &context && !used.contains(node)) effects.push_back(node);
  }
  return effects;
}

Branch BuildBranch(Graph& g, Output pred, Output pivot, int index, BranchFunction build) {
  Branch branch;
  ControlFlowContext* outer = g.context();
  branch.context = static_cast<CondContext*>(
      g.AdoptContext(std::make_unique<CondContext>(g.UniqueName("cond_text"), outer, pred, pivot.node(), index)));
  g.set_context(branch.context);
  const int first = g.num_nodes();
  const BranchResult result = build();
  if (result.kind() == BranchResult::kTensors) {
    for (Output output : result.outputs()) {
      const Output inside = output.valid() ? branch.context->Capture(output) : Output();
      branch.ok &= inside.valid();
      branch.results.push_back(inside);
    }
  } else {
    // The pivot stands for operations: it has a value once they have run.
    std::vector<Operation> operations = {result.operation()};
    if (result.kind() == BranchResult::kEverything) operations = Effects(g, *branch.context, first);
    branch.results.push_back(WithDependencies(operations, pivot));
    branch.ok = branch.results[0].valid();
  }
  g.set_context(outer);
  return branch;
}

// InvalidArgument unless the branches give the same number and types of results.
absl::Status CompareBranches(const Branch& then_branch, const Branch& else_branch) {
  const size_t n = then_branch.results.size();
  if (n != else_branch.results.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the branch for true gives ", n, " results, the other one ", else_branch.results.size()));
  }
  for (size_t i = 0; i < n; ++i) {
    const DataType a = then_branch.results[i].dtype(), b = else_branch.results[i].dtype();
    if (a != b) {
      return absl::InvalidArgumentError(absl::StrCat("result ", i, " is ", DataTypeName(a), " in the branch for true, ",
                                                     DataTypeName(b), " in the other one"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Operation NoOp(Graph& g, const NoOpOptions& options) {
  return NodeBuilder(g, "NoOp", options.where).Name(options.name).BuildNode();
}

Operation Group(Graph& g, absl::Span<const Operation> operations, const NoOpOptions& options) {
  NodeBuilder builder(g, "NoOp", options.where);
  for (Operation operation : operations) builder.ControlInput(operation);
  return builder.Name(options.name, "group_deps").BuildNode();
}

Operation ControlTrigger(Graph& g, const NoOpOptions& options) {
  return NodeBuilder(g, "ControlTrigger", options.where).Name(options.name).BuildNode();
}

Output WithDependencies(absl::Span<const Operation> operations, Operand value, const OpOptions& options) {
  NodeBuilder builder("Identity", {value});
  for (Operation operation : operations) builder.ControlInput(operation);
  return builder.Name(options.name, "control_dependency").Build();
}

std::vector<Output> BuildCond(Output pred, BranchFunction then_branch, BranchFunction else_branch,
                              const CondOptions& options) {
  Graph& g = pred.graph();
  const NameScope scope(g, options.name.empty() ? "cond" : options.name);
  const Operand operand(pred, options.where);
  const SwitchOutputs pivots = Switch(operand, operand);
  const Output pivot_true = Identity({pivots.output_true, options.where}, {.name = "switch_t"});
  const Output pivot_false = Identity({pivots.output_false, options.where}, {.name = "switch_f"});
  const Output pred_id = Identity(operand, {.name = "pred_id"});
  if (!pivot_true.valid() || !pivot_false.valid() || !pred_id.valid()) return {};

  const Branch taken = BuildBranch(g, pred_id, pivot_true, 1, then_branch);
  const Branch other = BuildBranch(g, pred_id, pivot_false, 0, else_branch);
  if (!taken.ok || !other.ok) {
    if (g.status().ok()) {
      g.RecordError(absl::InvalidArgumentError(
          absl::StrCat(pred_id.node()->DebugName(), ": a branch of the cond gives no output of any node")));
    }
    return {};
  }
  if (absl::Status status = CompareBranches(taken, other); !status.ok()) {
    g.RecordError(Annotate(status, absl::StrCat(pred_id.node()->DebugName(), ": ")));
    return {};
  }
  std::vector<Output> merged;
  for (size_t i = 0; i < taken.results.size(); ++i) {
    merged.push_back(Merge({other.results[i], taken.results[i]}, {}, options.where).output);
    if (!merged.back().valid()) return {};
  }
  return merged;
}

std::optional<bool> ConstantPredicate(Output pred) {
  if (!pred.valid() || !pred.node()->op().is(OpRole::kConst)) return std::nullopt;
  const Tensor& value = pred.node()->attr<Tensor>("value");
  if (value.dtype() != DT_BOOL || value.num_elements() != 1) return std::nullopt;
  return value.scalar<bool>();
}

}  // namespace staticflow
