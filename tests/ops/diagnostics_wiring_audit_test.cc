// The audit of how losses and dropout are wired: programs with the mistakes that people made, each beside its corrected
// twin.
#include <gmock/gmock.h>

#include <functional>
#include <string>
#include <vector>

#include "graph/graph_def.h"
#include "ops/array.h"
#include "ops/array_layout.h"
#include "ops/diagnostics/wiring_audit.h"
#include "ops/layers/layers.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/random.h"
#include "ops/train/gradient_descent.h"
#include "runtime/session.h"
#include "tests/ops/audit_listener.h"
#include "tests/ops/audited_program.h"

namespace staticflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct WiringRow {
  const char* name;
  std::function<AuditedCall(AuditedProgram&)> wrong;
  std::function<AuditedCall(AuditedProgram&)> right;
  WiringIssue issue;
  const char* says;
};

AuditedCall TrainOn(AuditedProgram& p, Output loss) {
  return {p.Feeds(true), {loss}, {train::GradientDescent(p.g, {.learning_rate = 0.1}).Minimize(loss)}};
}
Output OneLogit(AuditedProgram& p) { return layers::Dense(p.g, p.x, {.units = 1}); }
AuditedCall PredictDropping(AuditedProgram& p, layers::Training training) {
  const Output h = layers::Dropout(p.g, layers::Dense(p.g, p.x, {.units = 3}), {.rate = 0.5, .training = training});
  return {p.Feeds(false), {p.Logits(h)}, {}};
}
// As TensorFlow 1 wrote it: floor(keep + random) * x / keep.
Output OldDropout(AuditedProgram& p, Output x, Output keep) {
  const Output random = keep + RandomUniform(p.g, ShapeOf(x), {.seed = 3});
  return (x / keep) * Floor(random);
}

const WiringRow kWiringRows[] = {
    {"softmax before softmax cross-entropy",
     [](AuditedProgram& p) { return TrainOn(p, p.LossOf(Softmax(p.Logits(p.x), {.name = "probabilities"}))); },
     [](AuditedProgram& p) { return TrainOn(p, p.LossOf(p.Logits(p.x))); }, WiringIssue::kProbabilitiesAsLogits,
     "but it gets probabilities: the output of Softmax 'probabilities' (diagnostics_wiring_audit_test.cc:"},
    {"softmax by hand, behind a reshape",
     [](AuditedProgram& p) {
       const Output e = Exp(p.Logits(p.x));
       return TrainOn(p, p.LossOf(Reshape(e / Sum(e, {1}, {.keep_dims = true}), std::vector<int64_t>{-1, 2})));
     },
     [](AuditedProgram& p) {
       return TrainOn(p, p.LossOf(Reshape(p.Logits(p.x), std::vector<int64_t>{-1, 2})));
     },
     WiringIssue::kProbabilitiesAsLogits, "takes logits, but it gets probabilities: the output of RealDiv"},
    {"softmax before the loss of class numbers",
     [](AuditedProgram& p) {
       const Output classes = Cast(ArgMax(p.labels, 1), DT_INT32);
       return TrainOn(p, Mean(SparseSoftmaxCrossEntropyWithLogits(Softmax(p.Logits(p.x)), classes)));
     },
     [](AuditedProgram& p) {
       const Output classes = Cast(ArgMax(p.labels, 1), DT_INT32);
       return TrainOn(p, Mean(SparseSoftmaxCrossEntropyWithLogits(p.Logits(p.x), classes)));
     },
     WiringIssue::kProbabilitiesAsLogits, "SparseSoftmaxCrossEntropyWithLogits"},
    {"sigmoid before sigmoid cross-entropy",
     [](AuditedProgram& p) {
       const Output y = Sigmoid(p.Logits(p.x), {.name = "probability"});
       return TrainOn(p, Mean(SigmoidCrossEntropyWithLogits(y, p.labels)));
     },
     [](AuditedProgram& p) { return TrainOn(p, Mean(SigmoidCrossEntropyWithLogits(p.Logits(p.x), p.labels))); },
     WiringIssue::kProbabilitiesAsLogits,
     "is of a loss that takes logits, but it gets probabilities: the output of Sigmoid 'probability'"},
    {"softmax of one class",
     [](AuditedProgram& p) { return TrainOn(p, Mean(Square(Softmax(OneLogit(p), {.name = "certain"})))); },
     [](AuditedProgram& p) { return TrainOn(p, Mean(Square(Sigmoid(OneLogit(p))))); }, WiringIssue::kSoftmaxOverOne,
     "Softmax 'certain' (diagnostics_wiring_audit_test.cc:"},
    {"dropout left on at inference", [](AuditedProgram& p) { return PredictDropping(p, true); },
     [](AuditedProgram& p) { return PredictDropping(p, p.is_training); }, WiringIssue::kDropoutInPrediction,
     "this run trains nothing, yet"},
    {"dropout of another age left on at inference",
     [](AuditedProgram& p) {
       return AuditedCall{p.Feeds(false), {OldDropout(p, p.Logits(p.x), Const(p.g, Tensor(0.5f)))}, {}};
     },
     [](AuditedProgram& p) {
       const Output loss = p.LossOf(OldDropout(p, p.Logits(p.x), Const(p.g, Tensor(0.5f))));
       return TrainOn(p, loss);
     },
     WiringIssue::kDropoutInPrediction, "drops elements at random"},
};

