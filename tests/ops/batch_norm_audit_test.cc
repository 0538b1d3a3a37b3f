// The audit of a run: programs with the mistakes that people made, each beside its corrected twin, and models that
// TensorFlow wrote.
#include "ops/diagnostics/batch_norm_audit.h"

#include <gmock/gmock.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/meta_graph.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/diagnostics/wiring_audit.h"
#include "ops/initializers.h"
#include "ops/layers/layers.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/state.h"
#include "ops/train/gradient_descent.h"
#include "ops/train/saver.h"
#include "tests/golden/golden_case_check.h"
#include "tests/ops/audit_listener.h"
#include "tests/ops/audited_program.h"

namespace staticflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using layers::BatchNormalizationOptions;

// What the programs are made of.
struct Program : AuditedProgram {
  // Dense, batch norm, relu.
  Output Block(Output h, const BatchNormalizationOptions& options) {
    h = layers::Dense(g, h, {.units = 3, .use_bias = false});
    return Relu(layers::BatchNormalization(g, h, options));
  }
  Operation Minimize(Output loss, const std::vector<Output>& variables = {}) {
    return train::GradientDescent(g, {.learning_rate = 0.1}).Minimize(loss, {.var_list = variables});
  }
  Operation MinimizeAfterUpdates(Output loss, const std::vector<Output>& variables = {}) {
    const ControlDependencies after(g, g.collection(kUpdateOps));
    return Minimize(loss, variables);
  }
  std::vector<Output> TrainableIn(absl::string_view scope) {
    std::vector<Output> variables;
    for (const Variable* variable : g.variables(kTrainableVariables)) {
      if (variable->name().starts_with(std::string(scope))) variables.push_back(variable->ref());
    }
    return variables;
  }
};

struct AuditRow {
  const char* name;
  std::function<AuditedCall(Program&)> wrong;
  std::function<AuditedCall(Program&)> right;
  std::vector<BatchNormIssue> issues;
  const char* says;
};

// One block with the options, trained as `minimize` says.
AuditedCall TrainOneBlock(Program& p, const BatchNormalizationOptions& options, bool with_updates) {
  const Output loss = p.LossOf(p.Logits(p.Block(p.x, options)));
  return {p.Feeds(true), {loss}, {with_updates ? p.MinimizeAfterUpdates(loss) : p.Minimize(loss)}};
}
AuditedCall RightTraining(Program& p) { return TrainOneBlock(p, {.training = p.is_training}, true); }

// Two blocks, the second of which the dependencies were collected too early for, or not.
AuditedCall TrainTwoBlocks(Program& p, bool collected_late) {
  Output h = p.Block(p.x, {.training = true});
  std::vector<CollectionItem> updates = p.g.collection(kUpdateOps);
  const Output loss = p.LossOf(p.Logits(p.Block(h, {.training = true})));
  if (collected_late) updates = p.g.collection(kUpdateOps);
  const ControlDependencies after(p.g, updates);
  return {p.Feeds(true), {loss}, {p.Minimize(loss)}};
}

AuditedCall OptimizerInsideTheScope(Program& p) {
  const Output loss = p.LossOf(p.Logits(p.Block(p.x, {.training = true})));
  std::unique_ptr<train::GradientDescent> optimizer;
  {
    const ControlDependencies after(p.g, p.g.collection(kUpdateOps));
    optimizer = std::make_unique<train::GradientDescent>(p.g, train::GradientDescentOptions{.learning_rate = 0.1});
  }
  return {p.Feeds(true), {loss}, {optimizer->Minimize(loss)}};
}

