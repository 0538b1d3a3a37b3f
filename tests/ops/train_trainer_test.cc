// Trainer: fit, evaluate, predict; going on after a kill; what goes wrong without ending a training.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ops/train/callbacks.h"
#include "ops/train/trainer.h"
#include "ops/train/training_backup.h"
#include "runtime/io/fault_env.h"
#include "runtime/resource_store.h"
#include "staticflow.h"
#include "tests/op_test.h"
#include "tests/ops/train_net.h"

namespace staticflow {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using train::Callback;
using train::FitState;
using train::History;
using train::Logs;

constexpr int kRows = 50;  // of Points()

// Every variable's bytes, by name; the trainer's own is text about files.
std::vector<std::pair<std::string, Tensor>> Values(const TrainNet& net) {
  std::vector<std::pair<std::string, Tensor>> values;
  for (const std::string& name : net.session->resources().InitializedVariables()) {
    if (absl::StrContains(name, "trainer/")) continue;
    values.emplace_back(name, *net.session->resources().FindVariable(name)->value.Clone());
  }
  return values;
}

void ExpectSameBits(const TrainNet& a, const TrainNet& b) {
  const auto want = Values(a), got = Values(b);
  ASSERT_EQ(want.size(), got.size());
  EXPECT_GT(want.size(), 15u);
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(want[i].first, got[i].first);
    EXPECT_TRUE(BitwiseEqual(want[i].second, got[i].second))
        << want[i].first << " " << want[i].second.ToString() << " " << got[i].second.ToString();
  }
}

// Ends the training, or the process, after a step.
class StopAt : public Callback {
 public:
  explicit StopAt(int64_t step, bool kill = false) : step_(step), kill_(kill) {}
  std::string name() const override { return "StopAt"; }
  absl::Status OnStepEnd(FitState& fit) override {
    if (fit.step != step_) return absl::OkStatus();
    if (kill_) raise(SIGKILL);
    fit.stop_reason = "enough";
    return absl::OkStatus();
  }

 private:
  const int64_t step_;
  const bool kill_;
};

// What the resuming tests train: every kind of state takes part.
struct Training {
  Training(TrainNet& net, const std::string& dir)
      : trainer(net.g, *net.session, net.Options()),
        best(net.g, {.path = dir + "/best/model_{epoch}", .monitor = "val_loss"}),
        schedule(net.g, net.rate, [](int64_t epoch, double rate) { return epoch == 0 ? rate : rate * 0.9; }),
        plateau(net.g, net.rate, {.monitor = "val_loss", .patience = 2}) {}

  absl::StatusOr<History> Fit(const std::string& backup_dir, std::vector<Callback*> more = {}, Tail tail = Tail::kKeep,
                              int64_t epochs = 4) {
    std::vector<Callback*> callbacks = {&best, &schedule, &plateau};
    callbacks.insert(callbacks.end(), more.begin(), more.end());
    return trainer.Fit(Points(), {.epochs = epochs,
                                  .batch_size = 8,
                                  .seed = 3,
                                  .tail = tail,
                                  .validation = Points(20, 99),
                                  .callbacks = callbacks,
                                  .backup_dir = backup_dir,
                                  .backup_every = 2});
  }

  train::Trainer trainer;
  train::SaveBest best;
  train::LearningRateSchedule schedule;
  train::ReduceLearningRateOnPlateau plateau;
};

std::string Dir(const std::string& name) { return absl::StrCat(testing::TempDir(), "/trainer_", name); }

// ---- Fit, Evaluate, Predict ----

