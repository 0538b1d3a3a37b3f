// While loops: what they give, how they nest, what they refuse.
#include "ops/control_flow_while.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <thread>
#include <tuple>

#include "graph/control_flow.h"
#include "graph/graph_def.h"
#include "graph/meta_graph.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/state.h"
#include "ops/tensor_array.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// What the loops below are built from: n iterations over x.
struct Inputs {
  explicit Inputs(Graph& g)
      : graph(g),
        n(Placeholder(g, {.dtype = DT_INT32, .shape = {}, .name = "n"})),
        x(Placeholder(g, {.dtype = DT_FLOAT, .shape = {}, .name = "x"})),
        zero(Const(g, 0)) {}
  Graph& graph;
  Output n, x, zero;
};

std::string RowName(const char* row) {
  std::string name = row;
  for (char& c : name) c = c == ' ' ? '_' : c;
  return name;
}

// A loop of n iterations over a float.
struct LoopCase {
  const char* name;
  std::function<Output(const Inputs& in)> build;
  std::function<float(int n, float x)> want;
};

class Loops : public testing::TestWithParam<LoopCase> {};

// x^n in a loop of its own.
Output Power(const Inputs& in, Output n, Output x) {
  return While([&](Output i, Output) { return Less(i, n); },
               [&](Output i, Output y) {
                 return LoopVariables{i + 1, y * x};
               },
               {in.zero, OnesLike(x)})[1];
}

