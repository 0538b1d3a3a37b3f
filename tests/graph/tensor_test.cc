#include "graph/tensor.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace staticflow {
namespace {

TEST(TensorTest, HoldsValuesOfEveryType) {
  EXPECT_EQ(Tensor(1.5f).ToString(), "float[]{1.5}");
  EXPECT_EQ(Tensor("text").ToString(), "string[]{\"text\"}");
  EXPECT_EQ(Tensor(true).ToString(), "bool[]{true}");
  EXPECT_EQ(Tensor::Matrix<int64_t>({{1, 2}, {3, 4}}).ToString(), "int64[2,2]{1, 2, 3, 4}");
  EXPECT_EQ(Tensor::Vector<uint8_t>({255}).ToString(), "uint8[1]{255}");
  EXPECT_EQ(Tensor::Of<float>({0}, {}).ToString(), "float[0]{}");
}

TEST(TensorTest, StartsAtZeroAndAligned) {
  absl::StatusOr<Tensor> t = Tensor::Create(DT_DOUBLE, {3});
  ASSERT_TRUE(t.ok());
  for (double v : t->flat<double>()) EXPECT_EQ(v, 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(t->raw()) % Tensor::kAlignment, 0);
}

TEST(TensorTest, RefusesWhatNoMemoryCanHold) {
  const int64_t huge = int64_t{1} << 40;
  EXPECT_EQ(Tensor::Create(DT_FLOAT, {huge, huge}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Tensor::Create(DT_FLOAT, {huge}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Tensor::Create(DT_FLOAT, {-1}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Tensor::Create(DT_QINT8, {}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(TensorTest, CopiesShareAndClonesDoNot) {
  Tensor a = Tensor::Vector<float>({1, 2});
  Tensor shared = a;
  Tensor clone = *a.Clone();
  a.data<float>()[0] = 9;
  EXPECT_EQ(shared.data<float>()[0], 9);
  EXPECT_EQ(clone.data<float>()[0], 1);
  EXPECT_FALSE(a.unique());
  EXPECT_TRUE(clone.unique());
}

TEST(TensorTest, ReshapesOnlyToTheSameNumberOfElements) {
  Tensor a = Tensor::Vector<float>({1, 2, 3, 4});
  EXPECT_EQ(a.Reshaped({2, 2})->ToString(), "float[2,2]{1, 2, 3, 4}");
  EXPECT_FALSE(a.Reshaped({3}).ok());
}

TEST(TensorTest, BitwiseEqualityTellsZerosApart) {
  EXPECT_FALSE(BitwiseEqual(Tensor(0.0f), Tensor(-0.0f)));
  EXPECT_TRUE(BitwiseEqual(Tensor(NAN), Tensor(NAN)));
  EXPECT_TRUE(BitwiseEqual(Tensor("a"), Tensor("a")));
  EXPECT_FALSE(BitwiseEqual(Tensor(1.0f), Tensor(1.0)));
}

// Half and bfloat16 round to nearest even; the values are those of IEEE 754 and of truncating with rounding.
TEST(SmallFloatTest, Rounds) {
  const struct {
    float value;
    uint16_t half, bfloat16;
  } cases[] = {
      {0.0f, 0x0000, 0x0000},          {-0.0f, 0x8000, 0x8000},      {1.0f, 0x3c00, 0x3f80},
      {-2.0f, 0xc000, 0xc000},         {65504.0f, 0x7bff, 0x4780},   {65520.0f, 0x7c00, 0x4780},
      {65519.0f, 0x7bff, 0x4780},      {1e-8f, 0x0000, 0x322c},      {5.9604645e-8f, 0x0001, 0x3380},
      {6.1035156e-5f, 0x0400, 0x3880}, {1.0009766f, 0x3c01, 0x3f80}, {1.00390625f, 0x3c04, 0x3f80},
      {1.01171875f, 0x3c0c, 0x3f82},   {INFINITY, 0x7c00, 0x7f80},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Half(c.value).bits, c.half) << c.value;
    EXPECT_EQ(BFloat16(c.value).bits, c.bfloat16) << c.value;
  }
  EXPECT_TRUE(std::isnan(float(Half(NAN))));
  EXPECT_TRUE(std::isnan(float(BFloat16(NAN))));
}

TEST(SmallFloatTest, EveryHalfSurvivesTheWayThroughFloat) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    Half h;
    h.bits = static_cast<uint16_t>(bits);
    const float f = float(h);
    if (std::isnan(f)) continue;
    EXPECT_EQ(Half(f).bits, bits);
  }
}

TEST(DataTypeTest, NamesGoBothWays) {
  for (int t = 1; t <= 23; ++t) {
    const DataType dtype = static_cast<DataType>(t);
    EXPECT_EQ(ParseDataType(DataTypeName(dtype)), dtype);
  }
  EXPECT_EQ(DataTypeName(static_cast<DataType>(99)), "invalid");
  EXPECT_EQ(ParseDataType("nonsense"), DT_INVALID);
}

}  // namespace
}  // namespace staticflow
