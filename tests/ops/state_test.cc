#include "ops/state.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "graph/graph_def.h"
#include "graph/variable_key.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/stack.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using testing::ElementsAre;

INSTANTIATE_OP_TEST(
    Assign,
    {{.name = "vector",
      .op = "Assign",
      .inputs = {T({1, 2}), T({3, 4})},
      .want = {T({3, 4})},
      .want_variables = {T({3, 4})}},
     {.name = "strings", .inputs = {Tensor("a"), Tensor("b")}, .want = {Tensor("b")}, .want_variables = {Tensor("b")}},
     {.name = "bool", .inputs = {Tensor(false), Tensor(true)}, .want_variables = {Tensor(true)}},
     {.name = "no elements", .inputs = {T({}), T({})}, .want_variables = {T({})}},
     {.name = "other shape", .inputs = {T({1, 2}), T({3})}, .want_error = "shape"},
     {.name = "other shape unchecked",
      .inputs = {T({1, 2}), T({3})},
      .attrs = {{"validate_shape", false}},
      .want_error = "shape"},
     {.name = "other type", .inputs = {T({1}), T<int32_t>({3})}, .want_error = "T"}});

INSTANTIATE_OP_TEST(
    AssignAdd,
    {{.name = "vector", .inputs = {T({1, 2}), T({0.5, -4})}, .want = {T({1.5, -2})}, .want_variables = {T({1.5, -2})}},
     {.name = "int64", .inputs = {Tensor(int64_t{40}), Tensor(int64_t{2})}, .want = {Tensor(int64_t{42})}},
     {.name = "wraps", .inputs = {T<int8_t>({127}), T<int8_t>({1})}, .want = {T<int8_t>({-128})}},
     {.name = "half", .inputs = {As<Half>({1}), As<Half>({0.5})}, .want_variables = {As<Half>({1.5})}},
     {.name = "no elements", .inputs = {T({}), T({})}, .want_variables = {T({})}},
     {.name = "does not broadcast", .inputs = {T({1, 2}), Tensor(1.0f)}, .want_error = "[2]"},
     {.name = "bool", .inputs = {Tensor(true), Tensor(true)}, .want_error = "T"}});

INSTANTIATE_OP_TEST(
    AssignSub, {{.name = "vector",
                 .op = "AssignSub",
                 .inputs = {T({1, 2}), T({0.5, -4})},
                 .want = {T({0.5, 6})},
                 .want_variables = {T({0.5, 6})}},
                {.name = "uint8 wraps", .inputs = {T<uint8_t>({0}), T<uint8_t>({1})}, .want = {T<uint8_t>({255})}}});

INSTANTIATE_OP_TEST(AssignVariableOp,
                    {{.name = "vector", .inputs = {T({1, 2}), T({3, 4})}, .want_variables = {T({3, 4})}},
                     {.name = "other shape", .inputs = {T({1, 2}), T({3})}, .want_error = "shape"},
                     {.name = "other type", .inputs = {T({1}), T<int32_t>({3})}, .want_error = "float"}});

INSTANTIATE_OP_TEST(AssignAddVariableOp,
                    {{.name = "vector", .inputs = {T({1, 2}), T({3, 4})}, .want_variables = {T({4, 6})}},
                     {.name = "other shape", .inputs = {T({1, 2}), T({3})}, .want_error = "[2]"}});

INSTANTIATE_OP_TEST(AssignSubVariableOp,
                    {{.name = "vector", .inputs = {T({1, 2}), T({3, 4})}, .want_variables = {T({-2, -2})}}});

INSTANTIATE_OP_TEST(Inspect,
                    {{.name = "reference", .op = "IsVariableInitialized", .inputs = {T({1})}, .want = {Tensor(true)}},
                     {.name = "handle", .op = "VarIsInitializedOp", .inputs = {T({1})}, .want = {Tensor(true)}},
                     {.name = "read",
                      .op = "ReadVariableOp",
                      .inputs = {T({1, 2})},
                      .attrs = {{"dtype", DT_FLOAT}},
                      .want = {T({1, 2})}},
                     {.name = "shape", .op = "VariableShape", .inputs = {M({{1, 2}})}, .want = {T<int32_t>({1, 2})}},
                     {.name = "shape of a scalar",
                      .op = "VariableShape",
                      .inputs = {Tensor(1.0f)},
                      .attrs = {{"out_type", DT_INT64}},
                      .want = {T<int64_t>({})}}});

