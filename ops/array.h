// Arrays: constants and placeholders, shapes, joining, slicing, transposing and gathering. More of the same family:
// ops/array_index.h (scatter, unique, partitions) and ops/array_layout.h (padding, diagonals, blocks, reversal).
//
//   Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 784}, .name = "x"});
//   Output image = Reshape(x, {-1, 28, 28, 1});
//   Output first = Gather(image, Const(g, 0), 0);
//
// Every op takes any element type unless it says otherwise; index and shape operands are int32 or int64. Mistakes
// stick to the graph: see graph/node_builder.h. Not thread-safe: all of them add to the graph.
// Source of all contracts: the TensorFlow 1.15 functions of these names.
#ifndef STATICFLOW_OPS_ARRAY_H_
#define STATICFLOW_OPS_ARRAY_H_

#include <initializer_list>
#include <optional>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "graph/node_builder.h"
#include "graph/tensor.h"

namespace staticflow {

// A vector of integers (a shape, axes, a permutation): a list known now, which becomes a Const named `node/argument`,
// or an output.
class Ints {
 public:
  Ints(Output output) : output_(output) {}                           // NOLINT
  Ints(std::initializer_list<int64_t> values) : values_(values) {}   // NOLINT
  Ints(std::vector<int64_t> values) : values_(std::move(values)) {}  // NOLINT
  explicit Ints(const Shape& shape) : values_(shape.dims().begin(), shape.dims().end()) {}

  bool is_output() const { return output_.has_value(); }
  Output output() const { return output_.value_or(Output()); }
  const std::vector<int64_t>& values() const { return values_; }
  // The values as a tensor: int32 when all of them fit, else int64.
  Tensor AsTensor() const;

