// OpenModelFile: tells what a file is by what it holds.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "graph/function_inliner.h"
#include "graph/status.h"
#include "proto/meta_graph.pb.h"
#include "proto/saved_model.pb.h"
#include "runtime/io/bundle.h"
#include "runtime/io/checkpoint_state.h"
#include "runtime/io/coding.h"
#include "runtime/io/env.h"
#include "runtime/io/table.h"
#include "tools/sf.h"

namespace staticflow {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{2} << 30;

// Every node has a name and an op of printable characters: any bytes may parse as a message, but not as such nodes.
bool HasNodes(const proto::GraphDef& graph) {
  const auto is_word = [](const std::string& word) {
    return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  };
  for (const proto::NodeDef& node : graph.node()) {
    if (!is_word(node.name()) || !is_word(node.op())) return false;
  }
  return graph.node_size() > 0;
}

// A message that holds a graph, whichever it is: its kind, and the graph as a MetaGraphDef.
struct Parsed {
  std::string kind;
  proto::MetaGraphDef meta;
};

absl::StatusOr<Parsed> Choose(proto::GraphDef graph, bool graph_ok, proto::MetaGraphDef meta, bool meta_ok,
                              const proto::SavedModel& saved, bool saved_ok) {
  Parsed parsed;
  if (meta_ok && HasNodes(meta.graph_def())) {
    parsed = {.kind = "MetaGraphDef", .meta = std::move(meta)};
  } else if (graph_ok && HasNodes(graph)) {
    parsed.kind = "GraphDef";
    *parsed.meta.mutable_graph_def() = std::move(graph);
  } else if (saved_ok && saved.meta_graphs_size() > 0 && HasNodes(saved.meta_graphs(0).graph_def())) {
    parsed = {.kind = "SavedModel", .meta = saved.meta_graphs(0)};
  } else {
    return absl::NotFoundError("no graph");
  }
  return parsed;
}

absl::StatusOr<Parsed> ParseBinary(const std::string& bytes) {
  proto::GraphDef graph;
  proto::MetaGraphDef meta;
  proto::SavedModel saved;
  const bool graph_ok = graph.ParseFromString(bytes), meta_ok = meta.ParseFromString(bytes);
  const bool saved_ok = saved.ParseFromString(bytes);
  return Choose(std::move(graph), graph_ok, std::move(meta), meta_ok, saved, saved_ok);
}

class Silent : public google::protobuf::io::ErrorCollector {
  void AddError(int, int, const std::string&) override {}
};

absl::StatusOr<Parsed> ParseText(const std::string& text) {
  Silent silent;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&silent);
  proto::GraphDef graph;
  proto::MetaGraphDef meta;
  proto::SavedModel saved;
  const bool graph_ok = parser.ParseFromString(text, &graph), meta_ok = parser.ParseFromString(text, &meta);
  const bool saved_ok = parser.ParseFromString(text, &saved);
  return Choose(std::move(graph), graph_ok, std::move(meta), meta_ok, saved, saved_ok);
}

// A field of bytes that holds a graph, in a message of some other kind; the last one counts, since a MetaGraphDef comes
// after the GraphDef that it completes.
absl::StatusOr<Parsed> ParseContainer(const std::string& bytes) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  absl::StatusOr<Parsed> found = absl::NotFoundError("no graph");
  constexpr uint32_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;
  while (const uint32_t tag = in.ReadTag()) {
    uint64_t number = 0;
    uint32_t size = 0;
    std::string field;
    bool ok = false;
    switch (tag & 7) {
      case kVarint:
        ok = in.ReadVarint64(&number);
        break;
      case kFixed64:
        ok = in.Skip(8);
        break;
      case kFixed32:
        ok = in.Skip(4);
        break;
      case kBytes:
        ok = in.ReadVarint32(&size) && size <= bytes.size() && in.ReadString(&field, static_cast<int>(size));
        break;
      default:
        break;
    }
    if (!ok) return found;
    if (field.empty()) continue;
    if (absl::StatusOr<Parsed> parsed = ParseBinary(field); parsed.ok()) found = std::move(parsed);
  }
  return found;
}

// Diagnoses look into functions, too. Calls that cannot be inlined stay, to be told of by who needs them.
void InlineFunctions(ModelFile* file) {
  std::vector<Node*> calls;
  for (const auto& node : file->graph->nodes()) {
    if (IsCall(*node)) calls.push_back(node.get());
  }
  const int num_calls = static_cast<int>(calls.size());
  if (num_calls > 0 && InlineCalls(*file->graph, calls).ok()) file->inlined_calls = num_calls;
}

