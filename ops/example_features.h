// Reads tf.train.Example and tf.train.SequenceExample messages as they lie: nothing is copied before somebody asks for
// values.
//
//   SF_ASSIGN_OR_RETURN(const ExampleFeatures features, ReadExample(bytes));
//   std::vector<float> x;
//   SF_ASSIGN_OR_RETURN(bool present, AppendValues(features, "x", &x));
//
// Nothing in the bytes is trusted. Pure functions; any thread may call them.
#ifndef STATICFLOW_OPS_EXAMPLE_FEATURES_H_
#define STATICFLOW_OPS_EXAMPLE_FEATURES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "graph/dtype.h"

namespace staticflow {

// A list of values, still encoded. DT_INVALID: the feature holds none of the three lists.
struct EncodedFeature {
  DataType dtype = DT_INVALID;
  absl::string_view list;
};
// By name. Views into the bytes of the example.
using ExampleFeatures = absl::flat_hash_map<absl::string_view, EncodedFeature>;

// InvalidArgument when `example` is no Example. Of several features of one name the last one counts.
absl::StatusOr<ExampleFeatures> ReadExample(absl::string_view example);

// Appends the values of a feature; false when there is none (or, of one feature, nothing). InvalidArgument when it is
// of another type. T is float, int64_t or std::string.
template <typename T>
absl::StatusOr<bool> AppendValues(const ExampleFeatures& features, absl::string_view key, std::vector<T>* values);

template <typename T>
absl::Status AppendValues(const EncodedFeature& feature, absl::string_view key, std::vector<T>* values);

// The lists of a tf.train.SequenceExample, by name: a feature for each moment. ReadExample reads its context.
using SequenceLists = absl::flat_hash_map<absl::string_view, std::vector<EncodedFeature>>;
// InvalidArgument when `example` is no SequenceExample. Of several lists of one name the last one counts.
absl::StatusOr<SequenceLists> ReadSequenceLists(absl::string_view example);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_EXAMPLE_FEATURES_H_
