#include "graph/gradient_path.h"

#include <algorithm>

#include "absl/strings/str_join.h"

namespace staticflow {
namespace {

// The stack whose handle `handle` is; null when its way is not plain.
const Node* StackBehind(Output handle) {
  while (!handle.node()->op().is(OpRole::kStack)) {
    const Op& op = handle.node()->op();
    if (!op.is(OpRole::kEnter) && !op.is(OpRole::kSwitch) && !op.is(OpRole::kIdentity)) return nullptr;
    handle = handle.node()->input(0);
  }
  return handle.node();
}

}  // namespace

GradientPath::GradientPath(const Graph& graph, const LoopFrames& frames, int level, absl::Span<const Output> ys,
                           absl::Span<const Output> xs, const absl::flat_hash_set<Output>& stopped)
    : graph_(graph),
      frames_(frames),
      level_(level),
      stopped_(stopped),
      from_x_(graph.num_nodes(), false),
      reached_(graph.num_nodes(), false) {
  MarkFromX(xs);
  MarkReached(ys);
  OrderUnits(ys);
}

bool GradientPath::Follows(const Node& node, Output input) const {
  if (!input.valid()) return false;
  if (level_ == 0 || !node.op().is(OpRole::kMerge) || !input.node()->op().is(OpRole::kNextIteration)) return true;
  const int frame = frames_.FrameOf(node);
  return frame != level_ && frames_.ChildOf(frame, level_) < 0;
}

void GradientPath::MarkFromX(absl::Span<const Output> xs) {
  for (Output x : xs) from_x_[x.node()->id()] = true;
  // Back edges of loops come from later nodes; a few sweeps reach everything they carry.
  const bool has_back_edges = frames_.num_frames() > 1;
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& node : graph_.nodes()) {
      if (!from_x_[node->id()]) {
        for (Output input : node->inputs()) {
          if (!Follows(*node, input) || !from_x_[input.node()->id()] || stopped_.contains(input)) continue;
          from_x_[node->id()] = true;
          changed |= has_back_edges || input.node()->id() > node->id();
          break;
        }
      }
      // What goes on a stack comes off it elsewhere.
      if (!node->op().is(OpRole::kStackPush) || !from_x_[node->id()]) continue;
      const Node* stack = StackBehind(node->input(0));
      if (stack == nullptr || from_x_[stack->id()]) continue;
      from_x_[stack->id()] = changed = true;
    }
  }
}

void GradientPath::MarkReached(absl::Span<const Output> ys) {
  std::vector<Node*> stack;
  for (Output y : ys) {
    if (!from_x_[y.node()->id()] || reached_[y.node()->id()]) continue;
    reached_[y.node()->id()] = true;
    stack.push_back(y.node());
  }
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    for (Output input : node->inputs()) {
      if (!Follows(*node, input)) continue;
      Node* source = input.node();
      if (!from_x_[source->id()] || reached_[source->id()] || stopped_.contains(input)) continue;
      reached_[source->id()] = true;
      towards_y_[source] = node;
      stack.push_back(source);
    }
  }
}

GradientUnit GradientPath::UnitOf(Node* node) const {
  const int loop = frames_.ChildOf(level_, frames_.LoopOf(*node));
  return loop > 0 ? GradientUnit{.node = nullptr, .loop = loop} : GradientUnit{.node = node, .loop = 0};
}

std::vector<Node*> GradientPath::SourcesOf(const GradientUnit& unit) const {
  std::vector<Node*> sources;
  const auto add = [&](const Node& node) {
    for (Output input : node.inputs()) {
      if (Follows(node, input) && reached_[input.node()->id()]) sources.push_back(input.node());
    }
  };
  if (unit.node != nullptr) {
    add(*unit.node);
    return sources;
  }
  for (const WhileContext::Variable& variable : frames_.frame(unit.loop).variables) add(*variable.enter);
  for (const Node* enter : frames_.frame(unit.loop).constants) add(*enter);
  return sources;
}

// A post-order over the inputs, reversed, puts consumers first whatever the order of creation.
void GradientPath::OrderUnits(absl::Span<const Output> ys) {
  struct Open {
    GradientUnit unit;
    std::vector<Node*> sources;
    size_t next = 0;
  };
  std::vector<bool> node_seen(graph_.num_nodes(), false), loop_seen(frames_.num_frames(), false);
  std::vector<Open> path;
  const auto open = [&](Node* node) {
    const GradientUnit unit = UnitOf(node);
    if (unit.node != nullptr ? node_seen[node->id()] : loop_seen[unit.loop]) return;
    if (unit.node != nullptr) {
      node_seen[node->id()] = true;
    } else {
      loop_seen[unit.loop] = true;
    }
    path.push_back({unit, SourcesOf(unit)});
  };
  for (Output y : ys) {
    if (reached_[y.node()->id()]) open(y.node());
    while (!path.empty()) {
      Open& top = path.back();
      if (top.next < top.sources.size()) {
        open(top.sources[top.next++]);
        continue;
      }
      units_.push_back(top.unit);
      path.pop_back();
    }
  }
  std::reverse(units_.begin(), units_.end());
}

std::string GradientPath::ToY(const Node& node) const {
  constexpr size_t kMaxNames = 12;
  std::vector<std::string> names = {node.name()};
  for (auto it = towards_y_.find(&node); it != towards_y_.end(); it = towards_y_.find(it->second)) {
    if (names.size() == kMaxNames) {
      names.push_back("...");
      break;
    }
    names.push_back(it->second->name());
  }
  return absl::StrJoin(names, " -> ");
}

}  // namespace staticflow
