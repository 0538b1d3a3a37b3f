#include "graph/loop_frames.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "graph/topological_order.h"

namespace staticflow {

bool IsBackEdge(Output input, const Node& node) {
  return node.op().is(OpRole::kMerge) && input.node()->op().is(OpRole::kNextIteration);
}

bool LoopFrames::IsHeader(const Node& node) {
  return std::any_of(node.inputs().begin(), node.inputs().end(),
                     [&](Output input) { return input.valid() && IsBackEdge(input, node); });
}

absl::StatusOr<LoopFrames> LoopFrames::Find(Graph& g) {
  LoopFrames frames(g);
  const bool has_loops =
      std::any_of(g.nodes().begin(), g.nodes().end(), [](const auto& node) { return node->op().is(OpRole::kEnter); });
  if (!has_loops) {
    frames.result_.resize(g.num_nodes(), 0);
    frames.loop_.resize(g.num_nodes(), 0);
    return frames;
  }
  SF_RETURN_IF_ERROR(frames.Update());
  return frames;
}

absl::Status LoopFrames::Place(Node& node) {
  int frame = 0;
  // A control edge may come from outside; values come from the node's own frame.
  const auto inside = [&](const Node* source) {
    const int other = result_[source->id()];
    if (other == 0 || other == frame || ChildOf(other, frame) >= 0) return true;
    if (ChildOf(frame, other) < 0) return false;
    frame = other;
    return true;
  };
  for (Output input : node.inputs()) {
    if (!input.valid() || IsBackEdge(input, node) || inside(input.node())) continue;
    return absl::InvalidArgumentError(absl::StrCat(node.DebugName(), ": its inputs come from different loops"));
  }
  for (const Node* control : node.control_inputs()) {
    if (result_[control->id()] >= 0) inside(control);
  }
  result_[node.id()] = loop_[node.id()] = frame;
  const bool is_machinery = node.op().is(OpRole::kMerge) || node.op().is(OpRole::kExit) ||
                            node.op().is(OpRole::kSwitch) || node.op().is(OpRole::kNextIteration);
  if (frame != 0 && is_machinery) changed_.insert(frame);
  if (node.op().is(OpRole::kEnter)) {
    const auto [it, is_new] =
        by_name_.try_emplace({frame, node.attr<std::string>("frame_name")}, static_cast<int>(frames_.size()));
    if (is_new) {
      children_[frame].push_back(it->second);
      frames_.push_back({.parent = frame, .name = it->first.second});
      nodes_.emplace_back();
      children_.emplace_back();
    }
    result_[node.id()] = loop_[node.id()] = it->second;
    frames_[it->second].constants.push_back(&node);
    changed_.insert(it->second);
  } else if (node.op().is(OpRole::kExit)) {
    if (frame == 0) return absl::InvalidArgumentError(absl::StrCat(node.DebugName(), ": it is in no loop"));
    result_[node.id()] = frames_[frame].parent;
  } else if (node.op().is(OpRole::kLoopCond)) {
    frames_[frame].condition = &node;
  }
  if (loop_[node.id()] != 0) nodes_[loop_[node.id()]].push_back(&node);
  return absl::OkStatus();
}

absl::Status LoopFrames::Update() {
  const int first = static_cast<int>(result_.size()), n = graph_.num_nodes();
  result_.resize(n, -1);
  loop_.resize(n, -1);
  std::vector<std::vector<int>> needs(n - first);
  for (int i = first; i < n; ++i) {
    const Node& node = *graph_.nodes()[i];
    const auto need = [&](const Node* source) {
      if (source->id() >= first) needs[i - first].push_back(source->id() - first);
    };
    for (Output input : node.inputs()) {
      if (input.valid() && !IsBackEdge(input, node)) need(input.node());
    }
    for (const Node* control : node.control_inputs()) need(control);
  }
  const OrderResult order = TopologicalOrder(needs);
  if (!order.cycle.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(graph_.nodes()[first + order.cycle[0]]->DebugName(), ": its inputs form a cycle"));
  }
  for (int i : order.order) SF_RETURN_IF_ERROR(Place(*graph_.nodes()[first + i]));
  for (int index : std::exchange(changed_, {})) {
    LoopFrame& frame = frames_[index];
    if (frame.condition == nullptr) continue;
    std::vector<Node*> enters = frame.constants;
    for (const WhileContext::Variable& variable : frame.variables) enters.push_back(variable.enter);
    std::sort(enters.begin(), enters.end(), [](const Node* a, const Node* b) { return a->id() < b->id(); });
    frame.variables.clear();
    frame.constants.clear();
    std::vector<Node*>& nodes = nodes_[index];
    std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->id() < b->id(); });
    for (const WhileContext::Variable& variable : FindLoopVariables(nodes, enters, *frame.condition)) {
      if (variable.merge == nullptr) {
        frame.constants.push_back(variable.enter);
      } else {
        frame.variables.push_back(variable);
      }
    }
  }
  return absl::OkStatus();
}

