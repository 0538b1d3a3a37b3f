#include "graph/function_inliner.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "graph/function_expansion.h"
#include "graph/graph_index.h"
#include "graph/shape_inference.h"
#include "graph/status.h"
#include "graph/topological_order.h"

namespace staticflow {
namespace {

// Filled before main() by the family of ops that calls functions.
InliningOps& TheInliningOps() {
  static InliningOps& ops = *new InliningOps;
  return ops;
}

const Op& Registered(const std::string& type) {
  const Op* op = FindOp(type);
  SF_CHECK(op != nullptr);
  return *op;
}

}  // namespace

InliningOpsRegistrar::InliningOpsRegistrar(InliningOps ops) { TheInliningOps() = std::move(ops); }
const Op& IdentityNOp() { return Registered(TheInliningOps().identity_n); }
const Op& ToBoolOp() { return Registered(TheInliningOps().to_bool); }
const Op& EqualOp() { return Registered(TheInliningOps().equal); }
const Op& LessOp() { return Registered(TheInliningOps().less); }
const Op& SelectOp() { return Registered(TheInliningOps().select); }
const Op& AddOp() { return Registered(TheInliningOps().add); }
const Op& AssertOp() { return Registered(TheInliningOps().assertion); }
bool CallsGradient(const Op& op) { return op.name() == TheInliningOps().symbolic_gradient; }

const Op& SwitchReferenceOp() { return Registered(TheInliningOps().switch_reference); }
bool SelectsReference(const Op& op) { return op.name() == TheInliningOps().select_reference; }

bool IsCall(const Node& node) {
  const Op& op = node.op();
  return op.is(OpRole::kCall) || op.is(OpRole::kIf) || op.is(OpRole::kCase) || op.is(OpRole::kWhile);
}

absl::StatusOr<CallDefinition> DefineCall(const Graph& g, const std::string& function,
                                          absl::Span<const Output> inputs) {
  FunctionBodies functions(g.function_library());
  SF_ASSIGN_OR_RETURN(const FunctionBody* body, functions.Find(function));
  std::vector<ArgType> types;
  for (Output input : inputs) types.push_back({input.dtype(), input.is_ref()});
  CallDefinition call{.op = OpThatCalls(*body)};
  SF_ASSIGN_OR_RETURN(call.attrs, AttrsOfCall(*body, {}, types));
  if (call.op == nullptr) return absl::UnimplementedError("no op that calls functions is registered");
  return call;
}

absl::Status InlineCalls(Graph& g, absl::Span<Node* const> calls, const InlineLimits& limits) {
  if (calls.empty()) return absl::OkStatus();
  return FunctionInliner(g, g, limits).Inline(calls);
}

absl::Status InlineForGradient(Graph& g, absl::Span<Node* const> calls, const InlineLimits& limits) {
  FunctionInliner inliner(g, g, limits);
  inliner.KeepCustomGradients();
  return inliner.Inline(calls);
}

absl::Status InlineCallsBetween(absl::Span<const Output> ys, absl::Span<const Output> xs) {
  if (ys.empty() || xs.empty()) return absl::OkStatus();
  Graph& g = ys[0].graph();
  if (std::none_of(g.nodes().begin(), g.nodes().end(), [](const auto& node) { return IsCall(*node); })) {
    return absl::OkStatus();
  }
  std::vector<const Node*> roots;
  for (Output x : xs) roots.push_back(x.node());
  const std::vector<bool> from_x = DependentsOf(g, roots, [](const Node& node, std::vector<const Node*>* sources) {
    for (Output input : node.inputs()) {
      if (input.valid()) sources->push_back(input.node());
    }
  });
  std::vector<bool> to_y(g.num_nodes(), false);
  std::vector<Node*> stack, calls;
  const auto reach = [&](Node* node) {
    if (!from_x[node->id()] || to_y[node->id()]) return;
    to_y[node->id()] = true;
    stack.push_back(node);
  };
  for (Output y : ys) reach(y.node());
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    if (IsCall(*node) && g.FindCustomGradient(*node) == nullptr) calls.push_back(node);
    for (Output input : node->inputs()) {
      if (input.valid()) reach(input.node());
    }
  }
  return calls.empty() ? absl::OkStatus() : InlineForGradient(g, calls);
}

