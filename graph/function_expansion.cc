#include "graph/function_expansion.h"

#include <algorithm>
#include <memory>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/status.h"

namespace staticflow {
namespace {

using absl::InvalidArgumentError;
using absl::StrCat;

// `value` with the attributes of a call in place of its placeholders.
absl::StatusOr<AttrValue> Substitute(const AttrValue& value, const AttrMap& binding);

absl::StatusOr<FunctionRef> SubstituteFunction(const FunctionRef& function, const AttrMap& binding) {
  if (function.attrs == nullptr) return function;
  auto attrs = std::make_shared<AttrMap>();
  for (const auto& [name, value] : *function.attrs) {
    SF_ASSIGN_OR_RETURN((*attrs)[name], Substitute(value, binding));
  }
  return FunctionRef{.name = function.name, .attrs = std::move(attrs)};
}

absl::StatusOr<AttrValue> Substitute(const AttrValue& value, const AttrMap& binding) {
  if (const auto* placeholder = value.find<AttrPlaceholder>()) {
    const auto it = binding.find(placeholder->name);
    if (it != binding.end()) return it->second;
    return InvalidArgumentError(StrCat("it stands for attribute '", placeholder->name, "', which the function lacks"));
  }
  if (const auto* function = value.find<FunctionRef>()) {
    SF_ASSIGN_OR_RETURN(FunctionRef filled, SubstituteFunction(*function, binding));
    return AttrValue(std::move(filled));
  }
  const auto* functions = value.find<std::vector<FunctionRef>>();
  if (functions == nullptr) return value;
  std::vector<FunctionRef> filled;
  for (const FunctionRef& function : *functions) {
    SF_ASSIGN_OR_RETURN(filled.emplace_back(), SubstituteFunction(function, binding));
  }
  return AttrValue(std::move(filled));
}

bool HasEffect(const Op& op) {
  if (op.has(kAlwaysRuns)) return true;
  if (op.has(kStepObjects)) return false;  // whoever uses the object waits for it
  return op.has(kStateful) && !op.is(OpRole::kVariable) && !op.is(OpRole::kVarHandle) && !op.is(OpRole::kReadVariable);
}

// State that a body makes without a name of its own is known by the node's name in the body, to every call.
void NameState(const BodyNode& node, AttrMap* attrs) {
  const AttrDef* def = node.op->FindAttr("shared_name");
  if (def == nullptr || def->kind != AttrKind::kString || def->is_list) return;
  AttrValue& name = (*attrs)["shared_name"];
  if (!name.is<std::string>() || name.get<std::string>().empty()) name = node.name;
}

bool IsCallOp(const Op& op) {
  return op.is(OpRole::kCall) || op.is(OpRole::kIf) || op.is(OpRole::kCase) || op.is(OpRole::kWhile);
}

std::vector<ArgType> TypesOf(absl::Span<const Output> outputs) {
  std::vector<ArgType> types;
  for (Output output : outputs) {
    types.push_back(output.valid() ? ArgType{output.dtype(), output.is_ref()} : ArgType{});
  }
  return types;
}

std::vector<FunctionRef> Functions(const AttrMap& attrs, absl::string_view name) {
  const auto it = attrs.find(name);
  if (it == attrs.end()) return {};
  if (const auto* function = it->second.find<FunctionRef>()) return {*function};
  const auto* functions = it->second.find<std::vector<FunctionRef>>();
  return functions == nullptr ? std::vector<FunctionRef>() : *functions;
}

}  // namespace

struct FunctionInliner::Placement {
  // What stands for a node of the body.
  struct Placed {
    Node* node = nullptr;  // null for a call without effects, until something waits for it
    std::vector<Output> outputs = {};
    const Op* signature = nullptr;  // names the outputs: the op, or the function that is called by its name
    AttrMap attrs = {};             // of the signature
    std::string name = "";          // of the call
  };
  struct BackEdge {
    int merge_of = 0;  // node of the body
    int input = 0;
    BodySource source;
  };
  const FunctionBody& body;
  const AttrMap& binding;
  const std::vector<Output>& arguments;
  const std::string& prefix;
  Node* pivot;
  std::vector<int> first_argument = {};       // by input of the signature; then their number
  std::vector<Node*> argument_controls = {};  // stand for an argument in control edges, once they are needed
  std::vector<Placed> placed = {};            // by node of the body
  std::vector<Node*> effects = {};
  std::vector<BackEdge> back_edges = {};
};

absl::StatusOr<std::vector<ArgType>> FunctionInliner::CheckCall(CallSite* site) {
  const Op* signature = site->op;
  if (signature == nullptr) {
    SF_ASSIGN_OR_RETURN(const FunctionBody* body, functions_.Find(site->function.name));
    signature = &body->signature;
  }
  const std::vector<ArgType> inputs = TypesOf(site->inputs);
  SF_RETURN_IF_ERROR(InferAttrs(*signature, inputs, &site->attrs));
  SF_RETURN_IF_ERROR(CheckAttrs(*signature, &site->attrs));
  SF_ASSIGN_OR_RETURN(const std::vector<ArgType> expected, ExpandArgs(signature->inputs, site->attrs));
  SF_RETURN_IF_ERROR(CheckInputs(*signature, expected, inputs));
  return ExpandArgs(signature->outputs, site->attrs);
}

absl::Status FunctionInliner::CheckResults(const Expansion& expansion, absl::Span<const ArgType> types) const {
  if (expansion.outputs.size() != types.size()) {
    return InvalidArgumentError(
        StrCat("the function gives ", expansion.outputs.size(), " results, the call has ", types.size(), " outputs"));
  }
  for (size_t i = 0; i < types.size(); ++i) {
    const DataType type = expansion.outputs[i].dtype();
    if (type == types[i].dtype) continue;
    return InvalidArgumentError(StrCat("result ", i, " of the function is ", DataTypeName(type), ", the call says ",
                                       DataTypeName(types[i].dtype)));
  }
  return absl::OkStatus();
}

absl::StatusOr<FunctionInliner::Expansion> FunctionInliner::ExpandCall(const CallSite& site) {
  if (site.op == nullptr) return LowerCall(site, site.function, false);
  switch (site.op->spec.role) {
    case OpRole::kIf: {
      std::vector<FunctionRef> branches = Functions(site.attrs, "then_branch");
      for (FunctionRef& other : Functions(site.attrs, "else_branch")) branches.push_back(std::move(other));
      return LowerBranches(site, branches, {"then", "else"});
    }
    case OpRole::kCase: {
      const std::vector<FunctionRef> branches = Functions(site.attrs, "branches");
      std::vector<std::string> names;
      for (size_t i = 0; i < branches.size(); ++i) names.push_back(StrCat("branch", i));
      return LowerBranches(site, branches, names);
    }
    case OpRole::kWhile:
      return site.attrs.contains("cond") ? LowerWhile(site) : LowerFor(site);
    default:
      if (CallsGradient(*site.op)) return LowerGradient(site);
      return LowerCall(site, site.attrs.at("f").get<FunctionRef>(), site.op->has(kStateful));
  }
}

absl::StatusOr<FunctionInliner::Expansion> FunctionInliner::ExpandFunction(const FunctionRef& function,
                                                                           std::vector<Output> arguments,
                                                                           const std::string& prefix, Node* pivot) {
  SF_ASSIGN_OR_RETURN(const FunctionBody* body, functions_.Find(function.name));
  const auto expand = [&]() -> absl::StatusOr<Expansion> {
    const auto open = std::find(open_calls_.begin(), open_calls_.end(), function.name);
    if (open != open_calls_.end()) {
      return InvalidArgumentError(StrCat("functions call each other in a circle: ",
                                         absl::StrJoin(open, open_calls_.end(), " -> "), " -> ", function.name));
    }
    if (static_cast<int>(open_calls_.size()) >= limits_.max_depth) {
      return absl::ResourceExhaustedError(StrCat("calls are nested deeper than ", limits_.max_depth));
    }
    AttrMap binding = function.attrs == nullptr ? AttrMap() : *function.attrs;
    const std::vector<ArgType> types = TypesOf(arguments);
    SF_RETURN_IF_ERROR(InferAttrs(body->signature, types, &binding));
    SF_RETURN_IF_ERROR(CheckAttrs(body->signature, &binding));
    SF_ASSIGN_OR_RETURN(const std::vector<ArgType> expected, ExpandArgs(body->signature.inputs, binding));
    SF_RETURN_IF_ERROR(CheckInputs(body->signature, expected, types));
    SF_ASSIGN_OR_RETURN(const std::vector<ArgType> results, ExpandArgs(body->signature.outputs, binding));
    open_calls_.push_back(function.name);
    SF_ASSIGN_OR_RETURN(Expansion expansion, ExpandBody(*body, binding, arguments, prefix, pivot));
    open_calls_.pop_back();
    SF_RETURN_IF_ERROR(CheckResults(expansion, results));
    return expansion;
  };
  absl::StatusOr<Expansion> expansion = expand();
  if (!expansion.ok()) return Annotate(expansion.status(), StrCat("function '", function.name, "': "));
  return expansion;
}

absl::StatusOr<FunctionInliner::Expansion> FunctionInliner::ExpandBody(const FunctionBody& body, const AttrMap& binding,
                                                                       const std::vector<Output>& arguments,
                                                                       const std::string& prefix, Node* pivot) {
  Placement placement{.body = body, .binding = binding, .arguments = arguments, .prefix = prefix, .pivot = pivot};
  placement.argument_controls.resize(body.signature.inputs.size());
  placement.placed.resize(body.nodes.size());
  placement.first_argument = {0};
  for (const ArgDef& arg : body.signature.inputs) {
    SF_ASSIGN_OR_RETURN(const int64_t length, ArgLength(arg, binding));
    placement.first_argument.push_back(placement.first_argument.back() + static_cast<int>(length));
  }
  for (size_t i = 0; i < body.nodes.size(); ++i) {
    absl::Status status = PlaceNode(static_cast<int>(i), placement);
    if (!status.ok()) return Annotate(status, StrCat("node '", body.nodes[i].name, "': "));
  }
  SF_RETURN_IF_ERROR(CloseLoops(placement));
  Expansion expansion{.outputs = {}, .effects = std::move(placement.effects)};
  for (size_t i = 0; i < body.results.size(); ++i) {
    absl::StatusOr<std::vector<Output>> result = Resolve(body.results[i], placement);
    if (!result.ok()) return Annotate(result.status(), StrCat("result '", body.signature.outputs[i].name, "': "));
    expansion.outputs.insert(expansion.outputs.end(), result->begin(), result->end());
  }
  for (int control : body.control_results) {
    SF_ASSIGN_OR_RETURN(Node * node, NodeOf(control, placement));
    if (!absl::c_linear_search(expansion.effects, node)) expansion.effects.push_back(node);
  }
  return expansion;
}

absl::StatusOr<std::vector<Output>> FunctionInliner::Resolve(const BodySource& source,
                                                             const Placement& placement) const {
  std::vector<Output> outputs;
  if (source.node < 0) {
    const int begin = placement.first_argument[source.argument], end = placement.first_argument[source.argument + 1];
    outputs.assign(placement.arguments.begin() + begin, placement.arguments.begin() + end);
  } else {
    const Placement::Placed& placed = placement.placed[source.node];
    int begin = 0;
    bool found = false;
    for (const ArgDef& arg : placed.signature->outputs) {
      SF_ASSIGN_OR_RETURN(const int64_t length, ArgLength(arg, placed.attrs));
      found = arg.name == source.output;
      if (found) outputs.assign(placed.outputs.begin() + begin, placed.outputs.begin() + begin + length);
      if (found) break;
      begin += static_cast<int>(length);
    }
    if (!found) {
      const BodyNode& node = placement.body.nodes[source.node];
      return InvalidArgumentError(StrCat(node.type, " '", node.name, "' has no output '", source.output, "'"));
    }
  }
  if (source.element < 0) return outputs;
  if (source.element >= static_cast<int>(outputs.size())) {
    return InvalidArgumentError(StrCat("element ", source.element, " of a list of ", outputs.size()));
  }
  return std::vector<Output>{outputs[source.element]};
}

absl::Status FunctionInliner::PlaceNode(int index, Placement& placement) {
  const BodyNode& node = placement.body.nodes[index];
  CallSite site{.name = StrCat(placement.prefix, node.name), .op = node.op};
  for (const auto& [name, value] : node.attrs) {
    absl::StatusOr<AttrValue> filled = Substitute(value, placement.binding);
    if (!filled.ok()) return Annotate(filled.status(), StrCat("attribute '", name, "': "));
    site.attrs[name] = *std::move(filled);
  }
  std::vector<int> missing;
  std::vector<DataType> missing_types;
  for (const BodySource& input : node.inputs) {
    if (input.node >= index) {  // a NextIteration, which comes later
      missing.push_back(static_cast<int>(site.inputs.size()));
      const auto type = site.attrs.find("T");
      missing_types.push_back(type == site.attrs.end() || !type->second.is<DataType>() ? DT_INVALID
                                                                                       : type->second.get<DataType>());
      placement.back_edges.push_back({.merge_of = index, .input = missing.back(), .source = input});
      site.inputs.push_back(Output());
      continue;
    }
    SF_ASSIGN_OR_RETURN(const std::vector<Output> outputs, Resolve(input, placement));
    site.inputs.insert(site.inputs.end(), outputs.begin(), outputs.end());
  }
  SF_RETURN_IF_ERROR(AddControls(node, placement, &site));
  const bool is_call = node.op == nullptr || IsCallOp(*node.op);
  if (is_call) return PlaceCall(node, std::move(site), index, placement);
  NameState(node, &site.attrs);
  NodeDefinition definition{.name = FreeName(site.name),
                            .op = node.op,
                            .inputs = std::move(site.inputs),
                            .control_inputs = std::move(site.controls),
                            .attrs = std::move(site.attrs),
                            .device = node.device};
  if (node.op->is(OpRole::kEnter)) {
    // Two calls of one function have loops of their own.
    const auto frame = definition.attrs.find("frame_name");
    if (frame != definition.attrs.end() && frame->second.is<std::string>()) {
      frame->second = StrCat(placement.prefix, frame->second.get<std::string>());
    }
  }
  SF_ASSIGN_OR_RETURN(Node * added, AddDefinition(std::move(definition), missing, missing_types));
  Placement::Placed& placed = placement.placed[index];
  placed = {.node = added, .signature = &added->op(), .attrs = added->attrs()};
  for (int i = 0; i < added->num_outputs(); ++i) placed.outputs.push_back(added->output(i));
  if (HasEffect(added->op())) placement.effects.push_back(added);
  return absl::OkStatus();
}

absl::Status FunctionInliner::AddControls(const BodyNode& node, Placement& placement, CallSite* site) {
  for (int control : node.control_nodes) {
    SF_ASSIGN_OR_RETURN(site->controls.emplace_back(), NodeOf(control, placement));
  }
  for (int control : node.control_arguments) {
    Node*& stand_in = placement.argument_controls[control];
    const int first = placement.first_argument[control];
    if (first == placement.first_argument[control + 1]) continue;
    if (stand_in == nullptr) {
      const std::string name = StrCat(placement.prefix, placement.body.signature.inputs[control].name);
      SF_ASSIGN_OR_RETURN(const Output output, AddPlain(name, OpRole::kIdentity, placement.arguments[first]));
      stand_in = output.node();
    }
    site->controls.push_back(stand_in);
  }
  // Within a branch or loop, what has no inputs would run elsewhere; and effects wait for the whole call.
  bool is_effect = node.op != nullptr && (HasEffect(*node.op) || node.op->is(OpRole::kReadVariable));
  if (node.op == nullptr && functions_.Contains(node.type)) {
    SF_ASSIGN_OR_RETURN(const FunctionBody* body, functions_.Find(node.type));
    is_effect = body->is_stateful;
  }
  const bool waits = is_effect || (site->inputs.empty() && site->controls.empty());
  if (waits && placement.pivot != nullptr && !absl::c_linear_search(site->controls, placement.pivot)) {
    site->controls.push_back(placement.pivot);
  }
  site->pivot = placement.pivot;
  return absl::OkStatus();
}

absl::Status FunctionInliner::PlaceCall(const BodyNode& node, CallSite site, int index, Placement& placement) {
  Placement::Placed& placed = placement.placed[index];
  if (node.op == nullptr) {
    if (!functions_.Contains(node.type)) {
      return absl::NotFoundError(StrCat("there is no op and no function '", node.type, "'"));
    }
    auto attrs = std::make_shared<AttrMap>();
    for (const auto& [name, value] : site.attrs) {
      if (!absl::StartsWith(name, "_")) attrs->try_emplace(name, value);
    }
    site.function = {.name = node.type, .attrs = std::move(attrs)};
  }
  site.name = FreeName(site.name);
  SF_ASSIGN_OR_RETURN(const std::vector<ArgType> types, CheckCall(&site));
  SF_ASSIGN_OR_RETURN(Node * kept, KeptCall(site));
  Expansion expansion;
  if (kept != nullptr) {
    for (int i = 0; i < kept->num_outputs(); ++i) expansion.outputs.push_back(kept->output(i));
  } else {
    SF_ASSIGN_OR_RETURN(expansion, ExpandCall(site));
  }
  SF_RETURN_IF_ERROR(CheckResults(expansion, types));
  placed.signature = node.op;
  if (node.op == nullptr) {
    SF_ASSIGN_OR_RETURN(const FunctionBody* body, functions_.Find(node.type));
    placed.signature = &body->signature;
  }
  placed.attrs = std::move(site.attrs);
  placed.name = std::move(site.name);
  placed.outputs = std::move(expansion.outputs);
  if (expansion.effects.empty()) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(placed.node, AddStandIn(placed.name, placed.outputs, std::move(expansion.effects)));
  for (size_t i = 0; i < placed.outputs.size(); ++i) placed.outputs[i] = placed.node->output(static_cast<int>(i));
  placement.effects.push_back(placed.node);
  return absl::OkStatus();
}

// The node that stands for all of a node of the body in control edges.
absl::StatusOr<Node*> FunctionInliner::NodeOf(int index, Placement& placement) {
  Placement::Placed& placed = placement.placed[index];
  if (placed.node == nullptr) {
    SF_ASSIGN_OR_RETURN(placed.node, AddStandIn(placed.name, placed.outputs, {}));
  }
  return placed.node;
}

absl::StatusOr<Node*> FunctionInliner::AddStandIn(const std::string& name, std::vector<Output> outputs,
                                                  std::vector<Node*> effects) {
  NodeDefinition definition{.name = name,
                            .op = outputs.empty() ? &OpWithRole(OpRole::kNoOp) : &IdentityNOp(),
                            .inputs = std::move(outputs),
                            .control_inputs = std::move(effects)};
  return AddDefinition(std::move(definition), {}, {});
}

absl::Status FunctionInliner::CloseLoops(Placement& placement) {
  for (const Placement::BackEdge& edge : placement.back_edges) {
    Node* merge = placement.placed[edge.merge_of].node;
    SF_ASSIGN_OR_RETURN(const std::vector<Output> outputs, Resolve(edge.source, placement));
    if (outputs.size() != 1) return InvalidArgumentError(StrCat(merge->DebugName(), ": an input is a list"));
    SF_RETURN_IF_ERROR(merge->ReplaceInput(edge.input, outputs[0]));
  }
  return absl::OkStatus();
}

}  // namespace staticflow
