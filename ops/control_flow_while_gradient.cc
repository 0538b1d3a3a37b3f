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
//
// The gradient of a gradient goes back through both loops, the backward one first: what that takes off a stack has a
// gradient, which goes on a stack of gradients and is taken off where the first loop kept the value.
// Source: the gradient of tf.while_loop (TensorFlow 1.15), but for one thing: a stack lives outside of all loops.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/loop_gradient.h"
#include "graph/status.h"
#include "graph/variable_key.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/control_flow_backward_loop.h"
#include "ops/math.h"
#include "ops/state.h"

namespace staticflow {
namespace {

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
  // The node that runs after all that this loop, and those inside, put on stacks of gradients; null when nothing is.
  Node* Done();
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
  return Accumulate(zeros, zeros.shape(), [&](Output sum) {
    return sum.dtype() == DT_VARIANT ? AddN({sum, gradient}) : sum + gradient;
  });
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
  for (const StackLink* link : request_.taken) xs.push_back(link->pop().output(0));
  for (const StackLink* link : request_.kept) {
    ys.push_back(link->push().input(1));
    grad_ys.push_back(back_->TakeGradient(*link));
  }
  SF_RETURN_IF_ERROR(graph_.status());
  const Output rest = count - 1;
  back_->SetNext(0, rest);
  back_->end().set_step(rest.node());
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
  for (StackLink* link : request_.taken) {
    const Output gradient = request_.densify(gradients[next++]);
    if (gradient.valid()) back_->KeepGradient(*link, gradient);
  }
  return graph_.status();
}

Node* LoopDifferentiator::Done() {
  const std::vector<StackLink>& links = request_.stacks.links();
  const bool keeps = std::any_of(links.begin(), links.end(), [&](const StackLink& link) {
    return link.is_plain && link.gradients.valid() && TakesFromOutside(request_.frames, request_.frame, link);
  });
  if (!keeps) return nullptr;
  const Output exit = back_->ExitOf(0);
  const Inside inside(graph_, around_);
  Node* done = exit.valid() ? ControlTrigger(graph_).node() : nullptr;
  if (done == nullptr) return nullptr;
  done->AddControlInput(exit.node());
  if (auto* loop = dynamic_cast<BackwardLoop*>(around_)) loop->end().Await(done, false);
  return done;
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
      std::make_unique<BackwardLoop>(graph_, around_, request_.frames, request_.frame, forward_, counter)));
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
  request_.done = Done();
  return graph_.status();
}

absl::Status DifferentiateLoop(LoopGradient& request) {
  Graph& g = request.frames.frame(request.frame).condition->graph();
  return LoopDifferentiator(request, g).Run();
}
const LoopGradientRegistrar registrar(DifferentiateLoop);

}  // namespace
}  // namespace staticflow
