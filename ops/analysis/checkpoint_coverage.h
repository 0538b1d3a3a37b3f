// Checkpoint coverage: whether a checkpoint holds all that a run reads.
//
//   CoverageOfSaver(g, saver.info(), {prediction}).status()
//   // FAILED_PRECONDITION: the saver leaves out bn/moving_mean, bn/moving_variance, which the run reads
//   SF_ASSIGN_OR_RETURN(CheckpointCoverage c, CoverageOfCheckpoint(env, "out/model.ckpt-9", g, {prediction}));
//   c.unused       // entries of the file that no variable of the graph takes
//
// Ask the first before saving, with what training and prediction run; the second before restoring.
// Functions only read the graph and may be called from any thread while nobody adds nodes.
#ifndef STATICFLOW_OPS_ANALYSIS_CHECKPOINT_COVERAGE_H_
#define STATICFLOW_OPS_ANALYSIS_CHECKPOINT_COVERAGE_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "graph/graph.h"
#include "graph/meta_graph.h"
#include "runtime/io/env.h"

namespace staticflow {

// The declarations of the variables whose values `nodes` read, or that `fetches` are, in graph order. Whoever updates a
// variable reads it; whoever only overwrites it does not.
std::vector<const Node*> VariablesRead(absl::Span<Node* const> nodes, absl::Span<const Output> fetches = {});

// The attribute of the node of a saver that leaves out variables on purpose.
inline constexpr absl::string_view kPartialSaver = "_partial_saver";

// By the keys of variables (graph/variable_key.h): their names in the checkpoints that `saver` restores. TensorFlow 2
// takes those of the objects that hold them. Without variables of which a saver restores parts.
std::map<std::string, std::string> NamesInCheckpoints(const Graph& g, const SaverInfo& saver);

struct CheckpointCoverage {
  std::string subject;                 // "the saver" or "checkpoint PREFIX"
  std::vector<const Node*> read;       // declarations of the variables that the run reads, in graph order
  std::vector<const Node*> missing;    // of these, what is left out
  std::vector<std::string> different;  // of these, what has another dtype or shape in the file, in words
  std::vector<std::string> unused;     // entries of the file that the graph has no variable for

  // FailedPrecondition listing what is missing and different; unused entries are no error.
  absl::Status status() const;
  std::string ToString() const;  // the same with what is unused, one line each
};

// The variables that running `fetches` and `targets` reads, and those of them that the saver does not save.
CheckpointCoverage CoverageOfSaver(const Graph& g, const SaverInfo& saver, const std::vector<Output>& fetches,
                                   const std::vector<Operation>& targets = {});

// The same for the file of a checkpoint. A variable is looked up under the name that `saver` restores it from, without
// a saver under its own. Errors of BundleReader.
absl::StatusOr<CheckpointCoverage> CoverageOfCheckpoint(Env* env, const std::string& prefix, const Graph& g,
                                                        const std::vector<Output>& fetches,
                                                        const std::vector<Operation>& targets = {},
                                                        const std::optional<SaverInfo>& saver = std::nullopt);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ANALYSIS_CHECKPOINT_COVERAGE_H_
