#include "examples/support/saved_network.h"

#include <utility>

#include "graph/graph_def.h"
#include "proto/event.pb.h"
#include "runtime/io/env.h"

namespace staticflow {

absl::StatusOr<std::string> SaveNetwork(Session& session, NeuralNet& net, const std::string& dir,
                                        const std::string& checkpoint, EventWriter* events) {
  Env* env = PosixEnv();
  train::Saver saver(net.graph());
  SF_RETURN_IF_ERROR(env->CreateDir(dir));
  SF_RETURN_IF_ERROR(env->CreateDir(DirName(checkpoint)));
  SF_ASSIGN_OR_RETURN(std::string prefix, saver.Save(session, checkpoint));
  SF_ASSIGN_OR_RETURN(const std::string bytes, GraphDefBytes(net.graph()));
  SF_ASSIGN_OR_RETURN(const std::string text, GraphDefText(net.graph()));
  SF_RETURN_IF_ERROR(ReplaceFile(env, JoinPath(dir, "graph.pb"), bytes));
  SF_RETURN_IF_ERROR(ReplaceFile(env, JoinPath(dir, "graph.pbtxt"), text));
  if (events == nullptr) return prefix;
  proto::Event event;
  event.set_graph_def(bytes);
  SF_RETURN_IF_ERROR(events->Write(event));
  return prefix;
}

absl::StatusOr<LoadedNetwork> LoadNetwork(const std::string& dir, const std::string& checkpoint,
                                          const NetworkTensors& names, const SessionOptions& options) {
  SF_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(PosixEnv(), JoinPath(dir, "graph.pb")));
  LoadedNetwork loaded;
  loaded.graph = std::make_unique<Graph>();
  SF_RETURN_IF_ERROR(ImportGraphDef(bytes, *loaded.graph));
  for (const auto& [name, tensor] : {std::pair(names.input.name(), &loaded.tensors.input),
                                     std::pair(names.is_training.name(), &loaded.tensors.is_training),
                                     std::pair(names.logits.name(), &loaded.tensors.logits)}) {
    SF_ASSIGN_OR_RETURN(*tensor, loaded.graph->FindOutput(name));
  }
  loaded.session = std::make_unique<Session>(*loaded.graph, options);
  // The nodes that the Saver added, by the names that it gives them.
  SF_RETURN_IF_ERROR(
      loaded.session->RunByName({{"save/Const:0", Tensor(checkpoint)}}, {}, {"save/restore_all"}).status());
  return loaded;
}

}  // namespace staticflow
