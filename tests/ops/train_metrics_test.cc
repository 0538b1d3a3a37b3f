// Metrics, losses, regularizers and constraints, against the values that TensorFlow gives.
#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ops/constraints.h"
#include "ops/layers/layers.h"
#include "ops/regularizers.h"
#include "ops/train/losses.h"
#include "ops/train/metrics.h"
#include "staticflow.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using metrics::Metric;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// Two batches of labels, predictions and weights.
struct Batch {
  Tensor labels, predictions;
};
const std::vector<Batch>& YesOrNo() {
  static const auto& batches = *new std::vector<Batch>{{M({{0, 1, 1}, {1, 0, 0}}), M({{.1, .9, .4}, {.65, .35, .8}})},
                                                       {M({{1, 0, 1}, {0, 1, 0}}), M({{.5, .2, .7}, {.05, .95, .6}})}};
  return batches;
}
const std::vector<Batch>& Classes() {
  static const auto& batches = *new std::vector<Batch>{{M({{0, 0, 1}, {1, 0, 0}}), M({{1, 2, 3.5}, {-1, .5, .25}})},
                                                       {M({{0, 1, 0}, {1, 0, 0}}), M({{0.5, 0.75, .1}, {2, -3, 1}})}};
  return batches;
}
Tensor Weights() { return M({{1, .5, 2}, {0, 1, 3}}); }

struct MetricCase {
  std::string name;
  std::function<Metric(Output labels, Output predictions, Output weights)> build;
  const std::vector<Batch>& batches;
  std::vector<float> want;  // after each batch
};

std::vector<MetricCase> MetricCases() {
  using namespace metrics;  // NOLINT: a table of its functions
  const auto& yes = YesOrNo();
  const auto& classes = Classes();
  return {
      {"mean", [](Output, Output p, Output) { return metrics::Mean(p); }, yes, {0.53333330f, 0.51666665f}},
      {"mean, weighted",
       [](Output, Output p, Output w) { return metrics::Mean(p, {.weights = w}); },
       yes,
       {0.54666674f, 0.59f}},
      {"mse", [](Output y, Output p, Output) { return MeanSquaredError(y, p); }, yes, {0.21083336f, 0.16750002f}},
      {"mse, weighted",
       [](Output y, Output p, Output w) { return MeanSquaredError(y, p, {.weights = w}); },
       yes,
       {0.37033334f, 0.28733337f}},
      {"rmse", [](Output y, Output p, Output) { return RootMeanSquaredError(y, p); }, yes, {0.45916593f, 0.40926766f}},
      {"mae", [](Output y, Output p, Output) { return MeanAbsoluteError(y, p); }, yes, {0.38333336f, 0.33333334f}},
      {"accuracy",
       [](Output y, Output p, Output) { return Accuracy(y, Cast(Greater(p, 0.5), DT_FLOAT)); },
       yes,
       {0.66666669f, 0.66666669f}},
      {"binary accuracy",
       [](Output y, Output p, Output) { return BinaryAccuracy(y, p); },
       yes,
       {0.66666669f, 0.66666669f}},
      {"binary accuracy, weighted",
       [](Output y, Output p, Output w) { return BinaryAccuracy(y, p, {.weights = w}); },
       yes,
       {0.33333334f, 0.4f}},
      {"binary accuracy above 0.3",
       [](Output y, Output p, Output) { return BinaryAccuracy(y, p, {.threshold = 0.3}); },
       yes,
       {0.66666669f, 0.75f}},
      {"precision", [](Output y, Output p, Output) { return Precision(y, p); }, yes, {0.66666669f, 0.66666669f}},
      {"precision, weighted",
       [](Output y, Output p, Output w) { return Precision(y, p, {.weights = w}); },
       yes,
       {0.14285715f, 0.36842105f}},
      {"recall", [](Output y, Output p, Output) { return Recall(y, p); }, yes, {0.66666669f, 0.66666669f}},
      {"recall, weighted",
       [](Output y, Output p, Output w) { return Recall(y, p, {.weights = w}); },
       yes,
       {0.2f, 0.53846157f}},
      {"recall of bools",
       [](Output y, Output p, Output) { return Recall(Cast(y, DT_BOOL), Greater(p, 0.5)); },
       yes,
       {0.66666669f, 0.66666669f}},
      {"auc", [](Output y, Output p, Output) { return Auc(y, p); }, yes, {0.77777767f, 0.83333319f}},
      {"auc, weighted",
       [](Output y, Output p, Output w) { return Auc(y, p, {.weights = w}); },
       yes,
       {0.52000010f, 0.56561089f}},
      {"auc under precision and recall",
       [](Output y, Output p, Output) { return Auc(y, p, {.curve = Curve::kPr}); },
       yes,
       {0.76388872f, 0.81765860f}},
      {"auc under precision and recall, interpolated",
       [](Output y, Output p, Output) {
         return Auc(y, p, {.curve = Curve::kPr, .summation_method = Summation::kCarefulInterpolation});
       },
       yes,
       {0.76895094f, 0.81896842f}},
      {"auc, interpolated",
       [](Output y, Output p, Output) { return Auc(y, p, {.summation_method = Summation::kCarefulInterpolation}); },
       yes,
       {0.77777767f, 0.83333319f}},
      {"auc of five thresholds",
       [](Output y, Output p, Output) { return Auc(y, p, {.num_thresholds = 5}); },
       yes,
       {0.66666657f, 0.74999988f}},
      {"categorical accuracy",
       [](Output y, Output p, Output) { return CategoricalAccuracy(y, p); },
       classes,
       {0.5f, 0.75f}},
      {"categorical accuracy, weights of rows",
       [](Output y, Output p, Output) {
         return CategoricalAccuracy(y, p, {.weights = Const(p.graph(), T({3, 1}))});
       },
       classes,
       {0.75f, 0.875f}},
      {"sparse categorical accuracy",
       [](Output y, Output p, Output) { return SparseCategoricalAccuracy(Cast(ArgMax(y, 1), DT_INT32), p); },
       classes,
       {0.5f, 0.75f}},
      {"top 1", [](Output y, Output p, Output) { return TopKCategoricalAccuracy(y, p, 1); }, classes, {0.5f, 0.75f}},
      {"top 2", [](Output y, Output p, Output) { return TopKCategoricalAccuracy(y, p, 2); }, classes, {0.5f, 0.75f}},
  };
}

