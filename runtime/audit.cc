#include "runtime/audit.h"

#include "runtime/program.h"

namespace staticflow {
namespace {

std::vector<AuditFunction>& Audits() {
  static auto& audits = *new std::vector<AuditFunction>();
  return audits;
}

}  // namespace

Signature AuditedStep::signature() const {
  Signature running = program.signature;
  if (program.graph == nullptr) return running;
  const auto move = [&](Output* output) {
    Node* node = program.Find(output->node());
    *output = node == nullptr ? Output() : node->output(output->index());
  };
  for (Output& feed : running.feeds) move(&feed);
  for (Output& fetch : running.fetches) move(&fetch);
  for (Operation& target : running.targets) target = program.Find(target.node());
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
