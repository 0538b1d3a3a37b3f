// Compiling a pattern: recursive descent, which writes the program backwards, each piece for what comes after it.
#include <algorithm>
#include <functional>
#include <limits>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "ops/regex.h"

namespace staticflow {

class RegexCompiler {
 public:
  explicit RegexCompiler(absl::string_view pattern) : pattern_(pattern) {}

  absl::StatusOr<Regex> Compile() {
    SF_ASSIGN_OR_RETURN(const Piece body, Alternatives());
    if (at_ < pattern_.size()) return Bad("has an unmatched )");
    // The program begins at instruction 0: a first save, whose continuation is written later.
    const int first = Add({.code = Regex::Code::kSave, .slot = 0});
    const int match = Add({.code = Regex::Code::kMatch});
    const int last = Add({.code = Regex::Code::kSave, .next = match, .slot = 1});
    const int begin = body(last);
    if (IsFull()) return Bad("is too large");
    regex_.program_[first].next = begin;
    return std::move(regex_);
  }

 private:
  static constexpr size_t kMostInstructions = 20000;
  static constexpr int kMostRepeats = 1000, kMostDepth = 200;
  struct Flags {
    bool ignore_case = false, dot_takes_newline = false, multiline = false;
  };
  // Writes the instructions of a piece in front of `next`; returns the first.
  using Piece = std::function<int(int next)>;
  using Bytes = std::bitset<256>;

  absl::Status Bad(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("the pattern '", pattern_, "' ", what));
  }
  bool More() const { return at_ < pattern_.size(); }
  bool Take(absl::string_view text) {
    if (!absl::StartsWith(pattern_.substr(at_), text)) return false;
    at_ += text.size();
    return true;
  }
  bool IsFull() const { return regex_.program_.size() > kMostInstructions; }
  int Add(Regex::Instruction instruction) {
    // A program that is too large is refused at the end; until then it does not grow.
    if (!IsFull()) regex_.program_.push_back(instruction);
    return static_cast<int>(regex_.program_.size()) - 1;
  }
  int Split(int preferred, int other) { return Add({.code = Regex::Code::kSplit, .next = preferred, .other = other}); }
  Piece Assert(Regex::Place place) {
    return [this, place](int next) { return Add({.code = Regex::Code::kAssert, .next = next, .place = place}); };
  }
  Piece OneOf(const Bytes& bytes) {
    return [this, bytes](int next) { return Add({.code = Regex::Code::kBytes, .bytes = bytes, .next = next}); };
  }
  static Bytes Range(int low, int high) {
    Bytes bytes;
    for (int b = low; b <= high; ++b) bytes.set(b);
    return bytes;
  }
  // An ASCII character of `ascii`, or any character of several bytes.
  Piece Character(const Bytes& ascii) {
    return [this, ascii](int next) {
      const Bytes tail = Range(0x80, 0xBF);
      const int one = Add({.code = Regex::Code::kBytes, .bytes = tail, .next = next});
      const int two = Add({.code = Regex::Code::kBytes, .bytes = tail, .next = one});
      const int three = Add({.code = Regex::Code::kBytes, .bytes = tail, .next = two});
      const int of_two = Add({.code = Regex::Code::kBytes, .bytes = Range(0xC2, 0xDF), .next = one});
      const int of_three = Add({.code = Regex::Code::kBytes, .bytes = Range(0xE0, 0xEF), .next = two});
      const int of_four = Add({.code = Regex::Code::kBytes, .bytes = Range(0xF0, 0xF4), .next = three});
      const int single = Add({.code = Regex::Code::kBytes, .bytes = ascii, .next = next});
      return Split(single, Split(of_two, Split(of_three, of_four)));
    };
  }

  absl::StatusOr<Piece> Alternatives() {
    if (++depth_ > kMostDepth) return Bad("has groups in too many groups");
    const Flags outer = flags_;
    std::vector<Piece> pieces;
    do {
      SF_ASSIGN_OR_RETURN(Piece piece, Sequence());
      pieces.push_back(std::move(piece));
    } while (Take("|"));
    flags_ = outer;
    --depth_;
    return Piece([this, pieces](int next) {
      int first = pieces.back()(next);
      for (size_t i = pieces.size() - 1; i-- > 0;) first = Split(pieces[i](next), first);
      return first;
    });
  }

  absl::StatusOr<Piece> Sequence() {
    std::vector<Piece> pieces;
    while (More() && pattern_[at_] != '|' && pattern_[at_] != ')') {
      SF_ASSIGN_OR_RETURN(Piece piece, Atom());
      SF_ASSIGN_OR_RETURN(piece, Repeated(std::move(piece)));
      pieces.push_back(std::move(piece));
    }
    return Piece([pieces](int next) {
      for (size_t i = pieces.size(); i-- > 0;) next = pieces[i](next);
      return next;
    });
  }

