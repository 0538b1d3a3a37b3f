#include "graph/meta_graph.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "graph/control_flow_proto.h"
#include "graph/op_def_proto.h"
#include "graph/proto_bytes.h"
#include "graph/status.h"
#include "proto/meta_graph.pb.h"
#include "proto/variable.pb.h"

namespace staticflow {
namespace {

// The release whose format this is.
constexpr char kTensorFlowVersion[] = "1.15.0";

proto::VariableDef VariableToProto(const Variable& variable) {
  proto::VariableDef message;
  message.set_variable_name(variable.ref().name());
  if (variable.initializer != nullptr) message.set_initializer_name(variable.initializer->name());
  if (variable.initial_value.valid()) message.set_initial_value_name(variable.initial_value.name());
  if (variable.snapshot.valid()) message.set_snapshot_name(variable.snapshot.name());
  message.set_is_resource(variable.is_resource);
  message.set_trainable(variable.trainable);
  return message;
}

absl::Status WriteCollections(const Graph& g, proto::MetaGraphDef* meta) {
  auto& collections = *meta->mutable_collection_def();
  for (const std::string& key : g.collection_keys()) {
    for (const Variable* variable : g.variables(key)) {
      SF_ASSIGN_OR_RETURN(std::string bytes, SerializeMessage(VariableToProto(*variable)));
      collections[key].mutable_bytes_list()->add_value(std::move(bytes));
    }
    if (collections[key].has_bytes_list()) continue;
    for (const CollectionItem& item : g.collection(key)) collections[key].mutable_node_list()->add_value(item.name());
  }
  for (const auto& [key, bytes] : g.opaque_collections()) {
    proto::CollectionDef opaque;
    SF_RETURN_IF_ERROR(ParseMessage(bytes, "CollectionDef", &opaque));
    collections[key].MergeFrom(opaque);
  }
  for (const auto& context : g.contexts()) {
    if (context->outer() != nullptr) continue;
    proto::ControlFlowContextDef message;
    ContextToProto(g, *context, &message);
    const bool is_loop = message.has_while_ctxt();
    SF_ASSIGN_OR_RETURN(std::string bytes,
                        is_loop ? SerializeMessage(message.while_ctxt()) : SerializeMessage(message.cond_ctxt()));
    const absl::string_view key = is_loop ? kWhileContext : kCondContext;
    collections[std::string(key)].mutable_bytes_list()->add_value(std::move(bytes));
  }
  return absl::OkStatus();
}

// The definitions of all registered ops that the graph or its functions use.
void ListOps(const proto::GraphDef& graph_def, proto::OpList* list) {
  std::set<std::string> types;
  for (const proto::NodeDef& node : graph_def.node()) types.insert(node.op());
  for (const proto::FunctionDef& function : graph_def.library().function()) {
    for (const proto::NodeDef& node : function.node_def()) types.insert(node.op());
  }
  for (const std::string& type : types) {
    if (const Op* op = FindOp(type)) *list->add_op() = OpToProto(*op);
  }
}

void StripDefaults(const Graph& g, proto::GraphDef* graph_def) {
  for (int i = 0; i < graph_def->node_size(); ++i) {
    const Node& node = *g.nodes()[i];
    for (const AttrDef& attr : node.op().attrs) {
      if (attr.default_value.has_value() && node.attrs().at(attr.name) == *attr.default_value) {
        graph_def->mutable_node(i)->mutable_attr()->erase(attr.name);
      }
    }
  }
}

void SaverToProto(const SaverInfo& saver, proto::SaverDef* message) {
  message->set_filename_tensor_name(saver.filename_tensor);
  message->set_save_tensor_name(saver.save_tensor);
  message->set_restore_op_name(saver.restore_op);
  message->set_max_to_keep(saver.max_to_keep);
  message->set_sharded(saver.sharded);
  message->set_keep_checkpoint_every_n_hours(saver.keep_checkpoint_every_n_hours);
  message->set_version(static_cast<proto::SaverDef::CheckpointFormatVersion>(saver.version));
}

}  // namespace

absl::StatusOr<proto::MetaGraphDef> ToMetaGraphDef(const Graph& g, const MetaGraphOptions& options) {
  proto::MetaGraphDef meta;
  SF_ASSIGN_OR_RETURN(*meta.mutable_graph_def(), ToGraphDef(g));
  if (options.strip_default_attrs) StripDefaults(g, meta.mutable_graph_def());
  proto::MetaGraphDef::MetaInfoDef& info = *meta.mutable_meta_info_def();
  ListOps(meta.graph_def(), info.mutable_stripped_op_list());
  for (const std::string& tag : options.tags) info.add_tags(tag);
  info.set_tensorflow_version(kTensorFlowVersion);
  info.set_stripped_default_attrs(options.strip_default_attrs);
  if (options.saver.has_value()) SaverToProto(*options.saver, meta.mutable_saver_def());
  SF_RETURN_IF_ERROR(WriteCollections(g, &meta));
  return meta;
}

absl::StatusOr<std::string> MetaGraphBytes(const Graph& g, const MetaGraphOptions& options) {
  SF_ASSIGN_OR_RETURN(proto::MetaGraphDef meta, ToMetaGraphDef(g, options));
  return SerializeMessage(meta);
}

}  // namespace staticflow