TEST(Metrics, AgreeWithTensorFlow) {
  for (const MetricCase& row : MetricCases()) {
    Graph g;
    const Output y = Placeholder(g, {.name = "y"}), p = Placeholder(g, {.name = "p"});
    const Metric metric = row.build(y, p, Const(g, Weights()));
    ASSERT_TRUE(g.status().ok()) << row.name << g.status();
    const Operation reset = metrics::ResetOperation(g, {metric});
    Session session(g, {.threads = 1});
    for (int round = 0; round < 2; ++round) {
      ASSERT_TRUE(session.Run({}, std::vector<Output>(), {reset}).ok());
      EXPECT_FLOAT_EQ(session.Run({}, metric.value)->scalar<float>(), 0) << row.name;
      for (size_t i = 0; i < row.batches.size(); ++i) {
        const absl::StatusOr<Tensor> updated =
            session.Run({{y, row.batches[i].labels}, {p, row.batches[i].predictions}}, metric.update);
        ASSERT_TRUE(updated.ok()) << row.name << updated.status();
        EXPECT_NEAR(updated->scalar<float>(), row.want[i], 2e-6) << row.name << ", batch " << i;
      }
      EXPECT_NEAR(session.Run({}, metric.value)->scalar<float>(), row.want.back(), 2e-6) << row.name;
    }
    EXPECT_EQ(g.variables(kGlobalVariables).size(), 0u) << row.name;
    EXPECT_EQ(g.variables(kLocalVariables).size(), metric.variables.size()) << row.name;
    EXPECT_EQ(g.variables(metrics::kMetricVariables).size(), metric.variables.size()) << row.name;
  }
}

TEST(Metrics, TakeTheNamesOfTensorFlow) {
  Graph g;
  const Output x = Placeholder(g, {.shape = {-1}, .name = "x"});
  for (int i = 0; i < 2; ++i) metrics::Mean(x);
  metrics::Precision(x, x, {.name = "p"});
  std::vector<std::string> names;
  for (const Variable* v : g.variables(kLocalVariables)) names.push_back(v->name());
  EXPECT_THAT(names, ElementsAre("mean/total", "mean/count", "mean_1/total", "mean_1/count", "p/true_positives/count",
                                 "p/false_positives/count"));
  for (const char* name : {"mean/value", "mean/update_op", "mean_1/update_op", "p/value"}) {
    EXPECT_NE(g.FindNode(name), nullptr) << name;
  }
}

