#include "ops/save_restore.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/save_restore_slices.h"
#include "runtime/io/bundle.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

absl::Status CheckNameCount(const KernelContext& c, int64_t tensors) {
  if (c.input(1).num_elements == tensors && c.input(2).num_elements == tensors) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("got ", c.input(1).num_elements, " tensor_names and ",
                                                 c.input(2).num_elements, " shape_and_slices for ", tensors,
                                                 " tensors"));
}

// SaveV2: the checkpoint `prefix` holds the tensors.
absl::Status SaveKernel(KernelContext& c) {
  constexpr int kFirst = 3;
  const int n = c.num_inputs() - kFirst;
  SF_RETURN_IF_ERROR(CheckNameCount(c, n));
  SF_ASSIGN_OR_RETURN(const std::string prefix, ScalarString(c, 0, "prefix"));
  BundleWriter writer(EnvOf(c), prefix);
  uint64_t bytes = 0;
  for (int i = 0; i < n; ++i) bytes += static_cast<uint64_t>(c.input(kFirst + i).bytes());
  SF_RETURN_IF_ERROR(writer.Reserve(bytes));
  for (int i = 0; i < n; ++i) {
    const TensorView& view = c.input(kFirst + i);
    const Tensor tensor = Tensor::BorrowBytes(view.dtype, *view.shape, view.data);
    const std::string& name = c.in<std::string>(1)[i];
    SF_ASSIGN_OR_RETURN(const SavedSlice spec, ParseSavedSlice(c.in<std::string>(2)[i]));
    if (spec.is_whole) {
      SF_RETURN_IF_ERROR(writer.Add(name, tensor));
      continue;
    }
    if (SliceShape(spec) != *view.shape) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " has shape ", view.shape->ToString(), ", its slice ", SliceShape(spec).ToString()));
    }
    SF_RETURN_IF_ERROR(writer.AddSlice(name, spec.full_shape, spec.slice, tensor));
  }
  return writer.Finish();
}
absl::Status SaveShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  SF_RETURN_IF_ERROR(c.WithRank(1, 1).status());
  return c.WithRank(2, 1).status();
}
const OpRegistrar save_v2({.name = "SaveV2",
                           .inputs = {"prefix: string", "tensor_names: string", "shape_and_slices: string",
                                      "tensors: dtypes"},
                           .attrs = {"dtypes: list(type) >= 1"},
                           .shape = SaveShape,
                           .gradient = kNotDifferentiable,
                           .kernel = SaveKernel,
                           .traits = kStateful | kAlwaysRuns,
                           .doc = "Writes tensors to a checkpoint."});

