// Unicode, n-grams, bytes and files. Values: TensorFlow 2.21.
#include <gtest/gtest.h>

#include <string_view>

#include "ops/array.h"
#include "ops/strings.h"
#include "runtime/io/env.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

// Characters of one to four bytes, and what is none: a single byte, a cut one, control characters, a surrogate, forms
// that are too long, too large, cut or overlong, a byte order mark, and nothing.
Tensor Samples() {
  return T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80",
                         "a\xff"
                         "b\xc3",
                         "\x01"
                         "a\n\x7f\xc2\x85",
                         "\xed\xa0\x80x", "\xf8\x88\x80\x80\x80y", "\xe4\xb8", "\xc0\x80", "\xf4\x90\x80\x80z",
                         "\xe4\xb8"
                         "a",
                         "\xef\xbb\xbf"
                         "a",
                         "\xe0\x80\x80\xf0\x8f\xbf", ""});
}
// Two and four bytes each, either end first, with marks.
Tensor Wide() {
  return T<std::string>({std::string("\x00"
                                     "a\x00"
                                     "b\xd8=\xde\x00\xd8\x00\x00",
                                     11),
                         std::string("\xdc\x00\x00"
                                     "a\xd8\x00\x00"
                                     "b",
                                     8),
                         std::string("\xff\xfe"
                                     "a\x00",
                                     4),
                         std::string("\xfe\xff\x00"
                                     "a",
                                     4),
                         std::string("\x00\x00\x00"
                                     "a\x00\x11\x00\x00\x00\x00\xd8\x00\x00\x01\xf6\x00\x00",
                                     17),
                         std::string("\x00\x00\xfe\xff\x00\x00\x00"
                                     "a",
                                     8),
                         std::string("\xff\xfe\x00\x00"
                                     "a\x00\x00\x00",
                                     8)});
}

INSTANTIATE_OP_TEST(
    StringNGrams,
    {{.name = "three",
      .inputs = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int64_t>({0, 4, 6})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{3}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{-1}},
                {"preserve_short_sequences", false}},
      .want = {T<std::string>({"L|L|a", "L|a|b", "a|b|c", "b|c|d", "c|d|R", "d|R|R", "L|L|e", "L|e|f", "e|f|R",
                               "f|R|R"}),
               T<int64_t>({0, 6, 10})}},
     {.name = "no padding",
      .inputs = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int64_t>({0, 4, 6})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{3}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{0}},
                {"preserve_short_sequences", false}},
      .want = {T<std::string>({"a|b|c", "b|c|d"}), T<int64_t>({0, 2, 2})}},
     {.name = "short kept",
      .inputs = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int64_t>({0, 4, 6})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{3}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{0}},
                {"preserve_short_sequences", true}},
      .want = {T<std::string>({"a|b|c", "b|c|d", "e|f"}), T<int64_t>({0, 2, 3})}},
     {.name = "padding of one",
      .inputs = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int32_t>({0, 4, 6})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{3}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{1}},
                {"preserve_short_sequences", false}},
      .want = {T<std::string>({"L|a|b", "a|b|c", "b|c|d", "c|d|R", "L|e|f", "e|f|R"}), T<int32_t>({0, 4, 6})}},
     {.name = "two widths",
      .inputs = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int64_t>({0, 4, 6})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{2, 3}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{-1}},
                {"preserve_short_sequences", false}},
      .want = {T<std::string>({"L|a", "a|b", "b|c", "c|d", "d|R", "L|L|a", "L|a|b", "a|b|c", "b|c|d", "c|d|R", "d|R|R",
                               "L|e", "e|f", "f|R", "L|L|e", "L|e|f", "e|f|R", "f|R|R"}),
               T<int64_t>({0, 11, 18})}},
     {.name = "four kept",
      .inputs = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int64_t>({0, 4, 6})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{4}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{0}},
                {"preserve_short_sequences", true}},
      .want = {T<std::string>({"a|b|c|d", "e|f"}), T<int64_t>({0, 1, 2})}},
     {.name = "one",
      .inputs = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int64_t>({0, 4, 6})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{1}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{5}},
                {"preserve_short_sequences", false}},
      .want = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int64_t>({0, 4, 6})}},
     {.name = "empty row",
      .inputs = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int64_t>({0, 0, 6})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{2}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{-1}},
                {"preserve_short_sequences", false}},
      .want = {T<std::string>({"L|R", "L|a", "a|b", "b|c", "c|d", "d|e", "e|f", "f|R"}), T<int64_t>({0, 1, 8})}},
     {.name = "nothing",
      .inputs = {T<std::string>({}), T<int64_t>({0, 0})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{2}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{0}},
                {"preserve_short_sequences", false}},
      .want = {T<std::string>({}), T<int64_t>({0, 0})}},
     {.name = "too large",
      .inputs = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int64_t>({0, 4, 7})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{2}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{0}},
                {"preserve_short_sequences", false}},
      .want_error = "data_splits[2] is 7"},
     {.name = "start",
      .inputs = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int64_t>({1, 4, 6})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{2}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{0}},
                {"preserve_short_sequences", false}},
      .want_error = "data_splits[0] is 1"},
     {.name = "decreasing",
      .inputs = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int64_t>({0, 4, 3, 6})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{2}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{0}},
                {"preserve_short_sequences", false}},
      .want_error = "data_splits[2] is 3"},
     {.name = "rest",
      .inputs = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int64_t>({0, 4})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{2}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{0}},
                {"preserve_short_sequences", false}},
      .want_error = "ends with 4"},
     {.name = "width",
      .inputs = {T<std::string>({"a", "b", "c", "d", "e", "f"}), T<int64_t>({0, 4, 6})},
      .attrs = {{"separator", std::string("|")},
                {"ngram_widths", std::vector<int64_t>{0}},
                {"left_pad", std::string("L")},
                {"right_pad", std::string("R")},
                {"pad_width", int64_t{0}},
                {"preserve_short_sequences", false}},
      .want_error = "ngram_widths has 0"}});

