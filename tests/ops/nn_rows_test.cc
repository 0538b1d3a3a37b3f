// Rows of float are computed together on lanes: softmax and its losses against the plain loops, which serve double.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "ops/array.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

// Numbers without a pattern between -scale and scale, always the same.
template <typename E>
Tensor Numbers(const Shape& shape, float scale) {
  Tensor tensor = *Tensor::Create(kDataTypeOf<E>, shape);
  uint32_t state = 1;
  for (E& value : tensor.flat<E>()) {
    state = state * 1664525u + 1013904223u;
    value = scale * (static_cast<float>(state >> 8) / (1 << 23) - 1);
  }
  return tensor;
}

// Every other row expects one class, the others all of them.
template <typename E>
Tensor Labels(const Shape& shape) {
  Tensor labels = *Tensor::Create(kDataTypeOf<E>, shape);
  const int64_t n = shape.dim(-1);
  for (int64_t i = 0; i < shape.num_elements(); ++i) {
    const int64_t row = i / n;
    labels.data<E>()[i] = row % 2 == 0 ? E(i % n == row * 7 % n) : E(1.0f / static_cast<float>(n));
  }
  return labels;
}

Tensor Classes(const Shape& shape) {
  Tensor classes = *Tensor::Create(DT_INT64, {shape.dim(0)});
  for (int64_t row = 0; row < shape.dim(0); ++row) classes.data<int64_t>()[row] = row * 7 % shape.dim(1);
  return classes;
}

class RowsTest : public testing::TestWithParam<Shape> {};

// What the four ops give for logits of E; the losses only for matrices.
template <typename E>
std::vector<Tensor> RunOps(const Shape& shape, int threads) {
  Graph g;
  const Output x = Const(g, Numbers<E>(shape, 30));
  std::vector<Output> fetches = {Softmax(x), LogSoftmax(x)};
  if (shape.rank() == 2) {
    for (const Output& loss : {SoftmaxCrossEntropyWithLogits(x, Const(g, Labels<E>(shape))),
                               SparseSoftmaxCrossEntropyWithLogits(x, Const(g, Classes(shape)))}) {
      fetches.push_back(loss.node()->output(0));
      fetches.push_back(loss.node()->output(1));
    }
  }
  Session session(g, {.threads = threads});
  absl::StatusOr<std::vector<Tensor>> values = session.Run({}, fetches);
  EXPECT_TRUE(values.ok()) << values.status();
  return values.ok() ? *values : std::vector<Tensor>();
}

TEST_P(RowsTest, FloatIsNearDouble) {
  const std::vector<Tensor> got = RunOps<float>(GetParam(), 1), want = RunOps<double>(GetParam(), 1);
  ASSERT_EQ(got.size(), want.size());
  for (size_t k = 0; k < got.size(); ++k) {
    ASSERT_EQ(got[k].shape(), want[k].shape());
    for (int64_t i = 0; i < got[k].num_elements(); ++i) {
      const double exact = want[k].data<double>()[i];
      ASSERT_NEAR(got[k].data<float>()[i], exact, 3e-7 + 1e-6 * std::abs(exact)) << "output " << k << " at " << i;
    }
  }
}

TEST_P(RowsTest, OneThreadAndTwoGiveTheSameBits) {
  const std::vector<Tensor> one = RunOps<float>(GetParam(), 1), two = RunOps<float>(GetParam(), 2);
  ASSERT_EQ(one.size(), two.size());
  for (size_t k = 0; k < one.size(); ++k) {
    ASSERT_EQ(one[k].num_elements(), two[k].num_elements());
    EXPECT_EQ(std::memcmp(one[k].data<float>(), two[k].data<float>(), one[k].num_elements() * sizeof(float)), 0);
  }
}

// Around the number of rows that are computed together, and around the rows that fill it alone.
INSTANTIATE_TEST_SUITE_P(Shapes, RowsTest,
                         testing::Values(Shape{1, 1}, Shape{3, 2}, Shape{60, 10}, Shape{64, 7}, Shape{65, 9},
                                         Shape{300, 17}, Shape{5, 1023}, Shape{3, 1024}, Shape{3, 1025}, Shape{2, 5000},
                                         Shape{4, 3, 20}, Shape{10}, Shape{1024}, Shape{3001}),
                         [](const testing::TestParamInfo<Shape>& info) {
                           std::string name = "of";
                           for (int i = 0; i < info.param.rank(); ++i) name += "_" + std::to_string(info.param.dim(i));
                           return name;
                         });

TEST(Rows, NothingIsExpectedOfARowWithoutLabels) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  Graph g;
  const Output x = Const(g, M({{1, kInf}, {1, -kInf}, {2, 2}})), p = Const(g, M({{0, 0}, {1, 0}, {-1, 1}}));
  Session session(g);
  absl::StatusOr<Tensor> loss = session.Run({}, SoftmaxCrossEntropyWithLogits(x, p));
  ASSERT_TRUE(loss.ok()) << loss.status();
  EXPECT_TRUE(TensorsNear(*loss, T({0, 0, 0}), 0));
}

}  // namespace
}  // namespace staticflow