// RestoreV2: the tensors of the checkpoint `prefix`.
absl::Status RestoreTensors(KernelContext& c, absl::Span<const DataType> dtypes) {
  const int n = c.num_outputs();
  SF_RETURN_IF_ERROR(CheckNameCount(c, n));
  SF_ASSIGN_OR_RETURN(const std::string prefix, ScalarString(c, 0, "prefix"));
  SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(EnvOf(c), prefix));
  const std::string* names = c.in<std::string>(1);
  std::vector<std::string> missing;
  for (int i = 0; i < n; ++i) {
    if (!reader.tensors().contains(names[i])) missing.push_back(names[i]);
  }
  if (!missing.empty()) {
    return absl::NotFoundError(absl::StrCat("checkpoint ", prefix, " lacks ", absl::StrJoin(missing, ", ")));
  }
  for (int i = 0; i < n; ++i) {
    const BundleEntry& entry = reader.tensors().at(names[i]);
    if (entry.dtype == DT_INVALID) return entry.damage;
    if (entry.dtype != dtypes[i]) {
      return absl::InvalidArgumentError(absl::StrCat(names[i], " is ", DataTypeName(entry.dtype), " in checkpoint ",
                                                     prefix, ", expected ", DataTypeName(dtypes[i])));
    }
    SF_ASSIGN_OR_RETURN(const SavedSlice spec, ParseSavedSlice(c.in<std::string>(2)[i]));
    SF_RETURN_IF_ERROR(CheckFullShape(names[i], entry.shape, spec));
    SF_ASSIGN_OR_RETURN(Tensor part, spec.is_whole ? reader.Read(names[i]) : reader.Read(names[i], spec.slice));
    SF_RETURN_IF_ERROR(c.SetOutput(i, std::move(part)));
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> RestoreKernel(const KernelSetup& setup) {
  return Kernel(
      [dtypes = setup.attr<std::vector<DataType>>("dtypes")](KernelContext& c) { return RestoreTensors(c, dtypes); });
}
const OpRegistrar restore_v2({.name = "RestoreV2",
                              .inputs = {"prefix: string", "tensor_names: string", "shape_and_slices: string"},
                              .outputs = {"tensors: dtypes"},
                              .attrs = {"dtypes: list(type) >= 1"},
                              .shape = SaveShape,
                              .gradient = kNotDifferentiable,
                              .kernel = RestoreKernel,
                              .traits = kStateful,
                              .doc = "Reads tensors from a checkpoint."});

// MergeV2Checkpoints: destination holds what the checkpoints hold. The folders of those that are removed go, too, once
// they are empty: savers of several shards make one for each checkpoint.
absl::Status MergeCheckpoints(KernelContext& c, bool delete_old, bool allow_missing) {
  SF_ASSIGN_OR_RETURN(const std::string destination, ScalarString(c, 1, "destination_prefix"));
  Env* env = EnvOf(c);
  const auto prefixes = absl::MakeConstSpan(c.in<std::string>(0), static_cast<size_t>(c.input(0).num_elements));
  BundleWriter writer(env, destination);
  std::vector<std::string> merged;
  for (const std::string& prefix : prefixes) {
    absl::StatusOr<BundleReader> reader = BundleReader::Open(env, prefix);
    if (absl::IsNotFound(reader.status()) && allow_missing) continue;
    SF_RETURN_IF_ERROR(reader.status());
    for (const auto& [name, entry] : reader->tensors()) {
      // Of a partitioned tensor, each of the checkpoints may have some slices.
      for (const TensorSlice& slice : entry.slices) {
        SF_ASSIGN_OR_RETURN(const Tensor part, reader->Read(name, slice));
        SF_RETURN_IF_ERROR(writer.AddSlice(name, entry.shape, slice, part));
      }
      if (!entry.slices.empty()) continue;
      SF_ASSIGN_OR_RETURN(const Tensor tensor, reader->Read(name));
      SF_RETURN_IF_ERROR(writer.Add(name, tensor));
    }
    merged.push_back(prefix);
  }
  SF_RETURN_IF_ERROR(writer.Finish());
  for (const std::string& prefix : merged) {
    if (!delete_old || prefix == destination) continue;
    SF_RETURN_IF_ERROR(DeleteBundle(env, prefix));
    if (DirName(prefix) != DirName(destination)) env->Remove(DirName(prefix)).IgnoreError();
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> MergeCheckpointsKernel(const KernelSetup& setup) {
  return Kernel([delete_old = setup.attr<bool>("delete_old_dirs"),
                 allow_missing = setup.attr<bool>("allow_missing_files")](KernelContext& c) {
    return MergeCheckpoints(c, delete_old, allow_missing);
  });
}
absl::Status MergeCheckpointsShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 1).status());
  return c.WithRank(1, 0).status();
}
const OpRegistrar merge_v2_checkpoints({.name = "MergeV2Checkpoints",
                                        .inputs = {"checkpoint_prefixes: string", "destination_prefix: string"},
                                        .attrs = {"delete_old_dirs: bool = true", "allow_missing_files: bool = false"},
                                        .shape = MergeCheckpointsShape,
                                        .gradient = kNotDifferentiable,
                                        .kernel = MergeCheckpointsKernel,
                                        .traits = kStateful | kAlwaysRuns,
                                        .doc = "Makes one checkpoint of several."});

}  // namespace

Operation SaveV2(Operand prefix, Operand tensor_names, Operand shape_and_slices, absl::Span<const Output> tensors,
                 const OpOptions& options) {
  return NodeBuilder("SaveV2", {prefix, tensor_names, shape_and_slices}).Inputs(tensors).Name(options.name).BuildNode();
}

std::vector<Output> RestoreV2(Operand prefix, Operand tensor_names, Operand shape_and_slices,
                              std::vector<DataType> dtypes, const OpOptions& options) {
  Node* node = NodeBuilder("RestoreV2", {prefix, tensor_names, shape_and_slices})
                   .Attr("dtypes", std::move(dtypes))
                   .Name(options.name)
                   .BuildNode();
  std::vector<Output> tensors;
  for (int i = 0; node != nullptr && i < node->num_outputs(); ++i) tensors.push_back(node->output(i));
  return tensors;
}

Operation MergeV2Checkpoints(Operand checkpoint_prefixes, Operand destination_prefix, bool delete_old_dirs,
                             const OpOptions& options) {
  return NodeBuilder("MergeV2Checkpoints", {checkpoint_prefixes, destination_prefix})
      .Attr("delete_old_dirs", delete_old_dirs)
      .Name(options.name)
      .BuildNode();
}

}  // namespace staticflow