INSTANTIATE_OP_TEST(
    CountUpTo, {{.name = "counts",
                 .op = "CountUpTo",
                 .inputs = {Tensor(1)},
                 .attrs = {{"limit", int64_t{2}}},
                 .want = {Tensor(1)},
                 .want_variables = {Tensor(2)}},
                {.name = "limit", .inputs = {Tensor(2)}, .attrs = {{"limit", int64_t{2}}}, .want_error = "limit of 2"},
                {.name = "handle",
                 .op = "ResourceCountUpTo",
                 .inputs = {Tensor(int64_t{5})},
                 .attrs = {{"limit", int64_t{9}}, {"T", DT_INT64}},
                 .want = {Tensor(int64_t{5})},
                 .want_variables = {Tensor(int64_t{6})}}});

// Nodes as files have them: each kind of declaration, with and without a name of its own in the store.
TEST(Declarations, NameTheirSlot) {
  Graph g;
  const auto declare = [&](const char* type, const Shape& shape, const char* shared_name) {
    return NodeBuilder(g, type, std::source_location::current())
        .Attr("dtype", DT_FLOAT)
        .Attr("shape", shape)
        .Attr("shared_name", shared_name)
        .Build();
  };
  const Output plain = declare("VariableV2", {2}, "");
  const Output shared = declare("VarHandleOp", {2}, "VariableV2");
  EXPECT_EQ(VariableKey(*plain.node()), "VariableV2");
  EXPECT_EQ(VariableKey(*shared.node()), "VariableV2");
  EXPECT_EQ(VariableBehind(Identity(shared)), shared.node());
  EXPECT_EQ(VariableBehind(Identity(plain)), nullptr);
  // The old form says [] when it knows nothing.
  EXPECT_FALSE(declare("Variable", {}, "").shape().has_rank());
  EXPECT_TRUE(declare("VariableV2", {}, "").shape().IsScalar());

  Session session(g);
  ASSERT_TRUE(session.Run({}, std::vector<Output>(), {Assign(plain, Const(g, T({1, 2})))}).ok());
  const auto value = session.Run({}, ReadVariable(shared, DT_FLOAT));
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_TRUE(BitwiseEqual(*value, T({1, 2})));
}

// Of several variables that a Merge passes on, the step takes the one that lives; what is gathered from several must be
// known before the step.
TEST(Declarations, AreUnknownWhereTheStepChooses) {
  Graph g;
  const Variable v = NewVariable(g, T({1, 2}), {.name = "v", .use_resource = true});
  const Variable w = NewVariable(g, T({3, 4}), {.name = "w", .use_resource = true});
  const Output is_w = Placeholder(g, {.dtype = DT_BOOL, .shape = {}, .name = "is_w"});
  const SwitchOutputs from_v = Switch(v.ref(), is_w), from_w = Switch(w.ref(), is_w);
  EXPECT_EQ(VariableBehind(Merge({from_v.output_false, from_v.output_true}).output), v.ref().node());
  const Output chosen = Merge({from_v.output_false, from_w.output_true}).output;
  EXPECT_EQ(VariableBehind(chosen), nullptr);
  const Output stacked = Gather(Stack({v.ref(), w.ref()}), Const(g, Tensor(int32_t{1})));
  EXPECT_EQ(VariableBehind(stacked), nullptr);
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  const auto value = session.Run({{is_w, Tensor(true)}}, ReadVariable(stacked, DT_FLOAT));
  EXPECT_EQ(value.status().code(), absl::StatusCode::kUnimplemented) << value.status();
  const Output read = ReadVariable(chosen, DT_FLOAT);
  const Operation write = NodeBuilder("AssignVariableOp", {chosen, Mul(read, 10)}).BuildNode();
  ASSERT_TRUE(g.status().ok()) << g.status();
  for (const bool takes_w : {false, true}) {
    ASSERT_TRUE(session.Run({{is_w, Tensor(takes_w)}}, {}, {write}).ok());
  }
  EXPECT_TRUE(BitwiseEqual(*session.Run({{is_w, Tensor(false)}}, read), T({10, 20})));
  EXPECT_TRUE(BitwiseEqual(*session.Run({{is_w, Tensor(true)}}, read), T({30, 40})));
}

