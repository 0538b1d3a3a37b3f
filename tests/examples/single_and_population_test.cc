// Runs examples/single_example and examples/population_statistics in short forms.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/io/env.h"
#include "tests/examples/run_program.h"

namespace staticflow {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The part of the output from `begin` to the next empty line.
std::string Section(const std::string& output, const std::string& begin) {
  const size_t at = output.find(begin);
  if (at == std::string::npos) return "";
  return output.substr(at, output.find("\n\n", at) - at);
}

// The printed predictions, "[0.1 0.2 ...]", of "one example" or of "all examples".
std::vector<std::string> Predictions(const std::string& section, const std::string& which) {
  std::vector<std::string> predictions;
  for (absl::string_view line : absl::StrSplit(section, '\n')) {
    if (!absl::StrContains(line, "inference from " + which)) continue;
    predictions.emplace_back(line.substr(line.find('[')));
  }
  return predictions;
}

const std::vector<std::string> kSmall = {"--units=30",        "--filters=2",      "--epochs=1",    "--batch_size=8",
                                         "--train_images=48", "--test_images=12", "--momentum=0.5"};

ProgramRun RunSingle(const std::vector<std::string>& more) {
  std::vector<std::string> flags = kSmall;
  flags.insert(flags.end(), more.begin(), more.end());
  return RunExample("single_example", flags);
}

TEST(SingleExample, HardWiredAnswersDependOnTheCompanyAndFixedOnesDoNot) {
  for (const std::string network : {"dense", "conv", "resnet"}) {
    const ProgramRun run = RunSingle({"--network=" + network});
    ASSERT_EQ(run.exit_code, 0) << run.output;
    const std::string before = Section(run.output, "before: training = true is hard-wired");
    const std::string after = Section(run.output, "after: training is a placeholder");
    ASSERT_EQ(Predictions(before, "one example").size(), 3u) << run.output;
    for (int i = 0; i < 3; ++i) {
      EXPECT_NE(Predictions(before, "one example")[i], Predictions(before, "all examples")[i]) << network;
      EXPECT_EQ(Predictions(after, "one example")[i], Predictions(after, "all examples")[i]) << network;
    }
    EXPECT_THAT(before, HasSubstr("a picture by itself and among all: they differ by up to ")) << network;
    EXPECT_THAT(after, Not(HasSubstr("a picture by itself and among all: they differ"))) << network;
    EXPECT_THAT(after, HasSubstr("different pictures, each by itself: they differ by up to ")) << network;
    EXPECT_THAT(after, HasSubstr("after 6 updates with momentum 0.5: 1.6 % of them are their initial values"));
    // Pixels leave something to normalize; a single row does not.
    EXPECT_EQ(absl::StrContains(before, "different pictures, each by itself: the same but for rounding"),
              network == "dense")
        << before;
  }
}

TEST(SingleExample, TheFormulaGivesBetaForASingleRowBitForBit) {
  const ProgramRun run = RunSingle({"--network=dense"});
  const std::string by_hand = Section(run.output, "before, batch normalization written as ");
  EXPECT_THAT(by_hand, HasSubstr("different pictures, each by itself: the same bit for bit"));
  EXPECT_THAT(by_hand, HasSubstr("what batch normalization makes of a single picture, and beta: the same bit for bit"));
  EXPECT_THAT(by_hand, HasSubstr("a picture by itself and among all: they differ by up to "));
}

TEST(SingleExample, SameOutputForAnyNumberOfThreads) {
  const auto predictions = [](const char* threads) {
    return Section(RunSingle({"--network=conv", threads}).output, "before: training");
  };
  EXPECT_EQ(predictions("--threads=1"), predictions("--threads=2"));
  EXPECT_NE(predictions("--threads=1"), predictions("--seed=2"));
}

TEST(SingleExample, ReadsPicturesFromAFolder) {
  const std::string dir = testing::TempDir() + "/signs";
  for (int label = 0; label < 2; ++label) {
    const std::string folder = absl::StrCat(dir, "/", label);
    ASSERT_TRUE(PosixEnv()->CreateDir(folder).ok());
    for (int i = 0; i < 20; ++i) {
      std::string file = "P6\n# made here\n64 64 255\n";
      for (int pixel = 0; pixel < 64 * 64 * 3; ++pixel)
        file.push_back(static_cast<char>(label * 90 + i * 7 + pixel % 60));
      ASSERT_TRUE(WriteWholeFile(PosixEnv(), absl::StrCat(folder, "/", i, ".ppm"), file).ok());
    }
  }
  const ProgramRun run = RunSingle({"--network=conv", "--data=" + dir});
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("accuracy on 4 test pictures"));