// A layer by hand whose output waits for its updates, as updates_collections=None makes it.
Output InPlaceBatchNorm(Program& p, Output x) {
  const VariableScope scope(p.g, "by_hand");
  const auto variable = [&](const char* name, bool trainable, float value) {
    return GetVariable(p.g, name, {.shape = {3}, .initializer = initializers::Constant(value), .trainable = trainable});
  };
  const Variable gamma = variable("gamma", true, 1), beta = variable("beta", true, 0);
  const Variable mean = variable("mean", false, 0), variance = variable("variance", false, 1);
  return Cond(
      p.is_training,
      [&]() -> Output {
        const MomentsResult m = Moments(x, {0});
        const Output move_mean = Assign(mean.ref(), mean.snapshot * 0.9 + m.mean * 0.1);
        const Output move_variance = Assign(variance.ref(), variance.snapshot * 0.9 + m.variance * 0.1);
        const ControlDependencies after(p.g, {Operation(move_mean), Operation(move_variance)});
        return BatchNormalization(x, m.mean, m.variance, beta.snapshot, gamma.snapshot, 1e-3);
      },
      [&]() -> Output {
        return BatchNormalization(x, mean.snapshot, variance.snapshot, beta.snapshot, gamma.snapshot, 1e-3);
      });
}
AuditedCall InPlaceAndCollected(Program& p, bool with_updates) {
  const Output h = InPlaceBatchNorm(p, p.x);
  const Output loss = p.LossOf(p.Logits(p.Block(h, {.training = p.is_training})));
  return {p.Feeds(true), {loss}, {with_updates ? p.MinimizeAfterUpdates(loss) : p.Minimize(loss)}};
}

// A generator below a discriminator; `updates` are what the discriminator's step waits for.
AuditedCall TrainDiscriminator(Program& p, bool all_updates) {
  Output fake;
  {
    const VariableScope scope(p.g, "generator");
    fake = p.Block(p.x, {.training = true});
  }
  const std::vector<CollectionItem> of_generator = p.g.collection(kUpdateOps);
  Output loss;
  {
    const VariableScope scope(p.g, "discriminator");
    loss = p.LossOf(p.Logits(p.Block(fake, {.training = true})));
  }
  std::vector<CollectionItem> updates = p.g.collection(kUpdateOps);
  if (!all_updates) updates.erase(updates.begin(), updates.begin() + static_cast<std::ptrdiff_t>(of_generator.size()));
  const ControlDependencies after(p.g, updates);
  return {p.Feeds(true), {loss}, {p.Minimize(loss, p.TrainableIn("discriminator"))}};
}

AuditedCall TrainShared(Program& p, bool twice) {
  const auto shared = [&](Output h, int updates) {
    const bool training = updates > 0;
    return layers::BatchNormalization(
        p.g, h, {.training = training, .trainable = true, .name = "bn", .reuse = Reuse::kAutoReuse});
  };
  const Output h = shared(layers::Dense(p.g, p.x, {.units = 3}), 1);
  const Output loss = p.LossOf(p.Logits(twice ? shared(h, 1) : h));
  return {p.Feeds(true), {loss}, {p.MinimizeAfterUpdates(loss)}};
}

AuditedCall Predict(Program& p, layers::Training training, const Tensor& examples, bool is_training) {
  const Output logits = p.Logits(p.Block(p.x, {.training = training}));
  return {{{p.x, examples}, {p.is_training, is_training}}, {logits}, {}};
}

// Hard-wired to training, with its variance as the mean of squares less the square of the mean, or as it should be.
AuditedCall TrainByHand(Program& p, bool cancels) {
  Output h;
  {
    const VariableScope scope(p.g, "by_hand");
    const auto variable = [&](const char* name, bool trainable, float value) {
      return GetVariable(p.g, name,
                         {.shape = {3}, .initializer = initializers::Constant(value), .trainable = trainable});
    };
    const Variable gamma = variable("gamma", true, 1), beta = variable("beta", true, 0);
    const Variable mean = variable("mean", false, 0), variance = variable("variance", false, 1);
    MomentsResult m = Moments(p.x, {0});
    if (cancels) {
      m.mean = Mean(p.x, {0});
      m.variance = Mean(Square(p.x), {0}) - Square(m.mean);
    }
    for (const auto& [average, value] : {std::pair(mean, m.mean), std::pair(variance, m.variance)}) {
      p.g.AddToCollection(kUpdateOps, Operation(Assign(average.ref(), average.snapshot * 0.9 + value * 0.1)));
    }
    h = BatchNormalization(p.x, m.mean, m.variance, beta.snapshot, gamma.snapshot, 1e-3);
  }
  const Output loss = p.LossOf(p.Logits(h));
  return {p.Feeds(true), {loss}, {p.MinimizeAfterUpdates(loss)}};
}

