// Architectures and whole models as files: the graph as a MetaGraphDef, with names for the tensors that one works with,
// alone or beside a checkpoint.
//
//   SF_RETURN_IF_ERROR(train::SaveArchitecture(env, g, "model.json", {{"input", x}, {"logits", logits}}));
//
//   Graph g2;                                                     // without any code of the network, and without
//   weights SF_ASSIGN_OR_RETURN(train::Architecture model, train::LoadArchitecture(env, "model.json", g2)); Session
//   session(g2); train::Saver saver(g2, ...); SF_RETURN_IF_ERROR(saver.Restore(session, "model.ckpt"));     // weights
//   of whoever trained them session.Run({{model.tensors["input"], images}}, model.tensors["logits"]);
//
// The end of the path decides the form: .json (the JSON of protobuf), .pbtxt (its text), anything else binary, as
// TensorFlow's .meta files. There is no HDF5: what Keras puts into one .h5 file, a checkpoint holds beside its .meta.
// Not thread-safe for a graph that is being built.
#ifndef STATICFLOW_OPS_TRAIN_ARCHITECTURE_H_
#define STATICFLOW_OPS_TRAIN_ARCHITECTURE_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "graph/meta_graph.h"
#include "ops/train/saver.h"
#include "runtime/io/env.h"
#include "runtime/session.h"

namespace staticflow::train {

using NamedTensors = std::map<std::string, Output>;

struct Architecture {
  MetaGraph meta;
  NamedTensors tensors;  // those that SaveArchitecture was given
};

// Writes the graph, power-safe; the names become the signature "tensors" of the MetaGraphDef.
// InvalidArgument for a tensor that is none of `g`; the graph's first error, if it has one.
absl::Status SaveArchitecture(Env* env, const Graph& g, const std::string& path, const NamedTensors& tensors,
                              const MetaGraphOptions& options = {});
// Adds the graph of such a file, or of any .meta file, to `g`. Errors as of ImportMetaGraph; InvalidArgument also for a
// file that is no MetaGraphDef.
absl::StatusOr<Architecture> LoadArchitecture(Env* env, const std::string& path, Graph& g);

// Saves a checkpoint as saver.Save does, with the names in its .meta file: a whole model. Returns the path prefix.
absl::StatusOr<std::string> SaveModel(Session& session, Saver& saver, const std::string& prefix,
                                      const NamedTensors& tensors);

struct LoadedModel {
  std::unique_ptr<Graph> graph;
  std::unique_ptr<Session> session;  // the saver's variables have the checkpoint's values
  NamedTensors tensors;
};
// A model from the files of SaveModel alone.
absl::StatusOr<LoadedModel> LoadModel(const std::string& prefix, const SessionOptions& options = {});

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_ARCHITECTURE_H_