 private:
  std::optional<Output> output_;
  std::vector<int64_t> values_;
};

// --- Sources ---

struct ConstOptions {
  std::string name = "";
  std::source_location where = std::source_location::current();
};
Output Const(Graph& g, Tensor value, const ConstOptions& options = {});

struct PlaceholderOptions {
  DataType dtype = DT_FLOAT;
  Shape shape = Shape::Unknown();  // unknown dimensions may differ from step to step
  std::string name = "";
  std::source_location where = std::source_location::current();
};
// A value that every step must feed.
Output Placeholder(Graph& g, const PlaceholderOptions& options = {});

struct PlaceholderWithDefaultOptions {
  std::optional<Shape> shape = std::nullopt;  // nullopt: the default's
  std::string name = "";
  std::source_location where = std::source_location::current();
};
// A value that a step may feed; `input` otherwise.
Output PlaceholderWithDefault(Graph& g, Tensor input, const PlaceholderWithDefaultOptions& options = {});
Output PlaceholderWithDefault(Graph& g, Output input, const PlaceholderWithDefaultOptions& options = {});

// A tensor full of zeros (ones): a Const below 1000 elements, else a Fill. InvalidArgument unless `shape` is fully
// defined. Zeros of strings are empty strings; there are no ones of strings.
Output Zeros(Graph& g, DataType dtype, const Shape& shape, const ConstOptions& options = {});
Output Ones(Graph& g, DataType dtype, const Shape& shape, const ConstOptions& options = {});

// --- Identities ---

Output Identity(Operand input, const OpOptions& options = {});
// One output per input. No output is computed before all inputs are.
std::vector<Output> IdentityN(absl::Span<const Output> inputs, const OpOptions& options = {});
// Its input, through which no gradient flows.
Output StopGradient(Operand input, const OpOptions& options = {});
// Its input; differentiating through it is an error.
struct PreventGradientOptions {
  std::string message = "";
  std::string name = "";
};
Output PreventGradient(Operand input, const PreventGradientOptions& options = {});
// A copy of its input; its input, promised to stay the same from step to step.
Output Snapshot(Operand input, const OpOptions& options = {});
Output GuaranteeConst(Operand input, const OpOptions& options = {});
// Its input, whose shape must match `shape` when it runs.
Output EnsureShape(Operand input, const Shape& shape, const OpOptions& options = {});
// Its input; InvalidArgument with `message` when a step finds a NaN or an infinity in it. Floating types.
Output CheckNumerics(Operand tensor, const std::string& message, const OpOptions& options = {});
// The same bytes as another type of numbers. When the sizes differ, a last dimension of their ratio goes or comes.
Output Bitcast(Operand input, DataType type, const OpOptions& options = {});

// --- Shapes ---

struct ShapeOptions {
  DataType out_type = DT_INT32;  // or DT_INT64
  std::string name = "";
};
// The shape (number of elements, rank) of `input`: a Const when the graph knows it, else an op. Fetching an int32
// shape whose sizes do not fit is InvalidArgument.
Output ShapeOf(Operand input, const ShapeOptions& options = {});
Output SizeOf(Operand input, const ShapeOptions& options = {});
Output RankOf(Operand input, const OpOptions& options = {});
// The shapes of several tensors.
std::vector<Output> ShapeN(absl::Span<const Output> inputs, const ShapeOptions& options = {});

// The same elements under another shape; one size may be -1 and follows from the others.
Output Reshape(Operand tensor, const Ints& shape, const OpOptions& options = {});
inline Output ReshapeTo(Operand tensor, const Shape& shape, const OpOptions& options = {}) {
  return Reshape(tensor, Ints(shape), options);
}
// Inserts a dimension of size 1 before dimension `axis` in [-rank - 1, rank].
Output ExpandDims(Operand input, Operand axis, const OpOptions& options = {});
// Removes the dimensions `axes`, which must have size 1; all dimensions of size 1 when there are none given.
Output Squeeze(Operand input, const std::vector<int64_t>& axes = {}, const OpOptions& options = {});

// A tensor of shape `dims` full of `value`.
Output Fill(const Ints& dims, Operand value, const OpOptions& options = {});
// Zeros (ones) with the type and shape of `x`: a Const or a Fill when the shape is known. OnesLike: numbers and bool.
Output ZerosLike(Operand x, const OpOptions& options = {});
Output OnesLike(Operand x, const OpOptions& options = {});

// `input` repeated along its dimensions of size 1 (and along new leading ones) to the shape.
Output BroadcastTo(Operand input, const Ints& shape, const OpOptions& options = {});
// The shape to which shapes s0 and s1 are broadcast together.
Output BroadcastArgs(Operand s0, Operand s1, const OpOptions& options = {});
// The dimensions over which the gradients of two operands of shapes s0 and s1 must be summed.
std::pair<Output, Output> BroadcastGradientArgs(Operand s0, Operand s1, const OpOptions& options = {});
// `input` repeated multiples[d] times along dimension d.
Output Tile(Operand input, const Ints& multiples, const OpOptions& options = {});

// --- Joining and splitting ---

// The values one after the other along `axis`; their other dimensions agree.
Output Concat(absl::Span<const Output> values, Operand axis, const OpOptions& options = {});
inline Output Concat(std::initializer_list<Output> values, Operand axis, const OpOptions& options = {}) {
  return Concat(absl::MakeConstSpan(values.begin(), values.size()), axis, options);
}
// Op Pack: the values, all of one shape, along a new dimension `axis`.
Output Stack(absl::Span<const Output> values, int axis = 0, const OpOptions& options = {});
inline Output Stack(std::initializer_list<Output> values, int axis = 0, const OpOptions& options = {}) {
  return Stack(absl::MakeConstSpan(values.begin(), values.size()), axis, options);
}
// Op Unpack: the `num` slices of `value` along `axis`, without that dimension.
std::vector<Output> Unstack(Operand value, int num, int axis = 0, const OpOptions& options = {});
// `num` equal parts along `axis`.
std::vector<Output> Split(Operand value, int num, Operand axis, const OpOptions& options = {});
// Parts of the given sizes along `axis`; one size may be -1. `num` is needed when `sizes` is an output.
std::vector<Output> SplitV(Operand value, const Ints& sizes, Operand axis, int num = 0, const OpOptions& options = {});
// The offsets at which inputs of these shapes start in their concatenation along `axis`.
std::vector<Output> ConcatOffset(Operand axis, absl::Span<const Output> shapes, const OpOptions& options = {});

// --- Slices ---

// `size` elements from `begin` in every dimension; a size of -1 means all that remain.
Output Slice(Operand input, const Ints& begin, const Ints& size, const OpOptions& options = {});

struct StridedSliceOptions {
  int64_t begin_mask = 0;        // bit i: begin[i] is ignored, the slice starts at the start
  int64_t end_mask = 0;          // bit i: end[i] is ignored, the slice goes to the end
  int64_t ellipsis_mask = 0;     // bit i: entry i stands for all dimensions that no other entry names; one bit at most
  int64_t new_axis_mask = 0;     // bit i: entry i inserts a dimension of size 1
  int64_t shrink_axis_mask = 0;  // bit i: only element begin[i] is taken, and the dimension removed
  std::string name = "";
};
// input[begin:end:strides] with Python's rules. `strides` may be left empty for ones.
Output StridedSlice(Operand input, const Ints& begin, const Ints& end, const Ints& strides = {},
                    const StridedSliceOptions& options = {});
// The gradient of StridedSlice: zeros of shape `shape` with dy at the slice.
Output StridedSliceGrad(Operand shape, const Ints& begin, const Ints& end, const Ints& strides, Operand dy,
                        const StridedSliceOptions& options = {});

// --- Reordering and selecting ---

// Dimension i of the result is dimension perm[i] of `x`; the one-argument form reverses the dimensions.
Output Transpose(Operand x, const Ints& perm, const OpOptions& options = {});
Output Transpose(Operand x, const OpOptions& options = {});
// y with y[x[i]] = i. InvalidArgument unless x is a permutation of 0, 1, ..., n - 1.
Output InvertPermutation(Operand x, const OpOptions& options = {});
// Op Select: elements of t where condition holds, of e elsewhere; condition has their shape, or is a scalar, or a
// vector that chooses rows.
Output Select(Operand condition, Operand t, Operand e, const OpOptions& options = {});
// Op SelectV2: the same with broadcasting of all three.
Output Where(Operand condition, Operand t, Operand e, const OpOptions& options = {});
// Op Where: the indices [n, rank] of the nonzero elements, in row-major order, as int64.
Output WhereIndices(Operand input, const OpOptions& options = {});

// start, start + delta, ... up to, not including, limit. Float, double, int32, int64; numbers alone make int32.
Output Range(Operand start, Operand limit, Operand delta, const OpOptions& options = {});
// `num` evenly spaced values from start to stop, both included. Floating types.
Output LinSpace(Operand start, Operand stop, Operand num, const OpOptions& options = {});

struct GatherOptions {
  int64_t batch_dims = 0;  // leading dimensions that params and indices share
  std::string name = "";
};
// Op GatherV2: the slices of `params` along `axis` at `indices`. A step with an index out of range is InvalidArgument.
Output Gather(Operand params, Operand indices, Operand axis = 0, const GatherOptions& options = {});
// Slices at index tuples: the last dimension of `indices` indexes the first dimensions of `params`.
Output GatherNd(Operand params, Operand indices, const OpOptions& options = {});

struct OneHotOptions {
  int64_t axis = -1;  // where the new dimension goes; -1: last
  std::string name = "";
};
// on_value at the index along a new dimension of size `depth`, off_value elsewhere; an index outside gives none.
Output OneHot(Operand indices, Operand depth, Operand on_value, Operand off_value, const OneHotOptions& options = {});

// Adds paddings[d][0] zeros before and paddings[d][1] after dimension d. `paddings` is [rank, 2], row by row when it
// is a list.
Output Pad(Operand tensor, const Ints& paddings, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ARRAY_H_
