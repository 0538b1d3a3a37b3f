#include "runtime/session.h"

#include <cfenv>
#include <cmath>
#include <limits>
#include <thread>

#include "graph/gradients.h"
#include "gtest/gtest.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/state.h"
#include "runtime/profile.h"
#include "runtime/resource_store.h"

namespace staticflow {
namespace {

using ::testing::Test;

// The values of one fetch, or the error's text.
std::string Show(const absl::StatusOr<Tensor>& result) {
  return result.ok() ? result->ToString() : std::string(result.status().message());
}

bool Mentions(const absl::Status& status, absl::string_view text) {
  return std::string(status.message()).find(std::string(text)) != std::string::npos;
}

Output Vector(Graph& g, absl::string_view name) {
  return Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1}, .name = std::string(name)});
}

TEST(SessionTest, ComputesWhatIsFetched) {
  Graph g;
  Output x = Vector(g, "x");
  Output y = x * 2.0 + 1.0;
  Session session(g);
  EXPECT_EQ(Show(session.Run({{x, Tensor::Vector<float>({1, 2})}}, y)), "float[2]{3, 5}");
  EXPECT_EQ(Show(session.Run({{x, Tensor::Vector<float>({1, 2, 3})}}, y)), "float[3]{3, 5, 7}");
}

TEST(SessionTest, AnyTensorMayBeFed) {
  Graph g;
  Output x = Vector(g, "x");
  Output doubled = x * 2.0;
  Output y = doubled + 1.0;
  Session session(g);
  EXPECT_EQ(Show(session.Run({{doubled, Tensor::Vector<float>({10})}}, y)), "float[1]{11}");
}

TEST(SessionTest, FeedingWhatNobodyUsesIsAccepted) {
  Graph g;
  Output x = Vector(g, "x"), unused = Vector(g, "unused");
  Output y = Neg(x);
  Session session(g);
  EXPECT_EQ(Show(session.Run({{x, Tensor::Vector<float>({1})}, {unused, Tensor::Vector<float>({5})}}, y)),
            "float[1]{-1}");
}

TEST(SessionTest, MistakesNameTheNodeAndItsLine) {
  Graph g;
  const int line = __LINE__ + 1;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 2}, .name = "x"});
  Output y = Neg(x);
  Session session(g);
  const std::string where = "Placeholder 'x' (session_test.cc:" + std::to_string(line) + ")";
  const absl::Status missing = session.Run({}, y).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Mentions(missing, where + ": it must be fed with a tensor of float and shape [?,2]")) << missing;
  const absl::Status dtype = session.Run({{x, Tensor::Matrix<double>({{1, 2}})}}, y).status();
  EXPECT_TRUE(Mentions(dtype, where + ": fed with double[1,2], expected float[?,2]")) << dtype;
  const absl::Status shape = session.Run({{x, Tensor::Matrix<float>({{1, 2, 3}})}}, y).status();
  EXPECT_TRUE(Mentions(shape, where + ": fed with float[1,3], expected float[?,2]")) << shape;
  Graph other;
  Output foreign = Vector(other, "foreign");
  const absl::Status mixed = session.Run({}, foreign).status();
  EXPECT_TRUE(Mentions(mixed, "is of another graph")) << mixed;
  EXPECT_EQ(session.RunByName({}, {"nobody:0"}).status().code(), absl::StatusCode::kNotFound);
}

TEST(SessionTest, TheFirstBuildingErrorIsReturnedEverywhere) {
  Graph g;
  Output a = Zeros(g, DT_FLOAT, {2, 3}), b = Zeros(g, DT_FLOAT, {4, 5});
  const int line = __LINE__ + 1;
  Output bad = MatMul(a, b);
  Output later = Neg(bad);
  EXPECT_FALSE(later.valid());
  Session session(g);
  const absl::Status status = session.Run({}, a).status();
  EXPECT_TRUE(Mentions(status, "MatMul 'MatMul' (session_test.cc:" + std::to_string(line) + ")")) << status;
}