absl::StatusOr<ModelFile> OpenGraph(const std::string& path) {
  SF_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(PosixEnv(), path, kMaxFileBytes));
  if (bytes.size() > size_t{1} << 30) return absl::ResourceExhaustedError(absl::StrCat(path, ": more than 1 GiB"));
  const google::protobuf::LogSilencer quiet;  // the error that counts is the one returned
  absl::StatusOr<Parsed> parsed = ParseBinary(bytes);
  if (!parsed.ok()) parsed = ParseText(bytes);
  if (!parsed.ok()) parsed = ParseContainer(bytes);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": it is no GraphDef, MetaGraphDef or SavedModel, and no checkpoint"));
  }
  ModelFile file{.path = path, .kind = parsed->kind, .graph = std::make_unique<Graph>()};
  if (parsed->kind == "GraphDef") {
    const absl::Status imported = ImportGraphDef(parsed->meta.graph_def(), *file.graph);
    if (!imported.ok()) return Annotate(imported, absl::StrCat(path, ": "));
  } else {
    absl::StatusOr<MetaGraph> meta = ImportMetaGraph(parsed->meta, *file.graph);
    if (!meta.ok()) return Annotate(meta.status(), absl::StrCat(path, ": "));
    file.meta = *std::move(meta);
  }
  InlineFunctions(&file);
  return file;
}

bool Exists(const std::string& path) { return PosixEnv()->FileExists(path).value_or(false); }

// Whether the file ends as a table does: then it is a checkpoint of the first format.
bool IsTable(const std::string& path) {
  const absl::StatusOr<uint64_t> size = PosixEnv()->FileSize(path);
  const absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = PosixEnv()->NewRandomAccessFile(path);
  char magic[8];
  if (!size.ok() || *size < kTableFooterSize || !file.ok()) return false;
  return (*file)->Read(*size - sizeof(magic), sizeof(magic), magic).value_or(0) == sizeof(magic) &&
         DecodeFixed64(magic) == kTableMagic;
}

// The prefix of a checkpoint, when `path` names one or one of its files; "" otherwise.
std::string CheckpointPrefix(absl::string_view path) {
  std::string prefix(absl::StripSuffix(absl::StripSuffix(path, ".index"), ".meta"));
  if (const size_t data = prefix.rfind(".data-"); data != std::string::npos) prefix.resize(data);
  return Exists(BundleIndexPath(prefix)) || IsTable(prefix) ? prefix : "";
}

}  // namespace

absl::StatusOr<ModelFile> OpenModelFile(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    for (const char* name : {"saved_model.pb", "saved_model.pbtxt"}) {
      if (!Exists(JoinPath(path, name))) continue;
      SF_ASSIGN_OR_RETURN(ModelFile file, OpenGraph(JoinPath(path, name)));
      file.checkpoint = CheckpointPrefix(JoinPath(path, "variables/variables"));
      return file;
    }
    if (!Exists(JoinPath(path, "checkpoint"))) {
      return absl::NotFoundError(absl::StrCat(path,
                                              ": a folder with neither a saved_model.pb nor a file 'checkpoint' that "
                                              "names the latest one; name a file in it"));
    }
    SF_ASSIGN_OR_RETURN(const std::string prefix, LatestCheckpoint(PosixEnv(), path));
    return OpenModelFile(prefix);
  }
  const std::string prefix = CheckpointPrefix(path);
  const bool is_checkpoint = absl::EndsWith(path, ".index") || absl::StrContains(path, ".data-") || IsTable(path);
  const bool is_graph = Exists(path) && !is_checkpoint;
  if (!is_graph && prefix.empty()) {
    return absl::NotFoundError(absl::StrCat(path, ": there is no such file, and no checkpoint of that name"));
  }
  ModelFile file{.path = path, .kind = "checkpoint"};
  if (!prefix.empty()) {
    // A damaged checkpoint is told here rather than when something of it is needed.
    SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(PosixEnv(), prefix));
    SF_RETURN_IF_ERROR(reader.VerifySizes());
  }
  const std::string meta = prefix + ".meta";
  if (is_graph || (!prefix.empty() && Exists(meta))) {
    SF_ASSIGN_OR_RETURN(file, OpenGraph(is_graph ? path : meta));
    if (!is_graph) file.kind = absl::StrCat("checkpoint with ", file.kind);
  }
  file.checkpoint = prefix;
  return file;
}

}  // namespace staticflow
