// The fast loops of broadcasting and of reductions against plain ones, over many shapes.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/math.h"
#include "runtime/session.h"

namespace staticflow {
namespace {

// Numbers in [-1, 1) without a pattern, always the same.
Tensor Numbers(const Shape& shape, uint32_t state = 1) {
  Tensor tensor = *Tensor::Create(DT_FLOAT, shape);
  for (float& value : tensor.flat<float>()) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) / (1 << 23) - 1;
  }
  return tensor;
}

// The element of `tensor` at `index` of a shape to which it is broadcast.
float At(const Tensor& tensor, absl::Span<const int64_t> index) {
  int64_t offset = 0, stride = 1;
  for (int i = 1; i <= tensor.shape().rank(); ++i) {
    if (tensor.shape().dim(-i) != 1) offset += index[index.size() - i] * stride;
    stride *= tensor.shape().dim(-i);
  }
  return tensor.data<float>()[offset];
}

// The multi-dimensional index of element i.
std::vector<int64_t> IndexOf(int64_t i, const Shape& shape) {
  std::vector<int64_t> index(shape.rank());
  for (int d = shape.rank() - 1; d >= 0; --d) {
    index[d] = i % shape.dim(d);
    i /= shape.dim(d);
  }
  return index;
}

Tensor Fetch(Graph& g, Output output, int threads = 1) {
  Session session(g, {.threads = threads});
  absl::StatusOr<Tensor> value = session.Run({}, output);
  EXPECT_TRUE(value.ok()) << value.status();
  return value.ok() ? *value : Tensor();
}

using ShapePair = std::pair<Shape, Shape>;
class BroadcastTest : public testing::TestWithParam<ShapePair> {};

TEST_P(BroadcastTest, EqualsThePlainLoop) {
  const auto& [a, b] = GetParam();
  const Tensor x = Numbers(a), y = Numbers(b, 7);
  Graph g;
  const Tensor z = Fetch(g, Const(g, x) - Const(g, y));
  ASSERT_TRUE(z.valid());
  EXPECT_EQ(z.shape(), *BroadcastShapes(a, b));
  for (int64_t i = 0; i < z.num_elements(); ++i) {
    const std::vector<int64_t> index = IndexOf(i, z.shape());
    ASSERT_EQ(z.data<float>()[i], At(x, index) - At(y, index)) << "element " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, BroadcastTest,
                         testing::Values(ShapePair({60, 100}, {60, 100}), ShapePair({60, 100}, {100}),
                                         ShapePair({100}, {60, 100}), ShapePair({60, 100}, {60, 1}),
                                         ShapePair({60, 1}, {1, 100}), ShapePair({}, {3, 5}), ShapePair({3, 5}, {1, 1}),
                                         ShapePair({2, 1, 3, 1, 4}, {5, 1, 2, 1}), ShapePair({0, 3}, {1, 3}),
                                         ShapePair({2, 1, 2, 1, 2, 1, 2, 1}, {1, 3, 1, 3, 1, 3, 1, 3}),
                                         ShapePair({4, 1, 1, 7}, {4, 3, 2, 7}), ShapePair({1, 1}, {1})));

// A shape and the axes to reduce, one bit each.
struct Reduction {
  Shape shape;
  uint32_t axes;
};
class ReductionTest : public testing::TestWithParam<Reduction> {};

TEST_P(ReductionTest, EqualsThePlainLoop) {
  const Shape& shape = GetParam().shape;
  const Tensor x = Numbers(shape);
  std::vector<int64_t> axes;
  Shape kept = shape;
  for (int i = 0; i < shape.rank(); ++i) {
    if ((GetParam().axes >> i & 1) == 0) continue;
    axes.push_back(i);
    kept.set_dim(i, 1);
  }
  std::vector<double> sums(kept.num_elements(), 0);
  std::vector<float> maxima(kept.num_elements(), -2);
  for (int64_t i = 0; i < x.num_elements(); ++i) {
    const std::vector<int64_t> index = IndexOf(i, shape);
    int64_t at = 0;
    for (int d = 0; d < shape.rank(); ++d) at = at * kept.dim(d) + (kept.dim(d) == 1 ? 0 : index[d]);
    sums[at] += x.data<float>()[i];
    maxima[at] = std::max(maxima[at], x.data<float>()[i]);
  }
  Graph g;
  const Output input = Const(g, x), sum = Sum(input, axes, {.keep_dims = true});
  const Tensor got = Fetch(g, sum), max = Fetch(g, Max(input, axes));
  ASSERT_TRUE(got.valid() && max.valid());
  ASSERT_EQ(got.shape(), kept);
  for (int64_t i = 0; i < got.num_elements(); ++i) {
    // Pairwise addition keeps the error near that of one rounding, whatever the number of elements.
    const double terms = static_cast<double>(x.num_elements()) / got.num_elements();
    ASSERT_NEAR(got.data<float>()[i], sums[i], 2e-7 * std::sqrt(terms) + 1e-6 * std::abs(sums[i])) << "element " << i;
    ASSERT_EQ(max.data<float>()[i], maxima[i]) << "element " << i;
  }
  EXPECT_TRUE(BitwiseEqual(got, Fetch(g, sum, 2)));
}

std::vector<Reduction> Reductions() {
  std::vector<Reduction> all;
  for (uint32_t axes = 0; axes < 16; ++axes) all.push_back({{3, 37, 5, 19}, axes});
  for (const Shape& shape : {Shape{60, 100}, Shape{1000, 70}, Shape{70, 1000}, Shape{33, 3}, Shape{3, 33},
                             Shape{16, 16}, Shape{20000, 1}, Shape{1, 20000}, Shape{5, 1}}) {
    for (uint32_t axes = 1; axes < 4; ++axes) all.push_back({shape, axes});
  }
  all.push_back({{2, 3, 2, 3, 2, 3, 2, 3}, 0b01010101});
  all.push_back({{2, 3, 2, 3, 2, 3, 2, 3}, 0b10101010});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Shapes, ReductionTest, testing::ValuesIn(Reductions()));

TEST(Sum, OfAMillionSmallNumbersIsAccurate) {
  Graph g;
  const Tensor sum = Fetch(g, Sum(Fill({1000, 1000}, Operand(Const(g, 0.1f)))));
  EXPECT_NEAR(sum.scalar<float>(), 1e5, 0.1);
}

}  // namespace
}  // namespace staticflow
