// The `checkpoint` file of a training directory: which checkpoints are there, oldest first, and which one is current.
// It is the text form of proto/checkpoint_state.proto, as TensorFlow writes and reads it:
//
//   model_checkpoint_path: "model.ckpt-40"
//   all_model_checkpoint_paths: "model.ckpt-30"
//   all_model_checkpoint_paths: "model.ckpt-40"
//
//   SF_ASSIGN_OR_RETURN(std::string prefix, LatestCheckpoint(PosixEnv(), "train_dir"));
#ifndef STATICFLOW_RUNTIME_IO_CHECKPOINT_STATE_H_
#define STATICFLOW_RUNTIME_IO_CHECKPOINT_STATE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/io/bundle.h"
#include "runtime/io/env.h"

namespace staticflow {

struct CheckpointState {
  std::string latest;                   // the current one; path prefixes, relative to the file's directory or absolute
  std::vector<std::string> all;         // oldest first; the current one is the last, unless a person edited the file
  std::vector<double> timestamps;       // seconds since the epoch, one for each of `all`, or none
  double last_preserved_timestamp = 0;  // of the checkpoint that was last kept for good
};

// The path of the state file of `dir`.
std::string CheckpointStatePath(const std::string& dir);

// NotFound without a file; DataLoss if it is not a sound state file.
absl::StatusOr<CheckpointState> ReadCheckpointState(Env* env, const std::string& dir);
// Replaces the file; power-safe. Paths inside `dir` are written relative to it, so that the directory can move.
absl::Status WriteCheckpointState(Env* env, const std::string& dir, const CheckpointState& state);

struct LatestCheckpointOptions {
  bool verify = true;          // check every byte, else only the index and the sizes
  bool allow_outside = false;  // follow paths that lead out of the directory (absolute ones, "..")
  BundleLimits limits = {};
  std::vector<std::string>* skipped = nullptr;  // receives a line for each checkpoint passed over: which and why
};

// The prefix of the newest checkpoint of `dir` that is whole: the current one first, then the others from the newest
// to the oldest. For each, the same base name beside the state file is tried first, then the path itself.
// NotFound if none is whole; the message says why for each.
absl::StatusOr<std::string> LatestCheckpoint(Env* env, const std::string& dir,
                                             const LatestCheckpointOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_CHECKPOINT_STATE_H_
