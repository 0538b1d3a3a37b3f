// PreparedStep: one signature of a session, with its plans by feed shapes and their frames. Behind Step and
// Session::Run.
//
// Thread-safety: Run may be called from any number of threads.
#ifndef STATICFLOW_RUNTIME_PREPARED_STEP_H_
#define STATICFLOW_RUNTIME_PREPARED_STEP_H_

#include <list>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "runtime/executor.h"
#include "runtime/plan.h"
#include "runtime/session.h"

namespace staticflow {

// What the steps of one session share.
class SessionState {
 public:
  explicit SessionState(SessionOptions options);

  const SessionOptions& options() const { return options_; }
  ResourceStore& resources() { return resources_; }
  Env* env() const { return env_; }
  int64_t NextStepId() { return steps_.fetch_add(1, std::memory_order_relaxed); }

  // Every call is announced, so that Close can wait for those under way. False after Close.
  bool Enter();
  void Leave() { active_.fetch_sub(1, std::memory_order_acq_rel); }
  void Close();

 private:
  SessionOptions options_;
  ResourceStore resources_;
  Env* env_;
  std::atomic<int64_t> steps_ = 0;
  std::atomic<int64_t> active_ = 0;
  std::atomic<bool> closed_ = false;
};

// A call under way, as Close sees it.
class ActiveCall {
 public:
  explicit ActiveCall(SessionState& state) : state_(state), entered_(state.Enter()) {}
  ~ActiveCall() {
    if (entered_) state_.Leave();
  }
  absl::Status status() const {
    return entered_ ? absl::OkStatus() : absl::FailedPreconditionError("the session is closed");
  }

 private:
  SessionState& state_;
  const bool entered_;
};

class PreparedStep {
 public:
  PreparedStep(std::shared_ptr<SessionState> session, std::shared_ptr<const Program> program)
      : session_(std::move(session)), program_(std::move(program)) {}

  absl::StatusOr<std::vector<Tensor>> Run(absl::Span<const Tensor> feeds, const RunOptions& options);
  absl::StatusOr<std::string> PlanText(absl::Span<const Tensor> feeds);

 private:
  // A plan with the frames that wait for the next call.
  struct PlanEntry {
    std::unique_ptr<const Plan> plan;
    std::vector<std::unique_ptr<Frame>> idle;
  };
  absl::Status CheckFeeds(absl::Span<const Tensor> feeds) const;
  // The plan for these shapes, compiled on first use, and a frame for it. The entry stays valid while it is held.
  absl::StatusOr<std::shared_ptr<PlanEntry>> FindPlan(absl::Span<const Tensor> feeds)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::shared_ptr<SessionState> session_;
  std::shared_ptr<const Program> program_;
  absl::Mutex mutex_;
  std::list<std::shared_ptr<PlanEntry>> plans_ ABSL_GUARDED_BY(mutex_);  // the most recently used first
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_PREPARED_STEP_H_
