// layers::BatchNormalization: names, collections, structure, numbers, and the agreement of its forms.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "graph/gradients.h"
#include "staticflow.h"

namespace staticflow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Names(const Graph& g, absl::string_view collection) {
  std::vector<std::string> names;
  for (const CollectionItem& item : g.collection(collection)) names.push_back(item.name());
  return names;
}

std::vector<std::string> VariableNames(const Graph& g, absl::string_view collection) {
  std::vector<std::string> names;
  for (const Variable* v : g.variables(collection)) names.push_back(v->name());
  return names;
}

std::vector<Operation> UpdateOps(const Graph& g) {
  const std::vector<CollectionItem>& items = g.collection(kUpdateOps);
  return {items.begin(), items.end()};
}

Tensor Column() { return Tensor::Matrix<float>({{-10}, {0}, {10}}); }

// The value of a variable of the graph.
float ValueOf(Session& session, const Graph& g, const std::string& name) {
  const absl::StatusOr<Output> output = g.FindOutput(name);
  EXPECT_TRUE(output.ok()) << output.status();
  const absl::StatusOr<Tensor> value = session.Run({}, *output);
  EXPECT_TRUE(value.ok()) << value.status();
  return value.ok() ? value->flat<float>()[0] : NAN;
}

// ---- Structure ----

struct StructureCase {
  std::string name = "";
  Shape shape = {};
  layers::BatchNormalizationOptions options = {};
  int training = 0;  // 0: false, 1: true, 2: a placeholder
  std::vector<std::string> updates = {};
  std::vector<std::string> update_types = {};
  std::vector<std::string> nodes = {};      // that must be there
  std::vector<std::string> forbidden = {};  // op types that must not be
};

class BatchNormalizationStructure : public testing::TestWithParam<StructureCase> {};

TEST_P(BatchNormalizationStructure, AsTensorFlow) {
  const StructureCase& row = GetParam();
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = row.shape, .name = "x"});
  layers::BatchNormalizationOptions options = row.options;
  options.training = row.training == 2   ? layers::Training(Placeholder(g, {.dtype = DT_BOOL, .name = "is_training"}))
                     : row.training == 1 ? layers::Training(true)
                                         : layers::Training(false);
  const Output y = layers::BatchNormalization(g, x, options);
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_EQ(y.shape(), row.shape);
  EXPECT_EQ(Names(g, kUpdateOps), row.updates);
  std::vector<std::string> types;
  for (Operation update : UpdateOps(g)) types.push_back(update.node()->type());
  EXPECT_EQ(types, row.update_types);
  for (const std::string& node : row.nodes) EXPECT_NE(g.FindNode(node), nullptr) << node;
  for (const auto& node : g.nodes()) EXPECT_THAT(row.forbidden, testing::Not(testing::Contains(node->type())));
}

