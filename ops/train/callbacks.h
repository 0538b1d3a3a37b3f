// The callbacks of Trainer::Fit that come with the library. TensorBoard has a header of its own.
//
//   train::ProgressBar bar;
//   train::SaveBest best(g, {.path = "saved/model_{epoch}-{val_loss:.3f}", .monitor = "val_loss", .out = stdout});
//   train::CsvLog csv("history.csv");
//   trainer.Fit(data, {.epochs = 10, .validation = validation, .callbacks = {&bar, &best, &csv}});
//
// Those that monitor a number of the logs return NotFound, which names the numbers that there are, when it is missing;
// the training goes on. A NaN is never better than anything. What they know (best value, patience) is part of a backup.
//
// One training at a time may use a callback; files are written with the session's Env.
// Source of names, defaults and messages: tf.keras.callbacks (TensorFlow 2.1).
#ifndef STATICFLOW_OPS_TRAIN_CALLBACKS_H_
#define STATICFLOW_OPS_TRAIN_CALLBACKS_H_

#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "graph/graph.h"
#include "ops/train/callback.h"
#include "ops/train/progress.h"
#include "ops/train/saver.h"

namespace staticflow::train {

// Which values are better. kAuto: higher ones when the name has "acc", "auc", "precision" or "recall" in it.
enum class Mode { kAuto, kMin, kMax };

// The best value of a number so far: what the following share.
class Best {
 public:
  Best(std::string monitor, Mode mode, double min_delta = 0);
  // The value in `logs`, or NotFound.
  absl::StatusOr<double> Find(const Logs& logs) const;
  // Whether `value` is better than the best by more than min_delta.
  bool IsBetter(double value) const;
  double value() const { return value_; }  // +-infinity in the beginning
  void set_value(double value) { value_ = value; }
  const std::string& monitor() const { return monitor_; }

 private:
  std::string monitor_;
  bool higher_;
  double min_delta_;
  double value_;
};

struct ProgressBarOptions {
  std::FILE* out = stdout;
  int64_t line_every = 0;  // steps between the plain lines of an output that is no terminal; 0: one line per epoch
  std::optional<bool> terminal = std::nullopt;  // nullopt: whether `out` is one
  std::function<double()> clock = nullptr;      // seconds; null: a steady clock
};
// A line for each epoch: how far, how fast, the logs (ops/train/progress.h).
class ProgressBar : public Callback {
 public:
  explicit ProgressBar(ProgressBarOptions options = {}) : options_(std::move(options)) {}
  std::string name() const override { return "ProgressBar"; }
  absl::Status OnEpochBegin(FitState& fit) override;
  absl::Status OnStepEnd(FitState& fit) override;
  absl::Status OnEpochEnd(FitState& fit) override;
  absl::Status OnFitEnd(FitState& fit) override;

 private:
  void Begin(const FitState& fit, int64_t done);
  ProgressBarOptions options_;
  std::unique_ptr<Progress> progress_;
};

struct SaveBestOptions {
  // The checkpoint's path. {epoch} is the epoch from 1, {NAME} a number of the logs; both take the end of a printf
  // format: {epoch:02d}, {val_loss:.3f}.
  std::string path = "";
  std::string monitor = "val_loss";
  Mode mode = Mode::kAuto;
  bool save_best_only = true;
  int max_to_keep = 0;                // checkpoints; 0: all
  std::FILE* out = nullptr;           // null: says nothing
  std::vector<Output> var_list = {};  // as SaverOptions
  bool partial = false;               // the same
};
// Saves a checkpoint, with the graph beside it, after each epoch that is better than all before:
//   Epoch 00001: val_loss improved from inf to 0.21771, saving model to saved/model_1-0.218
class SaveBest : public Callback {
 public:
  // Adds a Saver to the graph, so everything to be saved has to be there.
  SaveBest(Graph& g, SaveBestOptions options);
  std::string name() const override { return "SaveBest"; }
  absl::Status OnEpochEnd(FitState& fit) override;
  std::string SaveState() const override;
  absl::Status RestoreState(absl::string_view state) override;
  // The path prefix of the best checkpoint, for Saver::Restore; empty: nothing was saved.
  const std::string& best_path() const { return best_path_; }
  Saver& saver() { return saver_; }

