// What belongs to a loss: its update ops, and what a checkpoint must hold for it.
#include <gmock/gmock.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "ops/analysis/checkpoint_coverage.h"
#include "ops/analysis/run_nodes.h"
#include "ops/analysis/update_ops.h"
#include "ops/array.h"
#include "ops/initializers.h"
#include "ops/layers/layers.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/state.h"
#include "ops/train/adam.h"
#include "ops/train/saver.h"
#include "runtime/io/checkpoint_state.h"
#include "runtime/io/fault_env.h"
#include "runtime/session.h"
#include "tests/ops/audit_listener.h"

namespace staticflow {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// ---- Update ops ----

// A generator of pictures from noise, and a discriminator that sees them and real ones: two networks that share a path.
struct TwoNetworks {
  explicit TwoNetworks(bool with_gamma) {
    z = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 4}, .name = "z"});
    real = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 6}, .name = "real"});
    const layers::BatchNormalizationOptions bn = {.center = with_gamma, .scale = with_gamma, .training = true};
    {
      const VariableScope scope(g, "generator");
      const Output h = Relu(layers::BatchNormalization(g, layers::Dense(g, z, {.units = 5, .use_bias = false}), bn));
      fake = Tanh(layers::Dense(g, h, {.units = 6}));
    }
    const auto discriminate = [&](Output x) {
      const VariableScope scope(g, "discriminator", {.reuse = Reuse::kAutoReuse});
      const auto named = [](layers::BatchNormalizationOptions options) {
        options.name = "bn";
        return options;
      };
      const Output h = layers::Dense(g, x, {.units = 5, .use_bias = false, .name = "d0"});
      return layers::Dense(g, LeakyRelu(layers::BatchNormalization(g, h, named(bn))), {.units = 1, .name = "d1"});
    };
    const Output on_real = discriminate(real), on_fake = discriminate(fake);
    d_loss = Mean(Softplus(-on_real)) + Mean(Softplus(on_fake));
    g_loss = Mean(Softplus(-on_fake));
  }
  std::vector<Output> Trainable(const std::string& scope) const {
    std::vector<Output> variables;
    for (const Variable* variable : g.variables(kTrainableVariables)) {
      if (variable->name().starts_with(scope)) variables.push_back(variable->ref());
    }
    return variables;
  }
  std::vector<std::string> Updates(Output loss, const std::string& scope) const {
    std::vector<std::string> names;
    for (Operation update : UpdateOpsFor(loss, Trainable(scope))) names.push_back(update.name());
    return names;
  }

  Graph g;
  Output z, real, fake, d_loss, g_loss;
};

TEST(UpdateOpsFor, TakesThoseOfTheNetworkThatIsTrained) {
  for (const bool with_gamma : {true, false}) {
    const TwoNetworks n(with_gamma);
    ASSERT_TRUE(n.g.status().ok()) << n.g.status();
    ASSERT_EQ(n.g.collection(kUpdateOps).size(), 6u);
    const std::string g_bn = "generator/batch_normalization/", d_bn = "discriminator/bn/";
    EXPECT_THAT(n.Updates(n.g_loss, "generator"), ElementsAre(g_bn + "AssignMovingAvg", g_bn + "AssignMovingAvg_1"));
    const std::vector<std::string> of_discriminator = n.Updates(n.d_loss, "discriminator");
    EXPECT_EQ(of_discriminator.size(), 4u);
    for (const std::string& name : of_discriminator) EXPECT_THAT(name, HasSubstr("discriminator"));
    // Both networks trained by one loss: everything on its way.
    EXPECT_EQ(UpdateOpsFor(n.d_loss).size(), 6u);
  }
}

// How a step is given its update ops.
class LeavesTheOtherNetworkAlone : public testing::TestWithParam<bool> {};