TEST(Metrics, ConfusionMatrixCountsAndChecksClasses) {
  Graph g;
  const Output y = Placeholder(g, {.dtype = DT_INT32, .shape = {-1}, .name = "y"});
  const Output p = Placeholder(g, {.dtype = DT_INT64, .shape = {-1}, .name = "p"});
  const Metric metric = metrics::ConfusionMatrix(y, p, {.num_classes = 3});
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  ASSERT_TRUE(session.Run({{y, T<int32_t>({0, 1, 2, 2})}, {p, T<int64_t>({0, 2, 2, 1})}}, metric.update).ok());
  ASSERT_TRUE(session.Run({{y, T<int32_t>({2})}, {p, T<int64_t>({1})}}, metric.update).ok());
  EXPECT_TRUE(BitwiseEqual(*session.Run({}, metric.value), M<double>({{1, 0, 0}, {0, 0, 1}, {0, 2, 1}})));
  for (const auto& [label, guess, message] :
       {std::tuple(3, 0, "labels 'y:0' has a number that is no class: expected 0 to 2"),
        std::tuple(0, -1, "predictions 'p:0' has a number that is no class")}) {
    const absl::Status wrong =
        session.Run({{y, T<int32_t>({label})}, {p, T<int64_t>({guess})}}, metric.update).status();
    EXPECT_EQ(wrong.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(wrong.message()), HasSubstr(message));
  }
}

TEST(Metrics, AucNamesTheLayerThatGivesLogits) {
  Graph g;
  const Output x = Placeholder(g, {.shape = {-1, 2}, .name = "x"});
  const Output logits = layers::Dense(g, x, {.units = 2});
  const Metric wrong = metrics::Auc(x, logits), right = metrics::Auc(x, Softmax(logits));
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  const Tensor batch = M({{1, 0}, {-30, 20}});
  const absl::Status status = session.Run({{x, batch}}, wrong.update).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("'dense/BiasAdd:0'"), HasSubstr("are they logits?")));
  EXPECT_TRUE(session.Run({{x, batch}}, right.update).ok());
}