 private:
  SaveBestOptions options_;
  Best best_;
  std::string best_path_;
  Saver saver_;
};
// `path` with its {...} replaced. InvalidArgument for a format that is none, NotFound for a name that is no log.
absl::StatusOr<std::string> FormatPath(absl::string_view path, int64_t epoch, const Logs& logs);

struct EarlyStoppingOptions {
  std::string monitor = "val_loss";
  Mode mode = Mode::kAuto;
  double min_delta = 0;                           // less is no improvement
  int64_t patience = 0;                           // so many epochs without improvement are borne
  std::optional<double> baseline = std::nullopt;  // what the first epochs have to be better than
};
// Ends the training once a number has not improved for more than `patience` epochs. The best weights are SaveBest's.
class EarlyStopping : public Callback {
 public:
  explicit EarlyStopping(EarlyStoppingOptions options = {});
  std::string name() const override { return "EarlyStopping"; }
  absl::Status OnEpochEnd(FitState& fit) override;
  std::string SaveState() const override;
  absl::Status RestoreState(absl::string_view state) override;

 private:
  EarlyStoppingOptions options_;
  Best best_;
  int64_t waited_ = 0;
};

// Sets a learning rate before each epoch: rate = schedule(epoch from 0, rate so far). The rate is a floating scalar
// variable that the optimizer was given: {.learning_rate = rate.ref()}.
class LearningRateSchedule : public Callback {
 public:
  LearningRateSchedule(Graph& g, const Variable& rate, std::function<double(int64_t epoch, double rate)> schedule);
  std::string name() const override { return "LearningRateSchedule"; }
  absl::Status OnEpochBegin(FitState& fit) override;

 private:
  friend class ReduceLearningRateOnPlateau;
  absl::Status Change(Session& session, const std::function<double(double rate)>& change);
  Output rate_, new_rate_;
  Operation assign_;
  absl::Status built_;
  std::function<double(int64_t, double)> schedule_;
};

struct ReduceLearningRateOptions {
  std::string monitor = "val_loss";
  Mode mode = Mode::kAuto;
  double factor = 0.1;
  int64_t patience = 10;  // epochs without improvement before the rate is reduced
  double min_delta = 1e-4;
  int64_t cooldown = 0;  // epochs after a reduction that do not count
  double min_rate = 0;
};
// Multiplies the learning rate with `factor` when a number does not improve any more.
class ReduceLearningRateOnPlateau : public Callback {
 public:
  ReduceLearningRateOnPlateau(Graph& g, const Variable& rate, ReduceLearningRateOptions options = {});
  std::string name() const override { return "ReduceLearningRateOnPlateau"; }
  absl::Status OnEpochEnd(FitState& fit) override;
  std::string SaveState() const override;
  absl::Status RestoreState(absl::string_view state) override;

 private:
  ReduceLearningRateOptions options_;
  Best best_;
  LearningRateSchedule rate_;
  int64_t waited_ = 0;
  int64_t cooling_ = 0;
};

// The history as a CSV file, "epoch,loss,accuracy,val_loss,..."; after each epoch it is replaced as a whole, so that a
// training that is resumed leaves no row out and none twice.
class CsvLog : public Callback {
 public:
  explicit CsvLog(std::string path) : path_(std::move(path)) {}
  std::string name() const override { return "CsvLog"; }
  absl::Status OnEpochEnd(FitState& fit) override;

 private:
  std::string path_;
};
// The lines of such a file.
std::string HistoryCsv(const History& history);

// Ends the training at a step whose loss is NaN or infinite.
class TerminateOnNan : public Callback {
 public:
  std::string name() const override { return "TerminateOnNan"; }
  absl::Status OnStepEnd(FitState& fit) override;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_CALLBACKS_H_
