#include "runtime/team.h"

#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>

namespace staticflow {
namespace {

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// The threads of the process. Their number only grows, to the largest that anyone asked for.
class Crew {
 public:
  static Crew& Get() {
    static Crew& crew = *new Crew;  // threads may outlive static destruction
    return crew;
  }

  // Whether the caller now holds the crew with at least `workers` workers.
  bool TryHold(int workers) {
    if (!held_.try_lock()) return false;
    if (pid_ != getpid()) {  // after fork() the threads are gone
      held_.unlock();
      return false;
    }
    if (workers > size_) Start(workers);
    return true;
  }
  void Release() { held_.unlock(); }

  void Run(int workers, const std::function<void(int)>& work) {
    work_ = &work;
    active_ = workers;
    // Every member answers, also those that have no part: so nobody can mistake the next call's work for this one's.
    remaining_.store(size_ - 1, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) {
      std::lock_guard<std::mutex> lock(sleep_mutex_);
      wake_.notify_all();
    }
    work(0);
    constexpr int kSpinsBeforeYield = 20000;  // more workers than cores: let them have ours
    for (int i = 0; remaining_.load(std::memory_order_acquire) > 0; ++i) {
      if (i < kSpinsBeforeYield) {
        Pause();
      } else {
        sched_yield();
      }
    }
  }

 private:
  // Ends the old region, if any, and opens one of `size` workers on a thread of its own.
  void Start(int size) {
    if (region_.joinable()) {
      stop_.store(true);
      generation_.fetch_add(1);
      {
        std::lock_guard<std::mutex> lock(sleep_mutex_);
        wake_.notify_all();
      }
      region_.join();
      stop_.store(false);
    }
    size_ = size;
    const int64_t start = generation_.load();
    region_ = std::thread([this, size, start] {
      const int members = size - 1;  // the caller of Run is worker 0
#pragma omp parallel num_threads(members)
      Member(omp_get_thread_num() + 1, start);
    });
  }

  void Member(int worker, int64_t seen) {
    while (true) {
      seen = WaitForWork(seen);
      if (stop_.load()) return;
      if (worker < active_) (*work_)(worker);
      remaining_.fetch_sub(1, std::memory_order_release);
    }
  }

  int64_t WaitForWork(int64_t seen) {
    constexpr auto kSpin = std::chrono::microseconds(50);
    const auto start = std::chrono::steady_clock::now();
    for (int i = 1;; ++i) {
      const int64_t now = generation_.load(std::memory_order_acquire);
      if (now != seen) return now;
      Pause();
      if (i % 64 == 0 && std::chrono::steady_clock::now() - start > kSpin) break;
    }
    std::unique_lock<std::mutex> lock(sleep_mutex_);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    wake_.wait(lock, [&] { return generation_.load(std::memory_order_seq_cst) != seen; });
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
    return generation_.load();
  }

  std::mutex held_;
  const pid_t pid_ = getpid();
  int size_ = 1;
  std::thread region_;
  std::atomic<bool> stop_ = false;
  std::atomic<int64_t> generation_ = 0;
  std::atomic<int> remaining_ = 0;
  std::atomic<int> sleepers_ = 0;
  int active_ = 0;
  const std::function<void(int)>* work_ = nullptr;
  std::mutex sleep_mutex_;
  std::condition_variable wake_;
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

Team::Lease::Lease(int threads) {
  if (threads > 1 && Crew::Get().TryHold(threads)) workers_ = threads;
}

Team::Lease::~Lease() {
  if (workers_ > 1) Crew::Get().Release();
}

void Team::Lease::Run(const std::function<void(int)>& work) {
  if (workers_ == 1) return work(0);
  Crew::Get().Run(workers_, work);
}

}  // namespace staticflow
