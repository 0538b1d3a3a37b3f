// ReadFile, WriteFile, MatchingFiles. Contracts: ops/strings.h.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/strings.h"
#include "runtime/io/env.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

Env* EnvOf(const KernelContext& c) { return c.step().env != nullptr ? c.step().env : PosixEnv(); }

// ReadFile: what is in a file.
absl::Status ReadFileShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  c.set_output(0, {});
  return absl::OkStatus();
}
absl::Status ReadFileKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(*c.out<std::string>(0), ReadWholeFile(EnvOf(c), c.scalar<std::string>(0)));
  return absl::OkStatus();
}
const OpRegistrar read_file({.name = "ReadFile",
                             .inputs = {"filename: string"},
                             .outputs = {"contents: string"},
                             .shape = ReadFileShape,
                             .gradient = kNotDifferentiable,
                             .kernel = ReadFileKernel,
                             .traits = kStateful,
                             .doc = "What is in a file."});

// WriteFile: makes the directories that are missing.
absl::Status WriteFileShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  return c.WithRank(1, 0).status();
}
absl::Status WriteFileKernel(KernelContext& c) {
  const std::string& path = c.scalar<std::string>(0);
  SF_RETURN_IF_ERROR(EnvOf(c)->CreateDir(DirName(path)));
  return WriteWholeFile(EnvOf(c), path, c.scalar<std::string>(1));
}
const OpRegistrar write_file({.name = "WriteFile",
                              .inputs = {"filename: string", "contents: string"},
                              .shape = WriteFileShape,
                              .gradient = kNotDifferentiable,
                              .kernel = WriteFileKernel,
                              .traits = kStateful | kAlwaysRuns,
                              .doc = "Writes a string into a file."});

// MatchingFiles: the paths that match a pattern, part by part.
bool IsPattern(absl::string_view part) { return part.find_first_of("*?[\\") != part.npos; }

// Takes one character, escape or set off the front of a pattern; whether it matches `c`.
bool TakeOne(absl::string_view* pattern, char c) {
  const char first = pattern->front();
  pattern->remove_prefix(1);
  if (first == '?') return true;
  if (first == '\\' && !pattern->empty()) {
    const bool same = pattern->front() == c;
    pattern->remove_prefix(1);
    return same;
  }
  // A set ends with the first ']' that is not its first character; without one the bracket is itself.
  const bool negated = !pattern->empty() && (pattern->front() == '!' || pattern->front() == '^');
  const size_t end = first == '[' ? pattern->find(']', negated ? 2 : 1) : pattern->npos;
  if (end == pattern->npos) return first == c;
  const absl::string_view set = pattern->substr(negated, end - negated);
  pattern->remove_prefix(end + 1);
  bool found = false;
  for (size_t i = 0; i < set.size(); ++i) {
    const bool is_range = i + 2 < set.size() && set[i + 1] == '-';
    found |= is_range ? set[i] <= c && c <= set[i + 2] : set[i] == c;
    if (is_range) i += 2;
  }
  return found != negated;
}
bool Matches(absl::string_view pattern, absl::string_view name) {
  absl::string_view star_pattern, star_name;  // where to go on when a '*' takes one character more
  bool has_star = false;
  while (!name.empty() || !pattern.empty()) {
    if (!pattern.empty() && pattern.front() == '*') {
      pattern.remove_prefix(1);
      star_pattern = pattern;
      star_name = name;
      has_star = true;
      continue;
    }
    if (!pattern.empty() && !name.empty() && TakeOne(&pattern, name.front())) {
      name.remove_prefix(1);
      continue;
    }
    if (!has_star || star_name.empty()) return false;
    star_name.remove_prefix(1);
    name = star_name;
    pattern = star_pattern;
  }
  return true;
}

// Adds the paths that begin with `path` and go on as `parts` say. A directory that cannot be read has nothing.
void Expand(Env* env, const std::string& path, absl::Span<const absl::string_view> parts,
            std::vector<std::string>* found) {
  if (parts.empty()) {
    if (env->FileExists(path).value_or(false)) found->push_back(path);
    return;
  }
  const auto join = [&](absl::string_view name) {
    return path.empty() || path.back() == '/' ? absl::StrCat(path, name) : absl::StrCat(path, "/", name);
  };
  if (!IsPattern(parts[0])) return Expand(env, join(parts[0]), parts.subspan(1), found);
  const absl::StatusOr<std::vector<std::string>> names = env->ListDir(path.empty() ? "." : path);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (Matches(parts[0], name)) Expand(env, join(name), parts.subspan(1), found);
  }
}

absl::Status MatchingShape(ShapeContext& c) {
  if (c.input(0).has_rank() && c.input(0).rank() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("pattern has shape ", c.input(0).ToString(), ", expected a scalar or a vector"));
  }
  c.set_output(0, {Shape::kUnknownDim});
  return absl::OkStatus();
}
absl::Status MatchingKernel(KernelContext& c) {
  std::vector<std::string> found;
  for (const std::string& pattern : c.input(0).flat<std::string>()) {
    const bool is_absolute = !pattern.empty() && pattern.front() == '/';
    const std::vector<absl::string_view> parts = absl::StrSplit(pattern, '/', absl::SkipEmpty());
    if (!parts.empty()) Expand(EnvOf(c), is_absolute ? "/" : "", parts, &found);
  }
  std::sort(found.begin(), found.end());
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, {static_cast<int64_t>(found.size())}));
  std::move(found.begin(), found.end(), c.out<std::string>(0));
  return absl::OkStatus();
}
const OpRegistrar matching_files({.name = "MatchingFiles",
                                  .inputs = {"pattern: string"},
                                  .outputs = {"filenames: string"},
                                  .shape = MatchingShape,
                                  .gradient = kNotDifferentiable,
                                  .kernel = MatchingKernel,
                                  .traits = kStateful,
                                  .doc = "The paths of files that match a pattern, sorted."});

}  // namespace

Output ReadFile(Operand filename, const OpOptions& options) {
  return NodeBuilder("ReadFile", {filename}).Name(options.name).Build();
}
Operation WriteFile(Operand filename, Operand contents, const OpOptions& options) {
  return NodeBuilder("WriteFile", {filename, contents}).Name(options.name).BuildNode();
}
Output MatchingFiles(Operand pattern, const OpOptions& options) {
  return NodeBuilder("MatchingFiles", {pattern}).Name(options.name).Build();
}

}  // namespace staticflow
