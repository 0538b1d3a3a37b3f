// Trainer::Run: one call of Trainer::Fit, from its first step to its last.
#ifndef STATICFLOW_OPS_TRAIN_FIT_RUN_H_
#define STATICFLOW_OPS_TRAIN_FIT_RUN_H_

#include <string>
#include <vector>

#include "graph/status.h"
#include "ops/train/trainer.h"

namespace staticflow {

namespace proto {
class TrainerState;
}

namespace train {

// The only element of a floating or integer tensor, 0 for other types. REQUIRES: there is one.
double ScalarValue(const Tensor& tensor);

class Trainer::Run {
 public:
  Run(Trainer& trainer, const DataSet& data, const FitOptions& options);
  absl::StatusOr<History> Execute();

 private:
  // Calls `event` of every callback.
  void Notify(absl::Status (Callback::*event)(FitState&));
  void NoteFailure(absl::string_view who, const absl::Status& status);

  int64_t StepsOfEpoch() const;
  bool EpochIsOver() const;
  // Steps until the epoch is over or the training ends.
  absl::Status TrainEpoch();
  absl::Status TrainStep(std::vector<Tensor> batch);
  absl::Status FinishEpoch();

  absl::Status Resume();
  // Goes to where `state` says; an error when that is another training.
  absl::Status Restore(const proto::TrainerState& state);
  void SaveTo(proto::TrainerState* state) const;
  // Backs up, unless the last attempts failed and it is not yet time for the next.
  void Backup();
  std::string CallbackKey(size_t i) const;

  Trainer& trainer_;
  const DataSet& data_;
  const FitOptions& options_;
  Batches batches_;
  Step step_;
  History history_;
  FitState fit_;
  double loss_sum_ = 0, loss_rows_ = 0;
  bool resumed_inside_epoch_ = false;
  bool data_is_over_ = false;
  int64_t last_backup_ = 0;     // the step
  int64_t failed_backups_ = 0;  // since the last good one
  int64_t next_backup_ = 0;     // no attempt before this step
};

}  // namespace train
}  // namespace staticflow

#endif  // STATICFLOW_OPS_TRAIN_FIT_RUN_H_
