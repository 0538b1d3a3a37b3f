// The gradient of a while loop: a loop that goes backwards.
//
//   i, x = 0, x0                       forward: counts its iterations, and keeps what the gradient
//   while cond(i, x):                  will want to know of each on a stack
//     i, x = i + 1, f(x, c)
//
//   n, dx, dc = count, dx_end, 0       backward: dx of the iteration before and the sum of dc,
//   while n > 0:                       from what each iteration takes off the stacks
//     n, dx, dc = n - 1, f_x(...)' dx, dc + f_c(...)' dx
//
// What is the same in every iteration enters the backward loop as it entered the forward one. A value of one branch of
// a cond is kept and taken under that cond's predicate, which is kept, too. Loops inside are gone back through inside.
// Source: the gradient of tf.while_loop (TensorFlow 1.15), but for one thing: a stack lives outside of all loops.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/liveness.h"
#include "graph/loop_gradient.h"
#include "graph/status.h"
#include "graph/variable_key.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/stack.h"
#include "ops/state.h"

namespace staticflow {
namespace {

// Nodes are built in `context`, and wait for nothing, while it lives.
class Inside {
 public:
  Inside(Graph& g, ControlFlowContext* context) : free_(g, ControlDependencies::kClear), context_(g, context) {}

 private:
  ControlDependencies free_;
  InContext context_;
};

// Counts the iterations of a forward loop, and runs after what they keep.
class TripCounter {
 public:
  TripCounter(Graph& g, WhileContext& forward) : graph_(g), forward_(forward) {
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
    step_ = more.node();
    count_ = forward.ExitOf(variable);
  }

  Output count() const { return count_; }  // invalid after an error
  // `push` is part of an iteration; `conditional` when it may be in a branch that is not taken.
  void Await(Node* push, bool conditional) {
    if (!conditional) return step_->AddControlInput(push);
    if (sync_ == nullptr) {
      const Inside inside(graph_, &forward_);
      sync_ = ControlTrigger(graph_, {.name = "f_sync"}).node();
      if (sync_ == nullptr) return;
      step_->AddControlInput(sync_);
    }
    sync_->AddControlInput(push);
  }

 private:
  Graph& graph_;
  WhileContext& forward_;
  Output count_;
  Node* step_ = nullptr;
  Node* sync_ = nullptr;  // a ControlTrigger: runs even after what did not run
};

// The loop that goes backwards. A value of the forward loop that is used in it is the one of the iteration that it goes
// back through.
class BackwardLoop : public WhileContext {
 public:
  BackwardLoop(std::string name, ControlFlowContext* outer, const WhileSettings& settings, const LoopFrames& frames,
               int frame, WhileContext& forward, TripCounter& counter)
      : WhileContext(std::move(name), outer, settings),
        frames_(&frames),
        frame_(frame),
        forward_(&forward),
        counter_(&counter) {}

  Output Capture(Output value) override;
  // From here on nothing more of the forward loop is taken in.
  void Finish() { frames_ = nullptr; }

 private:
  Output History(Output value);
  Output Kept(Output value);
  ControlFlowContext* PlaceOf(const Node& node) const;
  // The stack, outside of all loops that are gone back through.
  Output MakeStack(Graph& g, DataType dtype);

  const LoopFrames* frames_;
  const int frame_;
  WhileContext* forward_;
  TripCounter* counter_;
  absl::flat_hash_map<Output, Output> history_;
};

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

Output BackwardLoop::Kept(Output value) {
  Graph& g = value.graph();
  // The predicates of this frame under which it exists; the loop's own condition among them tells that it is the
  // body's.
  const Output condition = frames_->frame(frame_).condition->output(0);
  std::vector<Literal> branches;
  bool in_body = false;
  const std::vector<Literals> live_when = LiveWhen({&value, 1});
  for (const Literal& literal : live_when[0]) {
    if (literal.pred == condition) {
      in_body = true;
    } else if (frames_->FrameOf(*literal.pred.node()) == frame_) {
      branches.push_back(literal);
    }
  }
  const Output stack = MakeStack(g, value.dtype());
  if (!stack.valid()) return Output();
  {
    const Inside inside(g, PlaceOf(*value.node()));
    const Output kept = in_body ? value : Switch(value, condition).output_true;
    const Output push = StackPush(stack, kept);
    if (!push.valid()) return Output();
    counter_->Await(push.node(), !branches.empty());
  }
  Output handle = WhileContext::Capture(stack);
  for (const Literal& literal : branches) {
    const Output pred = Capture(literal.pred);
    if (!handle.valid() || !pred.valid()) return Output();
    const Inside inside(g, this);
    const SwitchOutputs sides = Switch(handle, pred);
    handle = literal.branch == 0 ? sides.output_false : sides.output_true;
  }
  if (!handle.valid()) return Output();
  const Inside inside(g, this);
  const Output then = StackPop(handle, value.dtype());
  if (then.valid()) then.node()->MergeOutputShape(0, value.shape()).IgnoreError();
  return then;
}

// One loop and its gradient.
class LoopDifferentiator {
 public:
  LoopDifferentiator(LoopGradient& request, Graph& g)
      : request_(request),
        graph_(g),
        loop_(request.frames.frame(request.frame)),
        forward_(request.frames.ContextOf(request.frame)),
        around_(g.context()) {}

