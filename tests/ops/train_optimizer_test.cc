#include <gmock/gmock.h>

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/variable_scope.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/state.h"
#include "ops/train/adam.h"
#include "ops/train/gradient_descent.h"
#include "ops/train/momentum.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {

// Only its tensors are used here.

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// loss = mean((w * x + b)^2) with w = [1, -2], b = 0.5.
struct Problem {
  explicit Problem(bool use_resource = false) {
    w = NewVariable(g, T({1, -2}), {.name = "w", .use_resource = use_resource});
    b = NewVariable(g, Tensor(0.5f), {.name = "b", .use_resource = use_resource});
    loss = Mean(Square(w.snapshot * Const(g, T({1, 2})) + b.snapshot));
  }
  Graph g;
  Variable w, b;
  Output loss;
};

std::string Describe(const Node& node) {
  std::string line = absl::StrCat(node.name(), " ", node.type());
  for (Output input : node.inputs()) {
    const std::string name = input.name();
    absl::StrAppend(&line, " ", absl::StartsWith(name, "gradients/") ? "gradient" : name);
  }
  for (Node* control : node.control_inputs()) absl::StrAppend(&line, " ^", control->name());
  return line;
}

// The nodes after `first` that are no gradients.
std::vector<std::string> NewNodes(const Graph& g, int first) {
  std::vector<std::string> lines;
  for (int i = first; i < g.num_nodes(); ++i) {
    if (!absl::StartsWith(g.nodes()[i]->name(), "gradients/")) lines.push_back(Describe(*g.nodes()[i]));
  }
  return lines;
}

TEST(GradientDescent, NamesItsNodesAsTensorFlow) {
  Problem p;
  const int first = p.g.num_nodes();
  const Operation step = train::GradientDescent(p.g, {.learning_rate = 0.1}).Minimize(p.loss);
  ASSERT_TRUE(p.g.status().ok()) << p.g.status();
  EXPECT_THAT(NewNodes(p.g, first),
              ElementsAre("GradientDescent/learning_rate Const",
                          "GradientDescent/update_w/ApplyGradientDescent ApplyGradientDescent w:0 "
                          "GradientDescent/learning_rate:0 gradient",
                          "GradientDescent/update_b/ApplyGradientDescent ApplyGradientDescent b:0 "
                          "GradientDescent/learning_rate:0 gradient",
                          "GradientDescent NoOp ^GradientDescent/update_w/ApplyGradientDescent "
                          "^GradientDescent/update_b/ApplyGradientDescent"));
  ASSERT_EQ(p.g.collection(kTrainOp).size(), 1u);
  EXPECT_EQ(p.g.collection(kTrainOp)[0].node, step.node());
}

TEST(Adam, NamesItsNodesAsTensorFlow) {
  Problem p;
  const Variable global_step = GetOrCreateGlobalStep(p.g);
  const int first = p.g.num_nodes();
  train::Adam adam(p.g, {.learning_rate = 0.1});
  adam.Minimize(p.loss, {.global_step = global_step.ref()});
  ASSERT_TRUE(p.g.status().ok()) << p.g.status();
  std::vector<std::string> names;
  for (const Variable* v : p.g.variables(kGlobalVariables)) names.push_back(v->name());
  EXPECT_THAT(names, ElementsAre("w", "b", "global_step", "beta1_power", "beta2_power", "w/Adam", "w/Adam_1", "b/Adam",
                                 "b/Adam_1"));
  EXPECT_EQ(p.g.variables(kTrainableVariables).size(), 2u);
  EXPECT_EQ(adam.GetSlot(p.w, "v")->name(), "w/Adam_1");
  const std::vector<std::string> nodes = NewNodes(p.g, first);
  EXPECT_THAT(nodes, testing::IsSupersetOf(
                         {"beta1_power/initial_value Const", "w/Adam/Initializer/zeros Const",
                          "w/Adam/Assign Assign w/Adam:0 w/Adam/Initializer/zeros:0", "Adam/beta1 Const",
                          "Adam/update_w/ApplyAdam ApplyAdam w:0 w/Adam:0 w/Adam_1:0 beta1_power/read:0 "
                          "beta2_power/read:0 Adam/learning_rate:0 Adam/beta1:0 Adam/beta2:0 Adam/epsilon:0 gradient",
                          "Adam/mul Mul beta1_power/read:0 Adam/beta1:0 ^Adam/update_w/ApplyAdam "
                          "^Adam/update_b/ApplyAdam",
                          "Adam/Assign Assign beta1_power:0 Adam/mul:0",
                          "Adam/update NoOp ^Adam/update_w/ApplyAdam ^Adam/update_b/ApplyAdam ^Adam/Assign "
                          "^Adam/Assign_1",
                          "Adam/value Const ^Adam/update", "Adam AssignAdd global_step:0 Adam/value:0"}));
}

TEST(Momentum, NamesItsSlotsAsTensorFlow) {
  Problem p;
  train::Momentum momentum(p.g);
  momentum.Minimize(p.loss);
  ASSERT_TRUE(p.g.status().ok()) << p.g.status();
  EXPECT_EQ(momentum.GetSlot(p.w, "momentum")->name(), "w/Momentum");
  EXPECT_EQ(momentum.GetSlot(p.b, "momentum")->name(), "b/Momentum");
  EXPECT_NE(p.g.FindNode("Momentum/update_w/ApplyMomentum"), nullptr);
}

