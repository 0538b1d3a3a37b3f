// SequenceParser: one step's parsing of SequenceExamples. Used by ops/parsing_sequence.cc alone.
#ifndef STATICFLOW_OPS_SEQUENCE_PARSER_H_
#define STATICFLOW_OPS_SEQUENCE_PARSER_H_

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "ops/example_features.h"
#include "ops/sequence_spec.h"
#include "ops/strided_copy.h"
#include "runtime/kernel.h"

namespace staticflow {

// A feature of all examples: their values one after the other, and how many each moment of each example has. The
// context is one moment.
template <typename T>
struct CollectedFeature {
  std::vector<T> values;
  std::vector<std::vector<int64_t>> counts;
  std::vector<bool> present;

  int64_t most_moments() const {
    size_t most = 0;
    for (const auto& moments : counts) most = std::max(most, moments.size());
    return static_cast<int64_t>(most);
  }
  int64_t most_values() const {
    int64_t most = 0;
    for (const auto& moments : counts) {
      for (int64_t n : moments) most = std::max(most, n);
    }
    return most;
  }
};

class SequenceParser {
 public:
  SequenceParser(KernelContext& c, const SequenceSpec& spec, const std::vector<bool>& allocate)
      : c_(c), spec_(spec), allocate_(allocate), batched_(c.input(0).rank() == 1) {}

  absl::Status Run() {
    const absl::Span<std::string> serialized = c_.input(0).flat<std::string>();
    for (size_t i = 0; i < serialized.size(); ++i) {
      absl::StatusOr<ExampleFeatures> context = ReadExample(serialized[i]);
      if (!context.ok()) return Annotate(context.status(), absl::StrCat("example ", i, ": "));
      absl::StatusOr<SequenceLists> lists = ReadSequenceLists(serialized[i]);
      if (!lists.ok()) return Annotate(lists.status(), absl::StrCat("example ", i, ": "));
      contexts_.push_back(*std::move(context));
      lists_.push_back(*std::move(lists));
    }
    SF_RETURN_IF_ERROR(FindKeys());
    SF_RETURN_IF_ERROR(ReadPart(spec_.context, context_keys_));
    return ReadPart(spec_.lists, list_keys_);
  }

 private:
  // Keys come in attributes, in vectors, or as scalars.
  absl::Status FindKeys() {
    context_keys_ = spec_.context.keys;
    list_keys_ = spec_.lists.keys;
    may_be_missing_ = spec_.may_be_missing;
    int next = 2;
    const auto take = [&](int inputs, std::vector<std::string>* keys) {
      for (int i = 0; i < inputs; ++i) {
        const absl::Span<std::string> given = c_.input(next++).flat<std::string>();
        keys->insert(keys->end(), given.begin(), given.end());
      }
    };
    if (spec_.form == SequenceForm::kBatchV2) {
      for (SequenceKeys* keys : {&context_keys_, &list_keys_}) {
        for (auto* of_kind : {&keys->sparse, &keys->dense, &keys->ragged}) take(1, of_kind);
      }
      SF_RETURN_IF_ERROR(ReadMissingFlags(next++));
    }
    if (spec_.form == SequenceForm::kSingle) {
      take(spec_.context.num(spec_.context.sparse), &context_keys_.sparse);
      take(spec_.context.num(spec_.context.dense), &context_keys_.dense);
      take(spec_.lists.num(spec_.lists.sparse), &list_keys_.sparse);
      take(spec_.lists.num(spec_.lists.dense), &list_keys_.dense);
      const absl::Span<std::string> missing = c_.input(1).flat<std::string>();
      may_be_missing_.assign(missing.begin(), missing.end());
    }
    first_default_ = next;
    SF_RETURN_IF_ERROR(spec_.CheckKeys(spec_.context, context_keys_));
    return spec_.CheckKeys(spec_.lists, list_keys_);
  }
  absl::Status ReadMissingFlags(int input) {
    const absl::Span<bool> flags = c_.input(input).flat<bool>();
    if (flags.size() != list_keys_.dense.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("there are ", flags.size(), " flags for ", list_keys_.dense.size(), " lists"));
    }
    for (size_t i = 0; i < flags.size(); ++i) {
      if (flags[i]) may_be_missing_.push_back(list_keys_.dense[i]);
    }
    return absl::OkStatus();
  }
  absl::Status ReadPart(const SequencePart& part, const SequenceKeys& keys) {
    absl::Status status;
    const auto read = [&](DataType dtype, auto&& f) {
      if (status.ok()) DispatchType<float, int64_t, std::string>(dtype, f);
    };
    for (int i = 0; i < part.num(part.sparse); ++i) {
      read(part.sparse[i], [&]<typename T>() { status = Sparse<T>(part, keys.sparse[i], i); });
    }
    for (int i = 0; i < part.num(part.dense); ++i) {
      read(part.dense[i], [&]<typename T>() {
        status = part.is_list ? DenseList<T>(part, keys.dense[i], i) : DenseContext<T>(part, keys.dense[i], i);
      });
    }
    for (int i = 0; i < part.num(part.ragged); ++i) {
      read(part.ragged[i], [&]<typename T>() { status = Ragged<T>(part, keys.ragged[i], i); });
    }
    return status;
  }

