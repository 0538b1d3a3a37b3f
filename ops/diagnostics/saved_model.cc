#include "ops/diagnostics/saved_model.h"

#include "absl/strings/str_cat.h"
#include "graph/meta_graph.h"
#include "graph/proto_bytes.h"
#include "graph/status.h"
#include "graph/tensor_proto.h"
#include "proto/meta_graph.pb.h"
#include "proto/saved_model.pb.h"

namespace staticflow {
namespace {

using TensorInfos = google::protobuf::Map<std::string, proto::TensorInfo>;

absl::Status AddTensors(const Graph& g, const std::vector<std::pair<std::string, Output>>& tensors,
                        TensorInfos* infos) {
  for (const auto& [name, output] : tensors) {
    if (!output.valid() || &output.graph() != &g) {
      return absl::InvalidArgumentError(absl::StrCat("SavedModel: '", name, "' is no output of this graph"));
    }
    proto::TensorInfo info;
    info.set_name(output.name());
    info.set_dtype(static_cast<proto::DataType>(output.dtype()));
    *info.mutable_tensor_shape() = ShapeToProto(output.shape());
    if (!infos->insert({name, info}).second) {
      return absl::InvalidArgumentError(absl::StrCat("SavedModel: two tensors are called '", name, "'"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> SavedModelBytes(const Graph& g, const SavedModelOptions& options) {
  for (const auto& node : g.nodes()) {
    if (node->op().is(OpRole::kVariable) || node->op().is(OpRole::kVarHandle)) {
      return absl::InvalidArgumentError(
          absl::StrCat("SavedModel: ", node->DebugName(), " is a variable; freeze the graph first"));
    }
  }
  proto::SavedModel model;
  model.set_saved_model_schema_version(1);
  SF_ASSIGN_OR_RETURN(*model.add_meta_graphs(), ToMetaGraphDef(g, {.tags = options.tags}));
  proto::SignatureDef& signature = (*model.mutable_meta_graphs(0)->mutable_signature_def())[options.signature];
  signature.set_method_name("tensorflow/serving/predict");
  SF_RETURN_IF_ERROR(AddTensors(g, options.inputs, signature.mutable_inputs()));
  SF_RETURN_IF_ERROR(AddTensors(g, options.outputs, signature.mutable_outputs()));
  return SerializeMessage(model);
}

absl::Status WriteSavedModel(Env* env, const std::string& directory, const Graph& g, const SavedModelOptions& options) {
  SF_ASSIGN_OR_RETURN(const std::string bytes, SavedModelBytes(g, options));
  SF_RETURN_IF_ERROR(env->CreateDir(directory));
  return ReplaceFile(env, JoinPath(directory, "saved_model.pb"), bytes);
}

}  // namespace staticflow
