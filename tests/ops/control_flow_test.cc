#include "ops/control_flow.h"

#include <gmock/gmock.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "graph/control_flow.h"
#include "graph/gradients.h"
#include "graph/graph_def.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/state.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

INSTANTIATE_OP_TEST(Print, {{.name = "passes on", .inputs = {T({1, 2}), Tensor("a")}, .want = {T({1, 2})}}});

// "name Type inputs ^control inputs" of the nodes from `first` on.
std::vector<std::string> NodeLines(const Graph& g, int first) {
  std::vector<std::string> lines;
  for (int i = first; i < g.num_nodes(); ++i) {
    const Node& node = *g.nodes()[i];
    std::string line = absl::StrCat(node.name(), " ", node.type());
    for (Output input : node.inputs()) absl::StrAppend(&line, " ", input.name());
    for (Node* control : node.control_inputs()) absl::StrAppend(&line, " ^", control->name());
    lines.push_back(line);
  }
  return lines;
}

struct Inputs {
  explicit Inputs(Graph& g)
      : p(Placeholder(g, {.dtype = DT_BOOL, .shape = {}, .name = "p"})),
        q(Placeholder(g, {.dtype = DT_BOOL, .shape = {}, .name = "q"})),
        x(Placeholder(g, {.shape = {}, .name = "x"})),
        v(NewVariable(g, Tensor(1.0f), {.name = "v"})) {}
  Output p, q, x;
  Variable v;
};

// The nodes that TensorFlow 2.21 makes of the same conds, tf.cond with Switch and Merge.
TEST(Cond, NamesItsNodesAsTensorFlow) {
  Graph g;
  Inputs in(g);
  const int first = g.num_nodes();
  Cond(
      in.p,
      [&] {
        return Cond(
            in.q, [&] { return in.x * 2; }, [&] { return AssignAdd(in.v.ref(), in.x); });
      },
      [&] { return in.x; });
  Cond(
      in.p, [&] { return Operation(Assign(in.v.ref(), 5)); }, [&] { return NoOp(g); }, {.name = "op"});
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_THAT(
      NodeLines(g, first),
      testing::UnorderedElementsAre(
          "cond/Switch Switch p:0 p:0", "cond/switch_t Identity cond/Switch:1", "cond/switch_f Identity cond/Switch:0",
          "cond/pred_id Identity p:0", "cond/cond/Switch Switch cond/cond/Switch/Switch:1 cond/cond/Switch/Switch:1",
          "cond/cond/Switch/Switch Switch q:0 cond/pred_id:0", "cond/cond/switch_t Identity cond/cond/Switch:1",
          "cond/cond/switch_f Identity cond/cond/Switch:0", "cond/cond/pred_id Identity cond/cond/Switch/Switch:1",
          "cond/cond/mul/y Const ^cond/cond/switch_t", "cond/cond/mul Mul cond/cond/mul/Switch_1:1 cond/cond/mul/y:0",
          "cond/cond/mul/Switch Switch x:0 cond/pred_id:0",
          "cond/cond/mul/Switch_1 Switch cond/cond/mul/Switch:1 cond/cond/pred_id:0",
          "cond/cond/AssignAdd AssignAdd cond/cond/AssignAdd/Switch_1:0 cond/cond/AssignAdd/Switch_2:0",
          "cond/cond/AssignAdd/Switch RefSwitch v:0 cond/pred_id:0",
          "cond/cond/AssignAdd/Switch_1 RefSwitch cond/cond/AssignAdd/Switch:1 cond/cond/pred_id:0",
          "cond/cond/AssignAdd/Switch_2 Switch cond/cond/mul/Switch:1 cond/cond/pred_id:0",
          "cond/cond/Merge Merge cond/cond/AssignAdd:0 cond/cond/mul:0", "cond/Switch_1 Switch x:0 cond/pred_id:0",
          "cond/Merge Merge cond/Switch_1:0 cond/cond/Merge:0", "op/Switch Switch p:0 p:0",
          "op/switch_t Identity op/Switch:1", "op/switch_f Identity op/Switch:0", "op/pred_id Identity p:0",
          "op/Assign/value Const ^op/switch_t", "op/Assign Assign op/Assign/Switch:1 op/Assign/value:0",
          "op/Assign/Switch RefSwitch v:0 op/pred_id:0", "op/control_dependency Identity op/switch_t:0 ^op/Assign",
          "op/NoOp NoOp ^op/switch_f", "op/control_dependency_1 Identity op/switch_f:0 ^op/NoOp",
          "op/Merge Merge op/control_dependency_1:0 op/control_dependency:0"));
}

