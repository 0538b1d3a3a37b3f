#include "runtime/io/mnist.h"

#include "gtest/gtest.h"
#include "runtime/io/fault_env.h"

namespace staticflow {
namespace {

const std::string kImages("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02\0\xff\x80\x01", 20);  // two of 1 x 2
const std::string kLabels("\0\0\x08\x01\0\0\0\x02\x03\0", 10);

void Write(Env* env, const std::string& images, const std::string& labels) {
  ASSERT_TRUE(env->CreateDir("d").ok());
  for (const char* part : {"d/train", "d/t10k"}) {
    ASSERT_TRUE(WriteWholeFile(env, std::string(part) + "-images-idx3-ubyte", images).ok());
    ASSERT_TRUE(WriteWholeFile(env, std::string(part) + "-labels-idx1-ubyte", labels).ok());
  }
}

TEST(MnistTest, ImagesAndLabels) {
  FaultEnv env;
  Write(&env, kImages, kLabels);
  const auto dense = LoadMnist(&env, "d");
  ASSERT_TRUE(dense.ok()) << dense.status();
  EXPECT_EQ(dense->train.size(), 2);
  const auto rows = *dense->test.AllRows();
  EXPECT_TRUE(BitwiseEqual(rows[0], Tensor::Matrix<float>({{0, 1}, {128 * (1.0f / 255.0f), 1.0f / 255.0f}})));
  EXPECT_TRUE(
      BitwiseEqual(rows[1], Tensor::Matrix<float>({{0, 0, 0, 1, 0, 0, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0, 0, 0, 0, 0}})));
  const auto square = *LoadMnist(&env, "d", {.one_hot = false, .flatten = false})->test.AllRows();
  EXPECT_EQ(square[0].shape(), Shape({2, 1, 2, 1}));
  EXPECT_TRUE(BitwiseEqual(square[1], Tensor::Vector<int64_t>({3, 0})));
}

TEST(MnistTest, Errors) {
  const struct {
    std::string images, labels;
    const char* message;
  } rows[] = {{kLabels, kLabels, "expected uint8 values of rank 3"},
              {kImages, kImages, "expected uint8 values of rank 1"},
              {kImages, std::string("\0\0\x08\x01\0\0\0\x01\x03", 9), "2 images"},
              {kImages, std::string("\0\0\x08\x01\0\0\0\x02\x03\x0a", 10), "label 10 of row 1"},
              {kImages.substr(0, 19), kLabels, "there are 3"}};
  for (const auto& row : rows) {
    FaultEnv env;
    Write(&env, row.images, row.labels);
    const absl::Status status = LoadMnist(&env, "d").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_NE(status.message().find(row.message), absl::string_view::npos) << status;
  }
  FaultEnv env;
  const absl::Status status = LoadMnist(&env, "d").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("d/train-images-idx3-ubyte"), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace staticflow