std::vector<Node*> LoopFrames::NodesOf(int frame) const {
  std::vector<Node*> nodes;
  std::vector<int> open = {frame};
  while (!open.empty()) {
    const int inner = open.back();
    open.pop_back();
    nodes.insert(nodes.end(), nodes_[inner].begin(), nodes_[inner].end());
    open.insert(open.end(), children_[inner].begin(), children_[inner].end());
  }
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->id() < b->id(); });
  return nodes;
}

int LoopFrames::ChildOf(int outer, int frame) const {
  while (frame > 0 && frames_[frame].parent != outer) frame = frames_[frame].parent;
  return frame > 0 ? frame : -1;
}

WhileContext& LoopFrames::ContextOf(int frame) {
  const LoopFrame& loop = frames_[frame];
  for (const WhileContext::Variable& variable : loop.variables) {
    if (auto* context = dynamic_cast<WhileContext*>(variable.enter->context());
        context != nullptr && context->name() == loop.name) {
      return *context;
    }
  }
  ControlFlowContext* outer = loop.parent == 0 ? nullptr : &ContextOf(loop.parent);
  auto& context = static_cast<WhileContext&>(
      *graph_.AdoptContext(std::make_unique<WhileContext>(loop.name, outer, WhileSettings())));
  Node* body_pivot = nullptr;
  for (const WhileContext::Variable& variable : loop.variables) {
    if (body_pivot == nullptr) body_pivot = variable.body;
  }
  context.Restore(loop.variables, loop.condition, body_pivot);
  for (const auto& node : graph_.nodes()) {
    if (node->id() >= static_cast<int>(result_.size()) || node->context() != nullptr) continue;
    if (FrameOf(*node) == frame) node->set_context(&context);
  }
  return context;
}

std::vector<WhileContext::Variable> FindLoopVariables(absl::Span<Node* const> nodes, absl::Span<Node* const> enters,
                                                      const Node& condition) {
  std::vector<WhileContext::Variable> variables(enters.size());
  absl::flat_hash_map<const Node*, size_t> index;  // of the Enters, Merges and Switches
  for (size_t i = 0; i < enters.size(); ++i) {
    variables[i].enter = enters[i];
    index[enters[i]] = i;
  }
  const auto find = [&](const Node& node, int input) {
    const auto it =
        input < node.num_inputs() && node.input(input).valid() ? index.find(node.input(input).node()) : index.end();
    return it == index.end() ? nullptr : &variables[it->second];
  };
  // Back edges aside, every node comes after what it uses; Merges are found first, since they alone have some.
  for (Node* node : nodes) {
    WhileContext::Variable* variable = LoopFrames::IsHeader(*node) ? find(*node, 0) : nullptr;
    if (variable == nullptr || variable->merge != nullptr) continue;
    variable->merge = node;
    variable->next = node->input(1).node();
  }
  for (size_t i = 0; i < variables.size(); ++i) {
    if (variables[i].merge != nullptr) index[variables[i].merge] = i;
  }
  for (Node* node : nodes) {
    WhileContext::Variable* variable = node->op().is(OpRole::kSwitch) ? find(*node, 0) : nullptr;
    if (variable == nullptr || node->input(0).node() != variable->merge || node->input(1).node() != &condition)
      continue;
    if (variable->switch_node == nullptr) variable->switch_node = node;
    index[node] = variable - variables.data();
  }
  for (Node* node : nodes) {
    const bool is_exit = node->op().is(OpRole::kExit);
    if (!is_exit && !node->op().is(OpRole::kIdentity)) continue;
    WhileContext::Variable* variable = find(*node, 0);
    if (variable == nullptr || !node->input(0).node()->op().is(OpRole::kSwitch)) continue;
    if (is_exit && node->input(0).index() == 0 && variable->exit == nullptr) variable->exit = node;
    if (!is_exit && node->input(0).index() == 1 && variable->body == nullptr) variable->body = node;
  }
  return variables;
}

}  // namespace staticflow
