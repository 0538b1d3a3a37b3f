#include "runtime/conv_lanes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace staticflow {
namespace {

// Whole numbers, all sums of products of which are exact.
std::vector<float> Values(int64_t count, int64_t step) {
  std::vector<float> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(i * step % 23 - 11);
  return values;
}

class ConvLanesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!ConvLanesSupported()) GTEST_SKIP() << "this CPU lacks the instructions";
  }
};

TEST_F(ConvLanesTest, TransposesAnySizes) {
  for (int64_t rows : {1, 3, 15, 16, 17, 40}) {
    for (int64_t columns : {1, 2, 7, 16, 19, 32}) {
      for (bool fill : {false, true}) {
        const int64_t source_step = columns + 3, target_step = (rows + 15) / 16 * 16 + 2;
        const std::vector<float> source = Values(rows * source_step, 7);
        std::vector<float> target(columns * target_step, 77), want = target;
        for (int64_t c = 0; c < columns; ++c) {
          if (fill) std::fill_n(want.begin() + c * target_step, (rows + 15) / 16 * 16, 0.0f);
          for (int64_t r = 0; r < rows; ++r) want[c * target_step + r] = source[r * source_step + c];
        }
        TransposeLanes({.source = source.data(),
                        .source_step = source_step,
                        .rows = rows,
                        .columns = columns,
                        .target = target.data(),
                        .target_step = target_step,
                        .fill = fill});
        EXPECT_EQ(target, want) << rows << "x" << columns << (fill ? " filled" : "");
      }
    }
  }
}

TEST_F(ConvLanesTest, AddsRunsInEveryBlock) {
  const ConvRun runs[] = {{0, 5, 3}, {70, 0, 0}, {40, 90, 5}};
  constexpr int64_t kXStep = 20, kWStep = 15, kYStep = 50, kXVectorStep = 170;
  const std::vector<float> x = Values(1000, 7), w = Values(1000, 5);
  for (int vectors = 1; vectors <= kMaxConvVectors; ++vectors) {
    for (int sums = 1; sums <= kMaxConvSums[vectors]; ++sums) {
      for (bool accumulate : {false, true}) {
        std::vector<float> y = Values(1000, 3), want = y;
        for (int k = 0; k < sums; ++k) {
          for (int i = 0; i < vectors * kConvLanes; ++i) {
            float sum = 0;
            for (const ConvRun& run : runs) {
              for (int64_t p = 0; p < run.count; ++p) {
                sum +=
                    x[run.x + p * kXStep + i / kConvLanes * kXVectorStep + i % kConvLanes] * w[run.w + p * kWStep + k];
              }
            }
            float& target = want[k * kYStep + i];
            target = accumulate ? target + sum : sum;
          }
        }
        AddConvRuns({.runs = runs,
                     .num_runs = 3,
                     .x = x.data(),
                     .x_step = kXStep,
                     .w = w.data(),
                     .w_step = kWStep,
                     .y = y.data(),
                     .y_step = kYStep,
                     .vectors = vectors,
                     .x_vector_step = kXVectorStep,
                     .y_vector_step = kConvLanes,
                     .sums = sums,
                     .accumulate = accumulate});
        EXPECT_EQ(y, want) << vectors << " vectors, " << sums << " sums" << (accumulate ? ", accumulated" : "");
      }
    }
  }
}

}  // namespace
}  // namespace staticflow