// A loop whose body hands its variables on in another order.
constexpr char kSwappingLoop[] = R"(
  node { name: "v" op: "VarHandleOp" attr { key: "dtype" value { type: DT_FLOAT } }
         attr { key: "shape" value { shape {} } } }
  node { name: "w" op: "VarHandleOp" attr { key: "dtype" value { type: DT_FLOAT } }
         attr { key: "shape" value { shape {} } } }
  node { name: "i" op: "Placeholder" attr { key: "dtype" value { type: DT_INT32 } } }
  node { name: "loop" op: "While" input: "i" input: "v" input: "w"
         attr { key: "T" value { list { type: DT_INT32 type: DT_RESOURCE type: DT_RESOURCE } } }
         attr { key: "cond" value { func { name: "cond" } } } attr { key: "body" value { func { name: "body" } } } }
  library {
    function {
      signature { name: "cond" input_arg { name: "i" type: DT_INT32 } input_arg { name: "a" type: DT_RESOURCE }
                  input_arg { name: "b" type: DT_RESOURCE } output_arg { name: "more" type: DT_BOOL } }
      node_def { name: "less" op: "Less" input: "i" input: "i" attr { key: "T" value { type: DT_INT32 } } }
      ret { key: "more" value: "less:z:0" } }
    function {
      signature { name: "body" input_arg { name: "i" type: DT_INT32 } input_arg { name: "a" type: DT_RESOURCE }
                  input_arg { name: "b" type: DT_RESOURCE } output_arg { name: "j" type: DT_INT32 }
                  output_arg { name: "c" type: DT_RESOURCE } output_arg { name: "d" type: DT_RESOURCE } }
      ret { key: "j" value: "i" } ret { key: "c" value: "b" } ret { key: "d" value: "a" } } })";
TEST(Declarations, AreTheSameInAllIterations) {
  Graph g;
  const absl::Status imported = ImportGraphDefText(kSwappingLoop, g);
  ASSERT_TRUE(imported.ok()) << imported;
  Session session(g);
  const auto value = session.Run({{g.FindNode("i")->output(0), Tensor(0)}}, g.FindNode("loop")->output(0));
  EXPECT_EQ(value.status().code(), absl::StatusCode::kUnimplemented) << value.status();
}

// A variable without a fixed shape takes any when it is not to be validated.
TEST(Declarations, TakeAnyShapeWhenNoneIsFixed) {
  Graph g;
  const Variable v = NewVariable(g, Tensor(1.0f), {.name = "v", .validate_shape = false});
  const Output value = Placeholder(g, {.name = "value"});
  const Output assign = Assign(v.ref(), value, {.validate_shape = false});
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  for (const Tensor& tensor : {T({1, 2, 3}), M({{1}, {2}}), T({})}) {
    const absl::Status status = session.Run({{value, tensor}}, std::vector<Output>(), {assign}).status();
    ASSERT_TRUE(status.ok()) << status;
    const auto got = session.Run({}, v.snapshot);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(BitwiseEqual(*got, tensor));
  }
}

std::vector<std::string> NodeNames(const Graph& g) {
  std::vector<std::string> names;
  for (const auto& node : g.nodes()) names.push_back(node->name() + " " + node->type());
  return names;
}

Initializer Ones() {
  return
      [](Graph& g, DataType dtype, const Shape& shape) { return staticflow::Ones(g, dtype, shape, {.name = "ones"}); };
}

