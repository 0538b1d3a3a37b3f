#include "runtime/prepared_step.h"

#include <chrono>
#include <cstdio>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/status.h"
#include "runtime/audit.h"
#include "runtime/io/env.h"
#include "runtime/pass.h"
#include "runtime/profile.h"
#include "runtime/store_mutex.h"
#include "runtime/team.h"

namespace staticflow {
namespace {

constexpr size_t kMaxPlansPerSignature = 16;  // of different feed shapes
constexpr size_t kMaxIdleFrames = 8;
constexpr size_t kMaxPredicates = 3;  // beyond, their values would make too many plans: branches stay jumps

bool ScalarBool(const Tensor& tensor) { return *static_cast<const bool*>(tensor.raw()); }

void WarnOnStandardError(absl::string_view message) {
  std::fprintf(stderr, "staticflow: %.*s\n", static_cast<int>(message.size()), message.data());
}

// When a step that begins now has to end.
std::chrono::steady_clock::time_point DeadlineAfter(int64_t timeout_in_ms) {
  constexpr int64_t kAge = int64_t{1} << 40;  // 35 years: more would not fit into nanoseconds one day
  if (timeout_in_ms <= 0 || timeout_in_ms > kAge) return std::chrono::steady_clock::time_point::max();
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_in_ms);
}

// The lock of the session's variables for one step: shared for readers, exclusive for writers.
class VariablesLock {
 public:
  VariablesLock(std::shared_mutex& mutex, bool writes) : mutex_(mutex), writes_(writes) {
    if (writes_) {
      mutex_.lock();
    } else {
      mutex_.lock_shared();
    }
  }
  ~VariablesLock() {
    if (writes_) {
      mutex_.unlock();
    } else {
      mutex_.unlock_shared();
    }
  }

 private:
  std::shared_mutex& mutex_;
  const bool writes_;
};

}  // namespace

SessionState::SessionState(SessionOptions options) : options_(std::move(options)) {
  if (options_.threads <= 0) options_.threads = DefaultThreads();
  if (options_.warn == nullptr) options_.warn = WarnOnStandardError;
  env_ = options_.env != nullptr ? options_.env : PosixEnv();
}

bool SessionState::Enter() {
  active_.fetch_add(1, std::memory_order_acq_rel);
  if (!closed_.load(std::memory_order_acquire)) return true;
  Leave();
  return false;
}

void SessionState::Close() {
  closed_.store(true, std::memory_order_release);
  while (active_.load(std::memory_order_acquire) > 0) std::this_thread::yield();
}

absl::Status SessionState::AuditBeforeRunning(const Program& program, const Signature& signature,
                                              absl::Span<const Tensor> feeds) {
  if (options_.audit == Audit::kOff) return absl::OkStatus();
  const std::vector<std::string> findings =
      AuditStep({.program = program, .signature = signature, .feeds = feeds, .resources = resources_});
  if (findings.empty()) return absl::OkStatus();
  if (options_.audit == Audit::kError) return absl::FailedPreconditionError(absl::StrJoin(findings, "; "));
  for (const std::string& finding : findings) {
    {
      std::lock_guard lock(findings_mutex_);
      if (!findings_.insert(finding).second) continue;
    }
    options_.warn(finding);
  }
  return absl::OkStatus();
}

absl::Status PreparedStep::CheckFeeds(absl::Span<const Tensor> feeds) const {
  const std::vector<Output>& wanted = program_->signature.feeds;
  if (feeds.size() != wanted.size()) {
    return absl::InvalidArgumentError(absl::StrCat("got ", feeds.size(), " feeds, the step takes ", wanted.size()));
  }
  for (size_t i = 0; i < feeds.size(); ++i) {
    const Output feed = wanted[i];
    if (feeds[i].dtype() == feed.dtype() && feeds[i].shape().IsCompatibleWith(feed.shape())) continue;
    return absl::InvalidArgumentError(absl::StrCat(feed.node()->DebugName(), ": fed with ",
                                                   DataTypeName(feeds[i].dtype()), feeds[i].shape().ToString(),
                                                   ", expected ", DataTypeName(feed.dtype()), feed.shape().ToString()));
  }
  return absl::OkStatus();
}

bool PreparedStep::Fits(const Plan& plan, absl::Span<const Tensor> feeds) const {
  if (feeds.size() != plan.feed_shapes.size()) return false;
  for (size_t i = 0; i < feeds.size(); ++i) {
    if (feeds[i].dtype() != program_->signature.feeds[i].dtype() || feeds[i].shape() != plan.feed_shapes[i]) {
      return false;
    }
  }
  for (const auto& [feed, value] : plan.feed_predicates) {
    if (ScalarBool(feeds[feed]) != value) return false;
  }
  return true;
}