TEST(SessionTest, AnUninitializedVariableIsNamed) {
  Graph g;
  Variable v = NewVariable(g, Tensor(1.0f), {.name = "v"});
  Session session(g);
  const absl::Status status = session.Run({}, v.snapshot).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Mentions(status, "variable 'v' is not initialized")) << status;
  ASSERT_TRUE(session.Initialize().ok());
  EXPECT_EQ(Show(session.Run({}, v.snapshot)), "float[]{1}");
}

TEST(SessionTest, ASlotMadeAfterInitializeIsUninitialized) {
  Graph g;
  Variable v = NewVariable(g, Tensor(1.0f), {.name = "v"});
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  Variable late = NewVariable(g, Tensor(2.0f), {.name = "late"});
  EXPECT_TRUE(Mentions(session.Run({}, v.snapshot + late.snapshot).status(), "variable 'late'"));
}

TEST(SessionTest, RunAfterCloseIsAnError) {
  Graph g;
  Output y = Const(g, Tensor(1.0f));
  Session session(g);
  absl::StatusOr<Step> step = session.Prepare({.fetches = {y}});
  ASSERT_TRUE(step.ok());
  session.Close();
  EXPECT_EQ(session.Run({}, y).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(step->Run({}).status().code(), absl::StatusCode::kFailedPrecondition);
}

// --- The order of effects -------------------------------------------------------------------------------------------

struct Counter {
  Graph g;
  Variable v = NewVariable(g, Tensor(10.0f), {.name = "v"});
};

TEST(VariableOrderTest, AnUnorderedReadSeesTheValueBeforeTheStep) {
  Counter c;
  Output plus = AssignAdd(c.v.ref(), 1.0);
  Output twice = c.v.snapshot * 2.0;
  Session session(c.g);
  ASSERT_TRUE(session.Initialize().ok());
  auto out = session.Run({}, {c.v.snapshot, twice, plus});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].scalar<float>(), 10);
  EXPECT_EQ((*out)[1].scalar<float>(), 20);
  EXPECT_EQ((*out)[2].scalar<float>(), 11);
}

TEST(VariableOrderTest, AControlEdgeOrdersARead) {
  Counter c;
  Output plus = AssignAdd(c.v.ref(), 1.0);
  Output after;
  {
    ControlDependencies wait(c.g, {plus});
    after = Identity(c.v.ref());
  }
  Session session(c.g);
  ASSERT_TRUE(session.Initialize().ok());
  EXPECT_EQ(Show(session.Run({}, after)), "float[]{11}");
}

TEST(VariableOrderTest, AnIdentityOfAReferenceIsLookedThrough) {
  Counter c;
  Output read = Identity(c.v.ref());
  Output early = read * 100.0;
  Output plus = AssignAdd(c.v.ref(), 1.0);
  Output late;
  {
    ControlDependencies wait(c.g, {plus});
    late = Identity(read) * 100.0;
  }
  Session session(c.g);
  ASSERT_TRUE(session.Initialize().ok());
  auto out = session.Run({}, {early, late, read});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].scalar<float>(), 1000);
  EXPECT_EQ((*out)[1].scalar<float>(), 1100);
  EXPECT_EQ((*out)[2].scalar<float>(), 10);
}

TEST(VariableOrderTest, AReadOfAHandleKeepsItsVersion) {
  Graph g;
  Variable v = NewVariable(g, Tensor(10.0f), {.name = "v", .use_resource = true});
  Output old = ReadVariable(v.ref(), DT_FLOAT);
  Output plus = AssignAdd(v.ref(), 1.0);
  Output mixed;
  {
    ControlDependencies wait(g, {plus});
    mixed = old * 100.0 + ReadVariable(v.ref(), DT_FLOAT);
  }
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  EXPECT_EQ(Show(session.Run({}, mixed)), "float[]{1011}");
}

