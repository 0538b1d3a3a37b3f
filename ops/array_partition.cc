// DynamicPartition, DynamicStitch, ParallelDynamicStitch.
#include "absl/strings/str_cat.h"
#include "ops/array_index.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/math.h"
#include "ops/strided_copy.h"

namespace staticflow {
namespace {

// `prefix` starts `shape`: what follows, or InvalidArgument.
absl::StatusOr<Shape> ShapeBehind(const Shape& prefix, const Shape& shape, absl::string_view what) {
  if (!prefix.has_rank() || !shape.has_rank()) return Shape::Unknown();
  if (prefix.rank() > shape.rank() || !prefix.IsCompatibleWith(shape.Slice(0, prefix.rank()))) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has shape ", prefix.ToString(), ", which does not start the data's ", shape.ToString()));
  }
  return shape.Slice(prefix.rank(), shape.rank());
}

// DynamicPartition: output p holds the slices whose partition is p.   ddata = the slices of dy stitched together.
absl::Status DynamicPartitionShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape slice, ShapeBehind(c.input(1), c.input(0), "partitions"));
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, Shape({-1}).Concatenate(slice));
  return absl::OkStatus();
}

template <typename T>
absl::Status Partition(KernelContext& c) {
  const int32_t* partition = c.in<int32_t>(1);
  const int64_t n = c.input(1).num_elements, parts = c.num_outputs();
  SF_ASSIGN_OR_RETURN(int64_t * count, c.Scratch<int64_t>(parts));
  std::fill_n(count, parts, 0);
  for (int64_t i = 0; i < n; ++i) {
    if (partition[i] < 0 || partition[i] >= parts) {
      return absl::InvalidArgumentError(
          absl::StrCat("partitions[", i, "] is ", partition[i], ", out of range [0, ", parts, ")"));
    }
    ++count[partition[i]];
  }
  SF_ASSIGN_OR_RETURN(const Shape slice, ShapeBehind(*c.input(1).shape, *c.input(0).shape, "partitions"));
  const int64_t size = slice.num_elements();
  for (int64_t p = 0; p < parts; ++p) {
    SF_RETURN_IF_ERROR(c.AllocateOutput(static_cast<int>(p), Shape({count[p]}).Concatenate(slice)));
    count[p] = 0;
  }
  for (int64_t i = 0; i < n; ++i) {
    const int p = partition[i];
    std::copy_n(c.in<T>(0) + i * size, size, c.out<T>(p) + count[p]++ * size);
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> DynamicPartitionKernel(const KernelSetup& setup) {
  return StorageKernel(setup.input_dtype(0), []<typename T>() -> Kernel { return Partition<T>; });
}

void DynamicPartitionGradient(GradientContext& c) {
  const Output zero = Const(c.graph(), 0), one = Const(c.graph(), 1);
  const Output positions = Reshape(Range(zero, SizeOf(c.x(1)), one), ShapeOf(c.x(1)));
  const std::vector<Output> indices = DynamicPartition(positions, c.x(1), c.num_outputs());
  std::vector<Output> slices;
  for (int i = 0; i < c.num_outputs(); ++i) slices.push_back(c.dy(i));
  c.set_dx(0, Reshape(DynamicStitch(indices, slices), ShapeOf(c.x(0))));
}

const OpRegistrar dynamic_partition({.name = "DynamicPartition",
                                     .inputs = {"data: T", "partitions: int32"},
                                     .outputs = {"outputs: num_partitions * T"},
                                     .attrs = {"num_partitions: int >= 1", "T: type"},
                                     .shape = DynamicPartitionShape,
                                     .gradient = DynamicPartitionGradient,
                                     .kernel = DynamicPartitionKernel,
                                     .batch = MixBatch,
                                     .doc = "Slices sorted into several tensors."});

// DynamicStitch: merged[indices[k][i]] = data[k][i].   ddata[k] = dy[indices[k]].
absl::Status DynamicStitchShape(ShapeContext& c) {
  const int n = c.num_inputs() / 2;
  Shape slice = Shape::Unknown();
  for (int k = 0; k < n; ++k) {
    SF_ASSIGN_OR_RETURN(const Shape own, ShapeBehind(c.input(k), c.input(n + k), absl::StrCat("indices ", k)));
    SF_ASSIGN_OR_RETURN(slice, slice.MergeWith(own));
  }
  c.set_output(0, Shape({-1}).Concatenate(slice));
  return absl::OkStatus();
}

template <typename T>
absl::Status Stitch(KernelContext& c) {
  const int n = c.num_inputs() / 2;
  int64_t rows = 0;
  for (int k = 0; k < n; ++k) {
    for (int32_t index : c.input(k).flat<int32_t>()) {
      if (index < 0)
        return absl::InvalidArgumentError(absl::StrCat("indices ", k, " holds ", index, ", expected 0 or more"));
      rows = std::max<int64_t>(rows, int64_t{index} + 1);
    }
  }
  SF_ASSIGN_OR_RETURN(const Shape slice, ShapeBehind(*c.input(0).shape, *c.input(n).shape, "indices 0"));
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, Shape({rows}).Concatenate(slice)));
  ClearOutput(c.output(0));
  const int64_t size = slice.num_elements();
  for (int k = 0; k < n; ++k) {
    const T* from = c.in<T>(n + k);
    for (int32_t index : c.input(k).flat<int32_t>()) {
      std::copy_n(from, size, c.out<T>(0) + index * size);
      from += size;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> DynamicStitchKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel { return Stitch<T>; });
}

void DynamicStitchGradient(GradientContext& c) {
  const int n = c.num_inputs() / 2;
  for (int k = 0; k < n; ++k) c.set_dx(n + k, Gather(c.dy(0), c.x(k)));
}

OpSpec StitchSpec(const char* name) {
  return {.name = name,
          .inputs = {"indices: N * int32", "data: N * T"},
          .outputs = {"merged: T"},
          .attrs = {"N: int >= 1", "T: type"},
          .shape = DynamicStitchShape,
          .gradient = DynamicStitchGradient,
          .kernel = DynamicStitchKernel,
          .batch = MixBatch,
          .doc = "Slices of several tensors merged by index."};
}

const OpRegistrar dynamic_stitch(StitchSpec("DynamicStitch"));
const OpRegistrar parallel_dynamic_stitch(StitchSpec("ParallelDynamicStitch"));

}  // namespace

std::vector<Output> DynamicPartition(Operand data, Operand partitions, int num_partitions, const OpOptions& options) {
  return OutputsOf(NodeBuilder("DynamicPartition", {data, partitions})
                       .Attr("num_partitions", num_partitions)
                       .Name(options.name)
                       .BuildNode());
}

Output DynamicStitch(absl::Span<const Output> indices, absl::Span<const Output> data, const OpOptions& options) {
  return NodeBuilder("DynamicStitch", {}).Inputs(indices).Inputs(data).Name(options.name).Build();
}

}  // namespace staticflow
