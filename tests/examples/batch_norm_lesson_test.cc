// Runs examples/batch_norm_lesson in short forms, on pictures made here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/io/env.h"
#include "tests/examples/idx_files.h"
#include "tests/examples/run_program.h"

namespace staticflow {
namespace {

using ::testing::HasSubstr;

constexpr int kTrain = 5600, kTest = 300;  // the first 5000 are the validation set

class BatchNormLesson : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(PosixEnv()->CreateDir(Dir("data")).ok());
    WriteIdxFiles(Dir("data"), "train", kTrain, 1);
    WriteIdxFiles(Dir("data"), "t10k", kTest, 2);
  }
  static std::string Dir(const std::string& name) { return absl::StrCat(testing::TempDir(), "/lesson_", name); }

  // A short training; `out` names its folder.
  static ProgramRun Run(const std::string& out, std::vector<std::string> flags) {
    flags.push_back("--data=" + Dir("data"));
    flags.push_back("--out=" + Dir(out));
    flags.push_back("--batches_per_sample=20");
    return RunExample("batch_norm_lesson", flags);
  }
};

// The lines that the same training prints again: no speeds, no paths.
std::vector<std::string> Reproducible(const std::string& output) {
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(output, '\n')) {
    if (const size_t loss = line.find("  loss "); loss != line.npos) lines.emplace_back(line.substr(loss));
    if (const size_t last = line.find("last loss"); last != line.npos) {
      lines.emplace_back(line.substr(last, line.find(", ", line.find("checksum")) - last));
    }
    if (absl::StrContains(line, "ccuracy on") || absl::StrContains(line, "Predictions")) lines.emplace_back(line);
  }
  return lines;
}

double LastLoss(const std::string& output) {
  const size_t at = output.find("last loss ");
  return at == std::string::npos ? NAN : std::atof(output.c_str() + at + 10);
}

TEST_F(BatchNormLesson, TrainsSavesRestoresAndPredicts) {
  const ProgramRun run = Run("main", {"--batches=60", "--twin_batches=20"});
  ASSERT_EQ(run.exit_code, 0) << run.output;
  for (const char* text :
       {"starting weights: [784,100] [100,100] [100,100] [100,10]",
        "Without Batch Norm: After training, final accuracy on validation set = ",
        "With Batch Norm: After training, final accuracy on validation set = ",
        "Without Batch Norm: Accuracy on full test set = ", "With Batch Norm: Accuracy on full test set = ",
        "With Batch Norm: restored from the files; the predictions are the same bit for bit",
        "With Batch Norm, fed is_training = True: Accuracy on full test set = ",
        "With Batch Norm, update_ops forgotten: ", "200 Predictions: [", "Accuracy on 200 samples: "}) {
    EXPECT_THAT(run.output, HasSubstr(text));
  }
  // One image at a time, normalized with its own statistics, is always the same to the network.
  const size_t fed = run.output.find("fed is_training = True");
  const size_t list = run.output.find('[', fed);
  const std::vector<std::string> predictions =
      absl::StrSplit(run.output.substr(list + 1, run.output.find(']', list) - list - 1), ", ");
  EXPECT_EQ(predictions.size(), 200u);
  EXPECT_THAT(predictions, testing::Each(predictions[0]));

  for (const char* file : {"validation_accuracy.svg", "with_batch_norm/graph.pb", "with_batch_norm/graph.pbtxt",
                           "with_batch_norm/checkpoint", "with_batch_norm/model.ckpt.index",
                           "without_batch_norm/model.ckpt.data-00000-of-00001", "without_batch_norm/graph.pb"}) {
    EXPECT_TRUE(*PosixEnv()->FileExists(absl::StrCat(Dir("main"), "/", file))) << file;
  }
  const absl::StatusOr<std::vector<std::string>> names = PosixEnv()->ListDir(Dir("main") + "/with_batch_norm");
  ASSERT_TRUE(names.ok());
  EXPECT_THAT(*names, testing::Contains(testing::StartsWith("events.out.tfevents.")));
  const absl::StatusOr<std::string> svg = ReadWholeFile(PosixEnv(), Dir("main") + "/validation_accuracy.svg");
  ASSERT_TRUE(svg.ok());
  for (const char* text : {"Validation Accuracy During Training", "Training steps", ">Accuracy<", "With Batch Norm",
                           "Without Batch Norm", ">0.1<", ">1.0<"}) {
    EXPECT_THAT(*svg, HasSubstr(text));
  }
}

