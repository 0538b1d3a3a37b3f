// MadeUpTraining: training steps of a network on data of no meaning, for timings that need no data set.
//
//   SF_ASSIGN_OR_RETURN(const std::unique_ptr<MadeUpTraining> training, MadeUpTraining::Open(spec, {.threads = 1}));
//   SF_RETURN_IF_ERROR(training->Call());
#ifndef STATICFLOW_BENCHMARKS_TRAINING_MADE_UP_H_
#define STATICFLOW_BENCHMARKS_TRAINING_MADE_UP_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "benchmarks/training/networks.h"
#include "graph/tensor.h"
#include "runtime/session.h"

namespace staticflow::bench {

class MadeUpTraining {
 public:
  // Normal pixels, classes in turn; always the same batch.
  static absl::StatusOr<std::unique_ptr<MadeUpTraining>> Open(const NetworkSpec& spec, const SessionOptions& options);

  // One step.
  absl::Status Call() { return step_.Run(feeds_).status(); }

 private:
  MadeUpTraining() = default;

  std::vector<float> weights_;
  Network net_;
  std::unique_ptr<Session> session_;
  Step step_;
  std::vector<Tensor> feeds_;
};

}  // namespace staticflow::bench

#endif  // STATICFLOW_BENCHMARKS_TRAINING_MADE_UP_H_
