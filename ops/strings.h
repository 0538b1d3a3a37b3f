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
Output StringLower(Operand input, const OpOptions& options = {});  // ASCII letters only
Output StringUpper(Operand input, const OpOptions& options = {});
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
// Joins the strings of each segment, in their order; those of negative segments are dropped.
Output UnsortedSegmentJoin(Operand inputs, Operand segment_ids, Operand num_segments, const std::string& separator = "",
                           const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_STRINGS_H_