// A picture of one pixel, so that the batch alone counts.
AuditedCall TrainPicture(Program& p, bool fused) {
  const Output picture = Reshape(p.x, std::vector<int64_t>{-1, 1, 1, 3});
  const Output h = layers::BatchNormalization(p.g, picture, {.training = true, .fused = fused});
  const Output loss = p.LossOf(p.Logits(Reshape(h, std::vector<int64_t>{-1, 3})));
  return {p.Feeds(true), {loss}, {p.MinimizeAfterUpdates(loss)}};
}

const AuditRow kRows[] = {
    {"update ops never run",
     [](Program& p) { return TrainOneBlock(p, {.training = p.is_training}, false); },
     RightTraining,
     {BatchNormIssue::kNoUpdate},
     "this training run fetches no update op of batch_normalization: its moving averages will never change"},
    {"update ops collected before the last layer exists",
     [](Program& p) { return TrainTwoBlocks(p, false); },
     [](Program& p) { return TrainTwoBlocks(p, true); },
     {BatchNormIssue::kUpdatesMadeLater},
     "those of batch_normalization run: the update ops were collected before batch_normalization_1 was built"},
    {"update ops collected before any layer exists",
     [](Program& p) {
       const std::vector<CollectionItem> none = p.g.collection(kUpdateOps);
       const Output loss = p.LossOf(p.Logits(p.Block(p.x, {.training = true})));
       const ControlDependencies after(p.g, none);
       return AuditedCall{p.Feeds(true), {loss}, {p.Minimize(loss)}};
     },
     [](Program& p) {
       const Output loss = p.LossOf(p.Logits(p.Block(p.x, {.training = true})));
       return AuditedCall{p.Feeds(true), {loss}, {p.MinimizeAfterUpdates(loss)}};
     },
     {BatchNormIssue::kNoUpdate},
     "after the last layer is built, give Minimize {.update_ops = UpdateOps::kOfLoss}"},
    {"dependencies round the optimizer, not round Minimize",
     OptimizerInsideTheScope,
     RightTraining,
     {BatchNormIssue::kNoUpdate},
     "or ControlDependencies on the update ops around it"},
    {"one layer updates in place, the other in the collection",
     [](Program& p) { return InPlaceAndCollected(p, false); },
     [](Program& p) { return InPlaceAndCollected(p, true); },
     {BatchNormIssue::kMixedUpdates},
     "by_hand updates itself wherever its output is used"},
    {"the discriminator's step moves the generator's averages",
     [](Program& p) { return TrainDiscriminator(p, true); },
     [](Program& p) { return TrainDiscriminator(p, false); },
     {BatchNormIssue::kForeignUpdate},
     "moves the averages of generator/batch_normalization, of which it trains nothing"},
    {"a shared layer applied twice",
     [](Program& p) { return TrainShared(p, true); },
     [](Program& p) { return TrainShared(p, false); },
     {BatchNormIssue::kDoubleUpdate},
     "this run updates bn/moving_mean twice, by bn/AssignMovingAvg and bn_1/AssignMovingAvg"},
    {"training left on at inference",
     [](Program& p) { return Predict(p, true, p.batch, false); },
     [](Program& p) { return Predict(p, false, p.batch, false); },
     {BatchNormIssue::kPredictsFromBatch},
     "this run trains nothing and normalizes batch_normalization with the statistics of its batch"},
    {"is_training fed true at inference",
     [](Program& p) { return Predict(p, p.is_training, p.batch, true); },
     [](Program& p) { return Predict(p, p.is_training, p.batch, false); },
     {BatchNormIssue::kPredictsFromBatch},
     "(is_training is true): each result depends on the other examples"},
    {"a single example with the batch's statistics",
     [](Program& p) {
       return Predict(p, true, Tensor::Matrix<float>({{1, 2, 3}}), false);
     },
     [](Program& p) {
       return Predict(p, false, Tensor::Matrix<float>({{1, 2, 3}}), false);
     },
     {BatchNormIssue::kPredictsFromBatch},
     "and of one example alone is beta"},
    {"a batch of one in training",
     [](Program& p) {
       AuditedCall run = RightTraining(p);
       run.feeds[0].second = Tensor::Matrix<float>({{1, 2, 3}});
       run.feeds[1].second = Tensor::Matrix<float>({{1, 0}});
       return run;
     },
     RightTraining,
     {BatchNormIssue::kOneElement},
     "one element per channel: its variance is 0 and the output beta"},
    {"training left at its default",
     [](Program& p) { return TrainOneBlock(p, {}, true); },
     RightTraining,
     {BatchNormIssue::kTrainsWithAverages},
     "which nothing in the graph ever moves: it was built with training = false"},
    {"is_training not fed in training",
     [](Program& p) {
       AuditedCall run = RightTraining(p);
       run.feeds.pop_back();
       return run;
     },
     RightTraining,
     {BatchNormIssue::kTrainsWithAverages},
     "(is_training is false), and moves them not"},
    {"moving averages that hardly move",
     [](Program& p) { return TrainOneBlock(p, {.momentum = 0.9999, .training = p.is_training}, true); },
     RightTraining,
     {BatchNormIssue::kSlowAverages},
     "after 1000 updates 90 % of them will still be the initial value"},
    {"a saver of the trainable variables",
     [](Program& p) {
       const AuditedCall run = RightTraining(p);
       train::Saver saver(p.g, {.var_list = p.TrainableIn("")});
       return run;
     },
     [](Program& p) {
       const AuditedCall run = RightTraining(p);
       train::Saver saver(p.g);
       return run;
     },
     {BatchNormIssue::kNotSaved},
     "no saver of the graph saves batch_normalization/moving_mean and batch_normalization/moving_variance"},
    {"a frozen layer that still moves",
     [](Program& p) {
       const Output h = p.Block(p.x, {.training = true, .trainable = false});
       const Output loss = p.LossOf(p.Logits(h));
       std::vector<Operation> updates;
       for (const char* name : {"AssignMovingAvg", "AssignMovingAvg_1"}) {
         updates.push_back(p.g.FindNode(absl::StrCat("batch_normalization/", name)));
       }
       const ControlDependencies after(p.g, updates);
       return AuditedCall{p.Feeds(true), {loss}, {p.Minimize(loss)}};
     },
     [](Program& p) { return TrainOneBlock(p, {.training = false, .trainable = false}, true); },
     {BatchNormIssue::kFrozenUpdate},
     "moves the averages of batch_normalization, which is not trainable"},
    {"a frozen layer that still uses its batch",
     [](Program& p) { return TrainOneBlock(p, {.training = true, .trainable = false}, true); },
     [](Program& p) { return TrainOneBlock(p, {.training = false, .trainable = false}, true); },
     {BatchNormIssue::kFrozenBatch},
     "batch_normalization, which is not trainable, with the statistics of its batch and never moves its averages"},
    {"a variance that cancels",
     [](Program& p) { return TrainByHand(p, true); },
     [](Program& p) { return TrainByHand(p, false); },
     {BatchNormIssue::kCancellingVariance},
     "by_hand computes its variance as E[x^2] - E[x]^2"},
    {"fused, of few elements",
     [](Program& p) { return TrainPicture(p, true); },
     [](Program& p) { return TrainPicture(p, false); },
     {BatchNormIssue::kUnbiasedAverage},
     "is fused: with 4 elements per channel its moving variance is 1.33 times the variance that it normalizes with"},
    {"an inference run that writes averages",
     [](Program& p) {
       const Output logits = p.Logits(InPlaceBatchNorm(p, p.x));
       return AuditedCall{{{p.x, p.batch}, {p.is_training, true}}, {logits}, {}};
     },
     [](Program& p) {
       const Output logits = p.Logits(InPlaceBatchNorm(p, p.x));
       return AuditedCall{p.Feeds(false), {logits}, {}};
     },
     {BatchNormIssue::kPredictionUpdates},
     "this run trains nothing, yet it moves the averages of by_hand"},
};

