#include "ops/functions.h"

#include <gmock/gmock.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "graph/attr_proto.h"
#include "graph/function_inliner.h"
#include "graph/gradients.h"
#include "graph/graph_def.h"
#include "graph/op_def_proto.h"
#include "graph/op_parser.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/state.h"
#include "proto/graph.pb.h"
#include "runtime/explain.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using testing::HasSubstr;

INSTANTIATE_OP_TEST(ToBool, {{.name = "zero", .inputs = {Tensor(0.0f)}, .want = {Tensor(false)}},
                             {.name = "number", .inputs = {Tensor(int64_t{-2})}, .want = {Tensor(true)}},
                             {.name = "half", .inputs = {T<Half>({}, {Half(0.5f)})}, .want = {Tensor(true)}},
                             {.name = "bool", .inputs = {Tensor(false)}, .want = {Tensor(false)}},
                             {.name = "no characters", .inputs = {Tensor("")}, .want = {Tensor(false)}},
                             {.name = "string", .inputs = {Tensor("0")}, .want = {Tensor(true)}},
                             {.name = "no elements", .inputs = {T({})}, .want = {Tensor(false)}},
                             {.name = "elements", .inputs = {T({0, 0})}, .want = {Tensor(true)}}});

INSTANTIATE_OP_TEST(DeviceIndex, {{.name = "second",
                                   .attrs = {{"device_names", std::vector<std::string>{"GPU", "CPU"}}},
                                   .want = {Tensor(int32_t{1})}},
                                  {.name = "none",
                                   .attrs = {{"device_names", std::vector<std::string>{"GPU", "TPU"}}},
                                   .want = {Tensor(int32_t{2})}}});

INSTANTIATE_OP_TEST(
    FakeParam,
    {{.name = "of a shape", .attrs = {{"dtype", DT_FLOAT}, {"shape", Shape({2, 1})}}, .want = {T({2, 1}, {0, 0})}},
     {.name = "of any shape", .attrs = {{"dtype", DT_STRING}, {"shape", Shape::Unknown()}}, .want = {Tensor("")}},
     {.name = "of any length",
      .attrs = {{"dtype", DT_INT16}, {"shape", Shape({2, -1})}},
      .want = {T<int16_t>({2, 0}, {})}}});

// A node, in a graph or in a body.
struct N {
  std::string name;
  std::string op;
  std::vector<std::string> inputs = {};
  AttrMap attrs = {};
};

// A function; the signature in the grammar of graph/op.h.
struct F {
  std::string name;
  std::vector<std::string> args = {};
  std::vector<std::string> results = {};
  std::vector<N> nodes = {};
  std::vector<std::pair<std::string, std::string>> ret = {};
  std::vector<std::string> attrs = {};
  std::vector<std::string> control_ret = {};
  bool is_stateful = false;
};

void AddNode(const N& node, proto::NodeDef* def) {
  def->set_name(node.name);
  def->set_op(node.op);
  for (const std::string& input : node.inputs) def->add_input(input);
  for (const auto& [name, value] : node.attrs) AttrToProto(value, &(*def->mutable_attr())[name]);
}

proto::GraphDef File(const std::vector<N>& nodes, const std::vector<F>& functions) {
  proto::GraphDef file;
  for (const N& node : nodes) {
    proto::NodeDef* def = file.add_node();
    AddNode(node, def);
    // Outside of bodies every type must be there; here most are float.
    const Op* op = FindOp(node.op);
    for (const AttrDef& attr : op != nullptr ? op->attrs : std::vector<AttrDef>()) {
      const bool needed = attr.kind == AttrKind::kType && !attr.is_list && !attr.default_value.has_value();
      if (needed && !node.attrs.contains(attr.name)) (*def->mutable_attr())[attr.name].set_type(proto::DT_FLOAT);
    }
  }
  for (const F& f : functions) {
    proto::FunctionDef* def = file.mutable_library()->add_function();
    *def->mutable_signature() =
        OpToProto(ParseOp({.name = f.name, .inputs = f.args, .outputs = f.results, .attrs = f.attrs}).value());
    def->mutable_signature()->set_is_stateful(f.is_stateful);
    for (const N& node : f.nodes) AddNode(node, def->add_node_def());
    for (const auto& [name, source] : f.ret) (*def->mutable_ret())[name] = source;
    for (const std::string& node : f.control_ret) {
      def->mutable_signature()->add_control_output(node);
      (*def->mutable_control_ret())[node] = node;
    }
  }
  return file;
}

