// Unicode and n-grams. Values: TensorFlow 2.21. An octal escape stands where a hexadecimal one would take in the letter
// behind it.
#include <gtest/gtest.h>

#include <string>

#include "ops/array.h"
#include "ops/strings.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using std::string_literals::operator""s;

// Characters of one to four bytes, and what is none: a single byte, a cut one, control characters, a surrogate, forms
// that are too long, too large, cut or overlong, a byte order mark, and nothing.
Tensor Samples() {
  return T<std::string>({"h\u00e9\u4e2d\U0001f600", "a\377b\xc3", "\1a\n\x7f\xc2\x85", "\xed\xa0\x80x",
                         "\xf8\x88\x80\x80\x80y", "\xe4\xb8", "\xc0\x80", "\xf4\x90\x80\x80z", "\xe4\270a", "\ufeffa",
                         "\xe0\x80\x80\xf0\x8f\xbf", ""});
}
// Two and four bytes each, either end first, with marks.
Tensor Wide() {
  return T<std::string>({"\0a\0b\xd8=\xde\0\xd8\0\0"s, "\xdc\0\0a\xd8\0\0b"s, "\xff\376a\0"s, "\xfe\xff\0a"s,
                         "\0\0\0a\0\x11\0\0\0\0\xd8\0\0\x01\xf6\0\0"s, "\0\0\xfe\xff\0\0\0a"s, "\xff\xfe\0\0a\0\0\0"s});
}

const Tensor kLetters = T<std::string>({"a", "b", "c", "d", "e", "f"});
const Tensor kCharacters = T<int32_t>({104, 233, 20013, 128512, 55296, 1114112, -1, 97, 2047, 2048, 65535});

AttrMap Grams(std::vector<int64_t> widths, int64_t pad_width, bool preserve_short = false) {
  return {{"separator", "|"}, {"ngram_widths", widths}, {"left_pad", "L"},
          {"right_pad", "R"}, {"pad_width", pad_width}, {"preserve_short_sequences", preserve_short}};
}
AttrMap Transcode(const char* from, const char* to, const char* errors = "replace", int64_t replacement = 0xfffd,
                  bool replace_control = false) {
  return {{"input_encoding", from},
          {"output_encoding", to},
          {"errors", errors},
          {"replacement_char", replacement},
          {"replace_control_characters", replace_control}};
}
AttrMap Decode(const char* from, const char* errors = "replace", bool replace_control = false,
               DataType splits = DT_INT64) {
  return {{"input_encoding", from},
          {"errors", errors},
          {"replace_control_characters", replace_control},
          {"Tsplits", splits}};
}
AttrMap Encode(const char* to, const char* errors = "replace", int64_t replacement = 0xfffd) {
  return {{"errors", errors}, {"output_encoding", to}, {"replacement_char", replacement}};
}

