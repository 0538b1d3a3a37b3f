#include "graph/gradient_path.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "graph/topological_order.h"

namespace staticflow {
GradientPath::GradientPath(const Graph& graph, const LoopFrames& frames, StackLinks& stacks, int level,
                           absl::Span<const Output> ys, absl::Span<const Output> xs,
                           const absl::flat_hash_set<Output>& stopped)
    : graph_(graph),
      frames_(frames),
      stacks_(stacks),
      level_(level),
      stopped_(stopped),
      reached_(graph.num_nodes(), false) {
  for (Output y : ys) ends_.push_back(y.node());
  for (const StackLink& link : stacks.links()) {
    if (link.gradients.valid() && KeepsForOutside(frames, level, link)) ends_.push_back(&link.push());
  }
  MarkFromX(xs);
  MarkReached();
  OpenLinks();
  OrderUnits();
}

bool GradientPath::Follows(const Node& node, Output input) const {
  if (!input.valid() || !IsDifferentiableType(input.dtype())) return false;
  if (level_ == 0 || !node.op().is(OpRole::kMerge) || !input.node()->op().is(OpRole::kNextIteration)) return true;
  const int frame = frames_.FrameOf(node);
  return frame != level_ && frames_.ChildOf(frame, level_) < 0;
}

absl::Span<Node* const> GradientPath::PushesOf(const Node& node) const {
  const StackLink* link = node.op().is(OpRole::kStackPop) ? stacks_.To(node) : nullptr;
  if (link == nullptr || (link->is_plain && TakesFromOutside(frames_, level_, *link))) return {};
  return link->pushes;
}

void GradientPath::MarkFromX(absl::Span<const Output> xs) {
  std::vector<const Node*> roots;
  for (Output x : xs) roots.push_back(x.node());
  for (const StackLink& link : stacks_.links()) {
    if (link.is_open && TakesFromOutside(frames_, level_, link)) roots.push_back(&link.pop());
  }
  const auto sources_of = [&](const Node& node, std::vector<const Node*>* sources) {
    for (Output input : node.inputs()) {
      if (Follows(node, input) && !stopped_.contains(input)) sources->push_back(input.node());
    }
    const absl::Span<Node* const> pushes = PushesOf(node);
    sources->insert(sources->end(), pushes.begin(), pushes.end());
  };
  // No way leads out of a loop and back into the same iteration.
  from_x_ = level_ == 0 ? DependentsOf(graph_, roots, sources_of)
                        : DependentsOf(graph_, roots, frames_.NodesOf(level_), sources_of);
}

void GradientPath::MarkReached() {
  std::vector<Node*> stack;
  const auto reach = [&](Node* node, Node* consumer) {
    if (!Has(from_x_, *node) || reached_[node->id()]) return;
    reached_[node->id()] = true;
    nodes_.push_back(node);
    if (consumer != nullptr) towards_y_[node] = consumer;
    stack.push_back(node);
  };
  for (Node* end : ends_) reach(end, nullptr);
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    for (Output input : node->inputs()) {
      if (Follows(*node, input) && !stopped_.contains(input)) reach(input.node(), node);
    }
    for (Node* push : PushesOf(*node)) reach(push, node);
  }
}

void GradientPath::OpenLinks() {
  for (StackLink& link : stacks_.links()) {
    if (!link.is_plain || !Has(reached_, link.pop()) || !Has(reached_, link.push())) continue;
    link.is_open |= IsWithin(frames_, level_, link.pop()) && IsWithin(frames_, level_, link.push());
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
  const auto add_pushes = [&](const Node& pop) {
    for (Node* push : PushesOf(pop)) {
      if (Has(reached_, *push)) sources.push_back(push);
    }
  };
  if (unit.node != nullptr) {
    add(*unit.node);
    add_pushes(*unit.node);
    return sources;
  }
  for (const WhileContext::Variable& variable : frames_.frame(unit.loop).variables) add(*variable.enter);
  for (const Node* enter : frames_.frame(unit.loop).constants) add(*enter);
  for (const StackLink& link : stacks_.links()) {
    for (const Node* pop : link.pops) {
      if (Has(reached_, *pop) && IsWithin(frames_, unit.loop, *pop)) add_pushes(*pop);
    }
  }
  return sources;
}

// A post-order over the inputs, reversed, puts consumers first whatever the order of creation.
void GradientPath::OrderUnits() {
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
  for (Node* end : ends_) {
    if (Has(reached_, *end)) open(end);
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