std::string Messages(const BatchNormAudit& audit) {
  return absl::StrJoin(audit.findings, "\n",
                       [](std::string* out, const BatchNormFinding& finding) { out->append(finding.message); });
}

class BatchNormAuditTest : public testing::TestWithParam<AuditRow> {};
void PrintTo(const AuditRow& row, std::ostream* out) { *out << row.name; }

TEST_P(BatchNormAuditTest, NamesTheMistake) {
  Program p;
  const AuditedCall run = GetParam().wrong(p);
  const absl::StatusOr<BatchNormAudit> audit = AuditBatchNorm(p.g, run.feeds, run.fetches, run.targets);
  ASSERT_TRUE(audit.ok()) << audit.status();
  std::vector<BatchNormIssue> issues;
  for (const BatchNormFinding& finding : audit->findings) issues.push_back(finding.issue);
  EXPECT_EQ(issues, GetParam().issues) << audit->ToString();
  EXPECT_THAT(Messages(*audit), HasSubstr(GetParam().says));
}

TEST_P(BatchNormAuditTest, FindsNothingInTheCorrectedTwin) {
  Program p;
  const AuditedCall run = GetParam().right(p);
  const absl::StatusOr<BatchNormAudit> audit = AuditBatchNorm(p.g, run.feeds, run.fetches, run.targets);
  ASSERT_TRUE(audit.ok()) << audit.status();
  EXPECT_EQ(Messages(*audit), "");
  EXPECT_FALSE(audit->layers.empty());
}