INSTANTIATE_OP_TEST(
    StringNGrams,
    {{.name = "three",
      .inputs = {kLetters, T<int64_t>({0, 4, 6})},
      .attrs = Grams({3}, -1),
      .want = {T<std::string>({"L|L|a", "L|a|b", "a|b|c", "b|c|d", "c|d|R", "d|R|R", "L|L|e", "L|e|f", "e|f|R",
                               "f|R|R"}),
               T<int64_t>({0, 6, 10})}},
     {.name = "no padding",
      .inputs = {kLetters, T<int64_t>({0, 4, 6})},
      .attrs = Grams({3}, 0),
      .want = {T<std::string>({"a|b|c", "b|c|d"}), T<int64_t>({0, 2, 2})}},
     {.name = "short kept",
      .inputs = {kLetters, T<int64_t>({0, 4, 6})},
      .attrs = Grams({3}, 0, true),
      .want = {T<std::string>({"a|b|c", "b|c|d", "e|f"}), T<int64_t>({0, 2, 3})}},
     {.name = "padding of one",
      .inputs = {kLetters, T<int32_t>({0, 4, 6})},
      .attrs = Grams({3}, 1),
      .want = {T<std::string>({"L|a|b", "a|b|c", "b|c|d", "c|d|R", "L|e|f", "e|f|R"}), T<int32_t>({0, 4, 6})}},
     {.name = "two widths",
      .inputs = {kLetters, T<int64_t>({0, 4, 6})},
      .attrs = Grams({2, 3}, -1),
      .want = {T<std::string>({"L|a", "a|b", "b|c", "c|d", "d|R", "L|L|a", "L|a|b", "a|b|c", "b|c|d", "c|d|R", "d|R|R",
                               "L|e", "e|f", "f|R", "L|L|e", "L|e|f", "e|f|R", "f|R|R"}),
               T<int64_t>({0, 11, 18})}},
     {.name = "four kept",
      .inputs = {kLetters, T<int64_t>({0, 4, 6})},
      .attrs = Grams({4}, 0, true),
      .want = {T<std::string>({"a|b|c|d", "e|f"}), T<int64_t>({0, 1, 2})}},
     {.name = "one",
      .inputs = {kLetters, T<int64_t>({0, 4, 6})},
      .attrs = Grams({1}, 5),
      .want = {kLetters, T<int64_t>({0, 4, 6})}},
     {.name = "empty row",
      .inputs = {kLetters, T<int64_t>({0, 0, 6})},
      .attrs = Grams({2}, -1),
      .want = {T<std::string>({"L|R", "L|a", "a|b", "b|c", "c|d", "d|e", "e|f", "f|R"}), T<int64_t>({0, 1, 8})}},
     {.name = "nothing",
      .inputs = {T<std::string>({}), T<int64_t>({0, 0})},
      .attrs = Grams({2}, 0),
      .want = {T<std::string>({}), T<int64_t>({0, 0})}},
     {.name = "too large",
      .inputs = {kLetters, T<int64_t>({0, 4, 7})},
      .attrs = Grams({2}, 0),
      .want_error = "data_splits[2] is 7"},
     {.name = "start",
      .inputs = {kLetters, T<int64_t>({1, 4, 6})},
      .attrs = Grams({2}, 0),
      .want_error = "data_splits[0] is 1"},
     {.name = "decreasing",
      .inputs = {kLetters, T<int64_t>({0, 4, 3, 6})},
      .attrs = Grams({2}, 0),
      .want_error = "data_splits[2] is 3"},
     {.name = "rest", .inputs = {kLetters, T<int64_t>({0, 4})}, .attrs = Grams({2}, 0), .want_error = "ends with 4"},
     {.name = "width",
      .inputs = {kLetters, T<int64_t>({0, 4, 6})},
      .attrs = Grams({0}, 0),
      .want_error = "ngram_widths has 0"}});

