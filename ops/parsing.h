// What input pipelines and serving signatures read: examples, lines of comma-separated values, serialized tensors.
//
//   ParsedExamples parsed = ParseExample(serialized, {.dense = {{.key = "x", .shape = {784}, .default_value = none}}});
//
// An example is a serialized tf.train.Example, a map from names to lists of strings, floats or int64s. When run:
// InvalidArgument for bytes that are no example, a feature of another type or length, and a missing one without
// default. Nothing is differentiable. The functions add to the graph and are not thread-safe.
// Source: tf.io (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_PARSING_H_
#define STATICFLOW_OPS_PARSING_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "graph/node_builder.h"
#include "graph/shape.h"

namespace staticflow {

struct SparseFeature {
  std::string key;
  DataType dtype = DT_FLOAT;  // or DT_INT64, DT_STRING
};
struct DenseFeature {
  std::string key;
  Shape shape = {};      // of one example; a first dimension -1 is as long as the longest example of the batch
  Output default_value;  // of a missing feature; an empty tensor: none. Its type is the feature's. With a first
                         // dimension -1 it is one element that fills shorter examples.
};
struct ParseExampleOptions {
  std::vector<SparseFeature> sparse = {};
  std::vector<DenseFeature> dense = {};
  std::string name = "";
};
struct ParsedExamples {
  struct Sparse {
    Output indices, values, shape;  // (example, place); values; (examples, most)
  };
  std::vector<Sparse> sparse;  // in the order of the options
  std::vector<Output> dense;   // [batch] + shape
};
// `serialized` is a vector of examples.
ParsedExamples ParseExample(Operand serialized, const ParseExampleOptions& options);

// A sequence example is a serialized tf.train.SequenceExample: an example, its context, and lists of features by name,
// with a feature for each moment.
struct ParseSequenceOptions {
  std::vector<SparseFeature> context_sparse = {};
  std::vector<DenseFeature> context_dense = {};  // of shapes that are known
  std::vector<SparseFeature> list_sparse = {};
  std::vector<DenseFeature> list_dense = {};     // shape: of one moment; the default tells the type alone
  std::vector<std::string> may_be_missing = {};  // keys of list_dense: a missing list is one without moments
  std::string name = "";
};
struct ParsedSequences {
  std::vector<ParsedExamples::Sparse> context_sparse;
  std::vector<Output> context_dense;                // [batch] + shape
  std::vector<ParsedExamples::Sparse> list_sparse;  // (example, moment, place); values; (examples, moments, most)
  std::vector<Output> list_dense;                   // [batch, most moments] + shape; zeros or "" follow a shorter list
  std::vector<Output> list_lengths;                 // [batch], how many moments each has
};
// `serialized` is a vector of sequence examples.
ParsedSequences ParseSequenceExample(Operand serialized, const ParseSequenceOptions& options);

struct DecodeCsvOptions {
  std::string field_delim = ",";
  bool use_quote_delim = true;            // quotation marks around a field may hold delimiters
  std::string na_value = "";              // a field of this text is missing
  std::vector<int64_t> select_cols = {};  // increasing; empty: all
  std::string name = "";
};
// A column of `records` for each default, of its type and in the shape of `records`; an empty default makes a column
// mandatory.
std::vector<Output> DecodeCsv(Operand records, absl::Span<const Output> record_defaults,
                              const DecodeCsvOptions& options = {});

// A tensor as a string, and back.
Output SerializeTensor(Operand tensor, const OpOptions& options = {});
Output ParseTensor(Operand serialized, DataType out_type, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_PARSING_H_
