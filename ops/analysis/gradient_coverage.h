// Gradient coverage: before training, which variables a loss gives no gradient, and why.
//
//   for (const VariableGradient& v : GradientCoverage(loss, {w, embedding})) {
//     if (!v.flows()) Print(v.reason);   // "embedding: cut by StopGradient in StopGradient (path: loss <- ... <- w)"
//   }
//
// Nothing is added to the graph, and what makes differentiation fail is found as well.
// Functions only read the graph and may be called from any thread while nobody adds nodes.
#ifndef STATICFLOW_OPS_ANALYSIS_GRADIENT_COVERAGE_H_
#define STATICFLOW_OPS_ANALYSIS_GRADIENT_COVERAGE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "graph/graph.h"

namespace staticflow {

enum class GradientFlow {
  kFlows,
  kNotConnected,       // no path from the variable to the loss
  kStopped,            // by a StopGradient
  kInteger,            // through integers, booleans or strings
  kNotDifferentiable,  // through an op that passes no gradient: Floor, ArgMax, an assignment, ...
  kError,              // through an op of which differentiation is an error, or that has no gradient
};

struct VariableGradient {
  const Node* variable = nullptr;  // the declaration
  GradientFlow flow = GradientFlow::kFlows;
  const Node* culprit = nullptr;  // the node that cuts the shortest path
  std::vector<const Node*> path;  // from the loss to the variable, when connected: a path on which the gradient
                                  // flows if there is one, else the shortest
  std::string reason;             // in one sentence; empty when the gradient flows

  bool flows() const { return flow == GradientFlow::kFlows; }
};

// One entry for each of `variables` (references, handles or values of variables; what is none is kNotConnected);
// without any, for the trainable variables of the graph. Empty when the loss is invalid.
std::vector<VariableGradient> GradientCoverage(Output loss, absl::Span<const Output> variables = {});

// FailedPrecondition listing the variables without gradient, each with its reason.
absl::Status CheckGradientCoverage(Output loss, absl::Span<const Output> variables = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ANALYSIS_GRADIENT_COVERAGE_H_
