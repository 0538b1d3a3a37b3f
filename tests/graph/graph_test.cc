#include "graph/graph.h"

#include "graph/node_builder.h"
#include "graph/op_parser.h"
#include "graph/shape_inference.h"
#include "graph/topological_order.h"
#include "gtest/gtest.h"

namespace staticflow {
namespace {

// Three small ops of this test's own: the graph knows no others here.
const OpRegistrar source({.name = "TestSource",
                          .outputs = {"output: dtype"},
                          .attrs = {"dtype: {float, int32}", "shape: shape", "note: string = 'none'"},
                          .shape = [](ShapeContext& c) -> absl::Status {
                            c.set_output(0, c.attr<Shape>("shape"));
                            return absl::OkStatus();
                          },
                          .gradient = kNotDifferentiable,
                          .doc = "A source."});
const OpRegistrar add({.name = "TestAdd",
                       .inputs = {"x: T", "y: T"},
                       .outputs = {"z: T"},
                       .attrs = {"T: {float, int32}"},
                       .shape = BroadcastShape,
                       .gradient = kNotDifferentiable,
                       .doc = "A sum."});
const OpRegistrar pack({.name = "TestPack",
                        .inputs = {"values: N * T"},
                        .outputs = {"output: T"},
                        .attrs = {"N: int >= 1", "T: type", "mode: {'A', 'B'} = 'A'"},
                        .shape = AnyShape,
                        .gradient = kNotDifferentiable,
                        .doc = "Many inputs."});
const OpRegistrar constant({.name = "TestConst",
                            .outputs = {"output: dtype"},
                            .attrs = {"value: tensor", "dtype: type"},
                            .shape = ScalarShape,
                            .gradient = kNotDifferentiable,
                            .role = OpRole::kConst,
                            .doc = "A constant."});

Output Source(Graph& g, const Shape& shape, absl::string_view name = "", DataType dtype = DT_FLOAT,
              std::source_location where = std::source_location::current()) {
  return NodeBuilder(g, "TestSource", where).Attr("dtype", dtype).Attr("shape", shape).Name(name).Build();
}
Output Add(Operand x, Operand y, absl::string_view name = "") {
  return NodeBuilder("TestAdd", {x, y}).Name(name, "add").Build();
}
std::string At(int line) { return "(graph_test.cc:" + std::to_string(line) + ")"; }

TEST(GraphTest, NamesAreUniqueWithinTheirScope) {
  Graph g;
  EXPECT_EQ(Source(g, {}).name(), "TestSource:0");
  EXPECT_EQ(Source(g, {}).name(), "TestSource_1:0");
  EXPECT_EQ(Source(g, {}, "x").name(), "x:0");
  EXPECT_EQ(Source(g, {}, "X").name(), "X_1:0");
  {
    NameScope tower(g, "tower");
    EXPECT_EQ(Source(g, {}, "x").name(), "tower/x:0");
    NameScope inner(g, "inner");
    EXPECT_EQ(Source(g, {}, "x").name(), "tower/inner/x:0");
  }
  NameScope again(g, "tower");
  EXPECT_EQ(again.name(), "tower_1/");
  NameScope reentered(g, "tower/");
  EXPECT_EQ(Source(g, {}, "y").name(), "tower/y:0");
}

TEST(GraphTest, NumbersTakeTheOtherOperandsType) {
  Graph g;
  Output x = Source(g, {2}, "x", DT_INT32);
  Output y = Add(x, 3, "sum");
  ASSERT_TRUE(g.status().ok()) << g.status();
  const Node& constant_node = *y.node()->input(1).node();
  EXPECT_EQ(constant_node.name(), "sum/y");
  EXPECT_EQ(constant_node.attr<Tensor>("value").ToString(), "int32[]{3}");
  EXPECT_EQ(y.shape().ToString(), "[2]");
}

TEST(GraphTest, TheFirstMistakeStays) {
  Graph g;
  Output a = Source(g, {2}, "a"), b = Source(g, {3}, "b");
  const int line = __LINE__ + 1;
  Output bad = Add(a, b, "bad");
  Output worse = Add(bad, Source(g, {5}, "c"));
  EXPECT_FALSE(bad.valid());
  EXPECT_FALSE(worse.valid());
  EXPECT_EQ(g.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(g.status().message(), "TestAdd 'bad' " + At(line) + ": shapes [2] and [3] cannot be broadcast together");
}

TEST(GraphTest, MistakesSayWhatWasExpected) {
  struct Case {
    std::function<void(Graph&)> build;
    std::string want;
  };
  const Case cases[] = {
      {[](Graph& g) { Add(Source(g, {}, "f"), Source(g, {}, "i", DT_INT32)); },
       "input 'y' says that attribute T is int32"},
      {[](Graph& g) { Source(g, {}, "s", DT_BOOL); }, "attribute 'dtype' is bool, expected one of float, int32"},
      {[](Graph& g) { Source(g, {}, "bad name"); }, "a node cannot have this name"},
      {[](Graph& g) { NodeBuilder(g, "TestSource", std::source_location::current()).Attr("dtype", DT_FLOAT).Build(); },
       "attribute 'shape' is missing"},
      {[](Graph& g) { NodeBuilder(g, "Nonsense", std::source_location::current()).Build(); }, "there is no such op"},
      {[](Graph& g) { NodeBuilder("TestAdd", {Source(g, {})}).Build(); }, "got 1 arguments, expected 2"},
      {[](Graph& g) { Add(Source(g, {}), Output()); }, "an operand is no output"},
      {[](Graph& g) {
         NodeBuilder(g, "TestPack", std::source_location::current()).Inputs({}).Attr("T", DT_FLOAT).Build();
       },
       "attribute 'N' is 0, expected at least 1"},
      {[](Graph& g) { NodeBuilder("TestPack", {}).Inputs({Source(g, {})}).Attr("mode", "C").Build(); },
       "attribute 'mode' is 'C', expected one of A, B"},
  };
  for (const Case& c : cases) {
    Graph g;
    c.build(g);
    EXPECT_NE(std::string(g.status().message()).find(c.want), std::string::npos) << g.status();
  }
}

TEST(GraphTest, GraphsDoNotMix) {
  Graph g, h;
  Output x = Source(g, {}, "x"), y = Source(h, {}, "y");
  EXPECT_FALSE(Add(x, y).valid());
  EXPECT_NE(std::string(g.status().message()).find("'y:0' is of another graph"), std::string::npos) << g.status();
  EXPECT_FALSE(h.status().ok());
}

TEST(GraphTest, ControlDependenciesReachWhatDoesNotWaitAlready) {
  Graph g;
  Output before = Source(g, {}, "before"), x = Source(g, {}, "x");
  ControlDependencies wait(g, {before});
  Output first = Add(x, x, "first");
  Output second = Add(first, first, "second");
  ASSERT_EQ(first.node()->control_inputs().size(), 1);
  EXPECT_EQ(first.node()->control_inputs()[0], before.node());
  EXPECT_TRUE(second.node()->control_inputs().empty());
  ControlDependencies none(g, ControlDependencies::kClear);
  EXPECT_TRUE(Add(x, x, "third").node()->control_inputs().empty());
}

TEST(GraphTest, CollectionsKeepTheirOrder) {
  Graph g;
  Output a = Source(g, {}, "a"), b = Source(g, {}, "b");
  g.AddToCollection(kUpdateOps, Operation(b));
  g.AddToCollection(kUpdateOps, a);
  ASSERT_EQ(g.collection(kUpdateOps).size(), 2);
  EXPECT_EQ(g.collection(kUpdateOps)[0].name(), "b");
  EXPECT_EQ(g.collection(kUpdateOps)[1].name(), "a:0");
  EXPECT_TRUE(g.collection("nothing").empty());
}

TEST(GraphTest, OutputsAreFoundByName) {
  Graph g;
  Source(g, {}, "x");
  EXPECT_EQ(g.FindOutput("x:0")->name(), "x:0");
  EXPECT_EQ(g.FindOutput("x")->name(), "x:0");
  EXPECT_EQ(g.FindOutput("y:0").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(g.FindOutput("x:1").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(g.FindOutput("x:-1").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(g.FindOutput("x:99999999999999").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(OpParserTest, RefusesWhatTheGrammarDoesNotAllow) {
  const OpSpec bad[] = {
      {.name = "A", .inputs = {"x"}},
      {.name = "A", .inputs = {"x: T"}},
      {.name = "A", .inputs = {"x: N * float"}},
      {.name = "A", .attrs = {"T: {flot}"}},
      {.name = "A", .attrs = {"n: int = abc"}},
      {.name = "A", .attrs = {"l: list(int) = 3"}},
      {.name = "A", .inputs = {"x: Ref(float"}},
      {.name = ""},
  };
  for (const OpSpec& spec : bad) EXPECT_FALSE(ParseOp(spec).ok()) << spec.name;
  absl::StatusOr<Op> good = ParseOp({.name = "A",
                                     .inputs = {"x: N * T", "r: Ref(T)"},
                                     .attrs = {"N: int >= 2 = 3", "T: numbertype", "l: list(int) = [1, 2]"}});
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(*good->attrs[0].minimum, 2);
  EXPECT_EQ(good->attrs[2].default_value->ToString(), "[1, 2]");
  EXPECT_TRUE(good->inputs[1].is_ref);
}

// A sweep over the nodes would find one more of them each time.
TEST(DependentsOfTest, TakesOneWalkThroughAGraphListedInReverse) {
  constexpr int kNodes = 100'000;
  Graph g;
  std::vector<Node*> chain;
  for (int i = 0; i < kNodes; ++i) {
    NodeDefinition definition = {.name = std::to_string(i), .op = FindOp("TestAdd"), .inputs = {Output(), Output()}};
    const absl::StatusOr<Node*> node = g.AddNodeWithBackEdge(std::move(definition), {0, 1}, {DT_FLOAT, DT_FLOAT});
    ASSERT_TRUE(node.ok()) << node.status();
    chain.push_back(*node);
  }
  const Output x = Source(g, {}), other = Source(g, {});
  for (int i = 0; i < kNodes; ++i) {
    const Output before = i + 1 < kNodes ? chain[i + 1]->output(0) : x;
    ASSERT_TRUE(chain[i]->ReplaceInput(0, before).ok() && chain[i]->ReplaceInput(1, before).ok());
  }
  const auto inputs = [](const Node& node, std::vector<const Node*>* sources) {
    for (Output input : node.inputs()) sources->push_back(input.node());
  };
  std::vector<bool> want(kNodes + 2, true);
  want[other.node()->id()] = false;
  EXPECT_EQ(DependentsOf(g, {x.node()}, inputs), want);
  want.flip();
  EXPECT_EQ(DependentsOf(g, {other.node()}, inputs), want);
}

}  // namespace
}  // namespace staticflow