const std::vector<StructureCase>& StructureCases() {
  static const auto* const cases = new std::vector<StructureCase>{
      {.name = "False",
       .shape = {-1, 3},
       .nodes = {"batch_normalization/batchnorm/add/y", "batch_normalization/batchnorm/add_1",
                 "batch_normalization/gamma/Initializer/ones", "batch_normalization/beta/read",
                 "batch_normalization/moving_mean/Assign", "batch_normalization/moving_variance/Initializer/ones"},
       .forbidden = {"Mean", "AssignSub", "Switch"}},
      {.name = "True",
       .shape = {-1, 3},
       .training = 1,
       .updates = {"batch_normalization/AssignMovingAvg", "batch_normalization/AssignMovingAvg_1"},
       .update_types = {"AssignSub", "AssignSub"},
       .nodes = {"batch_normalization/moments/mean", "batch_normalization/moments/Squeeze_1",
                 "batch_normalization/AssignMovingAvg/decay", "batch_normalization/AssignMovingAvg/sub",
                 "batch_normalization/AssignMovingAvg/mul", "batch_normalization/AssignMovingAvg_1/sub"},
       .forbidden = {"Switch", "Merge"}},
      {.name = "Placeholder",
       .shape = {-1, 3},
       .training = 2,
       .updates = {"batch_normalization/cond_2/Merge", "batch_normalization/cond_3/Merge"},
       .update_types = {"Merge", "Merge"},
       .nodes = {"batch_normalization/cond/Switch_1", "batch_normalization/cond_1/Merge",
                 "batch_normalization/cond_2/AssignMovingAvg/decay",
                 "batch_normalization/cond_2/AssignMovingAvg/sub/Switch_1",
                 "batch_normalization/cond_2/AssignMovingAvg/Switch", "batch_normalization/cond_2/Switch_1",
                 "batch_normalization/cond_3/AssignMovingAvg"}},
      {.name = "FusedTrue",
       .shape = {-1, 5, 5, 3},
       .training = 1,
       .updates = {"batch_normalization/AssignMovingAvg", "batch_normalization/AssignMovingAvg_1"},
       .update_types = {"AssignSub", "AssignSub"},
       .nodes = {"batch_normalization/FusedBatchNormV3", "batch_normalization/AssignMovingAvg/sub/x",
                 "batch_normalization/AssignMovingAvg/sub_1"},
       .forbidden = {"Mean"}},
      {.name = "FusedPlaceholder",
       .shape = {-1, 5, 5, 3},
       .training = 2,
       .updates = {"batch_normalization/AssignMovingAvg", "batch_normalization/AssignMovingAvg_1"},
       .update_types = {"AssignSub", "AssignSub"},
       .nodes = {"batch_normalization/cond/FusedBatchNormV3", "batch_normalization/cond/FusedBatchNormV3_1/Switch_4",
                 "batch_normalization/cond/Merge_2", "batch_normalization/cond_1/Const_1",
                 "batch_normalization/AssignMovingAvg/sub/x", "batch_normalization/AssignMovingAvg_1/mul"},
       .forbidden = {"Mean"}},
      {.name = "FusedChannelsFirst",
       .shape = {-1, 3, 5, 5},
       .options = {.axis = 1},
       .nodes = {"batch_normalization/FusedBatchNormV3"}},
      {.name = "NotFused",
       .shape = {-1, 5, 5, 3},
       .options = {.fused = false},
       .training = 1,
       .updates = {"batch_normalization/AssignMovingAvg", "batch_normalization/AssignMovingAvg_1"},
       .update_types = {"AssignSub", "AssignSub"},
       .forbidden = {"FusedBatchNormV3"}},
      {.name = "MiddleAxisIsNotFused",
       .shape = {-1, 5, 4, 3},
       .options = {.axis = {2}},
       .forbidden = {"FusedBatchNormV3"}},
      {.name = "MomentumZeroStillUpdates",
       .shape = {-1, 3},
       .options = {.momentum = 0},
       .training = 1,
       .updates = {"batch_normalization/AssignMovingAvg", "batch_normalization/AssignMovingAvg_1"},
       .update_types = {"AssignSub", "AssignSub"}},
      {.name = "FrozenCollectsNothing",
       .shape = {-1, 3},
       .options = {.trainable = false},
       .training = 1,
       .nodes = {"batch_normalization/moments/mean"}},
  };
  return *cases;
}
INSTANTIATE_TEST_SUITE_P(All, BatchNormalizationStructure, testing::ValuesIn(StructureCases()),
                         [](const auto& row) { return row.param.name; });

TEST(BatchNormalization, Variables) {
  Graph g;
  const Output x = Placeholder(g, {.shape = {-1, 4}});
  layers::BatchNormalization(g, x);
  layers::BatchNormalization(g, x, {.center = false, .scale = false});
  layers::BatchNormalization(g, x, {.trainable = false, .name = "bn"});
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_THAT(VariableNames(g, kGlobalVariables),
              ElementsAre("batch_normalization/gamma", "batch_normalization/beta", "batch_normalization/moving_mean",
                          "batch_normalization/moving_variance", "batch_normalization_1/moving_mean",
                          "batch_normalization_1/moving_variance", "bn/gamma", "bn/beta", "bn/moving_mean",
                          "bn/moving_variance"));
  EXPECT_THAT(VariableNames(g, kTrainableVariables),
              ElementsAre("batch_normalization/gamma", "batch_normalization/beta"));
}

