#include "graph/control_flow_proto.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "graph/loop_frames.h"
#include "graph/status.h"

namespace staticflow {
namespace {

using absl::InvalidArgumentError;
using absl::StrCat;

void ValuesToProto(const ControlFlowContext& context, proto::ValuesDef* message) {
  for (const std::string& value : context.values()) message->add_values(value);
  for (const auto& [outside, inside] : context.external_values()) {
    (*message->mutable_external_values())[outside] = inside;
  }
}

void CondToProto(const CondContext& cond, proto::CondContextDef* message) {
  message->set_context_name(cond.name());
  message->set_pred_name(cond.pred().name());
  message->set_pivot_name(cond.pivot()->output(0).name());
  message->set_branch(cond.branch());
  ValuesToProto(cond, message->mutable_values_def());
}

void LoopToProto(const WhileContext& loop, proto::WhileContextDef* message) {
  const auto name = [](const Node* node) { return node == nullptr ? std::string() : node->output(0).name(); };
  const WhileSettings& settings = loop.settings();
  message->set_context_name(loop.name());
  message->set_parallel_iterations(static_cast<int32_t>(settings.parallel_iterations));
  message->set_back_prop(settings.back_prop);
  message->set_swap_memory(settings.swap_memory);
  message->set_pivot_name(name(loop.condition()));
  message->set_pivot_for_pred_name(name(loop.pivot_for_pred()));
  message->set_pivot_for_body_name(name(loop.pivot_for_body()));
  for (const WhileContext::Variable& variable : loop.variables()) {
    message->add_loop_enter_names(name(variable.enter));
    if (variable.exit != nullptr) message->add_loop_exit_names(name(variable.exit));
  }
  if (settings.maximum_iterations.valid()) message->set_maximum_iterations_name(settings.maximum_iterations.name());
  ValuesToProto(loop, message->mutable_values_def());
}

}  // namespace

void ContextToProto(const Graph& g, const ControlFlowContext& context, proto::ControlFlowContextDef* message) {
  google::protobuf::RepeatedPtrField<proto::ControlFlowContextDef>* nested = nullptr;
  if (const auto* cond = dynamic_cast<const CondContext*>(&context)) {
    CondToProto(*cond, message->mutable_cond_ctxt());
    nested = message->mutable_cond_ctxt()->mutable_nested_contexts();
  } else if (const auto* loop = dynamic_cast<const WhileContext*>(&context)) {
    LoopToProto(*loop, message->mutable_while_ctxt());
    nested = message->mutable_while_ctxt()->mutable_nested_contexts();
  }
  for (const auto& inner : g.contexts()) {
    if (nested != nullptr && inner->outer() == &context) ContextToProto(g, *inner, nested->Add());
  }
}

absl::StatusOr<Output> ContextReader::FindOutput(absl::string_view name) const {
  absl::StatusOr<Output> output = graph_.FindOutput(StrCat(prefix_, name));
  return output.ok() ? output : InvalidArgumentError(output.status().message());
}

absl::Status ContextReader::Read(const proto::ControlFlowContextDef& root) {
  std::vector<std::pair<const proto::ControlFlowContextDef*, int>> open = {{&root, -1}};
  while (!open.empty()) {
    const auto [message, outer] = open.back();
    open.pop_back();
    const bool is_loop = message->has_while_ctxt();
    const std::string& name = is_loop ? message->while_ctxt().context_name() : message->cond_ctxt().context_name();
    SF_RETURN_IF_ERROR(
        Annotate(is_loop ? ReadLoop(message->while_ctxt(), outer) : ReadCond(message->cond_ctxt(), outer),
                 StrCat(is_loop ? "loop '" : "cond '", name, "': ")));
    const int index = static_cast<int>(contexts_.size()) - 1;
    const auto& nested = is_loop ? message->while_ctxt().nested_contexts() : message->cond_ctxt().nested_contexts();
    for (auto it = nested.rbegin(); it != nested.rend(); ++it) open.emplace_back(&*it, index);
  }
  return absl::OkStatus();
}

absl::Status ContextReader::ReadValues(const proto::ValuesDef& message, Context* context) {
  std::vector<std::string> values;
  std::vector<std::pair<std::string, std::string>> external;
  absl::flat_hash_set<std::string> outside;
  for (const auto& [name, inside] : message.external_values()) {
    external.emplace_back(StrCat(prefix_, name), StrCat(prefix_, inside));
    outside.insert(name);
  }
  std::sort(external.begin(), external.end());
  for (const std::string& name : message.values()) {
    SF_ASSIGN_OR_RETURN(const Output value, FindOutput(name));
    values.push_back(StrCat(prefix_, name));
    if (!outside.contains(name)) context->nodes.push_back(value.node());
  }
  context->context->RestoreValues(std::move(values), std::move(external));
  return absl::OkStatus();
}

absl::Status ContextReader::ReadCond(const proto::CondContextDef& message, int outer) {
  SF_ASSIGN_OR_RETURN(const Output pred, FindOutput(message.pred_name()));
  SF_ASSIGN_OR_RETURN(const Output pivot, FindOutput(message.pivot_name()));
  if (message.branch() != 0 && message.branch() != 1) {
    return InvalidArgumentError(StrCat("the branch is ", message.branch(), ", expected 0 or 1"));
  }
  Context context{.context = nullptr, .nodes = {pivot.node()}, .outside = {}, .outer = outer};
  ControlFlowContext* before = pivot.node()->context();
  context.context = std::make_unique<CondContext>(StrCat(prefix_, message.context_name()), Around(outer), pred,
                                                  pivot.node(), message.branch());
  pivot.node()->set_context(before);  // not before Commit
  SF_RETURN_IF_ERROR(ReadValues(message.values_def(), &context));
  contexts_.push_back(std::move(context));
  return absl::OkStatus();
}

absl::Status ContextReader::ReadLoop(const proto::WhileContextDef& message, int outer) {
  SF_ASSIGN_OR_RETURN(const Output condition, FindOutput(message.pivot_name()));
  if (!condition.node()->op().is(OpRole::kLoopCond)) {
    return InvalidArgumentError(StrCat("'", message.pivot_name(), "' is no LoopCond"));
  }
  std::vector<Node*> enters;
  for (const std::string& name : message.loop_enter_names()) {
    SF_ASSIGN_OR_RETURN(const Output enter, FindOutput(name));
    if (!enter.node()->op().is(OpRole::kEnter)) return InvalidArgumentError(StrCat("'", name, "' is no Enter"));
    enters.push_back(enter.node());
  }
  Node* body_pivot = nullptr;
  if (!message.pivot_for_body_name().empty()) {
    SF_ASSIGN_OR_RETURN(const Output pivot, FindOutput(message.pivot_for_body_name()));
    body_pivot = pivot.node();
  }
  WhileSettings settings{.parallel_iterations = message.parallel_iterations(),
                         .back_prop = message.back_prop(),
                         .swap_memory = message.swap_memory()};
  if (!message.maximum_iterations_name().empty()) {
    SF_ASSIGN_OR_RETURN(settings.maximum_iterations, FindOutput(message.maximum_iterations_name()));
  }
  // The nodes' own word counts for the frame's name: an import under a prefix leaves it as it was.
  const std::string name =
      enters.empty() ? StrCat(prefix_, message.context_name()) : enters[0]->attr<std::string>("frame_name");
  auto loop = std::make_unique<WhileContext>(name, Around(outer), settings);
  std::vector<Node*> nodes;
  for (const auto& node : graph_.nodes()) nodes.push_back(node.get());
  std::vector<WhileContext::Variable> variables = FindLoopVariables(nodes, enters, *condition.node());
  for (const WhileContext::Variable& variable : variables) {
    if (variable.merge == nullptr) {
      return InvalidArgumentError(StrCat("'", variable.enter->name(), "' enters no Merge"));
    }
  }
  loop->Restore(std::move(variables), condition.node(), body_pivot);
  Context context{.context = std::move(loop), .nodes = {}, .outside = {}, .outer = outer};
  for (const std::string& exit : message.loop_exit_names()) {
    SF_ASSIGN_OR_RETURN(const Output value, FindOutput(exit));
    context.outside.push_back(value.node());
  }
  SF_RETURN_IF_ERROR(ReadValues(message.values_def(), &context));
  contexts_.push_back(std::move(context));
  return absl::OkStatus();
}

void ContextReader::Commit() {
  // Contexts inside another one come after it, and have the last word about their nodes.
  for (Context& context : contexts_) {
    for (Node* node : context.nodes) node->set_context(context.context.get());
    for (Node* node : context.outside) node->set_context(context.context->outer());
    graph_.AdoptContext(std::move(context.context));
  }
  contexts_.clear();
}

}  // namespace staticflow
