// Regex: regular expressions in time proportional to the text, whatever the pattern (a Pike machine).
//
//   SF_ASSIGN_OR_RETURN(Regex regex, Regex::Compile("(\\w+) (\\d+)"));
//   bool whole = regex.FullMatch("abc 12");
//
// The syntax is that of RE2, as far as it goes: literals, . [a-z] [^a-z] [[:alpha:]] \d \w \s \D \W \S \b \B ^ $ \A \z,
// groups (...) (?:...) (?P<name>...), flags (?i) (?s) (?m), | * + ? {m,n} and their lazy forms. No back references, no
// Unicode classes; text is UTF-8, of which `.` takes a whole character. Of several matches the leftmost counts, then
// the one that the pattern prefers.
// A Regex may be used from several threads at once.
#ifndef STATICFLOW_OPS_REGEX_H_
#define STATICFLOW_OPS_REGEX_H_

#include <bitset>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace staticflow {

class Regex {
 public:
  // InvalidArgument for a malformed pattern, or one whose machine would be too large.
  static absl::StatusOr<Regex> Compile(absl::string_view pattern);

  int num_groups() const { return num_groups_; }  // without group 0, the whole match

  bool FullMatch(absl::string_view text) const;
  // The first match at `start` or later: begin and end of every group (-1 where it took no part) from group 0 on. Empty
  // when there is none.
  std::vector<std::pair<int64_t, int64_t>> Find(absl::string_view text, int64_t start) const;
  // The text with the first match, or all, replaced: \0 to \9 in `rewrite` stand for groups, \\ for a backslash.
  // InvalidArgument when it names a group that the pattern does not have.
  absl::StatusOr<std::string> Replace(absl::string_view text, absl::string_view rewrite, bool all) const;

 private:
  friend class RegexCompiler;
  friend class RegexMachine;

  enum class Code { kBytes, kSplit, kSave, kAssert, kMatch };
  enum class Place { kTextBegin, kTextEnd, kLineBegin, kLineEnd, kWordEdge, kNoWordEdge };
  struct Instruction {
    Code code;
    std::bitset<256> bytes = {};  // kBytes: one of these
    int next = -1;
    int other = -1;  // kSplit: what comes second
    int slot = 0;    // kSave
    Place place = Place::kTextBegin;
  };

  std::vector<Instruction> program_;
  int num_groups_ = 0;
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_REGEX_H_