TEST(Cond, RecordsItsContexts) {
  Graph g;
  Inputs in(g);
  Cond(
      in.p,
      [&] {
        return Cond(
            in.q, [&] { return in.x * 2; }, [&] { return in.x; });
      },
      [&] { return in.x; });
  ASSERT_EQ(g.contexts().size(), 4u);
  const auto& outer = static_cast<const CondContext&>(*g.contexts()[0]);
  const auto& inner = static_cast<const CondContext&>(*g.contexts()[1]);
  EXPECT_EQ(outer.name(), "cond/cond_text");
  EXPECT_EQ(inner.name(), "cond/cond/cond_text");
  EXPECT_EQ(inner.outer(), &outer);
  EXPECT_EQ(outer.branch(), 1);
  EXPECT_THAT(outer.external_values(), testing::UnorderedElementsAre(std::pair("cond/pred_id:0", "cond/pred_id:0"),
                                                                     std::pair("q:0", "cond/cond/Switch/Switch:1"),
                                                                     std::pair("x:0", "cond/cond/mul/Switch:1")));
  EXPECT_THAT(inner.external_values(),
              testing::UnorderedElementsAre(std::pair("cond/cond/pred_id:0", "cond/cond/pred_id:0"),
                                            std::pair("cond/cond/mul/Switch:1", "cond/cond/mul/Switch:1"),
                                            std::pair("x:0", "cond/cond/mul/Switch_1:1")));
  EXPECT_THAT(inner.values(), testing::UnorderedElementsAre("cond/cond/pred_id:0", "cond/cond/switch_t:0", "x:0",
                                                            "cond/cond/mul/Switch:1", "cond/cond/mul/Switch_1:1",
                                                            "cond/cond/mul/y:0", "cond/cond/mul:0"));
  EXPECT_TRUE(outer.Contains(&inner));
  EXPECT_FALSE(inner.Contains(&outer));
}

// A function of x, p and q, and its derivative by x.
struct CondCase {
  const char* name;
  std::function<Output(Graph& g, const Inputs& in)> build;
  std::function<float(bool p, bool q, float x)> value;
  std::function<float(bool p, bool q, float x)> gradient;
};
class CondFunctions : public testing::TestWithParam<CondCase> {};