TEST(VariableOrderTest, UnorderedWritesHappenInNodeOrder) {
  Counter c;
  Output first = AssignAdd(c.v.ref(), 5.0);
  Output second = Assign(c.v.ref(), Const(c.g, Tensor(100.0f)));
  Session session(c.g);
  ASSERT_TRUE(session.Initialize().ok());
  ASSERT_TRUE(session.Run({}, std::vector<Output>{}, {second, first}).ok());
  EXPECT_EQ(Show(session.Run({}, c.v.snapshot)), "float[]{100}");
}

TEST(VariableOrderTest, AFetchedVariableIsASnapshot) {
  Counter c;
  Output plus = AssignAdd(c.v.ref(), 1.0);
  Session session(c.g);
  ASSERT_TRUE(session.Initialize().ok());
  auto out = session.Run({}, {c.v.ref()}, {plus});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].scalar<float>(), 10);
  ASSERT_TRUE(session.Run({}, std::vector<Output>{}, {plus}).ok());
  EXPECT_EQ((*out)[0].scalar<float>(), 10);
}

TEST(VariableOrderTest, ConcurrentAdditionsAllCount) {
  Graph g;
  Variable v = NewVariable(g, Tensor(int64_t{0}), {.name = "n"});
  Output plus = AssignAdd(v.ref(), 1);
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  absl::StatusOr<Step> step = session.Prepare({.targets = {plus}});
  ASSERT_TRUE(step.ok());
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) failures += !step->Run({}).ok();
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(Show(session.Run({}, v.snapshot)), "int64[]{4000}");
}

// --- Branches -------------------------------------------------------------------------------------------------------

struct Branches {
  Graph g;
  Output p = Placeholder(g, {.dtype = DT_BOOL, .name = "p"});
  Output x = Vector(g, "x");
};

TEST(CondTest, OnlyTheTakenBranchHasEffects) {
  Branches b;
  Variable n = NewVariable(b.g, Tensor(0.0f), {.name = "n"});
  Output y = Cond(
      b.p, [&] { return WithDependencies({AssignAdd(n.ref(), 1.0)}, b.x * 2.0); }, [&] { return b.x * 3.0; });
  Session session(b.g);
  ASSERT_TRUE(session.Initialize().ok());
  EXPECT_EQ(Show(session.Run({{b.p, false}, {b.x, Tensor::Vector<float>({1, 2})}}, y)), "float[2]{3, 6}");
  EXPECT_EQ(Show(session.Run({}, n.snapshot)), "float[]{0}");
  EXPECT_EQ(Show(session.Run({{b.p, true}, {b.x, Tensor::Vector<float>({1, 2})}}, y)), "float[2]{2, 4}");
  EXPECT_EQ(Show(session.Run({}, n.snapshot)), "float[]{1}");
}

TEST(CondTest, GradientsFollowTheTakenBranch) {
  Branches b;
  Output y = Sum(Cond(
      b.p, [&] { return Square(b.x); }, [&] { return b.x * 3.0; }));
  std::vector<Output> dx = Gradients({y}, {b.x});
  ASSERT_TRUE(b.g.status().ok()) << b.g.status();
  Session session(b.g);
  EXPECT_EQ(Show(session.Run({{b.p, true}, {b.x, Tensor::Vector<float>({1, 5})}}, dx[0])), "float[2]{2, 10}");
  EXPECT_EQ(Show(session.Run({{b.p, false}, {b.x, Tensor::Vector<float>({1, 5})}}, dx[0])), "float[2]{3, 3}");
}