TEST(Trainer, FitsEvaluatesAndPredicts) {
  TrainNet net;
  train::Trainer trainer(net.g, *net.session, net.Options());
  ASSERT_TRUE(net.session->Initialize().ok());
  const absl::StatusOr<History> history =
      trainer.Fit(Points(), {.epochs = 30, .batch_size = 8, .seed = 1, .validation = Points(20, 99)});
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_EQ(history->steps, 30 * 7);
  EXPECT_EQ(history->stop_reason, "");
  EXPECT_EQ(history->num_failures, 0);
  ASSERT_EQ(history->epochs.size(), 30u);
  std::vector<std::string> names;
  for (const auto& [name, value] : history->epochs[0]) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("loss", "accuracy", "val_loss", "val_accuracy"));
  EXPECT_LT(history->Values("loss").back(), 0.8 * history->Values("loss").front());
  EXPECT_GT(history->Values("val_accuracy").back(), 0.7);

  // Evaluated in batches of 6, the numbers are those of all rows at once, and no variable but the metric's changes.
  const DataSet test = Points(20, 5);
  const std::vector<Tensor> all = *test.AllRows();
  const Session::Feeds feeds = {{net.x, all[0]}, {net.y, all[1]}, {net.training, false}};
  const double loss = net.session->Run(feeds, net.loss)->scalar<float>();
  const Tensor moving =
      *net.session->Run({}, net.g.FindVariable(net.g.FindNode("batch_normalization/moving_mean"))->snapshot);
  const absl::StatusOr<Logs> logs = trainer.Evaluate(test, {.batch_size = 6});
  ASSERT_TRUE(logs.ok()) << logs.status();
  EXPECT_NEAR(*train::FindLog(*logs, "loss"), loss, 1e-5);
  const absl::StatusOr<Tensor> predictions = trainer.Predict(test, {.batch_size = 6});
  ASSERT_TRUE(predictions.ok()) << predictions.status();
  EXPECT_TRUE(TensorsNear(*predictions, *net.session->Run(feeds, Softmax(net.logits)), 1e-6));
  int correct = 0;
  for (int i = 0; i < 20; ++i) {
    const float* row = predictions->data<float>() + 3 * i;
    correct += std::max_element(row, row + 3) - row == i % 3;
  }
  EXPECT_NEAR(*train::FindLog(*logs, "accuracy"), correct / 20.0, 1e-6);
  EXPECT_TRUE(BitwiseEqual(
      moving, *net.session->Run({}, net.g.FindVariable(net.g.FindNode("batch_normalization/moving_mean"))->snapshot)));

  // Labels are no part of a prediction.
  const absl::StatusOr<Tensor> alone = trainer.Predict(*DataSet::Create({all[0]}));
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_TRUE(TensorsNear(*alone, *predictions, 1e-6));
}

TEST(Trainer, CountsTheStepsOfEveryKindOfEpoch) {
  for (const auto& [tail, steps] :
       {std::pair(Tail::kKeep, std::vector<int64_t>{7, 7, 7}), std::pair(Tail::kDrop, std::vector<int64_t>{6, 6, 6}),
        std::pair(Tail::kAcrossEpochs, std::vector<int64_t>{7, 6, 6})}) {
    class Counter : public Callback {
     public:
      std::string name() const override { return "Counter"; }
      absl::Status OnEpochEnd(FitState& fit) override {
        steps.push_back(fit.step_in_epoch);
        EXPECT_EQ(fit.step_in_epoch, fit.steps_per_epoch);
        return absl::OkStatus();
      }
      std::vector<int64_t> steps;
    } counter;
    TrainNet net;
    train::Trainer trainer(net.g, *net.session, net.Options());
    ASSERT_TRUE(net.session->Initialize().ok());
    ASSERT_TRUE(trainer.Fit(Points(), {.epochs = 3, .batch_size = 8, .tail = tail, .callbacks = {&counter}}).ok());
    EXPECT_EQ(counter.steps, steps);
  }
}

// ---- Going on ----

// The same training without a break.
History Uninterrupted(TrainNet& net, Tail tail = Tail::kKeep) {
  Training training(net, "whole");
  EXPECT_TRUE(net.session->Initialize().ok());
  const absl::StatusOr<History> history = training.Fit("", {}, tail);
  EXPECT_TRUE(history.ok()) << history.status();
  return *history;
}

void ExpectGoesOn(Env* env, TrainNet& whole, const History& want, const std::string& dir, Tail tail,
                  int64_t resumed_from) {
  TrainNet net({.threads = 1, .env = env});
  Training training(net, dir);
  ASSERT_TRUE(net.session->Initialize().ok());
  const absl::StatusOr<History> history = training.Fit(dir, {}, tail);
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_EQ(history->resumed_from, resumed_from);
  EXPECT_EQ(history->epochs, want.epochs);
  EXPECT_EQ(history->steps, want.steps);
  EXPECT_THAT(history->failures, ElementsAre());
  ExpectSameBits(whole, net);
}