TEST(BatchNormalization, ReuseSharesVariablesAndAddsUpdates) {
  Graph g;
  const Output x = Placeholder(g, {.shape = {-1, 4}});
  layers::BatchNormalization(g, x, {.training = true, .name = "bn"});
  layers::BatchNormalization(g, x, {.training = true, .name = "bn", .reuse = Reuse::kReuse});
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_EQ(g.variables(kGlobalVariables).size(), 4u);
  EXPECT_THAT(Names(g, kUpdateOps), ElementsAre("bn/AssignMovingAvg", "bn/AssignMovingAvg_1", "bn_1/AssignMovingAvg",
                                                "bn_1/AssignMovingAvg_1"));
}

TEST(BatchNormalization, ResourceVariablesAreUpdatedToo) {
  for (bool known : {true, false}) {
    Graph g;
    const VariableScope resources(g, "", {.use_resource = true});
    const Output x = Placeholder(g, {.shape = {-1, 1}});
    const Output is_training = PlaceholderWithDefault(g, true);
    const layers::Training training = known ? layers::Training(true) : layers::Training(is_training);
    const Output y = layers::BatchNormalization(g, x, {.momentum = 0, .training = training});
    ASSERT_TRUE(g.status().ok()) << g.status();
    const std::vector<Operation> updates = UpdateOps(g);
    ASSERT_EQ(updates.size(), 2u);
    if (known) {
      EXPECT_EQ(updates[0].name(), "batch_normalization/AssignMovingAvg/AssignSubVariableOp");
    } else {
      EXPECT_EQ(updates[1].name(), "batch_normalization/cond_3/Merge");
    }
    Session session(g);
    ASSERT_TRUE(session.Initialize().ok());
    const auto out = session.Run({{x, Column()}}, {y}, updates);
    ASSERT_TRUE(out.ok()) << out.status();
    const absl::StatusOr<Tensor> variance = session.Run({}, g.variables()[3].snapshot);
    ASSERT_TRUE(variance.ok()) << variance.status();
    EXPECT_NEAR(variance->flat<float>()[0], 200.0 / 3, 1e-4);
  }
}

TEST(BatchNormalization, NarrowInputsHaveFloatVariables) {
  for (const Shape& shape : {Shape({3, 1}), Shape({3, 1, 1, 1})}) {
    for (int axis : {-1, 1}) {
      Graph g;
      const Output x = Placeholder(g, {.dtype = DT_HALF, .shape = shape});
      const Output y = layers::BatchNormalization(g, x, {.axis = axis, .training = true});
      ASSERT_TRUE(g.status().ok()) << g.status();
      EXPECT_EQ(y.dtype(), DT_HALF);
      for (const Variable& v : g.variables()) EXPECT_EQ(v.dtype, DT_FLOAT);
      Session session(g);
      ASSERT_TRUE(session.Initialize().ok());
      const auto out =
          session.Run({{x, Tensor::Of<Half>(shape, {Half(-10.0f), Half(0.0f), Half(10.0f)})}}, {y}, UpdateOps(g));
      ASSERT_TRUE(out.ok()) << out.status();
      EXPECT_NEAR(static_cast<float>((*out)[0].flat<Half>()[2]), 1.2247357, 2e-3);
    }
  }
}

// ---- Numbers ----

TEST(BatchNormalization, NumbersOfTheBasics) {
  Graph g;
  const Output is_training = PlaceholderWithDefault(g, false, {.name = "is_training"});
  const Output x = Placeholder(g, {.shape = {-1, 1}});
  const Output y = layers::BatchNormalization(g, x, {.training = is_training});
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  const absl::StatusOr<Tensor> untrained = session.Run({{x, Column()}}, y);
  ASSERT_TRUE(untrained.ok()) << untrained.status();
  EXPECT_FLOAT_EQ(untrained->flat<float>()[2], 9.995004f);
  for (int i = 0; i < 1000; ++i) {
    const auto out = session.Run({{x, Column()}, {is_training, true}}, {y}, UpdateOps(g));
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_FLOAT_EQ((*out)[0].flat<float>()[0], -1.2247357f);
    if (i > 0) continue;
    const absl::StatusOr<Tensor> small = session.Run({{x, Tensor::Matrix<float>({{-10}})}}, y);
    ASSERT_TRUE(small.ok()) << small.status();
    EXPECT_NEAR(small->flat<float>()[0], -7.766966f, 1e-6);
  }
  EXPECT_EQ(ValueOf(session, g, "batch_normalization/moving_mean"), 0);
  EXPECT_NEAR(ValueOf(session, g, "batch_normalization/moving_variance"), 66.66382f, 1e-5);
}

