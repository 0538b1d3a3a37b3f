#include "runtime/audit.h"

#include "graph/function_inliner.h"
#include "runtime/program.h"

namespace staticflow {
namespace {

std::vector<AuditFunction>& Audits() {
  static auto& audits = *new std::vector<AuditFunction>();
  return audits;
}

constexpr InlineLimits kAuditLimits = {.max_nodes = 200'000};

// `step.signature` among the nodes that `moved` finds.
template <typename Find>
RunningStep Move(const AuditedStep& step, const Signature& signature, const Find& moved) {
  RunningStep running;
  for (size_t i = 0; i < signature.feeds.size(); ++i) {
    Node* node = moved(signature.feeds[i].node());
    if (node == nullptr) continue;
    const Tensor value = i < step.feeds.size() ? step.feeds[i] : Tensor();
    running.feeds.emplace_back(node->output(signature.feeds[i].index()), value);
  }
  for (Output fetch : signature.fetches) {
    if (Node* node = moved(fetch.node()); node != nullptr) running.fetches.push_back(node->output(fetch.index()));
  }
  for (Operation target : signature.targets) {
    if (Node* node = moved(target.node()); node != nullptr) running.targets.push_back(node);
  }
  if (!running.fetches.empty()) running.graph = &running.fetches[0].graph();
  if (!running.targets.empty()) running.graph = &running.targets[0].node()->graph();
  return running;
}

RunningStep FindRunning(const AuditedStep& step) {
  // The signature that the program has is in the graph that runs: a part of the session's, where calls are inlined.
  RunningStep running = Move(step, step.program.signature, [](Node* node) { return node; });
  if (step.program.graph == nullptr || running.graph == nullptr) return running;
  const Signature& asked = step.signature;
  const Graph& g = asked.fetches.empty() ? asked.targets[0].node()->graph() : asked.fetches[0].graph();
  std::vector<Node*> nodes, calls;
  for (const auto& node : g.nodes()) {
    nodes.push_back(node.get());
    if (IsCall(*node)) calls.push_back(node.get());
  }
  absl::StatusOr<InlinedCopy> whole = CopyWithInlinedCalls(g, nodes, calls, asked.feeds, kAuditLimits);
  if (!whole.ok()) return running;
  running = Move(step, asked, [&](Node* node) { return whole->nodes.at(node); });
  running.copy = std::move(whole->graph);
  return running;
}

}  // namespace

const RunningStep& AuditedStep::running() {
  if (!found.has_value()) found = FindRunning(*this);
  return *found;
}

AuditRegistrar::AuditRegistrar(AuditFunction audit) { Audits().push_back(audit); }

std::vector<std::string> AuditStep(AuditedStep step) {
  std::vector<std::string> findings;
  for (AuditFunction audit : Audits()) {
    for (std::string& finding : audit(step)) findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace staticflow
