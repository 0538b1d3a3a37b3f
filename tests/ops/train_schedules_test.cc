// Learning rates, clipping and moving averages. Reference values: TensorFlow 2.21 (tf.compat.v1.train).
#include "graph/variable_scope.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/state.h"
#include "ops/train/clip.h"
#include "ops/train/gradient_descent.h"
#include "ops/train/learning_rate.h"
#include "ops/train/moving_average.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

struct Schedule {
  const char* name;
  Output (*rate)(Output step);
  Tensor want;  // at steps 0, 1, 5, 10, 17, 25
  friend void PrintTo(const Schedule& s, std::ostream* out) { *out << s.name; }
};
class SchedulesTest : public testing::TestWithParam<Schedule> {};
TEST_P(SchedulesTest, AsTensorFlow) {
  Graph g;
  const Variable step = GetOrCreateGlobalStep(g);
  const Output rate = GetParam().rate(step.ref());
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_EQ(rate.shape(), Shape());
  Session session(g);
  Tensor got = *Tensor::Create(DT_FLOAT, GetParam().want.shape());
  const int64_t steps[] = {0, 1, 5, 10, 17, 25};
  for (int i = 0; i < 6; ++i) got.data<float>()[i] = session.Run({{step.snapshot, steps[i]}}, rate)->scalar<float>();
  EXPECT_TRUE(TensorsNear(got, GetParam().want, 2e-6));
}
INSTANTIATE_TEST_SUITE_P(
    Train, SchedulesTest,
    testing::Values(
        Schedule{"Exponential", [](Output step) { return train::ExponentialDecay(0.1, step, 10, 0.5); },
                 T({0.1, 0.0933033, 0.07071068, 0.05, 0.030778611, 0.01767767})},
        Schedule{"ExponentialStaircase",
                 [](Output step) { return train::ExponentialDecay(0.1, step, 10, 0.5, {.staircase = true}); },
                 T({0.1, 0.1, 0.1, 0.05, 0.05, 0.025})},
        Schedule{"NaturalExp", [](Output step) { return train::NaturalExpDecay(0.1, step, 10, 0.5); },
                 T({0.1, 0.09512295, 0.07788008, 0.060653068, 0.042741492, 0.028650481})},
        Schedule{"NaturalExpStaircase",
                 [](Output step) { return train::NaturalExpDecay(0.1, step, 10, 0.5, {.staircase = true}); },
                 T({0.1, 0.1, 0.1, 0.060653068, 0.060653068, 0.036787946})},
        Schedule{"InverseTime", [](Output step) { return train::InverseTimeDecay(0.1, step, 10, 0.5); },
                 T({0.1, 0.095238104, 0.08, 0.06666667, 0.054054055, 0.044444446})},
        Schedule{"Piecewise",
                 [](Output step) {
                   return train::PiecewiseConstant(step, {5, 10}, {1, 0.5, 0.25});
                 },
                 T({1, 1, 1, 0.5, 0.25, 0.25})},
        Schedule{
            "Polynomial",
            [](Output step) { return train::PolynomialDecay(0.1, step, 10, {.end_learning_rate = 0.01, .power = 2}); },
            T({0.1, 0.082899995, 0.0325, 0.01, 0.01, 0.01})},
        Schedule{"PolynomialCycle",
                 [](Output step) {
                   return train::PolynomialDecay(0.1, step, 10, {.end_learning_rate = 0.01, .cycle = true});
                 },
                 T({0.1, 0.091, 0.055, 0.01, 0.0235, 0.025000002})},
        Schedule{"Cosine", [](Output step) { return train::CosineDecay(0.1, step, 20, {.alpha = 0.1}); },
                 T({0.1, 0.09944598, 0.08681981, 0.054999996, 0.014904703, 0.010000001})},
        Schedule{"Restarts",
                 [](Output step) { return train::CosineDecayRestarts(0.1, step, 4, {.m_mul = 0.5, .alpha = 0.1}); },
                 T({0.1, 0.08681981, 0.053287294, 0.016590098, 0.027500166, 0.011895967})},
        Schedule{"EqualRestarts", [](Output step) { return train::CosineDecayRestarts(0.1, step, 4, {.t_mul = 1}); },
                 T({0.1, 0.08535534, 0.08535534, 0.049999997, 0.08535534, 0.08535534})},
        Schedule{"Warmup", [](Output step) { return train::LinearWarmup(0.1, step, 10); },
                 T({0, 0.01, 0.05, 0.1, 0.1, 0.1})}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(PiecewiseConstant, BoundariesMustIncrease) {
  Graph g;
  train::PiecewiseConstant(GetOrCreateGlobalStep(g).ref(), {5, 5}, {1, 2, 3});
  EXPECT_EQ(g.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Clip, AsTensorFlow) {
  Graph g;
  const Output a = Const(g, M({{3, -4}, {0, 12}})), b = Const(g, T({2, 1}));
  const std::vector<Output> clipped = train::ClipByGlobalNorm({{a, Output(), b}}, 5.0);
  ASSERT_EQ(clipped.size(), 3u);
  EXPECT_FALSE(clipped[1].valid());
  const std::vector<std::pair<Output, Tensor>> table = {
      {train::ClipByNorm(a, 6.5), M({{1.5, -2}, {0, 6}})},
      {train::ClipByNorm(a, 20), M({{3, -4}, {0, 12}})},
      {train::ClipByNorm(a, 6, {.axes = {1}}), M({{3, -4}, {0, 6}})},
      {train::ClipByAverageNorm(a, 2), M({{1.846154, -2.4615386}, {0, 7.384616}})},
      {train::GlobalNorm({{a, b}}), Tensor(13.190906f)},
      {clipped[0], M({{1.1371471, -1.5161961}, {0, 4.5485883}})},
      {clipped[2], T({0.75809807, 0.37904903})}};
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  for (const auto& [output, want] : table)
    EXPECT_TRUE(TensorsNear(*session.Run({}, output), want, 1e-6)) << output.name();
}

TEST(Clip, GradientsAndTheirRows) {
  Graph g;
  const Variable w = NewVariable(g, M({{3, 4}, {0, 0}}), {.name = "w"});
  const Output loss = Sum(Gather(w.snapshot, Const(g, T<int32_t>({0}))) * Const(g, T({6, 8})));
  train::GradientDescent optimizer(g, {.learning_rate = 1.0});
  std::vector<train::GradientAndVariable> gradients = optimizer.ComputeGradients(loss);
  const Output norm = train::ClipByGlobalNorm(gradients, 5.0);
  const Operation step = optimizer.ApplyGradients(gradients);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  EXPECT_TRUE(TensorsNear(*session.Run({}, norm), Tensor(10.0f), 1e-6));
  ASSERT_TRUE(session.Run({}, std::vector<Output>(), {step}).ok());
  EXPECT_TRUE(TensorsNear(*session.Run({}, w.snapshot), M({{0, 0}, {0, 0}}), 1e-6));
}

TEST(ExponentialMovingAverage, AsTensorFlow) {
  for (const bool use_resource : {false, true}) {
    for (const bool use_updates : {false, true}) {
      SCOPED_TRACE(testing::Message() << use_resource << use_updates);
      Graph g;
      const Variable w = NewVariable(g, T({1, 2}), {.name = "w", .use_resource = use_resource});
      const Variable n = GetOrCreateGlobalStep(g);
      train::ExponentialMovingAverage average(g, {.decay = 0.9, .num_updates = use_updates ? n.ref() : Output()});
      EXPECT_EQ(average.AverageName(w.ref()), "w/ExponentialMovingAverage");
      EXPECT_EQ(average.Average(w.ref()), nullptr);
      const Operation follow = average.Apply({w.ref()});
      const Output step = AssignAdd(w.ref(), Const(g, T({1, -1}))), count = AssignAdd(n.ref(), 1);
      ASSERT_TRUE(g.status().ok()) << g.status();
      EXPECT_EQ(average.Average(w.ref())->name(), "w/ExponentialMovingAverage");
      Session session(g);
      ASSERT_TRUE(session.Initialize().ok());
      for (int i = 0; i < 3; ++i) {
        for (const Operation& op : {Operation(step), Operation(count), follow}) {
          const absl::Status status = session.Run({}, std::vector<Output>(), {op}).status();
          ASSERT_TRUE(status.ok()) << status;
        }
      }
      EXPECT_TRUE(TensorsNear(*session.Run({}, average.Average(w.ref())->snapshot),
                              use_updates ? T({3.6013987, -0.6013986}) : T({1.5610001, 1.4389999}), 1e-6));
      const std::map<std::string, Output> restored = average.VariablesToRestore();
      EXPECT_EQ(restored.size(), 2u);
      EXPECT_TRUE(restored.contains("w/ExponentialMovingAverage"));
      EXPECT_TRUE(restored.contains("global_step"));
    }
  }
}

TEST(ExponentialMovingAverage, FollowsFloatingVariablesOnly) {
  Graph g;
  train::ExponentialMovingAverage average(g);
  EXPECT_FALSE(average.Apply({GetOrCreateGlobalStep(g).ref()}).valid());
  EXPECT_EQ(g.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace staticflow