// A choice at random between two things that are there.
TEST(WiringAudit, TakesNoRandomChoiceForDropout) {
  AuditedProgram p;
  const Output heads = Less(RandomUniform(p.g, ShapeOf(p.x), {.seed = 3}), 0.5);
  const Output flipped = Where(heads, p.x, Reverse(p.x, {1}));
  EXPECT_THAT(AuditWiring(p.g, p.Feeds(false), {flipped}), IsEmpty());
  EXPECT_EQ(AuditWiring(p.g, p.Feeds(false), {Where(heads, p.x, ZerosLike(p.x))}).size(), 1u);
}

class WiringAuditTest : public testing::TestWithParam<WiringRow> {};
void PrintTo(const WiringRow& row, std::ostream* out) { *out << row.name; }

TEST_P(WiringAuditTest, NamesTheMistakeAndNotTheCorrectedTwin) {
  for (const bool wrong : {true, false}) {
    AuditedProgram p;
    const AuditedCall run = wrong ? GetParam().wrong(p) : GetParam().right(p);
    ASSERT_TRUE(p.g.status().ok()) << p.g.status();
    const std::vector<WiringFinding> findings = AuditWiring(p.g, run.feeds, run.fetches, run.targets);
    Listener listener;
    Session session(p.g, listener.Options());
    ASSERT_TRUE(session.Initialize().ok());
    for (int i = 0; i < 2; ++i) {
      const absl::Status status = session.Run(run.feeds, run.fetches, run.targets).status();
      ASSERT_TRUE(status.ok()) << status;
    }
    if (!wrong) {
      EXPECT_THAT(findings, IsEmpty()) << findings[0].message;
      EXPECT_THAT(listener.told, IsEmpty());
      continue;
    }
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].issue, GetParam().issue);
    EXPECT_THAT(findings[0].message, HasSubstr(GetParam().says));
    EXPECT_THAT(listener.told, ElementsAre(findings[0].message));
  }
}

INSTANTIATE_TEST_SUITE_P(Table, WiringAuditTest, testing::ValuesIn(kWiringRows));

// A step is audited as it runs: with the functions inlined that it calls.
TEST(WiringAudit, LooksIntoFunctions) {
  constexpr char kGraph[] = R"(
    node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
    node { name: "labels" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
    node { name: "call" op: "PartitionedCall" input: "x" input: "labels"
           attr { key: "Tin" value { list { type: DT_FLOAT type: DT_FLOAT } } }
           attr { key: "Tout" value { list { type: DT_FLOAT } } }
           attr { key: "f" value { func { name: "loss" } } } }
    library { function {
      signature { name: "loss" input_arg { name: "x" type: DT_FLOAT } input_arg { name: "labels" type: DT_FLOAT }
                  output_arg { name: "y" type: DT_FLOAT } }
      node_def { name: "p" op: "Softmax" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
      node_def { name: "xent" op: "SoftmaxCrossEntropyWithLogits" input: "p:softmax:0" input: "labels"
                 attr { key: "T" value { type: DT_FLOAT } } }
      ret { key: "y" value: "xent:loss:0" } } }
  )";
  Graph g;
  const absl::Status imported = ImportGraphDefText(kGraph, g);
  ASSERT_TRUE(imported.ok()) << imported;
  Listener listener;
  Session session(g, listener.Options());
  const Tensor rows = Tensor::Matrix<float>({{1, 2}, {0, 1}});
  const absl::StatusOr<Tensor> loss =
      session.Run({{*g.FindOutput("x"), rows}, {*g.FindOutput("labels"), rows}}, *g.FindOutput("call"));
  ASSERT_TRUE(loss.ok()) << loss.status();
  EXPECT_THAT(listener.told,
              ElementsAre(HasSubstr("takes logits, but it gets probabilities: the output of Softmax 'call/p'")));
}

}  // namespace
}  // namespace staticflow
