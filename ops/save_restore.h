// Checkpoints as nodes: what a Saver (ops/train/saver.h) builds. The files are those of runtime/io/bundle.h; all access
// goes through the session's Env.
#ifndef STATICFLOW_OPS_SAVE_RESTORE_H_
#define STATICFLOW_OPS_SAVE_RESTORE_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "graph/node_builder.h"

namespace staticflow {

// Writes `tensors` under `tensor_names` as the checkpoint `prefix`. tensor_names and shape_and_slices are string
// vectors with one element per tensor; an element of shape_and_slices is "" for a whole tensor, else the full shape and
// the part that this tensor is: "4 5 0,2:-" is rows 0 and 1 of a [4,5] matrix.
Operation SaveV2(Operand prefix, Operand tensor_names, Operand shape_and_slices, absl::Span<const Output> tensors,
                 const OpOptions& options = {});
// The tensors of the checkpoint `prefix`, in the order of their names. When run, NotFound lists all names that the
// checkpoint lacks; InvalidArgument for another dtype or a slice that does not fit; DataLoss for damage,
// OutOfRange for a data file that is cut off.
std::vector<Output> RestoreV2(Operand prefix, Operand tensor_names, Operand shape_and_slices,
                              std::vector<DataType> dtypes, const OpOptions& options = {});
// The same in the format of TensorFlow before 0.12 (runtime/io/checkpoint_v1.h): one file `filename`, or several that
// file_pattern names with ? and *. Empty shapes_and_slices: whole tensors. RestoreV2 reads such files too.
Operation SaveV1(Operand filename, Operand tensor_names, Operand shapes_and_slices, absl::Span<const Output> tensors,
                 const OpOptions& options = {});
Output RestoreV1(Operand file_pattern, Operand tensor_name, Operand shape_and_slice, DataType dtype,
                 const OpOptions& options = {});
// Makes one checkpoint of several.
Operation MergeV2Checkpoints(Operand checkpoint_prefixes, Operand destination_prefix, bool delete_old_dirs = true,
                             const OpOptions& options = {});
// "basename-00001-of-00004"; shard and num_shards are int32 scalars.
Output ShardedFilename(Operand basename, Operand shard, Operand num_shards, const OpOptions& options = {});
// The same with question marks for the shard: a pattern of all files.
Output ShardedFilespec(Operand basename, Operand num_shards, const OpOptions& options = {});

struct StringJoinOptions {
  std::string separator = "";
  std::string name = "";
};
// The strings one after the other, element by element; scalars are repeated.
Output StringJoin(absl::Span<const Output> inputs, const StringJoinOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_SAVE_RESTORE_H_
