// The callbacks of Trainer: what they write, when they end a training, and what goes wrong without ending it.
#include <gmock/gmock.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ops/train/callbacks.h"
#include "ops/train/tensor_board.h"
#include "ops/train/trainer.h"
#include "proto/event.pb.h"
#include "runtime/io/fault_env.h"
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

// A stream, and what was written to it.
class WrittenText {
 public:
  WrittenText() : out_(open_memstream(&text_, &size_)) {}
  ~WrittenText() {
    std::fclose(out_);
    std::free(text_);
  }
  WrittenText(const WrittenText&) = delete;
  WrittenText& operator=(const WrittenText&) = delete;

  std::FILE* out() const { return out_; }
  std::string Get() const {
    std::fflush(out_);
    return std::string(text_, size_);
  }

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* const out_;
};

TEST(Callbacks, UnwritableFoldersDoNotEndTheTraining) {
  TrainNet net;
  train::TensorBoard board(net.g, {.dir = "/proc/no/logs", .histogram_freq = 1});
  train::CsvLog csv("/proc/no/history.csv");
  train::SaveBest best(net.g, {.path = "/proc/no/model_{epoch}", .monitor = "loss"});
  train::EarlyStopping wrong({.monitor = "val_loss"});
  train::Trainer trainer(net.g, *net.session, net.Options());
  ASSERT_TRUE(net.session->Initialize().ok());
  const absl::StatusOr<History> history =
      trainer.Fit(Points(), {.epochs = 3, .batch_size = 8, .callbacks = {&board, &csv, &best, &wrong}});
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_EQ(history->epochs.size(), 3u);
  EXPECT_EQ(history->num_failures, 1 + 3 * 4);  // once more when the training begins
  EXPECT_EQ(history->failures.size(), 13u);
  std::string all;
  for (const absl::Status& failure : history->failures) absl::StrAppend(&all, failure.message(), "\n");
  EXPECT_THAT(all,
              AllOf(HasSubstr("TensorBoard, step 0: "), HasSubstr("CsvLog, step 7: "), HasSubstr("SaveBest, step 14: "),
                    HasSubstr("EarlyStopping, step 7: there is no 'val_loss' "
                              "among the logs loss, accuracy")));
  EXPECT_EQ(net.warnings.size(), 13u);
}

// Gives the logs of each epoch a value of its own.
class Script : public Callback {
 public:
  explicit Script(std::vector<double> values) : values_(std::move(values)) {}
  std::string name() const override { return "Script"; }
  absl::Status OnEpochEnd(FitState& fit) override {
    fit.logs = {{"val_loss", values_[static_cast<size_t>(fit.epoch)]}, {"val_accuracy", 0.5 + 0.1 * double(fit.epoch)}};
    return absl::OkStatus();
  }

 private:
  std::vector<double> values_;
};

TEST(Callbacks, SaveBestSaysWhatItDoesAndKeepsTheBest) {
  FaultEnv env;
  TrainNet net({.threads = 1, .env = &env});
  const WrittenText written;
  train::SaveBest best(net.g, {.path = "saved/model_{epoch}-{val_loss:.3f}", .out = written.out()});
  train::Trainer trainer(net.g, *net.session, net.Options());
  ASSERT_TRUE(net.session->Initialize().ok());
  Script script({0.21771, 0.16106, 0.2, std::nan("")});
  const absl::StatusOr<History> history =
      trainer.Fit(Points(), {.epochs = 4, .batch_size = 8, .callbacks = {&script, &best}});
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_EQ(written.Get(),
            "Epoch 00001: val_loss improved from inf to 0.21771, saving model to saved/model_1-0.218\n"
            "Epoch 00002: val_loss improved from 0.21771 to 0.16106, saving model to saved/model_2-0.161\n"
            "Epoch 00003: val_loss did not improve from 0.16106\n"
            "Epoch 00004: val_loss did not improve from 0.16106\n");
  EXPECT_EQ(best.best_path(), "saved/model_2-0.161");
  EXPECT_TRUE(*env.FileExists("saved/model_1-0.218.index"));
  EXPECT_TRUE(*env.FileExists("saved/model_2-0.161.meta"));
  EXPECT_TRUE(best.saver().Restore(*net.session, best.best_path()).ok());
}

