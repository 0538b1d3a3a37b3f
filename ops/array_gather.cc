// Gather, GatherV2, GatherNd.
#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_index.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/math.h"

namespace staticflow {
namespace {

absl::Status IndexOutOfRange(int64_t position, int64_t index, int64_t size) {
  return absl::InvalidArgumentError(
      absl::StrCat("index ", index, " at position ", position, " is out of range [0, ", size, ")"));
}

// params.shape[:axis] + indices.shape[batch_dims:] + params.shape[axis + 1:], where params is input 0.
absl::Status GatheredShape(ShapeContext& c, std::optional<int64_t> axis, int64_t batch_dims) {
  const Shape &params = c.input(0), &indices = c.input(1);
  if (!params.has_rank() || !indices.has_rank()) return absl::OkStatus();
  if (params.rank() == 0) return absl::InvalidArgumentError("params is a scalar, expected rank 1 or more");
  if (batch_dims < 0) batch_dims += indices.rank();
  if (batch_dims < 0 || batch_dims > std::min(indices.rank(), params.rank() - 1)) {
    return absl::InvalidArgumentError(absl::StrCat("batch_dims does not fit params of shape ", params.ToString(),
                                                   " and indices of shape ", indices.ToString()));
  }
  if (!axis) {
    c.set_output(0, Shape::UnknownOfRank(params.rank() + indices.rank() - 1 - static_cast<int>(batch_dims)));
    return absl::OkStatus();
  }
  SF_ASSIGN_OR_RETURN(const int a, NormalizeAxis(*axis, params.rank()));
  if (a < batch_dims)
    return absl::InvalidArgumentError(absl::StrCat("axis ", a, " lies within the ", batch_dims, " batch dimensions"));
  Shape out = params.Slice(0, a);
  for (int i = 0; i < batch_dims; ++i) {
    SF_ASSIGN_OR_RETURN(const int64_t size,
                        c.MergeDims(params.dim(i), indices.dim(i), "batch sizes of params and indices"));
    out.set_dim(i, size);
  }
  c.set_output(0, out.Concatenate(indices.Slice(static_cast<int>(batch_dims), indices.rank()))
                      .Concatenate(params.Slice(a + 1, params.rank())));
  return absl::OkStatus();
}

constexpr char kNarrowIndices[] = "Tindices: {int16, int32, int64}";

// The indices of input 1 as int32, copied where they are int16.
absl::StatusOr<const int32_t*> Indices32(KernelContext& c) {
  if (c.input(1).dtype == DT_INT32) return c.in<int32_t>(1);
  SF_ASSIGN_OR_RETURN(int32_t * wide, c.Scratch<int32_t>(c.input(1).num_elements));
  std::copy_n(c.in<int16_t>(1), c.input(1).num_elements, wide);
  return wide;
}

// Copies slice index[b, k] of params[b, o, :] for all b, o and k.
template <typename T, typename I>
absl::Status GatherSlices(KernelContext& c, const I* index, int axis, int64_t batch_dims) {
  const Shape &params = *c.input(0).shape, &indices = *c.input(1).shape;
  const int batch = static_cast<int>(batch_dims);
  const int64_t batches = params.num_elements(0, batch), outer = params.num_elements(batch, axis);
  const int64_t size = params.dim(axis), inner = params.num_elements(axis + 1, params.rank());
  const int64_t count = indices.num_elements(batch, indices.rank());
  if (c.output(0).num_elements == 0) return absl::OkStatus();  // nothing is read, whatever the indices
  for (int64_t i = 0; i < c.input(1).num_elements; ++i) {
    if (index[i] < 0 || index[i] >= size) return IndexOutOfRange(i, index[i], size);
  }
  const T* from = c.in<T>(0);
  T* to = c.out<T>(0);
  for (int64_t b = 0; b < batches; ++b) {
    for (int64_t o = 0; o < outer; ++o, from += size * inner) {
      for (int64_t k = 0; k < count; ++k) to = std::copy_n(from + index[b * count + k] * inner, inner, to);
    }
  }
  return absl::OkStatus();
}

// `axis_input`: where the axis is, -1 for axis 0.
absl::StatusOr<Kernel> GatherKernelOf(const KernelSetup& setup, int axis_input, int64_t batch_dims) {
  const bool wide = setup.input_dtype(1) == DT_INT64;
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [=](KernelContext& c) -> absl::Status {
      int axis = 0;
      if (axis_input >= 0) {
        SF_ASSIGN_OR_RETURN(axis, AxisInput(c, axis_input, c.input(0).rank()));
      }
      const int64_t batch = batch_dims < 0 ? batch_dims + c.input(1).rank() : batch_dims;
      if (batch > axis || batch > c.input(1).rank())
        return absl::InvalidArgumentError("batch_dims is larger than axis");
      if (wide) return GatherSlices<T>(c, c.in<int64_t>(1), axis, batch);
      SF_ASSIGN_OR_RETURN(const int32_t* indices, Indices32(c));
      return GatherSlices<T>(c, indices, axis, batch);
    };
  });
}