// A session tells each sentence once, before the first run; or refuses to run; or keeps silent.
TEST_P(BatchNormAuditTest, SpeaksThroughTheSession) {
  Program p;
  const AuditedCall run = GetParam().wrong(p);
  for (const Audit mode : {Audit::kWarn, Audit::kError, Audit::kOff}) {
    Listener listener;
    Session session(p.g, listener.Options(mode));
    ASSERT_TRUE(session.Initialize().ok());
    EXPECT_THAT(listener.told, IsEmpty());
    absl::Status status = session.Run(run.feeds, run.fetches, run.targets).status();
    EXPECT_EQ(status.code(), mode == Audit::kError ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kOk)
        << status;
    for (int i = 0; i < 3; ++i) (void)session.Run(run.feeds, run.fetches, run.targets);
    if (mode == Audit::kWarn) {
      EXPECT_THAT(listener.told, ElementsAre(HasSubstr(GetParam().says)));
    } else {
      EXPECT_THAT(listener.told, IsEmpty());
    }
    if (mode == Audit::kError) {
      EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().says));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Table, BatchNormAuditTest, testing::ValuesIn(kRows));

TEST(BatchNormAudit, ReportsWhatARunDoesWithALayer) {
  Program p;
  const AuditedCall run = RightTraining(p);
  train::Saver saver(p.g);
  const absl::StatusOr<BatchNormAudit> audit = AuditBatchNorm(p.g, run.feeds, run.fetches, run.targets);
  ASSERT_TRUE(audit.ok()) << audit.status();
  EXPECT_EQ(audit->ToString(),
            "training run, 1 batch-norm layer\n"
            "  batch_normalization: statistics of the batch (is_training decides), 4 elements per channel\n"
            "    updates: batch_normalization/cond_2/AssignMovingAvg, batch_normalization/cond_3/AssignMovingAvg\n"
            "    trained: batch_normalization/gamma, batch_normalization/beta\n"
            "    saved: batch_normalization/gamma, batch_normalization/beta, batch_normalization/moving_mean, "
            "batch_normalization/moving_variance\n");
  const absl::StatusOr<BatchNormAudit> planned =
      AuditBatchNorm(p.g, run.feeds, run.fetches, run.targets, {.planned_updates = 100});
  ASSERT_TRUE(planned.ok());
  EXPECT_THAT(Messages(*planned), HasSubstr("after 100 updates 37 % of them will still be the initial value"));
}

