// Strings: conversion, parts, joining and splitting, element by element.
//
//   Output names = StringJoin({Const(g, Tensor("w_")), AsString(numbers)});     // StringJoin: ops/save_restore.h
//   Output words = StringSplit(lines).values;
//
// Strings are bytes; "UTF8_CHAR" as a unit counts code points. Not thread-safe: all of them add to the graph.
// Source: tf.strings (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_STRINGS_H_
#define STATICFLOW_OPS_STRINGS_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "graph/node_builder.h"

namespace staticflow {

struct AsStringOptions {
  int64_t precision = -1;   // digits after the point, of floating types
  bool scientific = false;  // as printf's %e; shortest: %g; else %f
  bool shortest = false;
  int64_t width = -1;     // at least so many characters
  std::string fill = "";  // one of ' ', '+', '-', '0', '#': printf's flag
  std::string name = "";
};
// Numbers and bool as text.
Output AsString(Operand input, const AsStringOptions& options = {});
// Text as numbers of type float, double, int32, int64, uint32 or uint64. When run: InvalidArgument for anything else.
Output StringToNumber(Operand input, DataType out_type = DT_FLOAT, const OpOptions& options = {});

struct StringFormatOptions {
  std::string placeholder = "%s";  // in the text, once for each tensor
  int64_t summarize = 3;           // so many elements of both ends of each dimension; -1: all
  std::string name = "";
};
// `text` with each placeholder replaced by a tensor's elements; a scalar.
Output StringFormat(const std::string& text, absl::Span<const Output> inputs, const StringFormatOptions& options = {});

// Base64 with '-' and '_'; decoding takes it with or without padding.
Output EncodeBase64(Operand input, bool pad = false, const OpOptions& options = {});
Output DecodeBase64(Operand input, const OpOptions& options = {});

Output StringLength(Operand input, const std::string& unit = "BYTE", const OpOptions& options = {});  // int32
struct StringCaseOptions {
  std::string encoding = "";  // or "utf-8": the letters of Unicode, not those of ASCII alone
  std::string name = "";
};
Output StringLower(Operand input, const StringCaseOptions& options = {});
Output StringUpper(Operand input, const StringCaseOptions& options = {});
Output StringStrip(Operand input, const OpOptions& options = {});  // without white space at both ends

// The bucket of each string, int64 in [0, num_buckets): by FarmHash's fingerprint, the same as in TensorFlow; by
// SipHash with a key of two numbers, for which nobody can make up collisions who does not know the key.
Output StringToHashBucketFast(Operand input, int64_t num_buckets, const OpOptions& options = {});
Output StringToHashBucketStrong(Operand input, int64_t num_buckets, const std::vector<int64_t>& key,
                                const OpOptions& options = {});

// FarmHash's fingerprint of each row (index of dimension 0) of a tensor of any type: uint8 [rows, 8]. No gradient.
Output Fingerprint(Operand data, const OpOptions& options = {});

struct SubstrOptions {
  std::string unit = "BYTE";  // or "UTF8_CHAR"
  std::string name = "";
};
// `len` units from `pos` on, fewer at the end of the string; a negative position counts from the end. pos and len are
// of one shape and broadcast with the input. When run: InvalidArgument for a position outside the string.
Output Substr(Operand input, Operand pos, Operand len, const SubstrOptions& options = {});

// A sparse matrix of strings: values[k] belongs into row indices[k, 0] at place indices[k, 1]; shape is [rows, most].
struct StringSplitOutputs {
  Output indices, values, shape;
};
struct StringSplitOptions {
  std::string sep = "";   // "": any white space, of which several count as one
  int64_t maxsplit = -1;  // at most so many separators count, when above 0
  std::string name = "";
};
// Op StringSplitV2: the parts of each string of a vector.
StringSplitOutputs StringSplit(Operand input, const StringSplitOptions& options = {});

struct ReduceJoinOptions {
  bool keep_dims = false;
  std::string separator = "";
  std::string name = "";
};
// Joins the elements along the axes; the first axis of the list varies fastest.
Output ReduceJoin(Operand inputs, const std::vector<int64_t>& axes, const ReduceJoinOptions& options = {});
// Joins the strings of each segment, in their order; a segment without strings is empty.
Output UnsortedSegmentJoin(Operand inputs, Operand segment_ids, Operand num_segments, const std::string& separator = "",
                           const OpOptions& options = {});

// ---- Unicode (ops/string_unicode.cc) ----

struct UnicodeOptions {
  std::string errors = "replace";  // what is no character: "replace", "ignore", or "strict": InvalidArgument when run
  int64_t replacement_char = 0xfffd;
  bool replace_control_characters = false;  // those below U+0020 count as errors too
  std::string name = "";
};
// Strings in another encoding, to "UTF-8", "UTF-16-BE" or "UTF-32-BE" and from one of these, "UTF-16", "UTF-16-LE",
// "UTF-32", "UTF-32-LE", "ISO-8859-1" (Latin-1) or "US-ASCII".
Output UnicodeTranscode(Operand input, const std::string& input_encoding, const std::string& output_encoding,
                        const UnicodeOptions& options = {});
// The code points of all strings (int32), where each string's begin [n + 1] and at which byte of its string each one
// begins (both int64).
struct UnicodeCharacters {
  Output row_splits, char_values, char_to_byte_starts;
};
UnicodeCharacters UnicodeDecode(Operand input, const std::string& input_encoding, const UnicodeOptions& options = {});
// String i of the code points [input_splits[i], input_splits[i + 1]).
Output UnicodeEncode(Operand input_values, Operand input_splits, const std::string& output_encoding,
                     const UnicodeOptions& options = {});

// Rows of strings one after the other, row i is strings[splits[i]] to strings[splits[i + 1] - 1].
struct StringRows {
  Output strings, splits;
};
struct StringNGramsOptions {
  std::vector<int64_t> ngram_widths = {2};
  std::string separator = " ";
  std::string left_pad = "", right_pad = "";  // before and behind a row
  int64_t pad_width = 0;                      // so many at either end; negative: as many as a gram can hold
  bool preserve_short_sequences = false;      // a row that is shorter than all widths is one gram
  std::string name = "";
};
// The n-grams of each row, by width.
StringRows StringNGrams(Operand data, Operand data_splits, const StringNGramsOptions& options = {});

// ---- Bytes (ops/string_bytes.cc) and files (ops/string_files.cc) ----

// The first `fixed_length` bytes of each string, zeros where it is shorter, as numbers: input_bytes.shape + [n].
Output DecodePaddedRaw(Operand input_bytes, Operand fixed_length, DataType out_type, const OpOptions& options = {});
// What zlib ("ZLIB") or gzip ("GZIP") has compressed. When run: DataLoss for anything else, ResourceExhausted above
// 2 GiB.
Output DecodeCompressed(Operand bytes, const std::string& compression_type, const OpOptions& options = {});
// A file's contents; NotFound when there is none. A scalar.
Output ReadFile(Operand filename, const OpOptions& options = {});
// Writes a file, and makes the directories that it needs.
Operation WriteFile(Operand filename, Operand contents, const OpOptions& options = {});
// The paths that match one of some patterns (a scalar or a vector), sorted: '*', '?', '[a-z]', '[!a]' and '\\c' stand
// for parts of a name.
Output MatchingFiles(Operand pattern, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_STRINGS_H_