INSTANTIATE_OP_TEST(
    UnicodeTranscode,
    {{.name = "to UTF-8",
      .inputs = {Samples()},
      .attrs = Transcode("UTF-8", "UTF-8"),
      .want = {T<std::string>({"h\u00e9\u4e2d\U0001f600", "a\ufffdb\ufffd", "\1a\n\x7f\xc2\x85", "\ufffd\ufffd\ufffdx",
                               "\ufffd\ufffd\ufffd\ufffd\ufffdy", "\ufffd", "\ufffd\ufffd", "\ufffd\ufffd\ufffd\ufffdz",
                               "\ufffda", "\ufeffa", "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd", ""})}},
     {.name = "to UTF-16-BE",
      .inputs = {Samples()},
      .attrs = Transcode("UTF-8", "UTF-16-BE"),
      .want = {T<std::string>({"\0h\0\xe9N-\xd8=\xde\0"s, "\0a\xff\xfd\0b\xff\xfd"s, "\0\x01\0a\0\n\0\x7f\0\x85"s,
                               "\xff\xfd\xff\xfd\xff\xfd\0x"s, "\xff\xfd\xff\xfd\xff\xfd\xff\xfd\xff\xfd\0y"s,
                               "\xff\xfd", "\xff\xfd\xff\xfd", "\xff\xfd\xff\xfd\xff\xfd\xff\xfd\0z"s, "\xff\xfd\0a"s,
                               "\xfe\xff\0a"s, "\xff\xfd\xff\xfd\xff\xfd\xff\xfd\xff\xfd\xff\xfd", ""})}},
     {.name = "to UTF-32-BE",
      .inputs = {Samples()},
      .attrs = Transcode("UTF-8", "UTF-32-BE"),
      .want = {T<std::string>({"\0\0\0h\0\0\0\xe9\0\0N-\0\x01\xf6\0"s, "\0\0\0a\0\0\xff\xfd\0\0\0b\0\0\xff\xfd"s,
                               "\0\0\0\x01\0\0\0a\0\0\0\n\0\0\0\x7f\0\0\0\x85"s,
                               "\0\0\xff\xfd\0\0\xff\xfd\0\0\xff\xfd\0\0\0x"s,
                               "\0\0\xff\xfd\0\0\xff\xfd\0\0\xff\xfd\0\0\xff\xfd\0\0\xff\xfd\0\0\0y"s, "\0\0\xff\xfd"s,
                               "\0\0\xff\xfd\0\0\xff\xfd"s, "\0\0\xff\xfd\0\0\xff\xfd\0\0\xff\xfd\0\0\xff\xfd\0\0\0z"s,
                               "\0\0\xff\xfd\0\0\0a"s, "\0\0\xfe\xff\0\0\0a"s,
                               "\0\0\xff\xfd\0\0\xff\xfd\0\0\xff\xfd\0\0\xff\xfd\0\0\xff\xfd\0\0\xff\xfd"s, ""})}},
     {.name = "ignore",
      .inputs = {Samples()},
      .attrs = Transcode("UTF-8", "UTF-8", "ignore"),
      .want = {T<std::string>({"h\u00e9\u4e2d\U0001f600", "ab", "\1a\n\x7f\xc2\x85", "x", "y", "", "", "z", "a",
                               "\ufeffa", "", ""})}},
     {.name = "strict",
      .inputs = {T<std::string>({"h\u00e9\u4e2d\U0001f600", "\1a\n\x7f\xc2\x85", "\ufeffa"})},
      .attrs = Transcode("UTF-8", "UTF-8", "strict"),
      .want = {T<std::string>({"h\u00e9\u4e2d\U0001f600", "\1a\n\x7f\xc2\x85", "\ufeffa"})}},
     {.name = "control",
      .inputs = {Samples()},
      .attrs = Transcode("UTF-8", "UTF-8", "replace", 65533, true),
      .want = {T<std::string>({"h\u00e9\u4e2d\U0001f600", "a\ufffdb\ufffd", "\ufffda\ufffd\x7f\xc2\x85",
                               "\ufffd\ufffd\ufffdx", "\ufffd\ufffd\ufffd\ufffd\ufffdy", "\ufffd", "\ufffd\ufffd",
                               "\ufffd\ufffd\ufffd\ufffdz", "\ufffda", "\ufeffa",
                               "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd", ""})}},
     {.name = "control ignored",
      .inputs = {Samples()},
      .attrs = Transcode("UTF-8", "UTF-8", "ignore", 65533, true),
      .want = {T<std::string>({"h\u00e9\u4e2d\U0001f600", "ab", "a\x7f\xc2\x85", "x", "y", "", "", "z", "a", "\ufeffa",
                               "", ""})}},
     {.name = "question mark",
      .inputs = {Samples()},
      .attrs = Transcode("UTF-8", "UTF-8", "replace", 63),
      .want = {T<std::string>({"h\u00e9\u4e2d\U0001f600", "a?b?", "\1a\n\x7f\xc2\x85", "???x", "?????y", "?", "??",
                               "????z", "?a", "\ufeffa", "??????", ""})}},
     {.name = "surrogate",
      .inputs = {Samples()},
      .attrs = Transcode("UTF-8", "UTF-8", "replace", 55296),
      .want = {T<std::string>({"h\u00e9\u4e2d\U0001f600", "a\ufffdb\ufffd", "\1a\n\x7f\xc2\x85", "\ufffd\ufffd\ufffdx",
                               "\ufffd\ufffd\ufffd\ufffd\ufffdy", "\ufffd", "\ufffd\ufffd", "\ufffd\ufffd\ufffd\ufffdz",
                               "\ufffda", "\ufeffa", "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd", ""})}},
     {.name = "from UTF-16BE",
      .inputs = {Wide()},
      .attrs = Transcode("UTF-16BE", "UTF-8"),
      .want = {T<std::string>({"ab\U0001f600\ufffd", "\ufffda\ufffdb", "\ufffe\u6100", "\ufeffa",
                               "\0a\x11\0\0\xef\xbf\xbd\x01\xef\x98\x80\xef\xbf\xbd"s, "\0\xef\xbb\xbf\0a"s,
                               "\xef\xbf\xbe\0\xe6\x84\x80\0"s})}},
     {.name = "from UTF-16",
      .inputs = {T<std::string>({"\0a\0b\xd8=\xde\0\xd8\0\0"s, "\xdc\0\0a\xd8\0\0b"s,
                                 "\0\0\0a\0\x11\0\0\0\0\xd8\0\0\x01\xf6\0\0"s})},
      .attrs = Transcode("UTF-16", "UTF-8"),
      .want = {T<std::string>({"ab\U0001f600\ufffd", "\ufffda\ufffdb",
                               "\0a\x11\0\0\xef\xbf\xbd\x01\xef\x98\x80\xef\xbf\xbd"s})}},
     {.name = "from UTF-16LE",
      .inputs = {Wide()},
      .attrs = Transcode("UTF-16LE", "UTF-8"),
      .want = {T<std::string>({"\u6100\u6200\u3dd8\u00de\u00d8\ufffd", "\u00dc\u6100\u00d8\u6200", "\ufeffa",
                               "\ufffe\u6100", "\0\xe6\x84\x80\xe1\x84\x80\0\0\xc3\x98\xc4\x80\xc3\xb6\xef\xbf\xbd"s,
                               "\0\xef\xbf\xbe\0\xe6\x84\x80"s, "\xef\xbb\xbf\0a\0"s})}},
     {.name = "from UTF-32",
      .inputs = {T<std::string>({"\0a\0b\xd8=\xde\0\xd8\0\0"s, "\xdc\0\0a\xd8\0\0b"s,
                                 "\0\0\0a\0\x11\0\0\0\0\xd8\0\0\x01\xf6\0\0"s})},
      .attrs = Transcode("UTF-32", "UTF-8"),
      .want = {T<std::string>({"\ufffd\ufffd\ufffd", "\ufffd\ufffd", "a\ufffd\ufffd\U0001f600\ufffd"})}},
     {.name = "from UTF-32LE",
      .inputs = {Wide()},
      .attrs = Transcode("UTF-32LE", "UTF-8"),
      .want = {T<std::string>({"\ufffd\ufffd\ufffd", "\ufffd\ufffd", "\ufffd", "\ufffd",
                               "\ufffd\u1100\ufffd\ufffd\ufffd", "\ufffd\ufffd", "\ufeffa"})}},
     {.name = "from latin1",
      .inputs = {Wide()},
      .attrs = Transcode("latin1", "UTF-8"),
      .want = {T<std::string>({"\0a\0b\xc3\x98=\xc3\x9e\0\xc3\x98\0\0"s, "\xc3\x9c\0\0a\xc3\x98\0\0b"s,
                               "\xc3\xbf\xc3\276a\0"s, "\xc3\xbe\xc3\xbf\0a"s,
                               "\0\0\0a\0\x11\0\0\0\0\xc3\x98\0\0\x01\xc3\xb6\0\0"s, "\0\0\xc3\xbe\xc3\xbf\0\0\0a"s,
                               "\xc3\xbf\xc3\xbe\0\0a\0\0\0"s})}},
     {.name = "from US-ASCII",
      .inputs = {Wide()},
      .attrs = Transcode("US-ASCII", "UTF-8"),
      .want = {T<std::string>({"\0a\0b\xef\xbf\xbd=\xef\xbf\xbd\0\xef\xbf\xbd\0\0"s,
                               "\xef\xbf\xbd\0\0a\xef\xbf\xbd\0\0b"s, "\xef\xbf\xbd\xef\xbf\275a\0"s,
                               "\xef\xbf\xbd\xef\xbf\xbd\0a"s,
                               "\0\0\0a\0\x11\0\0\0\0\xef\xbf\xbd\0\0\x01\xef\xbf\xbd\0\0"s,
                               "\0\0\xef\xbf\xbd\xef\xbf\xbd\0\0\0a"s, "\xef\xbf\xbd\xef\xbf\xbd\0\0a\0\0\0"s})}},
     {.name = "marked little",
      .inputs = {Tensor("\xff\376a\0"s)},
      .attrs = Transcode("UTF-16", "UTF-8"),
      .want = {Tensor("a")}},
     {.name = "marked big",
      .inputs = {Tensor("\xfe\xff\0a"s)},
      .attrs = Transcode("UTF-16", "UTF-8"),
      .want = {Tensor("a")}},
     {.name = "marked big 32",
      .inputs = {Tensor("\0\0\xfe\xff\0\0\0a"s)},
      .attrs = Transcode("UTF-32", "UTF-8"),
      .want = {Tensor("a")}},
     {.name = "marked little 32",
      .inputs = {Tensor("\xff\xfe\0\0a\0\0\0"s)},
      .attrs = Transcode("UTF-32", "UTF-8"),
      .want = {Tensor("a")}},
     {.name = "scalar", .inputs = {Tensor("abc")}, .attrs = Transcode("UTF-8", "UTF-8"), .want = {Tensor("abc")}},
     {.name = "strict error",
      .inputs = {Samples()},
      .attrs = Transcode("UTF-8", "UTF-8", "strict"),
      .want_error = "begins no valid character"},
     {.name = "strict control",
      .inputs = {T<std::string>({"h\u00e9\u4e2d\U0001f600", "\1a\n\x7f\xc2\x85", "\ufeffa"})},
      .attrs = Transcode("UTF-8", "UTF-8", "strict", 65533, true),
      .want_error = "begins no valid character"},
     {.name = "large replacement",
      .inputs = {Samples()},
      .attrs = Transcode("UTF-8", "UTF-8", "replace", 1114112),
      .want_error = "no code point"},
     {.name = "encoding",
      .inputs = {Samples()},
      .attrs = Transcode("bogus", "UTF-8"),
      .want_error = "input_encoding is 'bogus'"}});

