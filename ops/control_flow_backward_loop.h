// BackwardLoop: the loop that goes back through another one, while it is built. Used by control_flow_while_gradient.cc,
// where the whole is explained.
#ifndef STATICFLOW_OPS_CONTROL_FLOW_BACKWARD_LOOP_H_
#define STATICFLOW_OPS_CONTROL_FLOW_BACKWARD_LOOP_H_

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "graph/control_flow.h"
#include "graph/liveness.h"
#include "graph/loop_frames.h"
#include "graph/stack_links.h"

namespace staticflow {

// Nodes are built in `context`, and wait for nothing, while it lives.
class Inside {
 public:
  Inside(Graph& g, ControlFlowContext* context) : free_(g, ControlDependencies::kClear), context_(g, context) {}

 private:
  ControlDependencies free_;
  InContext context_;
};

// A node that runs in each iteration of a loop, and waits for what must have run by then.
class IterationEnd {
 public:
  IterationEnd(Graph& g, WhileContext& loop) : graph_(g), loop_(loop) {}

  void set_step(Node* step) { step_ = step; }
  // `node` is part of an iteration; `conditional` when it may be in a branch that is not taken.
  void Await(Node* node, bool conditional);

 private:
  Graph& graph_;
  WhileContext& loop_;
  Node* step_ = nullptr;
  Node* sync_ = nullptr;  // a ControlTrigger: runs even after what did not run
};

// Counts the iterations of a forward loop, and runs after what they keep.
class TripCounter {
 public:
  TripCounter(Graph& g, WhileContext& forward);

  Output count() const { return count_; }  // invalid after an error
  IterationEnd& end() { return end_; }

 private:
  IterationEnd end_;
  Output count_;
};

// The loop that goes backwards. A value of the forward loop that is used in it is the one of the iteration that it goes
// back through.
class BackwardLoop : public WhileContext {
 public:
  BackwardLoop(Graph& g, ControlFlowContext* outer, LoopFrames& frames, int frame, WhileContext& forward,
               TripCounter& counter)
      : WhileContext(g.UniqueName("while_context"), outer, forward.settings()),
        end_(g, *this),
        frames_(&frames),
        frame_(frame),
        forward_(&forward),
        counter_(&counter) {}

  Output Capture(Output value) override;
  // Of this loop's own iterations.
  IterationEnd& end() { return end_; }
  // Puts `gradient`, of what the link's pop took in this iteration of the forward loop, on a new stack of the link.
  void KeepGradient(StackLink& link, Output gradient);
  // The gradient of what the link's push kept in this iteration of the forward loop.
  Output TakeGradient(const StackLink& link);
  // From here on nothing more of the forward loop is taken in.
  void Finish() { frames_ = nullptr; }

 private:
  Output History(Output value);
  Output Kept(Output value);
  ControlFlowContext* PlaceOf(const Node& node) const;
  // A stack outside of all loops that are gone back through.
  Output MakeStack(Graph& g, DataType dtype);
  // The predicates of the forward loop's frame under which `value` exists, less the loop's own condition; `in_body`
  // tells whether that is among them.
  std::vector<Literal> BranchesOf(Output value, bool* in_body) const;
  // `value`, which is there in each iteration of this loop, where the branches are taken.
  Output Behind(Output value, absl::Span<const Literal> branches);
  // Takes an element like `value` off the stack where the branches are taken.
  Output Take(Output stack, Output value, absl::Span<const Literal> branches);

  IterationEnd end_;
  const LoopFrames* frames_;
  const int frame_;
  WhileContext* forward_;
  TripCounter* counter_;
  absl::flat_hash_map<Output, Output> history_;
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_CONTROL_FLOW_BACKWARD_LOOP_H_