// A step of one network leaves the averages of the other bit for bit as they are, and moves its own.
TEST_P(LeavesTheOtherNetworkAlone, InAStepOfItsOwn) {
  const bool as_option = GetParam();
  TwoNetworks n(true);
  const auto step = [&](Output loss, const std::string& scope) {
    train::Adam adam(n.g, {.learning_rate = 0.01, .name = absl::StrCat("adam_", scope)});
    if (as_option) {
      return adam.Minimize(loss, {.update_ops = train::UpdateOps::kOfLoss, .var_list = n.Trainable(scope)});
    }
    const ControlDependencies after(n.g, UpdateOpsFor(loss, n.Trainable(scope)));
    return adam.Minimize(loss, {.var_list = n.Trainable(scope)});
  };
  const Operation d_step = step(n.d_loss, "discriminator"), g_step = step(n.g_loss, "generator");
  ASSERT_TRUE(n.g.status().ok()) << n.g.status();
  std::vector<Output> averages;
  std::vector<std::string> names;
  for (const Variable& variable : n.g.variables()) {
    if (variable.name().find("moving_") == std::string::npos) continue;
    averages.push_back(variable.ref());
    names.push_back(variable.name());
  }
  ASSERT_EQ(averages.size(), 4u);
  Listener listener;
  Session session(n.g, listener.Options());
  ASSERT_TRUE(session.Initialize().ok());
  const Tensor z = Tensor::Matrix<float>({{1, 2, 3, 4}, {0, 1, 0, 1}, {-1, 2, 0, 3}});
  const Tensor real = Tensor::Matrix<float>({{1, 0, 3, 4, 0, 1}, {0, 1, 0, 1, 2, 2}, {-1, 2, 0, 3, 1, 0}});
  for (const auto& [train, scope] : {std::pair(d_step, "discriminator"), std::pair(g_step, "generator")}) {
    const std::vector<Tensor> before = *session.Run({}, averages);
    for (int i = 0; i < 3; ++i) {
      const absl::Status run = session.Run({{n.z, z}, {n.real, real}}, std::vector<Output>(), {train}).status();
      ASSERT_TRUE(run.ok()) << run;
    }
    const std::vector<Tensor> after = *session.Run({}, averages);
    for (size_t i = 0; i < names.size(); ++i) {
      EXPECT_EQ(BitwiseEqual(before[i], after[i]), !names[i].starts_with(scope)) << scope << " step, " << names[i];
    }
  }
  // The discriminator is applied to two batches in one step, and so are its updates.
  EXPECT_THAT(listener.told, ElementsAre(HasSubstr("discriminator/bn is applied more than once")));
}

INSTANTIATE_TEST_SUITE_P(OptionOrScope, LeavesTheOtherNetworkAlone, testing::Bool());

TEST(Minimize, RunsTheUpdateOpsThatItsOptionNames) {
  struct Row {
    train::UpdateOps update_ops;
    size_t of_generator, of_discriminator;
  };
  const Row rows[] = {
      {train::UpdateOps::kNone, 0, 0}, {train::UpdateOps::kOfLoss, 0, 4}, {train::UpdateOps::kAll, 2, 4}};
  for (const Row& row : rows) {
    TwoNetworks n(true);
    const Operation step =
        train::Adam(n.g).Minimize(n.d_loss, {.update_ops = row.update_ops, .var_list = n.Trainable("discriminator")});
    ASSERT_TRUE(n.g.status().ok()) << n.g.status();
    const RunNodes run(n.g, {}, {}, {step});
    size_t of_generator = 0, of_discriminator = 0;
    for (const CollectionItem& item : n.g.collection(kUpdateOps)) {
      if (!run.Needs(*item.node)) continue;
      (item.node->name().starts_with("generator") ? of_generator : of_discriminator) += 1;
    }
    EXPECT_EQ(of_generator, row.of_generator);
    EXPECT_EQ(of_discriminator, row.of_discriminator);
  }
}

// ---- Checkpoints ----