absl::StatusOr<InlinedCopy> CopyWithInlinedCalls(const Graph& g, absl::Span<Node* const> nodes,
                                                 absl::Span<Node* const> calls, absl::Span<const Output> fed,
                                                 const InlineLimits& limits) {
  auto graph = std::make_shared<Graph>(Graph::Options{.seed = g.seed()});
  InlinedCopy copy = FunctionInliner::Copy(g, nodes, graph);
  std::vector<Node*> copied_calls;
  for (const Node* call : calls) copied_calls.push_back(copy.nodes.at(call));
  std::vector<Output> kept;
  for (Output output : fed) kept.push_back(Output(copy.nodes.at(output.node()), output.index()));
  FunctionInliner inliner(*graph, g, limits);
  SF_RETURN_IF_ERROR(inliner.Inline(copied_calls));
  inliner.PassBy(copied_calls, kept);
  SF_RETURN_IF_ERROR(FunctionInliner(*graph, g, limits).ChooseVariables(kept));
  return copy;
}

void FunctionInliner::CopyCollections(const Graph& g, const InlinedCopy& made, Graph& copy) {
  const auto find = [&](const Node* node) {
    const auto it = made.nodes.find(node);
    return it == made.nodes.end() ? nullptr : it->second;
  };
  const auto move = [&](Output output) {
    Node* node = output.valid() ? find(output.node()) : nullptr;
    return node == nullptr ? Output() : Output(node, output.index());
  };
  absl::flat_hash_map<const Variable*, std::vector<absl::string_view>> keys;
  for (const auto& [key, variables] : g.index_->variable_collections) {
    for (const Variable* variable : variables) keys[variable].push_back(key);
  }
  for (const Variable& variable : g.variables_) {
    Node* node = find(variable.variable);
    if (node == nullptr) continue;
    Variable moved = variable;
    moved.variable = node;
    moved.initializer = find(variable.initializer);
    moved.initial_value = move(variable.initial_value);
    moved.snapshot = move(variable.snapshot);
    copy.AddVariable(std::move(moved), keys[&variable]);
  }
  for (const auto& [key, items] : g.index_->collections) {
    for (CollectionItem item : items) {
      item.node = find(item.node);
      if (item.node != nullptr) copy.AddToCollection(key, item);
    }
  }
}

InlinedCopy FunctionInliner::Copy(const Graph& g, absl::Span<Node* const> nodes, std::shared_ptr<Graph> copy) {
  std::vector<bool> wanted(g.num_nodes(), false);
  std::vector<const Node*> open;
  const auto want = [&](const Node* node) {
    if (wanted[node->id()]) return;
    wanted[node->id()] = true;
    open.push_back(node);
  };
  for (const Node* node : nodes) want(node);
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    for (Output input : node->inputs()) {
      if (input.valid()) want(input.node());
    }
    for (const Node* control : node->control_inputs()) want(control);
  }
  InlinedCopy result;
  for (const auto& original : g.nodes()) {
    if (!wanted[original->id()]) continue;
    auto node = std::make_unique<Node>(*original);
    node->graph_ = copy.get();
    node->id_ = copy->num_nodes();
    node->context_ = nullptr;
    copy->index_->by_name.emplace(node->name(), node.get());
    result.nodes[original.get()] = node.get();
    copy->nodes_.push_back(std::move(node));
  }
  // Edges may lead back, so they are set when all nodes are there.
  for (const auto& node : copy->nodes_) {
    for (Output& input : node->inputs_) {
      if (input.valid()) input = Output(result.nodes.at(input.node()), input.index());
    }
    for (Node*& control : node->control_inputs_) control = result.nodes.at(control);
  }
  CopyCollections(g, result, *copy);
  copy->function_library() = g.function_library();
  result.graph = std::move(copy);
  return result;
}

absl::Status FunctionInliner::Inline(absl::Span<Node* const> calls) {
  absl::Status status = InlineAll(calls);
  if (!status.ok()) TakeBack();
  return status;
}

