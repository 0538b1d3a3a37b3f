// Conditional accumulators through their builders. What they compute, step by step, is compared with TensorFlow in
// tests/golden/state/accumulator_*.
#include "ops/accumulator.h"

#include <gtest/gtest.h>

#include "ops/array.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr absl::StatusCode kWaits = absl::StatusCode::kFailedPrecondition,
                           kInvalid = absl::StatusCode::kInvalidArgument;

Output Int64(Graph& g, int64_t value) { return Const(g, Tensor(value)); }

TEST(ConditionalAccumulator, GivesTheMeanOnceThereAreEnough) {
  Graph g;
  for (const bool is_resource : {false, true}) {
    const AccumulatorOptions options = {.shape = {2}, .shared_name = is_resource ? "resource" : "reference"};
    const Output sum = is_resource ? ResourceConditionalAccumulator(g, options) : ConditionalAccumulator(g, options);
    const Operation give = AccumulatorApplyGradient(sum, Int64(g, 0), Const(g, T({1, 2})));
    const Operation more = AccumulatorApplyGradient(sum, Int64(g, 0), Const(g, T({4, 3})));
    const Output mean = AccumulatorTakeGradient(sum, 2, DT_FLOAT), count = AccumulatorNumAccumulated(sum);
    const Operation later = AccumulatorSetGlobalStep(sum, Int64(g, 9));
    ASSERT_TRUE(g.status().ok()) << g.status();
    Session session(g, {.threads = 1});
    ASSERT_TRUE(session.Run({}, {}, {give}).ok());
    EXPECT_EQ(session.Run({}, mean).status().code(), kWaits);
    ASSERT_TRUE(session.Run({}, {}, {more}).ok());
    EXPECT_EQ(session.Run({}, count)->scalar<int32_t>(), 2);
    const absl::StatusOr<Tensor> got = session.Run({}, mean);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(TensorsNear(*got, T({2.5, 2.5}), 0));
    ASSERT_TRUE(session.Run({}, {}, {later}).ok());
    ASSERT_TRUE(session.Run({}, {}, {give}).ok()) << "a stale gradient is no mistake";
    EXPECT_EQ(session.Run({}, count)->scalar<int32_t>(), 0);
  }
}

TEST(SparseConditionalAccumulator, GivesTheMeanOfEachSlice) {
  Graph g;
  const Output sum = SparseConditionalAccumulator(g, {.shape = {4, 1}});
  const auto slices = [&](std::initializer_list<int64_t> indices, Tensor values) {
    return AccumulatedSlices{Const(g, T<int64_t>(indices)), Const(g, values), Const(g, T<int64_t>({4, 1}))};
  };
  const Operation give = SparseAccumulatorApplyGradient(sum, Int64(g, 0), slices({0, 2}, M({{1}, {2}})));
  const Operation more = SparseAccumulatorApplyGradient(sum, Int64(g, 0), slices({2, 3}, M({{4}, {5}})));
  const Operation outside = SparseAccumulatorApplyGradient(sum, Int64(g, 0), slices({-1}, M({{4}})));
  const AccumulatedSlices mean = SparseAccumulatorTakeGradient(sum, 2, DT_FLOAT);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  EXPECT_EQ(session.Run({}, {}, {outside}).status().code(), kInvalid);
  ASSERT_TRUE(session.Run({}, {}, {give}).ok());
  ASSERT_TRUE(session.Run({}, {}, {more}).ok());
  const auto got = session.Run({}, {mean.indices, mean.values, mean.shape});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(TensorsNear((*got)[0], T<int64_t>({0, 2, 3}), 0));
  EXPECT_TRUE(TensorsNear((*got)[1], M({{1}, {3}, {5}}), 0));
  EXPECT_TRUE(TensorsNear((*got)[2], T<int64_t>({4, 1}), 0));
}

TEST(ConditionalAccumulator, TakesOnlyItsOwnKind) {
  Graph g;
  const AccumulatorOptions options = {.shape = {2}, .shared_name = "a"};
  const Output sum = ConditionalAccumulator(g, options);
  AccumulatorOptions summing = options;
  summing.reduction_type = "SUM";
  const Output others[] = {AccumulatorNumAccumulated(ConditionalAccumulator(g, summing)),
                           AccumulatorNumAccumulated(SparseConditionalAccumulator(g, options)),
                           AccumulatorTakeGradient(sum, 1, DT_DOUBLE),
                           SparseAccumulatorTakeGradient(sum, 1, DT_FLOAT).values};
  const Operation wrong = AccumulatorApplyGradient(sum, Int64(g, 0), Const(g, T<double>({1, 2})));
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Run({}, AccumulatorNumAccumulated(sum)).ok());
  EXPECT_EQ(session.Run({}, {}, {wrong}).status().code(), kInvalid);
  for (Output other : others) EXPECT_EQ(session.Run({}, other).status().code(), kInvalid) << other.name();
}

}  // namespace
}  // namespace staticflow
