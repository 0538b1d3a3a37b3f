// SequenceSpec: what a node that parses SequenceExamples reads, by its attributes, and where its outputs are.
// Used by ops/parsing_sequence.cc and ops/sequence_parser.h alone.
#ifndef STATICFLOW_OPS_SEQUENCE_SPEC_H_
#define STATICFLOW_OPS_SEQUENCE_SPEC_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "graph/graph.h"
#include "graph/status.h"

namespace staticflow {

enum class SequenceForm { kBatch, kBatchV2, kSingle };

struct SequenceKeys {
  std::vector<std::string> sparse, dense, ragged;
};

// What is read of the context, or of the lists: types by the attributes, and the first output of each kind.
struct SequencePart {
  std::vector<DataType> sparse, dense, ragged, splits;
  std::vector<Shape> shapes;
  SequenceKeys keys = {};  // where attributes hold them: of ParseSequenceExample
  int sparse_output = 0, dense_output = 0, lengths_output = -1, ragged_output = 0;
  bool is_list = false;

  int num(const std::vector<DataType>& types) const { return static_cast<int>(types.size()); }
};

struct SequenceSpec {
  template <typename Source>
  explicit SequenceSpec(const Source& source) {
    const Node& node = source.node();
    const auto types = [&](const char* attr) { return node.attr<std::vector<DataType>>(attr); };
    const auto strings = [&](const char* attr) { return node.attr<std::vector<std::string>>(attr); };
    form = node.type() == "ParseSequenceExample"     ? SequenceForm::kBatch
           : node.type() == "ParseSequenceExampleV2" ? SequenceForm::kBatchV2
                                                     : SequenceForm::kSingle;
    context.sparse = types("context_sparse_types");
    context.dense = types("Tcontext_dense");
    context.shapes = node.attr<std::vector<Shape>>("context_dense_shapes");
    lists.sparse = types("feature_list_sparse_types");
    lists.dense = types("feature_list_dense_types");
    lists.shapes = node.attr<std::vector<Shape>>("feature_list_dense_shapes");
    lists.is_list = true;
    if (form == SequenceForm::kBatchV2) {
      context.ragged = types("context_ragged_value_types");
      context.splits = types("context_ragged_split_types");
      lists.ragged = types("feature_list_ragged_value_types");
      lists.splits = types("feature_list_ragged_split_types");
    }
    if (form == SequenceForm::kBatch) {
      context.keys.sparse = strings("context_sparse_keys");
      context.keys.dense = strings("context_dense_keys");
      lists.keys.sparse = strings("feature_list_sparse_keys");
      lists.keys.dense = strings("feature_list_dense_keys");
      may_be_missing = strings("feature_list_dense_missing_assumed_empty");
    }
    context.dense_output = 3 * context.num(context.sparse);
    context.ragged_output = context.dense_output + context.num(context.dense);
    lists.sparse_output = context.ragged_output + 2 * context.num(context.ragged);
    lists.dense_output = lists.sparse_output + 3 * lists.num(lists.sparse);
    lists.ragged_output = lists.dense_output + lists.num(lists.dense);
    if (form != SequenceForm::kSingle) {
      lists.lengths_output = lists.ragged_output;
      lists.ragged_output += lists.num(lists.dense);
    }
  }

  // The attributes agree with each other.
  absl::Status Check(const Node& node) const {
    const auto expect = [&](const char* attr, size_t size) -> absl::Status {
      if (node.attr<int64_t>(attr) == static_cast<int64_t>(size)) return absl::OkStatus();
      return absl::InvalidArgumentError(
          absl::StrCat(attr, " is ", node.attr<int64_t>(attr), ", but there are ", size, " types"));
    };
    SF_RETURN_IF_ERROR(expect("Ncontext_sparse", context.sparse.size()));
    SF_RETURN_IF_ERROR(expect("Nfeature_list_sparse", lists.sparse.size()));
    SF_RETURN_IF_ERROR(expect("Nfeature_list_dense", lists.dense.size()));
    if (form != SequenceForm::kBatchV2) SF_RETURN_IF_ERROR(expect("Ncontext_dense", context.dense.size()));
    for (const SequencePart* part : {&context, &lists}) {
      if (part->shapes.size() != part->dense.size() || part->ragged.size() != part->splits.size()) {
        return absl::InvalidArgumentError(
            "there must be as many dense shapes as types, and as many ragged splits as values");
      }
      for (const Shape& shape : part->shapes) {
        if (!shape.IsFullyDefined()) {
          return absl::InvalidArgumentError(
              absl::StrCat("dense shape ", shape.ToString(), ": every dimension must be known"));
        }
      }
    }
    return absl::OkStatus();
  }

  // There are as many keys as types, and none is wanted in two forms.
  absl::Status CheckKeys(const SequencePart& part, const SequenceKeys& keys) const {
    if (keys.sparse.size() != part.sparse.size() || keys.dense.size() != part.dense.size() ||
        keys.ragged.size() != part.ragged.size()) {
      return absl::InvalidArgumentError("there must be as many keys as types");
    }
    if (form == SequenceForm::kSingle) return absl::OkStatus();
    absl::flat_hash_map<absl::string_view, const void*> forms;
    for (const auto* of_form : {&keys.sparse, &keys.dense, &keys.ragged}) {
      for (const std::string& key : *of_form) {
        if (forms.try_emplace(key, of_form).first->second == of_form) continue;
        return absl::InvalidArgumentError(absl::StrCat("feature '", key, "' is wanted in two forms"));
      }
    }
    return absl::OkStatus();
  }

  SequenceForm form;
  SequencePart context, lists;
  std::vector<std::string> may_be_missing;  // of ParseSequenceExample
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_SEQUENCE_SPEC_H_