TEST(TrainerResume, GoesOnAtTheStepOfTheLastBackupBitForBit) {
  for (const Tail tail : {Tail::kKeep, Tail::kDrop, Tail::kAcrossEpochs}) {
    FaultEnv memory;
    TrainNet whole({.threads = 1, .env = &memory});
    const History want = Uninterrupted(whole, tail);
    const int64_t per_epoch = tail == Tail::kDrop ? 6 : 7;
    // Inside the first epoch, right after its end, inside a later one; backups come after every second step.
    for (const auto& [stop, backup] : {std::pair<int64_t, int64_t>(3, 2), {per_epoch + 1, per_epoch}, {17, -1}}) {
      FaultEnv env;
      int64_t last = backup;
      {
        TrainNet net({.threads = 1, .env = &env});
        Training training(net, "dir");
        StopAt stopper(stop);
        ASSERT_TRUE(net.session->Initialize().ok());
        const absl::StatusOr<History> history = training.Fit("dir", {&stopper}, tail);
        ASSERT_TRUE(history.ok()) << history.status();
        EXPECT_EQ(history->stop_reason, "enough");
        EXPECT_EQ(history->steps, stop);
        const std::string newest = *LatestCheckpoint(&env, "dir");
        if (last < 0) last = std::atoi(newest.c_str() + std::string("dir/backup-").size());
        EXPECT_EQ(newest, absl::StrCat("dir/backup-", last));
        EXPECT_LT(last, stop);
      }
      ExpectGoesOn(&env, whole, want, "dir", tail, last);
      // A training that is done stays as it is.
      ExpectGoesOn(&env, whole, want, "dir", tail, want.steps);
      // Two backups are kept, also over several processes.
      int kept = 0;
      for (const std::string& file : env.Files())
        kept += absl::StrContains(file, "backup-") && absl::EndsWith(file, ".index");
      EXPECT_EQ(kept, 2);
    }
  }
}

// The first half of the next test, in a process of its own, which ends in the middle of the 17th step's callbacks.
TEST(TrainerResume, DISABLED_IsKilled) {
  const std::string dir = std::getenv("TRAINER_TEST_DIR");
  TrainNet net({.threads = 2});
  Training training(net, dir);
  StopAt killer(17, /*kill=*/true);
  ASSERT_TRUE(net.session->Initialize().ok());
  training.Fit(dir, {&killer}).IgnoreError();
}

TEST(TrainerResume, GoesOnAfterKillBitForBit) {
  const std::string dir = Dir("killed");
  ASSERT_EQ(std::system(absl::StrCat("rm -rf '", dir, "'").c_str()), 0);
  const int status = std::system(absl::StrCat("TRAINER_TEST_DIR='", dir, "' /proc/", getpid(),
                                              "/exe --gtest_filter=TrainerResume.DISABLED_IsKilled "
                                              "--gtest_also_run_disabled_tests > /dev/null 2>&1")
                                     .c_str());
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL) << status;
  FaultEnv memory;
  TrainNet whole({.threads = 1, .env = &memory});
  const History want = Uninterrupted(whole);
  ExpectGoesOn(PosixEnv(), whole, want, dir, Tail::kKeep, 16);
}

TEST(TrainerResume, RefusesTheBackupOfAnotherTrainingAndDamagedOnes) {
  const std::string dir = Dir("other");
  ASSERT_EQ(std::system(absl::StrCat("rm -rf '", dir, "'").c_str()), 0);
  TrainNet net;
  train::Trainer trainer(net.g, *net.session, net.Options());
  ASSERT_TRUE(net.session->Initialize().ok());
  ASSERT_TRUE(trainer.Fit(Points(), {.batch_size = 8, .backup_dir = dir}).ok());
  ASSERT_TRUE(net.session->Run({}, std::vector<Output>(), {Assign(net.rate.ref(), 0.5)}).ok());
  const Tensor before = *net.session->Run({}, net.rate.snapshot);  // which a refused backup leaves alone
  const absl::Status other = trainer.Fit(Points(), {.epochs = 2, .batch_size = 9, .backup_dir = dir}).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(other.message(), AllOf(HasSubstr(dir), HasSubstr("batches of 8"), HasSubstr("batches of 9")));
  EXPECT_TRUE(BitwiseEqual(before, *net.session->Run({}, net.rate.snapshot)));
  // More epochs of the same training are more of it.
  const absl::StatusOr<History> more = trainer.Fit(Points(), {.epochs = 2, .batch_size = 8, .backup_dir = dir});
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_EQ(more->epochs.size(), 2u);
  EXPECT_EQ(more->resumed_from, 7);

  const std::vector<std::string> names = *PosixEnv()->ListDir(dir);
  for (const std::string& name : names) {
    if (!absl::EndsWith(name, ".index")) continue;
    ASSERT_TRUE(WriteWholeFile(PosixEnv(), dir + "/" + name, "nonsense").ok());
  }
  const absl::Status damaged = trainer.Fit(Points(), {.epochs = 2, .batch_size = 8, .backup_dir = dir}).status();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss) << damaged;
}

