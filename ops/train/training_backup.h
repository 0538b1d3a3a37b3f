// TrainingBackup: everything a training needs to go on, in one checkpoint: all variables of the graph, local ones too,
// the positions of random ops, and the trainer's state as the string variable `trainer/state`.
#ifndef STATICFLOW_OPS_TRAIN_TRAINING_BACKUP_H_
#define STATICFLOW_OPS_TRAIN_TRAINING_BACKUP_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "ops/train/saver.h"
#include "runtime/session.h"

namespace staticflow {

namespace proto {
class TrainerState;
}

namespace train {

class TrainingBackup {
 public:
  // Adds the variable and a saver of all variables that exist. Errors stick to the graph.
  explicit TrainingBackup(Graph& g);

  // Writes `directory`/backup-STEP and removes the one before the last. Adds the random ops' positions to `state`.
  absl::Status Save(Session& session, const std::string& directory, proto::TrainerState* state);
  // Gives the session the newest backup that is whole; false where there has never been one. `accept` looks at the
  // state first: when it returns an error, that is the result and nothing has changed.
  // DataLoss when none is whole, or the state is damaged. Other errors as of Saver::Restore.
  absl::StatusOr<bool> Restore(Session& session, const std::string& directory,
                               absl::FunctionRef<absl::Status(const proto::TrainerState&)> accept);

 private:
  Graph& graph_;
  Variable state_;
  Output new_state_;
  Operation assign_;
  Saver saver_;
};

}  // namespace train
}  // namespace staticflow

#endif  // STATICFLOW_OPS_TRAIN_TRAINING_BACKUP_H_