TEST(CondTest, CondsNest) {
  Branches b;
  Output q = Placeholder(b.g, {.dtype = DT_BOOL, .name = "q"});
  Output y = Cond(
      b.p,
      [&] {
        return Cond(
            q, [&] { return b.x + 1.0; }, [&] { return b.x + 2.0; });
      },
      [&] { return b.x + 3.0; });
  Output dx = Gradients({Sum(y * y)}, {b.x})[0];
  ASSERT_TRUE(b.g.status().ok()) << b.g.status();
  Session session(b.g);
  const float wants[2][2] = {{3, 3}, {2, 1}};
  for (bool p : {false, true}) {
    for (bool inner : {false, true}) {
      auto out = session.Run({{b.p, p}, {q, inner}, {b.x, Tensor::Vector<float>({10})}}, {y, dx});
      ASSERT_TRUE(out.ok()) << out.status();
      EXPECT_EQ((*out)[0].data<float>()[0], 10 + wants[p][inner]);
      EXPECT_EQ((*out)[1].data<float>()[0], 2 * (10 + wants[p][inner]));
    }
  }
}

TEST(CondTest, AFetchInTheUntakenBranchIsAnError) {
  Branches b;
  Output inside;
  Output y = Cond(
      b.p, [&] { return inside = b.x * 2.0; }, [&] { return b.x; });
  ASSERT_TRUE(y.valid());
  Session session(b.g);
  EXPECT_EQ(Show(session.Run({{b.p, true}, {b.x, Tensor::Vector<float>({4})}}, inside)), "float[1]{8}");
  EXPECT_TRUE(Mentions(session.Run({{b.p, false}, {b.x, Tensor::Vector<float>({4})}}, inside).status(),
                       "is in a branch that was not taken"));
}

TEST(CondTest, ThePredicateMustBeAScalar) {
  Branches b;
  Output y = Cond(
      b.p, [&] { return b.x * 2.0; }, [&] { return b.x; });
  Session session(b.g);
  const absl::Status status =
      session.Run({{b.p, Tensor::Vector<bool>({true, false})}, {b.x, Tensor::Vector<float>({4})}}, y).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
}

TEST(CondTest, WorkThatOneBranchUsesIsSunkIntoIt) {
  Branches b;
  Output computed = LogicalNot(b.p);
  Output heavy = Exp(b.x);
  Output y = Cond(
      computed, [&] { return heavy * 2.0; }, [&] { return b.x; });
  Session session(b.g, {.passes = "-all"});
  absl::StatusOr<std::string> plan =
      session.PlanText({.feeds = {b.p, b.x}, .fetches = {y}}, {Tensor(true), Tensor::Vector<float>({1})});
  ASSERT_TRUE(plan.ok()) << plan.status();
  const size_t jump = plan->find("unless LogicalNot:0"), exp = plan->find("Exp Exp");
  ASSERT_NE(jump, std::string::npos) << *plan;
  ASSERT_NE(exp, std::string::npos) << *plan;
  EXPECT_LT(jump, exp) << *plan;
}

TEST(CondTest, AFedPredicateLeavesOnlyItsBranchInThePlan) {
  Branches b;
  Output y = Cond(
      b.p, [&] { return Exp(b.x); }, [&] { return Neg(b.x); });
  Session session(b.g, {.passes = "-all"});
  for (bool p : {false, true}) {
    absl::StatusOr<std::string> plan =
        session.PlanText({.feeds = {b.p, b.x}, .fetches = {y}}, {Tensor(p), Tensor::Vector<float>({1})});
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->find("unless"), std::string::npos) << *plan;
    EXPECT_EQ(plan->find("Exp") != std::string::npos, p) << *plan;
    EXPECT_EQ(plan->find("Neg") != std::string::npos, !p) << *plan;
  }
}

// --- Shapes that only the step knows
// ----------------------------------------------------------------------------------

TEST(DynamicShapeTest, DataDecidesTheShape) {
  Graph g;
  Output x = Vector(g, "x");
  Output where = WhereIndices(Greater(x, 0.0));
  Output count = ShapeOf(where);
  Output flat = Reshape(where, Const(g, Tensor::Vector<int32_t>({-1})));
  Session session(g);
  auto out = session.Run({{x, Tensor::Vector<float>({1, -1, 5, 0, 2})}}, {where, count, flat});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].ToString(), "int64[3,1]{0, 2, 4}");
  EXPECT_EQ((*out)[1].ToString(), "int32[2]{3, 1}");
  EXPECT_EQ((*out)[2].ToString(), "int64[3]{0, 2, 4}");
}

