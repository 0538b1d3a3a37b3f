#include "ops/functions.h"

#include "graph/graph_def.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/state.h"
#include "runtime/session.h"
#include "tests/op_test.h"
#include "tests/ops/function_file.h"

namespace staticflow {
namespace {

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

// What x gives y:0, in graphs with variable "v", which starts at 0.
struct FunctionCase {
  std::string name;
  std::vector<FileNode> nodes;
  std::vector<FileFunction> functions;
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

const FileFunction kAddToV = {.name = "AddToV",
                              .args = {"v: resource", "a: float"},
                              .nodes = {{"add", "AssignAddVariableOp", {"v", "a"}, kOfFloat}},
                              .is_stateful = true};
const FileFunction kBelowThree = {.name = "BelowThree",
                                  .args = {"v: resource"},
                                  .results = {"r: bool"},
                                  .nodes = {{"read", "ReadVariableOp", {"v"}, kOfFloat},
                                            Value("three", 3.0f),
                                            {"less", "Less", {"read:value:0", "three:output:0"}}},
                                  .ret = {{"r", "less:z:0"}},
                                  .is_stateful = true};
const FileFunction kIncrement = {
    .name = "Increment",
    .args = {"v: resource"},
    .results = {"r: resource"},
    .nodes = {Value("one", 1.0f), {"add", "AssignAddVariableOp", {"v", "one:output:0"}, kOfFloat}},
    .ret = {{"r", "v"}},
    .is_stateful = true};

const FileFunction kAddIndex = {.name = "AddIndex",
                                .args = {"i: int32", "v: resource", "a: float"},
                                .results = {"r: resource", "s: float"},
                                .nodes = {{"number", "Cast", {"i"}, {{"SrcT", DT_INT32}, {"DstT", DT_FLOAT}}},
                                          {"add", "AssignAddVariableOp", {"v", "number:y:0"}, kOfFloat}},
                                .ret = {{"r", "v"}, {"s", "a"}},
                                .is_stateful = true};
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

}  // namespace
}  // namespace staticflow
