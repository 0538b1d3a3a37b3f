#include "ops/control_flow_backward_loop.h"

#include <algorithm>

#include "graph/variable_key.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/stack.h"

namespace staticflow {

void IterationEnd::Await(Node* node, bool conditional) {
  if (step_ == nullptr) return;
  if (!conditional) return step_->AddControlInput(node);
  if (sync_ == nullptr) {
    const Inside inside(graph_, &loop_);
    sync_ = ControlTrigger(graph_, {.name = "f_sync"}).node();
    if (sync_ == nullptr) return;
    step_->AddControlInput(sync_);
  }
  sync_->AddControlInput(node);
}

TripCounter::TripCounter(Graph& g, WhileContext& forward) : end_(g, forward) {
  Output zero;
  {
    const Inside outside(g, forward.outer());
    zero = Const(g, Tensor(int32_t{0}), {.name = "f_count"});
  }
  const Inside inside(g, &forward);
  const int variable = static_cast<int>(forward.variables().size());
  if (!forward.AddVariable(zero, Shape()).valid()) return;
  const Output more = forward.BodyValue(variable) + 1;
  if (!more.valid() || !forward.SetNext(variable, more)) return;
  end_.set_step(more.node());
  count_ = forward.ExitOf(variable);
}

Output BackwardLoop::Capture(Output value) {
  if (Contains(value.node()->context())) return value;
  if (frames_ == nullptr || frames_->FrameOf(*value.node()) != frame_) return WhileContext::Capture(value);
  const Output original = BehindIdentity(value);
  if (frames_->FrameOf(*original.node()) != frame_) return WhileContext::Capture(value);
  if (auto it = history_.find(original); it != history_.end()) return it->second;
  const Output then = History(original);
  if (then.valid()) history_[original] = then;
  return then;
}

Output BackwardLoop::History(Output value) {
  Graph& g = value.graph();
  const std::vector<Node*>& constants = frames_->frame(frame_).constants;
  if (std::find(constants.begin(), constants.end(), value.node()) != constants.end()) {
    return WhileContext::Capture(value.node()->input(0));
  }
  if (value.node()->op().is(OpRole::kConst)) {
    const Inside inside(g, this);
    return Const(g, value.node()->attr<Tensor>("value"));
  }
  return Kept(value);
}

Output BackwardLoop::MakeStack(Graph& g, DataType dtype) {
  ControlFlowContext* root = outer();
  while (dynamic_cast<BackwardLoop*>(root) != nullptr) root = root->outer();
  const Inside outside(g, root);
  return StackV2(Const(g, Tensor(int32_t{-1})), dtype, {.name = "f_acc"});
}

// Where what `node` gives is kept. A Switch belongs to the branch that it was built for, but has two sides.
ControlFlowContext* BackwardLoop::PlaceOf(const Node& node) const {
  ControlFlowContext* place = node.context();
  if (node.op().is(OpRole::kSwitch) && dynamic_cast<CondContext*>(place) != nullptr) place = place->outer();
  return place == nullptr ? forward_ : place;
}

std::vector<Literal> BackwardLoop::BranchesOf(Output value, bool* in_body) const {
  const Output condition = frames_->frame(frame_).condition->output(0);
  std::vector<Literal> branches;
  *in_body = false;
  // Predicates of this frame are not found before what enters it.
  const std::vector<Literals> live_when = LiveWhen(
      {&value, 1}, [&](const Node& node) { return node.op().is(OpRole::kEnter) && frames_->FrameOf(node) == frame_; });
  for (const Literal& literal : live_when[0]) {
    if (literal.pred == condition) {
      *in_body = true;
    } else if (frames_->FrameOf(*literal.pred.node()) == frame_) {
      branches.push_back(literal);
    }
  }
  return branches;
}

Output BackwardLoop::Behind(Output value, absl::Span<const Literal> branches) {
  for (const Literal& literal : branches) {
    const Output pred = value.valid() ? Capture(literal.pred) : Output();
    if (!pred.valid()) return Output();
    const Inside inside(value.graph(), this);
    const SwitchOutputs sides = Switch(value, pred);
    value = literal.branch == 0 ? sides.output_false : sides.output_true;
  }
  return value;
}

Output BackwardLoop::Take(Output stack, Output value, absl::Span<const Literal> branches) {
  const Output handle = Behind(WhileContext::Capture(stack), branches);
  if (!handle.valid()) return Output();
  const Inside inside(value.graph(), this);
  const Output then = StackPop(handle, value.dtype());
  if (then.valid()) then.node()->MergeOutputShape(0, value.shape()).IgnoreError();
  return then;
}

Output BackwardLoop::Kept(Output value) {
  Graph& g = value.graph();
  bool in_body = false;
  const std::vector<Literal> branches = BranchesOf(value, &in_body);
  // A handle is the same whenever it exists; and behind a stack nobody would know its variable.
  if (value.dtype() == DT_RESOURCE) {
    if (Node* declaration = VariableBehind(value)) {
      return Behind(WhileContext::Capture(declaration->output(0)), branches);
    }
  }
  const Output stack = MakeStack(g, value.dtype());
  if (!stack.valid()) return Output();
  {
    const Inside inside(g, PlaceOf(*value.node()));
    const Output kept = in_body ? value : Switch(value, frames_->frame(frame_).condition->output(0)).output_true;
    const Output push = StackPush(stack, kept);
    if (!push.valid()) return Output();
    counter_->end().Await(push.node(), !branches.empty());
  }
  return Take(stack, value, branches);
}

void BackwardLoop::KeepGradient(StackLink& link, Output gradient) {
  bool in_body = false;
  const bool conditional = !BranchesOf(link.pop().output(0), &in_body).empty();
  const Output stack = MakeStack(gradient.graph(), gradient.dtype());
  if (!stack.valid()) return;
  const Inside inside(gradient.graph(), this);
  const Output push = StackPush(stack, gradient);
  if (!push.valid()) return;
  end_.Await(push.node(), conditional);
  link.gradients = stack;
}

Output BackwardLoop::TakeGradient(const StackLink& link) {
  const Output value = link.push().input(1);
  bool in_body = false;
  std::vector<Literal> branches = BranchesOf(value, &in_body);
  // The loop that took the value may be in a branch outside of this one, and not have run.
  std::vector<Literal> outside;
  const Output ends[] = {value, link.pop().output(0)};
  const std::vector<Literals> live_when = LiveWhen(ends);
  for (const Literal& literal : live_when[1]) {
    const Node& pred = *literal.pred.node();
    const int frame = frames_->FrameOf(pred);
    if (frame == frame_ || pred.op().is(OpRole::kLoopCond) || !IsWithin(*frames_, frame, link.push())) continue;
    if (!live_when[0].contains(literal)) outside.push_back(literal);
  }
  branches.insert(branches.end(), outside.begin(), outside.end());
  const Output gradient = Take(link.gradients, value, branches);
  if (!gradient.valid() || outside.empty()) return gradient;
  for (Literal& literal : outside) literal.pred = Capture(literal.pred);
  const Output zeros = ZerosLike(Capture(value));
  const Inside here(value.graph(), this);
  return WhereLive(gradient, outside, zeros);
}

}  // namespace staticflow
