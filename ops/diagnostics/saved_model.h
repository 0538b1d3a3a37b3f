// A SavedModel of a graph without variables: the folder that TensorFlow's loaders, TensorFlow Serving and converters
// take.
//
//   SF_RETURN_IF_ERROR(WriteSavedModel(env, "out/model", g, {.inputs = {{"images", x}}, .outputs = {{"scores", y}}}));
//
//   tf.compat.v1.saved_model.load(session, ["serve"], "out/model")
//   tf.saved_model.load("out/model").signatures["serving_default"]
#ifndef STATICFLOW_OPS_DIAGNOSTICS_SAVED_MODEL_H_
#define STATICFLOW_OPS_DIAGNOSTICS_SAVED_MODEL_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "runtime/io/env.h"

namespace staticflow {

struct SavedModelOptions {
  // What the signature calls them, and the tensors.
  std::vector<std::pair<std::string, Output>> inputs = {};
  std::vector<std::pair<std::string, Output>> outputs = {};
  std::string signature = "serving_default";
  std::vector<std::string> tags = {"serve"};
};

// The bytes of saved_model.pb. InvalidArgument: a graph with variables, an input or output of another graph, two inputs
// or outputs of one name; the graph's first building error, if it has one.
absl::StatusOr<std::string> SavedModelBytes(const Graph& g, const SavedModelOptions& options);

// Writes `directory`/saved_model.pb, whole or not at all.
absl::Status WriteSavedModel(Env* env, const std::string& directory, const Graph& g, const SavedModelOptions& options);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_SAVED_MODEL_H_
