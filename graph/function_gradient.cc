#include "graph/function_gradient.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/node_builder.h"
#include "graph/status.h"
#include "graph/topological_order.h"

namespace staticflow {
namespace {

using absl::StrCat;

// A graph as the body of a function.
class BodyWriter {
 public:
  BodyWriter(const std::vector<Output>& arguments, const std::vector<Output>& results)
      : arguments_(arguments), results_(results) {}

  absl::StatusOr<FunctionBody> Write(absl::string_view name);

 private:
  absl::Status OrderNodes();
  absl::StatusOr<BodySource> SourceOf(Output output) const;
  absl::StatusOr<BodyNode> NodeOf(const Node& node) const;

  const std::vector<Output>& arguments_;
  const std::vector<Output>& results_;
  std::vector<const Node*> nodes_;                  // of the body, in running order
  absl::flat_hash_map<const Node*, int> position_;  // of nodes_
  absl::flat_hash_map<const Node*, int> argument_;  // placeholders
};

ArgDef ArgumentOf(std::string name, Output output) {
  ArgDef argument;
  argument.name = std::move(name);
  argument.dtype = output.dtype();
  return argument;
}

bool LeadsBack(const Node& node, const Node& input) {
  return node.op().is(OpRole::kMerge) && input.op().is(OpRole::kNextIteration);
}

absl::Status BodyWriter::OrderNodes() {
  absl::flat_hash_map<const Node*, int> found;
  std::vector<const Node*> nodes;
  const auto find = [&](const Node* node) {
    if (!argument_.contains(node) && found.try_emplace(node, static_cast<int>(nodes.size())).second) {
      nodes.push_back(node);
    }
  };
  for (Output result : results_) find(result.node());
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = *nodes[i];
    for (Output input : node.inputs()) find(input.node());
    for (const Node* control : node.control_inputs()) find(control);
  }
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->id() < b->id(); });
  for (size_t i = 0; i < nodes.size(); ++i) found[nodes[i]] = static_cast<int>(i);
  std::vector<std::vector<int>> needs(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (Output input : nodes[i]->inputs()) {
      const auto it = found.find(input.node());
      if (it != found.end() && !LeadsBack(*nodes[i], *input.node())) needs[i].push_back(it->second);
    }
    for (const Node* control : nodes[i]->control_inputs()) {
      if (const auto it = found.find(control); it != found.end()) needs[i].push_back(it->second);
    }
  }
  const OrderResult order = TopologicalOrder(needs);
  if (!order.cycle.empty()) return absl::InvalidArgumentError(StrCat(nodes[order.cycle[0]]->DebugName(), ": a cycle"));
  for (int i : order.order) {
    position_[nodes[i]] = static_cast<int>(nodes_.size());
    nodes_.push_back(nodes[i]);
  }
  return absl::OkStatus();
}

absl::StatusOr<BodySource> BodyWriter::SourceOf(Output output) const {
  const Node& node = *output.node();
  if (const auto it = argument_.find(&node); it != argument_.end()) return BodySource{.argument = it->second};
  int64_t first = 0;
  for (const ArgDef& arg : node.op().outputs) {
    SF_ASSIGN_OR_RETURN(const int64_t length, ArgLength(arg, node.attrs()));
    if (output.index() < first + length) {
      return BodySource{
          .node = position_.at(&node), .output = arg.name, .element = static_cast<int>(output.index() - first)};
    }
    first += length;
  }
  return absl::InternalError(StrCat(node.DebugName(), ": it has no output ", output.index()));
}

absl::StatusOr<BodyNode> BodyWriter::NodeOf(const Node& node) const {
  BodyNode result{.name = node.name(), .type = node.type(), .op = &node.op(), .attrs = node.attrs()};
  for (Output input : node.inputs()) {
    SF_ASSIGN_OR_RETURN(result.inputs.emplace_back(), SourceOf(input));
  }
  for (const Node* control : node.control_inputs()) {
    const auto argument = argument_.find(control);
    if (argument != argument_.end()) {
      result.control_arguments.push_back(argument->second);
    } else {
      result.control_nodes.push_back(position_.at(control));
    }
  }
  return result;
}

absl::StatusOr<FunctionBody> BodyWriter::Write(absl::string_view name) {
  FunctionBody body;
  body.signature.spec.name = std::string(name);
  for (size_t i = 0; i < arguments_.size(); ++i) {
    argument_[arguments_[i].node()] = static_cast<int>(i);
    body.signature.inputs.push_back(ArgumentOf(StrCat("x", i), arguments_[i]));
  }
  for (size_t i = 0; i < results_.size(); ++i) {
    body.signature.outputs.push_back(ArgumentOf(StrCat("dx", i), results_[i]));
  }
  SF_RETURN_IF_ERROR(OrderNodes());
  for (const Node* node : nodes_) {
    SF_ASSIGN_OR_RETURN(body.nodes.emplace_back(), NodeOf(*node));
  }
  for (Output result : results_) {
    SF_ASSIGN_OR_RETURN(body.results.emplace_back(), SourceOf(result));
  }
  return body;
}

