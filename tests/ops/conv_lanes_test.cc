// Convolutions of float pictures, which are computed in lanes where the CPU allows it, beside those of double pictures,
// which never are: whole numbers give the same values in any order of additions.
#include "ops/conv_lanes.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/graph.h"
#include "ops/array.h"
#include "ops/conv.h"
#include "ops/math.h"
#include "runtime/session.h"

namespace staticflow {
namespace {

struct Shapes {
  const char* name;
  std::vector<int64_t> x;
  std::vector<int64_t> filter;
  Conv2DOptions options = {};
};

std::vector<float> Numbers(int64_t count, float scale, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> numbers(count);
  for (float& number : numbers) number = static_cast<float>(static_cast<int>(random() % 9) - 4) * scale;
  return numbers;
}

Tensor Feed(const Shape& shape, float scale, uint32_t seed) {
  return Tensor::Of<float>(shape, absl::MakeConstSpan(Numbers(shape.num_elements(), scale, seed)));
}

// y, dx and df, computed as `dtype`, as floats.
absl::StatusOr<std::vector<Tensor>> Run(const Shapes& s, DataType dtype, float scale, int threads) {
  Graph g;
  const Shape x_shape(s.x), filter_shape(s.filter);
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = x_shape, .name = "x"});
  const Output filter = Placeholder(g, {.dtype = DT_FLOAT, .shape = filter_shape, .name = "filter"});
  const Output tx = Cast(x, dtype), tf = Cast(filter, dtype);
  const Output y = Conv2D(tx, tf, s.options);
  if (!g.status().ok()) return g.status();
  const Output dy = Placeholder(g, {.dtype = DT_FLOAT, .shape = y.shape(), .name = "dy"});
  const Output tdy = Cast(dy, dtype);
  const Output dx = Conv2DBackpropInput(s.x, tf, tdy, s.options);
  const Output df = Conv2DBackpropFilter(tx, s.filter, tdy, s.options);
  std::vector<Output> fetches = {Cast(y, DT_FLOAT), Cast(dx, DT_FLOAT), Cast(df, DT_FLOAT)};
  Session session(g, {.threads = threads});
  return session.Run(
      {{x, Feed(x_shape, scale, 1)}, {filter, Feed(filter_shape, scale, 2)}, {dy, Feed(y.shape(), scale, 3)}}, fetches);
}

void Check(const Shapes& s) {
  const auto got = Run(s, DT_FLOAT, 1, 1), want = Run(s, DT_DOUBLE, 1, 1);
  ASSERT_TRUE(got.ok()) << s.name << ": " << got.status();
  ASSERT_TRUE(want.ok()) << s.name << ": " << want.status();
  // Thirds are not exact: their sums tell the order of additions.
  const auto one = Run(s, DT_FLOAT, 1.0f / 3, 1), two = Run(s, DT_FLOAT, 1.0f / 3, 2);
  ASSERT_TRUE(one.ok() && two.ok()) << s.name;
  for (int i = 0; i < 3; ++i) {
    const std::string what = absl::StrCat(s.name, i == 0 ? ": y" : i == 1 ? ": dx" : ": df");
    ASSERT_EQ((*got)[i].shape(), (*want)[i].shape()) << what;
    EXPECT_TRUE((*got)[i].flat<float>() == (*want)[i].flat<float>()) << what;
    EXPECT_TRUE((*one)[i].flat<float>() == (*two)[i].flat<float>()) << what << " with two threads";
  }
}

TEST(ConvLanesTest, EqualsProductsOfMatrices) {
  const Shapes all[] = {
      {"few channels", {64, 12, 12, 1}, {3, 3, 1, 4}},
      {"stride 2", {40, 9, 10, 5}, {3, 3, 5, 17}, {.strides = {1, 2, 2, 1}}},
      {"stride 2 even", {20, 8, 8, 24}, {3, 3, 24, 28}, {.strides = {1, 2, 2, 1}}},
      {"stride 3, small window", {16, 10, 11, 3}, {2, 2, 3, 9}, {.strides = {1, 3, 3, 1}}},
      {"one pixel", {33, 1, 1, 30}, {3, 3, 30, 31}},
      {"two by two", {64, 2, 2, 48}, {3, 3, 48, 52}},
      {"pointwise", {17, 4, 5, 20}, {1, 1, 20, 33}},
      {"pointwise stride 2", {17, 5, 5, 8}, {1, 1, 8, 8}, {.strides = {1, 2, 2, 1}}},
      {"row of taps", {16, 6, 7, 4}, {1, 3, 4, 6}, {.padding = "VALID"}},
      {"column of taps", {16, 7, 6, 4}, {3, 1, 4, 6}},
      {"large window", {12, 9, 9, 2}, {7, 7, 2, 5}},
      {"window larger than the picture", {12, 3, 2, 3}, {5, 7, 3, 4}},
      {"dilated rows", {18, 9, 9, 6}, {3, 3, 6, 7}, {.dilations = {1, 2, 1, 1}}},
      {"dilated", {18, 9, 9, 6}, {3, 3, 6, 7}, {.dilations = {1, 2, 3, 1}}},
      {"explicit",
       {13, 5, 6, 4},
       {3, 2, 4, 5},
       {.strides = {1, 2, 1, 1}, .padding = "EXPLICIT", .explicit_paddings = {0, 0, 4, 0, 1, 3, 0, 0}}},
      {"windows in the padding alone",
       {13, 2, 2, 4},
       {2, 2, 4, 5},
       {.padding = "EXPLICIT", .explicit_paddings = {0, 0, 3, 4, 5, 3, 0, 0}}},
      {"groups", {19, 6, 6, 12}, {3, 3, 4, 15}},
      {"groups of one", {16, 6, 6, 6}, {3, 3, 1, 12}},
      {"NCHW", {21, 5, 7, 8}, {3, 3, 5, 6}, {.data_format = "NCHW"}},
      {"NCHW stride 2", {21, 5, 7, 8}, {3, 3, 5, 18}, {.strides = {1, 1, 2, 2}, .data_format = "NCHW"}},
      {"NCHW one channel", {16, 1, 7, 8}, {3, 3, 1, 1}, {.data_format = "NCHW"}},
      {"NCHW groups", {16, 6, 5, 5}, {3, 3, 2, 9}, {.data_format = "NCHW"}},
      {"few pictures", {3, 14, 14, 12}, {3, 3, 12, 16}},
      {"one picture", {1, 20, 20, 3}, {5, 5, 3, 8}, {.strides = {1, 2, 2, 1}}},
      {"pictures too large to keep", {12, 40, 44, 16}, {3, 3, 16, 8}},
      {"no pictures", {0, 4, 4, 3}, {3, 3, 3, 5}},
  };
  for (const Shapes& s : all) Check(s);
}

TEST(ConvLanesTest, ChoosesByShape) {
  WindowRule rule;
  rule.padding = WindowPadding::kSame;
  const auto fits = [&](const Shape& x) { return ConvForwardFitsLanes(*MakeConvShape(rule, x, Shape({3, 3, 4, 8}))); };
  EXPECT_FALSE(fits({2, 28, 28, 4}));
  EXPECT_FALSE(fits({64, 224, 224, 4}));
  EXPECT_FALSE(fits({0, 28, 28, 4}));
}

}  // namespace
}  // namespace staticflow