TEST(GetVariable, NamesItsNodesAsTensorFlow) {
  Graph g;
  {
    VariableScope scope(g, "d");
    GetVariable(g, "w", {.shape = {2}, .initializer = Ones()});
  }
  EXPECT_EQ(NodeNames(g), (std::vector<std::string>{"d/w/Initializer/ones Const", "d/w VariableV2", "d/w/Assign Assign",
                                                    "d/w/read Identity"}));
  ASSERT_EQ(g.variables(kGlobalVariables).size(), 1u);
  ASSERT_EQ(g.variables(kTrainableVariables).size(), 1u);
  EXPECT_EQ(VariableKey(*g.variables()[0].variable), "d/w");
}

TEST(GetVariable, NamesTheNodesOfAResourceAsTensorFlow) {
  Graph g;
  GetVariable(g, "w", {.shape = {2}, .initializer = Ones(), .trainable = false, .use_resource = true});
  EXPECT_EQ(NodeNames(g),
            (std::vector<std::string>{"w/Initializer/ones Const", "w VarHandleOp",
                                      "w/IsInitialized/VarIsInitializedOp VarIsInitializedOp",
                                      "w/Assign AssignVariableOp", "w/Read/ReadVariableOp ReadVariableOp"}));
  EXPECT_TRUE(g.variables(kTrainableVariables).empty());
}

TEST(GetVariable, InitializesWithGlorotByDefault) {
  Graph g;
  const Variable w = GetVariable(g, "w", {.shape = {100, 50}});
  EXPECT_EQ(w.initial_value.name(), "w/Initializer/random_uniform:0");
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  const absl::StatusOr<Tensor> value = session.Run({}, w.snapshot);
  ASSERT_TRUE(value.ok()) << value.status();
  float largest = 0;
  for (float x : value->flat<float>()) largest = std::max(largest, std::abs(x));
  EXPECT_LE(largest, 0.2f);
  EXPECT_GT(largest, 0.19f);
}

TEST(GetVariable, SharesWhatTheScopeAllows) {
  Graph g;
  const Variable first = GetVariable(g, "w", {.shape = {2}});
  VariableScope scope(g, "", {.reuse = Reuse::kAutoReuse});
  EXPECT_EQ(GetVariable(g, "w").variable, first.variable);
  EXPECT_NE(GetVariable(g, "v", {.shape = {2}}).variable, first.variable);
  ASSERT_TRUE(g.status().ok()) << g.status();
}

TEST(GetVariable, StandsOutsideOfBranchesAndScopes) {
  Graph g;
  const Output pred = Placeholder(g, {.dtype = DT_BOOL, .shape = {}});
  Variable w;
  Cond(
      pred,
      [&] {
        w = GetVariable(g, "w", {.shape = {}});
        return w.snapshot;
      },
      [&] { return Const(g, 1.0f); });
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_EQ(w.variable->context(), nullptr);
  EXPECT_TRUE(w.initializer->control_inputs().empty());
  EXPECT_EQ(w.name(), "w");
}

