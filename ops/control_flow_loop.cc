// The ops of loops. They have no kernels: the planner turns them into loops. A gradient goes through a loop as a whole
// (ops/control_flow_while_gradient.cc).
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/control_flow.h"

namespace staticflow {
namespace {

// Every op here passes its input on.
OpSpec Passing(std::string name, bool is_ref, OpRole role, std::vector<std::string> attrs, std::string doc,
               GradientFunction gradient = kGradientIsError) {
  attrs.insert(attrs.begin(), "T: type");
  return {.name = std::move(name),
          .inputs = {is_ref ? "data: Ref(T)" : "data: T"},
          .outputs = {is_ref ? "output: Ref(T)" : "output: T"},
          .attrs = std::move(attrs),
          .shape = SameShape,
          .gradient = gradient,
          .role = role,
          .doc = std::move(doc)};
}
const std::vector<std::string> kFrameAttrs = {"frame_name: string", "is_constant: bool = false",
                                              "parallel_iterations: int = 10"};

// Of a gradient that is taken inside one iteration, by what came from outside.
void EnterGradient(GradientContext& c) {
  if (c.has_dy(0)) c.set_dx(0, c.dy(0));
}
const OpRegistrar enter(Passing("Enter", false, OpRole::kEnter, kFrameAttrs, "Brings a value into a loop.",
                                EnterGradient));
const OpRegistrar ref_enter(Passing("RefEnter", true, OpRole::kEnter, kFrameAttrs, "Brings a variable into a loop.",
                                    EnterGradient));
const OpRegistrar exit_op(Passing("Exit", false, OpRole::kExit, {}, "A loop's result."));
const OpRegistrar ref_exit(Passing("RefExit", true, OpRole::kExit, {}, "A loop's result, a variable."));
const OpRegistrar next_iteration(Passing("NextIteration", false, OpRole::kNextIteration, {},
                                         "A value for the next iteration."));
const OpRegistrar ref_next_iteration(Passing("RefNextIteration", true, OpRole::kNextIteration, {},
                                             "A variable for the next iteration."));
absl::Status LoopCondShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape scalar, c.WithRank(0, 0));
  c.set_output(0, std::move(scalar));
  return absl::OkStatus();
}
const OpRegistrar loop_cond({.name = "LoopCond",
                             .inputs = {"input: bool"},
                             .outputs = {"output: bool"},
                             .shape = LoopCondShape,
                             .gradient = kNotDifferentiable,
                             .role = OpRole::kLoopCond,
                             .doc = "Whether a loop goes on."});

}  // namespace
}  // namespace staticflow