AttrValue Fn(std::string name, AttrMap attrs = {}) {
  FunctionRef function{.name = std::move(name), .attrs = nullptr};
  if (!attrs.empty()) function.attrs = std::make_shared<const AttrMap>(std::move(attrs));
  return function;
}
AttrValue Types(std::vector<DataType> types) { return types; }
N Value(std::string name, Tensor value, std::vector<std::string> inputs = {}) {
  const DataType dtype = value.dtype();
  return {std::move(name), "Const", std::move(inputs), {{"dtype", dtype}, {"value", std::move(value)}}};
}
N X(DataType dtype = DT_FLOAT) { return {"x", "Placeholder", {}, {{"dtype", dtype}, {"shape", Shape::Unknown()}}}; }
N Call(std::string f, std::vector<std::string> inputs = {"x"}, std::string op = "PartitionedCall") {
  return {"y", std::move(op), std::move(inputs), {{"f", Fn(std::move(f))}, {"Tout", Types({DT_FLOAT})}}};
}
N Handle(std::string name = "v") {
  return {name, "VarHandleOp", {}, {{"dtype", DT_FLOAT}, {"shape", Shape()}, {"shared_name", name}}};
}
const AttrMap kOfFloat = {{"dtype", DT_FLOAT}};

// y = x + 1, and y = x * x.
const F kAddOne = {.name = "AddOne",
                   .args = {"a: float"},
                   .results = {"r: float"},
                   .nodes = {Value("one", 1.0f), {"sum", "AddV2", {"a", "one:output:0"}}},
                   .ret = {{"r", "sum:z:0"}}};
const F kSquare = {.name = "Square_",
                   .args = {"a: float"},
                   .results = {"r: float"},
                   .nodes = {{"mul", "Mul", {"a", "a"}}},
                   .ret = {{"r", "mul:z:0"}}};

// The gradient of a^2 times a: 2 a^2.
const F kGradientOfSquare = {
    .name = "F",
    .args = {"a: float"},
    .results = {"r: float"},
    .nodes = {{"d", "SymbolicGradient", {"a", "a"}, {{"f", Fn("Square_")}, {"Tout", Types({DT_FLOAT})}}}},
    .ret = {{"r", "d:output:0"}}};

// What x gives y:0, in graphs with variable "v", which starts at 0.
struct FunctionCase {
  std::string name;
  std::vector<N> nodes;
  std::vector<F> functions;
  std::vector<std::pair<Tensor, Tensor>> want;  // x -> y, in one session
  float variable = 0;                           // v afterwards
};
class Functions : public testing::TestWithParam<FunctionCase> {};

TEST_P(Functions, AreCalled) {
  Graph g;
  const absl::Status loaded = ImportGraphDef(File(GetParam().nodes, GetParam().functions), g);
  ASSERT_TRUE(loaded.ok()) << loaded;
  const Output v = NodeBuilder(g, "VarHandleOp", std::source_location::current())
                       .Attr("dtype", DT_FLOAT)
                       .Attr("shape", Shape())
                       .Attr("shared_name", "v")
                       .Name("the_variable")
                       .Build();
  const Operation reset = NodeBuilder("AssignVariableOp", {v, Const(g, 0.0f)}).BuildNode();
  const Output read = ReadVariable(v, DT_FLOAT);
  const std::string functional = *GraphDefBytes(g);
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Run({}, std::vector<Output>(), {reset}).ok());
  for (const auto& [x, y] : GetParam().want) {
    const auto got = session.RunByName({{"x", x}}, {"y"});
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(TensorsNear((*got)[0], y, 1e-6));
  }
  EXPECT_EQ(session.Run({}, read)->scalar<float>(), GetParam().variable);
  EXPECT_EQ(*GraphDefBytes(g), functional) << "running a graph changes it";
}