  absl::Status Run();

 private:
  absl::Status CheckMachinery() const;
  Output ExitOf(const WhileContext::Variable& variable) const;
  // The value behind a constant of the loop, where the gradients outside are built.
  Output ValueBehind(const Node& enter) const;
  // Adds a loop variable that begins as `initial` and becomes next(variable). Gives what it is after the loop.
  template <typename Next>
  Output Accumulate(Output initial, const Shape& shape, Next next);
  absl::Status StartVariables();
  absl::Status BuildBody();
  Output SumUp(const Node& enter, Output gradient);
  IndexedSlices Collect(const Node& enter, const IndexedSlices& slices);

  LoopGradient& request_;
  Graph& graph_;
  const LoopFrame loop_;
  WhileContext& forward_;
  ControlFlowContext* around_;
  BackwardLoop* back_ = nullptr;
  std::vector<int> active_;  // variables of the forward loop; active_[k] is variable k + 1 here
};

absl::Status LoopDifferentiator::CheckMachinery() const {
  for (int i : active_) {
    const WhileContext::Variable& variable = loop_.variables[i];
    if (variable.switch_node != nullptr && variable.next != nullptr) continue;
    return absl::UnimplementedError(
        absl::StrCat(variable.merge->DebugName(), ": a loop variable without a Switch has no gradient"));
  }
  return absl::OkStatus();
}

Output LoopDifferentiator::ExitOf(const WhileContext::Variable& variable) const {
  if (variable.exit != nullptr) return variable.exit->output(0);
  Node* exit = nullptr;
  {
    const Inside inside(graph_, &forward_);
    exit = NodeBuilder(OpWithRole(OpRole::kExit).name(), {variable.switch_node->output(0)}).BuildNode();
  }
  if (exit == nullptr) return Output();
  exit->set_context(forward_.outer());
  return exit->output(0);
}

Output LoopDifferentiator::ValueBehind(const Node& enter) const {
  const Output outside = enter.input(0);
  if (outside.dtype() != DT_RESOURCE) return outside;
  const Node* declaration = VariableBehind(outside);
  return declaration == nullptr ? Output() : ReadVariable(outside, declaration->attr<DataType>("dtype"));
}

template <typename Next>
Output LoopDifferentiator::Accumulate(Output initial, const Shape& shape, Next next) {
  const int variable = static_cast<int>(back_->variables().size());
  if (!back_->AddVariable(initial, shape).valid()) return Output();
  {
    const InContext inside(graph_, back_);
    const Output value = next(back_->BodyValue(variable));
    if (!value.valid()) return Output();
    value.node()->MergeOutputShape(value.index(), shape).IgnoreError();
    if (!back_->SetNext(variable, value)) return Output();
  }
  return back_->ExitOf(variable);
}

Output LoopDifferentiator::SumUp(const Node& enter, Output gradient) {
  Output zeros;
  {
    const InContext outside(graph_, around_);
    const Output value = ValueBehind(enter);
    if (!value.valid()) return Output();
    zeros = ZerosLike(value);
  }
  if (!zeros.valid()) return Output();
  return Accumulate(zeros, zeros.shape(), [&](Output sum) { return sum + gradient; });
}

IndexedSlices LoopDifferentiator::Collect(const Node& enter, const IndexedSlices& slices) {
  IndexedSlices initial;
  {
    const InContext outside(graph_, around_);
    const Output value = ValueBehind(enter);
    if (!value.valid()) return {};
    initial.values = StridedSlice(value, {0}, {0});
    initial.indices = Zeros(graph_, slices.indices.dtype(), {0});
    initial.dense_shape = ShapeOf(value);
  }
  const auto append = [&](Output more) { return [more](Output all) { return Concat({{all, more}}, 0); }; };
  Shape rows = initial.values.shape();
  if (rows.has_rank() && rows.rank() > 0) rows.set_dim(0, -1);
  return {.values = Accumulate(initial.values, rows, append(slices.values)),
          .indices = Accumulate(initial.indices, {-1}, append(slices.indices)),
          .dense_shape = initial.dense_shape};
}

// The count, and the gradients by the variables' last values.
absl::Status LoopDifferentiator::StartVariables() {
  for (int i : active_) {
    Output last = request_.exit_gradients[i];
    if (!last.valid()) {
      const Output exit = ExitOf(loop_.variables[i]);
      SF_RETURN_IF_ERROR(request_.frames.Update());
      last = exit.valid() ? ZerosLike(exit) : Output();
    }
    back_->AddVariable(last, loop_.variables[i].merge->output_shape(0));
  }
  return graph_.status();
}

absl::Status LoopDifferentiator::BuildBody() {
  const Output count = back_->BodyValue(0);
  std::vector<Output> ys, xs, grad_ys;
  for (size_t k = 0; k < active_.size(); ++k) {
    const WhileContext::Variable& variable = loop_.variables[active_[k]];
    ys.push_back(variable.next->input(0));
    xs.push_back(variable.switch_node->output(1));
    grad_ys.push_back(back_->BodyValue(static_cast<int>(k) + 1));
  }
  for (size_t k = 0; k < loop_.constants.size(); ++k) {
    if (request_.wanted[k]) xs.push_back(loop_.constants[k]->output(0));
  }
  SF_RETURN_IF_ERROR(graph_.status());
  back_->SetNext(0, count - 1);
  SF_ASSIGN_OR_RETURN(const std::vector<SlicesOrDense> gradients, request_.differentiate(ys, xs, grad_ys));
  for (size_t k = 0; k < active_.size(); ++k) {
    Output before = request_.densify(gradients[k]);
    // A variable that the body does not look at.
    if (!before.valid()) before = ZerosLike(xs[k].shape().IsFullyDefined() ? grad_ys[k] : xs[k]);
    if (!before.valid()) return graph_.status();
    before.node()->MergeOutputShape(before.index(), xs[k].shape()).IgnoreError();
    if (!back_->SetNext(static_cast<int>(k) + 1, before)) return graph_.status();
  }
  size_t next = active_.size();
  for (size_t k = 0; k < loop_.constants.size(); ++k) {
    if (!request_.wanted[k]) continue;
    const SlicesOrDense& gradient = gradients[next++];
    SlicesOrDense& total = request_.constant_gradients[k];
    if (gradient.is_slices()) {
      total.slices = Collect(*loop_.constants[k], gradient.slices);
    } else if (gradient.dense.valid()) {
      total.dense = SumUp(*loop_.constants[k], gradient.dense);
    }
  }
  return graph_.status();
}

absl::Status LoopDifferentiator::Run() {
  for (size_t i = 0; i < loop_.variables.size(); ++i) {
    if (request_.active[i]) active_.push_back(static_cast<int>(i));
  }
  SF_RETURN_IF_ERROR(CheckMachinery());
  TripCounter counter(graph_, forward_);
  SF_RETURN_IF_ERROR(graph_.status());
  SF_RETURN_IF_ERROR(request_.frames.Update());
  back_ = static_cast<BackwardLoop*>(graph_.AdoptContext(
      std::make_unique<BackwardLoop>(graph_.UniqueName("while_context"), around_, forward_.settings(), request_.frames,
                                     request_.frame, forward_, counter)));
  const Output count = back_->AddVariable(counter.count(), Shape());
  SF_RETURN_IF_ERROR(StartVariables());
  absl::Status status;
  {
    const InContext inside(graph_, back_);
    if (back_->SetCondition(Greater(count, 0, {.name = "b_count"}))) status = BuildBody();
  }
  back_->Finish();
  SF_RETURN_IF_ERROR(status);
  SF_RETURN_IF_ERROR(graph_.status());
  for (size_t k = 0; k < active_.size(); ++k) {
    request_.initial_gradients[active_[k]] = back_->ExitOf(static_cast<int>(k) + 1);
  }
  return graph_.status();
}

absl::Status DifferentiateLoop(LoopGradient& request) {
  Graph& g = request.frames.frame(request.frame).condition->graph();
  return LoopDifferentiator(request, g).Run();
}
const LoopGradientRegistrar registrar(DifferentiateLoop);

}  // namespace
}  // namespace staticflow
