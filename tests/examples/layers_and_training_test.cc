// Runs examples/layers_and_training in a short form, on pictures made here, and the program of docs/training.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

std::string Dir(const std::string& name) { return absl::StrCat(testing::TempDir(), "/layers_", name); }

bool Exists(const std::string& path) { return *PosixEnv()->FileExists(path); }

ProgramRun RunShort(const std::string& out, std::vector<std::string> flags) {
  flags.insert(flags.end(), {"--data=" + Dir("data"), "--out=" + Dir(out), "--validation=120", "--epochs=2"});
  return RunExample("layers_and_training", flags);
}

// The lines from the table of figures on, which no speed and no path is part of.
std::string Figures(const std::string& output) {
  const size_t begin = output.find("==== the notebook's figures");
  return begin == output.npos ? "" : output.substr(begin, output.find("==== the correct", begin) - begin);
}

TEST(LayersAndTraining, ShowsWhatHardWiringDoes) {
  ASSERT_TRUE(PosixEnv()->CreateDir(Dir("data")).ok());
  WriteIdxFiles(Dir("data"), "train", 900, 1);
  WriteIdxFiles(Dir("data"), "t10k", 130, 2);
  const ProgramRun run = RunShort("first", {"--resume"});
  ASSERT_EQ(run.exit_code, 0) << run.output;
  for (const char* text :
       {"780 training images, 120 for validation, 130 for the test (not MNIST",
        "dense (Dense)                (None, 100)               78500", "Total params: 100,910",
        "Non-trainable params: 600", "20 weights, 0 regularization losses", "Epoch 2/2:  13/13  ",
        "Epoch 00001: val_loss improved from inf to ", "hard_wired/model_", "val_loss, epoch 2", "test accuracy",
        // One image at a time is always the same to a hard-wired network, and never another to the correct one.
        "hard_wired: ", " are as in the batch, of 1 different classes",
        "correct: ", "one at a time 60 are as in the batch", "saved as ",
        "loaded from there: the predictions are the same bit for bit",
        "training fed as true or false gives the same logits", "training fed as true or false gives different logits",
        "correct                       6 update ops; a prediction writes nothing, with them nothing",
        "hard-wired                    6 update ops; a prediction writes nothing, with them moving_mean, "
        "moving_variance",
        "hard-wired, not trainable     0 update ops; a prediction writes nothing, with them nothing",
        "Frozen, its single predictions are still of 1 class", "one at a time, ", "batch_normalization_2    [1,100]",
        "the first layer's variables are as they were", "after one, the moving mean is that step's batch's",
        "'dense_3/BiasAdd:0' gives others: are they logits?", "of their softmax: "}) {
    EXPECT_THAT(run.output, HasSubstr(text));
  }
  for (const char* file :
       {"model.json", "scaler.index", "correct/history.csv", "mixed/checkpoint", "hard_wired/logs"}) {
    EXPECT_TRUE(Exists(Dir("first") + "/" + file)) << file;
  }
  EXPECT_THAT(run.output, ::testing::Not(HasSubstr("training goes on, but")));

  // With its backups the program trains no more and says the same; so does another run, with other threads.
  const ProgramRun resumed = RunShort("first", {"--resume"});
  EXPECT_THAT(resumed.output, ::testing::Not(HasSubstr("Epoch 1/2")));
  EXPECT_GT(Figures(run.output).size(), 1000u);
  EXPECT_EQ(Figures(resumed.output), Figures(run.output));
  EXPECT_EQ(Figures(RunShort("second", {"--threads=1"}).output), Figures(run.output));
  EXPECT_NE(Figures(RunShort("third", {"--l2=1e-3", "--max_norm=1.5"}).output), Figures(run.output));
}

TEST(LayersAndTraining, WrongFlagsAreErrors) {
  for (const auto& [flag, message] :
       {std::pair("--epochs=0", "--epochs=0: expected"), std::pair("--l2=-1", "--l2=-1: expected"),
        std::pair("--data=/nowhere", "/nowhere")}) {
    const ProgramRun run = RunExample("layers_and_training", {flag});
    EXPECT_NE(run.exit_code, 0) << flag << run.output;
    EXPECT_THAT(run.output, HasSubstr(message)) << flag;
  }
}

TEST(Training, TrainsOnceAndGoesOnFromItsBackup) {
  const std::string out = "--out=" + Dir("training");
  const ProgramRun run = RunExample("training", {out});
  ASSERT_EQ(run.exit_code, 0) << run.output;
  for (const char* text :
       {"Total params: 163", "Epoch 1/20:  20/20  ", "test accuracy: 0.9", "first predictions: float[2,3]"}) {
    EXPECT_THAT(run.output, HasSubstr(text));
  }
  const ProgramRun again = RunExample("training", {out});
  EXPECT_THAT(again.output, HasSubstr("resumed at step "));
  EXPECT_EQ(again.output.substr(again.output.find("test loss")), run.output.substr(run.output.find("test loss")));
}

}  // namespace
}  // namespace staticflow
