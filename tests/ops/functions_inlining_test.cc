// What inlining makes of a graph with calls, what it refuses, and how far it goes with what a file asks for.
#include <gmock/gmock.h>

#include <cctype>

#include "absl/strings/str_cat.h"
#include "graph/function_inliner.h"
#include "graph/gradients.h"
#include "graph/graph_def.h"
#include "ops/functions.h"
#include "runtime/explain.h"
#include "runtime/session.h"
#include "tests/op_test.h"
#include "tests/ops/function_file.h"

namespace staticflow {
namespace {

using testing::HasSubstr;

// A graph that must fail: when it is loaded, or when y:0 is fetched.
struct BadCase {
  std::string name;
  std::vector<FileNode> nodes;
  std::vector<FileFunction> functions;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
  std::vector<std::string> messages;
};
class BadFunctions : public testing::TestWithParam<BadCase> {};

TEST_P(BadFunctions, AreRefused) {
  Graph g;
  absl::Status status = ImportGraphDef(File(GetParam().nodes, GetParam().functions), g);
  if (status.ok()) {
    Session session(g, {.threads = 1});
    status = session.RunByName({{"x", 1.0f}}, {"y"}).status();
  }
  EXPECT_EQ(status.code(), GetParam().code) << status;
  for (const std::string& message : GetParam().messages) EXPECT_THAT(status.message(), HasSubstr(message));
}

FileFunction Returning(std::string source, std::vector<FileNode> nodes) {
  return {.name = "F",
          .args = {"a: float"},
          .results = {"r: float"},
          .nodes = std::move(nodes),
          .ret = {{"r", std::move(source)}}};
}

std::vector<BadCase> BadCases() {
  const FileNode mul = {"mul", "Mul", {"a", "a"}};
  const FileFunction two = {
      .name = "F", .args = {"a: float", "b: float"}, .results = {"r: float"}, .ret = {{"r", "a"}}};
  const FileFunction ints = {.name = "F", .args = {"a: int32"}, .results = {"r: int32"}, .ret = {{"r", "a"}}};
  constexpr auto kNotFound = absl::StatusCode::kNotFound;
  return {
      {"missing function", {X(), Call("G")}, {kSquare}, kNotFound, {"PartitionedCall 'y'", "no function 'G'"}},
      {"the gradient of a missing function",
       {X(), Call("G", {"x", "x"}, "SymbolicGradient")},
       {kSquare},
       kNotFound,
       {"SymbolicGradient 'y'", "no op and no function 'G'"}},
      {"the gradient of a function without one",
       {X(), Call("F", {"x", "x"}, "SymbolicGradient")},
       {Returning("i:z:0", {{"i", "IgammaGradA", {"a", "a"}}})},
       absl::StatusCode::kUnimplemented,
       {"SymbolicGradient 'y'", "IgammaGradA"}},
      {"too few gradients by results",
       {X(), Call("Square_", {"x"}, "SymbolicGradient")},
       {kSquare},
       absl::StatusCode::kInvalidArgument,
       {"has 1 results, and there are 0 gradients"}},
      {"the gradient of itself",
       {X(), Call("F", {"x", "x"}, "SymbolicGradient")},
       {Returning("d:output:0",
                  {{"d", "SymbolicGradient", {"a", "a"}, {{"f", Fn("F")}, {"Tout", Types({DT_FLOAT})}}}})},
       absl::StatusCode::kInvalidArgument,
       {"in a circle: F -> F"}},
      {"missing op",
       {X(), Call("F")},
       {Returning("n:o:0", {{"n", "NoSuchOp", {"a"}}})},
       kNotFound,
       {"'y'", "function 'F'", "node 'n'", "'NoSuchOp'"}},
      {"too few arguments",
       {X(), Call("F")},
       {two},
       absl::StatusCode::kInvalidArgument,
       {"'y'", "function 'F'", "got 1 inputs"}},
      {"too many arguments",
       {X(), Call("F", {"x", "x"})},
       {Returning("a", {})},
       absl::StatusCode::kInvalidArgument,
       {"got 2 inputs, expected 1"}},
      {"type of an argument",
       {X(), Call("F")},
       {ints},
       absl::StatusCode::kInvalidArgument,
       {"function 'F'", "input 0 is float, expected int32"}},
      {"type of a result",
       {X(DT_FLOAT), {"i", "Cast", {"x"}, {{"DstT", DT_INT32}, {"SrcT", DT_FLOAT}}}, Call("F", {"i"})},
       {ints},
       absl::StatusCode::kInvalidArgument,
       {"'y'", "result 0 of the function is int32, the call says float"}},
      {"number of results",
       {X(), {"y", "PartitionedCall", {"x"}, {{"f", Fn("F")}, {"Tout", Types({DT_FLOAT, DT_FLOAT})}}}},
       {Returning("a", {})},
       absl::StatusCode::kInvalidArgument,
       {"gives 1 results, the call has 2 outputs"}},
      {"no such output",
       {X(), Call("F")},
       {Returning("mul:y:0", {mul})},
       absl::StatusCode::kInvalidArgument,
       {"function 'F'", "result 'r'", "has no output 'y'"}},
      {"no such element",
       {X(), Call("F")},
       {Returning("mul:z:1", {mul})},
       absl::StatusCode::kInvalidArgument,
       {"element 1 of a list of 1"}},
      {"plain node",
       {X(), Call("F")},
       {Returning("mul", {mul})},
       absl::StatusCode::kInvalidArgument,
       {"'mul' names no output"}},
      {"bad element",
       {X(), Call("F")},
       {Returning("mul:z:-1", {mul})},
       absl::StatusCode::kInvalidArgument,
       {"'mul:z:-1'"}},
      {"no such node",
       {X(), Call("F")},
       {Returning("sum:z:0", {mul})},
       absl::StatusCode::kInvalidArgument,
       {"'sum:z:0' is no argument and no node"}},
      {"nothing returned",
       {X(), Call("F")},
       {{.name = "F", .args = {"a: float"}, .results = {"r: float"}}},
       absl::StatusCode::kInvalidArgument,
       {"nothing is returned as 'r'"}},
      {"bad control output",
       {X(), Call("F")},
       {{.name = "F", .args = {"a: float"}, .results = {"r: float"}, .ret = {{"r", "a"}}, .control_ret = {"a"}}},
       absl::StatusCode::kInvalidArgument,
       {"control output 'a'"}},
      {"bad control input",
       {X(), Call("F")},
       {Returning("mul:z:0", {{"mul", "Mul", {"a", "a", "^b"}}})},
       absl::StatusCode::kInvalidArgument,
       {"node 'mul'", "'^b'"}},
      {"data after control",
       {X(), Call("F")},
       {Returning("mul:z:0", {{"mul", "Mul", {"a", "^a", "a"}}})},
       absl::StatusCode::kInvalidArgument,
       {"comes after a control input"}},
      {"cycle in a body",
       {X(), Call("F")},
       {Returning("p:z:0", {{"p", "Mul", {"a", "q:z:0"}}, {"q", "Mul", {"a", "p:z:0"}}})},
       absl::StatusCode::kInvalidArgument,
       {"function 'F'", "2 nodes in a cycle"}},
      {"node and argument of one name",
       {X(), Call("F")},
       {Returning("a", {{"a", "NoOp"}})},
       absl::StatusCode::kInvalidArgument,
       {"node 'a': the name is empty or occurs twice"}},
      {"function that calls itself",
       {X(), Call("F")},
       {Returning("n:r:0", {{"n", "F", {"a"}}})},
       absl::StatusCode::kInvalidArgument,
       {"in a circle: F -> F"}},
      {"attribute of a body's node",
       {X(), Call("F")},
       {Returning("mul:z:0", {{"mul", "Mul", {"a", "a"}, {{"k", 3}}}})},
       absl::StatusCode::kInvalidArgument,
       {"node 'mul'", "attribute 'k' is none of Mul"}},
      {"placeholder of nothing",
       {X(), Call("F")},
       {Returning("c:y:0", {{"c", "Cast", {"a"}, {{"DstT", AttrPlaceholder{"T"}}}}})},
       absl::StatusCode::kInvalidArgument,
       {"node 'c'", "attribute 'DstT'", "'T'"}},
      {"missing attribute",
       {X(), Call("F")},
       {{.name = "F", .args = {"a: float"}, .results = {"r: T"}, .ret = {{"r", "a"}}, .attrs = {"T: type"}}},
       absl::StatusCode::kInvalidArgument,
       {"function 'F'", "attribute 'T' is missing"}},
      {"branches of other types",
       {X(), Value("one", 4.0f), If(DT_FLOAT)},
       {kAddOne,
        {.name = "Square_",
         .args = {"a: float"},
         .results = {"r: string"},
         .nodes = {Value("s", "a")},
         .ret = {{"r", "s:output:0"}}}},
       absl::StatusCode::kInvalidArgument,
       {"If 'y'", "result 0 is float in one branch, string in another"}},
      {"condition of two results",
       {X(), {"y", "While", {"x"}, {{"cond", Fn("Pair")}, {"body", Fn("AddOne")}}}},
       {kAddOne,
        {.name = "Pair", .args = {"a: float"}, .results = {"p: float", "q: float"}, .ret = {{"p", "a"}, {"q", "a"}}}},
       absl::StatusCode::kInvalidArgument,
       {"While 'y'", "function 'Pair' gives 2 results"}},
      {"body of another type",
       {X(), {"y", "While", {"x"}, {{"cond", Fn("AddOne")}, {"body", Fn("Text")}}}},
       {kAddOne,
        {.name = "Text",
         .args = {"a: float"},
         .results = {"r: string"},
         .nodes = {Value("s", "a")},
         .ret = {{"r", "s:output:0"}}}},
       absl::StatusCode::kInvalidArgument,
       {"function 'Text'", "result 0 is string, the loop carries float"}},
      {"body without results",
       {X(), {"y", "While", {"x"}, {{"cond", Fn("AddOne")}, {"body", Fn("None")}}}},
       {kAddOne, {.name = "None", .args = {"a: float"}}},
       absl::StatusCode::kInvalidArgument,
       {"function 'None' gives 0 results, the loop has 1"}},
      {"For that counts the wrong way",
       {X(), Value("start", 5), Value("limit", 0), Value("delta", 1), For({"start", "limit", "delta", "x"})},
       {kTwiceAndCount},
       absl::StatusCode::kInvalidArgument,
       {"start, limit and delta do not lead to an end", "5", "0", "1"}},
      {"For that does not count",
       {X(), Value("start", 0), Value("limit", 5), Value("delta", 0), For({"start", "limit", "delta", "x"})},
       {kTwiceAndCount},
       absl::StatusCode::kInvalidArgument,
       {"start, limit and delta do not lead to an end"}},
      {"For from several starts",
       {X(), Value("start", T<int32_t>({0, 1})), Value("limit", 5), Value("delta", 1),
        For({"start", "limit", "delta", "x"})},
       {kTwiceAndCount},
       absl::StatusCode::kInvalidArgument,
       {"For 'y'"}},
      {"For with a body of another type",
       {X(),
        Value("start", 0),
        Value("limit", 5),
        Value("delta", 1),
        {"y", "For", {"start", "limit", "delta", "x"}, {{"T", Types({DT_FLOAT})}, {"body", Fn("AddOne")}}}},
       {kAddOne},
       absl::StatusCode::kInvalidArgument,
       {"For 'y'", "function 'AddOne'"}},
      {"legacy call of wrong type",
       {X(), {"y", "F", {"x"}}},
       {ints},
       absl::StatusCode::kInvalidArgument,
       {"'y'", "input 0 is float, expected int32"}},
      {"error within two calls",
       {X(), Call("G")},
       {Returning("mul:z:0", {{"mul", "Mul", {"a", "s:output:0"}}, Value("s", "text")}),
        {.name = "G",
         .args = {"a: float"},
         .results = {"r: float"},
         .nodes = {{"inner", "F", {"a"}}},
         .ret = {{"r", "inner:r:0"}}}},
       absl::StatusCode::kInvalidArgument,
       {"PartitionedCall 'y'", "function 'G'", "node 'inner'", "function 'F'", "Mul 'y/inner/mul'"}},
  };
}

INSTANTIATE_TEST_SUITE_P(All, BadFunctions, testing::ValuesIn(BadCases()), [](const auto& info) {
  std::string name = info.param.name;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

// f0 calls f1 twice, that f2 twice, ...: 2^depth nodes.
std::vector<FileFunction> Doubling(int depth) {
  std::vector<FileFunction> functions;
  for (int i = 0; i < depth; ++i) {
    const std::string next = absl::StrCat("f", i + 1);
    functions.push_back({.name = absl::StrCat("f", i),
                         .args = {"a: float"},
                         .results = {"r: float"},
                         .nodes = {{"p", next, {"a"}}, {"q", next, {"p:r:0"}}},
                         .ret = {{"r", "q:r:0"}}});
  }
  functions.push_back(kSquare);
  functions.back().name = absl::StrCat("f", depth);
  return functions;
}

TEST(InlineCalls, BoundsWhatAFileCanAskFor) {
  Graph g;
  ASSERT_TRUE(ImportGraphDef(File({X(), Call("f0")}, Doubling(40)), g).ok());
  const std::string before = *GraphDefBytes(g);
  Node* call = g.FindNode("y");
  const auto error = [&](const InlineLimits& limits) {
    const absl::Status status = InlineCalls(g, {&call, 1}, limits);
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_EQ(*GraphDefBytes(g), before) << "the graph is as it was";
    return std::string(status.message());
  };
  EXPECT_THAT(error({.max_nodes = 1000}), HasSubstr("more than 1000 nodes"));
  EXPECT_THAT(error({.max_edges = 1000}), HasSubstr("1000 edges"));
  EXPECT_THAT(error({.max_depth = 10}), HasSubstr("nested deeper than 10"));
  EXPECT_THAT(error({.max_depth = 10}), HasSubstr("PartitionedCall 'y'"));
}

TEST(InlineCalls, LeavesTheNameAndTheEdgesOfTheCall) {
  Graph g;
  ASSERT_TRUE(
      ImportGraphDef(File({X(), Call("AddOne"), {"z", "Neg", {"y", "^y"}}, {"y/sum", "NoOp"}}, {kAddOne}), g).ok());
  Session session(g, {.threads = 1});
  const absl::StatusOr<Step> step = session.Prepare({.feeds = {*g.FindOutput("x")}, .fetches = {*g.FindOutput("z")}});
  Node* call = g.FindNode("y");
  const absl::Status status = InlineCalls(g, {&call, 1});
  ASSERT_TRUE(status.ok()) << status;
  std::vector<std::string> nodes;
  for (const auto& node : g.nodes()) {
    EXPECT_EQ(g.nodes()[node->id()].get(), node.get());
    for (Output input : node->inputs()) EXPECT_LT(input.node()->id(), node->id()) << "not in running order";
    nodes.push_back(absl::StrCat(node->type(), " ", node->name()));
  }
  EXPECT_THAT(nodes, testing::ElementsAre("Placeholder x", "Const y/one", "AddV2 y/sum_1", "IdentityN y", "Neg z",
                                          "NoOp y/sum"));
  EXPECT_EQ(g.FindNode("y"), call);
  EXPECT_EQ(g.FindNode("z")->control_inputs()[0], call);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ((*step->Run({2.0f}))[0].scalar<float>(), -3) << "steps from before go on";
    EXPECT_EQ(session.Run({{*g.FindOutput("x"), 2.0f}}, *g.FindOutput("z"))->scalar<float>(), -3);
  }
  Graph copy;
  EXPECT_TRUE(ImportGraphDef(*GraphDefBytes(g), copy).ok());
}

TEST(CallFunction, CallsWhatCameWithAFile) {
  Graph g;
  ASSERT_TRUE(ImportGraphDef(File({X()}, {kSquare}), g).ok());
  const Output x = *g.FindOutput("x");
  const std::vector<Output> y = CallFunction(g, "Square_", {&x, 1});
  ASSERT_TRUE(g.status().ok()) << g.status();
  ASSERT_EQ(y.size(), 1u);
  EXPECT_EQ(y[0].name(), "Square_:0");
  const Output dx = Gradients({y[0]}, {x})[0];
  Session session(g, {.threads = 1});
  EXPECT_EQ(session.Run({{x, 3.0f}}, dx)->scalar<float>(), 6);

  EXPECT_TRUE(CallFunction(g, "Square_", {}).empty());
  EXPECT_EQ(g.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(g.status().message(), HasSubstr("function 'Square_' (functions_inlining_test.cc:"));
  Graph other;
  EXPECT_TRUE(CallFunction(other, "None", {}).empty());
  EXPECT_EQ(other.status().code(), absl::StatusCode::kNotFound);
}

TEST(Explain, SpeaksOfTheNodesOfBodies) {
  Graph g;
  FileNode x = X();
  x.attrs["shape"] = Shape({2});
  ASSERT_TRUE(ImportGraphDef(File({x, Call("AddOne"), {"z", "Neg", {"y"}}, {"idle", "NoOp"}}, {kAddOne}), g).ok());
  Session session(g, {.threads = 1});
  const absl::StatusOr<Explanation> e =
      session.Explain({.feeds = {*g.FindOutput("x")}, .fetches = {*g.FindOutput("z")}, .targets = {}});
  ASSERT_TRUE(e.ok()) << e.status();
  EXPECT_THAT(e->not_needed, testing::Contains(g.FindNode("idle")));
  EXPECT_THAT(e->not_needed, testing::Not(testing::Contains(g.FindNode("y"))));
  ASSERT_NE(e->Find(*g.FindNode("z")), nullptr);
  EXPECT_EQ(e->Find(*g.FindNode("z"))->node->name(), "z");
  EXPECT_THAT(ExplanationText(*e), HasSubstr("y/sum"));
}

TEST(InlineCalls, TellsTheShapesOfWhatFollows) {
  Graph g;
  FileNode x = X();
  x.attrs["shape"] = Shape({2, 3});
  ASSERT_TRUE(ImportGraphDef(File({x, Call("AddOne"), {"z", "Neg", {"y"}}}, {kAddOne}), g).ok());
  EXPECT_EQ(g.FindOutput("z")->shape(), Shape::Unknown());
  Node* call = g.FindNode("y");
  ASSERT_TRUE(InlineCalls(g, {&call, 1}).ok());
  EXPECT_EQ(g.FindOutput("z")->shape(), Shape({2, 3}));
}

TEST(Gradients, InlineOnlyTheCallsOnTheWay) {
  Graph g;
  FileNode other = Call("AddOne");
  other.name = "other";
  FileNode after = Call("Square_", {"y"});
  after.name = "after";
  ASSERT_TRUE(ImportGraphDef(File({X(), Call("Square_"), other, after}, {kAddOne, kSquare}), g).ok());
  const Output x = *g.FindOutput("x"), y = *g.FindOutput("y");
  const Output dx = Gradients({y}, {x})[0];
  const Output second = Gradients({dx}, {x})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_EQ(y.node()->type(), "IdentityN");
  EXPECT_EQ(g.FindNode("other")->type(), "PartitionedCall");
  EXPECT_EQ(g.FindNode("after")->type(), "PartitionedCall");
  Session session(g, {.threads = 1});
  const auto got = session.Run({{x, 3.0f}}, {y, dx, second});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ((*got)[0].scalar<float>(), 9);
  EXPECT_EQ((*got)[1].scalar<float>(), 6);
  EXPECT_EQ((*got)[2].scalar<float>(), 2);
}

TEST(Gradients, GoThroughFor) {
  const FileFunction square_and_count = {.name = "TwiceAndCount",
                                         .args = {"i: int32", "a: float"},
                                         .results = {"r: float"},
                                         .nodes = {{"number", "Cast", {"i"}, {{"SrcT", DT_INT32}, {"DstT", DT_FLOAT}}},
                                                   {"square", "Mul", {"a", "a"}},
                                                   {"sum", "AddV2", {"square:z:0", "number:y:0"}}},
                                         .ret = {{"r", "sum:z:0"}}};
  Graph g;
  ASSERT_TRUE(ImportGraphDef(File({X(DT_FLOAT), Value("start", 0), Value("limit", 2), Value("delta", 1),
                                   For({"start", "limit", "delta", "x"})},
                                  {square_and_count}),
                             g)
                  .ok());
  const Output x = *g.FindOutput("x");
  const Output dx = Gradients({*g.FindOutput("y")}, {x})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  EXPECT_EQ(session.Run({{x, 3.0f}}, dx)->scalar<float>(), 108) << "of x^4 + 1";
}

TEST(Gradients, GoThroughTheGradientOfAFunction) {
  Graph g;
  ASSERT_TRUE(ImportGraphDef(File({X(), Call("F")}, {kSquare, kGradientOfSquare}), g).ok());
  const Output x = *g.FindOutput("x");
  const Output dx = Gradients({*g.FindOutput("y")}, {x})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  EXPECT_EQ(session.Run({{x, 3.0f}}, dx)->scalar<float>(), 12);
}

// f0 is the gradient of f1 twice, that of f2 twice, ...: a gradient takes a while to build.
TEST(InlineCalls, BoundsTheGradientsOfFunctions) {
  std::vector<FileFunction> functions;
  for (int i = 0; i < 30; ++i) {
    const AttrMap attrs = {{"f", Fn(absl::StrCat("f", i + 1))}, {"Tout", Types({DT_FLOAT})}};
    functions.push_back(
        {.name = absl::StrCat("f", i),
         .args = {"a: float"},
         .results = {"r: float"},
         .nodes = {{"p", "SymbolicGradient", {"a", "a"}, attrs}, {"q", "SymbolicGradient", {"p:output:0", "a"}, attrs}},
         .ret = {{"r", "q:output:0"}}});
  }
  functions.push_back(kSquare);
  functions.back().name = "f30";
  Graph g;
  ASSERT_TRUE(ImportGraphDef(File({X(), Call("f0")}, functions), g).ok());
  Node* call = g.FindNode("y");
  EXPECT_EQ(InlineCalls(g, {&call, 1}, {.max_nodes = 30000}).code(), absl::StatusCode::kResourceExhausted);
}

TEST(Gradients, NameTheCallThatCannotBeInlined) {
  Graph g;
  ASSERT_TRUE(ImportGraphDef(File({X(), Call("G")}, {kSquare}), g).ok());
  EXPECT_FALSE(Gradients({*g.FindOutput("y")}, {*g.FindOutput("x")})[0].valid());
  EXPECT_EQ(g.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(g.status().message(), HasSubstr("PartitionedCall 'y'"));
}

}  // namespace
}  // namespace staticflow