struct ScopeError {
  const char* name;
  void (*build)(Graph& g);
  const char* want;
};
class GetVariableErrors : public testing::TestWithParam<ScopeError> {};
TEST_P(GetVariableErrors, AreReported) {
  Graph g;
  GetVariable(g, "w", {.shape = {2, 3}});
  GetParam().build(g);
  EXPECT_EQ(g.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(g.status().message()), testing::HasSubstr(GetParam().want));
  EXPECT_THAT(std::string(g.status().message()), testing::HasSubstr("(state_test.cc:"));
}
INSTANTIATE_TEST_SUITE_P(GetVariable, GetVariableErrors,
                         testing::Values(ScopeError{"second",
                                                    [](Graph& g) {
                                                      GetVariable(g, "w", {.shape = {2, 3}});
                                                    },
                                                    "made at state_test.cc:"},
                                         ScopeError{"shape",
                                                    [](Graph& g) {
                                                      VariableScope scope(g, "", {.reuse = Reuse::kReuse});
                                                      GetVariable(g, "w", {.shape = {3, 2}});
                                                    },
                                                    "[3,2]"},
                                         ScopeError{"dtype",
                                                    [](Graph& g) {
                                                      VariableScope scope(g, "", {.reuse = Reuse::kReuse});
                                                      GetVariable(g, "w", {.dtype = DT_DOUBLE});
                                                    },
                                                    "double"},
                                         ScopeError{"missing",
                                                    [](Graph& g) {
                                                      VariableScope scope(g, "", {.reuse = Reuse::kReuse});
                                                      GetVariable(g, "v", {.shape = {1}});
                                                    },
                                                    "does not exist"},
                                         ScopeError{"partial",
                                                    [](Graph& g) {
                                                      GetVariable(g, "v", {.shape = {-1, 2}});
                                                    },
                                                    "[?,2]"},
                                         ScopeError{"initializer",
                                                    [](Graph& g) {
                                                      GetVariable(g, "v",
                                                                  {.shape = {2},
                                                                   .initializer = [](Graph& g, DataType, const Shape&) {
                                                                     return Const(g, 1);
                                                                   }});
                                                    },
                                                    "int32"}),
                         [](const auto& info) { return info.param.name; });

TEST(NewVariable, NamesItsNodesAsTensorFlow) {
  Graph g;
  NewVariable(g, Const(g, 1.0f, {.name = "zero"}), {.name = "b"});
  const Variable second = NewVariable(g, Tensor(2.0f), {.name = "b"});
  EXPECT_EQ(NodeNames(g), (std::vector<std::string>{"zero Const", "b VariableV2", "b/Assign Assign", "b/read Identity",
                                                    "b_1/initial_value Const", "b_1 VariableV2", "b_1/Assign Assign",
                                                    "b_1/read Identity"}));
  EXPECT_EQ(second.name(), "b_1");
}

TEST(Initializers, RunAllInOneOperation) {
  Graph g;
  const Variable a = NewVariable(g, Tensor(1.0f), {.name = "a"});
  const Variable b = NewVariable(g, Tensor(2.0f), {.name = "b", .collections = {std::string(kLocalVariables)}});
  const Operation init = GlobalVariablesInitializer(g);
  EXPECT_EQ(init.name(), "init");
  EXPECT_THAT(std::vector<Node*>(init.node()->control_inputs().begin(), init.node()->control_inputs().end()),
              ElementsAre(a.initializer));
  Session session(g);
  ASSERT_TRUE(session.Run({}, std::vector<Output>(), {init}).ok());
  EXPECT_TRUE(session.Run({}, a.snapshot).ok());
  const absl::Status status = session.Run({}, b.snapshot).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("b"));
  ASSERT_TRUE(session.Run({}, std::vector<Output>(), {LocalVariablesInitializer(g)}).ok());
  EXPECT_TRUE(session.Run({}, b.snapshot).ok());
}

TEST(Effects, FollowTheEdges) {
  for (const bool use_resource : {false, true}) {
    Graph g;
    const Variable v = NewVariable(g, Tensor(1.0f), {.name = "v", .use_resource = use_resource});
    const Output before = Identity(v.snapshot);
    Output after;
    {
      const ControlDependencies first(g, {before});
      const Output added = AssignAdd(v.ref(), 10.0f);
      const ControlDependencies then(g, {added});
      after = use_resource ? ReadVariable(v.ref(), DT_FLOAT) : Identity(v.ref());
    }
    Session session(g);
    ASSERT_TRUE(session.Initialize().ok());
    const auto values = session.Run({}, {before, after});
    ASSERT_TRUE(values.ok()) << values.status();
    EXPECT_EQ((*values)[0].scalar<float>(), 1);
    EXPECT_EQ((*values)[1].scalar<float>(), 11);
  }
}

TEST(GlobalStep, IsMadeOnce) {
  Graph g;
  EXPECT_FALSE(GlobalStep(g).valid());
  VariableScope scope(g, "elsewhere");
  const Variable step = GetOrCreateGlobalStep(g);
  EXPECT_EQ(step.name(), "global_step");
  EXPECT_EQ(step.dtype, DT_INT64);
  EXPECT_EQ(GetOrCreateGlobalStep(g).variable, step.variable);
  EXPECT_EQ(GlobalStep(g), step.ref());
}