// Checks values and gradients for all predicates, in the graph itself and in a copy that has no contexts.
TEST_P(CondFunctions, HaveValuesAndGradients) {
  Graph built;
  const Inputs in(built);
  const Output y = GetParam().build(built, in);
  ASSERT_TRUE(built.status().ok()) << built.status();
  const absl::StatusOr<std::string> bytes = GraphDefBytes(built);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  Graph loaded;
  ASSERT_TRUE(ImportGraphDef(*bytes, loaded).ok());

  for (Graph* g : {&built, &loaded}) {
    SCOPED_TRACE(g == &loaded ? "loaded" : "built");
    const auto find = [&](Output o) { return *g->FindOutput(o.name()); };
    const Output x = find(in.x), gradient = Gradients({find(y)}, {x})[0];
    ASSERT_TRUE(g->status().ok()) << g->status();
    ASSERT_TRUE(gradient.valid());
    Session session(*g, {.threads = 1});
    for (const bool p : {false, true}) {
      for (const bool q : {false, true}) {
        SCOPED_TRACE(absl::StrCat("p ", p, " q ", q));
        ASSERT_TRUE(session.Run({}, std::vector<Output>(), {g->FindNode("v/Assign")}).ok());
        const auto got = session.Run({{find(in.p), p}, {find(in.q), q}, {x, 3.0f}}, {find(y), gradient});
        ASSERT_TRUE(got.ok()) << got.status();
        EXPECT_FLOAT_EQ((*got)[0].scalar<float>(), GetParam().value(p, q, 3));
        EXPECT_FLOAT_EQ((*got)[1].scalar<float>(), GetParam().gradient(p, q, 3));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cond, CondFunctions,
    testing::Values(CondCase{"plain",
                             [](Graph&, const Inputs& in) {
                               return Cond(
                                   in.p, [&] { return in.x * in.x; }, [&] { return in.x * 5; });
                             },
                             [](bool p, bool, float x) { return p ? x * x : 5 * x; },
                             [](bool p, bool, float x) { return p ? 2 * x : 5; }},
                    CondCase{"used on one side",
                             [](Graph& g, const Inputs& in) {
                               return Cond(
                                   in.p, [&] { return Square(in.x); }, [&] { return Const(g, 7.0f); });
                             },
                             [](bool p, bool, float x) { return p ? x * x : 7; },
                             [](bool p, bool, float x) { return p ? 2 * x : 0; }},
                    CondCase{"passed through",
                             [](Graph&, const Inputs& in) {
                               return Cond(
                                   in.p, [&] { return in.x; }, [&] { return Neg(in.x); });
                             },
                             [](bool p, bool, float x) { return p ? x : -x; },
                             [](bool p, bool, float) { return p ? 1.0f : -1.0f; }},
                    CondCase{"nested",
                             [](Graph&, const Inputs& in) {
                               return Cond(
                                   in.p,
                                   [&] {
                                     return Cond(
                                                in.q, [&] { return in.x * in.x; }, [&] { return in.x * 5; }) *
                                            in.x;
                                   },
                                   [&] { return Square(in.x) * 3; });
                             },
                             [](bool p, bool q, float x) { return p ? (q ? x * x * x : 5 * x * x) : 3 * x * x; },
                             [](bool p, bool q, float x) { return p ? (q ? 3 * x * x : 10 * x) : 6 * x; }},
                    CondCase{"nested on the same predicate",
                             [](Graph&, const Inputs& in) {
                               return Cond(
                                   in.p,
                                   [&] {
                                     return Cond(
                                                in.p, [&] { return in.x * 2; }, [&] { return in.x * 3; }) *
                                            2;
                                   },
                                   [&] { return in.x; });
                             },
                             [](bool p, bool, float x) { return p ? 4 * x : x; },
                             [](bool p, bool, float) { return p ? 4.0f : 1.0f; }},
                    CondCase{"two in a row",
                             [](Graph&, const Inputs& in) {
                               const Output a = Cond(
                                   in.p, [&] { return in.x * 2; }, [&] { return in.x; });
                               return Cond(
                                   in.q, [&] { return a * a; }, [&] { return a * in.x; });
                             },
                             [](bool p, bool q, float x) { return (p ? 2 * x : x) * (q ? (p ? 2 * x : x) : x); },
                             [](bool p, bool q, float x) { return (p ? 2 : 1) * (q ? (p ? 4 : 2) * x : 2 * x); }},
                    CondCase{"variable inside",
                             [](Graph&, const Inputs& in) {
                               return Cond(
                                   in.p,
                                   [&] {
                                     const Output set = Assign(in.v.ref(), 4);
                                     const ControlDependencies after(in.x.graph(), {set});
                                     return in.x * Identity(in.v.ref());
                                   },
                                   [&] { return in.x * in.v.snapshot; });
                             },
                             [](bool p, bool, float x) { return p ? 4 * x : x; },
                             [](bool p, bool, float) { return p ? 4.0f : 1.0f; }}),
    [](const auto& info) {
      std::string name = info.param.name;
      for (char& c : name) c = c == ' ' ? '_' : c;
      return name;
    });

TEST(Cond, RunsTheEffectsOfTheBranchThatIsTaken) {
  struct Form {
    const char* name;
    std::function<Operation(Graph& g, const Inputs& in)> build;
  };
  const Form forms[] = {{"operations",
                         [](Graph&, const Inputs& in) {
                           return Cond(
                               in.p, [&] { return Operation(Assign(in.v.ref(), 2)); },
                               [&] { return Operation(AssignAdd(in.v.ref(), 10)); });
                         }},
                        {"nothing returned",
                         [](Graph&, const Inputs& in) {
                           return Cond(
                               in.p, [&] { Assign(in.v.ref(), 2); }, [&] { AssignAdd(in.v.ref(), 10); });
                         }},
                        {"control dependencies", [](Graph& g, const Inputs& in) -> Operation {
                           return Cond(
                               in.p,
                               [&] {
                                 const ControlDependencies after(g, {Assign(in.v.ref(), 2)});
                                 return Identity(in.x);
                               },
                               [&] {
                                 const ControlDependencies after(g, {AssignAdd(in.v.ref(), 10)});
                                 return Identity(in.x);
                               });
                         }}};
  for (const Form& form : forms) {
    SCOPED_TRACE(form.name);
    Graph g;
    const Inputs in(g);
    const Operation run = form.build(g, in);
    ASSERT_TRUE(g.status().ok()) << g.status();
    Session session(g);
    ASSERT_TRUE(session.Initialize().ok());
    for (const auto& [p, want] : {std::pair(false, 11.0f), {true, 2.0f}, {false, 12.0f}}) {
      const absl::Status status = session.Run({{in.p, p}, {in.x, 1.0f}}, std::vector<Output>(), {run}).status();
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_EQ(session.Run({}, in.v.snapshot)->scalar<float>(), want);
    }
  }
}

TEST(Cond, AsksForNothingThatOnlyAnUntakenBranchNeeds) {
  // The inner cond stands outside of the outer one, whose one branch alone uses it.
  Graph g;
  const Output p = Placeholder(g, {.dtype = DT_BOOL, .shape = Shape{}, .name = "p"});
  const Output q = Placeholder(g, {.dtype = DT_BOOL, .shape = Shape{}, .name = "q"});
  const Output a = Placeholder(g, {.dtype = DT_FLOAT, .shape = Shape{}, .name = "a"});
  const Output b = Placeholder(g, {.dtype = DT_FLOAT, .shape = Shape{}, .name = "b"});
  const Output inner = Cond(
      q, [&] { return a + 1.0f; }, [&] { return Exp(a) * 2.0f; });
  const Output more = Tanh(inner) * 3.0f;
  const Output y = Cond(
      p, [&] { return more + b; }, [&] { return b; });
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(session.Run({{p, false}, {q, true}, {b, 2.0f}}, y)->scalar<float>(), 2);
  EXPECT_NEAR(session.Run({{p, true}, {q, true}, {a, -1.0f}, {b, 2.0f}}, y)->scalar<float>(), 2, 1e-6);
  EXPECT_NEAR(session.Run({{p, true}, {q, false}, {a, 0.0f}, {b, 2.0f}}, y)->scalar<float>(), 2 + 3 * std::tanh(2.0f),
              1e-5);
  EXPECT_THAT(std::string(session.Run({{p, true}, {q, true}, {b, 2.0f}}, y).status().message()),
              HasSubstr("Placeholder 'a'"));
  const auto both = session.Run({{p, false}, {q, true}, {a, 1.0f}, {b, 2.0f}}, {y, inner});
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ((*both)[1].scalar<float>(), 2);
}

TEST(Cond, GivesSeveralResults) {
  Graph g;
  const Inputs in(g);
  const std::vector<Output> results = Cond(
      in.p,
      [&] {
        return std::vector<Output>{in.x, in.x * 2};
      },
      [&] {
        return std::vector<Output>{in.x * 3, in.x};
      });
  ASSERT_EQ(results.size(), 2u);
  Session session(g);
  const auto got = session.Run({{in.p, true}, {in.x, 1.0f}}, results);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ((*got)[1].scalar<float>(), 2);
}

TEST(SmartCond, BuildsOnlyTheBranchThatIsKnown) {
  Graph g;
  const Inputs in(g);
  const Output known = Const(g, true);
  const int before = g.num_nodes();
  EXPECT_EQ(SmartCond(
                known, [&] { return in.x; }, [&] { return in.x * 2; }),
            in.x);
  EXPECT_EQ(g.num_nodes(), before);
  EXPECT_EQ(SmartCond(
                in.p, [&] { return in.x; }, [&] { return in.x * 2; })
                .node()
                ->type(),
            "Merge");
}

TEST(Cond, ReportsBranchesThatDiffer) {
  const auto message = [](auto build) {
    Graph g;
    const Inputs in(g);
    build(g, in);
    EXPECT_EQ(g.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(g.status().message());
  };
  EXPECT_THAT(message([](Graph&, const Inputs& in) {
                Cond(
                    in.p, [&] { return std::vector<Output>{in.x}; }, [&] { return std::vector<Output>{}; });
              }),
              HasSubstr("gives 1 results, the other one 0"));
  EXPECT_THAT(message([](Graph& g, const Inputs& in) {
                Cond(
                    in.p, [&] { return in.x; }, [&] { return Const(g, 1); });
              }),
              HasSubstr("float in the branch for true, int32"));
  EXPECT_THAT(message([](Graph&, const Inputs& in) {
                Cond(
                    in.x, [&] { return in.x; }, [&] { return in.x; });
              }),
              HasSubstr("(control_flow_test.cc:"));
}

TEST(RefMerge, PassesAVariableOn) {
  Graph g;
  const Inputs in(g);
  const SwitchOutputs sides = Switch(in.v.ref(), in.p);
  EXPECT_EQ(sides.output_true.node()->type(), "RefSwitch");
  EXPECT_EQ(Switch(in.x, in.p).output_true.node()->type(), "Switch");
  const MergeOutputs merged = Merge({sides.output_false, sides.output_true});
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_EQ(merged.output.node()->type(), "RefMerge");
  EXPECT_TRUE(merged.output.is_ref());
  EXPECT_EQ(merged.value_index.dtype(), DT_INT32);
}

// Variables that the step chooses. Values are those of TensorFlow 2.21 in tests/golden/state.
TEST(RefSelect, WritesTheVariableOfTheIndex) {
  Graph g;
  const Inputs in(g);
  const Variable w = NewVariable(g, Tensor(10.0f), {.name = "w"});
  const Output index = Placeholder(g, {.dtype = DT_INT32, .shape = {}, .name = "index"});
  const Output chosen = RefSelect(index, {in.v.ref(), w.ref()});
  const Output added = AssignAdd(chosen, in.x);
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_TRUE(chosen.is_ref());
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  const auto run = [&](int i) { return session.Run({{index, Tensor(i)}, {in.x, Tensor(1.0f)}}, added); };
  EXPECT_EQ(run(0)->scalar<float>(), 2);
  EXPECT_EQ(run(1)->scalar<float>(), 11);
  EXPECT_EQ(run(1)->scalar<float>(), 12);
  EXPECT_EQ(session.Run({}, in.v.snapshot)->scalar<float>(), 2);
  EXPECT_EQ(session.Run({}, w.snapshot)->scalar<float>(), 12);
  EXPECT_EQ(run(2).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(run(-1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(session.Run({{chosen, Tensor(5.0f)}}, Mul(chosen, 2))->scalar<float>(), 10);
}

TEST(RefSelect, OfTwoChoicesReachesEachVariable) {
  Graph g;
  const Inputs in(g);
  const Variable w = NewVariable(g, Tensor(10.0f), {.name = "w"});
  const Variable u = NewVariable(g, Tensor(100.0f), {.name = "u"});
  const Output index = Placeholder(g, {.dtype = DT_INT32, .shape = {}, .name = "index"});
  const Output one = Merge({Switch(in.v.ref(), in.p).output_false, Switch(w.ref(), in.p).output_true}).output;
  const Output chosen = RefSelect(index, {u.ref(), one});
  const Output sum = Add(AssignAdd(chosen, 1), one);
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  const auto run = [&](int i, bool p) {
    return session.Run({{index, Tensor(i)}, {in.p, Tensor(p)}}, sum)->scalar<float>();
  };
  EXPECT_EQ(run(0, false), 101 + 1);
  EXPECT_EQ(run(0, true), 102 + 10);
  EXPECT_EQ(run(1, true), 11 + 11);
  EXPECT_EQ(run(1, false), 2 + 2);
}

TEST(RefSelect, HasNoGradient) {
  Graph g;
  const Inputs in(g);
  const Output y = Identity(RefSelect(Const(g, 0), {in.v.ref()}));
  Gradients({y}, {in.v.ref()});
  EXPECT_THAT(std::string(g.status().message()), HasSubstr("RefSelect"));
}

// The ops of loops are there for graphs from files: they pass types, shapes and references on.
TEST(Loops, HaveTheirOps) {
  Graph g;
  const Inputs in(g);
  for (const char* type : {"Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration", "LoopCond"}) {
    const bool is_ref = type[0] == 'R';
    NodeBuilder builder(type, {is_ref ? in.v.ref() : in.p});
    if (FindOp(type)->FindAttr("frame_name") != nullptr) builder.Attr("frame_name", "loop");
    const Output out = builder.Build();
    ASSERT_TRUE(out.valid()) << g.status();
    EXPECT_EQ(out.is_ref(), is_ref) << type;
    EXPECT_EQ(out.dtype(), is_ref ? DT_FLOAT : DT_BOOL) << type;
    EXPECT_TRUE(out.shape().IsScalar()) << type;
  }
}

TEST(Group, RunsEverything) {
  Graph g;
  const Inputs in(g);
  const Operation both = Group(g, {Assign(in.v.ref(), 2)});
  EXPECT_EQ(both.name(), "group_deps");
  EXPECT_EQ(both.node()->type(), "NoOp");
  Session session(g);
  ASSERT_TRUE(session.Run({}, std::vector<Output>(), {both}).ok());
  EXPECT_EQ(session.Run({}, in.v.snapshot)->scalar<float>(), 2);
}

TEST(Assert, EndsTheStep) {
  Graph g;
  const Inputs in(g);
  const std::vector<Output> data = {in.x};
  const Operation check = Assert(in.p, data);
  EXPECT_EQ(check.node()->type(), "Assert");
  Session session(g);
  EXPECT_TRUE(session.Run({{in.p, true}, {in.x, 4.0f}}, std::vector<Output>(), {check}).ok());
  const absl::Status status = session.Run({{in.p, false}, {in.x, 4.0f}}, std::vector<Output>(), {check}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("assertion failed: [4]"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("'Assert' (control_flow_test.cc:"));
}

TEST(ControlTrigger, OrdersLikeNoOp) {
  Graph g;
  const Inputs in(g);
  Operation trigger;
  {
    const ControlDependencies after(g, {Assign(in.v.ref(), 2)});
    trigger = ControlTrigger(g);
  }
  EXPECT_EQ(trigger.node()->type(), "ControlTrigger");
  Session session(g);
  ASSERT_TRUE(session.Run({}, std::vector<Output>(), {trigger}).ok());
  EXPECT_EQ(session.Run({}, in.v.snapshot)->scalar<float>(), 2);
}

TEST(PrintLine, WritesToTheSink) {
  Graph g;
  const Operation print = PrintLine(Const(g, Tensor("hello")));
  EXPECT_EQ(print.node()->type(), "PrintV2");
  std::vector<std::string> lines;
  Session session(g, {.warn = [&](absl::string_view line) { lines.emplace_back(line); }});
  ASSERT_TRUE(session.Run({}, std::vector<Output>(), {print}).ok());
  EXPECT_THAT(lines, ElementsAre("hello"));
}

TEST(Print, WritesToTheSink) {
  Graph g;
  const Inputs in(g);
  const std::vector<Output> data = {in.x};
  const Output printed = Print(in.x, data, {.message = "x = ", .first_n = 1});
  std::vector<std::string> lines;
  Session session(g, {.warn = [&](absl::string_view line) { lines.emplace_back(line); }});
  for (const float x : {4.0f, 5.0f}) ASSERT_TRUE(session.Run({{in.x, x}}, printed).ok());
  EXPECT_THAT(lines, ElementsAre("x = [4]"));
}

}  // namespace
}  // namespace staticflow
