#include "runtime/io/checkpoint_state.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "graph/status.h"
#include "proto/checkpoint_state.pb.h"

namespace staticflow {
namespace {

constexpr uint64_t kMaxStateBytes = 64 << 20;

// Keeps the first complaint, which protobuf would print otherwise.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) text_ = absl::StrCat("line ", line + 1, ", column ", column + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// `path` as seen from `dir`, if it is inside.
std::string RelativeTo(const std::string& dir, const std::string& path) {
  const std::string start = absl::EndsWith(dir, "/") ? dir : dir + "/";
  return absl::StartsWith(path, start) ? path.substr(start.size()) : path;
}

bool LeadsOutside(const std::string& path) {
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  return absl::StartsWith(path, "/") || absl::c_linear_search(parts, "..");
}

// The prefixes that an entry of the state file may mean, the likeliest first.
std::vector<std::string> Candidates(const std::string& dir, const std::string& path, bool allow_outside) {
  std::vector<std::string> candidates = {JoinPath(dir, BaseName(path))};
  if (BaseName(path) != path && (allow_outside || !LeadsOutside(path))) candidates.push_back(JoinPath(dir, path));
  return candidates;
}

absl::Status Check(Env* env, const std::string& prefix, const LatestCheckpointOptions& options) {
  SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(env, prefix, options.limits));
  return options.verify ? reader.Verify() : reader.VerifySizes();
}

}  // namespace

std::string CheckpointStatePath(const std::string& dir) { return JoinPath(dir, "checkpoint"); }

absl::StatusOr<CheckpointState> ReadCheckpointState(Env* env, const std::string& dir) {
  const std::string path = CheckpointStatePath(dir);
  SF_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(env, path, kMaxStateBytes));
  proto::CheckpointState message;
  google::protobuf::TextFormat::Parser parser;
  FirstError error;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(10);
  if (!parser.ParseFromString(text, &message))
    return absl::DataLossError(absl::StrCat(path, ": not a checkpoint state file: ", error.text()));
  if (message.model_checkpoint_path().empty())
    return absl::DataLossError(absl::StrCat(path, ": not a checkpoint state file: no model_checkpoint_path"));
  CheckpointState state;
  state.latest = message.model_checkpoint_path();
  state.all.assign(message.all_model_checkpoint_paths().begin(), message.all_model_checkpoint_paths().end());
  state.timestamps.assign(message.all_model_checkpoint_timestamps().begin(),
                          message.all_model_checkpoint_timestamps().end());
  if (state.timestamps.size() != state.all.size()) state.timestamps.clear();
  state.last_preserved_timestamp = message.last_preserved_timestamp();
  return state;
}

absl::Status WriteCheckpointState(Env* env, const std::string& dir, const CheckpointState& state) {
  proto::CheckpointState message;
  message.set_model_checkpoint_path(RelativeTo(dir, state.latest));
  for (const std::string& path : state.all) message.add_all_model_checkpoint_paths(RelativeTo(dir, path));
  for (double seconds : state.timestamps) message.add_all_model_checkpoint_timestamps(seconds);
  if (state.last_preserved_timestamp != 0) message.set_last_preserved_timestamp(state.last_preserved_timestamp);
  std::string text;
  const std::string path = CheckpointStatePath(dir);
  if (!google::protobuf::TextFormat::PrintToString(message, &text))
    return absl::InternalError(absl::StrCat(path, ": cannot be written as text"));
  return ReplaceFile(env, path, text);
}

absl::StatusOr<std::string> LatestCheckpoint(Env* env, const std::string& dir, const LatestCheckpointOptions& options) {
  SF_ASSIGN_OR_RETURN(const CheckpointState state, ReadCheckpointState(env, dir));
  std::vector<std::string> paths = {state.latest};
  for (auto it = state.all.rbegin(); it != state.all.rend(); ++it) {
    if (*it != state.latest) paths.push_back(*it);
  }
  std::vector<std::string> reasons;
  for (const std::string& path : paths) {
    for (const std::string& prefix : Candidates(dir, path, options.allow_outside)) {
      const absl::Status status = Check(env, prefix, options);
      if (status.ok()) {
        if (options.skipped != nullptr) *options.skipped = reasons;
        return prefix;
      }
      reasons.push_back(absl::StrCat(prefix, ": ", status.ToString()));
    }
    if (!options.allow_outside && LeadsOutside(path))
      reasons.push_back(absl::StrCat(path, ": leads outside of '", dir, "', which needs allow_outside"));
  }
  if (options.skipped != nullptr) *options.skipped = reasons;
  return absl::NotFoundError(
      absl::StrCat(CheckpointStatePath(dir), ": none of its checkpoints is whole:\n", absl::StrJoin(reasons, "\n")));
}

}  // namespace staticflow
