#include "ops/analysis/gradient_coverage.h"

#include <algorithm>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/function_inliner.h"
#include "graph/variable_key.h"
#include "ops/analysis/run_nodes.h"

namespace staticflow {
namespace {

constexpr size_t kMaxNames = 12;  // of a path, in words

bool CarriesGradient(Output output) {
  return IsFloating(output.dtype()) || IsComplex(output.dtype()) || output.dtype() == DT_RESOURCE;
}

// What happens to a gradient that comes to `node`.
GradientFlow FlowThrough(const Node& node) {
  const Op& op = node.op();
  if (node.graph().FindCustomGradient(node) != nullptr) return GradientFlow::kFlows;
  if (op.is(OpRole::kStopGradient)) return GradientFlow::kStopped;
  // A loop is differentiated as a whole, a call when it was inlined.
  if (op.is(OpRole::kExit) || op.is(OpRole::kNextIteration) || IsCall(node)) return GradientFlow::kFlows;
  if (op.spec.gradient == nullptr || op.spec.gradient == kGradientIsError) return GradientFlow::kError;
  if (op.spec.gradient == kNotDifferentiable && node.num_inputs() > 0) return GradientFlow::kNotDifferentiable;
  return GradientFlow::kFlows;
}

// The shortest paths from the loss back to every node, along all edges or only where a gradient flows.
class Paths {
 public:
  Paths(Output loss, bool only_gradients) {
    consumers_[loss.node()] = nullptr;
    std::deque<const Node*> queue = {loss.node()};
    if (only_gradients && !CarriesGradient(loss)) return;
    while (!queue.empty()) {
      const Node* const node = queue.front();
      queue.pop_front();
      if (only_gradients && FlowThrough(*node) != GradientFlow::kFlows) continue;
      for (Output input : node->inputs()) {
        if (only_gradients && !CarriesGradient(input)) continue;
        if (consumers_.try_emplace(input.node(), node).second) queue.push_back(input.node());
      }
    }
  }
  bool Reach(const Node* node) const { return consumers_.contains(node); }
  // From the loss to `node`.
  std::vector<const Node*> To(const Node* node) const {
    std::vector<const Node*> path;
    for (; node != nullptr; node = consumers_.at(node)) path.push_back(node);
    std::reverse(path.begin(), path.end());
    return path;
  }

 private:
  absl::flat_hash_map<const Node*, const Node*> consumers_;  // the next node towards the loss
};

// The first place on `path`, seen from the loss, where the gradient ends.
GradientFlow FirstCut(const std::vector<const Node*>& path, const Node** culprit) {
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    *culprit = path[i];
    const GradientFlow flow = FlowThrough(*path[i]);
    if (flow != GradientFlow::kFlows) return flow;
    for (Output input : path[i]->inputs()) {
      if (input.node() == path[i + 1] && !CarriesGradient(input)) {
        *culprit = path[i + 1];
        return GradientFlow::kInteger;
      }
    }
  }
  *culprit = path.front();
  return GradientFlow::kInteger;  // the loss itself is none that could be differentiated
}

std::string Reason(const VariableGradient& v) {
  const std::string name = v.variable == nullptr ? "an output that is no variable" : v.variable->name();
  if (v.flow == GradientFlow::kNotConnected) return absl::StrCat(name, ": the loss does not depend on it");
  const char* how = v.flow == GradientFlow::kStopped             ? "cut by "
                    : v.flow == GradientFlow::kInteger           ? "lost in the integers of "
                    : v.flow == GradientFlow::kNotDifferentiable ? "not passed on by "
                                                                 : "an error to differentiate through ";
  std::vector<std::string> names;
  for (size_t i = 0; i < v.path.size() && i < kMaxNames; ++i) names.push_back(v.path[i]->name());
  if (v.path.size() > kMaxNames) names.push_back("...");
  return absl::StrCat(name, ": ", how, v.culprit->DebugName(), " (path: ", absl::StrJoin(names, " <- "), ")");
}

}  // namespace

std::vector<VariableGradient> GradientCoverage(Output loss, absl::Span<const Output> variables) {
  std::vector<VariableGradient> result;
  if (!loss.valid()) return result;
  std::vector<const Node*> declarations;
  for (Output variable : variables) {
    const bool is_variable = variable.valid() && (variable.is_ref() || variable.dtype() == DT_RESOURCE);
    declarations.push_back(!variable.valid() ? nullptr
                           : is_variable     ? VariableBehind(variable)
                                             : VariableOfValue(variable));
  }
  if (variables.empty()) {
    for (const Variable* variable : loss.graph().variables(kTrainableVariables)) {
      declarations.push_back(variable->variable);
    }
  }
  const Paths flowing(loss, true), all(loss, false);
  for (const Node* declaration : declarations) {
    VariableGradient v;
    v.variable = declaration;
    if (declaration == nullptr || !all.Reach(declaration)) {
      v.flow = GradientFlow::kNotConnected;
    } else if (flowing.Reach(declaration)) {
      v.path = flowing.To(declaration);
    } else {
      v.path = all.To(declaration);
      v.flow = FirstCut(v.path, &v.culprit);
    }
    if (!v.flows()) v.reason = Reason(v);
    result.push_back(std::move(v));
  }
  return result;
}

absl::Status CheckGradientCoverage(Output loss, absl::Span<const Output> variables) {
  if (!loss.valid()) return absl::InvalidArgumentError("CheckGradientCoverage: the loss is no output of any node");
  std::vector<std::string> reasons;
  for (const VariableGradient& v : GradientCoverage(loss, variables)) {
    if (!v.flows()) reasons.push_back(v.reason);
  }
  if (reasons.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(reasons.size(), " variable(s) get no gradient: ", absl::StrJoin(reasons, "; ")));
}

}  // namespace staticflow
