// The audit of a run where layers stand in odd places: in loops, in branches, beside calls of functions, in forms that
// batch renormalization and others give them. Programs with a mistake, each beside its corrected twin.
#include <gmock/gmock.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/graph_def.h"
#include "ops/array.h"
#include "ops/array_layout.h"
#include "ops/control_flow.h"
#include "ops/control_flow_while.h"
#include "ops/diagnostics/batch_norm_audit.h"
#include "ops/initializers.h"
#include "ops/layers/layers.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/state.h"
#include "ops/train/gradient_descent.h"
#include "tests/ops/audit_listener.h"
#include "tests/ops/audited_program.h"

namespace staticflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A program, and the run of it that is audited.
struct Program : AuditedProgram {
  AuditedCall run;
  std::vector<CollectionItem> updates = {};  // those that a program picks

  Output Hidden() { return layers::Dense(g, x, {.units = 3, .use_bias = false}); }
  void Predict(Output h, bool training) {
    run.feeds = {{x, batch}, {is_training, training}};
    run.fetches = {Logits(h)};
  }
  void Train(Output h, bool training, bool with_updates) {
    TrainAfter(h, with_updates ? g.collection(kUpdateOps) : std::vector<CollectionItem>(), training);
  }
  void TrainAfter(Output h, const std::vector<CollectionItem>& after_these, bool training = true) {
    const Output loss = LossOf(Logits(h));
    run.feeds = Feeds(training);
    run.fetches = {loss};
    const ControlDependencies after(g, after_these);
    run.targets = {train::GradientDescent(g, {.learning_rate = 0.1}).Minimize(loss)};
  }
};

// The variables of a layer by hand, with updates in the collection where something is to move the averages.
struct Parameters {
  explicit Parameters(Program& p) : g(p.g) {
    const auto variable = [&](const char* name, bool trainable, float value) {
      return GetVariable(g, name, {.shape = {3}, .initializer = initializers::Constant(value), .trainable = trainable});
    };
    gamma = variable("gamma", true, 1), beta = variable("beta", true, 0);
    mean = variable("moving_mean", false, 0), variance = variable("moving_variance", false, 1);
  }
  void Move(const MomentsResult& m) {
    for (const auto& [average, value] : {std::pair(mean, m.mean), std::pair(variance, m.variance)}) {
      g.AddToCollection(kUpdateOps, Operation(AssignSub(average.ref(), (average.snapshot - value) * 0.1)));
    }
  }
  Graph& g;
  Variable gamma, beta, mean, variance;
};

// Pictures of one row, normalized by the fused op, whose averages TensorFlow assigns in either mode.
Output Fused(Program& p) {
  const Output pictures = Reshape(p.Hidden(), std::vector<int64_t>{-1, 1, 3, 1});
  const Output y = layers::BatchNormalization(p.g, pictures, {.training = p.is_training, .fused = true, .name = "bn"});
  return Reshape(y, std::vector<int64_t>{-1, 3});
}

Output InALoop(Program& p, bool of_the_batch) {
  const VariableScope scope(p.g, "by_hand");
  const Parameters v(p);
  const auto body = [&](Output i, Output h) -> std::vector<Output> {
    MomentsResult m = Moments(h, {0});
    if (!of_the_batch) m = {v.mean.snapshot, v.variance.snapshot};
    return {i + 1, BatchNormalization(h, m.mean, m.variance, v.beta.snapshot, v.gamma.snapshot, 1e-3)};
  };
  return While([](Output i, Output) { return Less(i, 3); }, body, {Const(p.g, 0), p.Hidden()})[1];
}

// r and d of batch renormalization: the batch's mean is compared with the moving one.
Output Renormalized(Program& p) {
  const VariableScope scope(p.g, "renorm");
  Parameters v(p);
  const Output h = p.Hidden();
  const MomentsResult m = Moments(h, {0});
  const Output sigma = Sqrt(m.variance + 1e-3), moving_sigma = Sqrt(v.variance.snapshot + 1e-3);
  const Output r = StopGradient(sigma / moving_sigma), d = StopGradient((m.mean - v.mean.snapshot) / moving_sigma);
  v.Move(m);
  return ((h - m.mean) / sigma * r + d) * v.gamma.snapshot + v.beta.snapshot;
}

