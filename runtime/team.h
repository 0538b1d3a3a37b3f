// Team: the worker threads of the process. One team serves all sessions; at most one step uses it at a time, others run
// the same shards on their own thread, which gives the same bits.
//
//   Team::Lease lease(threads);                          // empty when the team is busy or threads == 1
//   lease.Run([&](int worker) { ... });                  // worker 0 is the caller
//
// Members wait for work at a spinning mailbox (a hand-off costs some 0.1 us) and go to sleep after some tens of
// microseconds without any. The threads form one OpenMP region that lives as long as the team is wanted; kernels never
// open regions of their own.
#ifndef STATICFLOW_RUNTIME_TEAM_H_
#define STATICFLOW_RUNTIME_TEAM_H_

#include <functional>

namespace staticflow {

// What the process may use: its CPU affinity and cgroup quota.
int DefaultThreads();

class Team {
 public:
  // The use of `threads` workers for the duration of one step.
  class Lease {
   public:
    explicit Lease(int threads);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    // The number of workers, the caller included: 1 when the team was not to be had.
    int workers() const { return workers_; }
    // Calls `work(w)` for every worker at the same time and returns when all are done.
    void Run(const std::function<void(int)>& work);

   private:
    int workers_ = 1;
  };
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_TEAM_H_
