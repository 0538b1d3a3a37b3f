// Executor: how the workers go through the instructions of a plan.
#include <chrono>

#include "graph/status.h"
#include "runtime/execution.h"
#include "runtime/profile.h"

namespace staticflow {
namespace {

using Clock = std::chrono::steady_clock;
constexpr Clock::time_point kNoDeadline = Clock::time_point::max();

// What must have a barrier before and after it, since all workers look at what it changes. The buffer that a jump would
// release is one predicate, which the end of the step frees as well.
bool ChangesFrame(const Instruction& instruction) {
  if (instruction.kind == InstructionKind::kJump) return false;
  return !instruction.is_static || !instruction.releases.empty();
}

void CheckBarriers(const Plan& plan) {
  const int n = static_cast<int>(plan.instructions.size());
  for (int i = 0; i < n; ++i) {
    const Instruction& instruction = plan.instructions[i];
    const int next = instruction.kind == InstructionKind::kLoopNext ? instruction.target : i + 1;
    SF_CHECK(!ChangesFrame(instruction) ||
             (instruction.barrier && (next == n || plan.instructions[next].barrier) && instruction.cuts.empty()));
    SF_CHECK(instruction.cuts.empty() || (instruction.kind == InstructionKind::kKernel &&
                                          static_cast<int>(instruction.cuts.size()) == plan.workers + 1));
  }
}

// Writes what a walk does into a profile.
class Recorder {
 public:
  Recorder(const Plan& plan, StepProfile* profile) : plan_(plan), profile_(*profile) {}

  void Begin() { start_ = Clock::now(); }
  void End(const WalkStep& step) {
    const Clock::time_point end = Clock::now();
    const int64_t took = std::chrono::nanoseconds(end - start_).count();
    const Instruction& instruction = plan_.instructions[step.instruction];
    if (step.kind == WalkStep::Kind::kBarrier) {
      waited_ += took;
    } else if (instruction.node != nullptr) {
      const IndexRange range = step.context.range();
      const bool is_part = step.kind == WalkStep::Kind::kKernel && instruction.split_items > 0;
      profile_.Add({.node = instruction.node->name(),
                    .type = instruction.node->type(),
                    .start_ns = std::chrono::nanoseconds(start_ - step_start_).count(),
                    .duration_ns = took,
                    .wait_ns = std::exchange(waited_, 0),
                    .share = is_part ? static_cast<double>(range.end - range.begin) / instruction.split_items : 1,
                    .instruction = step.instruction});
    }
  }

