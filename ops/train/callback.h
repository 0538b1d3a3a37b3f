// Callback: what train::Trainer::Fit tells its guests, and what they may do.
//
//   class Greeter : public train::Callback {
//    public:
//     std::string name() const override { return "greeter"; }
//     absl::Status OnEpochEnd(train::FitState& fit) override {
//       std::printf("epoch %d: loss %g\n", int(fit.epoch), *train::FindLog(fit.logs, "loss"));
//       return absl::OkStatus();
//     }
//   };
//
// An error that a callback returns does not end the training: it is kept in History::failures and goes to the session's
// warnings. A callback ends the training by giving `stop_reason` a text.
//
// Callbacks are called one after the other, in their order, from the thread that called Fit, between two steps: they
// may run steps of the session.
#ifndef STATICFLOW_OPS_TRAIN_CALLBACK_H_
#define STATICFLOW_OPS_TRAIN_CALLBACK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace staticflow {
class Session;
}

namespace staticflow::train {

// Numbers by name, in their order: "loss", the metrics, "val_loss", "val_accuracy", ...
using Logs = std::vector<std::pair<std::string, double>>;
std::optional<double> FindLog(const Logs& logs, absl::string_view name);

// What Fit gives back, also of a training that was resumed: everything since its first step.
struct History {
  std::vector<Logs> epochs;             // one for each epoch that was finished
  int64_t steps = 0;                    // done in all
  std::string stop_reason;              // empty: all epochs are done
  std::vector<absl::Status> failures;   // of callbacks and backups in this run, the first 100
  int64_t num_failures = 0;             // all of them
  std::optional<int64_t> resumed_from;  // the step of the backup that this run began with

  // The values of `name`, one for each epoch; NaN where it is missing.
  std::vector<double> Values(absl::string_view name) const;
};

// Where the training stands.
struct FitState {
  Session& session;
  const History& history;
  int64_t epochs = 0;           // to be done in all
  int64_t steps_per_epoch = 0;  // with Tail::kAcrossEpochs, of this epoch
  int64_t epoch = 0;            // the current one, from 0
  int64_t step = 0;             // done in all
  int64_t step_in_epoch = 0;    // done in this epoch
  double batch_loss = 0;        // of the last step
  Logs logs = {};               // over the epoch so far; in OnEpochEnd with those of the validation
  std::string stop_reason = "";
};

class Callback {
 public:
  virtual ~Callback() = default;
  virtual std::string name() const = 0;  // for messages and backups

  virtual absl::Status OnFitBegin(FitState&) { return absl::OkStatus(); }
  virtual absl::Status OnEpochBegin(FitState&) { return absl::OkStatus(); }  // not of an epoch that is resumed
  virtual absl::Status OnStepEnd(FitState&) { return absl::OkStatus(); }
  virtual absl::Status OnEpochEnd(FitState&) { return absl::OkStatus(); }
  virtual absl::Status OnFitEnd(FitState&) { return absl::OkStatus(); }

  // What a backup keeps of this callback; RestoreState gets it before OnFitBegin when a training is resumed.
  // InvalidArgument for bytes that SaveState does not give: they come from a file.
  virtual std::string SaveState() const { return ""; }
  virtual absl::Status RestoreState(absl::string_view) { return absl::OkStatus(); }
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_CALLBACK_H_
