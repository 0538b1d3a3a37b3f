// The executor: runs the instructions of a plan, with the memory of one Frame.
//
//   std::unique_ptr<Frame> frame = ...;                       // from the pool of the plan
//   SF_RETURN_IF_ERROR(RunPlan(*frame, feeds, step_state, {.threads = 2}, &fetches));
//
// Thread-safety: a Frame belongs to one running call. Different frames of one plan run side by side.
#ifndef STATICFLOW_RUNTIME_EXECUTOR_H_
#define STATICFLOW_RUNTIME_EXECUTOR_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "runtime/kernel.h"
#include "runtime/plan.h"

namespace staticflow {

class StepProfile;

// The memory of one running step: the arena, and what has no fixed place in it.
class Frame {
 public:
  // `plan` must outlive the frame. ResourceExhausted when the arena cannot be had.
  static absl::StatusOr<std::unique_ptr<Frame>> Create(const Plan& plan, int workers, int64_t memory_budget);

  const Plan& plan() const { return plan_; }

 private:
  friend class Executor;
  friend class KernelContext;
  explicit Frame(const Plan& plan) : plan_(plan) {}

  absl::Status Charge(int64_t bytes);

  const Plan& plan_;
  Tensor arena_;
  std::vector<TensorView> views_;            // by value
  std::vector<Shape> dynamic_shapes_;        // by value; used where the plan knows no shape
  std::vector<Tensor> tensors_;              // by buffer: kObjects and kDynamic
  std::vector<const TensorView*> operands_;  // of all instructions, one after the other
  std::vector<TensorView*> results_;
  std::vector<KernelContext> contexts_;  // by instruction
  std::vector<Tensor> scratch_;          // by worker
  StepState step_;
  int64_t memory_budget_ = 0;
  int64_t dynamic_bytes_ = 0;
};

struct ExecuteOptions {
  int threads = 1;  // at most the workers that the frame was made for
  StepProfile* profile = nullptr;
};

// Runs one step. `feeds` are checked by the caller. On success `fetches` holds one tensor per fetch.
absl::Status RunPlan(Frame& frame, absl::Span<const Tensor> feeds, const StepState& step, const ExecuteOptions& options,
                     std::vector<Tensor>* fetches);

// Runs `kernel`, made for `node`, once on tensors, outside of any plan: for folding constants. Inputs without data are
// allowed for ops that look at shapes alone. `outputs` have their shapes.
absl::Status RunKernel(const Node& node, const Kernel& kernel, absl::Span<const Tensor> inputs,
                       absl::Span<Tensor> outputs);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_EXECUTOR_H_
