// Calls that have to do with gradients: of the gradient of a function, and of a function with a gradient of its own.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/function_expansion.h"
#include "graph/function_gradient.h"
#include "graph/node_builder.h"
#include "graph/status.h"

namespace staticflow {

using absl::StrCat;

absl::StatusOr<FunctionInliner::Expansion> FunctionInliner::LowerGradient(const CallSite& site) {
  const FunctionRef& function = site.attrs.at("f").get<FunctionRef>();
  const std::string prefix = StrCat(site.name, "/");
  SF_ASSIGN_OR_RETURN(Node * start, StartOf(site, false));
  Node* pivot = start != nullptr ? start : site.pivot;
  Expansion expansion;
  if (const std::string own = functions_.GradientOf(function.name); !own.empty()) {
    SF_ASSIGN_OR_RETURN(expansion, ExpandFunction({.name = own, .attrs = function.attrs}, site.inputs, prefix, pivot));
  } else {
    // Each gradient reads the library once more, which a file must not make us do without end.
    constexpr int64_t kCost = 1000;
    nodes_elsewhere_ += kCost;
    const InlineLimits rest{.max_depth = limits_.max_depth - static_cast<int>(open_calls_.size()) - 1,
                            .max_nodes = limits_.max_nodes - g_.num_nodes() - nodes_elsewhere_,
                            .max_edges = limits_.max_edges - num_edges_};
    if (rest.max_depth <= 0 || rest.max_nodes <= 0) {
      return absl::ResourceExhaustedError("there are too many gradients of functions, or they are nested too deep");
    }
    const int num_results = static_cast<int>(site.attrs.at("Tout").get<std::vector<DataType>>().size());
    SF_ASSIGN_OR_RETURN(const FunctionGradient gradient,
                        GradientOfFunction(g_, function, site.inputs, num_results, rest));
    nodes_elsewhere_ += gradient.num_nodes;
    SF_ASSIGN_OR_RETURN(expansion, ExpandBody(gradient.body, {}, site.inputs, prefix, pivot));
  }
  if (!site.controls.empty()) expansion.effects.push_back(start);
  return expansion;
}

namespace {

// Makes the function `gradient` that of `call`.
void SetGradientFunction(Node& call, const std::string& gradient) {
  call.graph().SetCustomGradient(call, [&call, gradient](absl::Span<const Output> dys) -> std::vector<Output> {
    Graph& g = call.graph();
    std::vector<Output> inputs(call.inputs().begin(), call.inputs().end());
    for (int i = 0; i < call.num_outputs(); ++i) {
      const bool flows = dys[i].valid();
      inputs.push_back(flows ? dys[i] : NodeBuilder(OpWithRole(OpRole::kZerosLike).name(), {call.output(i)}).Build());
    }
    const absl::StatusOr<CallDefinition> definition = DefineCall(g, gradient, inputs);
    if (!definition.ok()) {
      g.RecordError(Annotate(definition.status(), StrCat("function '", gradient, "': ")));
      return {};
    }
    NodeBuilder builder(g, definition->op->name(), std::source_location::current());
    for (const auto& [name, value] : definition->attrs) builder.Attr(name, value);
    Node* node = builder.Inputs(inputs).Line(call.where()).BuildNode();
    std::vector<Output> gradients;
    for (int i = 0; node != nullptr && i < node->num_outputs(); ++i) gradients.push_back(node->output(i));
    return gradients;
  });
}

}  // namespace

absl::StatusOr<bool> FunctionInliner::StaysCall(Node& call) {
  if (!keeps_custom_gradients_ || !call.op().is(OpRole::kCall) || CallsGradient(call.op())) return false;
  const std::string gradient = functions_.GradientOf(call.attr<FunctionRef>("f").name);
  if (gradient.empty()) return false;
  SetGradientFunction(call, gradient);
  return true;
}

absl::StatusOr<Node*> FunctionInliner::KeptCall(const CallSite& site) {
  const bool by_op = site.op != nullptr;
  if (!keeps_custom_gradients_ || (by_op && (!site.op->is(OpRole::kCall) || CallsGradient(*site.op)))) return nullptr;
  const FunctionRef& function = by_op ? site.attrs.at("f").get<FunctionRef>() : site.function;
  if (functions_.GradientOf(function.name).empty()) return nullptr;
  SF_ASSIGN_OR_RETURN(const FunctionBody* body, functions_.Find(function.name));
  std::vector<ArgType> types;
  for (Output input : site.inputs) types.push_back({input.dtype(), input.is_ref()});
  NodeDefinition definition{
      .name = site.name, .op = OpThatCalls(*body), .inputs = site.inputs, .control_inputs = site.controls};
  SF_ASSIGN_OR_RETURN(definition.attrs,
                      AttrsOfCall(*body, function.attrs == nullptr ? AttrMap() : *function.attrs, types));
  SF_ASSIGN_OR_RETURN(Node * call, AddDefinition(std::move(definition), {}, {}));
  SetGradientFunction(*call, functions_.GradientOf(function.name));
  return call;
}

}  // namespace staticflow
