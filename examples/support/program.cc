#include "examples/support/program.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace staticflow {

int RunProgram(int argc, char** argv, absl::string_view usage, absl::FunctionRef<absl::Status()> run) {
  absl::SetProgramUsageMessage(usage);
  const std::vector<char*> words = absl::ParseCommandLine(argc, argv);
  absl::Status status;
  if (words.size() > 1) {
    status = absl::InvalidArgumentError(absl::StrCat("'", words[1], "' is no flag; --help lists the flags"));
  } else {
    status = run();
  }
  std::fflush(stdout);
  if (status.ok()) return 0;
  std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return 1;
}

absl::Status CheckChoice(absl::string_view flag, absl::string_view value, const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, "=", value, ": expected one of ", absl::StrJoin(choices, ", ")));
}

absl::Status CheckRange(absl::string_view flag, double value, double min, double max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      std::isinf(max) ? absl::StrCat("--", flag, "=", value, ": expected at least ", min)
                      : absl::StrCat("--", flag, "=", value, ": expected a number from ", min, " to ", max));
}

absl::StatusOr<std::vector<double>> ParseNumbers(absl::string_view flag, absl::string_view text) {
  std::vector<double> numbers;
  for (absl::string_view word : absl::StrSplit(text, ',')) {
    double number;
    if (!absl::SimpleAtod(absl::StripAsciiWhitespace(word), &number) || !std::isfinite(number)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", flag, "=", text, ": expected numbers with commas between them, '", word, "' is none"));
    }
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace staticflow
