#include "ops/diagnostics/wiring_audit.h"

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ops/analysis/graph_uses.h"
#include "ops/analysis/run_nodes.h"
#include "runtime/audit.h"
#include "runtime/program.h"

namespace staticflow {
namespace {

constexpr int kMaxMaskDepth = 8;  // nodes between the random numbers of a dropout and what they choose

// The input of `node` if it is of this type; invalid otherwise.
Output InputIf(Output output, absl::string_view type, int input = 0) {
  const Output source = ViewedValue(output);
  if (!source.valid() || source.node()->type() != type || source.node()->num_inputs() <= input) return Output();
  return source.node()->input(input);
}

// x, where `output` is -|x|, as one op of each or as a choice between x and -x by its sign.
Output NegatedMagnitude(Output output) {
  if (const Output magnitude = InputIf(output, "Neg"); magnitude.valid()) return InputIf(magnitude, "Abs");
  const Output choice = ViewedValue(output);
  if (!choice.valid() || !IsType(*choice.node(), {"Select", "SelectV2"})) return Output();
  const Output sign = InputIf(choice.node()->input(0), "GreaterEqual");
  const Output negated = InputIf(choice.node()->input(1), "Neg");
  if (!sign.valid() || !negated.valid()) return Output();
  return ViewedValue(sign) == ViewedValue(negated) ? negated : Output();
}

// The logits of a loss; invalid where `node` is none. Of sigmoid cross-entropy log(1 + exp(-|x|)) is the mark.
Output LogitsOf(const Node& node) {
  if (IsType(node, {"SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits"})) return node.input(0);
  if (node.type() != "Log1p") return Output();
  const Output exponent = InputIf(node.input(0), "Exp");
  return exponent.valid() ? NegatedMagnitude(exponent) : Output();
}

// exp(x) / sum(exp(x)), written by hand.
bool IsSoftmaxByHand(const Node& node) {
  if (!IsType(node, {"RealDiv", "Div"})) return false;
  const Output numerator = ViewedValue(node.input(0));
  const Output sum = InputIf(node.input(1), "Sum");
  return numerator.valid() && numerator.node()->type() == "Exp" && sum.valid() && ViewedValue(sum) == numerator;
}

// The node that made probabilities of logits, where `logits` are probabilities; null otherwise.
const Node* ProbabilitiesBehind(Output logits) {
  const Output source = ViewedValue(logits);
  if (!source.valid()) return nullptr;
  const Node& node = *source.node();
  return IsType(node, {"Softmax", "Sigmoid"}) || IsSoftmaxByHand(node) ? &node : nullptr;
}

// Whether `mask` is random numbers compared with a rate, or made 0 and 1 by rounding down.
bool IsRandomMask(Output mask, bool rounded = false, int depth = 0) {
  mask = ViewedValue(mask);
  if (!mask.valid() || depth > kMaxMaskDepth) return false;
  const Node& node = *mask.node();
  if (IsType(node, {"RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2"})) return rounded;
  const bool rounds = IsType(node, {"Floor", "Greater", "GreaterEqual", "Less", "LessEqual"});
  if (!rounds && !IsType(node, {"Add", "AddV2", "Sub", "Mul", "RealDiv", "LogicalNot"})) return false;
  rounded |= rounds;
  return absl::c_any_of(node.inputs(), [&](Output input) { return IsRandomMask(input, rounded, depth + 1); });
}

bool IsZero(Output output) {
  const Output source = ViewedValue(output);
  if (!source.valid()) return false;
  return ConstantNumber(source) == 0 || IsType(*source.node(), {"ZerosLike"}) ||
         (source.node()->type() == "Fill" && ConstantNumber(source.node()->input(1)) == 0);
}

// Zeros in the place of elements, as random numbers say; to choose between other things at random is no dropout.
bool Drops(const Node& node) {
  if (IsType(node, {"Select", "SelectV2"})) {
    return (IsZero(node.input(1)) || IsZero(node.input(2))) && IsRandomMask(node.input(0));
  }
  if (node.type() != "Mul") return false;
  return IsRandomMask(node.input(0)) || IsRandomMask(node.input(1));
}

class WiringAuditor {
 public:
  WiringAuditor(const Graph& g, const Session::Feeds& feeds, const std::vector<Output>& fetches,
                const std::vector<Operation>& targets)
      : run_(g, feeds, fetches, targets) {}

