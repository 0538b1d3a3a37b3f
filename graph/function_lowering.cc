// What stands around the bodies of branches and loops: Switch and Merge, and the frames of while loops.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/function_expansion.h"
#include "graph/status.h"

namespace staticflow {

using absl::StrCat;

// A NoOp after which the call begins: after its control inputs and, if wished, the inputs. Null when it waits for
// nothing.
absl::StatusOr<Node*> FunctionInliner::StartOf(const CallSite& site, bool waits_for_inputs) {
  std::vector<Node*> before = site.controls;
  for (size_t i = 0; waits_for_inputs && i < site.inputs.size(); ++i) {
    // An Identity: control edges know nodes, and the node of an input that is fed need not run.
    if (site.inputs[i].dtype() == DT_RESOURCE || site.inputs[i].is_ref()) continue;
    SF_ASSIGN_OR_RETURN(const Output input,
                        AddPlain(StrCat(site.name, "/input_", i), OpRole::kIdentity, site.inputs[i]));
    before.push_back(input.node());
  }
  if (before.empty()) return nullptr;
  return Add(StrCat(site.name, "/start"), OpWithRole(OpRole::kNoOp), {}, std::move(before));
}

absl::StatusOr<FunctionInliner::Expansion> FunctionInliner::LowerCall(const CallSite& site, const FunctionRef& function,
                                                                      bool is_stateful_op) {
  SF_ASSIGN_OR_RETURN(const FunctionBody* body, functions_.Find(function.name));
  SF_ASSIGN_OR_RETURN(Node * start, StartOf(site, is_stateful_op || body->is_stateful));
  SF_ASSIGN_OR_RETURN(Expansion expansion, ExpandFunction(function, site.inputs, StrCat(site.name, "/"),
                                                          start != nullptr ? start : site.pivot));
  // Whoever waits for the call waits for what the call waited for.
  if (!site.controls.empty()) expansion.effects.push_back(start);
  return expansion;
}

absl::StatusOr<Output> FunctionInliner::ToBool(const std::string& name, Output value) {
  if (value.dtype() == DT_BOOL) return value;
  SF_ASSIGN_OR_RETURN(Node * node, Add(name, ToBoolOp(), {value}));
  return node->output(0);
}

absl::StatusOr<Output> FunctionInliner::IsIndex(const std::string& prefix, Output index, int value) {
  SF_ASSIGN_OR_RETURN(Node * number, Add(StrCat(prefix, "index_", value), OpWithRole(OpRole::kConst), {}, {},
                                         {{"dtype", DT_INT32}, {"value", Tensor::Of<int32_t>({}, {value})}}));
  SF_ASSIGN_OR_RETURN(Node * equal, Add(StrCat(prefix, "is_", value), EqualOp(), {index, number->output(0)}));
  return equal->output(0);
}

absl::StatusOr<FunctionInliner::Expansion> FunctionInliner::MergeBranches(const std::string& prefix,
                                                                          const Expansion& taken,
                                                                          const Expansion& other, Output pivot_taken,
                                                                          Output pivot_other) {
  if (taken.outputs.size() != other.outputs.size()) {
    return absl::InvalidArgumentError(
        StrCat("one branch gives ", taken.outputs.size(), " results, another ", other.outputs.size()));
  }
  Expansion merged;
  const Op& merge = OpWithRole(OpRole::kMerge);
  for (size_t i = 0; i < taken.outputs.size(); ++i) {
    if (taken.outputs[i].dtype() != other.outputs[i].dtype()) {
      return absl::InvalidArgumentError(StrCat("result ", i, " is ", DataTypeName(taken.outputs[i].dtype()),
                                               " in one branch, ", DataTypeName(other.outputs[i].dtype()),
                                               " in another"));
    }
    SF_ASSIGN_OR_RETURN(Node * node, Add(StrCat(prefix, "merge_", i), merge, {other.outputs[i], taken.outputs[i]}));
    merged.outputs.push_back(node->output(0));
  }
  if (taken.effects.empty() && other.effects.empty()) return merged;
  SF_ASSIGN_OR_RETURN(const Output first,
                      AddPlain(StrCat(prefix, "ran_other"), OpRole::kIdentity, pivot_other, other.effects));
  SF_ASSIGN_OR_RETURN(const Output second,
                      AddPlain(StrCat(prefix, "ran_taken"), OpRole::kIdentity, pivot_taken, taken.effects));
  SF_ASSIGN_OR_RETURN(Node * ran, Add(StrCat(prefix, "ran"), merge, {first, second}));
  merged.effects.push_back(ran);
  return merged;
}

// A ladder: branch 0 or the rest, of which branch 1 or the rest, and so on. The last branch takes what is left, as an
// index that is out of range.
absl::StatusOr<FunctionInliner::Expansion> FunctionInliner::LowerBranches(const CallSite& site,
                                                                          absl::Span<const FunctionRef> branches,
                                                                          absl::Span<const std::string> names) {
  struct Rung {
    Output pivot_taken, pivot_other;
    Expansion taken;
  };
  const Op& switch_op = OpWithRole(OpRole::kSwitch);
  const bool by_index = site.op->is(OpRole::kCase);
  std::vector<Rung> rungs;
  std::vector<Output> values = site.inputs;  // what decides, then the arguments, as seen by the branches that are left
  SF_ASSIGN_OR_RETURN(Node * start, StartOf(site, false));
  Node* pivot = start != nullptr ? start : site.pivot;
  for (size_t i = 0; i + 1 < branches.size(); ++i) {
    const std::string prefix = StrCat(site.name, "/", names[i], "/");
    absl::StatusOr<Output> pred =
        by_index ? IsIndex(prefix, values[0], static_cast<int>(i)) : ToBool(StrCat(site.name, "/pred"), values[0]);
    SF_RETURN_IF_ERROR(pred.status());
    std::vector<Node*> controls;
    if (pivot != nullptr) controls.push_back(pivot);
    SF_ASSIGN_OR_RETURN(Node * decision, Add(StrCat(prefix, "switch"), switch_op, {*pred, *pred}, controls));
    Rung rung;
    SF_ASSIGN_OR_RETURN(rung.pivot_taken, AddPlain(StrCat(prefix, "pivot"), OpRole::kIdentity, decision->output(1)));
    SF_ASSIGN_OR_RETURN(rung.pivot_other, AddPlain(StrCat(prefix, "else"), OpRole::kIdentity, decision->output(0)));
    std::vector<Output> arguments;
    for (size_t k = by_index ? 0 : 1; k < values.size(); ++k) {
      SF_ASSIGN_OR_RETURN(Node * sides, Add(StrCat(prefix, "switch_", k), switch_op, {values[k], *pred}, controls));
      if (k > 0) arguments.push_back(sides->output(1));
      values[k] = sides->output(0);
    }
    SF_ASSIGN_OR_RETURN(rung.taken, ExpandFunction(branches[i], std::move(arguments), prefix, rung.pivot_taken.node()));
    pivot = rung.pivot_other.node();
    rungs.push_back(std::move(rung));
  }
  if (branches.empty()) return absl::InvalidArgumentError("it has no branches");
  const std::string last = StrCat(site.name, "/", names[branches.size() - 1], "/");
  SF_ASSIGN_OR_RETURN(Expansion merged,
                      ExpandFunction(branches.back(), {values.begin() + 1, values.end()}, last, pivot));
  for (size_t i = rungs.size(); i-- > 0;) {
    const std::string prefix = rungs.size() == 1 ? StrCat(site.name, "/") : StrCat(site.name, "/", names[i], "/");
    SF_ASSIGN_OR_RETURN(merged,
                        MergeBranches(prefix, rungs[i].taken, merged, rungs[i].pivot_taken, rungs[i].pivot_other));
  }
  if (!site.controls.empty()) merged.effects.push_back(start);
  return merged;
}

struct FunctionInliner::Loop {
  std::string prefix;
  std::vector<int> carried = {};    // inputs of the call that change from one iteration to the next
  std::vector<Node*> merges = {};   // by carried value
  std::vector<Output> exits = {};   // by carried value
  std::vector<Output> tested = {};  // by input: as the condition sees it
  std::vector<Output> values = {};  // by input: as the body sees it
  Node* pivot = nullptr;            // of the body
  bool has_effects = false;
};

absl::Status FunctionInliner::EnterLoop(const CallSite& site, const FunctionBody& body, Loop* loop) {
  SF_ASSIGN_OR_RETURN(Node * start, StartOf(site, false));
  std::vector<Node*> controls;
  if (start == nullptr) start = site.pivot;
  if (start != nullptr) controls.push_back(start);
  const auto parallel = site.attrs.find("parallel_iterations");
  std::vector<Output> inputs = site.inputs;
  const auto is_invariant = [&](size_t i) {
    if (inputs[i].dtype() == DT_RESOURCE) return true;
    return i < body.results.size() && body.results.size() == body.signature.inputs.size() && body.results[i].node < 0 &&
           body.results[i].argument == static_cast<int>(i);
  };
  const auto enter = [&](Output input, bool is_constant) -> absl::StatusOr<Output> {
    AttrMap attrs = {{"frame_name", StrCat(site.name, "/frame")}, {"is_constant", is_constant}};
    if (parallel != site.attrs.end()) attrs["parallel_iterations"] = parallel->second;
    SF_ASSIGN_OR_RETURN(Node * node,
                        Add(StrCat(loop->prefix, "enter"), OpWithRole(OpRole::kEnter), {input}, controls, attrs));
    return node->output(0);
  };
  const auto carry = [&](Output entered) -> absl::Status {
    NodeDefinition merge{.name = FreeName(StrCat(loop->prefix, "merge")),
                         .op = &OpWithRole(OpRole::kMerge),
                         .inputs = {entered, Output()}};
    SF_ASSIGN_OR_RETURN(loop->merges.emplace_back(), AddDefinition(std::move(merge), {1}, {entered.dtype()}));
    return absl::OkStatus();
  };
  for (size_t i = 0; i < inputs.size(); ++i) {
    const bool invariant = is_invariant(i);
    SF_ASSIGN_OR_RETURN(const Output entered, enter(inputs[i], invariant));
    loop->tested.push_back(entered);
    if (invariant) continue;
    SF_RETURN_IF_ERROR(carry(entered));
    loop->carried.push_back(static_cast<int>(i));
    loop->tested.back() = loop->merges.back()->output(0);
  }
  if (!loop->carried.empty()) return absl::OkStatus();
  // Something must go around, for the others to happen in its turns.
  SF_ASSIGN_OR_RETURN(Node * token, Add(StrCat(loop->prefix, "token"), OpWithRole(OpRole::kConst), {}, controls,
                                        {{"dtype", DT_BOOL}, {"value", Tensor(true)}}));
  SF_ASSIGN_OR_RETURN(const Output entered, enter(token->output(0), false));
  return carry(entered);
}

absl::Status FunctionInliner::BuildCondition(const CallSite& site, Loop* loop) {
  const FunctionRef& function = site.attrs.at("cond").get<FunctionRef>();
  SF_ASSIGN_OR_RETURN(const Expansion condition,
                      ExpandFunction(function, loop->tested, StrCat(loop->prefix, "cond/"), loop->merges[0]));
  if (condition.outputs.size() != 1) {
    return absl::InvalidArgumentError(
        StrCat("function '", function.name, "' gives ", condition.outputs.size(), " results, a condition has one"));
  }
  loop->has_effects |= !condition.effects.empty();
  SF_ASSIGN_OR_RETURN(const Output pred, ToBool(StrCat(loop->prefix, "pred"), condition.outputs[0]));
  SF_ASSIGN_OR_RETURN(const Output goes_on,
                      AddPlain(StrCat(loop->prefix, "loop_cond"), OpRole::kLoopCond, pred, condition.effects));
  loop->values = loop->tested;
  for (size_t i = 0; i < loop->merges.size(); ++i) {
    SF_ASSIGN_OR_RETURN(Node * sides, Add(StrCat(loop->prefix, "switch"), OpWithRole(OpRole::kSwitch),
                                          {loop->merges[i]->output(0), goes_on}));
    SF_ASSIGN_OR_RETURN(loop->exits.emplace_back(),
                        AddPlain(StrCat(loop->prefix, "exit"), OpRole::kExit, sides->output(0)));
    SF_ASSIGN_OR_RETURN(const Output value,
                        AddPlain(StrCat(loop->prefix, "value"), OpRole::kIdentity, sides->output(1)));
    if (i == 0) loop->pivot = value.node();
    if (i < loop->carried.size()) loop->values[loop->carried[i]] = value;
  }
  return absl::OkStatus();
}

absl::Status FunctionInliner::BuildBody(const CallSite& site, Loop* loop) {
  const FunctionRef& function = site.attrs.at("body").get<FunctionRef>();
  SF_ASSIGN_OR_RETURN(const Expansion body,
                      ExpandFunction(function, loop->values, StrCat(loop->prefix, "body/"), loop->pivot));
  if (body.outputs.size() != site.inputs.size()) {
    return absl::InvalidArgumentError(StrCat("function '", function.name, "' gives ", body.outputs.size(),
                                             " results, the loop has ", site.inputs.size(), " values"));
  }
  std::vector<Node*> done;
  if (!body.effects.empty()) {
    loop->has_effects = true;
    SF_ASSIGN_OR_RETURN(done.emplace_back(), Join(StrCat(loop->prefix, "done"), body.effects));
  }
  for (size_t i = 0; i < loop->merges.size(); ++i) {
    const Output result = loop->carried.empty() ? Output(loop->pivot, 0) : body.outputs[loop->carried[i]];
    SF_ASSIGN_OR_RETURN(const Output next,
                        AddPlain(StrCat(loop->prefix, "next"), OpRole::kNextIteration, result, done));
    if (result.dtype() != loop->merges[i]->output_dtype(0)) {
      return absl::InvalidArgumentError(
          StrCat("function '", function.name, "': result ", loop->carried.empty() ? 0 : loop->carried[i], " is ",
                 DataTypeName(result.dtype()), ", the loop carries ", DataTypeName(loop->merges[i]->output_dtype(0))));
    }
    SF_RETURN_IF_ERROR(loop->merges[i]->ReplaceInput(1, next));
  }
  return absl::OkStatus();
}

absl::StatusOr<FunctionInliner::Expansion> FunctionInliner::LowerWhile(const CallSite& site) {
  SF_ASSIGN_OR_RETURN(const FunctionBody* body, functions_.Find(site.attrs.at("body").get<FunctionRef>().name));
  Loop loop{.prefix = StrCat(site.name, "/")};
  SF_RETURN_IF_ERROR(EnterLoop(site, *body, &loop));
  const auto shapes = site.attrs.find("output_shapes");
  const auto* known = shapes == site.attrs.end() ? nullptr : shapes->second.find<std::vector<Shape>>();
  for (size_t i = 0; known != nullptr && known->size() == site.inputs.size() && i < loop.carried.size(); ++i) {
    SF_RETURN_IF_ERROR(loop.merges[i]->MergeOutputShape(0, (*known)[loop.carried[i]]));
  }
  SF_RETURN_IF_ERROR(BuildCondition(site, &loop));
  SF_RETURN_IF_ERROR(BuildBody(site, &loop));
  Expansion expansion{.outputs = site.inputs};
  for (size_t i = 0; i < loop.carried.size(); ++i) expansion.outputs[loop.carried[i]] = loop.exits[i];
  if (loop.has_effects) expansion.effects.push_back(loop.exits[0].node());
  if (!site.controls.empty())
    expansion.effects.insert(expansion.effects.end(), site.controls.begin(), site.controls.end());
  return expansion;
}

}  // namespace staticflow
