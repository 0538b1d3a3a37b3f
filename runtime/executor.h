// The executor: runs the instructions of a plan, with the memory of one Frame.
//
//   SF_ASSIGN_OR_RETURN(std::unique_ptr<Frame> frame, Frame::Create(plan, memory_budget));
//   SF_RETURN_IF_ERROR(RunPlan(*frame, feeds, step_state, {}, &fetches));
//
// A plan for several workers runs on the team when that is to be had: every worker walks through all instructions, runs
// its part of each, and waits for the others where the plan has a barrier. One thread alone runs the same instructions
// whole. The bits are the same, since a kernel's results do not depend on how its range is cut. When kernels fail, the
// step's error is that of the first failing instruction in the plan's order.
//
// Thread-safety: a Frame belongs to one running call. Different frames of one plan run side by side.
#ifndef STATICFLOW_RUNTIME_EXECUTOR_H_
#define STATICFLOW_RUNTIME_EXECUTOR_H_

#include <chrono>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "runtime/kernel.h"
#include "runtime/plan.h"

namespace staticflow {

class StepProfile;
class TeamBarrier;

// One thing that a worker does on its way through a plan: what the executor reads in a step, close together.
struct WalkStep {
  enum class Kind : uint8_t {
    kKernel,   // run `kernel`
    kBarrier,  // wait for the other workers
    kJump,     // go to `target` unless the instruction's guard holds
    kGoto,     // go to `target`
    kCheck,    // everything is said when `variable` is initialized
    kOther,    // everything else, by the instruction
    kEnd,
  };
  Kind kind = Kind::kEnd;
  int instruction = -1;
  int target = -1;  // in the same walk
  const Kernel* kernel = nullptr;
  const VariableSlot* variable = nullptr;
  KernelContext context = {};  // with the worker's part of a kernel's range
};

// The memory of one running step: the arena, and what has no fixed place in it.
class Frame {
 public:
  // Keeps `plan`. ResourceExhausted when the arena cannot be had.
  static absl::StatusOr<std::unique_ptr<Frame>> Create(std::shared_ptr<const Plan> plan, int64_t memory_budget);
  ~Frame();

  const Plan& plan() const { return *plan_; }

 private:
  friend class Executor;
  friend class KernelContext;
  explicit Frame(std::shared_ptr<const Plan> plan);

  absl::Status Charge(int64_t bytes);

  // How a worker's walk ended.
  struct alignas(64) Outcome {
    absl::Status status;
    int instruction = 0;  // that failed
  };

  const std::shared_ptr<const Plan> plan_;
  Tensor arena_;
  std::vector<TensorView> views_;            // by value
  std::vector<Shape> dynamic_shapes_;        // by value; used where the plan knows no shape
  std::vector<Tensor> tensors_;              // by buffer: kObjects and kDynamic
  std::vector<int> dynamic_buffers_;         // those that are kDynamic
  std::vector<const TensorView*> operands_;  // of all instructions, one after the other
  std::vector<TensorView*> results_;
  std::vector<WalkStep> alone_;              // the walk of one thread that does everything
  std::vector<std::vector<WalkStep>> team_;  // by worker; empty when the plan is for one
  std::unique_ptr<TeamBarrier> barrier_;     // of the team
  std::vector<Outcome> outcomes_;            // by worker
  std::vector<Tensor> scratch_;              // by worker
  std::vector<Tensor> fetched_;              // what the last step returned, by fetch
  std::unique_ptr<ResourceStore> objects_;   // of the running step; null when no op of the plan uses any
  StepState step_;
  int64_t memory_budget_ = 0;
  int64_t dynamic_bytes_ = 0;
};

struct ExecuteOptions {
  StepProfile* profile = nullptr;
  // When the step has taken too long: looked at before each instruction.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

// Runs one step. `feeds` are checked by the caller. On success `fetches` holds one tensor per fetch: memory that nobody
// else uses. A steady step whose fetched tensors were let go of allocates none.
absl::Status RunPlan(Frame& frame, absl::Span<const Tensor> feeds, const StepState& step, const ExecuteOptions& options,
                     std::vector<Tensor>* fetches);

// Runs `kernel`, made for `node`, once on tensors, outside of any plan: for folding constants. Inputs without data are
// allowed for ops that look at shapes alone. `outputs` have their shapes.
absl::Status RunKernel(const Node& node, const Kernel& kernel, absl::Span<const Tensor> inputs,
                       absl::Span<Tensor> outputs);
// The same for a part, on memory as the views say, with the variables behind the first inputs. The view of a tensor
// must not outlive it.
absl::Status RunKernel(const Kernel& kernel, absl::Span<const TensorView> inputs, absl::Span<TensorView> outputs,
                       IndexRange range, absl::Span<VariableSlot* const> variables = {});
TensorView ViewOf(const Tensor& tensor);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_EXECUTOR_H_
