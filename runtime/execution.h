// Executor: one run of a plan on a frame. Inside runtime/executor.h; frame.cc has what concerns memory, walk.cc how the
// workers go through the plan, executor.cc the instructions.
#ifndef STATICFLOW_RUNTIME_EXECUTION_H_
#define STATICFLOW_RUNTIME_EXECUTION_H_

#include <vector>

#include "runtime/executor.h"
#include "runtime/team.h"

namespace staticflow {

// Makes `view` contiguous with this shape, which must outlive it.
void SetShape(const Shape* shape, TensorView* view);

// One run of a plan on a frame.
class Executor {
 public:
  Executor(Frame& frame, const StepState& step) : frame_(frame), plan_(*frame.plan_), guards_(plan_.program->guards) {
    frame_.step_ = step;
    frame_.step_.objects = frame_.objects_.get();
  }

  static absl::Status Prepare(Frame& frame);
  static absl::Status RunOnce(const Kernel& kernel, absl::Span<const TensorView> inputs, absl::Span<TensorView> outputs,
                              IndexRange range, absl::Span<VariableSlot* const> variables);

  absl::Status Run(absl::Span<const Tensor> feeds, const ExecuteOptions& options, std::vector<Tensor>* fetches);

 private:
  static absl::Status PrepareViews(Frame& frame);
  static void PrepareWalks(Frame& frame);
  static std::vector<WalkStep> MakeWalk(absl::Span<const KernelContext> contexts, const Plan& plan, int worker);

  void BindFeeds(absl::Span<const Tensor> feeds);
  absl::Status RunInstructions(const ExecuteOptions& options);
  absl::Status RunOnTeam(Team::Lease& team, const ExecuteOptions& options);
  // Goes through `steps` to the end, to a failure (then `failed` is its instruction), or to a barrier that another
  // worker failed to reach. Worker 0 looks for cancellation and the deadline, and fills the profile, if any.
  absl::Status WalkAs(int worker, std::vector<WalkStep>& steps, const ExecuteOptions& options, int* failed);
  template <typename Recorder>
  absl::Status Walk(std::vector<WalkStep>& steps, int worker, const ExecuteOptions& options, int* failed);
  // Whether the step shall end here, for a reason outside of it.
  absl::Status CheckGoesOn(const ExecuteOptions& options) const;

  // What a walk calls kOther: runs the instruction and releases what nobody needs after it.
  absl::Status RunOther(const WalkStep& step);
  absl::Status RunInstruction(const Instruction& instruction, const KernelContext& context);
  absl::Status RunDynamic(const Instruction& instruction, KernelContext context);
  absl::Status RunMerge(const Instruction& instruction);
  absl::Status RunCopy(const Instruction& instruction);
  absl::Status RunAlias(const Instruction& instruction);
  absl::Status RunLoopAssign(const Instruction& instruction, const KernelContext& context);
  absl::StatusOr<std::vector<Shape>> InferAtRunTime(const Instruction& instruction, absl::Span<const int> inputs);
  absl::Status Fetch(std::vector<Tensor>* fetches);
  absl::StatusOr<bool> Holds(GuardId guard) const;
  // Gives a dynamic value its shape and memory.
  absl::Status Allocate(int value, const Shape& shape);
  // The view of `value`; that of a variable of open shape follows its tensor.
  const TensorView& View(int value);
  void RefreshVariable(int value);
  absl::Status Error(int instruction, absl::Status status) const;

  Frame& frame_;
  const Plan& plan_;
  const GuardTable& guards_;
  friend class KernelContext;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_EXECUTION_H_
