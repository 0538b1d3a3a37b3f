// Checks golden cases against this library:
//
//   bazel run //tests:golden_runner -- [--known-ops] PATH...
//
// PATH is a case or a folder of cases (folders with a contents.json are left out). One line for each case that fails;
// the last line counts. --known-ops skips cases with op types that are not registered. Exit status 1 after a failure.
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "tests/golden/golden_case_check.h"

namespace sf = staticflow;

int main(int argc, char** argv) {
  sf::GoldenOptions options;
  std::vector<std::string> paths;
  // Under `bazel run` a relative path is meant from where the user stands.
  const char* directory = std::getenv("BUILD_WORKING_DIRECTORY");
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--known-ops") {
      options.known_ops_only = true;
    } else {
      paths.push_back(directory == nullptr ? argument : (std::filesystem::path(directory) / argument).string());
    }
  }
  const absl::StatusOr<std::vector<std::string>> cases = sf::FindGoldenCases(paths);
  if (paths.empty() || !cases.ok()) {
    std::cerr << (cases.ok() ? "usage: golden_runner [--known-ops] PATH..." : cases.status().message()) << "\n";
    return 2;
  }
  int passed = 0, failed = 0, skipped = 0;
  for (const std::string& path : *cases) {
    const sf::GoldenResult result = sf::CheckGoldenCase(path, options);
    passed += result.outcome == sf::GoldenOutcome::kPassed;
    skipped += result.outcome == sf::GoldenOutcome::kSkipped;
    if (result.outcome == sf::GoldenOutcome::kFailed) {
      ++failed;
      std::cout << "FAILED " << result.name << ": " << result.reason << std::endl;
    }
  }
  std::cout << passed << " passed, " << failed << " failed";
  if (options.known_ops_only) std::cout << ", " << skipped << " skipped";
  std::cout << "\n";
  return failed > 0 ? 1 : 0;
}
