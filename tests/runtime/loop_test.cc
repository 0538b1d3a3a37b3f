#include <chrono>
#include <thread>

#include "graph/node_builder.h"
#include "gtest/gtest.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/control_flow_while.h"
#include "ops/math.h"
#include "runtime/session.h"

namespace staticflow {
namespace {

std::string Show(const absl::StatusOr<Tensor>& result) {
  return result.ok() ? result->ToString() : std::string(result.status().message());
}

// A loop in its v1 form over one carried value: while condition(v): v = body(v).
struct Loop {
  Graph& g;
  std::string frame = "loop";

  Output Enter(Output x, bool is_constant = false) {
    return NodeBuilder("Enter", {x}).Attr("frame_name", frame).Attr("is_constant", is_constant).Build();
  }
  template <typename Condition, typename Body>
  Output Build(Output initial, Condition condition, Body body) {
    const Output enter = Enter(initial);
    absl::StatusOr<Node*> merge = g.AddNodeWithBackEdge({.name = g.UniqueName("Merge"),
                                                         .op = FindOp("Merge"),
                                                         .inputs = {enter, Output()},
                                                         .attrs = {{"N", 2}, {"T", initial.dtype()}}},
                                                        {1}, {initial.dtype()});
    if (!merge.ok()) {
      g.RecordError(merge.status());
      return Output();
    }
    const Output carried = (*merge)->output(0);
    const Output go_on = NodeBuilder("LoopCond", {condition(carried)}).Build();
    const SwitchOutputs branches = Switch(carried, go_on);
    const Output next = NodeBuilder("NextIteration", {body(Identity(branches.output_true))}).Build();
    g.RecordError((*merge)->ReplaceInput(1, next));
    return NodeBuilder("Exit", {branches.output_false}).Build();
  }
};

TEST(LoopTest, RunsUntilItsConditionFails) {
  Graph g;
  Output start = Placeholder(g, {.dtype = DT_INT32, .shape = {}, .name = "start"});
  Output end = Loop{g}.Build(
      start, [](Output v) { return Less(v, 100); }, [](Output v) { return v * 2; });
  Output after = end + 1;
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(Show(session.Run({{start, 3}}, after)), "int32[]{193}");
  EXPECT_EQ(Show(session.Run({{start, 500}}, after)), "int32[]{501}");
}

TEST(LoopTest, WhatComesFromOutsideLivesThroughAllIterations) {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1}, .name = "x"});
  Loop loop{g};
  Output step = loop.Enter(Exp(x), true);
  Output end = loop.Build(
      ZerosLike(x), [](Output v) { return Less(Sum(v), 10.0); }, [&](Output v) { return v + step; });
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(Show(session.Run({{x, Tensor::Vector<float>({0, 0})}}, end)), "float[2]{5, 5}");
}

TEST(LoopTest, ShapesMayChange) {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1}, .name = "x"});
  Output end = Loop{g}.Build(
      x, [](Output v) { return Less(SizeOf(v), 5); },
      [](Output v) {
        return Concat(std::vector<Output>{v, v}, 0);
      });
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(Show(session.Run({{x, Tensor::Vector<float>({1, 2})}}, end)), "float[8]{1, 2, 1, 2, 1, 2, 1, 2}");
}

TEST(LoopTest, LoopsNest) {
  Graph g;
  Output start = Placeholder(g, {.dtype = DT_INT32, .shape = {}, .name = "start"});
  Output end = Loop{g, "outer"}.Build(
      start, [](Output v) { return Less(v, 100); },
      [&](Output v) {
        return Loop{g, "inner"}.Build(
                   v, [](Output w) { return NotEqual(Mod(w, 7), 0); }, [](Output w) { return w + 1; }) +
               1;
      });
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(Show(session.Run({{start, 1}}, end)), "int32[]{106}");
}

