// How an example starts and ends: flags in, a Status out.
//
//   ABSL_FLAG(int64_t, seed, 1, "...");
//   absl::Status Run() { ... }
//   int main(int argc, char** argv) { return staticflow::RunProgram(argc, argv, "What it shows.", Run); }
#ifndef STATICFLOW_EXAMPLES_SUPPORT_PROGRAM_H_
#define STATICFLOW_EXAMPLES_SUPPORT_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace staticflow {

// Parses the flags (--help shows them, an unknown one ends the program), calls `run` and returns the exit code: 0, or 1
// after an error, which goes to standard error. Words that are no flags are an error.
int RunProgram(int argc, char** argv, absl::string_view usage, absl::FunctionRef<absl::Status()> run);

// InvalidArgument, naming the flag and the choices, unless `value` is one of them.
absl::Status CheckChoice(absl::string_view flag, absl::string_view value, const std::vector<std::string>& choices);
// InvalidArgument unless min <= value <= max.
absl::Status CheckRange(absl::string_view flag, double value, double min, double max);
// "100,100,10" as numbers; InvalidArgument, naming the flag, for anything else.
absl::StatusOr<std::vector<double>> ParseNumbers(absl::string_view flag, absl::string_view text);

}  // namespace staticflow

#endif  // STATICFLOW_EXAMPLES_SUPPORT_PROGRAM_H_
