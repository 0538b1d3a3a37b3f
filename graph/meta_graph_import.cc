#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/control_flow_proto.h"
#include "graph/graph_import.h"
#include "graph/meta_graph.h"
#include "graph/proto_bytes.h"
#include "graph/status.h"
#include "graph/tensor_proto.h"
#include "proto/meta_graph.pb.h"
#include "proto/variable.pb.h"

namespace staticflow {
namespace {

using absl::InvalidArgumentError;
using absl::StrCat;

// What the file says beside its nodes, checked against the nodes that are in the graph already. Nothing refers to it
// before Commit, so the nodes can still be taken back.
class CollectionReader {
 public:
  CollectionReader(Graph& g, const std::string& prefix) : g_(g), prefix_(prefix), contexts_(g, prefix) {}

  absl::Status Read(const proto::MetaGraphDef& meta);
  void Commit();

 private:
  absl::Status ReadCollection(const std::string& key, const proto::CollectionDef& collection);
  absl::Status ReadNodeList(const std::string& key, const proto::CollectionDef::NodeList& list);
  absl::Status ReadContexts(bool are_loops, const proto::CollectionDef::BytesList& list);
  absl::Status KeepAsItCame(const std::string& key, const proto::CollectionDef& collection);
  // Whether every entry is the VariableDef of a variable of the graph.
  bool IsVariableList(const proto::CollectionDef& collection) const;
  absl::Status ReadVariables(const std::string& key, const proto::CollectionDef::BytesList& list);
  absl::StatusOr<Variable> ReadVariable(const proto::VariableDef& message) const;

  // InvalidArgument when there is no such output: the file contradicts itself.
  absl::StatusOr<Output> FindOutput(absl::string_view name) const {
    absl::StatusOr<Output> output = g_.FindOutput(StrCat(prefix_, name));
    return output.ok() ? output : InvalidArgumentError(output.status().message());
  }
  Node* FindNode(absl::string_view name) const { return g_.FindNode(StrCat(prefix_, name)); }