INSTANTIATE_OP_TEST(
    UnicodeDecodeWithOffsets,
    {{.name = "all",
      .inputs = {Samples()},
      .attrs = Decode("UTF-8"),
      .want = {T<int64_t>({0, 4, 8, 13, 17, 23, 24, 26, 31, 33, 35, 41, 41}),
               T<int32_t>({104,   233,   20013, 128512, 97,    65533, 98,    65533, 1,     97,    10,
                           127,   133,   65533, 65533,  65533, 120,   65533, 65533, 65533, 65533, 65533,
                           121,   65533, 65533, 65533,  65533, 65533, 65533, 65533, 122,   65533, 97,
                           65279, 97,    65533, 65533,  65533, 65533, 65533, 65533}),
               T<int64_t>({0, 1, 3, 6, 0, 1, 2, 3, 0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1, 2, 3,
                           4, 5, 0, 0, 1, 0, 1, 2, 3, 4, 0, 2, 0, 3, 0, 1, 2, 3, 4, 5})}},
     {.name = "ignore",
      .inputs = {Samples()},
      .attrs = Decode("UTF-8", "ignore"),
      .want = {T<int64_t>({0, 4, 6, 11, 12, 13, 13, 13, 14, 15, 17, 17, 17}),
               T<int32_t>({104, 233, 20013, 128512, 97, 98, 1, 97, 10, 127, 133, 120, 121, 122, 97, 65279, 97}),
               T<int64_t>({0, 1, 3, 6, 0, 2, 0, 1, 2, 3, 4, 3, 5, 4, 2, 0, 3})}},
     {.name = "control",
      .inputs = {Samples()},
      .attrs = Decode("UTF-8", "replace", true),
      .want = {T<int64_t>({0, 4, 8, 13, 17, 23, 24, 26, 31, 33, 35, 41, 41}),
               T<int32_t>({104,   233,   20013, 128512, 97,    65533, 98,    65533, 65533, 97,    65533,
                           127,   133,   65533, 65533,  65533, 120,   65533, 65533, 65533, 65533, 65533,
                           121,   65533, 65533, 65533,  65533, 65533, 65533, 65533, 122,   65533, 97,
                           65279, 97,    65533, 65533,  65533, 65533, 65533, 65533}),
               T<int64_t>({0, 1, 3, 6, 0, 1, 2, 3, 0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1, 2, 3,
                           4, 5, 0, 0, 1, 0, 1, 2, 3, 4, 0, 2, 0, 3, 0, 1, 2, 3, 4, 5})}},
     {.name = "matrix",
      .inputs = {T<std::string>({2, 1}, {"ab", "c"})},
      .attrs = Decode("UTF-8"),
      .want = {T<int64_t>({0, 2, 3}), T<int32_t>({97, 98, 99}), T<int64_t>({0, 1, 0})}},
     {.name = "scalar",
      .inputs = {Tensor("ab")},
      .attrs = Decode("UTF-8"),
      .want = {T<int64_t>({0, 2}), T<int32_t>({97, 98}), T<int64_t>({0, 1})}},
     {.name = "utf16",
      .inputs = {T<std::string>({"\0a\0b\xd8=\xde\0\xd8\0\0"s, "\xdc\0\0a\xd8\0\0b"s})},
      .attrs = Decode("UTF-16-BE"),
      .want = {T<int64_t>({0, 4, 8}), T<int32_t>({97, 98, 128512, 65533, 65533, 97, 65533, 98}),
               T<int64_t>({0, 2, 4, 8, 0, 2, 4, 6})}},
     {.name = "nothing",
      .inputs = {T<std::string>({})},
      .attrs = Decode("UTF-8"),
      .want = {T<int64_t>({0}), T<int32_t>({0}, {}), T<int64_t>({0}, {})}},
     {.name = "strict", .inputs = {Samples()}, .attrs = Decode("UTF-8", "strict"), .want_error = "begins no valid"}});

