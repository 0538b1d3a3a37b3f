// Reading and writing UTF-8, one character at a time.
//
//   for (absl::string_view rest = text; !rest.empty(); rest.remove_prefix(piece.size)) {
//     piece = ReadUtf8(rest);
//     AppendUtf8(piece.code, &copy);      // what is no character comes as U+FFFD
//   }
//
// Pure functions.
#ifndef STATICFLOW_OPS_UTF8_H_
#define STATICFLOW_OPS_UTF8_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace staticflow {

inline constexpr uint32_t kReplacementCharacter = 0xfffd;

// A code point, or what cannot be one, at the front of some bytes.
struct TextPiece {
  uint32_t code = kReplacementCharacter;
  size_t size = 1;
  bool valid = false;
};

// The first character of `bytes`, which are not empty. What is invalid goes as far as it could have begun a code point.
TextPiece ReadUtf8(absl::string_view bytes);

// REQUIRES: `code` is a code point, no surrogate.
void AppendUtf8(uint32_t code, std::string* text);

// The text in lower or upper case, as Unicode 13 has it for no language in particular: one character may become up to
// three, and a capital sigma at the end of a word becomes a final one. What is no UTF-8 becomes U+FFFD.
std::string LowerUtf8(const std::string& text);
std::string UpperUtf8(const std::string& text);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_UTF8_H_