N If(DataType condition) {
  return {"y",
          "If",
          {"x", "one"},
          {{"Tcond", condition},
           {"Tin", Types({DT_FLOAT})},
           {"Tout", Types({DT_FLOAT})},
           {"then_branch", Fn("AddOne")},
           {"else_branch", Fn("Square_")}}};
}
const F kAddToV = {.name = "AddToV",
                   .args = {"v: resource", "a: float"},
                   .nodes = {{"add", "AssignAddVariableOp", {"v", "a"}, kOfFloat}},
                   .is_stateful = true};
const F kBelowThree = {.name = "BelowThree",
                       .args = {"v: resource"},
                       .results = {"r: bool"},
                       .nodes = {{"read", "ReadVariableOp", {"v"}, kOfFloat},
                                 Value("three", 3.0f),
                                 {"less", "Less", {"read:value:0", "three:output:0"}}},
                       .ret = {{"r", "less:z:0"}},
                       .is_stateful = true};
const F kIncrement = {.name = "Increment",
                      .args = {"v: resource"},
                      .results = {"r: resource"},
                      .nodes = {Value("one", 1.0f), {"add", "AssignAddVariableOp", {"v", "one:output:0"}, kOfFloat}},
                      .ret = {{"r", "v"}},
                      .is_stateful = true};

// r = 2 a + i.
const F kTwiceAndCount = {.name = "TwiceAndCount",
                          .args = {"i: int32", "a: float"},
                          .results = {"r: float"},
                          .nodes = {{"number", "Cast", {"i"}, {{"SrcT", DT_INT32}, {"DstT", DT_FLOAT}}},
                                    {"twice", "AddV2", {"a", "a"}},
                                    {"sum", "AddV2", {"twice:z:0", "number:y:0"}}},
                          .ret = {{"r", "sum:z:0"}}};
const F kAddIndex = {.name = "AddIndex",
                     .args = {"i: int32", "v: resource", "a: float"},
                     .results = {"r: resource", "s: float"},
                     .nodes = {{"number", "Cast", {"i"}, {{"SrcT", DT_INT32}, {"DstT", DT_FLOAT}}},
                               {"add", "AssignAddVariableOp", {"v", "number:y:0"}, kOfFloat}},
                     .ret = {{"r", "v"}, {"s", "a"}},
                     .is_stateful = true};
N For(std::vector<std::string> inputs) {
  return {"y", "For", std::move(inputs), {{"T", Types({DT_FLOAT})}, {"body", Fn("TwiceAndCount")}}};
}