INSTANTIATE_OP_TEST(UnicodeDecode, {{.name = "ignore",
                                     .inputs = {Samples()},
                                     .attrs = Decode("UTF-8", "ignore", false, DT_INT32),
                                     .want = {T<int32_t>({0, 4, 6, 11, 12, 13, 13, 13, 14, 15, 17, 17, 17}),
                                              T<int32_t>({104, 233, 20013, 128512, 97, 98, 1, 97, 10, 127, 133, 120,
                                                          121, 122, 97, 65279, 97})}},
                                    {.name = "matrix",
                                     .inputs = {T<std::string>({2, 1}, {"ab", "c"})},
                                     .attrs = Decode("UTF-8"),
                                     .want = {T<int64_t>({0, 2, 3}), T<int32_t>({97, 98, 99})}}});

INSTANTIATE_OP_TEST(
    UnicodeEncode,
    {{.name = "UTF-8",
      .inputs = {kCharacters, T<int64_t>({0, 4, 4, 11})},
      .attrs = Encode("UTF-8"),
      .want = {T<std::string>({"h\u00e9\u4e2d\U0001f600", "", "\ufffd\ufffd\ufffda\u07ff\u0800\uffff"})}},
     {.name = "UTF-16-BE",
      .inputs = {kCharacters, T<int64_t>({0, 4, 4, 11})},
      .attrs = Encode("UTF-16-BE"),
      .want = {T<std::string>({"\0h\0\xe9N-\xd8=\xde\0"s, "", "\xff\xfd\xff\xfd\xff\xfd\0a\x07\xff\x08\0\xff\xff"s})}},
     {.name = "UTF-32-BE",
      .inputs = {kCharacters, T<int64_t>({0, 4, 4, 11})},
      .attrs = Encode("UTF-32-BE"),
      .want = {T<std::string>({"\0\0\0h\0\0\0\xe9\0\0N-\0\x01\xf6\0"s, "",
                               "\0\0\xff\xfd\0\0\xff\xfd\0\0\xff\xfd\0\0\0a\0\0\x07\xff\0\0\x08\0\0\0\xff\xff"s})}},
     {.name = "ignore",
      .inputs = {kCharacters, T<int64_t>({0, 4, 4, 11})},
      .attrs = Encode("UTF-8", "ignore"),
      .want = {T<std::string>({"h\u00e9\u4e2d\U0001f600", "", "a\u07ff\u0800\uffff"})}},
     {.name = "question mark",
      .inputs = {kCharacters, T<int32_t>({0, 4, 4, 11})},
      .attrs = Encode("UTF-8", "replace", 63),
      .want = {T<std::string>({"h\u00e9\u4e2d\U0001f600", "", "???a\u07ff\u0800\uffff"})}},
     {.name = "surrogate",
      .inputs = {kCharacters, T<int64_t>({0, 4, 4, 11})},
      .attrs = Encode("UTF-8", "replace", 55296),
      .want = {T<std::string>({"h\u00e9\u4e2d\U0001f600", "", "\ufffd\ufffd\ufffda\u07ff\u0800\uffff"})}},
     {.name = "nothing",
      .inputs = {T<int32_t>({0}, {}), T<int64_t>({0})},
      .attrs = Encode("UTF-8"),
      .want = {T<std::string>({})}},
     {.name = "strict",
      .inputs = {kCharacters, T<int64_t>({0, 4, 4, 11})},
      .attrs = Encode("UTF-8", "strict"),
      .want_error = "input_values[4] is 55296"},
     {.name = "end",
      .inputs = {kCharacters, T<int64_t>({0, 10})},
      .attrs = Encode("UTF-8"),
      .want_error = "expected from 0 to 11"},
     {.name = "start",
      .inputs = {kCharacters, T<int64_t>({1, 11})},
      .attrs = Encode("UTF-8"),
      .want_error = "goes from 1"},
     {.name = "decreasing",
      .inputs = {kCharacters, T<int64_t>({0, 5, 4, 11})},
      .attrs = Encode("UTF-8"),
      .want_error = "input_splits[2]"},
     {.name = "no splits",
      .inputs = {T<int32_t>({0}, {}), T<int64_t>({0}, {})},
      .attrs = Encode("UTF-8"),
      .want_error = "input_splits is empty"}});