  // The piece with the repetition signs that follow it.
  absl::StatusOr<Piece> Repeated(Piece piece) {
    int low, high;
    while (TakeRepeat(&low, &high)) {
      const bool lazy = Take("?");
      if (low > kMostRepeats || high > kMostRepeats || (high >= 0 && high < low)) return Bad("has a bad repetition");
      piece = [this, piece, low, high, lazy](int next) { return Repeat(piece, low, high, lazy, next); };
    }
    return piece;
  }
  int Repeat(const Piece& piece, int low, int high, bool lazy, int next) {
    const auto choose = [&](int again) { return lazy ? Split(next, again) : Split(again, next); };
    int first = next;
    if (high < 0) {
      const int loop = Add({.code = Regex::Code::kSplit});
      if (IsFull()) return loop;
      const int body = piece(loop);
      regex_.program_[loop].next = lazy ? next : body;
      regex_.program_[loop].other = lazy ? body : next;
      first = loop;
    }
    for (int i = low; i < high && !IsFull(); ++i) first = choose(piece(first));
    for (int i = 0; i < low && !IsFull(); ++i) first = piece(first);
    return first;
  }
  bool TakeRepeat(int* low, int* high) {
    *low = 0;
    *high = -1;
    if (Take("*")) return true;
    if (Take("+")) {
      *low = 1;
      return true;
    }
    if (Take("?")) {
      *high = 1;
      return true;
    }
    const size_t start = at_;
    if (Take("{") && TakeNumber(low)) {
      *high = *low;
      if (Take(",") && !TakeNumber(high)) *high = -1;
      if (Take("}")) return true;
    }
    at_ = start;
    return false;
  }
  bool TakeNumber(int* number) {
    const size_t start = at_;
    for (*number = 0; More() && absl::ascii_isdigit(pattern_[at_]); ++at_) {
      *number = std::min(*number * 10 + (pattern_[at_] - '0'), kMostRepeats + 1);
    }
    return at_ > start;
  }

  absl::StatusOr<Piece> Atom() {
    const char c = pattern_[at_++];
    switch (c) {
      case '(':
        return Group();
      case '[':
        return Class();
      case '.':
        return Character(flags_.dot_takes_newline ? Range(0, 0x7F) : Range(0, 0x7F) & ~Range('\n', '\n'));
      case '^':
        return Assert(flags_.multiline ? Regex::Place::kLineBegin : Regex::Place::kTextBegin);
      case '$':
        return Assert(flags_.multiline ? Regex::Place::kLineEnd : Regex::Place::kTextEnd);
      case '*':
      case '+':
      case '?':
        return Bad("repeats nothing");
      case '\\':
        return Escape();
      default:
        return Literal(c);
    }
  }
  Piece Literal(char c) {
    Bytes bytes = Range(static_cast<unsigned char>(c), static_cast<unsigned char>(c));
    return OneOf(WithCase(bytes));
  }
  Bytes WithCase(Bytes bytes) const {
    for (int c = 'a'; flags_.ignore_case && c <= 'z'; ++c) {
      if (bytes[c] || bytes[absl::ascii_toupper(c)]) bytes.set(c).set(absl::ascii_toupper(c));
    }
    return bytes;
  }

  absl::StatusOr<Piece> Group() {
    int slot = -1;
    if (Take("?")) {
      if (Take("P<")) {
        while (More() && (absl::ascii_isalnum(pattern_[at_]) || pattern_[at_] == '_')) ++at_;
        if (!Take(">")) return Bad("has a bad group name");
        slot = 2 * ++regex_.num_groups_;
      } else {
        SF_ASSIGN_OR_RETURN(const bool is_group, TakeFlags());
        if (!is_group) return Piece([](int next) { return next; });
      }
    } else {
      slot = 2 * ++regex_.num_groups_;
    }
    const Flags outer = slot < 0 ? outer_flags_ : flags_;
    SF_ASSIGN_OR_RETURN(const Piece body, Alternatives());
    flags_ = outer;
    if (!Take(")")) return Bad("has an unmatched (");
    if (slot < 0) return body;
    return Piece([this, body, slot](int next) {
      const int end = Add({.code = Regex::Code::kSave, .next = next, .slot = slot + 1});
      return Add({.code = Regex::Code::kSave, .next = body(end), .slot = slot});
    });
  }
  // "i)" sets flags for the rest of the enclosing group; "i:" for a group of its own, for which it returns true.
  absl::StatusOr<bool> TakeFlags() {
    outer_flags_ = flags_;
    for (bool value = true; More();) {
      const char c = pattern_[at_++];
      if (c == 'i') flags_.ignore_case = value;
      if (c == 's') flags_.dot_takes_newline = value;
      if (c == 'm') flags_.multiline = value;
      if (c == '-') value = false;
      if (c == ')' || c == ':') return c == ':';
      if (!absl::StrContains("ism-", std::string(1, c))) break;
    }
    return Bad("has a bad group flag");
  }

