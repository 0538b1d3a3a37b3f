// Steps of odd shapes: batches and widths that fill no vector, no strip and no chunk, some of a single row or column.
// All passes together change no result beyond rounding, and two workers give the bits of one.
#include <array>
#include <iterator>

#include "gtest/gtest.h"
#include "tests/runtime/perceptron.h"
#include "tests/runtime/plan_runner.h"
#include "tests/runtime/worker_access.h"

namespace staticflow {
namespace {

constexpr int64_t kBatches[] = {1, 3, 7, 37, 1023};
constexpr int64_t kWidths[] = {1, 3, 17, 33, 77, 333};
constexpr std::array<const char*, 3> kActivations = {"relu", "sigmoid", "tanh"};
constexpr std::array<const char*, 3> kOptimizers = {"sgd", "momentum", "adam"};

// Three perceptrons for each pair of a batch and a width; depth, activation, optimizer and batch normalization go
// round.
std::vector<PerceptronSpec> Networks() {
  std::vector<PerceptronSpec> networks;
  for (int i = 0; i < 3 * std::ssize(kBatches) * std::ssize(kWidths); ++i) {
    const int64_t batch = kBatches[i % std::ssize(kBatches)];
    const int64_t width = kWidths[i / std::ssize(kBatches) % std::ssize(kWidths)];
    PerceptronSpec spec{.widths = {21}, .batch = batch};
    spec.activation = kActivations[i / 2 % 3];
    spec.optimizer = kOptimizers[i / 7 % 3];
    spec.batch_norm = i / 3 % 2 == 1;
    for (int hidden = i % 4; hidden > 0; --hidden) spec.widths.push_back(hidden % 2 == 1 ? width : 35);
    spec.widths.push_back(i % 4 == 0 ? width : 5);
    networks.push_back(spec);
  }
  return networks;
}

TEST(OddShapesTest, PassesAndWorkersChangeNothing) {
  int divided = 0;
  for (const PerceptronSpec& spec : Networks()) {
    SCOPED_TRACE(NameOf(spec));
    TestGraph t;
    BuildPerceptron(spec, &t);
    ASSERT_TRUE(t.graph.status().ok()) << t.graph.status();
    const Outcome plain = RunPlanned(t, {.passes = "-all", .steps = 3});
    ASSERT_TRUE(plain.status.ok()) << plain.status;
    ASSERT_TRUE(std::isfinite(plain.fetches[0].scalar<float>()));
    for (bool always : {false, true}) {
      const Outcome one = RunPlanned(t, {.steps = 3, .always = always});
      const Outcome two = RunPlanned(t, {.workers = 2, .steps = 3, .always = always});
      EXPECT_LT(Difference(plain, one), 5e-4) << one.status << one.text;
      EXPECT_EQ(Difference(one, two), 0) << two.status << two.text;
      divided += two.workers == 2;
    }
  }
  EXPECT_GT(divided, 10);
}

// Inference on rows of which the last chunk is short, and products of which no dimension fills a vector.
TEST(OddShapesTest, Products) {
  for (int64_t m : {1, 7, 37, 1023}) {
    for (int64_t k : {1, 17, 333}) {
      for (int64_t n : {1, 33, 77}) {
        SCOPED_TRACE(absl::StrCat(m, "x", k, "x", n));
        TestGraph t;
        const Output y = Relu(MatMul(t.Random({m, k}, 1), t.Random({k, n}, 2)) + t.Random({n}, 3));
        t.Fetch(y);
        t.Fetch(MatMul(y, t.Random({m, 3}, 4), {.transpose_a = true}));
        t.Fetch(MatMul(t.Random({5, n}, 5), y, {.transpose_b = true}));
        const Outcome plain = RunPlanned(t, {.passes = "-all"}), one = RunPlanned(t, {}),
                      two = RunPlanned(t, {.workers = 2});
        ASSERT_TRUE(plain.status.ok()) << plain.status;
        EXPECT_LT(Difference(plain, one), 1e-5) << one.status << one.text;
        EXPECT_EQ(Difference(one, two), 0) << two.status << two.text;
      }
    }
  }
}

}  // namespace
}  // namespace staticflow