  Graph& g_;
  const std::string prefix_;
  std::vector<std::pair<std::string, CollectionItem>> items_;
  std::vector<Variable> variables_;
  std::vector<std::vector<std::string>> keys_;  // the collections of each variable
  absl::flat_hash_map<const Node*, size_t> variable_index_;
  ContextReader contexts_;
  std::vector<std::pair<std::string, std::string>> opaque_;
};

absl::Status CollectionReader::Read(const proto::MetaGraphDef& meta) {
  // In an order of our own: that of the map is anyone's guess. The collection of all variables decides their order.
  std::vector<std::string> keys;
  for (const auto& [key, collection] : meta.collection_def()) keys.push_back(key);
  std::sort(keys.begin(), keys.end(), [](const std::string& a, const std::string& b) {
    return std::make_pair(a != kGlobalVariables, absl::string_view(a)) <
           std::make_pair(b != kGlobalVariables, absl::string_view(b));
  });
  for (const std::string& key : keys) {
    absl::Status status = ReadCollection(key, meta.collection_def().at(key));
    if (!status.ok()) return Annotate(status, StrCat("collection '", key, "': "));
  }
  return absl::OkStatus();
}

absl::Status CollectionReader::ReadCollection(const std::string& key, const proto::CollectionDef& collection) {
  if (collection.has_node_list()) return ReadNodeList(key, collection.node_list());
  if ((key == kCondContext || key == kWhileContext) && collection.has_bytes_list()) {
    return ReadContexts(key == kWhileContext, collection.bytes_list());
  }
  if (IsVariableList(collection)) return ReadVariables(key, collection.bytes_list());
  if (key == kGlobalVariables || key == kTrainableVariables) {
    return InvalidArgumentError("an entry is no definition of a variable of the graph");
  }
  return KeepAsItCame(key, collection);
}

absl::Status CollectionReader::KeepAsItCame(const std::string& key, const proto::CollectionDef& collection) {
  proto::CollectionDef merged;
  if (auto it = g_.opaque_collections().find(key); it != g_.opaque_collections().end()) {
    SF_RETURN_IF_ERROR(ParseMessage(it->second, "CollectionDef", &merged));
  }
  merged.MergeFrom(collection);
  SF_ASSIGN_OR_RETURN(std::string bytes, SerializeMessage(merged));
  opaque_.emplace_back(key, std::move(bytes));
  return absl::OkStatus();
}

absl::Status CollectionReader::ReadNodeList(const std::string& key, const proto::CollectionDef::NodeList& list) {
  for (const std::string& name : list.value()) {
    if (absl::StrContains(name, ':')) {
      SF_ASSIGN_OR_RETURN(const Output output, FindOutput(name));
      items_.emplace_back(key, output);
    } else {
      Node* node = FindNode(name);
      if (node == nullptr) return InvalidArgumentError(StrCat("there is no node '", name, "'"));
      items_.emplace_back(key, Operation(node));
    }
  }
  return absl::OkStatus();
}

bool CollectionReader::IsVariableList(const proto::CollectionDef& collection) const {
  if (!collection.has_bytes_list() || collection.bytes_list().value().empty()) return false;
  return std::all_of(collection.bytes_list().value().begin(), collection.bytes_list().value().end(),
                     [&](const std::string& bytes) {
                       proto::VariableDef message;
                       if (!ParseMessage(bytes, "VariableDef", &message).ok()) return false;
                       const absl::StatusOr<Output> ref = FindOutput(message.variable_name());
                       if (!ref.ok()) return false;
                       const Op& op = ref->node()->op();
                       return op.is(OpRole::kVariable) || op.is(OpRole::kVarHandle);
                     });
}

absl::StatusOr<Variable> CollectionReader::ReadVariable(const proto::VariableDef& message) const {
  SF_ASSIGN_OR_RETURN(const Output ref, FindOutput(message.variable_name()));
  Variable variable{.variable = ref.node(),
                    .initializer = FindNode(message.initializer_name()),
                    .initial_value = Output(),
                    .snapshot = Output(),
                    .dtype = ref.node()->attr<DataType>("dtype"),
                    .shape = ref.node()->attr<Shape>("shape"),
                    .trainable = message.trainable(),
                    .is_resource = ref.node()->op().is(OpRole::kVarHandle)};
  if (variable.initializer == nullptr) {
    return InvalidArgumentError(StrCat("there is no node '", message.initializer_name(), "'"));
  }
  SF_ASSIGN_OR_RETURN(variable.snapshot, FindOutput(message.snapshot_name()));
  // Files from before TensorFlow 1.3 do not tell the initial value; the initializer's last input is it.
  if (!message.initial_value_name().empty()) {
    SF_ASSIGN_OR_RETURN(variable.initial_value, FindOutput(message.initial_value_name()));
  } else if (variable.initializer->num_inputs() > 0) {
    variable.initial_value = variable.initializer->input(variable.initializer->num_inputs() - 1);
  }
  if (variable.snapshot.dtype() != variable.dtype) {
    return InvalidArgumentError(StrCat("'", message.snapshot_name(), "' is ", DataTypeName(variable.snapshot.dtype()),
                                       ", the variable is ", DataTypeName(variable.dtype)));
  }
  return variable;
}

absl::Status CollectionReader::ReadVariables(const std::string& key, const proto::CollectionDef::BytesList& list) {
  for (const std::string& bytes : list.value()) {
    proto::VariableDef message;
    SF_RETURN_IF_ERROR(ParseMessage(bytes, "VariableDef", &message));
    absl::StatusOr<Variable> variable = ReadVariable(message);
    if (!variable.ok()) return Annotate(variable.status(), StrCat("variable '", message.variable_name(), "': "));
    // Old files lack the field; who is in this collection is trainable.
    variable->trainable |= key == kTrainableVariables;
    const auto [it, is_new] = variable_index_.try_emplace(variable->variable, variables_.size());
    if (is_new) {
      variables_.push_back(*std::move(variable));
      keys_.emplace_back();
    } else {
      variables_[it->second].trainable |= variable->trainable;
    }
    keys_[it->second].push_back(key);
  }
  return absl::OkStatus();
}

absl::Status CollectionReader::ReadContexts(bool are_loops, const proto::CollectionDef::BytesList& list) {
  for (const std::string& bytes : list.value()) {
    proto::ControlFlowContextDef root;
    SF_RETURN_IF_ERROR(are_loops ? ParseMessage(bytes, "WhileContextDef", root.mutable_while_ctxt())
                                 : ParseMessage(bytes, "CondContextDef", root.mutable_cond_ctxt()));
    SF_RETURN_IF_ERROR(contexts_.Read(root));
  }
  return absl::OkStatus();
}

void CollectionReader::Commit() {
  for (const auto& [key, item] : items_) g_.AddToCollection(key, item);
  for (size_t i = 0; i < variables_.size(); ++i) {
    const std::vector<absl::string_view> keys(keys_[i].begin(), keys_[i].end());
    g_.AddVariable(std::move(variables_[i]), keys);
  }
  contexts_.Commit();
  for (auto& [key, bytes] : opaque_) g_.opaque_collections()[key] = std::move(bytes);
}

std::optional<SaverInfo> ReadSaver(const proto::MetaGraphDef& meta, const std::string& prefix) {
  if (!meta.has_saver_def()) return std::nullopt;
  const proto::SaverDef& saver = meta.saver_def();
  return SaverInfo{.filename_tensor = StrCat(prefix, saver.filename_tensor_name()),
                   .save_tensor = StrCat(prefix, saver.save_tensor_name()),
                   .restore_op = StrCat(prefix, saver.restore_op_name()),
                   .max_to_keep = saver.max_to_keep(),
                   .sharded = saver.sharded(),
                   .keep_checkpoint_every_n_hours = saver.keep_checkpoint_every_n_hours(),
                   .version = saver.version()};
}

}  // namespace

absl::StatusOr<MetaGraph> ImportMetaGraph(const proto::MetaGraphDef& meta, Graph& g, const ImportOptions& options) {
  ImportOptions with_ops = options;
  if (with_ops.producer_ops == nullptr) with_ops.producer_ops = &meta.meta_info_def().stripped_op_list();
  GraphImporter importer(meta.graph_def(), g, with_ops);
  SF_RETURN_IF_ERROR(importer.Run());
  CollectionReader collections(g, importer.prefix());
  if (absl::Status status = collections.Read(meta); !status.ok()) {
    importer.TakeBack();
    return status;
  }
  collections.Commit();
  MetaGraph result;
  result.saver = ReadSaver(meta, importer.prefix());
  result.tags.assign(meta.meta_info_def().tags().begin(), meta.meta_info_def().tags().end());
  result.tensorflow_version = meta.meta_info_def().tensorflow_version();
  return result;
}

absl::StatusOr<MetaGraph> ImportMetaGraph(absl::string_view bytes, Graph& g, const ImportOptions& options) {
  proto::MetaGraphDef meta;
  SF_RETURN_IF_ERROR(ParseMessage(bytes, "MetaGraphDef", &meta));
  return ImportMetaGraph(meta, g, options);
}

}  // namespace staticflow