TEST(Callbacks, PathsAreFormatted) {
  const Logs logs = {{"val_loss", 0.123456}, {"acc", 12}};
  for (const auto& [path, want] : {std::pair("a/b", "a/b"), std::pair("m_{epoch}-{val_loss:.3f}", "m_7-0.123"),
                                   std::pair("{epoch:03d}{acc}", "00712"), std::pair("{acc:8.1f}", "    12.0")}) {
    EXPECT_EQ(*train::FormatPath(path, 7, logs), want);
  }
  for (const char* path : {"{epoch", "{loss}", "{epoch:s}", "{val_loss:d}", "{val_loss:*f}", "{val_loss:%n}", "{}"}) {
    EXPECT_FALSE(train::FormatPath(path, 7, logs).ok()) << path;
  }
}

TEST(Callbacks, EndTrainingsInTime) {
  struct Row {
    train::EarlyStoppingOptions options;
    std::vector<double> values;
    size_t epochs;
  };
  for (const Row& row : std::vector<Row>{{{.patience = 2}, {3, 2, 2.5, 2.2, 1, 0}, 4},
                                         {{.patience = 0}, {3, 2, 2.5, 1, 1, 0}, 3},
                                         {{.min_delta = 0.5, .patience = 2}, {3, 2.8, 2.6, 1, 0, 0}, 3},
                                         {{.patience = 2, .baseline = 1}, {3, 2, 0, 0, 0, 0}, 2},
                                         {{.monitor = "val_accuracy", .patience = 1}, {3, 3, 3, 3, 3, 3}, 6},
                                         {{.mode = train::Mode::kMax, .patience = 1}, {1, 2, 3, 4, 3, 9}, 5}}) {
    TrainNet net;
    Script script(row.values);
    train::EarlyStopping stopping(row.options);
    train::Trainer trainer(net.g, *net.session, net.Options());
    ASSERT_TRUE(net.session->Initialize().ok());
    const absl::StatusOr<History> history =
        trainer.Fit(Points(), {.epochs = 6, .batch_size = 25, .callbacks = {&script, &stopping}});
    ASSERT_TRUE(history.ok()) << history.status();
    EXPECT_EQ(history->epochs.size(), row.epochs) << row.options.monitor;
    EXPECT_EQ(history->stop_reason.empty(), row.epochs == 6);
  }
}

TEST(Callbacks, ANanEndsTheTrainingAtItsStep) {
  TrainNet net;
  std::vector<Tensor> rows = *Points().AllRows();
  rows[0].data<float>()[4 * 20] = NAN;  // row 20 is in the third batch
  train::TerminateOnNan stop;
  train::Trainer trainer(net.g, *net.session, net.Options());
  ASSERT_TRUE(net.session->Initialize().ok());
  const absl::StatusOr<History> history =
      trainer.Fit(*DataSet::Create(rows), {.epochs = 2, .batch_size = 8, .shuffle = false, .callbacks = {&stop}});
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_EQ(history->steps, 3);
  EXPECT_THAT(history->stop_reason, HasSubstr("the loss is "));
  EXPECT_EQ(history->epochs.size(), 0u);
}

TEST(Callbacks, LearningRates) {
  TrainNet net;
  train::LearningRateSchedule schedule(net.g, net.rate,
                                       [](int64_t epoch, double rate) { return epoch == 0 ? 0.5 : rate / 2; });
  train::ReduceLearningRateOnPlateau plateau(net.g, net.rate, {.factor = 0.1, .patience = 1, .min_rate = 0.011});
  Script script({1, 1, 1, 1});
  class Rates : public Callback {
   public:
    explicit Rates(Output rate) : rate_(rate) {}
    std::string name() const override { return "Rates"; }
    absl::Status OnEpochEnd(FitState& fit) override {
      rates.push_back(fit.session.Run({}, rate_)->scalar<float>());
      return absl::OkStatus();
    }
    std::vector<float> rates;

   private:
    Output rate_;
  } before(net.rate.snapshot), after(net.rate.snapshot);
  train::Trainer trainer(net.g, *net.session, net.Options());
  ASSERT_TRUE(net.session->Initialize().ok());
  const absl::StatusOr<History> history = trainer.Fit(
      Points(), {.epochs = 4, .batch_size = 25, .callbacks = {&script, &schedule, &before, &plateau, &after}});
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_THAT(history->failures, ElementsAre());
  EXPECT_THAT(before.rates, ElementsAre(0.5f, 0.25f, 0.0125f, testing::FloatEq(0.0055f)));
  EXPECT_THAT(after.rates, ElementsAre(0.5f, 0.025f, testing::FloatEq(0.011f), testing::FloatEq(0.0055f)));

  Graph g;
  const Variable vector = NewVariable(g, T({1, 2}));
  train::LearningRateSchedule wrong(g, vector, [](int64_t, double rate) { return rate; });
  const absl::StatusOr<History> failed = trainer.Fit(Points(), {.callbacks = {&wrong}});
  ASSERT_TRUE(failed.ok());
  EXPECT_THAT(std::string(failed->failures[0].message()), HasSubstr("no scalar variable"));
}