// --- Options
// ----------------------------------------------------------------------------------------------------------

TEST(SessionOptionsTest, AnyNumberOfThreadsGivesTheSameBits) {
  Graph g;
  Output a = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, -1}, .name = "a"});
  Output y = Tanh(MatMul(a, a)) + Exp(a * 0.01);
  Output total = Sum(y);
  std::vector<float> values(400 * 400);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i));
  const Tensor feed = Tensor::Of<float>({400, 400}, absl::MakeConstSpan(values));
  std::vector<Tensor> first;
  for (int threads : {1, 2, 3, 8}) {
    Session session(g, {.threads = threads});
    auto out = session.Run({{a, feed}}, {y, total});
    ASSERT_TRUE(out.ok()) << out.status();
    if (first.empty()) first = *out;
    EXPECT_TRUE(BitwiseEqual((*out)[0], first[0])) << threads;
    EXPECT_TRUE(BitwiseEqual((*out)[1], first[1])) << threads;
  }
}

TEST(SessionOptionsTest, TheMemoryBudgetHolds) {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1}, .name = "x"});
  Output y = Exp(x) + Exp(x * 2.0);
  Session session(g, {.memory_budget = 1000});
  EXPECT_EQ(session.Run({{x, *Tensor::Create(DT_FLOAT, {1000})}}, y).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(session.Run({{x, *Tensor::Create(DT_FLOAT, {10})}}, y).ok());
}

TEST(SessionTest, TheCallersFloatModeNeitherMattersNorChanges) {
  Graph g;
  Output x = Vector(g, "x");
  Output fed = x * 0.1 + 1.0, folded = Const(g, Tensor::Vector<float>({1e-38f})) * 0.1;
  Output tiny = x * 0.1;
  Session session(g);
  ASSERT_EQ(std::fesetround(FE_UPWARD), 0);
  const std::string sum = Show(session.Run({{x, Tensor::Vector<float>({1e-7f})}}, fed));
  const std::string product = Show(session.Run({{x, Tensor::Vector<float>({1e-38f})}}, tiny));
  const std::string constant = Show(session.Run({}, folded));
  EXPECT_EQ(std::fegetround(), FE_UPWARD);
  volatile float least = std::numeric_limits<float>::min();
  EXPECT_GT(least / 2, 0) << "denormal numbers are the caller's again";
  ASSERT_EQ(std::fesetround(FE_TONEAREST), 0);
  EXPECT_EQ(sum, "float[1]{1}") << "to nearest";
  EXPECT_EQ(product, "float[1]{0}") << "a denormal result is zero";
  EXPECT_EQ(constant, "float[1]{0}") << "while planning, too";
}

TEST(SessionOptionsTest, ACancelledStepStops) {
  Graph g;
  Output y = Exp(Const(g, Tensor(1.0f))) + Placeholder(g, {.dtype = DT_FLOAT, .shape = {}, .name = "x"});
  Session session(g);
  CancellationToken token;
  token.Cancel();
  EXPECT_EQ(session.Run({{y.node()->input(1), 1.0f}}, {y}, {}, {.cancellation = &token}).status().code(),
            absl::StatusCode::kCancelled);
}

TEST(SessionOptionsTest, AProfileNamesEachInstruction) {
  Graph g;
  Output x = Vector(g, "x");
  Output y = Exp(x);
  Session session(g);
  StepProfile profile;
  ASSERT_TRUE(session.Run({{x, Tensor::Vector<float>({1})}}, {y}, {}, {.profile = &profile}).ok());
  ASSERT_EQ(profile.entries().size(), 1);
  EXPECT_EQ(profile.entries()[0].node, "Exp");
  EXPECT_NE(profile.ToChromeTrace().find("\"name\": \"Exp\""), std::string::npos);
}

}  // namespace
}  // namespace staticflow