TEST(LoopTest, ValuesChangePlaces) {
  Graph g;
  const Output n = Placeholder(g, {.dtype = DT_INT32, .shape = {}, .name = "n"});
  const LoopVariables end = While([&](const LoopVariables& v) { return Less(v[0], n); },
                                  [](const LoopVariables& v) {
                                    return LoopVariables{v[0] + 1, v[2], v[3], v[1], v[4] + v[1]};
                                  },
                                  {Const(g, 0), Const(g, 1.0f), Const(g, 2.0f), Const(g, 3.0f), Const(g, 0.0f)});
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  const auto show = [&](int count) {
    const auto got = session.Run({{n, count}}, {end[1], end[2], end[3], end[4]});
    if (!got.ok()) return std::string(got.status().message());
    std::string text;
    for (const Tensor& value : *got) text += std::to_string(static_cast<int>(value.scalar<float>())) + " ";
    return text;
  };
  EXPECT_EQ(show(0), "1 2 3 0 ");
  EXPECT_EQ(show(1), "2 3 1 1 ");
  EXPECT_EQ(show(5), "3 1 2 9 ");
}

TEST(LoopTest, OnlyWhatChangesItsShapeHasItAtRunTime) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {2}, .name = "x"});
  const LoopVariables end = While([](const LoopVariables& v) { return Less(v[0], 3); },
                                  [](const LoopVariables& v) {
                                    return LoopVariables{v[0] + 1, Concat({{v[1], v[2]}}, 0), v[2] * 2.0f};
                                  },
                                  {Const(g, 0), x, x}, {.shape_invariants = {Shape(), Shape({-1}), Shape({2})}});
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(Show(session.Run({{x, Tensor::Vector<float>({1, 2})}}, end[1])), "float[8]{1, 2, 1, 2, 2, 4, 4, 8}");
  EXPECT_EQ(Show(session.Run({{x, Tensor::Vector<float>({1, 2})}}, end[2])), "float[2]{8, 16}");
}

TEST(LoopTest, ABodyThatDoesNotFitTheFirstShapesNeedNotRun) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1}, .name = "x"});
  const Output end = While([](Output v) { return Less(SizeOf(v), 4); }, [](Output v) { return Reshape(v, {2}) * 3.0f; },
                           {x}, {.shape_invariants = {Shape({-1})}})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(Show(session.Run({{x, Tensor::Vector<float>({1, 2, 3, 4})}}, end)), "float[4]{1, 2, 3, 4}");
  EXPECT_NE(Show(session.Run({{x, Tensor::Vector<float>({1, 2, 3})}}, end)).find("Reshape"), std::string::npos);
}

TEST(LoopTest, AnEndlessLoopCanBeCancelled) {
  Graph g;
  Output end = Loop{g}.Build(
      Const(g, Tensor(0)), [](Output i) { return GreaterEqual(i, 0); }, [](Output i) { return i * 1; });
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  CancellationToken token;
  std::thread other([&token] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    token.Cancel();
  });
  EXPECT_EQ(session.Run({}, {end}, {}, {.cancellation = &token}).status().code(), absl::StatusCode::kCancelled);
  other.join();
}

TEST(LoopTest, AnEndlessLoopEndsAtItsTimeLimit) {
  Graph g;
  const Output end = Loop{g}.Build(
      Const(g, Tensor(0)), [](Output i) { return GreaterEqual(i, 0); }, [](Output i) { return i * 1; });
  const Output short_way = Loop{g}.Build(
      Const(g, Tensor(0)), [](Output i) { return Less(i, 3); }, [](Output i) { return i + 1; });
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  CancellationToken token;
  for (const CancellationToken* cancellation :
       {static_cast<const CancellationToken*>(nullptr), static_cast<const CancellationToken*>(&token)}) {
    const RunOptions options{.cancellation = cancellation, .timeout_in_ms = 20};
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(session.Run({}, {end}, {}, options).status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(20));
  }
  for (int64_t timeout : {int64_t{0}, int64_t{-1}, int64_t{60'000}, std::numeric_limits<int64_t>::max()}) {
    const absl::StatusOr<std::vector<Tensor>> result = session.Run({}, {short_way}, {}, {.timeout_in_ms = timeout});
    EXPECT_TRUE(result.ok()) << timeout << ": " << result.status();
  }
}

}  // namespace
}  // namespace staticflow
