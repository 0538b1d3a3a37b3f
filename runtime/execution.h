// Executor: one run of a plan on a frame. Inside runtime/executor.h; frame.cc has what concerns memory, executor.cc the
// instructions.
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
  Executor(Frame& frame, const StepState& step) : frame_(frame), plan_(frame.plan_), guards_(plan_.program->guards) {
    frame_.step_ = step;
  }

  static absl::Status Prepare(Frame& frame, int workers);
  static absl::Status RunOnce(const Node& node, const Kernel& kernel, absl::Span<const Tensor> inputs,
                              absl::Span<Tensor> outputs);

  absl::Status Run(absl::Span<const Tensor> feeds, const ExecuteOptions& options, std::vector<Tensor>* fetches);

 private:
  void BindFeeds(absl::Span<const Tensor> feeds);
  absl::Status RunInstructions(Team::Lease* team, StepProfile* profile);
  absl::Status RunKernelInstruction(int index, Team::Lease* team);
  absl::Status RunShards(int index, Team::Lease& team);
  absl::Status RunDynamic(int index);
  absl::Status RunMerge(const Instruction& instruction);
  absl::Status RunCopy(const Instruction& instruction);
  absl::Status RunAlias(const Instruction& instruction);
  absl::Status RunLoopAssign(const Instruction& instruction);
  absl::StatusOr<std::vector<Shape>> InferAtRunTime(const Instruction& instruction, absl::Span<const int> inputs);
  absl::Status Fetch(std::vector<Tensor>* fetches);
  absl::StatusOr<bool> Holds(GuardId guard) const;
  // Gives a dynamic value its shape and memory.
  absl::Status Allocate(int value, const Shape& shape);
  // The view of `value`; that of a variable of open shape follows its tensor.
  const TensorView& View(int value);
  void RefreshVariable(int value);

  Frame& frame_;
  const Plan& plan_;
  const GuardTable& guards_;
  friend class KernelContext;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_EXECUTION_H_
