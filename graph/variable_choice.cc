// Variables that the step chooses: a RefMerge of several references, a Merge of several handles, a RefSelect.
//
// The rest of the library knows the variable of each node before the step: the order of effects and the locks stand on
// it. So a node that uses such a choice is replaced, in the program's own copy of the graph, by a copy for each
// variable, which lives when that variable is chosen, as the branches of a cond do:
//
//   AssignAdd(RefMerge(a, b), x)  ->  Merge(AssignAdd(a, x), AssignAdd(b, x))     with a and b behind a Switch
//
// References that the copies give (of an Assign, an Identity) are a choice for whoever uses them in turn.
#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "graph/function_expansion.h"
#include "graph/loop_frames.h"
#include "graph/status.h"
#include "graph/variable_key.h"

namespace staticflow {
namespace {

using absl::StrCat;

bool IsRefOrHandle(Output output) { return output.valid() && (output.is_ref() || output.dtype() == DT_RESOURCE); }

template <typename T>
void AppendTo(const std::vector<T>& more, std::vector<T>* list) {
  list->insert(list->end(), more.begin(), more.end());
}

bool MergesSeveral(const Node& node) {
  return node.op().is(OpRole::kMerge) && IsRefOrHandle(node.output(0)) && VariableBehind(node.output(0)) == nullptr;
}

}  // namespace

// A Merge of nothing but such Merges has one with a variable behind it.
bool ChoosesVariable(const Node& node) {
  return SelectsReference(node.op()) || (MergesSeveral(node) && absl::c_any_of(node.inputs(), [](Output input) {
                                           return VariableBehind(input) != nullptr;
                                         }));
}

FunctionInliner::VariableChoice FunctionInliner::ChoiceBehind(Output output) const {
  if (!IsRefOrHandle(output) || fed_.contains(output)) return {};
  if (const auto it = choices_.find(output); it != choices_.end()) return it->second;
  if (VariableBehind(output) != nullptr) return {.variables = {output}};
  return {};
}

bool FunctionInliner::HasChoice(const Node& node) const {
  // Not so another variable in each turn of a loop, or handles of other things than variables.
  const auto is_known = [&](Output input) {
    return !IsBackEdge(input, node) && !ChoiceBehind(input).variables.empty();
  };
  if (SelectsReference(node.op())) return absl::c_all_of(node.inputs().subspan(1), is_known);
  if (node.op().is(OpRole::kMerge)) return MergesSeveral(node) && absl::c_all_of(node.inputs(), is_known);
  return absl::c_any_of(node.inputs(), [&](Output input) { return choices_.contains(input) && !fed_.contains(input); });
}

absl::Status FunctionInliner::ChooseVariables(absl::Span<const Output> kept) {
  fed_.insert(kept.begin(), kept.end());
  std::vector<Replacement> replacements;
  std::vector<Node*> choosing;
  for (int i = 0; i < first_new_; ++i) {
    Node& node = *g_.nodes()[i];
    if (!HasChoice(node)) continue;
    where_ = node.where();
    device_ = node.device();
    Replacement replacement{.call = &node, .expansion = {}, .begin = g_.num_nodes()};
    absl::StatusOr<Expansion> expansion = ExpandChoice(node);
    if (!expansion.ok()) return Annotate(expansion.status(), StrCat(node.DebugName(), ": "));
    replacement.expansion = *std::move(expansion);
    replacement.end = g_.num_nodes();
    replacements.push_back(std::move(replacement));
    choosing.push_back(&node);
  }
  for (const Replacement& replacement : replacements) {
    Commit(replacement);
    for (Node::OutputInfo& output : replacement.call->outputs_) output.is_ref = false;
  }
  Reorder(replacements);
  PassBy(choosing, kept);
  return absl::OkStatus();
}

absl::StatusOr<FunctionInliner::Expansion> FunctionInliner::ExpandChoice(const Node& node) {
  const bool is_merge = node.op().is(OpRole::kMerge);
  if (!is_merge && !SelectsReference(node.op())) {
    SF_ASSIGN_OR_RETURN(const std::vector<Node*> copies, CopyForEach(node));
    return MergeCopies(node, copies);
  }
  SF_ASSIGN_OR_RETURN(VariableChoice choice, is_merge ? ChooseMerged(node) : ChooseSelected(node));
  // Who looks at the choice itself gets the value. Inputs that are choices are values by then.
  std::vector<Output> values = choice.variables;
  if (is_merge) values.assign(node.inputs().begin(), node.inputs().end());
  SF_ASSIGN_OR_RETURN(
      Node * merge, Add(StrCat(node.name(), "/value"), OpWithRole(OpRole::kMerge), std::move(values), choice.controls));
  choices_[node.output(0)] = std::move(choice);
  Expansion expansion;
  for (int i = 0; i < node.num_outputs(); ++i) expansion.outputs.push_back(merge->output(i));
  return expansion;
}

absl::StatusOr<FunctionInliner::VariableChoice> FunctionInliner::ChooseMerged(const Node& merge) {
  VariableChoice choice;
  choice.controls.assign(merge.control_inputs().begin(), merge.control_inputs().end());
  for (Output input : merge.inputs()) {
    const VariableChoice of_input = ChoiceBehind(input);
    AppendTo(of_input.variables, &choice.variables);
    AppendTo(of_input.controls, &choice.controls);
  }
  return choice;
}

// A ladder, as for the branches of a Case.
absl::StatusOr<FunctionInliner::VariableChoice> FunctionInliner::ChooseSelected(const Node& select) {
  const int size = select.num_inputs() - 1;
  SF_ASSIGN_OR_RETURN(const Output index, CheckedIndex(select, size));
  VariableChoice choice;
  choice.controls.assign(select.control_inputs().begin(), select.control_inputs().end());
  std::vector<Output> predicates;
  for (int i = 0; i + 1 < size; ++i) {
    SF_ASSIGN_OR_RETURN(predicates.emplace_back(), IsIndex(StrCat(select.name(), "/"), index, i));
  }
  for (int i = 0; i < size; ++i) {
    const VariableChoice of_input = ChoiceBehind(select.input(i + 1));
    AppendTo(of_input.controls, &choice.controls);
    for (Output variable : of_input.variables) {
      for (int k = 0; k <= std::min(i, size - 2); ++k) {
        SF_ASSIGN_OR_RETURN(Node * sides,
                            Add(StrCat(select.name(), "/switch_", i), SwitchReferenceOp(), {variable, predicates[k]}));
        variable = sides->output(k == i ? 1 : 0);
      }
      choice.variables.push_back(variable);
    }
  }
  if (size == 1) choice.controls.push_back(index.node());
  return choice;
}

// The index, once it is known to be one of `size`.
absl::StatusOr<Output> FunctionInliner::CheckedIndex(const Node& select, int size) {
  const std::string prefix = StrCat(select.name(), "/");
  const Op& constant = OpWithRole(OpRole::kConst);
  const auto number = [&](const std::string& name, int value) {
    return Add(prefix + name, constant, {}, {}, {{"dtype", DT_INT32}, {"value", Tensor::Of<int32_t>({}, {value})}});
  };
  const Output index = select.input(0);
  SF_ASSIGN_OR_RETURN(Node * below, number("below", -1));
  SF_ASSIGN_OR_RETURN(Node * end, number("size", size));
  SF_ASSIGN_OR_RETURN(Node * message, Add(prefix + "message", constant, {}, {},
                                          {{"dtype", DT_STRING},
                                           {"value", Tensor(StrCat("index must be in [0, ", size, ") but is:"))}}));
  std::vector<Node*> checks;
  for (const auto& [low, high] : {std::pair(below->output(0), index), std::pair(index, end->output(0))}) {
    SF_ASSIGN_OR_RETURN(Node * holds, Add(prefix + "in_range", LessOp(), {low, high}));
    SF_ASSIGN_OR_RETURN(checks.emplace_back(),
                        Add(prefix + "check", AssertOp(), {holds->output(0), message->output(0), index}));
  }
  return AddPlain(prefix + "index", OpRole::kIdentity, index, std::move(checks));
}

absl::StatusOr<std::vector<Node*>> FunctionInliner::CopyForEach(const Node& node) {
  std::vector<Node*> controls(node.control_inputs().begin(), node.control_inputs().end());
  std::vector<std::vector<Output>> inputs = {{}};  // of each copy
  for (Output input : node.inputs()) {
    std::vector<Output> alternatives = {input};
    if (const auto it = choices_.find(input); it != choices_.end() && !fed_.contains(input)) {
      alternatives = it->second.variables;
      AppendTo(it->second.controls, &controls);
    }
    std::vector<std::vector<Output>> longer;
    if (static_cast<int64_t>(inputs.size() * alternatives.size()) > limits_.max_nodes) {
      return absl::ResourceExhaustedError(StrCat("it has more than ", limits_.max_nodes, " choices of variables"));
    }
    for (const std::vector<Output>& before : inputs) {
      for (Output alternative : alternatives) {
        longer.push_back(before);
        longer.back().push_back(alternative);
      }
    }
    inputs = std::move(longer);
  }
  std::vector<Node*> copies;
  for (std::vector<Output>& of_copy : inputs) {
    const std::string name = StrCat(node.name(), "/choice_", copies.size());
    SF_ASSIGN_OR_RETURN(copies.emplace_back(), Add(name, node.op(), std::move(of_copy), controls, node.attrs()));
  }
  return copies;
}

absl::StatusOr<FunctionInliner::Expansion> FunctionInliner::MergeCopies(const Node& node,
                                                                        absl::Span<Node* const> copies) {
  const Op& merge = OpWithRole(OpRole::kMerge);
  Expansion expansion;
  for (int i = 0; i < node.num_outputs(); ++i) {
    std::vector<Output> results;
    for (const Node* copy : copies) results.push_back(copy->output(i));
    if (absl::c_all_of(results,
                       [](Output output) { return IsRefOrHandle(output) && VariableBehind(output) != nullptr; })) {
      choices_[node.output(i)] = {.variables = results};
    }
    SF_ASSIGN_OR_RETURN(Node * merged, Add(StrCat(node.name(), "/merge_", i), merge, std::move(results)));
    expansion.outputs.push_back(merged->output(0));
  }
  if (!expansion.outputs.empty()) return expansion;
  std::vector<Output> ends;
  for (Node* copy : copies) {
    SF_ASSIGN_OR_RETURN(Node * end, Add(StrCat(copy->name(), "/ran"), OpWithRole(OpRole::kConst), {}, {copy},
                                        {{"dtype", DT_INT32}, {"value", Tensor::Of<int32_t>({}, {0})}}));
    ends.push_back(end->output(0));
  }
  SF_ASSIGN_OR_RETURN(expansion.effects.emplace_back(), Add(StrCat(node.name(), "/ran"), merge, std::move(ends)));
  return expansion;
}

}  // namespace staticflow
