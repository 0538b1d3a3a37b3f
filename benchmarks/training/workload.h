// Workload: something that is done again and again and timed. W1 to W5 (networks.h) are training steps; the others:
//
//   W6b1, W6b1000   W2's network in inference mode: one call on 1 or 1000 images, logits fetched
//   W7chain         one call of 1000 scalar additions, each of the one before
//   W7wide          one call of 1000 independent scalar additions into one AddN
//   W7one           one call of one scalar addition: what a call costs
//
//   SF_ASSIGN_OR_RETURN(std::unique_ptr<Workload> workload, MakeWorkload("W2", {.threads = 2, .data = "/tmp/raw"}));
//   SF_RETURN_IF_ERROR(workload->Call({}));
//
// Each call is fed from arrays as they lie in memory. A workload is used by one thread at a time.
#ifndef STATICFLOW_BENCHMARKS_TRAINING_WORKLOAD_H_
#define STATICFLOW_BENCHMARKS_TRAINING_WORKLOAD_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "benchmarks/training/networks.h"
#include "benchmarks/training/raw_data.h"
#include "runtime/session.h"

namespace staticflow::bench {

class Workload {
 public:
  virtual ~Workload() = default;

  // One step or one call.
  virtual absl::Status Call(const RunOptions& options) = 0;
  // Of the test set; training workloads only.
  virtual absl::StatusOr<double> Accuracy() { return absl::UnimplementedError("this workload trains nothing"); }

  // Steps after which the accuracy is to be taken; 0 when there is none.
  virtual int accuracy_steps() const { return 0; }
  // Whether the time of one call matters, not how many fit into a second.
  virtual bool is_latency() const { return true; }
  // Spent on reading data, and its size.
  virtual double data_seconds() const { return 0; }
  virtual double data_mebibytes() const { return 0; }
};

struct WorkloadOptions {
  SessionOptions session = {};
  std::string data = "";  // folder of the raw arrays; W7 needs none
};

// InvalidArgument for an unknown name; errors of reading the data, building and preparing.
absl::StatusOr<std::unique_ptr<Workload>> MakeWorkload(absl::string_view name, const WorkloadOptions& options);
// Training of any network.
absl::StatusOr<std::unique_ptr<Workload>> MakeTraining(const NetworkSpec& spec, const WorkloadOptions& options);

}  // namespace staticflow::bench

#endif  // STATICFLOW_BENCHMARKS_TRAINING_WORKLOAD_H_