absl::Status FunctionInliner::InlineAll(absl::Span<Node* const> calls) {
  absl::flat_hash_set<const Node*> wanted(calls.begin(), calls.end());
  for (Node* call : calls) {
    SF_ASSIGN_OR_RETURN(const bool stays, StaysCall(*call));
    if (stays) wanted.erase(call);
  }
  std::vector<Replacement> replacements;
  std::vector<bool> is_sharper(first_new_, false);
  // In graph order, so that a body sees the shapes that the calls before it give.
  for (int i = 0; i < first_new_; ++i) {
    Node& node = *g_.nodes()[i];
    if (wanted.contains(&node)) {
      SF_ASSIGN_OR_RETURN(replacements.emplace_back(), InlineOne(node));
      is_sharper[i] = true;
      continue;
    }
    const auto& inputs = node.inputs();
    is_sharper[i] = std::any_of(inputs.begin(), inputs.end(), [&](Output input) {
      return input.valid() && input.node()->id() < i && is_sharper[input.node()->id()];
    });
    if (is_sharper[i]) SF_RETURN_IF_ERROR(SharpenShapes(node));
  }
  for (const Replacement& replacement : replacements) Commit(replacement);
  Reorder(replacements);
  return absl::OkStatus();
}

absl::StatusOr<FunctionInliner::Replacement> FunctionInliner::InlineOne(Node& call) {
  where_ = call.where();
  device_ = call.device();
  Replacement replacement{.call = &call, .expansion = {}, .begin = g_.num_nodes()};
  CallSite site{.name = call.name(), .op = &call.op(), .function = {}, .attrs = call.attrs()};
  site.inputs.assign(call.inputs().begin(), call.inputs().end());
  site.controls.assign(call.control_inputs().begin(), call.control_inputs().end());
  const auto expand = [&]() -> absl::Status {
    SF_ASSIGN_OR_RETURN(const std::vector<ArgType> types, CheckCall(&site));
    SF_ASSIGN_OR_RETURN(replacement.expansion, ExpandCall(site));
    return CheckResults(replacement.expansion, types);
  };
  SF_RETURN_IF_ERROR(Annotate(expand(), absl::StrCat(call.DebugName(), ": ")));
  replacement.end = g_.num_nodes();
  for (int i = 0; i < call.num_outputs(); ++i) {
    // Where the call promised another shape, the body is right.
    const Shape& shape = replacement.expansion.outputs[i].shape();
    if (!call.MergeOutputShape(i, shape).ok()) call.outputs_[i].shape = shape;
  }
  return replacement;
}

absl::Status FunctionInliner::SharpenShapes(Node& node) {
  std::vector<Shape> shapes;
  std::vector<const Tensor*> values;
  for (Output input : node.inputs()) {
    shapes.push_back(input.valid() ? input.shape() : Shape::Unknown());
    const bool is_const = input.valid() && input.node()->op().is(OpRole::kConst);
    values.push_back(is_const ? &input.node()->attr<Tensor>("value") : nullptr);
  }
  SF_ASSIGN_OR_RETURN(const std::vector<Shape> outputs, InferShapes(node, shapes, values));
  for (int i = 0; i < node.num_outputs(); ++i) node.MergeOutputShape(i, outputs[i]).IgnoreError();
  return absl::OkStatus();
}

void FunctionInliner::Commit(const Replacement& replacement) {
  Node& call = *replacement.call;
  call.attrs_ = {};
  call.inputs_ = replacement.expansion.outputs;
  call.control_inputs_ = replacement.expansion.effects;
  call.op_ = call.inputs_.empty() ? &OpWithRole(OpRole::kNoOp) : &IdentityNOp();
  if (call.inputs_.empty()) return;
  std::vector<DataType> types;
  for (Output output : call.inputs_) types.push_back(output.dtype());
  call.attrs_["T"] = std::move(types);
}

