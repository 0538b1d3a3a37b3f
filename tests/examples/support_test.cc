// The progress line and the reading of flags.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <string>

#include "examples/support/program.h"
#include "ops/train/progress.h"

namespace staticflow {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What a training of 4 batches, one a second, shows.
std::string Shown(train::ProgressOptions options) {
  char* text = nullptr;
  size_t size = 0;
  options.out = open_memstream(&text, &size);
  double now = 0;
  options.clock = [&now] { return now; };
  options.label = "net";
  options.total = 4;
  train::Progress progress(options);
  for (int i = 1; i <= 4; ++i) {
    now += 1;
    train::Progress::Values values = {{"loss", i == 4 ? -std::nan("") : 0.5}};
    if (i > 1) values.emplace_back("accuracy", 0.25);
    progress.Update(i, values);
  }
  progress.Finish();
  EXPECT_EQ(progress.rate(), 1);
  std::fclose(options.out);
  const std::string shown(text, size);
  std::free(text);
  return shown;
}

TEST(Progress, PlainLinesEveryFixedNumberOfBatches) {
  EXPECT_EQ(Shown({.line_every = 1, .terminal = false}),
            "net:  1/4  1 batches/s  ETA 0:03  loss 0.5\n"
            "net:  2/4  1 batches/s  ETA 0:02  loss 0.5  accuracy 0.2500\n"
            "net:  3/4  1 batches/s  ETA 0:01  loss 0.5  accuracy 0.2500\n"
            "net:  4/4  1 batches/s  loss nan  accuracy 0.2500\n");
  EXPECT_EQ(Shown({.line_every = 3, .terminal = false}),
            "net:  3/4  1 batches/s  ETA 0:01  loss 0.5  accuracy 0.2500\n"
            "net:  4/4  1 batches/s  loss nan  accuracy 0.2500\n");
}

TEST(Progress, ATerminalsLineIsDrawnOverAndCoversTheLongerOneBefore) {
  EXPECT_EQ(Shown({.terminal = true}),
            "\rnet   25% #####...............  1/4  1 batches/s  ETA 0:03  loss 0.5000"
            "\rnet   50% ##########..........  2/4  1 batches/s  ETA 0:02  loss 0.5000  accuracy 0.2500"
            "\rnet   75% ###############.....  3/4  1 batches/s  ETA 0:01  loss 0.5000  accuracy 0.2500"
            "\rnet  100% ####################  4/4  1 batches/s  loss nan  accuracy 0.2500" +
                std::string(13, ' ') + "\n");
}

TEST(Program, ReadsAndChecksFlags) {
  EXPECT_THAT(*ParseNumbers("x", "1, -2.5,3"), testing::ElementsAre(1, -2.5, 3));
  for (const char* text : {"", "1,,2", "a", "1;2", "inf", "nan"}) EXPECT_FALSE(ParseNumbers("x", text).ok()) << text;
  EXPECT_TRUE(CheckChoice("x", "a", {"a", "b"}).ok());
  EXPECT_EQ(CheckChoice("x", "c", {"a", "b"}).message(), "--x=c: expected one of a, b");
  EXPECT_TRUE(CheckRange("x", 0, 0, 1).ok());
  EXPECT_EQ(CheckRange("x", 2, 0, 1).message(), "--x=2: expected a number from 0 to 1");
  EXPECT_EQ(CheckRange("x", -1, 0, INFINITY).message(), "--x=-1: expected at least 0");
  EXPECT_FALSE(CheckRange("x", NAN, 0, 1).ok());
}

}  // namespace
}  // namespace staticflow
