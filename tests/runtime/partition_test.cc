// partition: workers never meet between barriers, any number of them gives the same bits, and every pass can be left
// out.
#include <algorithm>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "ops/conv.h"
#include "ops/train/momentum.h"
#include "tests/runtime/perceptron.h"
#include "tests/runtime/plan_runner.h"
#include "tests/runtime/worker_access.h"

namespace staticflow {
namespace {

std::vector<PerceptronSpec> Networks() {
  return {
      {.widths = {20, 100, 10}},
      {.widths = {784, 100, 100, 10}},
      {.widths = {784, 100, 100, 10}, .batch_norm = true},
      {.widths = {300, 160, 33, 10}, .batch = 96, .batch_norm = true, .activation = "tanh", .optimizer = "adam"},
      {.widths = {130, 257, 64, 12}, .batch = 37, .activation = "sigmoid", .optimizer = "momentum"},
      {.widths = {64, 40, 300, 17}, .batch = 200, .batch_norm = true, .optimizer = "momentum"},
      {.widths = {48, 48, 48, 48, 48, 10}, .batch = 256, .optimizer = "adam"},
      {.widths = {90, 100, 100, 10}, .batch = 320, .batch_norm = true},
      {.widths = {100, 300, 10}, .batch = 1},
      {.widths = {2500, 60, 10}, .batch = 20},
      {.widths = {12, 50, 50, 10}, .batch = 1500, .batch_norm = true, .activation = "tanh"},
      {.widths = {30, 40, 10}, .batch = 2600, .batch_norm = true, .optimizer = "momentum"},
      {.widths = {30, 40, 10}, .batch = 1100, .optimizer = "adam"},
  };
}

class PartitionTest : public ::testing::TestWithParam<PerceptronSpec> {
 protected:
  void SetUp() override {
    BuildPerceptron(GetParam(), &t_);
    ASSERT_TRUE(t_.graph.status().ok()) << t_.graph.status();
  }
  TestGraph t_;
};

TEST_P(PartitionTest, WorkersNeverMeetBetweenBarriers) {
  for (int workers : {2, 3, 4}) {
    for (absl::string_view passes : {"", "-fuse_loops", "-fuse_product", "-product"}) {
      absl::StatusOr<Planned> planned = MakePlan(t_, {.passes = std::string(passes), .workers = workers});
      ASSERT_TRUE(planned.ok()) << planned.status();
      RaceFinder finder(*planned->plan);
      for (const std::string& problem : finder.Run()) {
        ADD_FAILURE() << workers << " workers, passes '" << passes << "': " << problem << "\n"
                      << planned->plan->ToString();
      }
      EXPECT_EQ(finder.shared_lines(), 0) << workers << " workers write the same cache lines of padded rows";
    }
  }
  absl::StatusOr<Planned> planned = MakePlan(t_, {.workers = 2, .always = false});
  ASSERT_TRUE(planned.ok()) << planned.status();
  for (const std::string& problem : FindRaces(*planned->plan)) ADD_FAILURE() << problem << planned->plan->ToString();
}

TEST_P(PartitionTest, AnyNumberOfWorkersGivesTheSameBits) {
  const Outcome one = RunPlanned(t_, {.steps = 5});
  ASSERT_TRUE(one.status.ok()) << one.status;
  EXPECT_TRUE(std::isfinite(one.fetches[0].scalar<float>()));
  for (int workers : {2, 3, 4}) {
    const Outcome several = RunPlanned(t_, {.workers = workers, .steps = 5});
    EXPECT_EQ(Difference(one, several), 0) << workers << " workers: " << several.status << "\n" << several.text;
  }
  const Outcome gains = RunPlanned(t_, {.steps = 5, .always = false});
  for (int workers : {2, 4}) {
    const Outcome several = RunPlanned(t_, {.workers = workers, .steps = 5, .always = false});
    EXPECT_EQ(Difference(gains, several), 0) << workers << " workers: " << several.status << "\n" << several.text;
  }
}

// Sums in another order round differently; the first steps of Adam are as long for a gradient near zero as for any
// other, and so make more of it.
TEST_P(PartitionTest, EveryPassCanBeLeftOut) {
  const Outcome none = RunPlanned(t_, {.passes = "-all", .steps = 5});
  EXPECT_LT(Difference(none, RunPlanned(t_, {.steps = 5})), 5e-4);
  for (const Pass& pass : AllPasses()) {
    const std::string passes = absl::StrCat("-", pass.name);
    const Outcome without = RunPlanned(t_, {.passes = passes, .steps = 5});
    EXPECT_LT(Difference(none, without), 5e-4) << passes << ": " << without.status;
    EXPECT_EQ(Difference(without, RunPlanned(t_, {.passes = passes, .workers = 2, .steps = 5})), 0) << passes;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, PartitionTest, ::testing::ValuesIn(Networks()),
                         [](const auto& info) { return NameOf(info.param); });

TEST(PartitionTest, SmallStepsStayOnOneThread) {
  TestGraph t;
  t.Fetch(Exp(t.Random({4, 20}, 1)));
  absl::StatusOr<Planned> planned = MakePlan(t, {.workers = 4});
  ASSERT_TRUE(planned.ok());
  EXPECT_EQ(planned->plan->workers, 1);
}

// Products that no loop follows: the parts of their inner sums are added up by an instruction of its own. The depths
// lie on both sides of what a product adds up in one block.
TEST(PartitionTest, ProductsInParts) {
  int in_parts = 0;
  for (auto [m, k, n, l] : std::vector<std::array<int64_t, 4>>{
           {60, 784, 100, 50}, {8, 4500, 64, 64}, {1, 5000, 64, 32}, {3, 2100, 40, 500}, {256, 512, 20, 512}}) {
    TestGraph t;
    t.Fetch(MatMul(MatMul(t.Random({m, k}, 1), t.Random({k, n}, 2)), t.Random({n, l}, 3)));
    t.Fetch(MatMul(t.Random({k, m}, 5), t.Random({k, n}, 6), {.transpose_a = true}));
    t.Fetch(Relu(MatMul(t.Random({m, k}, 7), t.Random({k, l}, 8))));
    const Outcome one = RunPlanned(t, {});
    EXPECT_LT(Difference(one, RunPlanned(t, {.passes = "-all"})), 1e-5) << one.status;
    for (int workers : {2, 3, 4}) {
      absl::StatusOr<Planned> planned = MakePlan(t, {.workers = workers});
      ASSERT_TRUE(planned.ok()) << planned.status();
      const std::string text = planned->plan->ToString();
      for (const std::string& problem : FindRaces(*planned->plan)) ADD_FAILURE() << problem << "\n" << text;
      EXPECT_EQ(Difference(one, RunPlanned(t, {.workers = workers})), 0) << text;
      in_parts += absl::StrContains(text, " apart]");
    }
  }
  EXPECT_GT(in_parts, 0);
}

// A product in parts that loops of two workers read.
struct ReadersCase {
  std::string name;
  int64_t batch;
  bool batch_norm;
  int adders;  // loops that read both parts: of many readers one, which leaves the sum to the others
};

class ReadersTest : public ::testing::TestWithParam<ReadersCase> {};

TEST_P(ReadersTest, ManyLoopsAddPartsOnce) {
  TestGraph t;
  BuildPerceptron({.widths = {784, 100, 100, 10}, .batch = GetParam().batch, .batch_norm = GetParam().batch_norm}, &t);
  absl::StatusOr<Planned> planned = MakePlan(t, {.workers = 2});
  ASSERT_TRUE(planned.ok()) << planned.status();
  const std::vector<Instruction>& all = planned->plan->instructions;
  const std::string text = planned->plan->ToString();
  const auto product = std::find_if(all.begin(), all.end(), [](const Instruction& in) {
    return in.product != nullptr && in.product->partial && in.product->k == 784;
  });
  ASSERT_NE(product, all.end()) << text;
  const auto adders = std::count_if(all.begin(), all.end(), [&](const Instruction& in) {
    return absl::c_linear_search(in.inputs, product->outputs[1]);
  });
  EXPECT_EQ(adders, GetParam().adders) << text;
  for (const std::string& problem : FindRaces(*planned->plan)) ADD_FAILURE() << problem << "\n" << text;
  EXPECT_EQ(Difference(RunPlanned(t, {.steps = 3}), RunPlanned(t, {.workers = 2, .steps = 3})), 0) << text;
}

INSTANTIATE_TEST_SUITE_P(Loops, ReadersTest,
                         ::testing::Values(ReadersCase{"Five", 256, true, 1}, ReadersCase{"Two", 60, true, 2},
                                           ReadersCase{"One", 256, false, 1}),
                         [](const auto& info) { return info.param.name; });

// Loops by rows write over their operands among several workers, too; such by columns would take them from others.
TEST(PartitionTest, LoopsByRowsOverwriteOperands) {
  for (const auto& [batch, overwrites] : std::vector<std::pair<int64_t, bool>>{{256, true}, {60, false}}) {
    TestGraph t;
    BuildPerceptron({.widths = {784, 100, 100, 10}, .batch = batch, .batch_norm = true}, &t);
    absl::StatusOr<Planned> planned = MakePlan(t, {.workers = 2});
    ASSERT_TRUE(planned.ok()) << planned.status();
    const bool found = absl::c_any_of(planned->plan->instructions, [&](const Instruction& in) {
      return in.loop != nullptr && absl::c_any_of(in.loop->results, [&](const LoopProgram::Result& r) {
               return r.same_as_input >= 0 &&
                      planned->plan->values[in.inputs[r.same_as_input]].shape == Shape({batch, 100});
             });
    });
    EXPECT_EQ(found, overwrites) << planned->plan->ToString();
  }
}

// The weights of a product that both workers read whole are asked for by the product before it, if the step changes
// them.
TEST(PartitionTest, ProductsAskForTheNextWeights) {
  for (const auto& [batch, trained, asks] :
       std::vector<std::tuple<int64_t, bool, int>>{{256, true, 2}, {60, true, 1}, {256, false, 0}}) {
    TestGraph t;
    if (trained) {
      BuildPerceptron({.widths = {784, 100, 100, 10}, .batch = batch}, &t);
    } else {
      const Variable first = NewVariable(t.graph, TestGraph::RandomTensor({784, 100}, 1), {.name = "first"});
      const Variable second = NewVariable(t.graph, TestGraph::RandomTensor({100, 100}, 2), {.name = "second"});
      t.Fetch(MatMul(Relu(MatMul(t.Random({batch, 784}, 3), first.snapshot)), second.snapshot));
    }
    absl::StatusOr<Planned> planned = MakePlan(t, {.workers = 2});
    ASSERT_TRUE(planned.ok()) << planned.status();
    const Plan& plan = *planned->plan;
    int found = 0;
    for (const Instruction& in : plan.instructions) {
      if (in.ahead < 0) continue;
      ++found;
      EXPECT_NE(in.product, nullptr);
      EXPECT_EQ(plan.buffers[plan.values[in.ahead].buffer].kind, BufferKind::kVariable);
    }
    EXPECT_EQ(found, asks) << plan.ToString();
  }
}

// Gradients of weights that are added to them as they are computed: of many rows by few columns, each worker takes the
// rows that it has, and an instruction adds both sums to the variable, the first one first.
TEST(PartitionTest, UpdatesInParts) {
  for (int64_t batch : {200, 256, 600, 1024}) {
    TestGraph t;
    BuildPerceptron({.widths = {100, 100, 100, 10}, .batch = batch}, &t);
    const Outcome one = RunPlanned(t, {.steps = 4});
    ASSERT_TRUE(one.status.ok()) << one.status;
    EXPECT_LT(Difference(one, RunPlanned(t, {.passes = "-all", .steps = 4})), 5e-4) << batch;
    for (int workers : {2, 3, 4}) {
      absl::StatusOr<Planned> planned = MakePlan(t, {.workers = workers});
      ASSERT_TRUE(planned.ok()) << planned.status();
      const std::string text = planned->plan->ToString();
      for (const std::string& problem : FindRaces(*planned->plan)) ADD_FAILURE() << problem << "\n" << text;
      const Outcome several = RunPlanned(t, {.workers = workers, .steps = 4});
      EXPECT_EQ(Difference(one, several), 0) << batch << ", " << workers << " workers: " << several.status << text;
      const auto updates_in_parts = [](const Instruction& in) {
        return in.product != nullptr && in.product->partial && absl::StrContains(in.node->op().name(), "Apply");
      };
      const std::vector<Instruction>& all = planned->plan->instructions;
      EXPECT_TRUE(workers != 2 || std::any_of(all.begin(), all.end(), updates_in_parts)) << text;
    }
  }
}

// Loops compute floats alone.
TEST(PartitionTest, ProductsOfDoublesAreNotInParts) {
  TestGraph t;
  Output x = Cast(t.Random({60, 784}, 1), DT_DOUBLE), w = Cast(t.Random({784, 100}, 2), DT_DOUBLE);
  t.Fetch(Relu(MatMul(x, w) + 1.0));
  t.Fetch(MatMul(x, w, {.transpose_a = false}) * 2.0);
  const Outcome plain = RunPlanned(t, {.passes = "-all"});
  ASSERT_TRUE(plain.status.ok()) << plain.status;
  for (int workers : {1, 2, 3}) {
    EXPECT_LT(Difference(plain, RunPlanned(t, {.workers = workers})), 1e-12) << workers;
  }
}

// The gradient of a convolution by its filter is a sum over two halves of the pictures, each worker's its own.
TEST(PartitionTest, ConvolutionsInParts) {
  TestGraph t;
  Output x = t.Random({32, 10, 10, 3}, 1);
  Variable filter = NewVariable(t.graph, TestGraph::RandomTensor({3, 3, 3, 20}, 2), {.name = "filter"});
  Output y = Relu(Conv2D(x, filter.snapshot, {.strides = {1, 1, 1, 1}, .padding = "SAME"}));
  Output loss = Mean(Square(y));
  t.Target(train::Momentum(t.graph, {.learning_rate = 0.1, .momentum = 0.9}).Minimize(loss));
  t.Fetch(loss);
  const Outcome one = RunPlanned(t, {.steps = 3}), two = RunPlanned(t, {.workers = 2, .steps = 3});
  ASSERT_TRUE(one.status.ok() && two.status.ok()) << one.status << two.status;
  EXPECT_TRUE(absl::StrContains(two.text, "cut 0|1|2")) << two.text;
  EXPECT_EQ(Difference(one, two), 0) << two.text;
  for (int workers : {2, 4}) {
    absl::StatusOr<Planned> planned = MakePlan(t, {.workers = workers});
    ASSERT_TRUE(planned.ok()) << planned.status();
    for (const std::string& problem : FindRaces(*planned->plan)) ADD_FAILURE() << problem << "\n" << two.text;
    EXPECT_EQ(Difference(one, RunPlanned(t, {.workers = workers, .steps = 3})), 0) << workers;
  }
}

// How many barriers two workers take for a perceptron of `hidden` layers of `width`.
int Barriers(int hidden, int64_t width, const std::string& optimizer, bool always) {
  PerceptronSpec spec{.widths = {784}, .batch_norm = true, .optimizer = optimizer};
  spec.widths.insert(spec.widths.end(), hidden, width);
  spec.widths.push_back(10);
  TestGraph t;
  BuildPerceptron(spec, &t);
  absl::StatusOr<Planned> planned = MakePlan(t, {.workers = 2, .always = always});
  EXPECT_TRUE(planned.ok()) << planned.status();
  if (!planned.ok()) return 0;
  EXPECT_EQ(planned->plan->workers, 2);
  return static_cast<int>(std::count_if(planned->plan->instructions.begin(), planned->plan->instructions.end(),
                                        [](const Instruction& in) { return in.barrier; }));
}

// One exchange forward and one backward: updates find their gradients where they are, and checks whether variables have
// values wait for nobody.
TEST(PartitionTest, UpdatesTakeNoBarrier) {
  for (const char* optimizer : {"sgd", "momentum", "adam"}) {
    EXPECT_EQ(Barriers(9, 50, optimizer, true) - Barriers(4, 50, optimizer, true), 2 * 5) << optimizer;
  }
}

// Beside the two large products of the first layer, one worker does the narrow layers; wide ones are worth an exchange.
TEST(PartitionTest, NarrowLayersStayWithOneWorker) {
  for (const char* optimizer : {"sgd", "momentum", "adam"}) {
    EXPECT_EQ(Barriers(9, 40, optimizer, false), Barriers(4, 40, optimizer, false)) << optimizer;
    EXPECT_EQ(Barriers(9, 160, optimizer, false) - Barriers(4, 160, optimizer, false), 2 * 5) << optimizer;
  }
}

// The checker itself must be able to fail.
TEST(PartitionTest, AMissingBarrierIsFound) {
  TestGraph t;
  BuildPerceptron({.widths = {784, 100, 100, 10}, .batch_norm = true}, &t);
  absl::StatusOr<Planned> planned = MakePlan(t, {.workers = 2});
  ASSERT_TRUE(planned.ok()) << planned.status();
  Plan& plan = *planned->plan;
  ASSERT_EQ(plan.workers, 2);
  int needed = 0, barriers = 0;
  for (Instruction& in : plan.instructions) {
    if (!in.barrier) continue;
    ++barriers;
    in.barrier = false;
    needed += !FindRaces(plan).empty();
    in.barrier = true;
  }
  EXPECT_EQ(needed, barriers) << plan.ToString();
}

}  // namespace
}  // namespace staticflow
