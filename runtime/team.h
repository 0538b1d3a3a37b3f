// Team: the worker threads of the process. One team serves all sessions; at most one step uses it at a time, others run
// alone on their own thread, which gives the same bits.
//
//   Team::Lease lease(plan.workers, plan.work_ns);       // 1 worker when the team is not to be had
//   TeamBarrier barrier(lease.workers());
//   lease.Run([&](int worker) {                          // worker 0 is the caller
//     Produce(worker);
//     if (barrier.Wait(worker)) Consume(worker);
//   });
//
// Members wait for work at a spinning mailbox (a hand-off costs some 0.1 us). After kSpinTime without any they sleep;
// waking one takes some 60 us. So a small step whose members sleep runs alone, which is sooner; it wakes them for the
// next one where steps follow each other closely. The threads form one OpenMP region that lives as long as the team is
// wanted; kernels never open regions of their own.
#ifndef STATICFLOW_RUNTIME_TEAM_H_
#define STATICFLOW_RUNTIME_TEAM_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"

namespace staticflow {

// What the process may use: its CPU affinity and cgroup quota.
int DefaultThreads();

class Team {
 public:
  // How long a member looks for work before it sleeps: three times what waking it would cost, so that loops which
  // prepare a batch between steps keep their team. Most of it is spent yielding to whoever wants the core.
  static constexpr std::chrono::microseconds kSpinTime{200};
  // A step that one thread does in less is not worth waiting for sleepers: two workers would save half of it at best.
  static constexpr std::chrono::microseconds kWorthWaking{150};

  // The use of `workers` workers for the duration of one step.
  class Lease {
   public:
    // `work_ns`: how long one worker alone would take, 0 when that is not known.
    explicit Lease(int workers, int64_t work_ns = 0);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    // The number of workers, the caller included: what was asked for, or 1.
    int workers() const { return workers_; }
    // Calls `work(w)` for every worker at the same time and returns when all are done.
    void Run(absl::FunctionRef<void(int)> work);

   private:
    int workers_ = 1;
  };
};

// Where the workers of one step wait for each other. They spin, and yield after a while: there may be more workers than
// cores.
//
// A worker that fails leaves: nobody waits for it any more, and all others leave at the first barrier that it did not
// reach, no sooner and no later. So which work was done does not depend on timing.
class TeamBarrier {
 public:
  explicit TeamBarrier(int workers) : workers_(workers), slots_(std::make_unique<Slot[]>(workers)) {}

  // Waits until all workers have come as often as this one. False when one of them failed on its way: leave.
  // What the others did before is visible afterwards.
  bool Wait(int worker);
  // `worker` will not come again.
  void Fail(int worker);
  // Needed before the barrier is used again after a failure. REQUIRES: no worker is at work.
  void Reset();

 private:
  struct alignas(64) Slot {
    // Twice the number of barriers reached; plus 1 for the barrier that the worker failed to reach.
    std::atomic<int64_t> state = 0;
  };
  const int workers_;
  std::unique_ptr<Slot[]> slots_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_TEAM_H_
