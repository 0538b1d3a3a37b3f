// Arrays by index: scattering, unique elements, partitions, largest elements. The counterpart of Gather, GatherNd and
// OneHot in ops/array.h.
//
//   Output dense = ScatterNd(indices, updates, {8});       // zeros with updates added at the indices
//   auto [values, positions] = TopK(logits, 5);
//
// Index operands are int32 or int64. An index out of range is InvalidArgument, in the step that meets it.
// Not thread-safe: all of them add to the graph. Source: the TensorFlow 1.15 functions of these names.
#ifndef STATICFLOW_OPS_ARRAY_INDEX_H_
#define STATICFLOW_OPS_ARRAY_INDEX_H_

#include <vector>

#include "absl/types/span.h"
#include "ops/array.h"

namespace staticflow {

// Zeros of shape `shape`, with `updates` added at `indices`, whose last dimension indexes the first dimensions of the
// result. Numbers. Updates of one place are added in their order.
Output ScatterNd(Operand indices, Operand updates, const Ints& shape, const OpOptions& options = {});

// `tensor` with the slices at `indices` replaced by `updates` (the last one of several wins), or with `updates` added,
// subtracted, or combined by maximum or minimum. Update takes any type, the others numbers.
Output TensorScatterUpdate(Operand tensor, Operand indices, Operand updates, const OpOptions& options = {});
Output TensorScatterAdd(Operand tensor, Operand indices, Operand updates, const OpOptions& options = {});
Output TensorScatterSub(Operand tensor, Operand indices, Operand updates, const OpOptions& options = {});
Output TensorScatterMax(Operand tensor, Operand indices, Operand updates, const OpOptions& options = {});
Output TensorScatterMin(Operand tensor, Operand indices, Operand updates, const OpOptions& options = {});

struct IndexOptions {
  DataType out_idx = DT_INT32;  // or DT_INT64
  std::string name = "";
};
// The distinct elements of a vector in the order in which they first come; x[i] == y[idx[i]]; y[k] comes count[k]
// times. Numbers, bool, strings.
struct UniqueOutputs {
  Output y, idx, count;  // count: of UniqueWithCounts only
};
UniqueOutputs Unique(Operand x, const IndexOptions& options = {});
UniqueOutputs UniqueWithCounts(Operand x, const IndexOptions& options = {});
// The elements of vector x that are not in vector y, and their positions in x. The same types.
struct ListDiffOutputs {
  Output out, idx;
};
ListDiffOutputs ListDiff(Operand x, Operand y, const IndexOptions& options = {});

// Output p holds the slices data[i] with partitions[i] == p, in their order. `partitions` is int32 and has the leading
// dimensions of `data`.
std::vector<Output> DynamicPartition(Operand data, Operand partitions, int num_partitions,
                                     const OpOptions& options = {});
// merged[indices[k][i]] = data[k][i]: the inverse. Later ones win; rows that no index names are 0. int32 indices.
Output DynamicStitch(absl::Span<const Output> indices, absl::Span<const Output> data, const OpOptions& options = {});

struct TopKOptions {
  bool sorted = true;  // largest first; otherwise in any order (here: largest first as well)
  std::string name = "";
};
// Op TopKV2: the k largest elements of every row (last dimension) and their positions; of equal ones the first. Real
// numbers. InvalidArgument when a row has fewer than k.
struct TopKOutputs {
  Output values, indices;
};
TopKOutputs TopK(Operand input, Operand k = 1, const TopKOptions& options = {});
// The centers nearest to each point, nearest first, and their squared distances. Float points [n, size] and centers
// [m, size], a scalar int64 k >= 0; [n, min(k, m)] int64 and float. Of centers as near, the first.
struct NearestOutputs {
  Output indices, distances;
};
NearestOutputs NearestNeighbors(Operand points, Operand centers, Operand k, const OpOptions& options = {});
// Op InTopKV2: whether predictions[i, targets[i]] is finite and fewer than k elements of row i are larger. Float
// predictions [n, classes].
// A target that is no class is in no top k.
Output InTopK(Operand predictions, Operand targets, Operand k, const OpOptions& options = {});

struct BucketizeOptions {
  std::vector<float> boundaries = {};  // increasing
  std::string name = "";
};
// For each number, how many boundaries are at most it: int32. int32, int64, float or double; no gradient.
Output Bucketize(Operand input, const BucketizeOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ARRAY_INDEX_H_
