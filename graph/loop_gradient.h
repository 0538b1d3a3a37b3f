// How the gradient walk goes through a loop: the walk (graph/gradients.cc) treats a loop as one unit and asks whoever
// registered for it to build the loop that goes backwards; the two call each other for what is inside.
#ifndef STATICFLOW_GRAPH_LOOP_GRADIENT_H_
#define STATICFLOW_GRAPH_LOOP_GRADIENT_H_

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/gradients.h"
#include "graph/loop_frames.h"
#include "graph/stack_links.h"

namespace staticflow {

// One loop to differentiate. The graph's context and name scope are those of the gradients outside the loop.
struct LoopGradient {
  LoopFrames& frames;
  const StackLinks& stacks;
  int frame = 0;
  // By variable of the frame: whether a gradient passes through it, and what arrived at its Exits (invalid: nothing).
  std::vector<bool> active = {};
  std::vector<Output> exit_gradients = {};
  std::vector<bool> wanted = {};  // by constant of the frame: whether its gradient is needed
  // Stacks between an iteration of this frame and another loop: what it takes off them, and what it puts on them, whose
  // gradients are there.
  std::vector<StackLink*> taken = {};
  std::vector<StackLink*> kept = {};
  // The results: by what enters each variable, and by each constant; in `taken`, the stacks of gradients.
  std::vector<Output> initial_gradients = {};
  std::vector<SlicesOrDense> constant_gradients = {};
  Node* done = nullptr;  // runs after the loop, or when it does not run; null when it puts nothing on stacks

  // The gradients of one iteration, built in the context that is open then: of `ys`, given those by them, by `xs`, all
  // inside the frame.
  std::function<absl::StatusOr<std::vector<SlicesOrDense>>(absl::Span<const Output> ys, absl::Span<const Output> xs,
                                                           absl::Span<const Output> grad_ys)>
      differentiate = nullptr;
  // As one tensor.
  std::function<Output(const SlicesOrDense&)> densify = nullptr;
};

// Fills the results. Unimplemented for a loop that it cannot go back through.
using LoopGradientFunction = absl::Status (*)(LoopGradient& loop);

class LoopGradientRegistrar {
 public:
  explicit LoopGradientRegistrar(LoopGradientFunction function);
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_LOOP_GRADIENT_H_
