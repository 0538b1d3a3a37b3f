// Times training steps and small calls in this process, speaking the line protocol of the comparison with other
// frameworks (tools/bench_peers.sh). Workloads: benchmarks/training/networks.h and workload.h; protocol: windows.h.
//
//   training --workload W2 --threads 2 --data RAW            five windows of two seconds, one JSON line
//   training --workload W2 --threads 2 --data RAW --serve    a window per 'w' on standard input, until 'q'
//   training --workload W2 --data RAW --profile              where a step spends its time, by instruction
//   training --widths=784,160,160,160,10 --batch=96 --activation=tanh --optimizer=adam --learning_rate=0.001 --data RAW
//   training --workload W2 --data RAW --passes=-partition    with some rewrites of the plan switched off
//
// --threads N gives the session N threads and the process N processors. --data is a folder of raw arrays, the same for
// all frameworks, as tools/peers/raw_data.py makes it; by default $PEER_RAW.
#include <sched.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "benchmarks/training/windows.h"
#include "graph/status.h"

ABSL_FLAG(std::string, workload, "W2", "W1 to W5, W6b1, W6b1000, W7chain, W7wide or W7one");
ABSL_FLAG(std::string, widths, "", "instead of a workload: a perceptron's widths from 784 to 10, as 784,100,10");
ABSL_FLAG(int64_t, batch, 60, "with --widths: images per step");
ABSL_FLAG(std::string, activation, "relu", "with --widths: relu, sigmoid or tanh");
ABSL_FLAG(bool, batch_norm, true, "with --widths: batch normalization before each activation");
ABSL_FLAG(std::string, optimizer, "sgd", "with --widths: sgd, momentum or adam");
ABSL_FLAG(double, learning_rate, 0.01, "with --widths");
ABSL_FLAG(int, threads, 1, "threads of the session, and processors of the process");
ABSL_FLAG(double, seconds, 2.0, "least length of a timed window");
ABSL_FLAG(int, windows, 5, "windows without --serve");
ABSL_FLAG(bool, serve, false, "run a window for each 'w' on standard input");
ABSL_FLAG(int, accsteps, -1, "steps before the accuracy is taken; -1: 1000, W4 100");
ABSL_FLAG(std::string, data, "", "folder of the raw arrays; default: $PEER_RAW");
ABSL_FLAG(std::string, passes, "", "rewrites of the plan that are off, as -fuse_loops,-partition: runtime/pass.h");
ABSL_FLAG(bool, profile, false, "print where a call spends its time, by instruction, then end");

namespace staticflow::bench {
namespace {

// Leaves the process the first `count` of the processors that it has.
void UseProcessors(int count) {
  cpu_set_t all, some;
  if (sched_getaffinity(0, sizeof(all), &all) != 0) return;
  CPU_ZERO(&some);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&some) < count; ++cpu) {
    if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &some);
  }
  sched_setaffinity(0, sizeof(some), &some);
}

absl::StatusOr<NetworkSpec> SpecFromFlags() {
  NetworkSpec spec;
  spec.widths.clear();
  for (absl::string_view text : absl::StrSplit(absl::GetFlag(FLAGS_widths), ',')) {
    int64_t width;
    if (!absl::SimpleAtoi(text, &width)) {
      return absl::InvalidArgumentError(absl::StrCat("--widths: '", text, "' is no number"));
    }
    spec.widths.push_back(width);
  }
  spec.batch = absl::GetFlag(FLAGS_batch);
  spec.activation = absl::GetFlag(FLAGS_activation);
  spec.batch_norm = absl::GetFlag(FLAGS_batch_norm);
  spec.optimizer = absl::GetFlag(FLAGS_optimizer);
  spec.learning_rate = absl::GetFlag(FLAGS_learning_rate);
  return spec;
}

absl::StatusOr<std::unique_ptr<Workload>> WorkloadFromFlags(const WorkloadOptions& options) {
  if (absl::GetFlag(FLAGS_widths).empty()) return MakeWorkload(absl::GetFlag(FLAGS_workload), options);
  SF_ASSIGN_OR_RETURN(const NetworkSpec spec, SpecFromFlags());
  return MakeTraining(spec, options);
}

absl::Status Main(std::chrono::steady_clock::time_point start) {
  WindowOptions windows{.workload = absl::GetFlag(FLAGS_workload),
                        .threads = absl::GetFlag(FLAGS_threads),
                        .seconds = absl::GetFlag(FLAGS_seconds),
                        .windows = absl::GetFlag(FLAGS_windows),
                        .serve = absl::GetFlag(FLAGS_serve),
                        .accuracy_steps = absl::GetFlag(FLAGS_accsteps),
                        .start = start};
  if (!absl::GetFlag(FLAGS_widths).empty()) windows.workload = absl::GetFlag(FLAGS_widths);
  if (windows.threads < 1) return absl::InvalidArgumentError("--threads must be at least 1");
  UseProcessors(windows.threads);
  WorkloadOptions options{.session = {.threads = windows.threads, .passes = absl::GetFlag(FLAGS_passes)},
                          .data = absl::GetFlag(FLAGS_data)};
  if (const char* raw = std::getenv("PEER_RAW"); options.data.empty() && raw != nullptr) options.data = raw;
  SF_ASSIGN_OR_RETURN(const std::unique_ptr<Workload> workload, WorkloadFromFlags(options));
  return absl::GetFlag(FLAGS_profile) ? PrintProfile(*workload) : RunWindows(*workload, windows);
}

}  // namespace
}  // namespace staticflow::bench

int main(int argc, char** argv) {
  const auto start = std::chrono::steady_clock::now();
  absl::SetProgramUsageMessage("times training steps and small calls; see the head of benchmarks/training.cc");
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = staticflow::bench::Main(start);
  if (status.ok()) return 0;
  std::cerr << "training: " << status.message() << "\n";
  return 1;
}
