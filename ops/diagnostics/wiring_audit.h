// The audit of a step's wiring beside batch normalization: what people connect wrongly and find out after a week.
//
//   for (const WiringFinding& finding : AuditWiring(g, {{x, images}}, {loss}, {train})) Print(finding.message);
//   // SoftmaxCrossEntropyWithLogits 'loss/xent' (net.cc:41) takes logits, but it gets probabilities: the output of
//   // Softmax 'dense_1/Softmax' (net.cc:30)
//
// Sessions ask it before a signature first runs (SessionOptions::audit): linking ops/diagnostics is enough. Things are
// recognized by their arithmetic, not by names, so graphs of TensorFlow's are judged as well. Only reads the graph;
// safe from any thread while nobody adds nodes. Time: linear in the graph.
#ifndef STATICFLOW_OPS_DIAGNOSTICS_WIRING_AUDIT_H_
#define STATICFLOW_OPS_DIAGNOSTICS_WIRING_AUDIT_H_

#include <string>
#include <vector>

#include "graph/graph.h"
#include "runtime/session.h"

namespace staticflow {

enum class WiringIssue {
  kProbabilitiesAsLogits,  // a softmax or sigmoid before a loss that takes logits
  kSoftmaxOverOne,         // a softmax over an axis of size 1: 1, whatever its input
  kDropoutInPrediction,    // a run that trains nothing and drops elements at random
};

struct WiringFinding {
  WiringIssue issue = WiringIssue::kProbabilitiesAsLogits;
  const Node* node = nullptr;  // the loss, the softmax, what drops
  std::string message;         // one sentence, the node in it
};

// Looks at the step that runs `fetches` and `targets` on `feeds`, in graph order; a feed without tensor is fed with
// something unknown. Branches that are known not to be taken do not count.
std::vector<WiringFinding> AuditWiring(const Graph& g, const Session::Feeds& feeds, const std::vector<Output>& fetches,
                                       const std::vector<Operation>& targets = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_WIRING_AUDIT_H_
