// ResourceGather and ResourceGatherNd: rows of a variable behind a handle, read without copying the rest.
#include "ops/array.h"
#include "ops/array_index.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/state.h"
#include "ops/state_rows.h"

namespace staticflow {
namespace {

// ResourceGather: output = variable[indices], along dimension batch_dims.   The variable's gradient: dy's slices.
absl::StatusOr<Shape> GatheredShape(const Shape& variable, const Shape& indices, int64_t batch_dims) {
  if (!variable.has_rank() || !indices.has_rank()) return Shape::Unknown();
  if (batch_dims < 0) batch_dims += indices.rank();
  if (batch_dims < 0 || batch_dims > std::min(indices.rank(), variable.rank() - 1)) {
    return absl::InvalidArgumentError(absl::StrCat("batch_dims does not fit a variable of shape ", variable.ToString(),
                                                   " and indices of shape ", indices.ToString()));
  }
  const int batch = static_cast<int>(batch_dims);
  SF_ASSIGN_OR_RETURN(const Shape batches, variable.Slice(0, batch).MergeWith(indices.Slice(0, batch)));
  return batches.Concatenate(indices.Slice(batch, indices.rank()))
      .Concatenate(variable.Slice(batch + 1, variable.rank()));
}

absl::Status GatherShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, GatheredShape(VariableShapeBehind(c, 0), c.input(1), c.attr<int64_t>("batch_dims")));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

template <typename T, typename Index>
absl::Status GatherRows(KernelContext& c, int64_t batch_dims, bool allocate) {
  SF_ASSIGN_OR_RETURN(VariableSlot * slot, InitializedVariable(c, 0));
  const Shape &variable = slot->value.shape(), &indices = *c.input(1).shape;
  SF_ASSIGN_OR_RETURN(const Shape shape, GatheredShape(variable, indices, batch_dims));
  if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(0, shape));
  SF_RETURN_IF_ERROR(ExpectOutput(c, 0, shape));
  const int batch = static_cast<int>(batch_dims < 0 ? batch_dims + indices.rank() : batch_dims);
  const int64_t batches = indices.num_elements(0, batch), count = indices.num_elements(batch, indices.rank());
  const int64_t rows = variable.dim(batch), row = variable.num_elements(batch + 1, variable.rank());
  SF_RETURN_IF_ERROR(CheckRowIndices(c.input(1), rows));
  const T* from = static_cast<const T*>(slot->value.raw());
  T* to = c.out<T>(0);
  for (int64_t b = 0; b < batches; ++b) {
    for (int64_t k = 0; k < count; ++k) {
      to = std::copy_n(from + (b * rows + c.in<Index>(1)[b * count + k]) * row, row, to);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> GatherKernel(const KernelSetup& setup) {
  const bool wide = setup.input_dtype(1) == DT_INT64, allocate = !setup.output_shape(0).IsFullyDefined();
  const int64_t batch_dims = setup.attr<int64_t>("batch_dims");
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [=](KernelContext& c) {
      return wide ? GatherRows<T, int64_t>(c, batch_dims, allocate) : GatherRows<T, int32_t>(c, batch_dims, allocate);
    };
  });
}

void GatherGradient(GradientContext& c) {
  if (c.attr<int64_t>("batch_dims") != 0) return c.Fail("batch_dims is not 0");
  const Output size = Reshape(SizeOf(c.x(1)), {1});
  const Output shape = VariableShape(c.x(0));
  const Output tail = StridedSlice(shape, {1}, {0}, {1}, {.end_mask = 1});
  c.set_dx(0, IndexedSlices{.values = Reshape(c.dy(0), Concat({size, tail}, 0)),
                            .indices = Reshape(c.x(1), size),
                            .dense_shape = shape});
}

const OpRegistrar gather({.name = "ResourceGather",
                          .inputs = {"resource: resource", "indices: Tindices"},
                          .outputs = {"output: dtype"},
                          .attrs = {"batch_dims: int = 0", "validate_indices: bool = true", "dtype: type",
                                    "Tindices: indextype"},
                          .shape = GatherShape,
                          .gradient = GatherGradient,
                          .kernel = GatherKernel,
                          .traits = kStateful,
                          .access = {{0, Access::kRead}},
                          .batch = GatherBatch,
                          .doc = "Rows of the variable behind a handle."});

// ResourceGatherNd: slices at index tuples.   The variable's gradient: dy scattered.
absl::Status GatherNdShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, SlicesShape(VariableShapeBehind(c, 0), c.input(1)));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

template <typename T>
absl::Status GatherTuples(KernelContext& c, bool allocate) {
  SF_ASSIGN_OR_RETURN(VariableSlot * slot, InitializedVariable(c, 0));
  SF_ASSIGN_OR_RETURN(const Shape shape, SlicesShape(slot->value.shape(), *c.input(1).shape));
  if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(0, shape));
  SF_RETURN_IF_ERROR(ExpectOutput(c, 0, shape));
  const T* from = static_cast<const T*>(slot->value.raw());
  T* to = c.out<T>(0);
  return ForEachSlice(slot->value.shape(), c.input(1),
                      [&](int64_t start, int64_t size) { to = std::copy_n(from + start, size, to); });
}

absl::StatusOr<Kernel> GatherNdKernel(const KernelSetup& setup) {
  const bool allocate = !setup.output_shape(0).IsFullyDefined();
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [allocate](KernelContext& c) { return GatherTuples<T>(c, allocate); };
  });
}

void GatherNdGradient(GradientContext& c) {
  const DataType type = c.x(1).dtype();
  const Output shape = NodeBuilder("VariableShape", {c.x(0)}).Attr("out_type", type).Build();
  c.set_dx(0, ScatterNd(c.x(1), c.dy(0), shape));
}

const OpRegistrar gather_nd({.name = "ResourceGatherNd",
                             .inputs = {"resource: resource", "indices: Tindices"},
                             .outputs = {"output: dtype"},
                             .attrs = {"dtype: type", "Tindices: indextype"},
                             .shape = GatherNdShape,
                             .gradient = GatherNdGradient,
                             .kernel = GatherNdKernel,
                             .traits = kStateful,
                             .access = {{0, Access::kRead}},
                             .batch = GatherNdBatch,
                             .doc = "Slices of the variable behind a handle at index tuples."});

}  // namespace
}  // namespace staticflow
