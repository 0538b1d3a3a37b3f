// sf audit and sf dependence: what a step means for batch normalization, and whether examples meet in a result.
#include <algorithm>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "graph/batch_dependence.h"
#include "graph/status.h"
#include "ops/diagnostics/batch_norm_audit.h"
#include "runtime/audit.h"
#include "runtime/program.h"
#include "runtime/resource_store.h"
#include "tools/sf.h"

namespace staticflow {
namespace {

// What the other audits say that a session asks.
absl::StatusOr<std::vector<std::string>> OtherFindings(const SfSignature& what, const BatchNormAudit& audit) {
  std::vector<Tensor> feeds;
  for (Output feed : what.signature.feeds) {
    const auto same = [&](const auto& value) { return value.first == feed; };
    const auto value = std::find_if(what.values.begin(), what.values.end(), same);
    feeds.push_back(value == what.values.end() ? Tensor() : value->second);
  }
  SF_ASSIGN_OR_RETURN(const Program program, CompileProgram(what.signature));
  ResourceStore resources;
  std::vector<std::string> findings =
      AuditStep({.program = program, .signature = what.signature, .feeds = feeds, .resources = resources});
  std::erase_if(findings, [&](const std::string& sentence) {
    return std::any_of(audit.findings.begin(), audit.findings.end(),
                       [&](const BatchNormFinding& finding) { return finding.message == sentence; });
  });
  return findings;
}

}  // namespace

absl::StatusOr<int> SfAudit(const SfArguments& arguments, std::ostream& out) {
  int code = 0;
  for (const std::string& path : arguments.files) {
    SF_ASSIGN_OR_RETURN(const ModelFile file, OpenModelFile(path));
    SF_ASSIGN_OR_RETURN(const SfSignature what, ReadSignature(file, arguments));
    Session::Feeds feeds = what.values;
    for (Output feed : what.signature.feeds) {
      const auto same = [&](const auto& value) { return value.first == feed; };
      if (std::none_of(feeds.begin(), feeds.end(), same)) feeds.push_back({feed, Tensor()});
    }
    SF_ASSIGN_OR_RETURN(const BatchNormAudit audit,
                        AuditBatchNorm(*file.graph, feeds, what.signature.fetches, what.signature.targets));
    out << path << "\n" << audit.ToString();
    SF_ASSIGN_OR_RETURN(const std::vector<std::string> others, OtherFindings(what, audit));
    for (const std::string& finding : others) out << "  warning: " << finding << "\n";
    const bool finds = !audit.findings.empty() || !others.empty();
    if (!finds) out << "  nothing to warn of\n";
    code = std::max(code, finds ? 1 : 0);
  }
  return code;
}

absl::StatusOr<int> SfDependence(const SfArguments& arguments, std::ostream& out) {
  int code = 0;
  SfArguments results = arguments;
  results.results_only = true;
  for (const std::string& path : arguments.files) {
    SF_ASSIGN_OR_RETURN(const ModelFile file, OpenModelFile(path));
    SF_ASSIGN_OR_RETURN(SfSignature what, ReadSignature(file, results));
    if (arguments.fetches.empty()) {
      std::erase_if(what.signature.fetches, [](Output fetch) { return fetch.shape().rank() == 0; });
    }
    if (what.signature.fetches.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": which result? --fetches=NAME (what ends this graph is one number for a whole batch)"));
    }
    if (arguments.files.size() > 1) out << path << "\n";
    for (Output fetch : what.signature.fetches) {
      SF_ASSIGN_OR_RETURN(const BatchDependence dependence, AnalyzeBatchDependence(fetch, 0, {.feeds = what.values}));
      out << fetch.name() << ": " << dependence.ToString();
      if (dependence.verdict != BatchVerdict::kIndependent) code = 1;
    }
  }
  return code;
}

}  // namespace staticflow