TEST(BatchNormalization, AnUntrainedBranchWritesNothing) {
  Graph g;
  const Output is_training = Placeholder(g, {.dtype = DT_BOOL});
  const Output x = Placeholder(g, {.shape = {-1, 1}});
  const Output y = layers::BatchNormalization(g, x, {.training = is_training});
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  ASSERT_TRUE(session.Run({{x, Column()}, {is_training, false}}, {y}, UpdateOps(g)).ok());
  EXPECT_EQ(ValueOf(session, g, "batch_normalization/moving_variance"), 1);
}

TEST(BatchNormalization, MomentumAndEpsilonDecide) {
  for (double momentum : {0.0, 0.5, 1.0}) {
    Graph g;
    const Output x = Placeholder(g, {.shape = {-1, 1}});
    const Output y = layers::BatchNormalization(g, x, {.momentum = momentum, .epsilon = 0, .training = true});
    Session session(g);
    ASSERT_TRUE(session.Initialize().ok());
    const auto out = session.Run({{x, Column()}}, {y}, UpdateOps(g));
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_NEAR((*out)[0].flat<float>()[2], std::sqrt(1.5), 1e-6);
    EXPECT_NEAR(ValueOf(session, g, "batch_normalization/moving_variance"), momentum + (1 - momentum) * 200 / 3, 1e-5);
  }
}

TEST(BatchNormalization, AnEmptyBatchHasNoMean) {
  Graph g;
  const Output x = Placeholder(g, {.shape = {-1, 1}});
  const Output y = layers::BatchNormalization(g, x, {.training = true});
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  const auto out = session.Run({{x, *Tensor::Create(DT_FLOAT, {0, 1})}}, {y}, UpdateOps(g));
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].num_elements(), 0);
  EXPECT_TRUE(std::isnan(ValueOf(session, g, "batch_normalization/moving_mean")));
}

// Pictures most of whose elements are one background value, as MNIST's are.
Tensor Pictures(const Shape& shape) {
  Tensor x = *Tensor::Create(DT_FLOAT, shape);
  uint32_t state = 1;
  for (float& value : x.flat<float>()) {
    state = state * 1664525u + 1013904223u;
    value = state >> 30 != 0 ? 0.25f : static_cast<float>(state >> 8 & 0xffff) / 65536;
  }
  return x;
}

struct FormResult {
  Tensor y, dx, dgamma, dbeta;
  float moving_mean, moving_variance;
};

FormResult RunForm(const layers::BatchNormalizationOptions& options, const Tensor& input, const Tensor& weight) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = input.dtype(), .shape = input.shape()});
  const Output w = Placeholder(g, {.dtype = input.dtype(), .shape = input.shape()});
  const Output y = layers::BatchNormalization(g, x, options);
  const std::deque<Variable>& v = g.variables();
  const std::vector<Output> gradients = Gradients({Sum(y * w)}, {x, v[0].snapshot, v[1].snapshot});
  Session session(g);
  EXPECT_TRUE(session.Initialize().ok()) << g.status();
  const auto out = session.Run({{x, input}, {w, weight}}, {y, gradients[0], gradients[1], gradients[2]}, UpdateOps(g));
  EXPECT_TRUE(out.ok()) << out.status();
  if (!out.ok()) return {};
  return {(*out)[0],
          (*out)[1],
          (*out)[2],
          (*out)[3],
          ValueOf(session, g, "batch_normalization/moving_mean"),
          ValueOf(session, g, "batch_normalization/moving_variance")};
}

void ExpectNear(const Tensor& a, const Tensor& b, double tolerance, const char* what) {
  ASSERT_TRUE(a.valid() && b.valid());
  ASSERT_EQ(a.shape(), b.shape());
  double largest = 0, difference = 0;
  for (int64_t i = 0; i < a.num_elements(); ++i) {
    largest = std::max<double>(largest, std::fabs(b.flat<float>()[i]));
    difference = std::max<double>(difference, std::fabs(a.flat<float>()[i] - b.flat<float>()[i]));
  }
  EXPECT_LE(difference, tolerance * largest) << what;
}

