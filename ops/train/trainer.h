// Trainer: trains a graph on a data set, evaluates it, predicts with it.
//
//   train::Trainer trainer(g, session, {.inputs = {x, labels}, .training = is_training, .loss = loss,
//                                       .train_op = step, .metrics = {{"accuracy", accuracy}}, .predictions = logits});
//   train::ProgressBar bar;
//   train::EarlyStopping patience({.monitor = "val_loss", .patience = 3});
//   SF_ASSIGN_OR_RETURN(train::History history,
//                       trainer.Fit(training_set, {.epochs = 10, .batch_size = 60, .seed = 1,
//                                                  .validation = validation_set, .callbacks = {&bar, &patience},
//                                                  .backup_dir = "backup", .backup_every = 500}));
//   SF_ASSIGN_OR_RETURN(train::Logs test, trainer.Evaluate(test_set, {.batch_size = 60}));   // loss, accuracy
//   SF_ASSIGN_OR_RETURN(Tensor guesses, trainer.Predict(test_set));                          // [10000, 10]
//
// The trainer holds no model: it feeds the components of a data set to `inputs`, runs `train_op` and fetches. The
// variables are the session's, so whatever else runs there sees them.
//
// Resuming. With a backup_dir, Fit writes a checkpoint there after every `backup_every` steps, after every epoch and at
// its end. When it finds one at its start, it goes on at that step, bit for bit as if it had never ended: variables and
// slots, the metrics' sums, the random ops' positions, the order of the data, the history and the state of the
// callbacks come from the checkpoint. A kill at any moment leaves a whole one (ops/train/saver.h). A failed backup does
// not end the training: it is a failure in the History, and the next attempt waits twice as long.
//
// A trainer belongs to one thread at a time; graph and session must outlive it.
#ifndef STATICFLOW_OPS_TRAIN_TRAINER_H_
#define STATICFLOW_OPS_TRAIN_TRAINER_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "ops/train/callback.h"
#include "ops/train/metrics.h"
#include "runtime/io/dataset.h"
#include "runtime/session.h"

namespace staticflow::train {

class TrainingBackup;  // ops/train/training_backup.h

struct TrainerOptions {
  std::vector<Output> inputs = {};  // placeholders for the components of the data sets, in their order
  Output training = Output();       // a bool that is fed true by Fit, false by Evaluate and Predict; invalid: none
  Output loss = Output();           // a scalar
  Operation train_op = Operation();
  // By name. Their variables are reset by each epoch and evaluation; what is no scalar (a confusion matrix) is in no
  // log, but in Metric::value afterwards.
  std::vector<std::pair<std::string, metrics::Metric>> metrics = {};
  Output predictions = Output();  // for Predict: [rows, ...]
};

struct FitOptions {
  int64_t epochs = 1;
  int64_t batch_size = 32;
  bool shuffle = true;
  uint64_t seed = 0;  // of the order of the rows
  Tail tail = Tail::kKeep;
  std::optional<DataSet> validation = std::nullopt;  // evaluated after each epoch: val_loss, ...
  int64_t validation_batch_size = 0;                 // 0: batch_size
  std::vector<Callback*> callbacks = {};             // borrowed
  std::string backup_dir = "";                       // "": no backups
  int64_t backup_every = 0;                          // steps; 0: after each epoch only
  int prefetch = 0;                                  // batches that a thread prepares ahead
  // Cancelled from another thread: Fit backs up, ends after the step that is under way, and returns what it has.
  const CancellationToken* cancellation = nullptr;
};

struct EvaluateOptions {
  int64_t batch_size = 32;
};

struct PredictOptions {
  int64_t batch_size = 32;
};

class Trainer {
 public:
  Trainer(Graph& g, Session& session, TrainerOptions options);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // Trains up to the end of epoch `options.epochs`. The variables have values before: Session::Initialize gives them.
  // InvalidArgument: no loss or train_op, a data set that is empty, gives no batch or has other components than
  // `inputs`; a backup of another training. DataLoss: backups, none of which is whole. A step's error ends the training
  // and names the step; a feed of the wrong shape is one.
  absl::StatusOr<History> Fit(const DataSet& data, const FitOptions& options = {});

  // The mean loss over all rows, and the metrics. Changes no variables but the metrics'.
  absl::StatusOr<Logs> Evaluate(const DataSet& data, const EvaluateOptions& options = {});

  // The predictions for all rows, in their order. The data set may lack the last components (the labels).
  absl::StatusOr<Tensor> Predict(const DataSet& data, const PredictOptions& options = {});

 private:
  class Run;

  absl::Status CheckData(const DataSet& data, absl::string_view what) const;
  // Feeds the inputs and `training`; fetches the loss, if there is one, then the metrics' updates.
  absl::StatusOr<Step> PrepareStep(std::vector<Operation> targets);
  absl::StatusOr<std::vector<Tensor>> RunStep(const Step& step, std::vector<Tensor> batch, bool training) const;
  absl::Status ResetMetrics();
  // The metrics among the fetches of a step, which begin with the loss.
  void AppendMetrics(absl::Span<const Tensor> fetched, Logs* logs) const;
  TrainingBackup& backup();

  Graph& graph_;
  Session& session_;
  TrainerOptions options_;
  Operation reset_;
  std::unique_ptr<TrainingBackup> backup_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_TRAINER_H_