std::vector<FunctionCase> FunctionCases() {
  return {
      {.name = "attributes",
       .nodes = {X(DT_DOUBLE),
                 {"y",
                  "PartitionedCall",
                  {"x", "x"},
                  {{"f", Fn("Sum", {{"T", DT_DOUBLE}, {"N", 2}})}, {"Tout", Types({DT_DOUBLE})}}}},
       .functions = {{.name = "Sum",
                      .args = {"a: N * T"},
                      .results = {"r: T"},
                      .nodes = {{"all", "AddN", {"a"}, {{"T", AttrPlaceholder{"T"}}, {"N", AttrPlaceholder{"N"}}}},
                                {"more", "AddV2", {"all:sum", "a:1"}, {{"T", AttrPlaceholder{"T"}}}}},
                      .ret = {{"r", "more:z"}},
                      .attrs = {"T: type", "N: int >= 1"}}},
       .want = {{Tensor(2.0), Tensor(6.0)}}},
      {.name = "a function as an attribute",
       .nodes = {X(), {"y", "Twice", {"x"}, {{"g", Fn("Square_")}}}},
       .functions =
           {{.name = "Twice",
             .args = {"a: float"},
             .results = {"r: float"},
             .nodes = {{"one", "PartitionedCall", {"a"}, {{"f", AttrPlaceholder{"g"}}, {"Tout", Types({DT_FLOAT})}}},
                       {"two",
                        "PartitionedCall",
                        {"one:output:0"},
                        {{"f", AttrPlaceholder{"g"}}, {"Tout", Types({DT_FLOAT})}}}},
             .ret = {{"r", "two:output:0"}},
             .attrs = {"g: func"}},
            kSquare},
       .want = {{3.0f, 81.0f}}},
      {.name = "lists",
       .nodes = {X(), Call("Halves")},
       .functions = {{.name = "Halves",
                      .args = {"a: float"},
                      .results = {"r: float"},
                      .nodes = {Value("zero", int32_t{0}),
                                {"split", "Split", {"zero:output:0", "a"}, {{"num_split", 2}}},
                                {"pack", "Pack", {"split:output"}, {{"N", 2}, {"axis", 1}}},
                                {"scaled", "Mul", {"pack:output:0", "split:output:1"}}},
                      .ret = {{"r", "scaled:z:0"}}}},
       .want = {{T({1, 2, 3, 4}), M({{3, 12}, {6, 16}})}}},
      {.name = "condition that is a number",
       .nodes = {X(), Value("one", 4.0f), If(DT_FLOAT)},
       .functions = {kAddOne, kSquare},
       .want = {{0.5f, 5.0f}, {0.0f, 16.0f}}},
      {.name = "condition that is a string",
       .nodes = {X(DT_STRING), Value("one", 4.0f), If(DT_STRING)},
       .functions = {kAddOne, kSquare},
       .want = {{"a", 5.0f}, {"", 16.0f}}},
      {.name = "one branch",
       .nodes = {X(DT_INT32),
                 Value("one", 4.0f),
                 {"y",
                  "Case",
                  {"x", "one"},
                  {{"Tout", Types({DT_FLOAT})}, {"branches", std::vector<FunctionRef>{{"AddOne", nullptr}}}}}},
       .functions = {kAddOne},
       .want = {{int32_t{0}, 5.0f}, {int32_t{-7}, 5.0f}}},
      {.name = "loop over a variable alone",
       .nodes = {X(),
                 Handle(),
                 {"loop", "While", {"v"}, {{"cond", Fn("BelowThree")}, {"body", Fn("Increment")}}},
                 {"read", "ReadVariableOp", {"loop"}, kOfFloat},
                 {"y", "AddV2", {"read", "x"}}},
       .functions = {kBelowThree, kIncrement},
       .want = {{10.0f, 13.0f}, {10.0f, 13.0f}},
       .variable = 3},
      {.name = "counting up",
       .nodes = {X(), Value("start", 0), Value("limit", 3), Value("delta", 1), For({"start", "limit", "delta", "x"})},
       .functions = {kTwiceAndCount},
       .want = {{1.0f, 12.0f}, {0.0f, 4.0f}}},
      {.name = "counting by more than one",
       .nodes = {X(), Value("start", 0), Value("limit", 5), Value("delta", 2), For({"start", "limit", "delta", "x"})},
       .functions = {kTwiceAndCount},
       .want = {{1.0f, 16.0f}}},
      {.name = "counting down to a limit that is fed",
       .nodes = {X(DT_INT32), Value("start", 3), Value("delta", -1), Value("one", 1.0f),
                 For({"start", "x", "delta", "one"})},
       .functions = {kTwiceAndCount},
       .want = {{0, 25.0f}, {3, 1.0f}, {2, 5.0f}}},
      {.name = "counting nowhere",
       .nodes = {X(), Value("start", 2), Value("limit", 2), Value("delta", 0), For({"start", "limit", "delta", "x"})},
       .functions = {kTwiceAndCount},
       .want = {{1.0f, 1.0f}}},
      {.name = "counting what stays as it is",
       .nodes = {X(),
                 Handle(),
                 Value("start", 0),
                 Value("limit", 3),
                 Value("delta", 1),
                 {"loop",
                  "For",
                  {"start", "limit", "delta", "v", "x"},
                  {{"T", Types({DT_RESOURCE, DT_FLOAT})}, {"body", Fn("AddIndex")}}},
                 {"read", "ReadVariableOp", {"loop"}, kOfFloat},
                 {"y", "AddV2", {"read", "loop:1"}}},
       .functions = {kAddIndex},
       .want = {{10.0f, 13.0f}},
       .variable = 3},
      {.name = "effects of a call that gives nothing",
       .nodes = {X(),
                 Handle(),
                 {"call", "StatefulPartitionedCall", {"v", "x"}, {{"f", Fn("AddToV")}, {"Tout", EmptyList()}}},
                 {"y", "ReadVariableOp", {"v", "^call"}, kOfFloat}},
       .functions = {kAddToV},
       .want = {{2.0f, 2.0f}, {3.0f, 5.0f}},
       .variable = 5},
      {.name = "control output and control argument",
       .nodes = {X(),
                 Handle(),
                 {"y", "StatefulPartitionedCall", {"v", "x"}, {{"f", Fn("F")}, {"Tout", Types({DT_FLOAT})}}}},
       .functions = {{.name = "F",
                      .args = {"v: resource", "a: float"},
                      .results = {"r: float"},
                      .nodes = {{"ten", "Const", {"^a"}, {{"dtype", DT_FLOAT}, {"value", Tensor(10.0f)}}},
                                {"nothing", "NoOp", {"^inner"}},
                                {"inner", "AddToV", {"v", "ten:output:0"}}},
                      .ret = {{"r", "ten:output:0"}},
                      .control_ret = {"nothing"}},
                     kAddToV},
       .want = {{2.0f, 10.0f}},
       .variable = 10},
      {.name = "an untaken branch runs nothing",
       .nodes = {X(DT_BOOL),
                 Handle(),
                 Value("one", 1.0f),
                 {"y",
                  "If",
                  {"x", "v", "one"},
                  {{"Tcond", DT_BOOL},
                   {"Tout", Types({DT_FLOAT})},
                   {"then_branch", Fn("Fails")},
                   {"else_branch", Fn("Adds")}}}},
       .functions = {{.name = "Fails",
                      .args = {"v: resource", "a: float"},
                      .results = {"r: float"},
                      .nodes = {Value("no", false), {"assert", "Assert", {"no:output:0", "a"}}},
                      .ret = {{"r", "a"}},
                      .is_stateful = true},
                     {.name = "Adds",
                      .args = {"v: resource", "a: float"},
                      .results = {"r: float"},
                      .nodes = {{"add", "AddToV", {"v", "a"}}},
                      .ret = {{"r", "a"}},
                      .is_stateful = true},
                     kAddToV},
       .want = {{false, 1.0f}, {false, 1.0f}},
       .variable = 2},
      {.name = "state without a name is shared by all calls",
       .nodes = {X(), {"a", "Count", {"x"}}, {"b", "Count", {"x", "^a"}}, {"y", "AddV2", {"a", "b"}}},
       .functions = {{.name = "Count",
                      .args = {"a: float"},
                      .results = {"r: float"},
                      .nodes = {{"v", "VarHandleOp", {}, {{"dtype", DT_FLOAT}, {"shape", Shape()}}},
                                {"add", "AssignAddVariableOp", {"v:resource:0", "a"}, kOfFloat},
                                {"read", "ReadVariableOp", {"v:resource:0", "^add"}, kOfFloat}},
                      .ret = {{"r", "read:value:0"}},
                      .is_stateful = true}},
       .want = {{1.0f, 3.0f}, {2.0f, 10.0f}},
       .variable = 6},
      {.name = "one result without the others",
       .nodes = {X(),
                 {"pair", "PartitionedCall", {"x"}, {{"f", Fn("Pair")}, {"Tout", Types({DT_FLOAT, DT_FLOAT})}}},
                 {"y", "Neg", {"pair:1"}}},
       .functions = {{.name = "Pair",
                      .args = {"a: float"},
                      .results = {"p: float", "q: float"},
                      .nodes = {{"never_fed", "Placeholder", {}, {{"dtype", DT_FLOAT}}}},
                      .ret = {{"p", "never_fed:output:0"}, {"q", "a"}}}},
       .want = {{4.0f, -4.0f}}},
      {.name = "frames of loops in a body",
       .nodes = {X(), {"a", "Doubled", {"x"}}, {"y", "Doubled", {"a"}}},
       .functions = {{.name = "Doubled",
                      .args = {"a: float"},
                      .results = {"r: float"},
                      .nodes = {{"enter", "Enter", {"a"}, {{"frame_name", "frame"}}},
                                {"merge", "Merge", {"enter:output:0", "next:output:0"}, {{"N", 2}, {"T", DT_FLOAT}}},
                                Value("limit", 100.0f, {"^merge"}),
                                {"less", "Less", {"merge:output:0", "limit:output:0"}},
                                {"goes_on", "LoopCond", {"less:z:0"}},
                                {"switch", "Switch", {"merge:output:0", "goes_on:output:0"}},
                                {"sum", "AddV2", {"switch:output_true:0", "switch:output_true:0"}},
                                {"next", "NextIteration", {"sum:z:0"}},
                                {"exit", "Exit", {"switch:output_false:0"}}},
                      .ret = {{"r", "exit:output:0"}}}},
       .want = {{3.0f, 192.0f}, {200.0f, 200.0f}}},
      {.name = "the gradient of a function",
       .nodes = {X(), Call("Square_", {"x", "x"}, "SymbolicGradient")},
       .functions = {kSquare},
       .want = {{3.0f, 18.0f}}},
      {.name = "the gradient of an op",
       .nodes = {X(),
                 {"y",
                  "SymbolicGradient",
                  {"x", "x"},
                  {{"f", Fn("Square", {{"T", DT_FLOAT}})}, {"Tout", Types({DT_FLOAT})}}}},
       .functions = {},
       .want = {{3.0f, 18.0f}}},
      {.name = "the gradient of a gradient",
       .nodes = {X(), Call("F", {"x", "x"}, "SymbolicGradient")},
       .functions = {kSquare, kGradientOfSquare},
       .want = {{3.0f, 36.0f}}},
      {.name = "the gradient by what is not used",
       .nodes = {X(), Call("F", {"x", "x"}, "SymbolicGradient")},
       .functions = {{.name = "F",
                      .args = {"a: float"},
                      .results = {"r: float"},
                      .nodes = {Value("one", 1.0f)},
                      .ret = {{"r", "one:output:0"}}}},
       .want = {{3.0f, 0.0f}}},
  };
}