  // \d, \w, \s and their complements; false for another letter.
  static bool NamedSet(char c, Bytes* set) {
    const char kind = absl::ascii_tolower(c);
    set->reset();
    for (int b = 0; b < 128; ++b) {
      const bool in = kind == 'd'   ? absl::ascii_isdigit(b)
                      : kind == 'w' ? absl::ascii_isalnum(b) || b == '_'
                      : kind == 's' ? b == ' ' || (b >= '\t' && b <= '\r' && b != '\v')
                                    : false;
      if (in) set->set(b);
    }
    return kind == 'd' || kind == 'w' || kind == 's';
  }
  // The character of an escape that stands for one; -1 for other escapes.
  int EscapedCharacter(char c) {
    constexpr absl::string_view kLetters = "ntrfva", kMeanings = "\n\t\r\f\v\a";
    if (const size_t i = kLetters.find(c); i != absl::string_view::npos) return kMeanings[i];
    if (c == 'x' && at_ + 2 <= pattern_.size() && absl::ascii_isxdigit(pattern_[at_]) &&
        absl::ascii_isxdigit(pattern_[at_ + 1])) {
      const int value = std::stoi(std::string(pattern_.substr(at_, 2)), nullptr, 16);
      at_ += 2;
      return value;
    }
    return absl::ascii_isalnum(c) ? -1 : static_cast<unsigned char>(c);
  }
  absl::StatusOr<Piece> Escape() {
    if (!More()) return Bad("ends with a backslash");
    const char c = pattern_[at_++];
    Bytes set;
    if (NamedSet(c, &set)) {
      if (absl::ascii_islower(c)) return OneOf(set);
      return Character(Range(0, 0x7F) & ~set);
    }
    if (c == 'b') return Assert(Regex::Place::kWordEdge);
    if (c == 'B') return Assert(Regex::Place::kNoWordEdge);
    if (c == 'A') return Assert(Regex::Place::kTextBegin);
    if (c == 'z') return Assert(Regex::Place::kTextEnd);
    const int character = EscapedCharacter(c);
    if (character < 0) return Bad(absl::StrCat("has the unknown escape \\", std::string(1, c)));
    return Literal(static_cast<char>(character));
  }

  // One character of a class, or a set that stands in it.
  absl::Status ClassItem(int* character, Bytes* set) {
    *character = -1;
    if (Take("[:")) {
      const size_t end = pattern_.find(":]", at_);
      if (end == absl::string_view::npos) return Bad("has an unclosed [:");
      const bool known = PosixSet(pattern_.substr(at_, end - at_), set);
      at_ = end + 2;
      return known ? absl::OkStatus() : Bad("has an unknown class name");
    }
    const char c = pattern_[at_++];
    if (static_cast<unsigned char>(c) >= 0x80) return Bad("has characters beyond ASCII in a class");
    if (c != '\\') {
      *character = c;
      return absl::OkStatus();
    }
    if (!More()) return Bad("ends with a backslash");
    const char escaped = pattern_[at_++];
    if (NamedSet(escaped, set)) {
      if (absl::ascii_isupper(escaped)) *set = Range(0, 0x7F) & ~*set;
      return absl::OkStatus();
    }
    *character = EscapedCharacter(escaped);
    return *character < 0 ? Bad("has an unknown escape in a class") : absl::OkStatus();
  }
  static bool PosixSet(absl::string_view name, Bytes* set) {
    const std::pair<absl::string_view, bool (*)(unsigned char)> kinds[] = {
        {"alpha", absl::ascii_isalpha}, {"digit", absl::ascii_isdigit},  {"alnum", absl::ascii_isalnum},
        {"upper", absl::ascii_isupper}, {"lower", absl::ascii_islower},  {"space", absl::ascii_isspace},
        {"punct", absl::ascii_ispunct}, {"xdigit", absl::ascii_isxdigit}};
    set->reset();
    for (const auto& [kind, is] : kinds) {
      if (kind != name) continue;
      for (int b = 0; b < 128; ++b) set->set(b, is(static_cast<unsigned char>(b)));
      return true;
    }
    return false;
  }
  absl::StatusOr<Piece> Class() {
    const bool negated = Take("^");
    Bytes bytes;
    for (bool first = true; first || !Take("]"); first = false) {
      if (!More()) return Bad("has an unclosed [");
      int low, high;
      Bytes set;
      SF_RETURN_IF_ERROR(ClassItem(&low, &set));
      if (low < 0) {
        bytes |= set;
        continue;
      }
      high = low;
      if (at_ + 1 < pattern_.size() && pattern_[at_] == '-' && pattern_[at_ + 1] != ']') {
        ++at_;
        SF_RETURN_IF_ERROR(ClassItem(&high, &set));
        if (high < low) return Bad("has a bad range in a class");
      }
      bytes |= Range(low, high);
    }
    bytes = WithCase(bytes);
    return negated ? Character(Range(0, 0x7F) & ~bytes) : OneOf(bytes);
  }

  absl::string_view pattern_;
  size_t at_ = 0;
  int depth_ = 0;
  Flags flags_, outer_flags_;
  Regex regex_;
};

absl::StatusOr<Regex> Regex::Compile(absl::string_view pattern) { return RegexCompiler(pattern).Compile(); }

}  // namespace staticflow
