#include "ops/train/architecture.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/type_resolver_util.h"
#include "graph/proto_bytes.h"
#include "graph/status.h"
#include "proto/meta_graph.pb.h"

namespace staticflow::train {
namespace {

constexpr char kSignature[] = "tensors";

constexpr char kTypes[] = "type.googleapis.com";

absl::StatusOr<std::string> Serialize(const proto::MetaGraphDef& meta, const std::string& path) {
  if (absl::EndsWith(path, ".pbtxt")) return PrintMessage(meta);
  SF_ASSIGN_OR_RETURN(std::string bytes, SerializeMessage(meta));
  if (!absl::EndsWith(path, ".json")) return bytes;
  // From the bytes, whose maps are in order: equal graphs give equal files.
  const std::unique_ptr<google::protobuf::util::TypeResolver> types(
      google::protobuf::util::NewTypeResolverForDescriptorPool(kTypes,
                                                               google::protobuf::DescriptorPool::generated_pool()));
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto printed = google::protobuf::util::BinaryToJsonString(
      types.get(), absl::StrCat(kTypes, "/", meta.GetDescriptor()->full_name()), bytes, &json, options);
  if (printed.ok()) return json;
  return absl::InvalidArgumentError(absl::StrCat(path, ": the graph has no JSON form: ", printed.ToString()));
}

absl::Status Parse(const std::string& bytes, const std::string& path, proto::MetaGraphDef* meta) {
  if (absl::EndsWith(path, ".pbtxt")) return ParseTextMessage(bytes, path + ": MetaGraphDef", meta);
  if (!absl::EndsWith(path, ".json")) return ParseMessage(bytes, path + ": MetaGraphDef", meta);
  const auto parsed = google::protobuf::util::JsonStringToMessage(bytes, meta);
  if (parsed.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": no MetaGraphDef: ", parsed.ToString()));
}

}  // namespace

absl::Status SaveArchitecture(Env* env, const Graph& g, const std::string& path, const NamedTensors& tensors,
                              const MetaGraphOptions& options) {
  SF_ASSIGN_OR_RETURN(proto::MetaGraphDef meta, ToMetaGraphDef(g, options));
  proto::SignatureDef& signature = (*meta.mutable_signature_def())[kSignature];
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.valid() || &tensor.graph() != &g) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": '", name, "' is no tensor of the graph"));
    }
    proto::TensorInfo& info = (*signature.mutable_outputs())[name];
    info.set_name(tensor.name());
    info.set_dtype(static_cast<proto::DataType>(tensor.dtype()));
  }
  SF_ASSIGN_OR_RETURN(const std::string bytes, Serialize(meta, path));
  SF_RETURN_IF_ERROR(env->CreateDir(DirName(path)));
  return ReplaceFile(env, path, bytes);
}

absl::StatusOr<Architecture> LoadArchitecture(Env* env, const std::string& path, Graph& g) {
  SF_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(env, path));
  proto::MetaGraphDef meta;
  SF_RETURN_IF_ERROR(Parse(bytes, path, &meta));
  Architecture architecture;
  absl::StatusOr<MetaGraph> imported = ImportMetaGraph(meta, g);
  if (!imported.ok()) return Annotate(imported.status(), absl::StrCat(path, ": "));
  architecture.meta = *std::move(imported);
  const auto signature = meta.signature_def().find(kSignature);
  if (signature == meta.signature_def().end()) return architecture;
  for (const auto& [name, info] : signature->second.outputs()) {
    const absl::StatusOr<Output> tensor = g.FindOutput(info.name());
    if (!tensor.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": '", name, "': ", tensor.status().message()));
    }
    architecture.tensors[name] = *tensor;
  }
  return architecture;
}

absl::StatusOr<std::string> SaveModel(Session& session, Saver& saver, const std::string& prefix,
                                      const NamedTensors& tensors) {
  SF_ASSIGN_OR_RETURN(const std::string saved, saver.Save(session, prefix));
  Env* env = session.options().env != nullptr ? session.options().env : PosixEnv();
  SF_RETURN_IF_ERROR(
      SaveArchitecture(env, session.graph(), absl::StrCat(saved, ".meta"), tensors, {.saver = saver.info()}));
  return saved;
}

absl::StatusOr<LoadedModel> LoadModel(const std::string& prefix, const SessionOptions& options) {
  LoadedModel model;
  model.graph = std::make_unique<Graph>();
  Env* env = options.env != nullptr ? options.env : PosixEnv();
  SF_ASSIGN_OR_RETURN(Architecture architecture, LoadArchitecture(env, absl::StrCat(prefix, ".meta"), *model.graph));
  SF_ASSIGN_OR_RETURN(Saver saver, Saver::FromMetaGraph(*model.graph, architecture.meta));
  model.session = std::make_unique<Session>(*model.graph, options);
  SF_RETURN_IF_ERROR(saver.Restore(*model.session, prefix));
  model.tensors = std::move(architecture.tensors);
  return model;
}

}  // namespace staticflow::train