struct SavedModel {
  SavedModel() {
    x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 3}, .name = "x"});
    const Output h = layers::Dense(g, x, {.units = 3, .use_bias = false});
    y = layers::BatchNormalization(g, h);
  }
  Graph g;
  Output x, y;
};

std::vector<std::string> NamesOf(const std::vector<const Node*>& nodes) {
  std::vector<std::string> names;
  for (const Node* node : nodes) names.push_back(node->name());
  return names;
}

TEST(CheckpointCoverage, NamesWhatTheSaverLeavesOut) {
  SavedModel m;
  std::vector<Output> trainable;
  for (const Variable* variable : m.g.variables(kTrainableVariables)) trainable.push_back(variable->ref());
  const train::Saver partial(m.g, {.var_list = trainable}), complete(m.g);
  const CheckpointCoverage left_out = CoverageOfSaver(m.g, partial.info(), {m.y});
  EXPECT_THAT(NamesOf(left_out.missing),
              ElementsAre("batch_normalization/moving_mean", "batch_normalization/moving_variance"));
  EXPECT_EQ(left_out.read.size(), 5u);
  EXPECT_EQ(left_out.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(left_out.status().message()),
              HasSubstr("the saver leaves out batch_normalization/moving_mean, batch_normalization/moving_variance, "
                        "which the run reads"));
  EXPECT_TRUE(CoverageOfSaver(m.g, complete.info(), {m.y}).status().ok());
}

TEST(CheckpointCoverage, ComparesAFileWithWhatARunReads) {
  FaultEnv env;
  SavedModel m;
  train::Saver saver(m.g);
  {
    Session session(m.g, {.threads = 1, .env = &env});
    ASSERT_TRUE(session.Initialize().ok());
    ASSERT_TRUE(saver.Save(session, "out/model.ckpt").ok());
  }
  for (const bool by_saver : {true, false}) {
    const auto saver_info = by_saver ? std::optional(saver.info()) : std::nullopt;
    const absl::StatusOr<CheckpointCoverage> all =
        CoverageOfCheckpoint(&env, "out/model.ckpt", m.g, {m.y}, {}, saver_info);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_TRUE(all->status().ok()) << all->ToString();
    EXPECT_THAT(all->unused, IsEmpty());
  }
  // A larger model, with another size, reads the same file.
  Graph other;
  const Output x = Placeholder(other, {.dtype = DT_FLOAT, .shape = {-1, 3}, .name = "x"});
  const Output y = layers::Dense(other, layers::Dense(other, x, {.units = 4, .use_bias = false}), {.units = 2});
  const absl::StatusOr<CheckpointCoverage> some = CoverageOfCheckpoint(&env, "out/model.ckpt", other, {y});
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_THAT(NamesOf(some->missing), ElementsAre("dense_1/kernel", "dense_1/bias"));
  EXPECT_THAT(some->different, ElementsAre("dense/kernel is float[3,3] in the file and float[3,4] in the graph"));
  EXPECT_THAT(some->unused,
              UnorderedElementsAre("batch_normalization/beta", "batch_normalization/gamma",
                                   "batch_normalization/moving_mean", "batch_normalization/moving_variance"));
  EXPECT_THAT(some->ToString(), HasSubstr("in the file, but not in the graph: batch_normalization/beta"));
  EXPECT_EQ(CoverageOfCheckpoint(&env, "nowhere", other, {y}).status().code(), absl::StatusCode::kNotFound);
}