TEST_F(BatchNormLesson, SameSeedSameBitsForAnyNumberOfThreads) {
  const std::vector<std::string> flags = {"--batches=40", "--batch_norm=on", "--twin_batches=0"};
  const auto with = [&](const char* flag) {
    std::vector<std::string> all = flags;
    all.push_back(flag);
    return Reproducible(Run("seed", all).output);
  };
  const std::vector<std::string> one = with("--threads=1");
  EXPECT_GT(one.size(), 5u);
  EXPECT_EQ(one, with("--threads=1"));
  EXPECT_EQ(one, with("--threads=2"));
  EXPECT_NE(one, with("--seed=2"));
}

TEST_F(BatchNormLesson, AllImplementationsAgree) {
  const auto loss = [](const char* implementation) {
    const ProgramRun run = Run("forms", {"--batches=40", "--batch_norm=on", "--twin_batches=0",
                                         absl::StrCat("--implementation=", implementation)});
    EXPECT_EQ(run.exit_code, 0) << run.output;
    return LastLoss(run.output);
  };
  const double layer = loss("layer");
  EXPECT_NEAR(loss("ops"), layer, 1e-4 * layer);
  EXPECT_NEAR(loss("scratch"), layer, 1e-4 * layer);
}

TEST_F(BatchNormLesson, RestoresWithoutTraining) {
  const std::string checkpoint = "--save_model_as=" + Dir("saved") + "/my_model";
  const ProgramRun trained = Run("saving", {"--batches=20", "--batch_norm=on", "--twin_batches=0", checkpoint});
  ASSERT_EQ(trained.exit_code, 0) << trained.output;
  const ProgramRun restored =
      Run("restoring", {"--batch_norm=on", absl::StrCat("--restore_from=", Dir("saved"), "/my_model")});
  ASSERT_EQ(restored.exit_code, 0) << restored.output;
  const std::string tests = trained.output.substr(trained.output.find("-------"));
  EXPECT_THAT(restored.output, HasSubstr(tests.substr(0, tests.find("plot:"))));
}

TEST_F(BatchNormLesson, OtherNetworks) {
  for (const std::vector<std::string>& flags : std::vector<std::vector<std::string>>{
           {"--network=conv", "--hidden=2,3"},
           {"--network=conv", "--hidden=2", "--implementation=ops", "--bn_position=after"},
           {"--hidden=20", "--activation=sigmoid", "--bn_position=after"},
           {"--hidden=10,10", "--activation=tanh", "--implementation=scratch", "--batch_size=17"},
           {"--network=recurrent", "--hidden=8", "--activation=tanh"},
           {"--network=recurrent", "--hidden=4", "--implementation=ops", "--batch_norm=on"},
           {"--activation=leaky_relu", "--weights_stddev=5"}}) {
    std::vector<std::string> all = flags;
    all.insert(all.end(), {"--batches=3", "--twin_batches=0"});
    const ProgramRun run = Run("others", all);
    EXPECT_EQ(run.exit_code, 0) << flags[0] << run.output;
    EXPECT_TRUE(std::isfinite(LastLoss(run.output)));
  }
}

TEST_F(BatchNormLesson, ADivergedTrainingRunsToItsEndUnlessAskedToStop) {
  std::vector<std::string> flags = {"--batches=40", "--batch_norm=off", "--weights_stddev=5", "--learning_rate=1000"};
  const ProgramRun run = Run("diverged", flags);
  ASSERT_EQ(run.exit_code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("  40/40  "));
  EXPECT_THAT(run.output, HasSubstr("last loss nan"));
  flags.push_back("--stop_on_nan");
  const ProgramRun stopped = Run("diverged", flags);
  ASSERT_EQ(stopped.exit_code, 0) << stopped.output;
  EXPECT_THAT(stopped.output, testing::Not(HasSubstr("  40/40  ")));
}