// The function applied to `arguments` in graph `g`, as one node.
absl::StatusOr<Node*> AddCall(Graph& g, const FunctionRef& function, std::vector<Output> arguments) {
  NodeDefinition definition{.name = "f"};
  FunctionBodies functions(g.function_library());
  const AttrMap attrs = function.attrs == nullptr ? AttrMap() : *function.attrs;
  if (functions.Contains(function.name)) {
    SF_ASSIGN_OR_RETURN(const FunctionBody* body, functions.Find(function.name));
    std::vector<ArgType> types;
    for (Output argument : arguments) types.push_back({argument.dtype()});
    definition.op = OpThatCalls(*body);
    SF_ASSIGN_OR_RETURN(definition.attrs, AttrsOfCall(*body, attrs, types));
  } else {
    definition.op = FindOp(function.name);
    definition.attrs = attrs;
  }
  if (definition.op == nullptr) {
    return absl::NotFoundError(StrCat("there is no op and no function '", function.name, "'"));
  }
  definition.inputs = std::move(arguments);
  return g.AddNode(std::move(definition));
}

// The gradients by xs, where dys are those by the outputs of `call`; zeros where there are none.
absl::StatusOr<std::vector<Output>> BuildGradients(Node& call, const std::vector<Output>& xs,
                                                   absl::Span<const Output> dys) {
  std::vector<Output> ys;
  GradientOptions options;
  for (int i = 0; i < call.num_outputs(); ++i) {
    const DataType dtype = call.output_dtype(i);
    if (dtype != dys[i].dtype()) {
      return absl::InvalidArgumentError(StrCat("the gradient by result ", i, " is ", DataTypeName(dys[i].dtype()),
                                               ", the result is ", DataTypeName(dtype)));
    }
    if (!IsFloating(dtype) && !IsComplex(dtype) && dtype != DT_VARIANT) continue;
    ys.push_back(call.output(i));
    options.grad_ys.push_back(dys[i]);
  }
  std::vector<Output> gradients(xs.size());
  if (!ys.empty()) gradients = Gradients(ys, xs, options);
  Graph& g = call.graph();
  for (size_t i = 0; i < gradients.size() && g.status().ok(); ++i) {
    if (gradients[i].valid()) continue;
    gradients[i] = NodeBuilder(OpWithRole(OpRole::kZerosLike).name(), {xs[i]}).Build();
  }
  SF_RETURN_IF_ERROR(g.status());
  return gradients;
}

}  // namespace

absl::StatusOr<FunctionGradient> GradientOfFunction(const Graph& g, const FunctionRef& function,
                                                    absl::Span<const Output> arguments, int num_results,
                                                    const InlineLimits& limits) {
  Graph built(Graph::Options{.seed = g.seed()});
  built.function_library() = g.function_library();
  std::vector<Output> placeholders;
  for (size_t i = 0; i < arguments.size(); ++i) {
    SF_ASSIGN_OR_RETURN(Node * node,
                        built.AddNode({.name = StrCat("x", i),
                                       .op = &OpWithRole(OpRole::kPlaceholder),
                                       .attrs = {{"dtype", arguments[i].dtype()}, {"shape", arguments[i].shape()}}}));
    placeholders.push_back(node->output(0));
  }
  const size_t num_xs = std::min<size_t>(num_results, placeholders.size());
  const std::vector<Output> xs(placeholders.begin(), placeholders.begin() + num_xs);
  const absl::Span<const Output> dys = absl::MakeConstSpan(placeholders).subspan(num_xs);
  SF_ASSIGN_OR_RETURN(Node * call, AddCall(built, function, xs));
  if (call->num_outputs() != static_cast<int>(dys.size())) {
    return absl::InvalidArgumentError(StrCat("function '", function.name, "' has ", call->num_outputs(),
                                             " results, and there are ", dys.size(), " gradients by them"));
  }
  if (IsCall(*call)) SF_RETURN_IF_ERROR(InlineForGradient(built, {&call, 1}, limits));
  SF_ASSIGN_OR_RETURN(const std::vector<Output> gradients, BuildGradients(*call, xs, dys));
  FunctionGradient result{.body = {}, .num_nodes = built.num_nodes()};
  SF_ASSIGN_OR_RETURN(result.body,
                      BodyWriter(placeholders, gradients).Write(StrCat("the gradient of ", function.name)));
  return result;
}

}  // namespace staticflow
