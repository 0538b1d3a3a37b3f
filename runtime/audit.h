// Audits: what looks at a step before it first runs, to say what its author may not have meant.
//
//   const AuditRegistrar batch_norm(AuditBatchNormOfStep);      // in the file that knows the ops in question
//
// A session asks every registered audit when it plans a signature for feeds of new shapes or other predicates, never
// again while these stay the same, and does with the findings what SessionOptions::audit says. A program that links no
// audit has none. Registered before main(); read-only from then on, so any thread may ask.
#ifndef STATICFLOW_RUNTIME_AUDIT_H_
#define STATICFLOW_RUNTIME_AUDIT_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "graph/tensor.h"
#include "runtime/session.h"

namespace staticflow {

struct Program;

// A step in the whole graph: where functions are called, that is a copy with their bodies in it.
struct RunningStep {
  std::shared_ptr<const Graph> copy = nullptr;
  const Graph* graph = nullptr;  // null when nothing is asked for
  Session::Feeds feeds = {};     // that something needs
  std::vector<Output> fetches = {};
  std::vector<Operation> targets = {};
};

// A step that is being planned.
struct AuditedStep {
  const Program& program;          // what it runs
  const Signature& signature;      // in the session's graph
  absl::Span<const Tensor> feeds;  // in the signature's order
  ResourceStore& resources;        // what the session keeps; an audit may keep there what it has seen
  std::optional<RunningStep> found = std::nullopt;

  // Found when an audit first asks. Where the calls outside of the step cannot be inlined, the graph is the step alone.
  const RunningStep& running();
};

// One sentence per finding. Takes time linear in the graph; changes neither the graph nor any variable.
using AuditFunction = std::vector<std::string> (*)(AuditedStep& step);

class AuditRegistrar {
 public:
  explicit AuditRegistrar(AuditFunction audit);
};

// The findings of all audits, in the order of their registration.
std::vector<std::string> AuditStep(AuditedStep step);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_AUDIT_H_