// A network with batch normalization, its training step, a saver of all its variables that is not used, and one of
// some.
struct TrainedModel : SavedModel {
  enum Coverage { kTrainable, kPartial, kAll };
  explicit TrainedModel(Coverage coverage) {
    step = train::Adam(g).Minimize(Mean(Square(y)), {.update_ops = train::UpdateOps::kOfLoss});
    std::vector<Output> trainable;
    for (const Variable* variable : g.variables(kTrainableVariables)) trainable.push_back(variable->ref());
    if (coverage == kAll) trainable.clear();
    const train::Saver unused(g, {.name = "unused"});
    saver =
        std::make_unique<train::Saver>(g, train::SaverOptions{.var_list = trainable, .partial = coverage == kPartial});
  }
  Operation step;
  std::unique_ptr<train::Saver> saver;
  const Tensor batch = Tensor::Matrix<float>({{1, 2, 3}, {0, 1, 0}, {-1, 2, 0}});
};
const char kLeftOut[] = "batch_normalization/moving_mean, batch_normalization/moving_variance";

TEST(Saver, NamesOnSaveWhatStepsReadAndItLeavesOut) {
  for (const Audit audit : {Audit::kWarn, Audit::kError, Audit::kOff}) {
    for (const auto coverage : {TrainedModel::kTrainable, TrainedModel::kPartial, TrainedModel::kAll}) {
      FaultEnv env;
      Listener listener;
      TrainedModel m(coverage);
      Session session(m.g, listener.On(env, audit));
      ASSERT_TRUE(session.Initialize().ok());
      // Nobody has read anything yet.
      ASSERT_TRUE(m.saver->Save(session, "out/first").ok());
      ASSERT_TRUE(session.Run({{m.x, m.batch}}, m.y).ok());
      const bool is_told = coverage == TrainedModel::kTrainable && audit != Audit::kOff;
      for (int i = 0; i < 3; ++i) {
        const absl::Status saved = m.saver->Save(session, "out/second").status();
        EXPECT_EQ(saved.ok(), !is_told || audit != Audit::kError) << saved;
        if (!saved.ok()) {
          EXPECT_THAT(std::string(saved.message()), HasSubstr(kLeftOut));
        }
      }
      if (is_told && audit == Audit::kWarn) {
        EXPECT_THAT(listener.told,
                    ElementsAre(AllOf(HasSubstr("the saver of save/restore_all does not save"), HasSubstr(kLeftOut))));
      } else {
        EXPECT_THAT(listener.told, IsEmpty());
      }
      EXPECT_EQ(*LatestCheckpoint(&env, "out"), is_told && audit == Audit::kError ? "out/first" : "out/second");
    }
  }
}

// The training step reads more than the prediction: what the optimizer keeps.
TEST(Saver, NamesOnSaveWhatTheTrainingStepReads) {
  FaultEnv env;
  Listener listener;
  TrainedModel m(TrainedModel::kTrainable);
  Session session(m.g, listener.On(env));
  ASSERT_TRUE(session.Initialize().ok());
  ASSERT_TRUE(session.Run({{m.x, m.batch}}, std::vector<Output>(), {m.step}).ok());
  ASSERT_TRUE(m.saver->Save(session, "m").ok());
  // Before, the audit of the step says that the averages do not move.
  ASSERT_EQ(listener.told.size(), 2u);
  EXPECT_THAT(listener.told[1], HasSubstr("batch_normalization/beta/Adam, batch_normalization/beta/Adam_1"));
  EXPECT_THAT(listener.told[1], HasSubstr("beta1_power"));
}

TEST(Saver, NamesToLaterStepsWhatRestoreLeftAsItWas) {
  for (const auto coverage : {TrainedModel::kTrainable, TrainedModel::kPartial, TrainedModel::kAll}) {
    FaultEnv env;
    Listener listener;
    TrainedModel m(coverage);
    Session session(m.g, listener.On(env));
    ASSERT_TRUE(session.Initialize().ok());
    ASSERT_TRUE(m.saver->Save(session, "m").ok());
    ASSERT_TRUE(m.saver->Restore(session, "m").ok());
    EXPECT_THAT(listener.told, IsEmpty());
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(session.Run({{m.x, m.batch}}, m.y).ok());
    if (coverage != TrainedModel::kTrainable) {
      EXPECT_THAT(listener.told, IsEmpty());
      continue;
    }
    ASSERT_EQ(listener.told.size(), 1u);
    EXPECT_EQ(listener.told[0], absl::StrCat("this run reads ", kLeftOut, ", which restoring m left as they were"));
    // Now that a step is known to read them, so is the next restore's gap.
    ASSERT_TRUE(m.saver->Restore(session, "m").ok());
    ASSERT_EQ(listener.told.size(), 2u);
    EXPECT_THAT(listener.told[1], AllOf(HasSubstr("does not restore"), HasSubstr(kLeftOut)));
  }
}