TEST(BatchNormalization, FusedAndDecomposedAgree) {
  const Tensor x = Pictures({20, 14, 14, 4});
  Tensor w = Pictures({20, 14, 14, 4});
  for (int64_t i = 0; i < w.num_elements(); ++i) w.flat<float>()[i] *= static_cast<float>(i % 7) - 3;
  const FormResult fused = RunForm({.training = true}, x, w);
  const FormResult decomposed = RunForm({.training = true, .fused = false}, x, w);
  ExpectNear(fused.y, decomposed.y, 1e-5, "y");
  ExpectNear(fused.dx, decomposed.dx, 1e-5, "dx");
  ExpectNear(fused.dgamma, decomposed.dgamma, 1e-5, "dgamma");
  ExpectNear(fused.dbeta, decomposed.dbeta, 1e-5, "dbeta");
  EXPECT_NEAR(fused.moving_mean, decomposed.moving_mean, 1e-6);
  // n - 1 against n.
  const double n = 20 * 14 * 14;
  EXPECT_NEAR((fused.moving_variance - 0.99) * (n - 1) / n, decomposed.moving_variance - 0.99, 1e-6);
}

TEST(BatchNormalization, ChannelsFirstIsTheTransposedPicture) {
  const Tensor x = Pictures({3, 4, 5, 2});
  for (bool fused : {false, true}) {
    Graph g;
    const Output last = Placeholder(g, {.shape = {3, 4, 5, 2}});
    const Output first = Transpose(last, {0, 3, 1, 2});
    const Output a = layers::BatchNormalization(g, last, {.axis = -1, .training = true, .fused = fused});
    const Output b = layers::BatchNormalization(g, first, {.axis = 1, .training = true, .fused = fused});
    const Output same = Transpose(b, {0, 2, 3, 1});
    Session session(g);
    ASSERT_TRUE(session.Initialize().ok()) << g.status();
    const auto out = session.Run({{last, x}}, {a, same});
    ASSERT_TRUE(out.ok()) << out.status();
    ExpectNear((*out)[1], (*out)[0], 1e-6, "y");
  }
}

// ---- Errors ----

struct ErrorCase {
  std::string name = "";
  Shape shape = {};
  DataType dtype = DT_FLOAT;
  layers::BatchNormalizationOptions options = {};
  std::string message = "";
};

class BatchNormalizationError : public testing::TestWithParam<ErrorCase> {};

TEST_P(BatchNormalizationError, NamesLayerAndLine) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = GetParam().dtype, .shape = GetParam().shape});
  EXPECT_FALSE(layers::BatchNormalization(g, x, GetParam().options).valid());
  EXPECT_EQ(g.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(g.status().message()), HasSubstr("BatchNormalization 'batch_normalization' (layers_"));
  EXPECT_THAT(std::string(g.status().message()), HasSubstr(GetParam().message));
  EXPECT_THAT(Names(g, kUpdateOps), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    All, BatchNormalizationError,
    testing::Values(
        ErrorCase{.name = "Axis", .shape = {-1, 3}, .options = {.axis = 2}, .message = "2"},
        ErrorCase{.name = "TwoAxes", .shape = {-1, 3, 3}, .options = {.axis = {1, 2}}, .message = "has 2 dimensions"},
        ErrorCase{.name = "Channels", .shape = {3, -1}, .options = {}, .message = "known number of channels"},
        ErrorCase{.name = "Rank", .shape = {3}, .options = {}, .message = "expected rank 2 or more"},
        ErrorCase{.name = "UnknownRank", .shape = Shape::Unknown(), .options = {}, .message = "<unknown>"},
        ErrorCase{.name = "Type", .shape = {-1, 3}, .dtype = DT_INT32, .options = {}, .message = "floating"},
        ErrorCase{.name = "Momentum", .shape = {-1, 3}, .options = {.momentum = 1.5}, .message = ".momentum is 1.5"},
        ErrorCase{.name = "Epsilon", .shape = {-1, 3}, .options = {.epsilon = -1}, .message = ".epsilon is -1"},
        ErrorCase{.name = "Training",
                  .shape = {-1, 3},
                  .options = {.training = Output()},
                  .message = ".training is no output"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace staticflow