  std::vector<WiringFinding> Run() {
    const bool trains = absl::c_any_of(run_.needed(), [&](const Node* node) { return run_.Trained(*node) != nullptr; });
    std::vector<const Node*> nodes(run_.needed().begin(), run_.needed().end());
    absl::c_sort(nodes, [](const Node* a, const Node* b) { return a->id() < b->id(); });
    for (const Node* node : nodes) {
      if (!run_.MayRun(*node)) continue;
      CheckLogits(*node);
      CheckSoftmax(*node);
      if (!trains && Drops(*node)) {
        Report(WiringIssue::kDropoutInPrediction, *node, "this run trains nothing, yet ", node->DebugName(),
               " drops elements at random: dropout is on");
      }
    }
    return std::move(findings_);
  }

 private:
  template <typename... Parts>
  void Report(WiringIssue issue, const Node& node, const Parts&... parts) {
    findings_.push_back({issue, &node, absl::StrCat(parts...)});
  }

  void CheckLogits(const Node& node) {
    const Output logits = LogitsOf(node);
    const Node* probabilities = logits.valid() ? ProbabilitiesBehind(logits) : nullptr;
    if (probabilities == nullptr || !run_.MayRun(*probabilities)) return;
    Report(WiringIssue::kProbabilitiesAsLogits, node, node.DebugName(),
           node.type() == "Log1p" ? " is of a loss that takes logits" : " takes logits",
           ", but it gets probabilities: the output of ", probabilities->DebugName());
  }

  void CheckSoftmax(const Node& node) {
    if (!IsType(node, {"Softmax", "LogSoftmax", "SoftmaxCrossEntropyWithLogits"})) return;
    const Shape& shape = node.input(0).shape();  // as built: a batch of one is no mistake here
    if (shape.rank() < 1 || shape.dim(-1) != 1) return;
    Report(WiringIssue::kSoftmaxOverOne, node, node.DebugName(), " is over an axis of size 1: its result is ",
           node.type() == "Softmax" ? "1" : "0", ", whatever the input",
           node.type() == "SoftmaxCrossEntropyWithLogits" ? "; of one logit take the sigmoid cross-entropy" : "");
  }

  const RunNodes run_;
  std::vector<WiringFinding> findings_;
};

// For sessions: the sentences alone. Most steps have nothing of the kind, and looking for it is cheap.
std::vector<std::string> AuditWiringOfStep(AuditedStep& step) {
  const bool has_any = absl::c_any_of(step.program.items, [](const ProgramItem& item) {
    return item.node != nullptr &&
           (Drops(*item.node) || LogitsOf(*item.node).valid() || absl::StrContains(item.node->type(), "Softmax"));
  });
  std::vector<std::string> sentences;
  if (!has_any) return sentences;
  const RunningStep& run = step.running();
  if (run.graph == nullptr) return sentences;
  for (WiringFinding& finding : AuditWiring(*run.graph, run.feeds, run.fetches, run.targets)) {
    sentences.push_back(std::move(finding.message));
  }
  return sentences;
}
const AuditRegistrar wiring_audit(AuditWiringOfStep);

}  // namespace

std::vector<WiringFinding> AuditWiring(const Graph& g, const Session::Feeds& feeds, const std::vector<Output>& fetches,
                                       const std::vector<Operation>& targets) {
  const auto is_foreign = [&g](const Node* node) { return node == nullptr || &node->graph() != &g; };
  if (!g.status().ok() || absl::c_any_of(fetches, [&](Output fetch) { return is_foreign(fetch.node()); }) ||
      absl::c_any_of(targets, [&](Operation target) { return is_foreign(target.node()); })) {
    return {};
  }
  return WiringAuditor(g, feeds, fetches, targets).Run();
}

}  // namespace staticflow