// Fine-tuning: what was not restored is trained first, so nothing is wrong with reading it.
TEST(Saver, KeepsSilentAboutWhatATrainingStepWrites) {
  FaultEnv env;
  Listener listener;
  Graph g;
  const Variable body = GetVariable(g, "body", {.shape = {2}, .initializer = initializers::Ones()});
  const Variable head = GetVariable(g, "head", {.shape = {2}, .initializer = initializers::Ones()});
  const Output loss = Sum(Square(body.snapshot * head.snapshot));
  const Operation step = train::Adam(g).Minimize(loss);
  train::Saver saver(g, {.var_list = {body.ref()}});
  Session session(g, listener.On(env));
  ASSERT_TRUE(session.Initialize().ok());
  ASSERT_TRUE(saver.Save(session, "m").ok());
  ASSERT_TRUE(saver.Restore(session, "m").ok());
  ASSERT_TRUE(session.Run({}, std::vector<Output>(), {step}).ok());
  ASSERT_TRUE(session.Run({}, loss).ok());
  EXPECT_THAT(listener.told, IsEmpty());
}

// Two savers of two halves restore the whole.
TEST(Saver, KeepsSilentAboutWhatAnotherSaverRestored) {
  FaultEnv env;
  Listener listener;
  Graph g;
  const Variable body = GetVariable(g, "body", {.shape = {2}, .initializer = initializers::Ones()});
  const Variable head = GetVariable(g, "head", {.shape = {2}, .initializer = initializers::Ones()});
  const Output result = Sum(body.snapshot * head.snapshot);
  train::Saver of_body(g, {.var_list = {body.ref()}}), of_head(g, {.var_list = {head.ref()}});
  Session session(g, listener.On(env));
  ASSERT_TRUE(session.Initialize().ok());
  ASSERT_TRUE(of_body.Save(session, "body").ok() && of_head.Save(session, "head").ok());
  ASSERT_TRUE(of_body.Restore(session, "body").ok() && of_head.Restore(session, "head").ok());
  ASSERT_TRUE(session.Run({}, result).ok());
  ASSERT_TRUE(of_body.Restore(session, "body").ok() && of_head.Restore(session, "head").ok());
  EXPECT_THAT(listener.told, IsEmpty());
}

TEST(Saver, ListsAllThatIsWrongWithACheckpointAtOnce) {
  FaultEnv env;
  {
    SavedModel m;
    train::Saver saver(m.g);
    Session session(m.g, {.threads = 1, .env = &env});
    ASSERT_TRUE(session.Initialize().ok());
    ASSERT_TRUE(saver.Save(session, "m").ok());
  }
  Graph g;
  GetVariable(g, "dense/kernel", {.shape = {3, 4}, .initializer = initializers::Ones()});
  GetVariable(g, "dense_1/bias", {.shape = {2}, .initializer = initializers::Ones()});
  train::Saver saver(g);
  Session session(g, {.threads = 1, .env = &env});
  const absl::Status status = saver.Restore(session, "m");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("checkpoint m lacks dense_1/bias; dense/kernel is float[3,3], the variable"),
                    HasSubstr("float[3,4]; no variable takes its batch_normalization/beta, "
                              "batch_normalization/gamma, batch_normalization/moving_mean")));
}

}  // namespace
}  // namespace staticflow
