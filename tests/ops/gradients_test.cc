#include "graph/gradients.h"

#include "gtest/gtest.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/state.h"
#include "runtime/session.h"

namespace staticflow {
namespace {

Output Float(Graph& g, absl::string_view name, const Shape& shape = {}) {
  return Placeholder(g, {.dtype = DT_FLOAT, .shape = shape, .name = std::string(name)});
}

std::string Show(const absl::StatusOr<Tensor>& result) {
  return result.ok() ? result->ToString() : std::string(result.status().message());
}

bool Mentions(const absl::Status& status, absl::string_view text) {
  return std::string(status.message()).find(std::string(text)) != std::string::npos;
}

TEST(GradientsTest, AllUsesAddUp) {
  Graph g;
  Output x = Float(g, "x");
  Output y = x * x + x * 3.0;
  Output dx = Gradients({y}, {x})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(Show(session.Run({{x, 5.0f}}, dx)), "float[]{13}");
}

TEST(GradientsTest, AVariableUsedTwiceGetsOneSum) {
  Graph g;
  Variable v = NewVariable(g, Tensor(3.0f), {.name = "v"});
  Output y = v.snapshot * v.snapshot;
  std::vector<Output> d = Gradients({y}, {v.ref(), v.snapshot});
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  EXPECT_EQ(Show(session.Run({}, d[0])), "float[]{6}");
  EXPECT_EQ(Show(session.Run({}, d[1])), "float[]{6}");
}

TEST(GradientsTest, SeveralYsAddUpWithTheirWeights) {
  Graph g;
  Output x = Float(g, "x");
  Output a = x * 2.0, b = x * x;
  Output dx = Gradients({a, b}, {x}, {.grad_ys = {Const(g, Tensor(10.0f)), Output()}})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(Show(session.Run({{x, 3.0f}}, dx)), "float[]{26}");
}

TEST(GradientsTest, TheSecondOrder) {
  Graph g;
  Output x = Float(g, "x");
  Output y = x * x * x;
  Output dx = Gradients({y}, {x})[0];
  Output ddx = Gradients({dx}, {x})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(Show(session.Run({{x, 2.0f}}, dx)), "float[]{12}");
  EXPECT_EQ(Show(session.Run({{x, 2.0f}}, ddx)), "float[]{12}");
}

TEST(GradientsTest, WhatIsNotConnectedGetsNothingOrZeros) {
  Graph g;
  Output x = Float(g, "x"), z = Float(g, "z", {2});
  Output y = x * 2.0;
  EXPECT_FALSE(Gradients({y}, {z})[0].valid());
  Output zeros = Gradients({y}, {z}, {.unconnected = Unconnected::kZero})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(Show(session.Run({{z, Tensor::Vector<float>({1, 2})}}, zeros)), "float[2]{0, 0}");
}

TEST(GradientsTest, StopsWhereItIsTold) {
  Graph g;
  Output x = Float(g, "x");
  Output held = x * 2.0;
  Output y = held * x;
  Output stopped = Gradients({y}, {x}, {.stop_gradients = {held}})[0];
  Output through_op = Gradients({StopGradient(held) * x}, {x})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(Show(session.Run({{x, 5.0f}}, stopped)), "float[]{10}");
  EXPECT_EQ(Show(session.Run({{x, 5.0f}}, through_op)), "float[]{10}");
}

TEST(GradientsTest, IntegersStopTheGradientSilently) {
  Graph g;
  Output x = Float(g, "x", {3});
  Output y = Cast(ArgMax(x, 0), DT_FLOAT) * 2.0;
  EXPECT_FALSE(Gradients({y}, {x})[0].valid());
  EXPECT_TRUE(g.status().ok()) << g.status();
}

TEST(GradientsTest, StaticShapesThatAgreeNeedNoReduction) {
  Graph g;
  Output a = Float(g, "a", {2, 3}), b = Float(g, "b", {2, 3});
  const int before = g.num_nodes();
  Gradients({a + b}, {a, b});
  for (int i = before; i < g.num_nodes(); ++i) {
    EXPECT_NE(g.nodes()[i]->type(), "Sum");
    EXPECT_NE(g.nodes()[i]->type(), "Reshape");
  }
}

TEST(GradientsTest, ErrorsNameEveryOpAndThePath) {
  Graph g;
  Output x = Float(g, "x");
  Output a = PreventGradient(x, {.name = "first"});
  Output b = PreventGradient(x * 2.0, {.name = "second"});
  Output y = Add(a, b, {.name = "y"});
  EXPECT_FALSE(Gradients({y}, {x})[0].valid());
  EXPECT_EQ(g.status().code(), absl::StatusCode::kUnimplemented);
  for (const char* text : {"'first'", "'second'", "first -> y", "second -> y", "gradients_test.cc"}) {
    EXPECT_TRUE(Mentions(g.status(), text)) << text << " in " << g.status();
  }
}

TEST(GradientsTest, BadSeedsAreErrors) {
  {
    Graph g;
    Output x = Float(g, "x", {2});
    Gradients({x * 2.0}, {x}, {.grad_ys = {Const(g, Tensor::Vector<float>({1, 2, 3}))}});
    EXPECT_TRUE(Mentions(g.status(), "grad_ys[0] is float[3]")) << g.status();
  }
  {
    Graph g;
    Output n = Placeholder(g, {.dtype = DT_INT32, .name = "n"});
    Gradients({n}, {n});
    EXPECT_TRUE(Mentions(g.status(), "expected a floating type")) << g.status();
  }
}

}  // namespace
}  // namespace staticflow