INSTANTIATE_OP_TEST(
    UnicodeTranscode,
    {{.name = "to UTF-8",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80",
                               "a\xef\xbf\xbd"
                               "b\xef\xbf\xbd",
                               "\x01"
                               "a\n\x7f\xc2\x85",
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx",
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdy", "\xef\xbf\xbd",
                               "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz",
                               "\xef\xbf\xbd"
                               "a",
                               "\xef\xbb\xbf"
                               "a",
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", ""})}},
     {.name = "to UTF-16-BE",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"output_encoding", std::string("UTF-16-BE")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {T<std::string>({std::string("\x00h\x00\xe9N-\xd8=\xde\x00", 10),
                               std::string("\x00"
                                           "a\xff\xfd\x00"
                                           "b\xff\xfd",
                                           8),
                               std::string("\x00\x01\x00"
                                           "a\x00\n\x00\x7f\x00\x85",
                                           10),
                               std::string("\xff\xfd\xff\xfd\xff\xfd\x00x", 8),
                               std::string("\xff\xfd\xff\xfd\xff\xfd\xff\xfd\xff\xfd\x00y", 12), "\xff\xfd",
                               "\xff\xfd\xff\xfd", std::string("\xff\xfd\xff\xfd\xff\xfd\xff\xfd\x00z", 10),
                               std::string("\xff\xfd\x00"
                                           "a",
                                           4),
                               std::string("\xfe\xff\x00"
                                           "a",
                                           4),
                               "\xff\xfd\xff\xfd\xff\xfd\xff\xfd\xff\xfd\xff\xfd", ""})}},
     {.name = "to UTF-32-BE",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"output_encoding", std::string("UTF-32-BE")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {T<std::string>(
          {std::string("\x00\x00\x00h\x00\x00\x00\xe9\x00\x00N-\x00\x01\xf6\x00", 16),
           std::string("\x00\x00\x00"
                       "a\x00\x00\xff\xfd\x00\x00\x00"
                       "b\x00\x00\xff\xfd",
                       16),
           std::string("\x00\x00\x00\x01\x00\x00\x00"
                       "a\x00\x00\x00\n\x00\x00\x00\x7f\x00\x00\x00\x85",
                       20),
           std::string("\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\x00x", 16),
           std::string("\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\x00y",
                       24),
           std::string("\x00\x00\xff\xfd", 4), std::string("\x00\x00\xff\xfd\x00\x00\xff\xfd", 8),
           std::string("\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\x00z", 20),
           std::string("\x00\x00\xff\xfd\x00\x00\x00"
                       "a",
                       8),
           std::string("\x00\x00\xfe\xff\x00\x00\x00"
                       "a",
                       8),
           std::string(
               "\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\xff\xfd", 24),
           ""})}},
     {.name = "ignore",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("ignore")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", "ab",
                               "\x01"
                               "a\n\x7f\xc2\x85",
                               "x", "y", "", "", "z", "a",
                               "\xef\xbb\xbf"
                               "a",
                               "", ""})}},
     {.name = "strict",
      .inputs = {T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80",
                                 "\x01"
                                 "a\n\x7f\xc2\x85",
                                 "\xef\xbb\xbf"
                                 "a"})},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("strict")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80",
                               "\x01"
                               "a\n\x7f\xc2\x85",
                               "\xef\xbb\xbf"
                               "a"})}},
     {.name = "control",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", true}},
      .want = {T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80",
                               "a\xef\xbf\xbd"
                               "b\xef\xbf\xbd",
                               "\xef\xbf\xbd"
                               "a\xef\xbf\xbd\x7f\xc2\x85",
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx",
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdy", "\xef\xbf\xbd",
                               "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz",
                               "\xef\xbf\xbd"
                               "a",
                               "\xef\xbb\xbf"
                               "a",
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", ""})}},
     {.name = "control ignored",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("ignore")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", true}},
      .want = {T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", "ab", "a\x7f\xc2\x85", "x", "y", "", "", "z",
                               "a",
                               "\xef\xbb\xbf"
                               "a",
                               "", ""})}},
     {.name = "question mark",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{63}},
                {"replace_control_characters", false}},
      .want = {T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", "a?b?",
                               "\x01"
                               "a\n\x7f\xc2\x85",
                               "???x", "?????y", "?", "??", "????z", "?a",
                               "\xef\xbb\xbf"
                               "a",
                               "??????", ""})}},
     {.name = "surrogate",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{55296}},
                {"replace_control_characters", false}},
      .want = {T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80",
                               "a\xef\xbf\xbd"
                               "b\xef\xbf\xbd",
                               "\x01"
                               "a\n\x7f\xc2\x85",
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx",
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdy", "\xef\xbf\xbd",
                               "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz",
                               "\xef\xbf\xbd"
                               "a",
                               "\xef\xbb\xbf"
                               "a",
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", ""})}},
     {.name = "from UTF-16BE",
      .inputs = {Wide()},
      .attrs = {{"input_encoding", std::string("UTF-16BE")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {T<std::string>({"ab\xf0\x9f\x98\x80\xef\xbf\xbd",
                               "\xef\xbf\xbd"
                               "a\xef\xbf\xbd"
                               "b",
                               "\xef\xbf\xbe\xe6\x84\x80",
                               "\xef\xbb\xbf"
                               "a",
                               std::string("\x00"
                                           "a\x11\x00\x00\xef\xbf\xbd\x01\xef\x98\x80\xef\xbf\xbd",
                                           15),
                               std::string("\x00\xef\xbb\xbf\x00"
                                           "a",
                                           6),
                               std::string("\xef\xbf\xbe\x00\xe6\x84\x80\x00", 8)})}},
     {.name = "from UTF-16",
      .inputs = {T<std::string>({std::string("\x00"
                                             "a\x00"
                                             "b\xd8=\xde\x00\xd8\x00\x00",
                                             11),
                                 std::string("\xdc\x00\x00"
                                             "a\xd8\x00\x00"
                                             "b",
                                             8),
                                 std::string("\x00\x00\x00"
                                             "a\x00\x11\x00\x00\x00\x00\xd8\x00\x00\x01\xf6\x00\x00",
                                             17)})},
      .attrs = {{"input_encoding", std::string("UTF-16")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {T<std::string>({"ab\xf0\x9f\x98\x80\xef\xbf\xbd",
                               "\xef\xbf\xbd"
                               "a\xef\xbf\xbd"
                               "b",
                               std::string("\x00"
                                           "a\x11\x00\x00\xef\xbf\xbd\x01\xef\x98\x80\xef\xbf\xbd",
                                           15)})}},
     {.name = "from UTF-16LE",
      .inputs = {Wide()},
      .attrs = {{"input_encoding", std::string("UTF-16LE")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {T<std::string>({"\xe6\x84\x80\xe6\x88\x80\xe3\xb7\x98\xc3\x9e\xc3\x98\xef\xbf\xbd",
                               "\xc3\x9c\xe6\x84\x80\xc3\x98\xe6\x88\x80",
                               "\xef\xbb\xbf"
                               "a",
                               "\xef\xbf\xbe\xe6\x84\x80",
                               std::string("\x00\xe6\x84\x80\xe1\x84\x80\x00\x00\xc3\x98\xc4\x80\xc3\xb6\xef\xbf\xbd",
                                           18),
                               std::string("\x00\xef\xbf\xbe\x00\xe6\x84\x80", 8),
                               std::string("\xef\xbb\xbf\x00"
                                           "a\x00",
                                           6)})}},
     {.name = "from UTF-32",
      .inputs = {T<std::string>({std::string("\x00"
                                             "a\x00"
                                             "b\xd8=\xde\x00\xd8\x00\x00",
                                             11),
                                 std::string("\xdc\x00\x00"
                                             "a\xd8\x00\x00"
                                             "b",
                                             8),
                                 std::string("\x00\x00\x00"
                                             "a\x00\x11\x00\x00\x00\x00\xd8\x00\x00\x01\xf6\x00\x00",
                                             17)})},
      .attrs = {{"input_encoding", std::string("UTF-32")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {T<std::string>({"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd",
                               "a\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbd"})}},
     {.name = "from UTF-32LE",
      .inputs = {Wide()},
      .attrs = {{"input_encoding", std::string("UTF-32LE")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {T<std::string>({"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd",
                               "\xef\xbf\xbd", "\xef\xbf\xbd\xe1\x84\x80\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
                               "\xef\xbf\xbd\xef\xbf\xbd",
                               "\xef\xbb\xbf"
                               "a"})}},
     {.name = "from latin1",
      .inputs = {Wide()},
      .attrs = {{"input_encoding", std::string("latin1")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {T<std::string>({std::string("\x00"
                                           "a\x00"
                                           "b\xc3\x98=\xc3\x9e\x00\xc3\x98\x00\x00",
                                           14),
                               std::string("\xc3\x9c\x00\x00"
                                           "a\xc3\x98\x00\x00"
                                           "b",
                                           10),
                               std::string("\xc3\xbf\xc3\xbe"
                                           "a\x00",
                                           6),
                               std::string("\xc3\xbe\xc3\xbf\x00"
                                           "a",
                                           6),
                               std::string("\x00\x00\x00"
                                           "a\x00\x11\x00\x00\x00\x00\xc3\x98\x00\x00\x01\xc3\xb6\x00\x00",
                                           19),
                               std::string("\x00\x00\xc3\xbe\xc3\xbf\x00\x00\x00"
                                           "a",
                                           10),
                               std::string("\xc3\xbf\xc3\xbe\x00\x00"
                                           "a\x00\x00\x00",
                                           10)})}},
     {.name = "from US-ASCII",
      .inputs = {Wide()},
      .attrs = {{"input_encoding", std::string("US-ASCII")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {T<std::string>({std::string("\x00"
                                           "a\x00"
                                           "b\xef\xbf\xbd=\xef\xbf\xbd\x00\xef\xbf\xbd\x00\x00",
                                           17),
                               std::string("\xef\xbf\xbd\x00\x00"
                                           "a\xef\xbf\xbd\x00\x00"
                                           "b",
                                           12),
                               std::string("\xef\xbf\xbd\xef\xbf\xbd"
                                           "a\x00",
                                           8),
                               std::string("\xef\xbf\xbd\xef\xbf\xbd\x00"
                                           "a",
                                           8),
                               std::string("\x00\x00\x00"
                                           "a\x00\x11\x00\x00\x00\x00\xef\xbf\xbd\x00\x00\x01\xef\xbf\xbd\x00\x00",
                                           21),
                               std::string("\x00\x00\xef\xbf\xbd\xef\xbf\xbd\x00\x00\x00"
                                           "a",
                                           12),
                               std::string("\xef\xbf\xbd\xef\xbf\xbd\x00\x00"
                                           "a\x00\x00\x00",
                                           12)})}},
     {.name = "marked little",
      .inputs = {Tensor(std::string("\xff\xfe"
                                    "a\x00",
                                    4))},
      .attrs = {{"input_encoding", std::string("UTF-16")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {Tensor("a")}},
     {.name = "marked big",
      .inputs = {Tensor(std::string("\xfe\xff\x00"
                                    "a",
                                    4))},
      .attrs = {{"input_encoding", std::string("UTF-16")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {Tensor("a")}},
     {.name = "marked big 32",
      .inputs = {Tensor(std::string("\x00\x00\xfe\xff\x00\x00\x00"
                                    "a",
                                    8))},
      .attrs = {{"input_encoding", std::string("UTF-32")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {Tensor("a")}},
     {.name = "marked little 32",
      .inputs = {Tensor(std::string("\xff\xfe\x00\x00"
                                    "a\x00\x00\x00",
                                    8))},
      .attrs = {{"input_encoding", std::string("UTF-32")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {Tensor("a")}},
     {.name = "scalar",
      .inputs = {Tensor("abc")},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want = {Tensor("abc")}},
     {.name = "strict error",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("strict")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want_error = "begins no valid character"},
     {.name = "strict control",
      .inputs = {T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80",
                                 "\x01"
                                 "a\n\x7f\xc2\x85",
                                 "\xef\xbb\xbf"
                                 "a"})},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("strict")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", true}},
      .want_error = "begins no valid character"},
     {.name = "large replacement",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{1114112}},
                {"replace_control_characters", false}},
      .want_error = "no code point"},
     {.name = "encoding",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("bogus")},
                {"output_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replacement_char", int64_t{65533}},
                {"replace_control_characters", false}},
      .want_error = "input_encoding is 'bogus'"}});

INSTANTIATE_OP_TEST(
    UnicodeDecodeWithOffsets,
    {{.name = "all",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replace_control_characters", false},
                {"Tsplits", DT_INT64}},
      .want = {T<int64_t>({0, 4, 8, 13, 17, 23, 24, 26, 31, 33, 35, 41, 41}),
               T<int32_t>({104,   233,   20013, 128512, 97,    65533, 98,    65533, 1,     97,    10,
                           127,   133,   65533, 65533,  65533, 120,   65533, 65533, 65533, 65533, 65533,
                           121,   65533, 65533, 65533,  65533, 65533, 65533, 65533, 122,   65533, 97,
                           65279, 97,    65533, 65533,  65533, 65533, 65533, 65533}),
               T<int64_t>({0, 1, 3, 6, 0, 1, 2, 3, 0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1, 2, 3,
                           4, 5, 0, 0, 1, 0, 1, 2, 3, 4, 0, 2, 0, 3, 0, 1, 2, 3, 4, 5})}},
     {.name = "ignore",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"errors", std::string("ignore")},
                {"replace_control_characters", false},
                {"Tsplits", DT_INT64}},
      .want = {T<int64_t>({0, 4, 6, 11, 12, 13, 13, 13, 14, 15, 17, 17, 17}),
               T<int32_t>({104, 233, 20013, 128512, 97, 98, 1, 97, 10, 127, 133, 120, 121, 122, 97, 65279, 97}),
               T<int64_t>({0, 1, 3, 6, 0, 2, 0, 1, 2, 3, 4, 3, 5, 4, 2, 0, 3})}},
     {.name = "control",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replace_control_characters", true},
                {"Tsplits", DT_INT64}},
      .want = {T<int64_t>({0, 4, 8, 13, 17, 23, 24, 26, 31, 33, 35, 41, 41}),
               T<int32_t>({104,   233,   20013, 128512, 97,    65533, 98,    65533, 65533, 97,    65533,
                           127,   133,   65533, 65533,  65533, 120,   65533, 65533, 65533, 65533, 65533,
                           121,   65533, 65533, 65533,  65533, 65533, 65533, 65533, 122,   65533, 97,
                           65279, 97,    65533, 65533,  65533, 65533, 65533, 65533}),
               T<int64_t>({0, 1, 3, 6, 0, 1, 2, 3, 0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1, 2, 3,
                           4, 5, 0, 0, 1, 0, 1, 2, 3, 4, 0, 2, 0, 3, 0, 1, 2, 3, 4, 5})}},
     {.name = "matrix",
      .inputs = {T<std::string>({2, 1}, {"ab", "c"})},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replace_control_characters", false},
                {"Tsplits", DT_INT64}},
      .want = {T<int64_t>({0, 2, 3}), T<int32_t>({97, 98, 99}), T<int64_t>({0, 1, 0})}},
     {.name = "scalar",
      .inputs = {Tensor("ab")},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replace_control_characters", false},
                {"Tsplits", DT_INT64}},
      .want = {T<int64_t>({0, 2}), T<int32_t>({97, 98}), T<int64_t>({0, 1})}},
     {.name = "utf16",
      .inputs = {T<std::string>({std::string("\x00"
                                             "a\x00"
                                             "b\xd8=\xde\x00\xd8\x00\x00",
                                             11),
                                 std::string("\xdc\x00\x00"
                                             "a\xd8\x00\x00"
                                             "b",
                                             8)})},
      .attrs = {{"input_encoding", std::string("UTF-16-BE")},
                {"errors", std::string("replace")},
                {"replace_control_characters", false},
                {"Tsplits", DT_INT64}},
      .want = {T<int64_t>({0, 4, 8}), T<int32_t>({97, 98, 128512, 65533, 65533, 97, 65533, 98}),
               T<int64_t>({0, 2, 4, 8, 0, 2, 4, 6})}},
     {.name = "nothing",
      .inputs = {T<std::string>({})},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"errors", std::string("replace")},
                {"replace_control_characters", false},
                {"Tsplits", DT_INT64}},
      .want = {T<int64_t>({0}), T<int32_t>({0}, {}), T<int64_t>({0}, {})}},
     {.name = "strict",
      .inputs = {Samples()},
      .attrs = {{"input_encoding", std::string("UTF-8")},
                {"errors", std::string("strict")},
                {"replace_control_characters", false},
                {"Tsplits", DT_INT64}},
      .want_error = "begins no valid"}});

INSTANTIATE_OP_TEST(UnicodeDecode, {{.name = "ignore",
                                     .inputs = {Samples()},
                                     .attrs = {{"input_encoding", std::string("UTF-8")},
                                               {"errors", std::string("ignore")},
                                               {"replace_control_characters", false},
                                               {"Tsplits", DT_INT32}},
                                     .want = {T<int32_t>({0, 4, 6, 11, 12, 13, 13, 13, 14, 15, 17, 17, 17}),
                                              T<int32_t>({104, 233, 20013, 128512, 97, 98, 1, 97, 10, 127, 133, 120,
                                                          121, 122, 97, 65279, 97})}},
                                    {.name = "matrix",
                                     .inputs = {T<std::string>({2, 1}, {"ab", "c"})},
                                     .attrs = {{"input_encoding", std::string("UTF-8")},
                                               {"errors", std::string("replace")},
                                               {"replace_control_characters", false},
                                               {"Tsplits", DT_INT64}},
                                     .want = {T<int64_t>({0, 2, 3}), T<int32_t>({97, 98, 99})}}});

INSTANTIATE_OP_TEST(
    UnicodeEncode,
    {{.name = "UTF-8",
      .inputs = {T<int32_t>({104, 233, 20013, 128512, 55296, 1114112, -1, 97, 2047, 2048, 65535}),
                 T<int64_t>({0, 4, 4, 11})},
      .attrs = {{"errors", std::string("replace")},
                {"output_encoding", std::string("UTF-8")},
                {"replacement_char", int64_t{65533}}},
      .want = {T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", "",
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                               "a\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"})}},
     {.name = "UTF-16-BE",
      .inputs = {T<int32_t>({104, 233, 20013, 128512, 55296, 1114112, -1, 97, 2047, 2048, 65535}),
                 T<int64_t>({0, 4, 4, 11})},
      .attrs = {{"errors", std::string("replace")},
                {"output_encoding", std::string("UTF-16-BE")},
                {"replacement_char", int64_t{65533}}},
      .want = {T<std::string>({std::string("\x00h\x00\xe9N-\xd8=\xde\x00", 10), "",
                               std::string("\xff\xfd\xff\xfd\xff\xfd\x00"
                                           "a\x07\xff\x08\x00\xff\xff",
                                           14)})}},
     {.name = "UTF-32-BE",
      .inputs = {T<int32_t>({104, 233, 20013, 128512, 55296, 1114112, -1, 97, 2047, 2048, 65535}),
                 T<int64_t>({0, 4, 4, 11})},
      .attrs = {{"errors", std::string("replace")},
                {"output_encoding", std::string("UTF-32-BE")},
                {"replacement_char", int64_t{65533}}},
      .want = {T<std::string>({std::string("\x00\x00\x00h\x00\x00\x00\xe9\x00\x00N-\x00\x01\xf6\x00", 16), "",
                               std::string("\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\xff\xfd\x00\x00\x00"
                                           "a\x00\x00\x07\xff\x00\x00\x08\x00\x00\x00\xff\xff",
                                           28)})}},
     {.name = "ignore",
      .inputs = {T<int32_t>({104, 233, 20013, 128512, 55296, 1114112, -1, 97, 2047, 2048, 65535}),
                 T<int64_t>({0, 4, 4, 11})},
      .attrs = {{"errors", std::string("ignore")},
                {"output_encoding", std::string("UTF-8")},
                {"replacement_char", int64_t{65533}}},
      .want = {T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", "", "a\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"})}},
     {.name = "question mark",
      .inputs = {T<int32_t>({104, 233, 20013, 128512, 55296, 1114112, -1, 97, 2047, 2048, 65535}),
                 T<int32_t>({0, 4, 4, 11})},
      .attrs = {{"errors", std::string("replace")},
                {"output_encoding", std::string("UTF-8")},
                {"replacement_char", int64_t{63}}},
      .want = {T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", "", "???a\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"})}},
     {.name = "surrogate",
      .inputs = {T<int32_t>({104, 233, 20013, 128512, 55296, 1114112, -1, 97, 2047, 2048, 65535}),
                 T<int64_t>({0, 4, 4, 11})},
      .attrs = {{"errors", std::string("replace")},
                {"output_encoding", std::string("UTF-8")},
                {"replacement_char", int64_t{55296}}},
      .want = {T<std::string>({"h\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", "",
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                               "a\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"})}},
     {.name = "nothing",
      .inputs = {T<int32_t>({0}, {}), T<int64_t>({0})},
      .attrs = {{"errors", std::string("replace")},
                {"output_encoding", std::string("UTF-8")},
                {"replacement_char", int64_t{65533}}},
      .want = {T<std::string>({})}},
     {.name = "strict",
      .inputs = {T<int32_t>({104, 233, 20013, 128512, 55296, 1114112, -1, 97, 2047, 2048, 65535}),
                 T<int64_t>({0, 4, 4, 11})},
      .attrs = {{"errors", std::string("strict")},
                {"output_encoding", std::string("UTF-8")},
                {"replacement_char", int64_t{65533}}},
      .want_error = "input_values[4] is 55296"},
     {.name = "end",
      .inputs = {T<int32_t>({104, 233, 20013, 128512, 55296, 1114112, -1, 97, 2047, 2048, 65535}), T<int64_t>({0, 10})},
      .attrs = {{"errors", std::string("replace")},
                {"output_encoding", std::string("UTF-8")},
                {"replacement_char", int64_t{65533}}},
      .want_error = "expected from 0 to 11"},
     {.name = "start",
      .inputs = {T<int32_t>({104, 233, 20013, 128512, 55296, 1114112, -1, 97, 2047, 2048, 65535}), T<int64_t>({1, 11})},
      .attrs = {{"errors", std::string("replace")},
                {"output_encoding", std::string("UTF-8")},
                {"replacement_char", int64_t{65533}}},
      .want_error = "goes from 1"},
     {.name = "decreasing",
      .inputs = {T<int32_t>({104, 233, 20013, 128512, 55296, 1114112, -1, 97, 2047, 2048, 65535}),
                 T<int64_t>({0, 5, 4, 11})},
      .attrs = {{"errors", std::string("replace")},
                {"output_encoding", std::string("UTF-8")},
                {"replacement_char", int64_t{65533}}},
      .want_error = "input_splits[2]"},
     {.name = "no splits",
      .inputs = {T<int32_t>({0}, {}), T<int64_t>({0}, {})},
      .attrs = {{"errors", std::string("replace")},
                {"output_encoding", std::string("UTF-8")},
                {"replacement_char", int64_t{65533}}},
      .want_error = "input_splits is empty"}});

INSTANTIATE_OP_TEST(DecodePaddedRaw, {{.name = "int16",
                                       .inputs = {T<std::string>({"abcd", "a", "abcdefgh"}), Tensor(4)},
                                       .attrs = {{"out_type", DT_INT16}, {"little_endian", true}},
                                       .want = {M<int16_t>({{25185, 25699}, {97, 0}, {25185, 25699}})}},
                                      {.name = "big endian",
                                       .inputs = {T<std::string>({"abcd", "a"}), Tensor(4)},
                                       .attrs = {{"out_type", DT_INT16}, {"little_endian", false}},
                                       .want = {M<int16_t>({{24930, 25444}, {24832, 0}})}},
                                      {.name = "bytes",
                                       .inputs = {T<std::string>({"abcd", ""}), Tensor(3)},
                                       .attrs = {{"out_type", DT_UINT8}, {"little_endian", true}},
                                       .want = {M<uint8_t>({{97, 98, 99}, {0, 0, 0}})}},
                                      {.name = "float",
                                       .inputs = {Tensor("abcd"), Tensor(4)},
                                       .attrs = {{"out_type", DT_FLOAT}, {"little_endian", true}},
                                       .want = {T({1.6777999e+22})}},
                                      {.name = "matrix",
                                       .inputs = {T<std::string>({1, 1}, {"abcd"}), Tensor(4)},
                                       .attrs = {{"out_type", DT_INT8}, {"little_endian", true}},
                                       .want = {T<int8_t>({1, 1, 4}, {97, 98, 99, 100})}},
                                      {.name = "nothing",
                                       .inputs = {T<std::string>({}), Tensor(4)},
                                       .attrs = {{"out_type", DT_INT32}, {"little_endian", true}},
                                       .want = {T<int32_t>({0, 1}, {})}},
                                      {.name = "multiple",
                                       .inputs = {T<std::string>({"abcd"}), Tensor(3)},
                                       .attrs = {{"out_type", DT_INT16}, {"little_endian", true}},
                                       .want_error = "a multiple of 2"},
                                      {.name = "zero",
                                       .inputs = {T<std::string>({"abcd"}), Tensor(0)},
                                       .attrs = {{"out_type", DT_INT16}, {"little_endian", true}},
                                       .want_error = "fixed_length is 0"},
                                      {.name = "negative",
                                       .inputs = {T<std::string>({"abcd"}), Tensor(-2)},
                                       .attrs = {{"out_type", DT_INT16}, {"little_endian", true}},
                                       .want_error = "fixed_length is -2"},
                                      {.name = "vector",
                                       .inputs = {T<std::string>({"abcd"}), T<int32_t>({4})},
                                       .attrs = {{"out_type", DT_INT16}, {"little_endian", true}},
                                       .want_error = "rank"}});

INSTANTIATE_OP_TEST(
    DecodeCompressed,
    {{.name = "plain",
      .inputs = {T<std::string>({"abc", ""})},
      .attrs = {{"compression_type", std::string("")}},
      .want = {T<std::string>({"abc", ""})}},
     {.name = "gzip",
      .inputs = {T<std::string>({std::string("\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcbH\xcd\xc9\xc9W\xc8@"
                                             "\x90\x00\x80\x88\xf9\xe5\x11\x00\x00\x00",
                                             28),
                                 ""})},
      .attrs = {{"compression_type", std::string("GZIP")}},
      .want = {T<std::string>({"hello hello hello", ""})}},
     {.name = "zlib",
      .inputs = {T<std::string>({std::string("x\x9cKL\x1c\x05\xc4\x02\x00\xd8\xa8q\xad", 13)})},
      .attrs = {{"compression_type", std::string("ZLIB")}},
      .want = {T<std::string>(
          {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})}},
     {.name = "no gzip",
      .inputs = {T<std::string>({"junk"})},
      .attrs = {{"compression_type", std::string("GZIP")}},
      .want_error = "cannot be decompressed"},
     {.name = "cut",
      .inputs = {T<std::string>({std::string("x\x9c\xcbH\xcd\xc9\xc9\x07\x00\x06", 10)})},
      .attrs = {{"compression_type", std::string("ZLIB")}},
      .want = {T<std::string>({"hello"})}},
     {.name = "type",
      .inputs = {T<std::string>({"a"})},
      .attrs = {{"compression_type", std::string("bogus")}},
      .want_error = "compression_type is 'bogus'"}});

TEST(StringFiles, AreWrittenFoundAndRead) {
  const std::string folder = JoinPath(testing::TempDir(), "files");
  const std::vector<std::pair<std::string, std::string>> files = {
      {"/a1.txt", "one"}, {"/a2.txt", ""}, {"/b/c/a3.txt", "three"}, {"/[x].txt", "x"}};
  Graph g;
  std::vector<Operation> writes;
  std::vector<Output> reads;
  for (const auto& [name, contents] : files) {
    const Output path = Const(g, Tensor(folder + name));
    writes.push_back(WriteFile(path, Const(g, Tensor(contents))));
    reads.push_back(ReadFile(path));
  }
  struct Row {
    std::vector<std::string> patterns;
    std::vector<std::string> want;
  };
  const std::vector<Row> rows = {{{"/a?.txt"}, {"/a1.txt", "/a2.txt"}},
                                 {{"/*.txt"}, {"/[x].txt", "/a1.txt", "/a2.txt"}},
                                 {{"/*"}, {"/[x].txt", "/a1.txt", "/a2.txt", "/b"}},
                                 {{"/*/c/*3*"}, {"/b/c/a3.txt"}},
                                 {{"/a[0-1].txt"}, {"/a1.txt"}},
                                 {{"/a[!0-1].txt"}, {"/a2.txt"}},
                                 {{"/a[^2].txt"}, {"/a1.txt"}},
                                 {{"/\\[x\\].txt"}, {"/[x].txt"}},
                                 {{"/a1.txt"}, {"/a1.txt"}},
                                 {{"/a2*", "/*2.txt"}, {"/a2.txt", "/a2.txt"}},
                                 {{"/none*"}, {}},
                                 {{"/no/such/*"}, {}},
                                 {{"/a1.txt/*"}, {}}};
  std::vector<Output> found;
  for (const Row& row : rows) {
    std::vector<std::string> patterns;
    for (const std::string& pattern : row.patterns) patterns.push_back(folder + pattern);
    found.push_back(MatchingFiles(
        Const(g, Tensor::Of<std::string>({static_cast<int64_t>(patterns.size())}, absl::MakeConstSpan(patterns)))));
  }
  const Output missing = ReadFile(Const(g, Tensor(folder + "/nothing")));
  const Output matrix = Placeholder(g, {.dtype = DT_STRING, .shape = Shape::Unknown()});
  const Output wrong = MatchingFiles(matrix);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  const absl::Status written = session.Run({}, {}, writes).status();
  ASSERT_TRUE(written.ok()) << written;
  const auto contents = session.Run({}, reads);
  ASSERT_TRUE(contents.ok()) << contents.status();
  for (size_t i = 0; i < files.size(); ++i) EXPECT_TRUE(TensorsNear((*contents)[i], Tensor(files[i].second), 0));
  for (size_t i = 0; i < rows.size(); ++i) {
    std::vector<std::string> want;
    for (const std::string& name : rows[i].want) want.push_back(folder + name);
    const absl::StatusOr<Tensor> got = session.Run({}, found[i]);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(
        TensorsNear(*got, Tensor::Of<std::string>({static_cast<int64_t>(want.size())}, absl::MakeConstSpan(want)), 0))
        << rows[i].patterns[0];
  }
  EXPECT_EQ(session.Run({}, missing).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(session.Run({{matrix, T<std::string>({1, 1}, {"a"})}}, wrong).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// "ReadFile", "WriteFile", "MatchingFiles", as a file names them.
TEST(StringBuilders, GoThereAndBack) {
  Graph g;
  const Output text = Const(g, T<std::string>({"h\xc3\xa9", "\xf0\x9f\x98\x80"}));
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
  EXPECT_TRUE(TensorsNear((*got)[2], T<std::string>({"h\xc3\xa9+\xf0\x9f\x98\x80"}), 0));
  EXPECT_TRUE(TensorsNear((*got)[3], M<uint8_t>({{0x68, 0xc3, 0xa9, 0}, {0xf0, 0x9f, 0x98, 0x80}}), 0));
  EXPECT_TRUE(TensorsNear((*got)[4], (*got)[1], 0));
}

}  // namespace
}  // namespace staticflow
