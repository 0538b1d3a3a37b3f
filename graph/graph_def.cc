#include "graph/graph_def.h"

#include "absl/strings/str_cat.h"
#include "graph/attr_proto.h"
#include "graph/proto_bytes.h"
#include "graph/status.h"
#include "proto/graph.pb.h"

namespace staticflow {
namespace {

absl::Status NodeToProto(const Node& node, proto::NodeDef* message) {
  message->set_name(node.name());
  message->set_op(node.type());
  message->set_device(node.device());
  for (int i = 0; i < node.num_inputs(); ++i) {
    const Output input = node.input(i);
    if (!input.valid()) {
      return absl::FailedPreconditionError(
          absl::StrCat(node.DebugName(), ": input ", i, " was left open and never connected"));
    }
    message->add_input(input.index() == 0 ? input.node()->name() : input.name());
  }
  for (const Node* control : node.control_inputs()) message->add_input(absl::StrCat("^", control->name()));
  for (const auto& [name, value] : node.attrs()) AttrToProto(value, &(*message->mutable_attr())[name]);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<proto::GraphDef> ToGraphDef(const Graph& g) {
  SF_RETURN_IF_ERROR(g.status());
  proto::GraphDef graph_def;
  for (const auto& node : g.nodes()) SF_RETURN_IF_ERROR(NodeToProto(*node, graph_def.add_node()));
  graph_def.mutable_versions()->set_producer(kGraphDefVersion);
  if (!g.function_library().empty()) {
    SF_RETURN_IF_ERROR(ParseMessage(g.function_library(), "FunctionDefLibrary", graph_def.mutable_library()));
  }
  return graph_def;
}

absl::StatusOr<std::string> GraphDefBytes(const Graph& g) {
  SF_ASSIGN_OR_RETURN(proto::GraphDef graph_def, ToGraphDef(g));
  return SerializeMessage(graph_def);
}

absl::StatusOr<std::string> GraphDefText(const Graph& g) {
  SF_ASSIGN_OR_RETURN(proto::GraphDef graph_def, ToGraphDef(g));
  return PrintMessage(graph_def);
}

absl::Status WriteGraph(const Graph& g, GraphFormat format, absl::FunctionRef<absl::Status(absl::string_view)> write) {
  SF_ASSIGN_OR_RETURN(std::string contents, format == GraphFormat::kText ? GraphDefText(g) : GraphDefBytes(g));
  return write(contents);
}

absl::Status ImportGraphDef(absl::string_view bytes, Graph& g, const ImportOptions& options) {
  proto::GraphDef graph_def;
  SF_RETURN_IF_ERROR(ParseMessage(bytes, "GraphDef", &graph_def));
  return ImportGraphDef(graph_def, g, options);
}

absl::Status ImportGraphDefText(absl::string_view text, Graph& g, const ImportOptions& options) {
  proto::GraphDef graph_def;
  SF_RETURN_IF_ERROR(ParseTextMessage(text, "GraphDef", &graph_def));
  return ImportGraphDef(graph_def, g, options);
}

}  // namespace staticflow
