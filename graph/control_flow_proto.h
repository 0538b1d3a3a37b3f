// Control-flow contexts as messages: CondContextDef and WhileContextDef of a MetaGraphDef's collections.
#ifndef STATICFLOW_GRAPH_CONTROL_FLOW_PROTO_H_
#define STATICFLOW_GRAPH_CONTROL_FLOW_PROTO_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "graph/control_flow.h"
#include "proto/control_flow.pb.h"

namespace staticflow {

// `context` with the contexts inside it, as deep as the program nests them.
void ContextToProto(const Graph& g, const ControlFlowContext& context, proto::ControlFlowContextDef* message);

// Reads contexts of nodes that are in the graph already, under `prefix`; nothing refers to them before Commit.
class ContextReader {
 public:
  ContextReader(Graph& g, std::string prefix) : graph_(g), prefix_(std::move(prefix)) {}

  // Takes in `root` and what is inside it. InvalidArgument when it names nodes that are not there.
  absl::Status Read(const proto::ControlFlowContextDef& root);
  void Commit();

 private:
  struct Context {
    std::unique_ptr<ControlFlowContext> context;
    std::vector<Node*> nodes;    // built in it, those of contexts inside it included
    std::vector<Node*> outside;  // of these, those that stand outside: the Exits of a loop
    int outer = -1;              // index of the one around it
  };
  absl::Status ReadCond(const proto::CondContextDef& message, int outer);
  absl::Status ReadLoop(const proto::WhileContextDef& message, int outer);
  absl::Status ReadValues(const proto::ValuesDef& values, Context* context);
  // InvalidArgument when there is no such output: the file contradicts itself.
  absl::StatusOr<Output> FindOutput(absl::string_view name) const;
  ControlFlowContext* Around(int outer) const { return outer < 0 ? nullptr : contexts_[outer].context.get(); }

  Graph& graph_;
  std::string prefix_;
  std::vector<Context> contexts_;
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_CONTROL_FLOW_PROTO_H_
