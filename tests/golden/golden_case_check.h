// Golden cases: graphs with the values, gradients and errors that TensorFlow gave for them.
//
//   GoldenResult result = CheckGoldenCase("tests/golden/ops/relu_special.pb", {.known_ops_only = true});
//   if (result.outcome == GoldenOutcome::kFailed) std::cout << result.name << ": " << result.reason;
//
// golden_case.proto says what a case holds. A case is loaded into a new graph and run in one session.
#ifndef STATICFLOW_TESTS_GOLDEN_GOLDEN_CASE_CHECK_H_
#define STATICFLOW_TESTS_GOLDEN_GOLDEN_CASE_CHECK_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace staticflow {

enum class GoldenOutcome { kPassed, kFailed, kSkipped };

struct GoldenResult {
  GoldenOutcome outcome = GoldenOutcome::kPassed;
  std::string name;    // "ops/relu_special"
  std::string reason;  // why it failed or was skipped
};

struct GoldenOptions {
  bool known_ops_only = false;  // skip cases with op types that are not registered
  int threads = 2;
};

// Checks the case in the file `path`.
GoldenResult CheckGoldenCase(const std::string& path, const GoldenOptions& options = {});

// The op types in the case in the file `path`, and its serialized MetaGraphDef ("" when it has none).
absl::StatusOr<std::vector<std::string>> GoldenOpTypes(const std::string& path);
absl::StatusOr<std::string> GoldenMetaGraph(const std::string& path);

// The cases among `paths`: files as they are, and the *.pb files below folders, but for folders that hold a
// contents.json (files that TensorFlow wrote). Sorted. NotFound for a path that does not exist.
absl::StatusOr<std::vector<std::string>> FindGoldenCases(absl::Span<const std::string> paths);

}  // namespace staticflow

#endif  // STATICFLOW_TESTS_GOLDEN_GOLDEN_CASE_CHECK_H_
