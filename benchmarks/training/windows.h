// Timed windows and the line protocol of the comparison with other frameworks.
//
// A workload is called once, then up to its accuracy check, then for one second to warm up. What follows is either
// `windows` windows and one JSON line, or (serve) a JSON line with "ready", one window and one JSON line for each line
// "w" on standard input, and a last JSON line at anything else. Keys of the lines:
//
//   framework, variant, workload, threads   what was run
//   to_first_step_s                         from the start of the process to the end of the first call
//   data_s, data_mb                         of reading the data, and its size in MiB (raw arrays and labels)
//   acc_after_1000                          accuracy on the test set after as many steps
//   steps_per_s, min, max, windows          the median, least and greatest of the windows
//   us, us_p10, us_p90                      for W6 and W7: the median call of a window, in microseconds
//   peak_rss_mb                             of the process, in MiB
#ifndef STATICFLOW_BENCHMARKS_TRAINING_WINDOWS_H_
#define STATICFLOW_BENCHMARKS_TRAINING_WINDOWS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "benchmarks/training/workload.h"

namespace staticflow::bench {

struct WindowOptions {
  std::string workload = "";  // its name
  int threads = 1;
  double seconds = 2;  // of a window, at least
  int windows = 5;
  bool serve = false;
  int accuracy_steps = -1;  // -1: the workload's
  std::chrono::steady_clock::time_point start = {};
};

// Runs the protocol on standard input and output. Errors are the workload's.
absl::Status RunWindows(Workload& workload, const WindowOptions& options);

// Prints where a call spends its time: each instruction and the wait for other workers before it in microseconds, in
// the order they run on the calling thread, then sums by op type.
// The mean over the quieter half of a thousand calls (fewer when they are long), so that no single call decides.
absl::Status PrintProfile(Workload& workload);

// Call times in bounded memory: when full, every second one is dropped, and from then on only every second one kept.
class CallTimes {
 public:
  void Add(int64_t ns);
  size_t count() const { return seen_; }
  // The q-quantile of what was added, in nanoseconds. REQUIRES: count() > 0.
  int64_t Quantile(double q);

 private:
  static constexpr size_t kCapacity = 1 << 16;
  std::vector<int64_t> ns_;
  size_t seen_ = 0;
  size_t every_ = 1;
};

}  // namespace staticflow::bench

#endif  // STATICFLOW_BENCHMARKS_TRAINING_WINDOWS_H_