TEST(StringBuilders, GoThereAndBack) {
  Graph g;
  const Output text = Const(g, T<std::string>({"h\u00e9", "\U0001f600"}));
  const UnicodeCharacters characters = UnicodeDecode(text, "UTF-8");
  const Output again = UnicodeEncode(characters.char_values, characters.row_splits, "UTF-16-BE");
  const Output back = UnicodeTranscode(again, "UTF-16-BE", "UTF-8");
  const StringRows grams = StringNGrams(text, Const(g, T<int64_t>({0, 2})), {.ngram_widths = {2}, .separator = "+"});
  const Output bytes = DecodePaddedRaw(text, Const(g, 4), DT_UINT8);
  const Output plain = DecodeCompressed(text, "");
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  const auto got = session.Run({}, {back, text, grams.strings, bytes, plain});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(TensorsNear((*got)[0], (*got)[1], 0));
  EXPECT_TRUE(TensorsNear((*got)[2], T<std::string>({"h\u00e9+\U0001f600"}), 0));
  EXPECT_TRUE(TensorsNear((*got)[3], M<uint8_t>({{0x68, 0xc3, 0xa9, 0}, {0xf0, 0x9f, 0x98, 0x80}}), 0));
  EXPECT_TRUE(TensorsNear((*got)[4], (*got)[1], 0));
}

}  // namespace
}  // namespace staticflow