TEST(TrainerResume, AFailedBackupDoesNotEndTheTraining) {
  FaultEnv env;
  TrainNet net({.threads = 1, .env = &env});
  train::Trainer trainer(net.g, *net.session, net.Options());
  ASSERT_TRUE(net.session->Initialize().ok());
  // From the tenth step on the disk is full.
  class Filler : public Callback {
   public:
    explicit Filler(FaultEnv* env) : env_(env) {}
    std::string name() const override { return "Filler"; }
    absl::Status OnStepEnd(FitState& fit) override {
      if (fit.step == 10) env_->FailCall({.call = env_->calls(), .error = ENOSPC, .forever = true});
      return absl::OkStatus();
    }

   private:
    FaultEnv* env_;
  } filler(&env);
  const absl::StatusOr<History> history = trainer.Fit(
      Points(), {.epochs = 20, .batch_size = 8, .callbacks = {&filler}, .backup_dir = "dir", .backup_every = 1});
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_EQ(history->steps, 140);
  // With every attempt the next one waits twice as long: few of the 131.
  EXPECT_GE(history->num_failures, 4);
  EXPECT_LE(history->num_failures, 12);
  EXPECT_EQ(history->failures[0].code(), absl::StatusCode::kResourceExhausted) << history->failures[0];
  EXPECT_THAT(net.warnings[0], HasSubstr("training goes on, but the backup, step "));
}

// ---- Wrong input ----

TEST(Trainer, SaysWhatIsWrong) {
  TrainNet net;
  train::Trainer trainer(net.g, *net.session, net.Options());
  const auto fit = [&](const DataSet& data, train::FitOptions options = {}) {
    return std::string(trainer.Fit(data, options).status().message());
  };
  EXPECT_THAT(fit(Points()), AllOf(HasSubstr("Fit, epoch 1, step 1: "), HasSubstr("not initialized")));
  ASSERT_TRUE(net.session->Initialize().ok());
  const DataSet data = Points();
  EXPECT_THAT(fit(data.Split(0).first), HasSubstr("Fit: the data set is empty"));
  EXPECT_THAT(fit(data, {.batch_size = 0}), HasSubstr("batch_size is 0"));
  EXPECT_THAT(fit(data, {.batch_size = 60, .tail = Tail::kDrop}), HasSubstr("50 rows gives no batch of 60"));
  EXPECT_THAT(fit(data, {.validation = data.Split(0).first}), HasSubstr("validation: the data set is empty"));
  const std::vector<Tensor> rows = *data.AllRows();
  EXPECT_THAT(fit(*DataSet::Create({rows[0]})), HasSubstr("has 1 components, expected one for each of 2 inputs"));
  const std::string shape = fit(*DataSet::Create({rows[1], rows[1]}));
  EXPECT_THAT(shape, AllOf(HasSubstr("Fit, epoch 1, step 1: "), HasSubstr("x"), HasSubstr("[?,4]")));
  EXPECT_THAT(std::string(trainer.Predict(data.Split(0).first).status().message()), HasSubstr("is empty"));

  train::Trainer bare(net.g, *net.session, {.inputs = {net.x}});
  EXPECT_THAT(std::string(bare.Fit(*DataSet::Create({rows[0]})).status().message()),
              HasSubstr("needs a loss and a train_op"));
  EXPECT_THAT(std::string(bare.Predict(data).status().message()), HasSubstr("has no predictions"));
  EXPECT_TRUE(net.g.status().ok()) << net.g.status();
}

}  // namespace
}  // namespace staticflow