INSTANTIATE_TEST_SUITE_P(All, Functions, testing::ValuesIn(FunctionCases()), [](const auto& info) {
  std::string name = info.param.name;
  for (char& c : name) c = c == ' ' ? '_' : c;
  return name;
});

// A graph that must fail: when it is loaded, or when y:0 is fetched.
struct BadCase {
  std::string name;
  std::vector<N> nodes;
  std::vector<F> functions;
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

F Returning(std::string source, std::vector<N> nodes) {
  return {.name = "F",
          .args = {"a: float"},
          .results = {"r: float"},
          .nodes = std::move(nodes),
          .ret = {{"r", std::move(source)}}};
}

std::vector<BadCase> BadCases() {
  const N mul = {"mul", "Mul", {"a", "a"}};
  const F two = {.name = "F", .args = {"a: float", "b: float"}, .results = {"r: float"}, .ret = {{"r", "a"}}};
  const F ints = {.name = "F", .args = {"a: int32"}, .results = {"r: int32"}, .ret = {{"r", "a"}}};
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
std::vector<F> Doubling(int depth) {
  std::vector<F> functions;
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
  EXPECT_THAT(g.status().message(), HasSubstr("function 'Square_' (functions_test.cc:"));
  Graph other;
  EXPECT_TRUE(CallFunction(other, "None", {}).empty());
  EXPECT_EQ(other.status().code(), absl::StatusCode::kNotFound);
}

TEST(Explain, SpeaksOfTheNodesOfBodies) {
  Graph g;
  N x = X();
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
  N x = X();
  x.attrs["shape"] = Shape({2, 3});
  ASSERT_TRUE(ImportGraphDef(File({x, Call("AddOne"), {"z", "Neg", {"y"}}}, {kAddOne}), g).ok());
  EXPECT_EQ(g.FindOutput("z")->shape(), Shape::Unknown());
  Node* call = g.FindNode("y");
  ASSERT_TRUE(InlineCalls(g, {&call, 1}).ok());
  EXPECT_EQ(g.FindOutput("z")->shape(), Shape({2, 3}));
}

TEST(Gradients, InlineOnlyTheCallsOnTheWay) {
  Graph g;
  N other = Call("AddOne");
  other.name = "other";
  N after = Call("Square_", {"y"});
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
  const F square_and_count = {.name = "TwiceAndCount",
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
  std::vector<F> functions;
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
