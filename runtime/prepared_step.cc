#include "runtime/prepared_step.h"

#include <cstdio>
#include <shared_mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "runtime/io/env.h"
#include "runtime/profile.h"
#include "runtime/team.h"

namespace staticflow {
namespace {

constexpr size_t kMaxPlansPerSignature = 16;  // of different feed shapes
constexpr size_t kMaxIdleFrames = 8;

void WarnOnStandardError(absl::string_view message) {
  std::fprintf(stderr, "staticflow: %.*s\n", static_cast<int>(message.size()), message.data());
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

absl::StatusOr<std::shared_ptr<PreparedStep::PlanEntry>> PreparedStep::FindPlan(absl::Span<const Tensor> feeds) {
  const auto fits = [&](const PlanEntry& entry) {
    for (size_t i = 0; i < feeds.size(); ++i) {
      if (!(entry.plan->feed_shapes[i] == feeds[i].shape())) return false;
    }
    return true;
  };
  for (auto it = plans_.begin(); it != plans_.end(); ++it) {
    if (!fits(**it)) continue;
    plans_.splice(plans_.begin(), plans_, it);
    return plans_.front();
  }
  std::vector<Shape> shapes;
  for (const Tensor& feed : feeds) shapes.push_back(feed.shape());
  auto entry = std::make_shared<PlanEntry>();
  SF_ASSIGN_OR_RETURN(entry->plan, BuildPlan(program_, shapes, &session_->resources(),
                                             {.memory_budget = session_->options().memory_budget}));
  plans_.push_front(entry);
  if (plans_.size() > kMaxPlansPerSignature) plans_.pop_back();
  return entry;
}

absl::StatusOr<std::vector<Tensor>> PreparedStep::Run(absl::Span<const Tensor> feeds, const RunOptions& options) {
  ActiveCall call(*session_);
  SF_RETURN_IF_ERROR(call.status());
  SF_RETURN_IF_ERROR(CheckFeeds(feeds));
  const SessionOptions& session = session_->options();
  std::shared_ptr<PlanEntry> entry;
  std::unique_ptr<Frame> frame;
  {
    absl::MutexLock lock(&mutex_);
    SF_ASSIGN_OR_RETURN(entry, FindPlan(feeds));
    if (!entry->idle.empty()) {
      frame = std::move(entry->idle.back());
      entry->idle.pop_back();
    }
  }
  if (frame == nullptr) {
    SF_ASSIGN_OR_RETURN(frame, Frame::Create(*entry->plan, session.threads, session.memory_budget));
  }
  StepState step{.resources = &session_->resources(),
                 .env = session_->env(),
                 .cancelled = options.cancellation == nullptr ? nullptr : &options.cancellation->flag(),
                 .warn = &session.warn,
                 .id = session_->NextStepId()};
  std::vector<Tensor> fetches;
  if (options.profile != nullptr) options.profile->Clear();
  absl::Status status;
  {
    VariablesLock lock(session_->resources().mutex(), program_->writes_variables);
    status = RunPlan(*frame, feeds, step, {.threads = session.threads, .profile = options.profile}, &fetches);
  }
  {
    absl::MutexLock lock(&mutex_);
    if (entry->idle.size() < kMaxIdleFrames) entry->idle.push_back(std::move(frame));
  }
  if (!status.ok()) return status;
  return fetches;
}

absl::StatusOr<std::string> PreparedStep::PlanText(absl::Span<const Tensor> feeds) {
  SF_RETURN_IF_ERROR(CheckFeeds(feeds));
  absl::MutexLock lock(&mutex_);
  SF_ASSIGN_OR_RETURN(std::shared_ptr<PlanEntry> entry, FindPlan(feeds));
  return entry->plan->ToString();
}

}  // namespace staticflow
