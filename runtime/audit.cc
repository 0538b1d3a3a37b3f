#include "runtime/audit.h"

#include "runtime/program.h"

namespace staticflow {
namespace {

std::vector<AuditFunction>& Audits() {
  static auto& audits = *new std::vector<AuditFunction>();
  return audits;
}

}  // namespace

RunningStep AuditedStep::running() const {
  RunningStep running;
  const Signature& signature = program.signature;
  for (size_t i = 0; i < signature.feeds.size(); ++i) {
    Node* node = program.Find(signature.feeds[i].node());
    if (node == nullptr) continue;
    running.feeds.emplace_back(node->output(signature.feeds[i].index()), i < feeds.size() ? feeds[i] : Tensor());
  }
  for (Output fetch : signature.fetches) {
    if (Node* node = program.Find(fetch.node()); node != nullptr)
      running.fetches.push_back(node->output(fetch.index()));
  }
  for (Operation target : signature.targets) {
    if (Node* node = program.Find(target.node()); node != nullptr) running.targets.push_back(node);
  }
  if (!running.fetches.empty()) running.graph = &running.fetches[0].graph();
  if (!running.targets.empty()) running.graph = &running.targets[0].node()->graph();
  return running;
}

AuditRegistrar::AuditRegistrar(AuditFunction audit) { Audits().push_back(audit); }

std::vector<std::string> AuditStep(const AuditedStep& step) {
  std::vector<std::string> findings;
  for (AuditFunction audit : Audits()) {
    for (std::string& finding : audit(step)) findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace staticflow
