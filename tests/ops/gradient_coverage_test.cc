// Which variables a loss gives a gradient, and what Minimize says of the others.
#include "ops/analysis/gradient_coverage.h"

#include <gmock/gmock.h>

#include "graph/gradients.h"
#include "graph/meta_graph.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/control_flow_while.h"
#include "ops/initializers.h"
#include "ops/math.h"
#include "ops/state.h"
#include "ops/train/adam.h"
#include "runtime/io/fault_env.h"
#include "runtime/session.h"
#include "tests/ops/audit_listener.h"

namespace staticflow {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(GradientCoverage, SaysWhichVariablesGetNoneAndWhy) {
  Graph g;
  const auto variable = [&](const char* name, Shape shape = {3}) {
    return GetVariable(g, name, {.shape = shape, .initializer = initializers::Ones()});
  };
  const Variable flows = variable("flows"), unused = variable("unused"), stopped = variable("stopped");
  const Variable counted = variable("counted"), floored = variable("floored"), chosen = variable("chosen");
  const Variable table = variable("table", {5, 3});
  const Output indices = ArgMax(chosen.snapshot, 0);
  const Output loss = Sum(flows.snapshot * StopGradient(stopped.snapshot)) + Sum(Floor(floored.snapshot)) +
                      Sum(Cast(Cast(counted.snapshot, DT_INT32), DT_FLOAT)) +
                      Sum(Gather(table.snapshot, ExpandDims(indices, 0)));
  ASSERT_TRUE(g.status().ok()) << g.status();
  const std::vector<VariableGradient> coverage = GradientCoverage(loss);
  struct Row {
    const char* variable;
    GradientFlow flow;
    const char* reason;
  };
  const Row rows[] = {
      {"flows", GradientFlow::kFlows, ""},
      {"unused", GradientFlow::kNotConnected, "unused: the loss does not depend on it"},
      {"stopped", GradientFlow::kStopped, "stopped: cut by StopGradient 'StopGradient' (gradient_coverage_test.cc:"},
      {"counted", GradientFlow::kInteger, "counted: lost in the integers of Cast 'Cast'"},
      {"floored", GradientFlow::kNotDifferentiable, "floored: not passed on by Floor 'Floor'"},
      {"chosen", GradientFlow::kInteger, "chosen: lost in the integers of"},
      {"table", GradientFlow::kFlows, ""},
  };
  ASSERT_EQ(coverage.size(), std::size(rows));
  std::vector<Output> xs;
  for (const Variable* v : g.variables(kTrainableVariables)) xs.push_back(v->ref());
  for (size_t i = 0; i < std::size(rows); ++i) {
    SCOPED_TRACE(rows[i].variable);
    EXPECT_EQ(coverage[i].variable->name(), rows[i].variable);
    EXPECT_EQ(coverage[i].flow, rows[i].flow) << coverage[i].reason;
    EXPECT_THAT(coverage[i].reason, HasSubstr(rows[i].reason));
    EXPECT_EQ(coverage[i].path.empty(), rows[i].flow == GradientFlow::kNotConnected);
  }
  // It says what differentiation will do.
  const std::vector<Output> gradients = Gradients({&loss, 1}, xs);
  ASSERT_TRUE(g.status().ok()) << g.status();
  for (size_t i = 0; i < xs.size(); ++i) EXPECT_EQ(gradients[i].valid(), coverage[i].flows()) << rows[i].variable;
  const absl::Status all = CheckGradientCoverage(loss);
  EXPECT_THAT(std::string(all.message()), HasSubstr("5 variable(s) get no gradient: unused: the loss"));
  EXPECT_TRUE(CheckGradientCoverage(loss, {flows.ref(), table.snapshot}).ok());
  EXPECT_FALSE(CheckGradientCoverage(Output()).ok());
}

TEST(GradientCoverage, NamesOpsThatFailToDifferentiate) {
  Graph g;
  const Variable w = GetVariable(g, "w", {.shape = {2}, .initializer = initializers::Ones()});
  const Output kept = NodeBuilder("PreventGradient", {w.snapshot}).Attr("message", "kept as it is").Build();
  const Output loss = Sum(kept);
  const std::vector<VariableGradient> coverage = GradientCoverage(loss);
  ASSERT_EQ(coverage.size(), 1u);
  EXPECT_EQ(coverage[0].flow, GradientFlow::kError) << coverage[0].reason;
  EXPECT_THAT(coverage[0].reason, HasSubstr("w: an error to differentiate through PreventGradient"));
}

// A loop and a branch pass gradients on.
TEST(GradientCoverage, GoesThroughLoopsAndBranches) {
  Graph g;
  const auto variable = [&](const char* name) {
    return GetVariable(g, name, {.shape = {2}, .initializer = initializers::Ones()});
  };
  const Variable start = variable("start"), factor = variable("factor"), branch = variable("branch");
  const Output p = Placeholder(g, {.dtype = DT_BOOL, .shape = {}, .name = "p"});
  const Output chosen = Cond(
      p, [&]() -> Output { return branch.snapshot * start.snapshot; }, [&]() -> Output { return start.snapshot; });
  const LoopVariables end = While([](Output i, Output) { return Less(i, 3); },
                                  [&](Output i, Output x) -> LoopVariables {
                                    return {i + 1, x * factor.snapshot};
                                  },
                                  {Const(g, Tensor(int32_t{0})), chosen});
  const Output loss = Sum(end[1]);
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_TRUE(CheckGradientCoverage(loss).ok()) << CheckGradientCoverage(loss);
  train::Adam(g).Minimize(loss, {.without_gradient = train::WithoutGradient::kError});
  EXPECT_TRUE(g.status().ok()) << g.status();
}

// Two of three variables get no gradient.
struct CutModel {
  explicit CutModel(const train::MinimizeOptions& options) {
    const auto variable = [&](const char* name) {
      return GetVariable(g, name, {.shape = {2}, .initializer = initializers::Ones()});
    };
    const Variable a = variable("a"), b = variable("b");
    variable("c");
    loss = Sum(Square(a.snapshot * StopGradient(b.snapshot)));
    step = train::Adam(g).Minimize(loss, options);
  }
  Graph g;
  Output loss;
  Operation step;
};
const char kWithout[] = "b: cut by StopGradient 'StopGradient'";

TEST(Minimize, NamesVariablesWithoutGradientBeforeTraining) {
  Listener listener;
  FaultEnv env;
  CutModel m({});
  ASSERT_TRUE(m.g.status().ok()) << m.g.status();
  Session session(m.g, listener.On(env));
  ASSERT_TRUE(session.Initialize().ok());
  ASSERT_TRUE(session.Run({}, m.loss).ok());
  EXPECT_THAT(listener.told, IsEmpty());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(session.Run({}, std::vector<Output>(), {m.step}).ok());
  EXPECT_THAT(listener.told, ElementsAre(AllOf(HasSubstr("the training step NoOp 'Adam' (gradient_coverage_test.cc:"),
                                               HasSubstr("has no gradient for 2 variables, which stay as they are: "),
                                               HasSubstr(kWithout), HasSubstr("c: the loss does not depend on it"))));
  Session strict(m.g, listener.On(env, Audit::kError));
  ASSERT_TRUE(strict.Initialize().ok());
  EXPECT_THAT(std::string(strict.Run({}, std::vector<Output>(), {m.step}).status().message()), HasSubstr(kWithout));
}

TEST(Minimize, FailsOrKeepsSilentAboutThemWhenAsked) {
  const CutModel strict({.without_gradient = train::WithoutGradient::kError});
  EXPECT_EQ(strict.g.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(strict.g.status().message()),
              AllOf(HasSubstr("2 variable(s) get no gradient: "), HasSubstr(kWithout)));
  for (const bool listed : {false, true}) {
    Listener listener;
    FaultEnv env;
    CutModel m({});
    Graph& g = m.g;
    // The same step again, silent: because it was asked to be, or because only the trained one was asked for.
    const Operation step =
        train::Adam(g, {.name = "Silent"})
            .Minimize(m.loss, listed ? train::MinimizeOptions{.var_list = {g.variables(kTrainableVariables)[0]->ref()}}
                                     : train::MinimizeOptions{.without_gradient = train::WithoutGradient::kIgnore});
    Session session(g, listener.On(env));
    const absl::Status initialized = session.Initialize();
    ASSERT_TRUE(initialized.ok()) << initialized;
    ASSERT_TRUE(session.Run({}, std::vector<Output>(), {step}).ok());
    EXPECT_THAT(listener.told, IsEmpty());
  }
}

// What a step leaves untrained is known to whoever loads its file.
TEST(Minimize, WritesIntoTheFileWhatGetsNoGradient) {
  Listener listener;
  FaultEnv env;
  const CutModel m({});
  const absl::StatusOr<std::string> bytes = MetaGraphBytes(m.g, {});
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  Graph g;
  ASSERT_TRUE(ImportMetaGraph(*bytes, g).ok());
  Session session(g, listener.On(env));
  ASSERT_TRUE(session.Initialize().ok());
  ASSERT_TRUE(session.Run({}, std::vector<Output>(), {g.FindNode("Adam")}).ok());
  EXPECT_THAT(listener.told, ElementsAre(HasSubstr(kWithout)));
}

}  // namespace
}  // namespace staticflow