 private:
  const Plan& plan_;
  StepProfile& profile_;
  const Clock::time_point step_start_ = Clock::now();
  Clock::time_point start_;
  int64_t waited_ = 0;
};

struct NoRecorder {
  NoRecorder(const Plan&, StepProfile*) {}
  void Begin() {}
  void End(const WalkStep&) {}
};

}  // namespace

// `worker` -1: the walk of one thread that does everything, for which barriers are nothing.
std::vector<WalkStep> Executor::MakeWalk(absl::Span<const KernelContext> contexts, const Plan& plan, int worker) {
  using Kind = WalkStep::Kind;
  const int n = static_cast<int>(plan.instructions.size());
  std::vector<WalkStep> walk;
  std::vector<int> position(n + 1);
  for (int i = 0; i < n; ++i) {
    const Instruction& instruction = plan.instructions[i];
    position[i] = static_cast<int>(walk.size());
    const auto add = [&](Kind kind) { walk.push_back({.kind = kind, .instruction = i, .context = contexts[i]}); };
    if (worker >= 0 && instruction.barrier) add(Kind::kBarrier);
    if (instruction.kind == InstructionKind::kJump) {
      add(Kind::kJump);
    } else if (worker >= 0 && !instruction.cuts.empty()) {
      const IndexRange range = {instruction.cuts[worker], instruction.cuts[worker + 1]};
      if (range.begin == range.end) continue;
      add(Kind::kKernel);
      walk.back().kernel = &instruction.kernel;
      walk.back().context.range_ = range;
      walk.back().context.worker_ = worker;
    } else if (worker <= 0 || instruction.kind == InstructionKind::kCheckVariable) {
      const bool has_kernel = instruction.kind == InstructionKind::kKernel ||
                              instruction.kind == InstructionKind::kLoopAssign ||
                              instruction.kind == InstructionKind::kLoopNext;
      const bool is_simple = has_kernel && !ChangesFrame(instruction);
      const bool checks = instruction.kind == InstructionKind::kCheckVariable && instruction.releases.empty();
      add(is_simple ? Kind::kKernel : checks ? Kind::kCheck : Kind::kOther);
      walk.back().kernel = &instruction.kernel;
      walk.back().variable = instruction.variable;
    }
    if (instruction.kind == InstructionKind::kLoopNext) add(Kind::kGoto);
  }
  position[n] = static_cast<int>(walk.size());
  walk.push_back({.kind = Kind::kEnd});
  for (WalkStep& step : walk) {
    if (step.kind != Kind::kJump && step.kind != Kind::kGoto) continue;
    step.target = position[plan.instructions[step.instruction].target];
  }
  return walk;
}

void Executor::PrepareWalks(Frame& frame) {
  const Plan& plan = *frame.plan_;
  size_t num_inputs = 0, num_outputs = 0;
  for (const Instruction& instruction : plan.instructions) {
    num_inputs += instruction.inputs.size() + (instruction.ahead >= 0 ? 1 : 0);
    num_outputs += instruction.outputs.size();
  }
  frame.operands_.reserve(num_inputs);
  frame.results_.reserve(num_outputs);
  std::vector<KernelContext> contexts(plan.instructions.size());
  for (size_t i = 0; i < contexts.size(); ++i) {
    const Instruction& instruction = plan.instructions[i];
    const size_t first_input = frame.operands_.size(), first_output = frame.results_.size();
    for (int value : instruction.inputs) frame.operands_.push_back(value < 0 ? nullptr : &frame.views_[value]);
    if (instruction.ahead >= 0) frame.operands_.push_back(&frame.views_[instruction.ahead]);
    for (int value : instruction.outputs) frame.results_.push_back(&frame.views_[value]);
    KernelContext& context = contexts[i];
    context.inputs_ = absl::MakeConstSpan(frame.operands_).subspan(first_input, frame.operands_.size() - first_input);
    context.outputs_ = absl::MakeConstSpan(frame.results_).subspan(first_output, instruction.outputs.size());
    context.variables_ = instruction.variables;
    context.range_ = {0, instruction.split_items};
    context.step_ = &frame.step_;
    context.frame_ = &frame;
    context.instruction_ = static_cast<int>(i);
  }
  frame.alone_ = MakeWalk(contexts, plan, -1);
  if (plan.workers == 1) return;
  CheckBarriers(plan);
  for (int worker = 0; worker < plan.workers; ++worker) frame.team_.push_back(MakeWalk(contexts, plan, worker));
  frame.barrier_ = std::make_unique<TeamBarrier>(plan.workers);
  frame.outcomes_.resize(plan.workers);
}

absl::Status Executor::CheckGoesOn(const ExecuteOptions& options) const {
  if (frame_.step_.IsCancelled()) return absl::CancelledError("the step was cancelled");
  if (options.deadline == kNoDeadline || Clock::now() < options.deadline) return absl::OkStatus();
  return absl::DeadlineExceededError("the step ran longer than its timeout_in_ms");
}

template <typename Recorder>
absl::Status Executor::Walk(std::vector<WalkStep>& steps, int worker, const ExecuteOptions& options, int* failed) {
  const bool may_end = worker == 0 && (frame_.step_.cancelled != nullptr || options.deadline != kNoDeadline);
  Recorder recorder(plan_, options.profile);
  for (WalkStep* step = steps.data();;) {
    if (may_end) [[unlikely]] {
      if (absl::Status status = CheckGoesOn(options); !status.ok()) {
        *failed = step->instruction;
        return status;
      }
    }
    recorder.Begin();
    switch (step->kind) {
      case WalkStep::Kind::kKernel:
        if (absl::Status status = (*step->kernel)(step->context); !status.ok()) [[unlikely]] {
          *failed = step->instruction;
          return Error(*failed, std::move(status));
        }
        break;
      case WalkStep::Kind::kCheck:
        if (step->variable->initialized) [[likely]]
          break;
        [[fallthrough]];
      case WalkStep::Kind::kOther:
        if (absl::Status status = RunOther(*step); !status.ok()) [[unlikely]] {
          *failed = step->instruction;
          return Error(*failed, std::move(status));
        }
        break;
      case WalkStep::Kind::kBarrier:
        if (!frame_.barrier_->Wait(worker)) return absl::OkStatus();
        break;
      case WalkStep::Kind::kJump: {
        *failed = step->instruction;
        SF_ASSIGN_OR_RETURN(const bool holds, Holds(plan_.instructions[step->instruction].guard));
        if (holds) break;
        step = &steps[step->target];
        continue;
      }
      case WalkStep::Kind::kGoto:
        step = &steps[step->target];
        continue;
      case WalkStep::Kind::kEnd:
        return absl::OkStatus();
    }
    recorder.End(*step);
    ++step;
  }
}

absl::Status Executor::WalkAs(int worker, std::vector<WalkStep>& steps, const ExecuteOptions& options, int* failed) {
  if (options.profile != nullptr && worker == 0) return Walk<Recorder>(steps, worker, options, failed);
  return Walk<NoRecorder>(steps, worker, options, failed);
}

absl::Status Executor::RunOnTeam(Team::Lease& team, const ExecuteOptions& options) {
  team.Run([&](int worker) {
    Frame::Outcome& outcome = frame_.outcomes_[worker];
    outcome.status = WalkAs(worker, frame_.team_[worker], options, &outcome.instruction);
    if (!outcome.status.ok()) frame_.barrier_->Fail(worker);
  });
  const Frame::Outcome* first = nullptr;
  for (const Frame::Outcome& outcome : frame_.outcomes_) {
    if (!outcome.status.ok() && (first == nullptr || outcome.instruction < first->instruction)) first = &outcome;
  }
  if (first == nullptr) return absl::OkStatus();
  frame_.barrier_->Reset();
  return first->status;
}

absl::Status Executor::RunInstructions(const ExecuteOptions& options) {
  if (plan_.workers > 1) {
    Team::Lease team(plan_.workers, plan_.work_ns);
    if (team.workers() > 1) return RunOnTeam(team, options);
  }
  int failed = 0;
  return WalkAs(0, frame_.alone_, options, &failed);
}

}  // namespace staticflow
