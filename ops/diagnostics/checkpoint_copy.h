// Checkpoints of a session's variables without nodes for it in the graph: for graphs that a diagnosis must not change.
//
//   SF_RETURN_IF_ERROR(LoadCheckpoint(session, g, "model.ckpt-1000"));
//   SF_RETURN_IF_ERROR(CopyCheckpoint(session, "model.ckpt-1000", "repaired.ckpt", {{"bn/moving_mean",
//   "bn/moving_mean"}}));
#ifndef STATICFLOW_OPS_DIAGNOSTICS_CHECKPOINT_COPY_H_
#define STATICFLOW_OPS_DIAGNOSTICS_CHECKPOINT_COPY_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "runtime/session.h"

namespace staticflow {

// Gives every variable that a node of `g` declares (in a collection or not) the tensor of its name in the checkpoint
// `prefix`, and parts `v/part_<k>` of a partitioned variable their slices of the tensor v. Returns the names of the
// variables that it lacks; they stay as they are. InvalidArgument for a tensor of another dtype or shape; errors of
// BundleReader.
absl::StatusOr<std::vector<std::string>> LoadCheckpoint(Session& session, const Graph& g, const std::string& prefix);

// Writes the checkpoint `to`: all tensors of the checkpoint `from`, but for the variables that are keys of `changed`
// the session's values, under the names that they are mapped to; all initialized variables of the session when `from`
// is empty. Errors of BundleReader and BundleWriter.
absl::Status CopyCheckpoint(Session& session, const std::string& from, const std::string& to,
                            const std::map<std::string, std::string>& changed);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_CHECKPOINT_COPY_H_
