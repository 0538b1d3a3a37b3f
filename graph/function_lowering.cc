// What stands around the bodies of branches and loops: Switch and Merge, and the frames of while loops.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/function_expansion.h"
#include "graph/status.h"
#include "graph/variable_key.h"

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
  std::vector<bool> invariant = {};  // by input: the same in all iterations
  std::vector<int> carried = {};     // inputs that change from one iteration to the next
  std::vector<Node*> merges = {};    // by carried value
  std::vector<Output> exits = {};    // by carried value
  std::vector<Output> tested = {};   // by input: as the condition sees it
  std::vector<Output> values = {};   // by input: as the body sees it
  Node* pivot = nullptr;             // of the body
  bool has_effects = false;
};

namespace {

// Whether each of `inputs` is a resource, or returned as it came by a body whose argument it is after `first` others.
std::vector<bool> InvariantInputs(const FunctionBody& body, absl::Span<const Output> inputs, int first) {
  std::vector<bool> invariant;
  const bool one_each = body.results.size() + first == body.signature.inputs.size();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const bool is_passed_on = one_each && i < body.results.size() && body.results[i].node < 0 &&
                              body.results[i].argument == static_cast<int>(i) + first;
    invariant.push_back(inputs[i].dtype() == DT_RESOURCE || is_passed_on);
  }
  return invariant;
}

}  // namespace

absl::Status FunctionInliner::EnterLoop(const CallSite& site, absl::Span<const Output> inputs,
                                        absl::Span<Node* const> controls, Loop* loop) {
  const std::vector<Node*> after(controls.begin(), controls.end());
  const auto parallel = site.attrs.find("parallel_iterations");
  const auto enter = [&](Output input, bool is_constant) -> absl::StatusOr<Output> {
    AttrMap attrs = {{"frame_name", StrCat(site.name, "/frame")}, {"is_constant", is_constant}};
    if (parallel != site.attrs.end()) attrs["parallel_iterations"] = parallel->second;
    SF_ASSIGN_OR_RETURN(Node * node,
                        Add(StrCat(loop->prefix, "enter"), OpWithRole(OpRole::kEnter), {input}, after, attrs));
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
    SF_ASSIGN_OR_RETURN(const Output entered, enter(inputs[i], loop->invariant[i]));
    loop->tested.push_back(entered);
    if (loop->invariant[i]) continue;
    SF_RETURN_IF_ERROR(carry(entered));
    loop->carried.push_back(static_cast<int>(i));
    loop->tested.back() = loop->merges.back()->output(0);
  }
  if (!loop->carried.empty()) return absl::OkStatus();
  // Something must go around, for the others to happen in its turns.
  SF_ASSIGN_OR_RETURN(Node * token, Add(StrCat(loop->prefix, "token"), OpWithRole(OpRole::kConst), {}, after,
                                        {{"dtype", DT_BOOL}, {"value", Tensor(true)}}));
  SF_ASSIGN_OR_RETURN(const Output entered, enter(token->output(0), false));
  return carry(entered);
}

absl::Status FunctionInliner::TestLoop(const Expansion& condition, Loop* loop) {
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

absl::Status FunctionInliner::CloseLoop(const Expansion& body, Loop* loop) {
  std::vector<Node*> done;
  if (!body.effects.empty()) {
    loop->has_effects = true;
    SF_ASSIGN_OR_RETURN(done.emplace_back(), Join(StrCat(loop->prefix, "done"), body.effects));
  }
  for (size_t i = 0; i < loop->merges.size(); ++i) {
    const Output result = loop->carried.empty() ? Output(loop->pivot, 0) : body.outputs[loop->carried[i]];
    SF_ASSIGN_OR_RETURN(const Output next,
                        AddPlain(StrCat(loop->prefix, "next"), OpRole::kNextIteration, result, done));
    SF_RETURN_IF_ERROR(loop->merges[i]->ReplaceInput(1, next));
  }
  return absl::OkStatus();
}

absl::StatusOr<FunctionInliner::Expansion> FunctionInliner::ExpandLoopBody(const FunctionRef& function,
                                                                           std::vector<Output> arguments,
                                                                           absl::Span<const Output> inputs,
                                                                           const Loop& loop) {
  SF_ASSIGN_OR_RETURN(Expansion body,
                      ExpandFunction(function, std::move(arguments), StrCat(loop.prefix, "body/"), loop.pivot));
  if (body.outputs.size() != inputs.size()) {
    return absl::InvalidArgumentError(StrCat("function '", function.name, "' gives ", body.outputs.size(),
                                             " results, the loop has ", inputs.size(), " values"));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dtype() == DT_RESOURCE && VariableBehind(body.outputs[i]) != VariableBehind(inputs[i])) {
      return absl::UnimplementedError(StrCat("function '", function.name, "': result ", i,
                                             " is another variable than the one that the loop began with"));
    }
    if (body.outputs[i].dtype() == inputs[i].dtype()) continue;
    return absl::InvalidArgumentError(StrCat("function '", function.name, "': result ", i, " is ",
                                             DataTypeName(body.outputs[i].dtype()), ", the loop carries ",
                                             DataTypeName(inputs[i].dtype())));
  }
  return body;
}

