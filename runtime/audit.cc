#include "runtime/audit.h"

namespace staticflow {
namespace {

std::vector<AuditFunction>& Audits() {
  static auto& audits = *new std::vector<AuditFunction>();
  return audits;
}

}  // namespace

AuditRegistrar::AuditRegistrar(AuditFunction audit) { Audits().push_back(audit); }

std::vector<std::string> AuditStep(const AuditedStep& step) {
  std::vector<std::string> findings;
  for (AuditFunction audit : Audits()) {
    for (std::string& finding : audit(step)) findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace staticflow