TEST_P(Loops, GiveTheirValue) {
  Graph g;
  const Inputs in(g);
  const Output y = GetParam().build(in);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Graph copy;
  ASSERT_TRUE(ImportGraphDef(*GraphDefBytes(g), copy).ok());
  for (Graph* graph : {&g, &copy}) {
    Session session(*graph);
    const Output n = *graph->FindOutput("n"), x = *graph->FindOutput("x");
    for (int count : {0, 1, 2, 5}) {
      const auto got = session.Run({{n, count}, {x, 1.5f}}, *graph->FindOutput(y.name()));
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_FLOAT_EQ(got->scalar<float>(), GetParam().want(count, 1.5f)) << count;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Loops,
    testing::Values(
        LoopCase{"power", [](const Inputs& in) { return Power(in, in.n, in.x); },
                 [](int n, float x) { return std::pow(x, n); }},
        LoopCase{"a vector of variables",
                 [](const Inputs& in) {
                   return While([&](const LoopVariables& v) { return Less(v[0], in.n); },
                                [&](const LoopVariables& v) {
                                  return LoopVariables{v[0] + 1, v[2], v[1] + in.x};
                                },
                                {in.zero, in.x, in.x * 10})[1];
                 },
                 [](int n, float x) {
                   float a = x, b = 10 * x;
                   for (int i = 0; i < n; ++i) std::tie(a, b) = std::make_pair(b, a + x);
                   return a;
                 }},
        LoopCase{"one variable",
                 [](const Inputs& in) {
                   return While([&](Output y) { return Less(y, Cast(in.n, DT_FLOAT)); },
                                [&](Output y) { return y + in.x; }, {in.x})[0];
                 },
                 [](int n, float x) {
                   while (x < n) x += 1.5f;
                   return x;
                 }},
        LoopCase{"nested",
                 [](const Inputs& in) {
                   return While([&](Output i, Output) { return Less(i, in.n); },
                                [&](Output i, Output sum) {
                                  return LoopVariables{i + 1, sum + Power(in, i, in.x) * Power(in, in.n, sum)};
                                },
                                {in.zero, in.x})[1];
                 },
                 [](int n, float x) {
                   float sum = x;
                   for (int i = 0; i < n; ++i) sum += std::pow(x, i) * std::pow(sum, n);
                   return sum;
                 }},
        LoopCase{"cond inside",
                 [](const Inputs& in) {
                   return While([&](Output i, Output) { return Less(i, in.n); },
                                [&](Output i, Output y) {
                                  return LoopVariables{
                                      i + 1, Cond(
                                                 Less(i, 2), [&] { return y * in.x; }, [&] { return y - in.x; })};
                                },
                                {in.zero, in.x})[1];
                 },
                 [](int n, float x) {
                   float y = x;
                   for (int i = 0; i < n; ++i) y = i < 2 ? y * x : y - x;
                   return y;
                 }},
        LoopCase{"inside a cond",
                 [](const Inputs& in) {
                   return Cond(
                       Less(in.n, 3), [&] { return Power(in, in.n, in.x); },
                       [&] {
                         return While([&](Output i, Output) { return Less(i, 2); },
                                      [&](Output i, Output y) {
                                        return LoopVariables{i + 1, y + in.x};
                                      },
                                      {Const(in.graph, 0), Const(in.graph, 7.0f)})[1];
                       });
                 },
                 [](int n, float x) { return n < 3 ? std::pow(x, n) : 7 + 2 * x; }},
        LoopCase{"a loop in a cond in a loop",
                 [](const Inputs& in) {
                   return While([&](Output i, Output) { return Less(i, in.n); },
                                [&](Output i, Output y) {
                                  return LoopVariables{i + 1, Cond(
                                                                  Less(i, 2), [&] { return Power(in, i, in.x) + y; },
                                                                  [&] { return y; })};
                                },
                                {in.zero, in.x})[1];
                 },
                 [](int n, float x) { return n == 0   ? x
                                             : n == 1 ? x + 1
                                                      : x + 1 + x; }},
        LoopCase{"maximum iterations",
                 [](const Inputs& in) {
                   return While([&](Output) { return Const(in.graph, true); }, [&](Output y) { return y * in.x; },
                                {in.x}, {.maximum_iterations = in.n})[0];
                 },
                 [](int n, float x) { return std::pow(x, n + 1); }},
        LoopCase{"an array",
                 [](const Inputs& in) {
                   const TensorArray powers = TensorArray::Create(in.graph, DT_FLOAT, in.n + 1);
                   const LoopVariables end =
                       While([&](Output i, Output, Output) { return LessEqual(i, in.n); },
                             [&](Output i, Output y, Output flow) {
                               return LoopVariables{i + 1, y * in.x, powers.WithFlow(flow).Write(i, y).flow()};
                             },
                             {in.zero, in.x, powers.flow()});
                   return Sum(powers.WithFlow(end[2]).Stack(), {0});
                 },
                 [](int n, float x) {
                   float sum = 0;
                   for (int i = 0; i <= n; ++i) sum += std::pow(x, i + 1);
                   return sum;
                 }},
        LoopCase{"a shape that grows",
                 [](const Inputs& in) {
                   const Output row = Reshape(in.x, {1});
                   return Sum(While([&](Output i, Output) { return Less(i, in.n); },
                                    [&](Output i, Output y) {
                                      return LoopVariables{i + 1, Concat({{y, row}}, 0)};
                                    },
                                    {in.zero, row}, {.shape_invariants = {Shape(), Shape({-1})}})[1],
                              {0});
                 },
                 [](int n, float x) { return (n + 1) * x; }},
        LoopCase{"a variable assigned inside",
                 [](const Inputs& in) {
                   const Variable v = GetVariable(in.graph, "v", {.shape = {}});
                   const Output start = Assign(v.ref(), 0.0f);
                   const ControlDependencies after(in.graph, {start});
                   const LoopVariables end = While([&](Output i) { return Less(i, in.n); },
                                                   [&](Output i) {
                                                     const Output sum = AssignAdd(v.ref(), in.x);
                                                     const ControlDependencies added(in.graph, {sum});
                                                     return i + 1;
                                                   },
                                                   {Identity(in.zero)});
                   const ControlDependencies done(in.graph, {end[0]});
                   return Identity(v.ref());
                 },
                 [](int n, float x) { return n * x; }}),
    [](const auto& info) { return RowName(info.param.name); });

TEST(While, NamesItsNodesAsTensorFlowDoes) {
  Graph g;
  const Inputs in(g);
  Power(in, in.n, in.x);
  std::vector<std::string> names;
  for (const auto& node : g.nodes()) {
    if (node->name().starts_with("while/")) names.push_back(node->name());
  }
  EXPECT_THAT(names, ElementsAre("while/Enter", "while/Merge", "while/Enter_1", "while/Merge_1", "while/Less/Enter",
                                 "while/Less", "while/LoopCond", "while/Switch", "while/Identity", "while/Switch_1",
                                 "while/Identity_1", "while/add/y", "while/add", "while/mul/Enter", "while/mul",
                                 "while/NextIteration", "while/NextIteration_1", "while/Exit", "while/Exit_1"));
  EXPECT_EQ(g.FindNode("while/Enter")->attr<std::string>("frame_name"), "while/while_context");
  EXPECT_EQ(g.FindNode("while/add/y")->control_inputs()[0], g.FindNode("while/Identity"));
}

TEST(While, SurvivesAMetaGraph) {
  Graph g;
  const Inputs in(g);
  const Output y =
      While([&](Output i, Output) { return Less(i, in.n); },
            [&](Output i, Output y) {
              return LoopVariables{i + 1, Cond(
                                              Less(i, 2), [&] { return Power(in, i, in.x) + y; }, [&] { return y; })};
            },
            {in.zero, in.x}, {.back_prop = false, .name = "outer"})[1];
  const auto bytes = MetaGraphBytes(g);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  Graph copy;
  ASSERT_TRUE(ImportMetaGraph(*bytes, copy).ok());
  ASSERT_EQ(copy.contexts().size(), g.contexts().size());
  const auto* outer = dynamic_cast<const WhileContext*>(copy.contexts()[0].get());
  ASSERT_NE(outer, nullptr);
  EXPECT_EQ(outer->name(), "outer/while_context");
  EXPECT_FALSE(outer->settings().back_prop);
  ASSERT_EQ(outer->variables().size(), 2u);
  EXPECT_EQ(outer->variables()[1].exit, copy.FindNode(y.node()->name()));
  for (const auto& node : g.nodes()) {
    const ControlFlowContext* context = copy.FindNode(node->name())->context();
    EXPECT_EQ(context == nullptr ? "" : context->name(), node->context() == nullptr ? "" : node->context()->name())
        << node->name();
  }
  const auto again = MetaGraphBytes(copy);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *bytes);
}

struct ErrorCase {
  const char* name;
  std::function<void(const Inputs& in)> build;
  const char* message;
};

class LoopErrors : public testing::TestWithParam<ErrorCase> {};

TEST_P(LoopErrors, AreReported) {
  Graph g;
  GetParam().build(Inputs(g));
  EXPECT_EQ(g.status().code(), absl::StatusCode::kInvalidArgument) << g.status();
  EXPECT_THAT(std::string(g.status().message()), HasSubstr(GetParam().message));
}

const auto kForever = [](Output i) { return Less(i, 10); };

INSTANTIATE_TEST_SUITE_P(
    All, LoopErrors,
    testing::Values(
        ErrorCase{"condition is no bool",
                  [](const Inputs& in) { While([](Output i) { return i; }, [](Output i) { return i; }, {in.zero}); },
                  "is int32[], expected a bool scalar"},
        ErrorCase{"condition is no scalar",
                  [](const Inputs& in) {
                    While([](Output i) { return Less(Reshape(i, {1}), 3); }, [](Output i) { return i; }, {in.zero});
                  },
                  "is bool[1], expected a bool scalar"},
        ErrorCase{
            "no condition",
            [](const Inputs& in) { While([](Output) { return Output(); }, [](Output i) { return i; }, {in.zero}); },
            "While 'while' (control_flow_while_test.cc:"},
        ErrorCase{"no value", [](const Inputs& in) { While(kForever, [](Output) { return Output(); }, {in.zero}); },
                  "the body's value 0 is no output"},
        ErrorCase{
            "too few values",
            [](const Inputs& in) {
              While([](Output i, Output) { return Less(i, 1); }, [](Output i, Output) { return i; }, {in.zero, in.x});
            },
            "the body gives 1 values for 2 loop variables"},
        ErrorCase{"another type",
                  [](const Inputs& in) { While(kForever, [](Output i) { return Cast(i, DT_FLOAT); }, {in.zero}); },
                  "loop variable 0 is int32[], but the body makes it float[]"},
        ErrorCase{"another shape",
                  [](const Inputs& in) { While(kForever, [](Output i) { return Reshape(i, {1}); }, {in.zero}); },
                  "loop variable 0 is int32[], but the body makes it int32[1]"},
        ErrorCase{"less known shape",
                  [](const Inputs& in) {
                    const Output any = Placeholder(in.graph, {.dtype = DT_INT32, .shape = {-1}});
                    While([](Output i) { return Less(Sum(i, {0}), 9); }, [&](Output) { return Identity(any); },
                          {Const(in.graph, Tensor::Vector<int32_t>({1}))});
                  },
                  "is int32[1], but the body makes it int32[?]"},
        ErrorCase{"invariants",
                  [](const Inputs& in) {
                    While(kForever, [](Output i) { return i; }, {in.zero}, {.shape_invariants = {Shape(), Shape()}});
                  },
                  "got 2 shape_invariants for 1 loop variables"},
        ErrorCase{"invariant that does not fit",
                  [](const Inputs& in) {
                    While(kForever, [](Output i) { return i; }, {in.zero}, {.shape_invariants = {Shape({2})}});
                  },
                  "loop variable 0 has shape [], which its invariant [2] does not allow"}),
    [](const auto& info) { return RowName(info.param.name); });

// A loop from a file that never ends can be stopped.
TEST(While, CanBeCancelled) {
  Graph g;
  const Inputs in(g);
  const Output end = While([&](Output) { return Const(g, true); }, [](Output i) { return i + 1; }, {in.zero})[0];
  Session session(g);
  CancellationToken token;
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    token.Cancel();
  });
  const absl::Status status = session.Run({}, {end}, {}, {.cancellation = &token}).status();
  later.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
}

}  // namespace
}  // namespace staticflow