absl::StatusOr<PreparedStep::PlanEntry*> PreparedStep::FindPlan(absl::Span<const Tensor> feeds) {
  for (auto it = plans_.begin(); it != plans_.end(); ++it) {
    if (!Fits(*it->plan, feeds)) continue;
    plans_.splice(plans_.begin(), plans_, it);
    return &plans_.front();
  }
  SF_RETURN_IF_ERROR(session_->AuditBeforeRunning(*program_, signature_, feeds));
  std::vector<Shape> shapes;
  for (const Tensor& feed : feeds) shapes.push_back(feed.shape());
  PlanOptions options{.memory_budget = session_->options().memory_budget, .workers = session_->options().threads};
  SF_ASSIGN_OR_RETURN(options.passes, ParsePasses(session_->options().passes));
  if (program_->predicate_feeds.size() <= kMaxPredicates) {
    for (int feed : program_->predicate_feeds) {
      if (feeds[feed].dtype() != DT_BOOL || feeds[feed].num_elements() != 1) continue;
      options.feed_predicates.push_back({feed, ScalarBool(feeds[feed])});
    }
  }
  SF_ASSIGN_OR_RETURN(std::shared_ptr<const Plan> plan, BuildPlan(program_, shapes, &session_->resources(), options));
  plans_.push_front({.plan = std::move(plan)});
  if (plans_.size() > kMaxPlansPerSignature) plans_.pop_back();
  return &plans_.front();
}

absl::StatusOr<std::unique_ptr<Frame>> PreparedStep::TakeFrame(absl::Span<const Tensor> feeds) {
  std::unique_ptr<Frame> frame(last_.exchange(nullptr, std::memory_order_acq_rel));
  if (frame != nullptr && Fits(frame->plan(), feeds)) return frame;
  std::shared_ptr<const Plan> plan;
  {
    std::lock_guard lock(mutex_);
    if (frame != nullptr) Park(std::move(frame));
    SF_RETURN_IF_ERROR(CheckFeeds(feeds));
    SF_ASSIGN_OR_RETURN(PlanEntry* const entry, FindPlan(feeds));
    if (!entry->idle.empty()) {
      frame = std::move(entry->idle.back());
      entry->idle.pop_back();
      return frame;
    }
    plan = entry->plan;
  }
  return Frame::Create(std::move(plan), session_->options().memory_budget);
}

void PreparedStep::GiveBack(std::unique_ptr<Frame> frame) {
  std::unique_ptr<Frame> other(last_.exchange(frame.release(), std::memory_order_acq_rel));
  if (other == nullptr) return;
  std::lock_guard lock(mutex_);
  Park(std::move(other));
}

void PreparedStep::Park(std::unique_ptr<Frame> frame) {
  for (auto it = plans_.begin(); it != plans_.end(); ++it) {
    if (it->plan.get() != &frame->plan()) continue;
    plans_.splice(plans_.begin(), plans_, it);
    if (it->idle.size() < kMaxIdleFrames) it->idle.push_back(std::move(frame));
    return;
  }
}

absl::StatusOr<std::vector<Tensor>> PreparedStep::Run(absl::Span<const Tensor> feeds, const RunOptions& options) {
  const std::chrono::steady_clock::time_point deadline = DeadlineAfter(options.timeout_in_ms);
  ActiveCall call(*session_);
  SF_RETURN_IF_ERROR(call.status());
  SF_ASSIGN_OR_RETURN(std::unique_ptr<Frame> frame, TakeFrame(feeds));
  const StepState step{.resources = &session_->resources(),
                       .env = session_->env(),
                       .cancelled = options.cancellation == nullptr ? nullptr : &options.cancellation->flag(),
                       .warn = &session_->options().warn,
                       .id = session_->NextStepId()};
  std::vector<Tensor> fetches;
  if (options.profile != nullptr) options.profile->Clear();
  absl::Status status;
  {
    VariablesLock lock(session_->resources().mutex(), program_->writes_variables);
    status = RunPlan(*frame, feeds, step, {.profile = options.profile, .deadline = deadline}, &fetches);
  }
  GiveBack(std::move(frame));
  if (!status.ok()) return status;
  return fetches;
}

absl::StatusOr<std::string> PreparedStep::PlanText(absl::Span<const Tensor> feeds) {
  SF_RETURN_IF_ERROR(CheckFeeds(feeds));
  std::lock_guard lock(mutex_);
  SF_ASSIGN_OR_RETURN(PlanEntry* const entry, FindPlan(feeds));
  return entry->plan->ToString();
}

}  // namespace staticflow
