// Matching: the Pike machine runs all ways through the program at once, the preferred ones first.
#include "ops/regex.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"

namespace staticflow {

class RegexMachine {
 public:
  RegexMachine(const Regex& regex, absl::string_view text) : regex_(regex), text_(text) {}

  // The slots of the best match that begins at `start`, or anywhere from there on; with `whole` one that ends with the
  // text. Empty without a match.
  std::vector<int64_t> Run(int64_t start, bool anchored, bool whole) {
    std::vector<Thread> now, next;
    std::vector<int64_t> best;
    for (int64_t at = start;; ++at) {
      seen_.assign(regex_.program_.size(), false);
      std::vector<Thread> waiting = std::move(now);
      now.clear();
      for (Thread& thread : waiting) Follow(std::move(thread), at, now);
      if (best.empty() && (at == start || !anchored)) {
        Follow({0, std::vector<int64_t>(2 * (regex_.num_groups_ + 1), -1)}, at, now);
      }
      if (now.empty() && (anchored || !best.empty())) break;
      next.clear();
      for (Thread& thread : now) {
        const Regex::Instruction& instruction = regex_.program_[thread.pc];
        if (instruction.code == Regex::Code::kMatch) {
          if (whole && at != size()) continue;
          best = std::move(thread.slots);
          break;  // the threads behind are preferred less
        }
        if (at < size() && instruction.bytes[static_cast<unsigned char>(text_[at])]) {
          next.push_back({instruction.next, std::move(thread.slots)});
        }
      }
      now = std::move(next);
      next.clear();
      if (at >= size()) break;
    }
    return best;
  }

 private:
  struct Thread {
    int pc;
    std::vector<int64_t> slots;
  };
  int64_t size() const { return static_cast<int64_t>(text_.size()); }
  bool IsWord(int64_t i) const { return i >= 0 && i < size() && (absl::ascii_isalnum(text_[i]) || text_[i] == '_'); }
  bool Holds(Regex::Place place, int64_t at) const {
    switch (place) {
      case Regex::Place::kTextBegin:
        return at == 0;
      case Regex::Place::kTextEnd:
        return at == size();
      case Regex::Place::kLineBegin:
        return at == 0 || text_[at - 1] == '\n';
      case Regex::Place::kLineEnd:
        return at == size() || text_[at] == '\n';
      case Regex::Place::kWordEdge:
        return IsWord(at - 1) != IsWord(at);
      case Regex::Place::kNoWordEdge:
        return IsWord(at - 1) == IsWord(at);
    }
    return false;
  }

  // Adds the threads that `first` becomes before the next byte, in order of preference.
  void Follow(Thread first, int64_t at, std::vector<Thread>& threads) {
    std::vector<Thread> stack;
    stack.push_back(std::move(first));
    while (!stack.empty()) {
      Thread thread = std::move(stack.back());
      stack.pop_back();
      if (seen_[thread.pc]) continue;
      seen_[thread.pc] = true;
      const Regex::Instruction& instruction = regex_.program_[thread.pc];
      switch (instruction.code) {
        case Regex::Code::kBytes:
        case Regex::Code::kMatch:
          threads.push_back(std::move(thread));
          break;
        case Regex::Code::kSplit:
          stack.push_back({instruction.other, thread.slots});
          stack.push_back({instruction.next, std::move(thread.slots)});
          break;
        case Regex::Code::kSave:
          thread.slots[instruction.slot] = at;
          stack.push_back({instruction.next, std::move(thread.slots)});
          break;
        case Regex::Code::kAssert:
          if (Holds(instruction.place, at)) stack.push_back({instruction.next, std::move(thread.slots)});
          break;
      }
    }
  }

  const Regex& regex_;
  absl::string_view text_;
  std::vector<bool> seen_;
};

bool Regex::FullMatch(absl::string_view text) const {
  return !RegexMachine(*this, text).Run(0, /*anchored=*/true, /*whole=*/true).empty();
}

std::vector<std::pair<int64_t, int64_t>> Regex::Find(absl::string_view text, int64_t start) const {
  const std::vector<int64_t> slots = RegexMachine(*this, text).Run(start, /*anchored=*/false, /*whole=*/false);
  std::vector<std::pair<int64_t, int64_t>> groups;
  for (size_t i = 0; i + 1 < slots.size(); i += 2) groups.emplace_back(slots[i], slots[i + 1]);
  return groups;
}

absl::StatusOr<std::string> Regex::Replace(absl::string_view text, absl::string_view rewrite, bool all) const {
  for (size_t i = 0; i < rewrite.size(); ++i) {
    if (rewrite[i] != '\\') continue;
    const char next = ++i < rewrite.size() ? rewrite[i] : '\0';
    if (next != '\\' && (!absl::ascii_isdigit(next) || next - '0' > num_groups_)) {
      return absl::InvalidArgumentError(absl::StrCat("rewrite '", rewrite, "' names no group at character ", i));
    }
  }
  std::string result;
  int64_t at = 0, last_end = -1;
  const int64_t size = static_cast<int64_t>(text.size());
  while (at <= size) {
    const auto groups = Find(text, at);
    if (groups.empty()) break;
    const auto [begin, end] = groups[0];
    absl::StrAppend(&result, text.substr(at, begin - at));
    // An empty match right behind the last one does not count.
    if (begin == end && begin == last_end) {
      if (at < size) result += text[at];
      ++at;
      continue;
    }
    for (size_t i = 0; i < rewrite.size(); ++i) {
      if (rewrite[i] != '\\') {
        result += rewrite[i];
      } else if (rewrite[++i] == '\\') {
        result += '\\';
      } else if (const auto [b, e] = groups[rewrite[i] - '0']; b >= 0) {
        absl::StrAppend(&result, text.substr(b, e - b));
      }
    }
    last_end = at = end;
    if (!all) break;
  }
  if (at < size) absl::StrAppend(&result, text.substr(at));
  return result;
}

}  // namespace staticflow
