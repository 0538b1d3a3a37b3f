// Runs examples/batch_norm_basics and checks the numbers that it prints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/examples/run_program.h"

namespace staticflow {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(BatchNormBasics, PrintsTheNumbersOfTheNotebook) {
  const ProgramRun run = RunExample("batch_norm_basics");
  ASSERT_EQ(run.exit_code, 0) << run.output;
  const std::string in_training = "[[-1.2247357]\n [ 0.       ]\n [ 1.2247357]]\n";
  for (const std::string& text : {
           std::string("In [2]: training = false: the layer uses its moving averages, which nothing has moved yet\n"
                       "[[-9.995004]\n [ 0.      ]\n [ 9.995004]]\nupdate_ops: 0\n"),
           in_training + "each example by itself, which is its own mean:\n[[0.]]\n[[0.]]\n[[0.]]\n",
           std::string("<Operation 'batch_normalization/AssignMovingAvg' type=AssignSub>\n"
                       "<Operation 'batch_normalization/AssignMovingAvg_1' type=AssignSub>\n"),
           in_training + "[[0.]]\n\nIn [6]",
           in_training + "[[-7.766966]]\n\nIn [7]",
           in_training + "[[-1.224762]]\n\nIn [8]",
           in_training + "[[-1.224762]]\n\nIn [9]",
           std::string("<Variable 'batch_normalization/gamma:0' shape=(1,) dtype=float32_ref>\n"
                       "<Variable 'batch_normalization/beta:0' shape=(1,) dtype=float32_ref>\n"
                       "<Variable 'batch_normalization/moving_mean:0' shape=(1,) dtype=float32_ref>\n"
                       "<Variable 'batch_normalization/moving_variance:0' shape=(1,) dtype=float32_ref>\n"),
           std::string("moving_mean = [0.]\nmoving_variance = [66.66382]\n"),
       }) {
    EXPECT_THAT(run.output, HasSubstr(text));
  }
}

// Computed by hand: y = x / sqrt(variance + 0.001) with moving averages that keep none of, or all of, their start.
TEST(BatchNormBasics, FlagsChangeTheNumbers) {
  const ProgramRun momentum = RunExample("batch_norm_basics", {"--momentum=0"});
  EXPECT_THAT(momentum.output, HasSubstr("[[-1.2247357]]\n\nIn [7]"));
  EXPECT_THAT(momentum.output, HasSubstr("moving_variance = [66.666"));
  const ProgramRun kept = RunExample("batch_norm_basics", {"--momentum=1"});
  EXPECT_THAT(kept.output, HasSubstr("[[-9.995004]]\n\nIn [7]"));
  const ProgramRun input = RunExample("batch_norm_basics", {"--input=1,3"});
  EXPECT_THAT(input.output, HasSubstr("[[0.9995004]\n [2.9985013]]"));
  EXPECT_THAT(input.output, HasSubstr("[[-0.9995004]\n [ 0.999500"));
}

TEST(BatchNormBasics, TheSeedDrawsTheInput) {
  const ProgramRun one = RunExample("batch_norm_basics", {"--seed=1"}),
                   two = RunExample("batch_norm_basics", {"--seed=2"});
  EXPECT_EQ(one.exit_code, 0) << one.output;
  EXPECT_EQ(one.output, RunExample("batch_norm_basics", {"--seed=1"}).output);
  EXPECT_NE(one.output, two.output);
  EXPECT_THAT(one.output, Not(HasSubstr("9.995004")));
}

TEST(BatchNormBasics, WrongFlagsAreErrors) {
  for (const auto& [flag, message] :
       {std::pair("--input=1,a", "'a' is none"), std::pair("--input=", "--input="),
        std::pair("--momentum=2", "--momentum=2: expected a number from 0 to 1"),
        std::pair("--nosuchflag=1", "nosuchflag"), std::pair("word", "'word' is no flag")}) {
    const ProgramRun run = RunExample("batch_norm_basics", {flag});
    EXPECT_NE(run.exit_code, 0) << flag;
    EXPECT_THAT(run.output, HasSubstr(message));
  }
  EXPECT_THAT(RunExample("batch_norm_basics", {"--help"}).output, HasSubstr("--momentum"));
}

}  // namespace
}  // namespace staticflow