  for (const char* bad : {"", "P6", "P5\n64 64\n255\n", "P6 64 64 300 ", "P6 64 64 255 short", "P6#"}) {
    ASSERT_TRUE(WriteWholeFile(PosixEnv(), dir + "/0/0.ppm", bad).ok());
    const ProgramRun failed = RunSingle({"--data=" + dir});
    EXPECT_EQ(failed.exit_code, 1) << bad;
    EXPECT_THAT(failed.output, HasSubstr("/0/0.ppm: expected a binary PPM")) << bad;
  }
}

TEST(SingleExample, WrongFlagsAreErrors) {
  for (const auto& [flag, message] :
       {std::pair("--network=vgg", "--network=vgg: expected one of dense, conv, resnet"),
        std::pair("--units=0", "--units=0: expected a number"), std::pair("--data=/nowhere", "/nowhere"),
        std::pair("--test_images=0", "0 test pictures"), std::pair("--momentum=2", "--momentum=2")}) {
    const ProgramRun run = RunSingle({flag});
    EXPECT_EQ(run.exit_code, 1) << flag;
    EXPECT_THAT(run.output, HasSubstr(message));
  }
}

// The four numbers of a row of the table of statistics: accuracy and loss here, accuracy and loss elsewhere.
std::vector<double> Scores(const std::string& output, const std::string& row) {
  const std::string line = Section(output, "\n" + row);
  std::vector<double> scores;
  for (absl::string_view word : absl::StrSplit(line.substr(1, line.find('\n', 1)), ' ', absl::SkipEmpty())) {
    if (double score; absl::StrContains(word, '.') && absl::SimpleAtod(word, &score)) scores.push_back(score);
  }
  EXPECT_EQ(scores.size(), 4u) << row << output;
  scores.resize(4);
  return scores;
}

TEST(PopulationStatistics, RepeatsThePostAndComparesStatistics) {
  const ProgramRun run = RunExample("population_statistics");
  ASSERT_EQ(run.exit_code, 0) << run.output;
  const std::string post = Section(run.output, "==== the post's experiment");
  EXPECT_THAT(post, HasSubstr("3 ... difference in results on training and eval mode : "));
  EXPECT_THAT(post, HasSubstr("eval and train results SAME (difference "));
  // The running variance is PyTorch's: divided by n - 1.
  const size_t after = post.find("after one update: ") + 18, by = post.find("it would be ") + 12;
  EXPECT_NEAR(std::atof(post.c_str() + after), std::atof(post.c_str() + by), 3e-7) << post;
  EXPECT_GT(std::fabs(std::atof(post.c_str() + after) - std::atof(post.c_str() + post.find("by n 0") + 5)), 1e-6);

  const std::vector<double> moving = Scores(run.output, "moving averages  "),
                            single = Scores(run.output, "moving averages, one picture at a time"),
                            batch_32 = Scores(run.output, "the batch's own, of 32"),
                            batch_1 = Scores(run.output, "the batch's own, of 1 (warning 1)"),
                            of_training = Scores(run.output, "population: 50 batches of the training set"),
                            of_elsewhere = Scores(run.output, "population: 20 batches of elsewhere");
  EXPECT_EQ(moving, single);
  EXPECT_GT(moving[0], 0.9);
  EXPECT_GT(batch_32[0], 0.9);
  EXPECT_LT(batch_1[0], 0.8);
  EXPECT_LT(moving[2], 0.7);
  EXPECT_GT(of_elsewhere[2], 0.9);
  // What the moving averages approach; the last bits of the program's state are restored between the rows.
  EXPECT_NEAR(of_training[0], moving[0], 0.02);
  EXPECT_NEAR(of_training[2], moving[2], 0.1);

  const std::string losses = Section(run.output, "==== binary cross-entropy");
  const auto accuracy = [&](const std::string& loss) {
    return std::atof(losses.c_str() + losses.find("accuracy ", losses.find(loss)) + 9);
  };
  EXPECT_GT(accuracy("from the logit"), 0.9);
  EXPECT_LT(accuracy("from the sigmoid"), 0.8);
  EXPECT_LT(accuracy("from the softmax"), 0.6);
}

TEST(PopulationStatistics, FlagsAreCheckedAndThreadsChangeNothing) {
  const std::vector<std::string> small = {"--steps=3", "--train_pictures=64", "--test_pictures=32"};
  const auto with = [&](const std::string& flag) {
    std::vector<std::string> flags = small;
    flags.push_back(flag);
    return RunExample("population_statistics", flags);
  };
  EXPECT_EQ(with("--threads=1").output, with("--threads=2").output);
  EXPECT_NE(with("--momentum=0.5").output, with("--momentum=0.1").output);
  for (const auto& [flag, message] :
       {std::pair("--momentum=2", "--momentum=2"), std::pair("--train_pictures=5", "--train_pictures=5: expected"),
        std::pair("--shift=-1", "--shift=-1")}) {
    EXPECT_EQ(with(flag).exit_code, 1) << flag;
    EXPECT_THAT(with(flag).output, HasSubstr(message));
  }
}

}  // namespace
}  // namespace staticflow