TEST(DestroyResourceOp, TakesTheValueAway) {
  Graph g;
  const Variable v = GetVariable(g, "v", {.shape = {2}, .use_resource = true});
  const Operation destroy = NodeBuilder("DestroyResourceOp", {v.ref()}).BuildNode();
  const Operation strict = NodeBuilder("DestroyResourceOp", {v.ref()}).Attr("ignore_lookup_error", false).BuildNode();
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  EXPECT_TRUE(session.Run({}, v.snapshot).ok());
  EXPECT_TRUE(session.Run({}, {}, {strict}).ok());
  EXPECT_EQ(session.Run({}, v.snapshot).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(session.Run({}, {}, {strict}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(session.Run({}, {}, {destroy}).ok());
  ASSERT_TRUE(session.Initialize().ok());
  EXPECT_TRUE(session.Run({}, v.snapshot).ok());
}

// A file may hold such a handle; the plan cannot tell its variable.
TEST(Handles, ThatAreComputedAreAnError) {
  Graph g;
  const Variable v = NewVariable(g, Tensor(1.0f), {.name = "v", .use_resource = true});
  const Output stack = StackV2(Const(g, Tensor(int32_t{-1})), DT_RESOURCE);
  const ControlDependencies pushed(g, {StackPush(stack, v.ref())});
  const Output handle = StackPop(stack, DT_RESOURCE);
  const Output read = ReadVariable(handle, DT_FLOAT);
  const Operation update = NodeBuilder("AssignAddVariableOp", {handle, v.snapshot}).BuildNode();
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  EXPECT_EQ(session.Run({}, read).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(session.Run({}, {}, {update}).status().code(), absl::StatusCode::kUnimplemented);
}

Output TemporaryVariable(Graph& g, const Shape& shape, const std::string& var_name) {
  return NodeBuilder(g, "TemporaryVariable", std::source_location::current())
      .Attr("shape", shape)
      .Attr("dtype", DT_FLOAT)
      .Attr("var_name", var_name)
      .Name("temporary")
      .Build();
}
Output DestroyTemporary(Output ref, const std::string& var_name) {
  return NodeBuilder("DestroyTemporaryVariable", {ref}).Attr("var_name", var_name).Build();
}

TEST(TemporaryVariable, LivesForOneStep) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {2}});
  const Output ref = TemporaryVariable(g, {2}, "sum");
  const Output first = NodeBuilder("Assign", {ref, x}).Build();
  const Output second = NodeBuilder("AssignAdd", {first, x}).Build();
  const Output value = DestroyTemporary(second, "sum");
  const Output read = NodeBuilder("Identity", {ref}).Build();
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_EQ(value.shape(), Shape({2}));
  Session session(g, {.threads = 1});
  for (float scale : {1.0f, 3.0f}) {
    const auto got = session.Run({{x, T({scale, 2 * scale})}}, value);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(TensorsNear(*got, T({2 * scale, 4 * scale}), 0));
    EXPECT_EQ(session.Run({}, read).status().code(), absl::StatusCode::kFailedPrecondition) << "nothing is left";
  }
}

TEST(TemporaryVariable, IsKnownByItsName) {
  Graph g;
  const Output ref = NodeBuilder("Assign", {TemporaryVariable(g, {}, ""), Const(g, 1.0f)}).Build();
  const Output by_node = DestroyTemporary(ref, "temporary"), by_another = DestroyTemporary(ref, "other");
  const Variable v = GetVariable(g, "v", {.shape = {2}});
  const Output of_variable = DestroyTemporary(v.ref(), "v");
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  EXPECT_EQ(session.Run({}, by_node)->scalar<float>(), 1);
  EXPECT_EQ(session.Run({}, by_another).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(session.Run({}, of_variable).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(session.Run({}, v.snapshot).ok()) << "and it keeps its value";
}

}  // namespace
}  // namespace staticflow
