#include "graph/stack_links.h"

#include <map>

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

StackLinks::StackLinks(const Graph& g) {
  constexpr int kUnknown = -1;  // among them those whose handle came off another stack
  std::map<int, StackLink> by_stack;
  for (const auto& node : g.nodes()) {
    const bool is_push = node->op().is(OpRole::kStackPush);
    if (!is_push && !node->op().is(OpRole::kStackPop)) continue;
    const Node* stack = StackBehind(node->input(0));
    StackLink& link = by_stack[stack == nullptr ? kUnknown : stack->id()];
    (is_push ? link.pushes : link.pops).push_back(node.get());
  }
  for (auto& [stack, link] : by_stack) {
    link.is_plain = stack != kUnknown && link.pushes.size() == 1 && link.pops.size() == 1;
    for (const Node* pop : link.pops) of_pop_[pop] = static_cast<int>(links_.size());
    links_.push_back(std::move(link));
  }
}

const StackLink* StackLinks::To(const Node& pop) const {
  const auto it = of_pop_.find(&pop);
  return it == of_pop_.end() ? nullptr : &links_[it->second];
}

bool IsWithin(const LoopFrames& frames, int frame, const Node& node) {
  const int inner = frames.FrameOf(node);
  return inner == frame || frame == 0 || frames.ChildOf(frame, inner) > 0;
}

bool TakesFromOutside(const LoopFrames& frames, int frame, const StackLink& link) {
  return IsWithin(frames, frame, link.pop()) && !IsWithin(frames, frame, link.push());
}

bool KeepsForOutside(const LoopFrames& frames, int frame, const StackLink& link) {
  return IsWithin(frames, frame, link.push()) && !IsWithin(frames, frame, link.pop());
}

}  // namespace staticflow
