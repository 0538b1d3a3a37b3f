// Session: runs a graph. It owns the variables' values and the compiled plans.
//
//   Session session(g, {.threads = 2});
//   SF_RETURN_IF_ERROR(session.Initialize());
//   SF_ASSIGN_OR_RETURN(Step step, session.Prepare({.feeds = {x, y}, .fetches = {loss}, .targets = {train}}));
//   for (...) SF_ASSIGN_OR_RETURN(std::vector<Tensor> out, step.Run({images, labels}));
//
// Run() is for one-offs, Prepare() -> Step for loops. Either way the computation is compiled once for each
// combination of feeds, fetches, targets and feed shapes, and cached (the least recently used plan goes first).
//
// The graph may grow between runs; a session sees the nodes that exist when a signature is first used. A variable
// created after Initialize() is uninitialized until its own initializer runs.
//
// Thread-safety: Run, Prepare and Step::Run may be called from any number of threads at once; a step that writes
// variables has them for itself, steps that only read run side by side. Close and the destructor need to be alone.
// The graph must not be changed while a call is under way, and must outlive the session.
#ifndef STATICFLOW_RUNTIME_SESSION_H_
#define STATICFLOW_RUNTIME_SESSION_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "graph/graph.h"
#include "graph/tensor.h"

namespace staticflow {

class Env;
class PreparedStep;
class ResourceStore;
class SessionState;
class SignatureCache;
class StepProfile;

struct ExplainOptions;
struct Explanation;

// What to do with the findings about a step that is to run for the first time (runtime/audit.h).
enum class Audit {
  kOff,
  kWarn,   // each sentence goes to SessionOptions::warn, once in a session
  kError,  // the step does not run: FailedPrecondition with all sentences
};

struct SessionOptions {
  int threads = 0;  // 0: what the process may use (affinity, cgroup quota); results never depend on it
  int64_t memory_budget = int64_t{16} << 30;              // bytes for tensors of one step; more is ResourceExhausted
  std::function<void(absl::string_view)> warn = nullptr;  // null: warnings go to standard error
  Env* env = nullptr;                                     // null: the real file system
  int max_plans = 64;                                     // plans kept per session
  Audit audit = Audit::kWarn;                             // of steps before they run
  std::string passes = "";  // rewrites that are off, as "-fuse_loops,-partition" (runtime/pass.h); "": all are on
};

// What to run: tensors that will be given, tensors to return, operations to run besides.
struct Signature {
  std::vector<Output> feeds = {};
  std::vector<Output> fetches = {};
  std::vector<Operation> targets = {};
};

// Ends calls that are under way, from another thread.
class CancellationToken {
 public:
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  const std::atomic<bool>& flag() const { return cancelled_; }

 private:
  std::atomic<bool> cancelled_ = false;
};

struct RunOptions {
  const CancellationToken* cancellation = nullptr;  // the call returns Cancelled soon after Cancel()
  StepProfile* profile = nullptr;                   // filled with the time of each instruction: runtime/profile.h
  int64_t timeout_in_ms =
      0;  // if positive, the call returns DeadlineExceeded soon after it; a kernel at work ends first
};

// A prepared signature. A cheap value that refers to the session, which must outlive it.
class Step {
 public:
  Step() = default;

  // Feeds in the order of the signature; returns the fetches in theirs. A feed's buffer is read in place, so it must
  // not change during the call; fetched tensors are the caller's own (a fetched variable is a snapshot).
  // InvalidArgument for a feed of the wrong dtype or shape, FailedPrecondition for a variable that is used before it
  // was initialized (it is named), Cancelled, DeadlineExceeded, ResourceExhausted; errors of kernels name their node
  // and its line. What a step that ended early had already written stays written.
  absl::StatusOr<std::vector<Tensor>> Run(absl::Span<const Tensor> feeds, const RunOptions& options = {}) const;
  absl::StatusOr<std::vector<Tensor>> Run(std::initializer_list<Tensor> feeds, const RunOptions& options = {}) const {
    return Run(absl::MakeConstSpan(feeds.begin(), feeds.size()), options);
  }

 private:
  friend class Session;
  explicit Step(std::shared_ptr<PreparedStep> prepared) : prepared_(std::move(prepared)) {}
  std::shared_ptr<PreparedStep> prepared_;
};

class Session {
 public:
  explicit Session(const Graph& graph, SessionOptions options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Graph& graph() const { return graph_; }
  const SessionOptions& options() const;

  // Runs the initializers of all variables of the graph, in their order.
  absl::Status Initialize();

  // The graph's first building error, if it has one. InvalidArgument for a feed or fetch of another graph, a feed
  // given twice, a placeholder that the fetches need and that is not fed (checked when the step runs).
  absl::StatusOr<Step> Prepare(Signature signature);

  // Prepare and Run in one.
  using Feeds = std::vector<std::pair<Output, Tensor>>;
  absl::StatusOr<std::vector<Tensor>> Run(const Feeds& feeds, const std::vector<Output>& fetches,
                                          const std::vector<Operation>& targets = {}, const RunOptions& options = {});
  // One fetch.
  absl::StatusOr<Tensor> Run(const Feeds& feeds, Output fetch);

  // By name ("x:0", "train"); NotFound for a name that the graph lacks.
  absl::StatusOr<std::vector<Tensor>> RunByName(const std::vector<std::pair<std::string, Tensor>>& feeds,
                                                const std::vector<std::string>& fetches,
                                                const std::vector<std::string>& targets = {});

  // The plan for the signature and feed shapes, readable: instructions, guards, memory.
  absl::StatusOr<std::string> PlanText(const Signature& signature, absl::Span<const Tensor> feeds);

  // What the signature runs and why, with its memory and the doubtful uses of its variables: runtime/explain.h.
  absl::StatusOr<Explanation> Explain(const Signature& signature, const ExplainOptions& options);
  absl::StatusOr<Explanation> Explain(const Signature& signature);

  // The values of all variables; guarded as runtime/resource_store.h says.
  ResourceStore& resources();

  // Waits for running calls and frees the plans and variables; later calls return FailedPrecondition.
  void Close();

 private:
  absl::StatusOr<std::shared_ptr<PreparedStep>> FindPrepared(Signature signature);

  const Graph& graph_;
  std::shared_ptr<SessionState> state_;
  std::unique_ptr<SignatureCache> signatures_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_SESSION_H_