Output InABranch(Program& p) {
  const Output use = PlaceholderWithDefault(p.g, true, {.name = "use"});
  const Output h = p.Hidden();
  return Cond(
      use, [&] { return layers::BatchNormalization(p.g, h, {.training = p.is_training, .name = "bn"}); },
      [&] { return Identity(h); });
}

// Both modes, and averages that an update moves, or nothing does.
Output Decided(Program& p, bool moves) {
  const VariableScope scope(p.g, "by_hand");
  Parameters v(p);
  const Output h = p.Hidden();
  const MomentsResult m = Moments(h, {0});
  const Output mean = Cond(
      p.is_training, [&] { return Identity(m.mean); }, [&] { return Identity(v.mean.snapshot); });
  const Output variance = Cond(
      p.is_training, [&] { return Identity(m.variance); }, [&] { return Identity(v.variance.snapshot); });
  if (moves) v.Move(m);
  return BatchNormalization(h, mean, variance, v.beta.snapshot, v.gamma.snapshot, 1e-3);
}

Output Shared(Program& p, bool shared) {
  const auto apply = [&](Output h, const char* name) {
    return layers::BatchNormalization(p.g, h, {.training = p.is_training, .name = name, .reuse = Reuse::kAutoReuse});
  };
  return apply(apply(p.Hidden(), "bn"), shared ? "bn" : "other");
}

// Two towers that share a layer: the updates of one are enough.
Output Towers(Program& p) {
  const auto tower = [&](Output h) {
    return layers::BatchNormalization(p.g, h, {.training = p.is_training, .name = "bn", .reuse = Reuse::kAutoReuse});
  };
  const Output h = p.Hidden(), first = tower(h);
  p.updates = p.g.collection(kUpdateOps);
  return first + tower(h * 2);
}

// Data standardized by a mean and a variance that were computed before.
Output Standardized(Program& p) {
  const auto variable = [&](const char* name, float value) {
    return GetVariable(p.g, name, {.shape = {3}, .initializer = initializers::Constant(value), .trainable = false});
  };
  return (p.x - variable("mean", 1).snapshot) / Sqrt(variable("variance", 2).snapshot + 1e-6);
}
Output AfterStandardization(Program& p) {
  const Output h = layers::Dense(p.g, Standardized(p), {.units = 3});
  return layers::BatchNormalization(p.g, h, {.training = p.is_training, .name = "bn"});
}

Output ByTwoSwitches(Program& p) {
  const Output frozen = PlaceholderWithDefault(p.g, false, {.name = "frozen"});
  const Output training = LogicalAnd(p.is_training, LogicalNot(frozen));
  return layers::BatchNormalization(p.g, p.Hidden(), {.training = training, .name = "bn"});
}

struct PlaceRow {
  const char* name;
  std::function<void(Program&)> wrong, right;
  std::vector<std::string> says;  // each finding's beginning
};

const PlaceRow kRows[] = {
    {"towers, none of which updates",
     [](Program& p) { p.Train(Towers(p), true, false); },
     [](Program& p) { p.TrainAfter(Towers(p), p.updates); },
     {"this training run fetches no update op of bn: its moving averages will never change"}},
    {"behind data that are standardized",
     [](Program& p) { p.Train(AfterStandardization(p), true, false); },
     [](Program& p) { p.Train(AfterStandardization(p), true, true); },
     {"this training run fetches no update op of bn: its moving averages will never change"}},
    {"two switches decide",
     [](Program& p) { p.Predict(ByTwoSwitches(p), true); },
     [](Program& p) { p.Predict(ByTwoSwitches(p), false); },
     {"this run trains nothing and normalizes bn with the statistics of its batch"}},
    {"a fused layer that trains in inference mode",
     [](Program& p) { p.Train(Fused(p), false, true); },
     [](Program& p) { p.Train(Fused(p), true, true); },
     {"this training run normalizes bn with its moving averages (is_training is false), and moves them not"}},
    {"a fused layer whose updates never run",
     [](Program& p) { p.Train(Fused(p), true, false); },
     [](Program& p) { p.Train(Fused(p), true, true); },
     {"this training run fetches no update op of bn: its moving averages will never change"}},
    {"the batch's statistics in a loop",
     [](Program& p) { p.Predict(InALoop(p, true), false); },
     [](Program& p) { p.Predict(InALoop(p, false), false); },
     {"this run trains nothing and normalizes by_hand/while with the statistics of its batch"}},
    {"batch renormalization without its updates",
     [](Program& p) { p.Train(Renormalized(p), true, false); },
     [](Program& p) { p.Train(Renormalized(p), true, true); },
     {"this training run fetches no update op of renorm: its moving averages will never change"}},
    {"a layer in a branch of another cond",
     [](Program& p) { p.Predict(InABranch(p), true); },
     [](Program& p) { p.Predict(InABranch(p), false); },
     {"this run trains nothing and normalizes bn with the statistics of its batch (is_training is true)"}},
    {"averages that nothing in the graph moves",
     [](Program& p) { p.Train(Decided(p, false), true, true); },
     [](Program& p) { p.Train(Decided(p, true), true, true); },
     {"this training run normalizes by_hand with the statistics of its batch (is_training is true), and nothing in the "
      "graph ever moves its averages"}},
    {"a layer applied twice says a thing once",
     [](Program& p) { p.Predict(Shared(p, true), true); },
     [](Program& p) { p.Predict(Shared(p, false), false); },
     {"this run trains nothing and normalizes bn with the statistics of its batch (is_training is true)"}},
};

