// Runs a program of //examples and gives what it printed.
//
//   const ProgramRun run = RunExample("batch_norm_basics", {"--momentum=0.5"});
//   EXPECT_EQ(run.exit_code, 0) << run.output;
#ifndef STATICFLOW_TESTS_EXAMPLES_RUN_PROGRAM_H_
#define STATICFLOW_TESTS_EXAMPLES_RUN_PROGRAM_H_

#include <sys/wait.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace staticflow {

struct ProgramRun {
  int exit_code = -1;
  std::string output;  // standard output and standard error
};

// `flags` hold no single quotes.
inline ProgramRun RunExample(const std::string& name, const std::vector<std::string>& flags = {}) {
  std::string command = absl::StrCat("examples/", name);
  for (const std::string& flag : flags) absl::StrAppend(&command, " '", flag, "'");
  ProgramRun run;
  std::FILE* pipe = popen(absl::StrCat(command, " 2>&1").c_str(), "r");
  if (pipe == nullptr) return run;
  char buffer[4096];
  while (const size_t n = std::fread(buffer, 1, sizeof(buffer), pipe)) run.output.append(buffer, n);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) run.exit_code = WEXITSTATUS(status);
  return run;
}

}  // namespace staticflow

#endif  // STATICFLOW_TESTS_EXAMPLES_RUN_PROGRAM_H_
