// Save, SaveSlices, Restore and RestoreSlice: checkpoints in the first format. Contract: ops/save_restore.h.
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/save_restore.h"
#include "ops/save_restore_slices.h"
#include "runtime/io/checkpoint_v1.h"

namespace staticflow {
namespace {

// Save (filename, tensor_names, data...), SaveSlices (filename, tensor_names, shapes_and_slices, data...).
absl::Status SaveTensors(KernelContext& c, int first) {
  const int n = c.num_inputs() - first;
  for (int i = 1; i < first; ++i) {
    if (c.input(i).num_elements == n) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "got ", c.input(i).num_elements, i == 1 ? " tensor_names" : " shapes_and_slices", " for ", n, " tensors"));
  }
  SF_ASSIGN_OR_RETURN(const std::string filename, ScalarString(c, 0, "filename"));
  CheckpointV1Writer writer(EnvOf(c), filename);
  for (int i = 0; i < n; ++i) {
    const TensorView& view = c.input(first + i);
    const Tensor tensor = Tensor::BorrowBytes(view.dtype, *view.shape, view.data);
    const std::string& name = c.in<std::string>(1)[i];
    SF_ASSIGN_OR_RETURN(const SavedSlice spec, ParseSavedSlice(first == 3 ? c.in<std::string>(2)[i] : ""));
    SF_RETURN_IF_ERROR(spec.is_whole ? writer.Add(name, tensor)
                                     : writer.AddSlice(name, spec.full_shape, spec.slice, tensor));
  }
  return writer.Finish();
}
absl::Status SaveKernel(KernelContext& c) { return SaveTensors(c, 2); }
absl::Status SaveSlicesKernel(KernelContext& c) { return SaveTensors(c, 3); }

absl::Status SaveShape(ShapeContext& c) {
  const bool slices = c.node().op().inputs.size() == 4;
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  for (int i = 1; i < (slices ? 3 : 2); ++i) SF_RETURN_IF_ERROR(c.WithRank(i, 1).status());
  return absl::OkStatus();
}

OpSpec SaveOp(const char* name, std::vector<std::string> inputs, KernelSource kernel, const char* doc) {
  return {.name = name,
          .inputs = std::move(inputs),
          .attrs = {"T: list(type) >= 1"},
          .shape = SaveShape,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .traits = kStateful | kAlwaysRuns,
          .doc = doc};
}
const OpRegistrar save(SaveOp("Save", {"filename: string", "tensor_names: string", "data: T"}, SaveKernel,
                              "Writes tensors to a checkpoint of the first format."));
const OpRegistrar save_slices(
    SaveOp("SaveSlices", {"filename: string", "tensor_names: string", "shapes_and_slices: string", "data: T"},
           SaveSlicesKernel, "Writes tensors and parts of tensors to a checkpoint of the first format."));

// Restore (file_pattern, tensor_name), RestoreSlice (file_pattern, tensor_name, shape_and_slice).
absl::Status RestoreTensor(KernelContext& c, DataType dtype) {
  SF_ASSIGN_OR_RETURN(const std::string pattern, ScalarString(c, 0, "file_pattern"));
  SF_ASSIGN_OR_RETURN(const std::string name, ScalarString(c, 1, "tensor_name"));
  SavedSlice spec;
  if (c.num_inputs() == 3) {
    SF_ASSIGN_OR_RETURN(const std::string text, ScalarString(c, 2, "shape_and_slice"));
    SF_ASSIGN_OR_RETURN(spec, ParseSavedSlice(text));
  }
  SF_ASSIGN_OR_RETURN(const std::vector<std::string> files, CheckpointV1Files(EnvOf(c), pattern));
  if (files.empty()) return absl::NotFoundError(absl::StrCat("there is no file ", pattern));
  SF_ASSIGN_OR_RETURN(const CheckpointV1 checkpoint, CheckpointV1::Open(EnvOf(c), files, {.only = name}));
  const auto it = checkpoint.tensors().find(name);
  if (it == checkpoint.tensors().end())
    return absl::NotFoundError(absl::StrCat("checkpoint ", pattern, " lacks ", name));
  if (it->second.dtype != dtype) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is ", DataTypeName(it->second.dtype), " in checkpoint ",
                                                   pattern, ", expected ", DataTypeName(dtype)));
  }
  SF_RETURN_IF_ERROR(CheckFullShape(name, it->second.shape, spec));
  SF_ASSIGN_OR_RETURN(Tensor tensor, spec.is_whole ? checkpoint.Read(name) : checkpoint.Read(name, spec.slice));
  return c.SetOutput(0, std::move(tensor));
}
absl::StatusOr<Kernel> RestoreKernel(const KernelSetup& setup) {
  return Kernel([dtype = setup.attr<DataType>("dt")](KernelContext& c) { return RestoreTensor(c, dtype); });
}

absl::Status RestoreShape(ShapeContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  return absl::OkStatus();
}

OpSpec RestoreOp(const char* name, std::vector<std::string> inputs, const char* doc) {
  return {.name = name,
          .inputs = std::move(inputs),
          .outputs = {"tensor: dt"},
          .attrs = {"dt: type", "preferred_shard: int = -1"},
          .shape = RestoreShape,
          .gradient = kNotDifferentiable,
          .kernel = RestoreKernel,
          .traits = kStateful,
          .doc = doc};
}
const OpRegistrar restore(RestoreOp("Restore", {"file_pattern: string", "tensor_name: string"},
                                    "Reads a tensor from a checkpoint of the first format."));
const OpRegistrar restore_slice(RestoreOp("RestoreSlice",
                                          {"file_pattern: string", "tensor_name: string", "shape_and_slice: string"},
                                          "Reads a part of a tensor from a checkpoint of the first format."));

}  // namespace

Operation SaveV1(Operand filename, Operand tensor_names, Operand shapes_and_slices, absl::Span<const Output> tensors,
                 const OpOptions& options) {
  return NodeBuilder("SaveSlices", {filename, tensor_names, shapes_and_slices})
      .Inputs(tensors)
      .Name(options.name)
      .BuildNode();
}

Output RestoreV1(Operand file_pattern, Operand tensor_name, Operand shape_and_slice, DataType dtype,
                 const OpOptions& options) {
  return NodeBuilder("RestoreSlice", {file_pattern, tensor_name, shape_and_slice})
      .Attr("dt", dtype)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