class BatchNormPlacesTest : public testing::TestWithParam<PlaceRow> {};
void PrintTo(const PlaceRow& row, std::ostream* out) { *out << row.name; }

std::vector<std::string> Findings(const Program& p) {
  const absl::StatusOr<BatchNormAudit> audit = AuditBatchNorm(p.g, p.run.feeds, p.run.fetches, p.run.targets);
  std::vector<std::string> findings;
  if (!audit.ok()) return {audit.status().ToString()};
  for (const BatchNormFinding& finding : audit->findings) findings.push_back(finding.message);
  return findings;
}

TEST_P(BatchNormPlacesTest, NamesTheMistakeAndNothingInTheTwin) {
  Program wrong, right;
  GetParam().wrong(wrong);
  const std::vector<std::string> findings = Findings(wrong);
  ASSERT_EQ(findings.size(), GetParam().says.size()) << absl::StrJoin(findings, "\n");
  for (size_t i = 0; i < findings.size(); ++i) EXPECT_THAT(findings[i], testing::StartsWith(GetParam().says[i]));
  GetParam().right(right);
  EXPECT_THAT(Findings(right), IsEmpty());
}

// A session of a graph that calls functions runs a copy of the part that it needs; the audit sees all of the graph, its
// variables and collections, and the bodies of the calls.
TEST_P(BatchNormPlacesTest, SpeaksBesideCallsOfFunctions) {
  constexpr char kFunctions[] = R"pb(
    node {
      name: "call"
      op: "StatefulPartitionedCall"
      attr {
        key: "Tin"
        value { list {} }
      }
      attr {
        key: "Tout"
        value { list { type: DT_FLOAT } }
      }
      attr {
        key: "f"
        value { func { name: "number" } }
      }
    }
    library {
      function {
        signature {
          name: "number"
          output_arg { name: "y" type: DT_FLOAT }
        }
        node_def {
          name: "c"
          op: "Const"
          attr {
            key: "dtype"
            value { type: DT_FLOAT }
          }
          attr {
            key: "value"
            value {
              tensor {
                dtype: DT_FLOAT
                tensor_shape {}
                float_val: 7
              }
            }
          }
        }
        ret { key: "y" value: "c:output:0" }
      }
    }
  )pb";
  for (const bool is_wrong : {true, false}) {
    SCOPED_TRACE(is_wrong);
    Program p;
    const absl::Status imported = ImportGraphDefText(kFunctions, p.g);
    ASSERT_TRUE(imported.ok()) << imported;
    (is_wrong ? GetParam().wrong : GetParam().right)(p);
    p.run.fetches.push_back(*p.g.FindOutput("call"));
    Listener listener;
    Session session(p.g, listener.Options());
    ASSERT_TRUE(session.Initialize().ok());
    const absl::StatusOr<std::vector<Tensor>> results = session.Run(p.run.feeds, p.run.fetches, p.run.targets);
    ASSERT_TRUE(results.ok()) << results.status();
    EXPECT_EQ(results->back().scalar<float>(), 7);
    EXPECT_EQ(listener.told, is_wrong ? Findings(p) : std::vector<std::string>());
    EXPECT_EQ(listener.told.size(), is_wrong ? GetParam().says.size() : 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, BatchNormPlacesTest, testing::ValuesIn(kRows));

}  // namespace
}  // namespace staticflow
