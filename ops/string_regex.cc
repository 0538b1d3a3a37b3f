// RegexFullMatch, RegexReplace and their forms with fixed patterns.
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/batch_rules.h"
#include "ops/regex.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

absl::Status ScalarsBehindInput(ShapeContext& c) {
  for (int i = 1; i < c.num_inputs(); ++i) SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  return SameShape(c);
}

absl::StatusOr<std::string> TextOf(const KernelContext& c, int i) {
  if (c.input(i).num_elements != 1) return absl::InvalidArgumentError(absl::StrCat("input ", i, " is no scalar"));
  return *c.in<std::string>(i);
}

absl::Status MatchAll(KernelContext& c, const Regex& regex) {
  for (int64_t i = c.range().begin; i < c.range().end; ++i) {
    c.out<bool>(0)[i] = regex.FullMatch(c.in<std::string>(0)[i]);
  }
  return absl::OkStatus();
}
absl::Status ReplaceAll(KernelContext& c, const Regex& regex, const std::string& rewrite, bool global) {
  for (int64_t i = c.range().begin; i < c.range().end; ++i) {
    SF_ASSIGN_OR_RETURN(c.out<std::string>(0)[i], regex.Replace(c.in<std::string>(0)[i], rewrite, global));
  }
  return absl::OkStatus();
}

absl::Status MatchKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const std::string pattern, TextOf(c, 1));
  SF_ASSIGN_OR_RETURN(const Regex regex, Regex::Compile(pattern));
  return MatchAll(c, regex);
}
absl::StatusOr<Kernel> StaticMatchKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(Regex regex, Regex::Compile(setup.attr<std::string>("pattern")));
  return Kernel([regex = std::move(regex)](KernelContext& c) { return MatchAll(c, regex); });
}
absl::StatusOr<Kernel> ReplaceKernel(const KernelSetup& setup) {
  const bool global = setup.attr<bool>("replace_global");
  return Kernel([global](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const std::string pattern, TextOf(c, 1));
    SF_ASSIGN_OR_RETURN(const std::string rewrite, TextOf(c, 2));
    SF_ASSIGN_OR_RETURN(const Regex regex, Regex::Compile(pattern));
    return ReplaceAll(c, regex, rewrite, global);
  });
}
absl::StatusOr<Kernel> StaticReplaceKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(Regex regex, Regex::Compile(setup.attr<std::string>("pattern")));
  const bool global = setup.attr<bool>("replace_global");
  return Kernel([regex = std::move(regex), rewrite = setup.attr<std::string>("rewrite"), global](KernelContext& c) {
    return ReplaceAll(c, regex, rewrite, global);
  });
}

OpSpec RegexOp(const char* name, std::vector<std::string> inputs, const char* output, std::vector<std::string> attrs,
               KernelSource kernel, const char* doc) {
  return {.name = name,
          .inputs = std::move(inputs),
          .outputs = {output},
          .attrs = std::move(attrs),
          .shape = ScalarsBehindInput,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .iteration = {.split = Split::kFlat},
          .batch = ElementwiseBatch,
          .doc = doc};
}
const OpRegistrar full_match(RegexOp("RegexFullMatch", {"input: string", "pattern: string"}, "output: bool", {},
                                     MatchKernel, "Whether strings match a pattern from end to end."));
const OpRegistrar static_full_match(RegexOp("StaticRegexFullMatch", {"input: string"}, "output: bool",
                                            {"pattern: string"}, StaticMatchKernel,
                                            "Whether strings match a fixed pattern from end to end."));
const OpRegistrar replace(RegexOp("RegexReplace", {"input: string", "pattern: string", "rewrite: string"},
                                  "output: string", {"replace_global: bool = true"}, ReplaceKernel,
                                  "Strings with what matches a pattern replaced."));
const OpRegistrar static_replace(RegexOp("StaticRegexReplace", {"input: string"}, "output: string",
                                         {"pattern: string", "rewrite: string", "replace_global: bool = true"},
                                         StaticReplaceKernel, "Strings with what matches a fixed pattern replaced."));

}  // namespace
}  // namespace staticflow