void FunctionInliner::Reorder(absl::Span<const Replacement> replacements) {
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<int> new_id(first_new_ + 1);  // of the old nodes, each with what was put in front of it
  size_t next = 0;
  for (int i = 0; i < first_new_; ++i) {
    new_id[i] = static_cast<int>(nodes.size());
    if (next < replacements.size() && replacements[next].call == g_.nodes_[i].get()) {
      for (int k = replacements[next].begin; k < replacements[next].end; ++k) nodes.push_back(std::move(g_.nodes_[k]));
      ++next;
    }
    nodes.push_back(std::move(g_.nodes_[i]));
  }
  new_id[first_new_] = static_cast<int>(nodes.size());
  g_.nodes_ = std::move(nodes);
  for (int i = 0; i < g_.num_nodes(); ++i) g_.nodes_[i]->id_ = i;
  for (Graph::ControlScope& scope : g_.control_scopes_) {
    scope.first_inside = new_id[std::min(scope.first_inside, first_new_)];
  }
}

void FunctionInliner::PassBy(absl::Span<Node* const> calls, absl::Span<const Output> kept) {
  const absl::flat_hash_set<const Node*> passable(calls.begin(), calls.end());
  const absl::flat_hash_set<Output> fed(kept.begin(), kept.end());
  for (const auto& node : g_.nodes_) {
    for (Output& input : node->inputs_) {
      while (passable.contains(input.node()) && input.node()->control_inputs().empty() && !fed.contains(input)) {
        input = input.node()->input(input.index());
      }
    }
  }
}

void FunctionInliner::TakeBack() {
  while (g_.num_nodes() > first_new_) {
    g_.index_->by_name.erase(g_.nodes_.back()->name());
    g_.index_->custom_gradients.erase(g_.nodes_.back().get());
    g_.nodes_.pop_back();
  }
  for (const std::string& name : names_taken_) g_.index_->names_in_use.erase(name);
}

std::string FunctionInliner::FreeName(const std::string& wish) {
  std::string name = wish;
  const auto is_taken = [&] {
    return names_.FindNode(name) != nullptr || g_.FindNode(name) != nullptr || given_names_.contains(name);
  };
  while (is_taken()) name = absl::StrCat(wish, "_", ++name_counts_[wish]);
  given_names_.insert(name);
  return name;
}

absl::StatusOr<Node*> FunctionInliner::AddDefinition(NodeDefinition definition, absl::Span<const int> missing,
                                                     absl::Span<const DataType> missing_types) {
  num_edges_ += static_cast<int64_t>(definition.inputs.size() + definition.control_inputs.size());
  if (g_.num_nodes() + nodes_elsewhere_ >= limits_.max_nodes || num_edges_ > limits_.max_edges) {
    return absl::ResourceExhaustedError(absl::StrCat("with its functions inlined the graph has more than ",
                                                     limits_.max_nodes, " nodes or ", limits_.max_edges, " edges"));
  }
  if (definition.device.empty()) definition.device = device_;
  definition.where = where_;
  std::string key = absl::AsciiStrToLower(definition.name);
  const bool is_new_name = !g_.index_->names_in_use.contains(key);
  SF_ASSIGN_OR_RETURN(Node * node, g_.AddNodeWithBackEdge(std::move(definition), missing, missing_types));
  if (is_new_name) names_taken_.push_back(std::move(key));
  return node;
}

absl::StatusOr<Node*> FunctionInliner::Add(const std::string& name, const Op& op, std::vector<Output> inputs,
                                           std::vector<Node*> controls, AttrMap attrs) {
  return AddDefinition({.name = FreeName(name),
                        .op = &op,
                        .inputs = std::move(inputs),
                        .control_inputs = std::move(controls),
                        .attrs = std::move(attrs)},
                       {}, {});
}

absl::StatusOr<Output> FunctionInliner::AddPlain(const std::string& name, OpRole role, Output input,
                                                 std::vector<Node*> controls) {
  SF_ASSIGN_OR_RETURN(Node * node, Add(name, OpWithRole(role), {input}, std::move(controls)));
  return node->output(0);
}

absl::StatusOr<Node*> FunctionInliner::Join(const std::string& name, std::vector<Node*> nodes) {
  if (nodes.size() == 1) return nodes[0];
  return Add(name, OpWithRole(OpRole::kNoOp), {}, std::move(nodes));
}

}  // namespace staticflow