// Two networks for each of 18 comparisons, then 14 more; five batches each.
TEST_F(BatchNormLesson, AllComparisonsMakeOneReport) {
  const ProgramRun run = Run("all", {"--all", "--batches_scale=0.0001", "--threads=1"});
  ASSERT_EQ(run.exit_code, 0) << run.output;
  const absl::StatusOr<std::string> text = ReadWholeFile(PosixEnv(), Dir("all") + "/batch_norm_lesson.txt");
  const absl::StatusOr<std::string> html = ReadWholeFile(PosixEnv(), Dir("all") + "/batch_norm_lesson.html");
  ASSERT_TRUE(text.ok() && html.ok()) << text.status() << html.status();
  for (const char* found :
       {"600 training, 5000 validation and 300", "--all --data=FOLDER --batches_scale=0.0001 --threads=1\n",
        "  21  relu           2  bad            5           0.0958  ", "\n  16  with      90 %          30000",
        "this program ", "is_training = True, the first 20 of 200 Predictions: [", "from scratch", "after",
        "Recurrent; tanh, learning rate 0.1"}) {
    EXPECT_THAT(*text, HasSubstr(found));
  }
  int plots = 0;
  for (size_t at = html->find("<svg xmlns"); at != html->npos; at = html->find("<svg xmlns", at + 1)) ++plots;
  EXPECT_EQ(plots, 18 + 5);
  EXPECT_THAT(*html, testing::Not(HasSubstr(Dir("data"))));  // no paths of this machine

  // Forms of one mathematics give one loss, and forgotten updates cost inference only.
  std::vector<double> losses;
  for (const char* form : {"\nlayer  ", "\nops in a cond", "\nfrom scratch", "\nlayer, no update_ops"}) {
    const size_t row = text->find(form);
    ASSERT_NE(row, text->npos) << form;
    const std::string line = text->substr(row + 1, text->find('\n', row + 1) - row - 1);
    const std::vector<std::string> cells = absl::StrSplit(line, "  ", absl::SkipWhitespace());
    ASSERT_EQ(cells.size(), 9u) << line;
    losses.push_back(std::atof(cells[4].c_str()));
  }
  EXPECT_NEAR(losses[1], losses[0], 1e-4);
  EXPECT_NEAR(losses[2], losses[0], 1e-4);
  EXPECT_EQ(losses[3], losses[0]);
}

TEST_F(BatchNormLesson, PrintsTheSpreadOfSeeds) {
  const ProgramRun run = Run("seeds", {"--batches=2", "--seeds=2", "--batch_norm=on", "--twin_batches=0"});
  ASSERT_EQ(run.exit_code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("over 2 seeds: mean "));
}

TEST_F(BatchNormLesson, WrongFlagsAreErrors) {
  for (const auto& [flag, message] :
       {std::pair("--activation=swish", "expected one of relu, sigmoid, tanh"),
        std::pair("--batch_norm=maybe", "--batch_norm=maybe: expected one of"),
        std::pair("--network=rnn", "dense, conv, recurrent"), std::pair("--hidden=100,x", "'x' is none"),
        std::pair("--hidden=0", "expected whole numbers"),
        std::pair("--batches=-1", "--batches=-1: expected at least 0"), std::pair("--batches=many", "Illegal value"),
        std::pair("--restore_from=/nowhere/model", "/nowhere/model"), std::pair("--data=/nowhere", "/nowhere")}) {
    const ProgramRun run =
        flag == std::string("--data=/nowhere") ? RunExample("batch_norm_lesson", {flag}) : Run("wrong", {flag});
    EXPECT_NE(run.exit_code, 0) << flag << run.output;
    EXPECT_THAT(run.output, HasSubstr(message)) << flag;
  }
  EXPECT_THAT(RunExample("batch_norm_lesson", {"--help"}).output, HasSubstr("--bn_position"));
}

}  // namespace
}  // namespace staticflow