// Along axis 0 without batches, the gradient is dy's slices at the indices.
void SlicesGradient(GradientContext& c) {
  const Output indices = WideIndices(c.x(1));
  const Output size = Reshape(SizeOf(indices), {1});
  const Output shape = ShapeOf(c.x(0));
  const Output tail = StridedSlice(shape, {1}, {0}, {1}, {.end_mask = 1});
  c.set_dx(0, IndexedSlices{.values = Reshape(c.dy(0), Concat({size, tail}, 0)),
                            .indices = Reshape(indices, size),
                            .dense_shape = shape});
}

// Slices as one tensor: those of one index are added.
Output DenseSlices(const IndexedSlices& slices) {
  const Output rows = StridedSlice(slices.dense_shape, {0}, {1}, {1}, {.shrink_axis_mask = 1});
  return UnsortedSegmentSum(slices.values, slices.indices, rows);
}
// Several slices of one tensor, one behind the other.
IndexedSlices JoinSlices(absl::Span<const IndexedSlices> parts) {
  std::vector<Output> values, indices;
  for (const IndexedSlices& part : parts) {
    values.push_back(part.values);
    indices.push_back(part.indices);
  }
  return {.values = Concat(values, 0), .indices = Concat(indices, 0), .dense_shape = parts[0].dense_shape};
}
const SlicesRegistrar slices(DenseSlices, JoinSlices);

// Gather: slices along dimension 0.
absl::Status GatherShape(ShapeContext& c) { return GatheredShape(c, 0, 0); }
absl::StatusOr<Kernel> GatherKernel(const KernelSetup& setup) { return GatherKernelOf(setup, -1, 0); }

const OpRegistrar gather({.name = "Gather",
                          .inputs = {"params: Tparams", "indices: Tindices"},
                          .outputs = {"output: Tparams"},
                          .attrs = {"validate_indices: bool = true", "Tparams: type", "Tindices: indextype"},
                          .shape = GatherShape,
                          .gradient = SlicesGradient,
                          .kernel = GatherKernel,
                          .batch = GatherBatch,
                          .doc = "Slices of params along dimension 0."});

// GatherV2: slices along any axis.   dparams[..., indices[k], ...] += dy[..., k, ...].
absl::Status GatherV2Shape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(2, 0).status());
  SF_ASSIGN_OR_RETURN(std::optional<int64_t> axis, ScalarFromInput(c, 2));
  return GatheredShape(c, axis, c.attr<int64_t>("batch_dims"));
}

absl::StatusOr<Kernel> GatherV2Kernel(const KernelSetup& setup) {
  return GatherKernelOf(setup, 2, setup.attr<int64_t>("batch_dims"));
}

// Sums the rows of dy by segments: params seen as [batches, outer, size, inner], dy as [batches * outer * count,
// inner], and the segment of each row is (batch * outer + o) * size + index.
void GatherV2Gradient(GradientContext& c) {
  int64_t batch_dims = c.attr<int64_t>("batch_dims");
  if (batch_dims < 0 && !c.x(1).shape().has_rank()) {
    return c.Fail("batch_dims is negative and the rank of indices is not known");
  }
  if (batch_dims < 0) batch_dims += c.x(1).shape().rank();
  if (batch_dims == 0 && ConstInteger(c.x(2)) == 0) return SlicesGradient(c);
  const Output indices = WideIndices(c.x(1));
  const DataType type = indices.dtype();
  Output at = Reshape(c.x(2), {1});
  if (at.dtype() != type) at = Cast(at, type);
  const Ints zero(ZerosLike(at)), all_batches = {batch_dims};
  const Output shape = ShapeOf(c.x(0), {.out_type = type});
  const auto product = [](Output sizes) { return Prod(sizes, {0}, {.keep_dims = true}); };
  const Output from_axis = StridedSlice(shape, at, zero, {1}, {.end_mask = 1});
  const Output size = StridedSlice(from_axis, {0}, {1});
  const Output inner = product(StridedSlice(from_axis, {1}, {0}, {1}, {.end_mask = 1}));
  const Output blocks = product(StridedSlice(shape, zero, at, {1}, {.begin_mask = 1}));
  const Output batches = product(StridedSlice(shape, {0}, all_batches));
  const Output counts = ShapeOf(indices, {.out_type = type});
  const Output count = product(StridedSlice(counts, all_batches, {0}, {1}, {.end_mask = 1}));
  const Output one = OnesLike(size);
  const Output outer = FloorDiv(blocks, Maximum(batches, one));
  const Output block = Range(Const(c.graph(), type == DT_INT64 ? Tensor(int64_t{0}) : Tensor(0)), Squeeze(blocks, {0}),
                             Const(c.graph(), type == DT_INT64 ? Tensor(int64_t{1}) : Tensor(1)));
  const Output base = Reshape(Mul(block, size), Concat({batches, outer, one}, 0));
  const Output segments = Add(base, Reshape(indices, Concat({batches, one, count}, 0)));
  const Output rows = Reshape(c.dy(0), Concat({Mul(blocks, count), inner}, 0));
  const Output summed = UnsortedSegmentSum(rows, Reshape(segments, {-1}), Squeeze(Mul(blocks, size), {0}));
  c.set_dx(0, Reshape(summed, shape));
}