absl::StatusOr<FunctionInliner::Expansion> FunctionInliner::LowerWhile(const CallSite& site) {
  const FunctionRef& test = site.attrs.at("cond").get<FunctionRef>();
  const FunctionRef& function = site.attrs.at("body").get<FunctionRef>();
  SF_ASSIGN_OR_RETURN(const FunctionBody* body, functions_.Find(function.name));
  Loop loop{.prefix = StrCat(site.name, "/"), .invariant = InvariantInputs(*body, site.inputs, 0)};
  SF_ASSIGN_OR_RETURN(Node * start, StartOf(site, false));
  if (start == nullptr) start = site.pivot;
  SF_RETURN_IF_ERROR(EnterLoop(site, site.inputs, absl::MakeConstSpan(&start, start == nullptr ? 0 : 1), &loop));
  const auto shapes = site.attrs.find("output_shapes");
  const auto* known = shapes == site.attrs.end() ? nullptr : shapes->second.find<std::vector<Shape>>();
  for (size_t i = 0; known != nullptr && known->size() == site.inputs.size() && i < loop.carried.size(); ++i) {
    SF_RETURN_IF_ERROR(loop.merges[i]->MergeOutputShape(0, (*known)[loop.carried[i]]));
  }
  SF_ASSIGN_OR_RETURN(const Expansion condition,
                      ExpandFunction(test, loop.tested, StrCat(loop.prefix, "cond/"), loop.merges[0]));
  if (condition.outputs.size() != 1) {
    return absl::InvalidArgumentError(
        StrCat("function '", test.name, "' gives ", condition.outputs.size(), " results, a condition has one"));
  }
  SF_RETURN_IF_ERROR(TestLoop(condition, &loop));
  SF_ASSIGN_OR_RETURN(const Expansion round, ExpandLoopBody(function, loop.values, site.inputs, loop));
  SF_RETURN_IF_ERROR(CloseLoop(round, &loop));
  Expansion expansion{.outputs = site.inputs};
  for (size_t i = 0; i < loop.carried.size(); ++i) expansion.outputs[loop.carried[i]] = loop.exits[i];
  if (loop.has_effects) expansion.effects.push_back(loop.exits[0].node());
  expansion.effects.insert(expansion.effects.end(), site.controls.begin(), site.controls.end());
  return expansion;
}

// up ? i < limit : down && limit < i
absl::StatusOr<Output> FunctionInliner::IsBeforeLimit(const std::string& prefix, Output i, const Count& count) {
  SF_ASSIGN_OR_RETURN(Node * below, Add(StrCat(prefix, "below"), LessOp(), {i, count.limit}));
  SF_ASSIGN_OR_RETURN(Node * above, Add(StrCat(prefix, "above"), LessOp(), {count.limit, i}));
  SF_ASSIGN_OR_RETURN(Node * falls,
                      Add(StrCat(prefix, "falls"), SelectOp(), {count.down, above->output(0), count.down}));
  SF_ASSIGN_OR_RETURN(Node * goes_on,
                      Add(StrCat(prefix, "goes_on"), SelectOp(), {count.up, below->output(0), falls->output(0)}));
  return goes_on->output(0);
}

