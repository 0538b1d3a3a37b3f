// PreparedStep: one signature of a session, with its plans by feed shapes and their frames. Behind Step and
// Session::Run.
//
// A call leaves its frame where the next one finds it without a lock; when the feeds have the same shapes, there is
// nothing to look up. Other frames wait with their plans.
//
// Thread-safety: Run may be called from any number of threads.
#ifndef STATICFLOW_RUNTIME_PREPARED_STEP_H_
#define STATICFLOW_RUNTIME_PREPARED_STEP_H_

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
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
  // Asks the audits about a step that is being planned; FailedPrecondition as SessionOptions::audit says.
  absl::Status AuditBeforeRunning(const Program& program, const Signature& signature, absl::Span<const Tensor> feeds);
  int64_t NextStepId() { return steps_.fetch_add(1, std::memory_order_relaxed); }

  // Every call is announced, so that Close can wait for those under way. False after Close.
  bool Enter();
  void Leave() { active_.fetch_sub(1, std::memory_order_acq_rel); }
  void Close();

 private:
  SessionOptions options_;
  ResourceStore resources_;
  Env* env_;
  std::mutex findings_mutex_;
  absl::flat_hash_set<std::string> findings_ ABSL_GUARDED_BY(findings_mutex_);  // that were told
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
  // `signature` is what the program was compiled for.
  PreparedStep(std::shared_ptr<SessionState> session, std::shared_ptr<const Program> program, Signature signature)
      : session_(std::move(session)), program_(std::move(program)), signature_(std::move(signature)) {}
  ~PreparedStep() { delete last_.load(); }

  absl::StatusOr<std::vector<Tensor>> Run(absl::Span<const Tensor> feeds, const RunOptions& options);
  absl::StatusOr<std::string> PlanText(absl::Span<const Tensor> feeds);

 private:
  // A plan with the frames that wait for a call.
  struct PlanEntry {
    std::shared_ptr<const Plan> plan;
    std::vector<std::unique_ptr<Frame>> idle = {};
  };
  absl::Status CheckFeeds(absl::Span<const Tensor> feeds) const;
  // Whether the feeds are those that `plan` is for.
  bool Fits(const Plan& plan, absl::Span<const Tensor> feeds) const;
  // The plan for these shapes, compiled on first use; it becomes the first of plans_.
  absl::StatusOr<PlanEntry*> FindPlan(absl::Span<const Tensor> feeds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // A frame for this call, to be given back.
  absl::StatusOr<std::unique_ptr<Frame>> TakeFrame(absl::Span<const Tensor> feeds);
  void GiveBack(std::unique_ptr<Frame> frame);
  // Puts a frame with its plan, if that is still kept.
  void Park(std::unique_ptr<Frame> frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::shared_ptr<SessionState> session_;
  std::shared_ptr<const Program> program_;
  const Signature signature_;
  std::atomic<Frame*> last_ = nullptr;  // owned; of the last call
  std::mutex mutex_;
  std::list<PlanEntry> plans_ ABSL_GUARDED_BY(mutex_);  // the most recently used first
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_PREPARED_STEP_H_
