// Sparse tensors in three parts: indices [n, rank] (int64), values [n] and the shape of the whole [rank] (int64).
//
//   Output y = SparseTensorDenseMatMul({.indices = i, .values = v, .shape = s}, dense);
//   Output x = SparseToDense(i, s, v);
//
// The op's gradient, where there is one, is by the values and by the dense operands. Ops that merge or group entries
// take them in row-major order (SparseReorder). When run: InvalidArgument for an index outside the shape.
// Not thread-safe: all of them add to the graph. Source: tf.sparse (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_SPARSE_H_
#define STATICFLOW_OPS_SPARSE_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "ops/array.h"

namespace staticflow {

struct SparseParts {
  Output indices, values, shape;
};

struct SparseToDenseOptions {
  bool validate_indices = true;  // InvalidArgument unless the indices increase
  std::string name = "";
};
// `default_value` everywhere but for the values at their indices. Any type; indices may also be a vector or a scalar.
Output SparseToDense(Operand indices, Operand output_shape, Operand values, Operand default_value = 0,
                     const SparseToDenseOptions& options = {});

// A dense sum and a matrix product with a sparse left operand. Numbers.
Output SparseTensorDenseAdd(const SparseParts& a, Operand b, const OpOptions& options = {});
struct SparseMatMulOptions {
  bool adjoint_a = false;
  bool adjoint_b = false;
  std::string name = "";
};
Output SparseTensorDenseMatMul(const SparseParts& a, Operand b, const SparseMatMulOptions& options = {});

// The values combined with what a dense tensor, broadcast to the sparse shape, has at their indices: new values.
Output SparseDenseCwiseAdd(const SparseParts& a, Operand dense, const OpOptions& options = {});
Output SparseDenseCwiseMul(const SparseParts& a, Operand dense, const OpOptions& options = {});
Output SparseDenseCwiseDiv(const SparseParts& a, Operand dense, const OpOptions& options = {});

// The entries in row-major order.
SparseParts SparseReorder(const SparseParts& a, const OpOptions& options = {});
// The same entries, counted in row-major order of another shape, of which one size may be -1.
SparseParts SparseReshape(const SparseParts& a, const Ints& new_shape, const OpOptions& options = {});
// Several tensors behind one another along `concat_dim`; the part at `start` of at most `size`.
SparseParts SparseConcat(absl::Span<const SparseParts> parts, int64_t concat_dim, const OpOptions& options = {});
SparseParts SparseSlice(const SparseParts& a, const Ints& start, const Ints& size, const OpOptions& options = {});
// The sum of two tensors of one shape; where both have an entry and their sum is below `threshold` in magnitude, it has
// none.
SparseParts SparseAdd(const SparseParts& a, const SparseParts& b, Operand threshold = 0, const OpOptions& options = {});
// With an entry (row, 0, ...) of `default_value` in each row that has none; `is_empty` tells which rows had none.
struct SparseFillEmptyRowsResult {
  SparseParts filled;
  Output is_empty;
};
SparseFillEmptyRowsResult SparseFillEmptyRows(const SparseParts& a, Operand default_value,
                                              const OpOptions& options = {});

struct SparseReduceOptions {
  bool keep_dims = false;
  std::string name = "";
};
// A dense sum over the dimensions in `axes` (an int32 vector or scalar); without any, the dense tensor.
Output SparseReduceSum(const SparseParts& a, const Ints& axes, const SparseReduceOptions& options = {});
// The largest entries instead; 0 where there is none. And either with a sparse result, one entry for each place that
// has any. No gradient.
Output SparseReduceMax(const SparseParts& a, const Ints& axes, const SparseReduceOptions& options = {});
SparseParts SparseReduceSumSparse(const SparseParts& a, const Ints& axes, const SparseReduceOptions& options = {});
SparseParts SparseReduceMaxSparse(const SparseParts& a, const Ints& axes, const SparseReduceOptions& options = {});
// The softmax over the entries of each row (last dimension): new values.
Output SparseSoftmax(const SparseParts& a, const OpOptions& options = {});

// `num_split` parts of equal size along `split_dim`, the first ones larger by 1 where that does not come out even.
std::vector<SparseParts> SparseSplit(const SparseParts& a, int64_t split_dim, int64_t num_split,
                                     const OpOptions& options = {});
// The larger (smaller) of two tensors of one shape wherever either has an entry, the other counting as 0. The result's
// shape is theirs. No gradient.
SparseParts SparseMaximum(const SparseParts& a, const SparseParts& b, const OpOptions& options = {});
SparseParts SparseMinimum(const SparseParts& a, const SparseParts& b, const OpOptions& options = {});

struct EditDistanceOptions {
  bool normalize = true;  // divided by the length of the truth; infinite for an empty truth
  std::string name = "";
};
// How many insertions, deletions and replacements take each sequence of `hypothesis` (last dimension, any type) to that
// of `truth`: float, of the shape of the other dimensions.
Output EditDistance(const SparseParts& hypothesis, const SparseParts& truth, const EditDistanceOptions& options = {});

// ---- Sets: the elements along the last dimension (ops/sparse_sets.cc) ----

// "intersection", "union", "a-b" or "b-a" of the sets with equal other dimensions, sorted; the last dimension of the
// result is as large as its largest set. Integers up to 64 bits (not uint32 and uint64) and strings.
SparseParts SetOperation(Operand a, Operand b, const std::string& operation, const OpOptions& options = {});
SparseParts SetOperation(Operand a, const SparseParts& b, const std::string& operation, const OpOptions& options = {});
SparseParts SetOperation(const SparseParts& a, const SparseParts& b, const std::string& operation,
                         const OpOptions& options = {});
// The number of different elements of each set, int32.
Output SetSize(const SparseParts& a, const OpOptions& options = {});

// ---- Crosses of features (ops/sparse_cross.cc) ----

struct SparseCrossOptions {
  std::string separator = "_X_";
  std::string name = "";
};
// For every example all combinations of one value of each feature, as text: [examples, most combinations]. A feature is
// sparse or a matrix with a row for each example, of int64 or strings. When run: InvalidArgument for features of other
// shapes or of different numbers of examples.
SparseParts SparseCross(absl::Span<const SparseParts> sparse, absl::Span<const Output> dense = {},
                        const SparseCrossOptions& options = {});
struct SparseCrossHashedOptions {
  int64_t num_buckets = 0;          // the crosses are int64 below this; 0: below 2^63 - 1
  int64_t hash_key = 0xDECAFCAFFE;  // what the hashes start from
  std::string name = "";
};
// The same as hashes, as columns of crossed features in tf.feature_column have them.
SparseParts SparseCrossHashed(absl::Span<const SparseParts> sparse, absl::Span<const Output> dense = {},
                              const SparseCrossHashedOptions& options = {});

// ---- As strings or variants (ops/sparse_serialize.cc) ----

struct SerializeSparseOptions {
  DataType out_type = DT_STRING;  // or DT_VARIANT: the tensors as they are, for DeserializeSparse in the same step
  std::string name = "";
};
// Three serialized TensorProtos [3]; the same for each index of dimension 0, [n, 3].
Output SerializeSparse(const SparseParts& a, const SerializeSparseOptions& options = {});
Output SerializeManySparse(const SparseParts& a, const SerializeSparseOptions& options = {});
// Tensors of `dtype` from strings or variants [..., 3], stacked along new dimensions in front. When run:
// InvalidArgument for anything else.
SparseParts DeserializeSparse(Operand serialized, DataType dtype, const OpOptions& options = {});

struct CountIntsOptions {
  int64_t minlength = -1;      // rows of counts are at least so long; -1: as long as the largest value needs
  int64_t maxlength = -1;      // values from it on are passed over; -1: none
  bool binary_output = false;  // 1 for every value that occurs
  std::string name = "";
};
// How often each integer occurs in each row of `values` (a vector or a matrix of int32 or int64), or, with `weights` of
// its shape, the sum of their weights; none is an empty tensor of the counts' type. When run: InvalidArgument for a
// value below 0. Op DenseCountSparseOutput; no gradient.
SparseParts CountInts(Operand values, Operand weights, const CountIntsOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_SPARSE_H_