absl::StatusOr<FunctionInliner::Count> FunctionInliner::ReadCount(const CallSite& site, Node* start) {
  std::vector<Node*> controls;
  if (start != nullptr) controls.push_back(start);
  const std::string prefix = StrCat(site.name, "/");
  SF_ASSIGN_OR_RETURN(Node * zero, Add(StrCat(prefix, "zero"), OpWithRole(OpRole::kConst), {}, controls,
                                       {{"dtype", DT_INT32}, {"value", Tensor::Of<int32_t>({}, {0})}}));
  const Output first = site.inputs[0], limit = site.inputs[1], delta = site.inputs[2];
  SF_ASSIGN_OR_RETURN(Node * up, Add(StrCat(prefix, "up"), LessOp(), {zero->output(0), delta}));
  SF_ASSIGN_OR_RETURN(Node * down, Add(StrCat(prefix, "down"), LessOp(), {delta, zero->output(0)}));
  Count count{.limit = limit, .delta = delta, .up = up->output(0), .down = down->output(0)};
  SF_ASSIGN_OR_RETURN(const Output runs, IsBeforeLimit(StrCat(prefix, "start_"), first, count));
  SF_ASSIGN_OR_RETURN(Node * none, Add(StrCat(prefix, "none"), EqualOp(), {first, limit}));
  SF_ASSIGN_OR_RETURN(Node * valid, Add(StrCat(prefix, "valid"), SelectOp(), {none->output(0), none->output(0), runs}));
  SF_ASSIGN_OR_RETURN(Node * message,
                      Add(StrCat(prefix, "message"), OpWithRole(OpRole::kConst), {}, controls,
                          {{"dtype", DT_STRING}, {"value", Tensor("start, limit and delta do not lead to an end:")}}));
  SF_ASSIGN_OR_RETURN(count.check, Add(StrCat(prefix, "check"), AssertOp(),
                                       {valid->output(0), message->output(0), first, limit, delta}));
  return count;
}

absl::StatusOr<FunctionInliner::Expansion> FunctionInliner::LowerFor(const CallSite& site) {
  const FunctionRef& function = site.attrs.at("body").get<FunctionRef>();
  SF_ASSIGN_OR_RETURN(const FunctionBody* body, functions_.Find(function.name));
  SF_ASSIGN_OR_RETURN(Node * start, StartOf(site, false));
  SF_ASSIGN_OR_RETURN(const Count count, ReadCount(site, start == nullptr ? site.pivot : start));
  const std::vector<Output> carried(site.inputs.begin() + 3, site.inputs.end());
  std::vector<Output> inputs = {site.inputs[0], count.limit, count.delta, count.up, count.down};
  const auto first = static_cast<std::ptrdiff_t>(inputs.size());
  Loop loop{.prefix = StrCat(site.name, "/"), .invariant = {false, true, true, true, true}};
  const std::vector<bool> invariant = InvariantInputs(*body, carried, 1);
  loop.invariant.insert(loop.invariant.end(), invariant.begin(), invariant.end());
  inputs.insert(inputs.end(), carried.begin(), carried.end());
  SF_RETURN_IF_ERROR(EnterLoop(site, inputs, absl::MakeConstSpan(&count.check, 1), &loop));
  const Count seen{.limit = loop.tested[1], .delta = loop.tested[2], .up = loop.tested[3], .down = loop.tested[4]};
  SF_ASSIGN_OR_RETURN(const Output goes_on, IsBeforeLimit(loop.prefix, loop.tested[0], seen));
  SF_RETURN_IF_ERROR(TestLoop({.outputs = {goes_on}}, &loop));
  std::vector<Output> arguments = {loop.values[0]};
  arguments.insert(arguments.end(), loop.values.begin() + first, loop.values.end());
  SF_ASSIGN_OR_RETURN(Expansion round, ExpandLoopBody(function, std::move(arguments), carried, loop));
  SF_ASSIGN_OR_RETURN(Node * step, Add(StrCat(loop.prefix, "step"), AddOp(), {loop.values[0], loop.values[2]}));
  round.outputs.insert(round.outputs.begin(), loop.values.begin(), loop.values.begin() + first);
  round.outputs[0] = step->output(0);
  SF_RETURN_IF_ERROR(CloseLoop(round, &loop));
  Expansion expansion{.outputs = carried, .effects = {count.check, loop.exits[0].node()}};
  for (size_t i = 1; i < loop.carried.size(); ++i) expansion.outputs[loop.carried[i] - first] = loop.exits[i];
  expansion.effects.insert(expansion.effects.end(), site.controls.begin(), site.controls.end());
  return expansion;
}

}  // namespace staticflow