const OpRegistrar gather_v2({.name = "GatherV2",
                             .inputs = {"params: Tparams", "indices: Tindices", "axis: Taxis"},
                             .outputs = {"output: Tparams"},
                             .attrs = {"batch_dims: int = 0", "Tparams: type", kNarrowIndices, "Taxis: indextype"},
                             .shape = GatherV2Shape,
                             .gradient = GatherV2Gradient,
                             .kernel = GatherV2Kernel,
                             .batch = GatherV2Batch,
                             .doc = "Slices of params along an axis."});

// GatherNd: slices at index tuples.   dparams = dy scattered.
absl::Status GatherNdShape(ShapeContext& c) {
  const Shape &params = c.input(0), &indices = c.input(1);
  if (indices.rank() == 0) return absl::InvalidArgumentError("indices is a scalar, expected rank 1 or more");
  if (!params.has_rank() || !indices.has_rank() || indices.dim(-1) == Shape::kUnknownDim) return absl::OkStatus();
  if (indices.dim(-1) > params.rank()) {
    return absl::InvalidArgumentError(absl::StrCat("indices has shape ", indices.ToString(),
                                                   ", whose tuples are too long for params of shape ",
                                                   params.ToString()));
  }
  c.set_output(
      0,
      indices.Slice(0, indices.rank() - 1).Concatenate(params.Slice(static_cast<int>(indices.dim(-1)), params.rank())));
  return absl::OkStatus();
}

template <typename T, typename I>
absl::Status GatherTuples(KernelContext& c, const I* index) {
  const Shape& params = *c.input(0).shape;
  const int depth = static_cast<int>(c.input(1).dim(-1));
  const int64_t inner = params.num_elements(depth, params.rank());
  const int64_t count = c.input(1).shape->num_elements(0, c.input(1).rank() - 1);
  T* to = c.out<T>(0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t from = 0;
    for (int d = 0; d < depth; ++d, ++index) {
      if (*index < 0 || *index >= params.dim(d)) return IndexOutOfRange(i * depth + d, *index, params.dim(d));
      from = from * params.dim(d) + *index;
    }
    to = std::copy_n(c.in<T>(0) + from * inner, inner, to);
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> GatherNdKernel(const KernelSetup& setup) {
  const bool wide = setup.input_dtype(1) == DT_INT64;
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [wide](KernelContext& c) -> absl::Status {
      if (wide) return GatherTuples<T>(c, c.in<int64_t>(1));
      SF_ASSIGN_OR_RETURN(const int32_t* indices, Indices32(c));
      return GatherTuples<T>(c, indices);
    };
  });
}

void GatherNdGradient(GradientContext& c) {
  const Output indices = WideIndices(c.x(1));
  c.set_dx(0, ScatterNd(indices, c.dy(0), ShapeOf(c.x(0), {.out_type = indices.dtype()})));
}

const OpRegistrar gather_nd({.name = "GatherNd",
                             .inputs = {"params: Tparams", "indices: Tindices"},
                             .outputs = {"output: Tparams"},
                             .attrs = {"Tparams: type", kNarrowIndices, kBadIndicesPolicy},
                             .shape = GatherNdShape,
                             .gradient = GatherNdGradient,
                             .kernel = GatherNdKernel,
                             .batch = GatherNdBatch,
                             .doc = "Slices of params at index tuples."});

}  // namespace

Output Gather(Operand params, Operand indices, Operand axis, const GatherOptions& options) {
  NodeBuilder builder("GatherV2", {params, indices, axis});
  if (indices.is_number()) builder.Attr("Tindices", DT_INT32);
  if (axis.is_number()) builder.Attr("Taxis", DT_INT32);
  return builder.Attr("batch_dims", options.batch_dims).Name(options.name).Build();
}

Output GatherNd(Operand params, Operand indices, const OpOptions& options) {
  return NodeBuilder("GatherNd", {params, indices}).Name(options.name).Build();
}

}  // namespace staticflow
