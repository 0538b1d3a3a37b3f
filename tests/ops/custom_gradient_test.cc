#include "ops/custom_gradient.h"

#include <gmock/gmock.h>

#include <cmath>

#include "graph/gradients.h"
#include "graph/graph_def.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using testing::HasSubstr;

// log(1 + e^x), whose gradient does not overflow.
Output Log1pExp(Output x) {
  const Output e = Exp(x);
  return WithGradient(Log(1 + e), x, [=](Output dy) { return dy * (1 - 1 / (1 + e)); });
}

TEST(WithGradient, ReplacesTheGradientAndIsDifferentiatedItself) {
  Graph g;
  const Output x = Placeholder(g, {.shape = {2}, .name = "x"});
  const Output y = Log1pExp(x);
  const Output dx = Gradients({y}, {x})[0];
  const Output second = Gradients({dx}, {x})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  const auto got = session.Run({{x, T({1, 100})}}, {y, dx, second});
  ASSERT_TRUE(got.ok()) << got.status();
  const float e = std::exp(1.0f);
  EXPECT_NEAR((*got)[0].data<float>()[0], std::log(1 + e), 1e-6);
  EXPECT_NEAR((*got)[1].data<float>()[0], 1 - 1 / (1 + e), 1e-6);
  EXPECT_EQ((*got)[1].data<float>()[1], 1) << "the op's own is not a number";
  EXPECT_NEAR((*got)[2].data<float>()[0], e / ((1 + e) * (1 + e)), 1e-6);
}

TEST(WithGradient, WorksWithinABranch) {
  Graph g;
  const Output x = Placeholder(g, {.shape = {}, .name = "x"}), p = Placeholder(g, {.dtype = DT_BOOL, .shape = {}});
  const Output y = Cond(
      p, [&] { return Log1pExp(x * 2); }, [&] { return x * 3; });
  const Output dx = Gradients({y}, {x})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  EXPECT_EQ(session.Run({{x, 100.0f}, {p, true}}, dx)->scalar<float>(), 2);
  EXPECT_EQ(session.Run({{x, 100.0f}, {p, false}}, dx)->scalar<float>(), 3);
}

TEST(WithGradient, TakesZerosWhereNoGradientFlows) {
  Graph g;
  const Output a = Placeholder(g, {.shape = {}, .name = "a"}), b = Placeholder(g, {.shape = {}, .name = "b"});
  int calls = 0;
  const std::vector<Output> y = WithGradient(std::vector<Output>{a * b, a + b, ArgMax(Reshape(a, {1}), 0)},
                                             std::vector<Output>{a, b}, [&](absl::Span<const Output> dy) {
                                               ++calls;
                                               EXPECT_EQ(dy.size(), 3u);
                                               EXPECT_FALSE(dy[2].valid()) << "an integer has no gradient";
                                               return std::vector<Output>{dy[0] * 10 + dy[1], Output()};
                                             });
  const std::vector<Output> dx = Gradients({y[0]}, {a, b});
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(dx[1].valid());
  Session session(g, {.threads = 1});
  const auto got = session.Run({{a, 2.0f}, {b, 3.0f}}, {y[0], y[1], dx[0]});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ((*got)[0].scalar<float>(), 6);
  EXPECT_EQ((*got)[1].scalar<float>(), 5);
  EXPECT_EQ((*got)[2].scalar<float>(), 10);
}

TEST(WithGradient, IsAnErrorInACopyThatLacksIt) {
  Graph g, copy;
  const Output x = Placeholder(g, {.shape = {}, .name = "x"});
  const Output y = Log1pExp(x);
  ASSERT_TRUE(ImportGraphDef(*GraphDefBytes(g), copy).ok());
  EXPECT_FALSE(Gradients({*copy.FindOutput(y.name())}, {*copy.FindOutput("x")})[0].valid());
  EXPECT_EQ(copy.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(copy.status().message(), HasSubstr("IdentityN 'IdentityN'"));
  EXPECT_THAT(copy.status().message(), HasSubstr("'CustomGradient-IdentityN', which is not registered"));
}

TEST(WithGradient, ChecksWhatTheGradientFunctionGives) {
  struct Row {
    std::vector<Output> (*gradient)(Output dy);
    const char* error;
  };
  const Row rows[] = {
      {[](Output) { return std::vector<Output>{}; }, "gives 1 gradients for 2 inputs"},
      {[](Output dy) {
         return std::vector<Output>{dy, dy};
       },
       "gives 3 gradients for 2 inputs"},
      {[](Output dy) { return std::vector<Output>{Cast(dy, DT_DOUBLE)}; }, "by input 1 is double"},
      {[](Output dy) {
         return std::vector<Output>{Reshape(dy, {1, 2})};
       },
       "is float[1,2], the input is float[2]"},
  };
  for (const Row& row : rows) {
    Graph g;
    const Output x = Placeholder(g, {.shape = {2}, .name = "x"});
    const Output y = WithGradient(std::vector<Output>{Neg(x)}, std::vector<Output>{x},
                                  [&](absl::Span<const Output> dy) { return row.gradient(dy[0]); })[0];
    EXPECT_FALSE(Gradients({y}, {x})[0].valid());
    EXPECT_EQ(g.status().code(), absl::StatusCode::kUnimplemented);
    EXPECT_THAT(g.status().message(), HasSubstr(row.error));
  }
}

TEST(SetCustomGradient, TakesThePlaceOfTheOpsGradient) {
  Graph g;
  const Output x = Placeholder(g, {.shape = {3}, .name = "x"});
  const Output y = Sign(x);
  // The straight-through estimator.
  g.SetCustomGradient(*y.node(), [](absl::Span<const Output> dy) { return std::vector<Output>{dy[0]}; });
  const Output dx = Gradients({y * 5}, {x})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  const auto got = session.Run({{x, T({-1, 0, 2})}}, dx);
  EXPECT_TRUE(TensorsNear(*got, T({5, 5, 5}), 0));
}

// What gradient_override_map leaves in a file.
TEST(GradientOpType, NamesTheOpWhoseGradientCounts) {
  struct Row {
    const char* type;
    const char* error;  // null: the gradient is that of the op
  };
  const Row rows[] = {{"Identity", nullptr},
                      {"GuidedRelu", "'GuidedRelu', which is not registered"},
                      {"Conv2D", "'Conv2D', which is an op of another signature"},
                      {"Add", "'Add', which is an op of another signature"}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.type);
    Graph g;
    const Output x = Placeholder(g, {.shape = {2}, .name = "x"});
    const Output y = Relu(x);
    y.node()->SetExtraAttr("_gradient_op_type", row.type);
    const Output dx = Gradients({y}, {x})[0];
    if (row.error != nullptr) {
      EXPECT_EQ(g.status().code(), absl::StatusCode::kUnimplemented);
      EXPECT_THAT(g.status().message(), HasSubstr(row.error));
      continue;
    }
    ASSERT_TRUE(g.status().ok()) << g.status();
    Session session(g, {.threads = 1});
    EXPECT_TRUE(TensorsNear(*session.Run({{x, T({-1, 2})}}, dx), T({1, 1}), 0));
  }
}

}  // namespace
}  // namespace staticflow
