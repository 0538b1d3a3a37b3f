// A network on disk: graph.pb and graph.pbtxt in a folder, and a checkpoint.
//
//   SF_ASSIGN_OR_RETURN(std::string checkpoint, SaveNetwork(session, net, "out/net", "out/net/model.ckpt", nullptr));
//   SF_ASSIGN_OR_RETURN(LoadedNetwork loaded, LoadNetwork("out/net", checkpoint, net.tensors(), {.threads = 2}));
//   TestNetwork(*loaded.session, *loaded.graph, loaded.tensors, data, {});
#ifndef STATICFLOW_EXAMPLES_SUPPORT_SAVED_NETWORK_H_
#define STATICFLOW_EXAMPLES_SUPPORT_SAVED_NETWORK_H_

#include <memory>
#include <string>

#include "examples/support/neural_net.h"
#include "staticflow.h"

namespace staticflow {

// Adds a Saver to the graph, then writes all files; the graph also to `events`, unless that is null. Returns the path
// for LoadNetwork. Errors name the file.
absl::StatusOr<std::string> SaveNetwork(Session& session, NeuralNet& net, const std::string& dir,
                                        const std::string& checkpoint, EventWriter* events);

struct LoadedNetwork {
  std::unique_ptr<Graph> graph;
  std::unique_ptr<Session> session;  // its variables have the checkpoint's values
  NetworkTensors tensors;
};
// The network from its GraphDef and checkpoint alone. `names` tells, by name, which tensors of the graph to find.
absl::StatusOr<LoadedNetwork> LoadNetwork(const std::string& dir, const std::string& checkpoint,
                                          const NetworkTensors& names, const SessionOptions& options);

}  // namespace staticflow

#endif  // STATICFLOW_EXAMPLES_SUPPORT_SAVED_NETWORK_H_