// Three steps against the values of TensorFlow 2.21.
struct Trajectory {
  const char* name;
  std::unique_ptr<train::Optimizer> (*make)(Graph& g);
  Tensor w;
  float b;
  friend void PrintTo(const Trajectory& t, std::ostream* out) { *out << t.name; }
};
class Optimizers : public testing::TestWithParam<Trajectory> {};
TEST_P(Optimizers, StepAsTensorFlow) {
  for (const bool use_resource : {false, true}) {
    SCOPED_TRACE(use_resource ? "resource" : "reference");
    Problem p(use_resource);
    const Variable global_step = GetOrCreateGlobalStep(p.g);
    const Operation step = GetParam().make(p.g)->Minimize(p.loss, {.global_step = global_step.ref()});
    ASSERT_TRUE(p.g.status().ok()) << p.g.status();
    Session session(p.g);
    ASSERT_TRUE(session.Initialize().ok());
    for (int i = 0; i < 3; ++i) {
      const absl::Status status = session.Run({}, std::vector<Output>(), {step}).status();
      ASSERT_TRUE(status.ok()) << status;
    }
    EXPECT_TRUE(TensorsNear(*session.Run({}, p.w.snapshot), GetParam().w, 1e-6));
    EXPECT_TRUE(TensorsNear(*session.Run({}, p.b.snapshot), Tensor(GetParam().b), 1e-6));
    EXPECT_EQ(session.Run({}, global_step.snapshot)->scalar<int64_t>(), 3);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Train, Optimizers,
    testing::Values(Trajectory{"GradientDescent",
                               [](Graph& g) -> std::unique_ptr<train::Optimizer> {
                                 return std::make_unique<train::GradientDescent>(
                                     g, train::GradientDescentOptions{.learning_rate = 0.1});
                               },
                               T({0.55200005, -0.69899994}), 0.7024999f},
                    Trajectory{"Momentum",
                               [](Graph& g) -> std::unique_ptr<train::Optimizer> {
                                 return std::make_unique<train::Momentum>(
                                     g, train::MomentumOptions{.learning_rate = 0.1, .momentum = 0.9});
                               },
                               T({0.15150005, 0.552}), 0.92749995f},
                    Trajectory{"Nesterov",
                               [](Graph& g) -> std::unique_ptr<train::Optimizer> {
                                 return std::make_unique<train::Momentum>(
                                     g, train::MomentumOptions{
                                            .learning_rate = 0.1, .momentum = 0.9, .use_nesterov = true});
                               },
                               T({-0.16028696, 0.28803897}), 0.48373252f},
                    Trajectory{"Adam",
                               [](Graph& g) -> std::unique_ptr<train::Optimizer> {
                                 return std::make_unique<train::Adam>(g, train::AdamOptions{.learning_rate = 0.1});
                               },
                               T({0.70000285, -1.7012721}), 0.79702795f}),
    [](const auto& info) { return info.param.name; });

TEST(Optimizer, TakesALearningRateFromTheGraph) {
  Problem p;
  const Output rate = Placeholder(p.g, {.shape = {}});
  const Operation step = train::GradientDescent(p.g, {.learning_rate = rate}).Minimize(p.loss);
  Session session(p.g);
  ASSERT_TRUE(session.Initialize().ok());
  ASSERT_TRUE(session.Run({{rate, 0.0f}}, std::vector<Output>(), {step}).ok());
  EXPECT_EQ(session.Run({}, p.b.snapshot)->scalar<float>(), 0.5f);
  ASSERT_TRUE(session.Run({{rate, 1.0f}}, std::vector<Output>(), {step}).ok());
  EXPECT_NE(session.Run({}, p.b.snapshot)->scalar<float>(), 0.5f);
}

TEST(Optimizer, TrainsDoubles) {
  Graph g;
  const Variable w = NewVariable(g, Tensor(2.0), {.name = "w"});
  const Operation step = train::Adam(g, {.learning_rate = 0.5}).Minimize(Square(w.snapshot));
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  ASSERT_TRUE(session.Run({}, std::vector<Output>(), {step}).ok());
  EXPECT_NEAR(session.Run({}, w.snapshot)->scalar<double>(), 1.5, 1e-6);
}

// The updates of batch normalization run with the step, before the variables change.
TEST(Optimizer, WaitsForTheUpdatesAroundIt) {
  Problem p;
  const Variable mean = NewVariable(p.g, Tensor(0.0f), {.name = "mean", .trainable = false});
  p.g.AddToCollection(kUpdateOps, Assign(mean.ref(), p.b.snapshot));
  Operation step;
  {
    const ControlDependencies after(p.g, p.g.collection(kUpdateOps));
    step = train::GradientDescent(p.g, {.learning_rate = 1}).Minimize(p.loss);
  }
  Session session(p.g);
  ASSERT_TRUE(session.Initialize().ok());
  ASSERT_TRUE(session.Run({}, std::vector<Output>(), {step}).ok());
  EXPECT_EQ(session.Run({}, mean.snapshot)->scalar<float>(), 0.5f);
}

TEST(Optimizer, TrainsTheVariablesOfTheList) {
  Problem p;
  const Operation step = train::GradientDescent(p.g).Minimize(p.loss, {.var_list = {p.b.snapshot}});
  ASSERT_TRUE(p.g.status().ok()) << p.g.status();
  EXPECT_EQ(step.node()->control_inputs().size(), 1u);
}

TEST(Optimizer, ListsAllVariablesWithoutGradient) {
  Problem p;
  const Output other = NewVariable(p.g, Tensor(1.0f), {.name = "other", .trainable = false}).snapshot;
  train::GradientDescent(p.g).Minimize(other);
  EXPECT_EQ(p.g.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(p.g.status().message()), HasSubstr("none of the variables w, b"));
  EXPECT_THAT(std::string(p.g.status().message()), HasSubstr("(train_optimizer_test.cc:"));
}

}  // namespace
}  // namespace staticflow