TEST(Metrics, SayWhichShapesDoNotFit) {
  const auto message = [](auto build) {
    Graph g;
    const Output y = Placeholder(g, {.shape = {-1, 3}, .name = "y"}),
                 p = Placeholder(g, {.shape = {-1, 1}, .name = "p"});
    build(y, p);
    EXPECT_EQ(g.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(g.status().message());
  };
  EXPECT_THAT(message([](Output y, Output p) { metrics::Accuracy(y, p); }),
              AllOf(HasSubstr("accuracy (train_metrics_test.cc:"), HasSubstr("labels 'y:0' has shape [?,3]"),
                    HasSubstr("predictions 'p:0' has shape [?,1]")));
  EXPECT_THAT(message([](Output y, Output p) { losses::MeanSquaredError(y, p, {.name = "mine"}); }),
              HasSubstr("mine (train_metrics_test.cc:"));
  EXPECT_THAT(message([](Output y, Output p) {
                losses::MeanSquaredError(y, y, {.weights = Const(p.graph(), T({1, 2}))});
                metrics::Mean(y, {.weights = Const(p.graph(), M({{1, 2}}))});
              }),
              HasSubstr("does not broadcast to [?,3]"));
  EXPECT_THAT(message([](Output y, Output) { metrics::Auc(y, y, {.num_thresholds = 1}); }),
              HasSubstr(".num_thresholds is 1"));
  EXPECT_THAT(message([](Output y, Output) { metrics::ConfusionMatrix(y, y, {.num_classes = 2}); }),
              HasSubstr("expected int32 or int64"));
  EXPECT_THAT(message([](Output y, Output) { losses::GetTotalLoss(y.graph()); }), HasSubstr("losses is empty"));
}

// ---- Losses ----

struct LossCase {
  std::string name;
  std::function<Output(Output labels, Output predictions, Output weights)> build;
  const std::vector<Batch>& batches;  // the first is taken
  float want;
};

TEST(Losses, AgreeWithTensorFlow) {
  using namespace losses;  // NOLINT: a table of its functions
  const auto& yes = YesOrNo();
  const auto& classes = Classes();
  const auto reduced = [](Reduction reduction, bool weighted) {
    return [=](Output y, Output p, Output w) {
      return losses::MeanSquaredError(y, p, {.weights = weighted ? w : Output(), .reduction = reduction});
    };
  };
  for (const LossCase& row : std::vector<LossCase>{
           {"absolute", [](Output y, Output p, Output) { return AbsoluteDifference(y, p); }, yes, 0.38333336f},
           {"absolute, weighted", [](Output y, Output p, Output w) { return AbsoluteDifference(y, p, {.weights = w}); },
            yes, 0.82f},
           {"huber", [](Output y, Output p, Output) { return HuberLoss(y, p, 0.3); }, yes, 0.07666668f},
           {"huber, weighted", [](Output y, Output p, Output w) { return HuberLoss(y, p, 0.3, {.weights = w}); }, yes,
            0.1845f},
           {"log", [](Output y, Output p, Output) { return LogLoss(y, p); }, yes, 0.59966904f},
           {"hinge", [](Output y, Output p, Output) { return HingeLoss(y, p); }, yes, 0.88333338f},
           {"hinge, weighted", [](Output y, Output p, Output w) { return HingeLoss(y, p, {.weights = w}); }, yes,
            1.82f},
           {"cosine", [](Output y, Output p, Output) { return CosineDistance(y, p, 1); }, yes, 0.02500004f},
           {"sigmoid", [](Output y, Output p, Output) { return SigmoidCrossEntropy(y, p); }, yes, 0.67885065f},
           {"sigmoid, smooth",
            [](Output y, Output p, Output w) { return SigmoidCrossEntropy(y, p, 0.1, {.weights = w}); }, yes,
            1.25153768f},
           {"sum", reduced(Reduction::kSum, true), yes, 2.77750015f},
           {"mean", reduced(Reduction::kMean, true), yes, 0.37033334f},
           {"mean, unweighted", reduced(Reduction::kMean, false), yes, 0.21083336f},
           {"batch size", reduced(Reduction::kSumOverBatchSize, true), yes, 0.46291670f},
           {"nonzero", reduced(Reduction::kSumByNonzeroWeights, true), yes, 0.55550003f},
           {"nonzero, unweighted", reduced(Reduction::kSumByNonzeroWeights, false), yes, 0.21083336f},
           {"softmax", [](Output y, Output p, Output) { return SoftmaxCrossEntropy(y, p); }, classes, 1.23024011f},
           {"softmax, smooth", [](Output y, Output p, Output) { return SoftmaxCrossEntropy(y, p, 0.1); }, classes,
            1.25107336f},
           {"softmax, weights of rows",
            [](Output y, Output p,
               Output) { return SoftmaxCrossEntropy(y, p, 0, {.weights = Const(p.graph(), T({1, 0}))}); },
            classes, 0.26636788f},
           {"sparse", [](Output y, Output p, Output) { return SparseSoftmaxCrossEntropy(ArgMax(y, 1), p); }, classes,
            1.23024011f}}) {
    Graph g;
    const Output y = Placeholder(g, {.shape = {-1, 3}}), p = Placeholder(g, {.shape = {-1, 3}});
    const Output loss = row.build(y, p, Const(g, Weights()));
    ASSERT_TRUE(g.status().ok()) << row.name << g.status();
    ASSERT_EQ(g.collection(kLosses).size(), 1u) << row.name;
    Session session(g, {.threads = 1});
    const absl::StatusOr<Tensor> got = session.Run({{y, row.batches[0].labels}, {p, row.batches[0].predictions}}, loss);
    ASSERT_TRUE(got.ok()) << row.name << got.status();
    EXPECT_NEAR(got->scalar<float>(), row.want, 2e-6) << row.name;
  }
}

TEST(Losses, ReductionNoneKeepsTheLosses) {
  Graph g;
  const Output loss = losses::MeanSquaredError(
      Const(g, YesOrNo()[0].labels), Const(g, YesOrNo()[0].predictions),
      {.weights = Const(g, Weights()), .reduction = losses::Reduction::kNone, .collection = ""});
  Session session(g, {.threads = 1});
  EXPECT_TRUE(TensorsNear(*session.Run({}, loss), M({{.01, .005, .72}, {0, .1225, 1.92}}), 1e-6));
  EXPECT_TRUE(g.collection(kLosses).empty());
}

// ---- Regularizers and constraints ----

Tensor Matrix() { return M({{1, -2, 3}, {.5, 0, -4}}); }

TEST(Regularizers, AgreeWithKerasAndJoinTheTotalLoss) {
  for (const auto& [regularizer, want] :
       {std::pair(regularizers::L1(0.1), 1.05f), std::pair(regularizers::L2(0.1), 3.025f),
        std::pair(regularizers::L1L2(0.1, 0.2), 7.1f),
        std::pair(regularizers::Orthogonal({.factor = 0.1}), 0.07624426f),
        std::pair(regularizers::Orthogonal({.factor = 0.1, .rows = false}), 0.055777088f)}) {
    Graph g;
    layers::Dense(g, Placeholder(g, {.shape = {-1, 2}}),
                  {.units = 3,
                   .kernel_initializer = initializers::FromTensor(Matrix()),
                   .bias_initializer = initializers::Ones(),
                   .kernel_regularizer = regularizer,
                   .bias_regularizer = regularizers::L1(0)});
    losses::ComputeWeightedLoss(Const(g, 10.0f));
    const Output total = losses::GetTotalLoss(g), regularization = losses::GetRegularizationLoss(g);
    Session session(g, {.threads = 1});
    ASSERT_TRUE(session.Initialize().ok());
    EXPECT_NEAR(session.Run({}, regularization)->scalar<float>(), want, 1e-6);
    EXPECT_NEAR(session.Run({}, total)->scalar<float>(), 10 + want, 2e-6);
    EXPECT_TRUE(absl::StartsWith(g.collection(kRegularizationLosses)[0].name(), "dense/kernel/Regularizer/"));
  }
  Graph g;
  EXPECT_FALSE(GetVariable(g, "v", {.shape = {3}, .regularizer = regularizers::Orthogonal()}).name().empty());
  EXPECT_THAT(std::string(g.status().message()), AllOf(HasSubstr("'v/read'"), HasSubstr("expected a matrix")));
}

TEST(Constraints, AgreeWithKerasAndHoldAfterEachStep) {
  struct Row {
    Constraint constraint;
    Tensor want;
  };
  for (const Row& row : std::vector<Row>{{constraints::MaxNorm(), M({{0.99999988, -2, 1.2}, {0.49999994, 0, -1.6}})},
                                         {constraints::MaxNorm({.axes = {1}}),
                                          M({{0.53452247, -1.06904495, 1.60356736}, {0.24806947, 0, -1.98455572}})},
                                         {constraints::NonNeg(), M({{1, 0, 3}, {.5, 0, 0}})},
                                         {constraints::UnitNorm(), M({{0.89442706, -1, 0.6}, {0.44721353, 0, -0.8}})},
                                         {constraints::MinMaxNorm({.min_value = 1.5, .max_value = 3.5, .rate = 0.5}),
                                          M({{1.17082024, -2, 2.55}, {0.58541012, 0, -3.4}})},
                                         {constraints::MinMaxNorm({.min_value = 1.5, .max_value = 3.5, .axes = {1}}),
                                          M({{0.93541431, -1.87082863, 2.80624294}, {0.43412158, 0, -3.47297263}})}}) {
    for (const bool use_resource : {false, true}) {
      // A step of size 1 on sum(w * d) with d = 1 leads from w + 1 to w, where the constraint begins.
      Graph g;
      Tensor start = *Matrix().Clone();
      for (float& x : start.flat<float>()) x += 1;
      const Variable w =
          NewVariable(g, start, {.name = "w", .constraint = row.constraint, .use_resource = use_resource});
      const Operation step = train::GradientDescent(g, {.learning_rate = 1}).Minimize(Sum(w.snapshot));
      ASSERT_TRUE(g.status().ok()) << g.status();
      Session session(g, {.threads = 1});
      ASSERT_TRUE(session.Initialize().ok());
      ASSERT_TRUE(session.Run({}, std::vector<Output>(), {step}).ok());
      EXPECT_TRUE(TensorsNear(*session.Run({}, w.snapshot), row.want, 1e-6)) << use_resource;
    }
  }
}

TEST(Constraints, OfLayers) {
  Graph g;
  Output x = Placeholder(g, {.shape = {-1, 4, 4, 1}});
  x = layers::Conv2D(g, x, {.filters = 2, .kernel_size = 3, .kernel_constraint = constraints::NonNeg()});
  x = layers::BatchNormalization(g, x, {.gamma_constraint = constraints::NonNeg()});
  x = layers::Dense(g, layers::Flatten(g, x), {.units = 1, .bias_constraint = constraints::NonNeg()});
  const Operation step = train::Adam(g, {.learning_rate = 3}).Minimize(Mean(x));
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  const Tensor picture = *Tensor::Create(DT_FLOAT, {2, 4, 4, 1});
  ASSERT_TRUE(session.Run({{g.nodes()[0]->output(0), picture}}, std::vector<Output>(), {step}).ok());
  for (const Variable* v : g.variables(kTrainableVariables)) {
    const Tensor value = *session.Run({}, v->snapshot);
    bool negative = false;
    for (const float element : value.flat<float>()) negative |= element < 0;
    const bool constrained = v->constraint != nullptr;
    EXPECT_EQ(constrained,
              v->name() == "conv2d/kernel" || v->name() == "batch_normalization/gamma" || v->name() == "dense/bias");
    EXPECT_FALSE(constrained && negative) << v->name();
  }
}

}  // namespace
}  // namespace staticflow