  template <typename T>
  absl::Status Collect(const SequencePart& part, absl::string_view key, CollectedFeature<T>* collected) {
    for (size_t b = 0; b < contexts_.size(); ++b) {
      std::vector<int64_t>& moments = collected->counts.emplace_back();
      const auto append = [&](const EncodedFeature& feature) {
        const size_t before = collected->values.size();
        const absl::Status status = AppendValues(feature, key, &collected->values);
        moments.push_back(static_cast<int64_t>(collected->values.size() - before));
        return status.ok() ? status : Annotate(status, absl::StrCat("example ", b, ": "));
      };
      bool present = false;
      if (part.is_list) {
        const auto list = lists_[b].find(key);
        present = list != lists_[b].end();
        for (size_t t = 0; present && t < list->second.size(); ++t) SF_RETURN_IF_ERROR(append(list->second[t]));
      } else {
        const auto feature = contexts_[b].find(key);
        present = feature != contexts_[b].end() && feature->second.dtype != DT_INVALID;
        SF_RETURN_IF_ERROR(append(present ? feature->second : EncodedFeature()));
      }
      collected->present.push_back(present);
    }
    return absl::OkStatus();
  }

  // Memory for an output; InvalidArgument when it was planned with another shape.
  absl::Status Allocate(int output, const Shape& shape) {
    if (allocate_[output]) return c_.AllocateOutput(output, shape);
    if (*c_.output(output).shape == shape) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("output ", output, " has shape ", shape.ToString(), ", expected ",
                                                   c_.output(output).shape->ToString()));
  }
  template <typename T>
  absl::Status Deliver(int output, std::vector<T>& values) {
    SF_RETURN_IF_ERROR(Allocate(output, {static_cast<int64_t>(values.size())}));
    std::move(values.begin(), values.end(), c_.out<T>(output));
    return absl::OkStatus();
  }
  Shape Rows() const { return batched_ ? Shape({static_cast<int64_t>(contexts_.size())}) : Shape(); }

  template <typename T>
  absl::Status Sparse(const SequencePart& part, absl::string_view key, int i) {
    CollectedFeature<T> feature;
    SF_RETURN_IF_ERROR(Collect(part, key, &feature));
    const int n = part.num(part.sparse), rank = 1 + batched_ + part.is_list;
    SF_RETURN_IF_ERROR(Allocate(part.sparse_output + i, {static_cast<int64_t>(feature.values.size()), rank}));
    int64_t* index = c_.out<int64_t>(part.sparse_output + i);
    for (size_t b = 0; b < feature.counts.size(); ++b) {
      for (size_t t = 0; t < feature.counts[b].size(); ++t) {
        for (int64_t k = 0; k < feature.counts[b][t]; ++k) {
          if (batched_) *index++ = static_cast<int64_t>(b);
          if (part.is_list) *index++ = static_cast<int64_t>(t);
          *index++ = k;
        }
      }
    }
    std::vector<int64_t> shape = {feature.most_values()};
    if (part.is_list) shape.insert(shape.begin(), feature.most_moments());
    if (batched_) shape.insert(shape.begin(), static_cast<int64_t>(contexts_.size()));
    SF_RETURN_IF_ERROR(Deliver(part.sparse_output + n + i, feature.values));
    return Deliver(part.sparse_output + 2 * n + i, shape);
  }

  template <typename T>
  absl::Status DenseContext(const SequencePart& part, absl::string_view key, int i) {
    CollectedFeature<T> feature;
    SF_RETURN_IF_ERROR(Collect(part, key, &feature));
    const int64_t size = part.shapes[i].num_elements();
    SF_RETURN_IF_ERROR(Allocate(part.dense_output + i, Rows().Concatenate(part.shapes[i])));
    const absl::Span<T> fallback = c_.input(first_default_ + i).flat<T>();
    T* to = c_.out<T>(part.dense_output + i);
    auto from = feature.values.begin();
    for (size_t b = 0; b < contexts_.size(); ++b, to += size) {
      const bool present = feature.present[b];
      const int64_t n = present ? feature.counts[b][0] : static_cast<int64_t>(fallback.size());
      if (n != size) {
        return absl::InvalidArgumentError(absl::StrCat("example ", b, ": feature '", key, "' ",
                                                       present ? "has " : "is missing, and its default has ", n,
                                                       " values, expected ", size));
      }
      if (!present) std::copy_n(fallback.begin(), n, to);
      for (int64_t k = 0; present && k < n; ++k) to[k] = std::move(*from++);
    }
    return absl::OkStatus();
  }

  template <typename T>
  absl::Status DenseList(const SequencePart& part, absl::string_view key, int i) {
    CollectedFeature<T> feature;
    SF_RETURN_IF_ERROR(Collect(part, key, &feature));
    const int64_t size = part.shapes[i].num_elements(), most = feature.most_moments();
    const bool may_be_missing = std::find(may_be_missing_.begin(), may_be_missing_.end(), key) != may_be_missing_.end();
    for (size_t b = 0; b < contexts_.size(); ++b) {
      if (!feature.present[b] && !may_be_missing) {
        return absl::InvalidArgumentError(absl::StrCat("example ", b, ": feature list '", key, "' is missing"));
      }
      for (int64_t n : feature.counts[b]) {
        if (n == size) continue;
        return absl::InvalidArgumentError(
            absl::StrCat("example ", b, ": a moment of '", key, "' has ", n, " values, expected ", size));
      }
    }
    const int output = part.dense_output + i;
    SF_RETURN_IF_ERROR(Allocate(output, Rows().Concatenate({most}).Concatenate(part.shapes[i])));
    ClearOutput(c_.output(output));
    T* to = c_.out<T>(output);
    auto from = feature.values.begin();
    std::vector<int64_t> lengths;
    for (const std::vector<int64_t>& moments : feature.counts) {
      lengths.push_back(static_cast<int64_t>(moments.size()));
      for (int64_t k = 0; k < lengths.back() * size; ++k) to[k] = std::move(*from++);
      to += most * size;
    }
    if (part.lengths_output < 0) return absl::OkStatus();
    SF_RETURN_IF_ERROR(Allocate(part.lengths_output + i, Rows()));
    std::copy(lengths.begin(), lengths.end(), c_.out<int64_t>(part.lengths_output + i));
    return absl::OkStatus();
  }

  // Values, and where the rows begin and end: of a list the examples among moments, and the moments among values.
  template <typename T>
  absl::Status Ragged(const SequencePart& part, absl::string_view key, int i) {
    CollectedFeature<T> feature;
    SF_RETURN_IF_ERROR(Collect(part, key, &feature));
    std::vector<int64_t> examples = {0}, moments = {0};
    for (const std::vector<int64_t>& counts : feature.counts) {
      for (int64_t n : counts) moments.push_back(moments.back() + n);
      examples.push_back(static_cast<int64_t>(moments.size()) - 1);
    }
    const int n = part.num(part.ragged);
    SF_RETURN_IF_ERROR(Deliver(part.ragged_output + i, feature.values));
    if (!batched_) examples.clear();  // one example is no row among rows
    if (!part.is_list) return DeliverSplits(part.ragged_output + n + i, batched_ ? moments : examples);
    SF_RETURN_IF_ERROR(DeliverSplits(part.ragged_output + n + i, examples));
    return DeliverSplits(part.ragged_output + 2 * n + i, moments);
  }
  absl::Status DeliverSplits(int output, const std::vector<int64_t>& splits) {
    SF_RETURN_IF_ERROR(Allocate(output, {static_cast<int64_t>(splits.size())}));
    DispatchType<int32_t, int64_t>(c_.output(output).dtype,
                                   [&]<typename S>() { std::copy(splits.begin(), splits.end(), c_.out<S>(output)); });
    return absl::OkStatus();
  }

  KernelContext& c_;
  const SequenceSpec& spec_;
  const std::vector<bool>& allocate_;
  const bool batched_;
  std::vector<ExampleFeatures> contexts_;
  std::vector<SequenceLists> lists_;
  SequenceKeys context_keys_, list_keys_;
  std::vector<std::string> may_be_missing_;
  int first_default_ = 0;
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_SEQUENCE_PARSER_H_
