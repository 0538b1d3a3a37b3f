#include "runtime/team.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>

#include "graph/status.h"
#include "runtime/float_mode.h"

namespace staticflow {
namespace {

using Clock = std::chrono::steady_clock;

// Lets some time pass in a loop that looks at memory: the core is ours for the first tries (20 a microsecond), later
// whoever wants it may have it.
class Spin {
 public:
  explicit Spin(int tries_before_yield) : tries_before_yield_(tries_before_yield) {}
  void Once() {
    if (++tries_ > tries_before_yield_) {
      sched_yield();
      return;
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
  int tries() const { return tries_; }

 private:
  const int tries_before_yield_;
  int tries_ = 0;
};

constexpr int kTriesForWork = 500;     // of a member without work
constexpr int kTriesForWorker = 2000;  // within a step

// The mailbox of one member. The holder of the crew writes the first line, the member the second.
struct alignas(64) Mailbox {
  std::atomic<int> signal = 0;  // changes with every call and every knock
  std::atomic<int> calls = 0;   // how many calls the member has had a part in
  std::optional<absl::FunctionRef<void(int)>> work;
  uint32_t float_mode = 0;  // of the caller: members compute as it does
  alignas(64) std::atomic<int> answers = 0;
  std::atomic<bool> asleep = false;
};

// The threads of the process. Their number only grows, to the largest that anyone asked for.
class Crew {
 public:
  static Crew& Get() {
    static Crew& crew = *new Crew;  // threads may outlive static destruction
    return crew;
  }

  // Whether the caller now holds the crew with at least `workers` workers.
  bool TryHold(int workers, std::chrono::nanoseconds work) {
    if (forked_.load(std::memory_order_relaxed) || !held_.try_lock()) return false;
    if (workers > size_ && workers <= limit_) Start(workers);
    if (workers <= size_ && (work.count() <= 0 || work >= Team::kWorthWaking || AreAwake(workers))) return true;
    // The knock is for the next step, if it comes before they would sleep again.
    const Clock::time_point now = Clock::now();
    if (workers <= size_ && now - last_use_ < Team::kSpinTime) {
      for (int w = 1; w < workers; ++w) Signal(mailboxes_[w]);
    }
    last_use_ = now;
    held_.unlock();
    return false;
  }

  void Release() {
    last_use_ = Clock::now();
    held_.unlock();
  }

  void Run(int workers, absl::FunctionRef<void(int)> work) {
    const uint32_t float_mode = FloatMode();
    for (int w = 1; w < workers; ++w) {
      mailboxes_[w].float_mode = float_mode;
      mailboxes_[w].work.emplace(work);
      mailboxes_[w].calls.fetch_add(1, std::memory_order_relaxed);
      Signal(mailboxes_[w]);
    }
    work(0);
    Spin spin(kTriesForWorker);
    for (int w = 1; w < workers; ++w) {
      const int calls = mailboxes_[w].calls.load(std::memory_order_relaxed);
      while (mailboxes_[w].answers.load(std::memory_order_acquire) != calls) spin.Once();
    }
  }

 private:
  Crew() {
    pthread_atfork(nullptr, nullptr, [] { forked_.store(true, std::memory_order_relaxed); });
  }

  bool AreAwake(int workers) const {
    for (int w = 1; w < workers; ++w) {
      if (mailboxes_[w].asleep.load(std::memory_order_relaxed)) return false;
    }
    return true;
  }

  // Either the member sees the signal before it sleeps, or we see that it sleeps: all four accesses have one order.
  static void Signal(Mailbox& box) {
    box.signal.store(box.signal.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
    if (box.asleep.load(std::memory_order_seq_cst)) box.signal.notify_one();
  }

  // Ends the old region, if any, and opens one of `size` workers on a thread of its own.
  void Start(int size) {
    if (region_.joinable()) {
      stop_.store(true, std::memory_order_relaxed);
      for (int w = 1; w < size_; ++w) Signal(mailboxes_[w]);
      region_.join();
      SF_CHECK(open_.load(std::memory_order_acquire) == 0);
      stop_.store(false, std::memory_order_relaxed);
    }
    mailboxes_ = std::make_unique<Mailbox[]>(size);
    region_ = std::thread([this, size] {
      const int members = size - 1;  // the caller of Run is worker 0
#pragma omp parallel num_threads(members)
      {
        const int member = omp_get_thread_num();
        if (member == 0) {
          open_.store(omp_get_num_threads(), std::memory_order_release);
          open_.notify_one();
        }
        Serve(mailboxes_[member + 1], member + 1);
        open_.fetch_sub(1, std::memory_order_acq_rel);
      }
    });
    open_.wait(0, std::memory_order_acquire);
    size_ = 1 + open_.load(std::memory_order_acquire);
    if (size_ < size) limit_ = size_;
  }

  void Serve(Mailbox& box, int worker) {
    int served = 0;
    for (int signal = 0;;) {
      signal = AwaitSignal(box, signal);
      if (stop_.load(std::memory_order_relaxed)) return;
      const int calls = box.calls.load(std::memory_order_relaxed);
      if (calls == served) continue;  // a knock
      if (FloatMode() != box.float_mode) SetFloatMode(box.float_mode);
      (*box.work)(worker);
      served = calls;
      box.answers.store(calls, std::memory_order_release);
    }
  }

  static int AwaitSignal(Mailbox& box, int seen) {
    const Clock::time_point end = Clock::now() + Team::kSpinTime;
    for (Spin spin(kTriesForWork);; spin.Once()) {
      const int signal = box.signal.load(std::memory_order_acquire);
      if (signal != seen) return signal;
      if (spin.tries() % 16 == 15 && Clock::now() > end) break;
    }
    box.asleep.store(true, std::memory_order_seq_cst);
    box.signal.wait(seen, std::memory_order_seq_cst);
    box.asleep.store(false, std::memory_order_relaxed);
    return box.signal.load(std::memory_order_acquire);
  }

  static inline std::atomic<bool> forked_ = false;  // the threads stayed with the parent

  std::mutex held_;
  int size_ = 1;
  int limit_ = std::numeric_limits<int>::max();  // smaller when OpenMP gave fewer threads than it was asked for
  std::thread region_;
  std::unique_ptr<Mailbox[]> mailboxes_;  // by worker
  Clock::time_point last_use_;
  std::atomic<int> open_ = 0;  // members in the region
  std::atomic<bool> stop_ = false;
};

// The cgroup's CPU quota in whole cores; a large number when there is none.
int QuotaThreads() {
  constexpr int kUnlimited = 1 << 20;
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/sys/fs/cgroup/cpu.max", "r"), &std::fclose);
  long long quota = 0, period = 0;
  if (file == nullptr || std::fscanf(file.get(), "%lld %lld", &quota, &period) != 2 || period <= 0) return kUnlimited;
  return static_cast<int>(std::clamp<long long>((quota + period - 1) / period, 1, kUnlimited));
}

}  // namespace

int DefaultThreads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int affinity = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
  return std::max(1, std::min(affinity, QuotaThreads()));
}

Team::Lease::Lease(int workers, int64_t work_ns) {
  if (workers > 1 && Crew::Get().TryHold(workers, std::chrono::nanoseconds(work_ns))) workers_ = workers;
}

Team::Lease::~Lease() {
  if (workers_ > 1) Crew::Get().Release();
}

void Team::Lease::Run(absl::FunctionRef<void(int)> work) {
  if (workers_ == 1) return work(0);
  Crew::Get().Run(workers_, work);
}

bool TeamBarrier::Wait(int worker) {
  std::atomic<int64_t>& own = slots_[worker].state;
  const int64_t here = own.load(std::memory_order_relaxed) + 2;
  own.store(here, std::memory_order_release);
  Spin spin(kTriesForWorker);
  for (int w = 0; w < workers_; ++w) {
    if (w == worker) continue;
    int64_t state = slots_[w].state.load(std::memory_order_acquire);
    for (; state < here; state = slots_[w].state.load(std::memory_order_acquire)) spin.Once();
    const bool failed = state % 2 == 1;
    if (failed && state - 1 <= here) return false;
  }
  return true;
}

void TeamBarrier::Fail(int worker) {
  std::atomic<int64_t>& own = slots_[worker].state;
  own.store(own.load(std::memory_order_relaxed) + 3, std::memory_order_release);
}

void TeamBarrier::Reset() {
  for (int w = 0; w < workers_; ++w) slots_[w].state.store(0, std::memory_order_relaxed);
}

}  // namespace staticflow