// The feeds' shapes are followed through what computes sizes, such as a flattening's.
TEST(BatchNormAudit, CountsTheElementsBehindAFlattening) {
  Program p;
  const Output pictures = Placeholder(p.g, {.dtype = DT_FLOAT, .shape = {-1, 2, 2, 3}, .name = "pictures"});
  const Output h = layers::Dense(p.g, layers::Flatten(p.g, pictures), {.units = 3});
  const Output y = layers::BatchNormalization(p.g, h, {.training = true});
  const Tensor one = Tensor::Create(DT_FLOAT, {1, 2, 2, 3}).value();
  const absl::StatusOr<BatchNormAudit> audit = AuditBatchNorm(p.g, {{pictures, one}}, {y});
  ASSERT_TRUE(audit.ok()) << audit.status();
  ASSERT_EQ(audit->layers.size(), 1u);
  EXPECT_EQ(audit->layers[0].elements_per_channel, 1);
  EXPECT_THAT(Messages(*audit), HasSubstr("and of one example alone is beta"));
}

TEST(BatchNormAudit, RefusesForeignFetches) {
  Program p, other;
  EXPECT_FALSE(AuditBatchNorm(p.g, {}, {other.x}).ok());
  EXPECT_FALSE(AuditBatchNorm(p.g, {}, {Output()}).ok());
}

struct ModelRow {
  const char* file;
  const char* predicate;
  size_t layers;
};

// Graphs that Python wrote: their own training and inference steps are as they should be.
TEST(BatchNormAudit, FindsNothingInModelsThatTensorFlowWrote) {
  const ModelRow rows[] = {
      {"nn_relu_bn_ref", "is_training", 3},          {"nn_sigmoid_bn_resource", "is_training", 3},
      {"nn_lowlevel_bn_ref", "is_training", 3},      {"convnet4_lowlevel_bn_ref", "is_training", 5},
      {"convnet6_bn_adam_ref", "is_training", 7},    {"keras_conv7_bn", "keras_learning_phase", 1},
      {"keras_dense_bn", "keras_learning_phase", 1}, {"nn_relu_plain_ref", "", 0},
  };
  for (const ModelRow& row : rows) {
    SCOPED_TRACE(row.file);
    const absl::StatusOr<std::string> bytes = GoldenMetaGraph(absl::StrCat("tests/golden/models/", row.file, ".pb"));
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    Graph g;
    ASSERT_TRUE(ImportMetaGraph(*bytes, g).ok());
    const auto collection = g.collection(kTrainOp);
    for (const bool training : {true, false}) {
      Session::Feeds feeds;
      if (row.predicate[0] != '\0') feeds.push_back({*g.FindOutput(row.predicate), training});
      std::vector<Operation> targets;
      std::vector<Output> fetches;
      if (training) {
        for (const CollectionItem& item : collection) targets.push_back(item);
      } else {
        for (const BatchNormLayer& layer : FindBatchNormLayers(g)) fetches.push_back(layer.output);
      }
      const absl::StatusOr<BatchNormAudit> audit = AuditBatchNorm(g, feeds, fetches, targets);
      ASSERT_TRUE(audit.ok()) << audit.status();
      EXPECT_EQ(Messages(*audit), "") << audit->ToString();
      const std::vector<WiringFinding> wiring = AuditWiring(g, feeds, fetches, targets);
      EXPECT_THAT(wiring, IsEmpty()) << wiring[0].message;
      if (!targets.empty() || !training) {
        EXPECT_EQ(audit->layers.size(), row.layers) << audit->ToString();
      }
    }
  }
}

}  // namespace
}  // namespace staticflow
