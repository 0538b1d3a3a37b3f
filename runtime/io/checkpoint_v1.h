// Checkpoints in TensorFlow's first format: one table (runtime/io/table.h) with the tensors in it, or several such
// files. Savers of TensorFlow 1 wrote it with SaverDef.V1, and by default until version 0.11.
//
//   CheckpointV1Writer writer(env, "out/model.ckpt-10");
//   SF_RETURN_IF_ERROR(writer.Add("dense/kernel", kernel));
//   SF_RETURN_IF_ERROR(writer.Finish());
//
//   SF_ASSIGN_OR_RETURN(std::vector<std::string> files, CheckpointV1Files(env, "out/model.ckpt-10-?????-of-00002"));
//   SF_ASSIGN_OR_RETURN(CheckpointV1 checkpoint, CheckpointV1::Open(env, files));
//   SF_ASSIGN_OR_RETURN(Tensor kernel, checkpoint.Read("dense/kernel"));
//
// Under the empty key the table has a SavedTensorSlices with what there is, under the key of each slice (that of
// bundles) one with its values. The format knows no bfloat16, no uint32 and no uint64.
#ifndef STATICFLOW_RUNTIME_IO_CHECKPOINT_V1_H_
#define STATICFLOW_RUNTIME_IO_CHECKPOINT_V1_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/tensor.h"
#include "runtime/io/bundle.h"
#include "runtime/io/env.h"
#include "runtime/io/tensor_slice.h"

namespace staticflow {

// A tensor in one or more parts.
struct PartitionedTensor {
  DataType dtype = DT_INVALID;
  Shape shape;
  std::vector<std::pair<TensorSlice, Tensor>> parts;
};

// The files that `pattern` names, sorted: a path whose last component may have * and ? in it. Empty where there is
// none.
absl::StatusOr<std::vector<std::string>> CheckpointV1Files(Env* env, const std::string& pattern);

struct CheckpointV1Options {
  BundleLimits limits = {};
  std::string only = "";  // read the values of this tensor alone; "": of all
};

// Reads values into memory. They may hold anything: damage is DataLoss, a limit is ResourceExhausted; memory is
// taken only for values that the files really have. Thread-safe after Open.
class CheckpointV1 {
 public:
  static absl::StatusOr<CheckpointV1> Open(Env* env, absl::Span<const std::string> files,
                                           const CheckpointV1Options& options = {});

  const std::map<std::string, PartitionedTensor>& tensors() const { return tensors_; }
  // The tensor, or a box in it. NotFound when there is no such tensor, InvalidArgument for a box outside, DataLoss
  // when the parts do not cover what is asked for.
  absl::StatusOr<Tensor> Read(const std::string& name) const;
  absl::StatusOr<Tensor> Read(const std::string& name, const TensorSlice& slice) const;

 private:
  absl::Status AddFile(Env* env, const std::string& file, const CheckpointV1Options& options);
  absl::StatusOr<const PartitionedTensor*> Find(const std::string& name) const;

  std::string first_file_;  // for messages
  std::map<std::string, PartitionedTensor> tensors_;
};

// Writes one file. Belongs to one thread at a time.
class CheckpointV1Writer {
 public:
  CheckpointV1Writer(Env* env, std::string path) : env_(env), path_(std::move(path)) {}

  // Keeps the tensor, which must not change before Finish. InvalidArgument for a name that is empty, no UTF-8 or given
  // before, or a dtype that the format does not have.
  absl::Status Add(const std::string& name, const Tensor& tensor);
  // Adds the part `slice` of a tensor of shape `full_shape`. InvalidArgument too when it overlaps another part, or does
  // not have the slice's shape.
  absl::Status AddSlice(const std::string& name, const Shape& full_shape, const TensorSlice& slice,
                        const Tensor& tensor);
  // Makes the file durable, in place of an older one, which stays if something fails.
  absl::Status Finish();

 private:
  absl::Status WriteTable(WritableFile* file) const;

  Env* env_;
  std::string path_;
  std::map<std::string, PartitionedTensor> tensors_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_CHECKPOINT_V1_H_