TEST(Callbacks, CsvAndProgress) {
  FaultEnv env;
  TrainNet net({.threads = 1, .env = &env});
  const WrittenText written;
  train::CsvLog csv("logs/history.csv");
  train::ProgressBar bar({.out = written.out(), .terminal = false});
  train::Trainer trainer(net.g, *net.session, net.Options());
  ASSERT_TRUE(net.session->Initialize().ok());
  const absl::StatusOr<History> history =
      trainer.Fit(Points(), {.epochs = 2, .batch_size = 8, .validation = Points(20, 1), .callbacks = {&csv, &bar}});
  ASSERT_TRUE(history.ok()) << history.status();
  const std::vector<std::string> lines = absl::StrSplit(written.Get(), '\n');
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[1], AllOf(HasSubstr("Epoch 2/2:  7/7  "), HasSubstr("  loss "), HasSubstr("  val_accuracy ")));
  const std::vector<std::string> rows = absl::StrSplit(*ReadWholeFile(&env, "logs/history.csv"), '\n');
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0], "epoch,loss,accuracy,val_loss,val_accuracy");
  EXPECT_THAT(rows[2], testing::StartsWith("1,"));
}

TEST(Callbacks, TensorBoardGetsScalarsHistogramsPicturesAndTheGraph) {
  FaultEnv env;
  TrainNet net({.threads = 1, .env = &env});
  train::TensorBoard board(net.g, {.dir = "logs", .histogram_freq = 2, .write_images = true, .update_every = 5});
  train::Trainer trainer(net.g, *net.session, net.Options());
  ASSERT_TRUE(net.session->Initialize().ok());
  const absl::StatusOr<History> history = trainer.Fit(Points(), {.epochs = 3, .batch_size = 8, .callbacks = {&board}});
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_THAT(history->failures, ElementsAre());

  const std::vector<std::string> files = *env.ListDir("logs");
  ASSERT_EQ(files.size(), 1u);
  absl::StatusOr<EventReader> reader = EventReader::Open(&env, "logs/" + files[0]);
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::map<std::string, std::vector<int64_t>> steps;  // by tag
  proto::Event event;
  bool has_graph = false;
  while (*reader->Read(&event)) {
    has_graph |= event.has_graph_def();
    for (const auto& value : event.summary().value()) {
      steps[value.tag()].push_back(event.step());
      if (value.tag() == "loss" && event.step() == 2) {
        EXPECT_FLOAT_EQ(value.simple_value(), history->Values("loss")[2]);
      }
      if (value.has_image()) {
        EXPECT_EQ(value.image().encoded_image_string().substr(1, 3), "PNG");
        if (value.tag() == "dense/kernel/image") {
          EXPECT_EQ(value.image().width(), 8);
        }
      }
    }
  }
  EXPECT_TRUE(has_graph);
  EXPECT_THAT(steps["loss"], ElementsAre(0, 1, 2));
  EXPECT_THAT(steps["failures"], ElementsAre(0, 1, 2));
  EXPECT_THAT(steps["batch_accuracy"], ElementsAre(5, 10, 15, 20));
  for (const char* name :
       {"dense/kernel", "dense_1/bias", "batch_normalization/gamma", "batch_normalization/moving_variance"}) {
    EXPECT_THAT(steps[name], ElementsAre(0, 2)) << name;
    EXPECT_THAT(steps[absl::StrCat(name, "/image")], ElementsAre(0, 2)) << name;
  }
  EXPECT_EQ(steps.count("dense/kernel/Adam"), 0u);
}

TEST(Callbacks, StatesFromDamagedFilesAreRefused) {
  TrainNet net;
  train::EarlyStopping stopping;
  train::SaveBest best(net.g, {.path = "x"});
  train::ReduceLearningRateOnPlateau plateau(net.g, net.rate);
  for (Callback* callback : std::vector<Callback*>{&stopping, &best, &plateau}) {
    EXPECT_TRUE(callback->RestoreState(callback->SaveState()).ok());
    for (const char* bytes : {"", "12", "x 1 ", "99999999999999999999999 "}) {
      EXPECT_FALSE(callback->RestoreState(bytes).ok()) << callback->name() << " " << bytes;
    }
  }
}

}  // namespace
}  // namespace staticflow
