// Sums and extremes of the rows that carry one number: segments; and Bincount.
//
//   SegmentSum(data, {0, 0, 1, 1, 1})   row 0 of the result is data[0] + data[1]
//
// Rows are the slices along the dimensions that `segment_ids` has. Ids are int32 or int64. All numbers unless a line
// says otherwise. Source: tf.math.segment_sum and its kin, tf.math.unsorted_segment_sum and its kin (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_MATH_SEGMENT_H_
#define STATICFLOW_OPS_MATH_SEGMENT_H_

#include "graph/node_builder.h"

namespace staticflow {

// The result has max(segment_ids) + 1 rows; a number that no row carries gives 0 (1 for the product). A step in which
// `segment_ids`, a vector, decrease or start below 0 is InvalidArgument.
Output SegmentSum(Operand data, Operand segment_ids, const OpOptions& options = {});
Output SegmentMean(Operand data, Operand segment_ids, const OpOptions& options = {});
Output SegmentProd(Operand data, Operand segment_ids, const OpOptions& options = {});
Output SegmentMax(Operand data, Operand segment_ids, const OpOptions& options = {});
Output SegmentMin(Operand data, Operand segment_ids, const OpOptions& options = {});

// The result has `num_segments` rows; ids come in any order, have any shape that starts data's, and a negative one
// drops its row; one that is too large is InvalidArgument. Empty segments give 0, 1, the lowest and the highest value.
Output UnsortedSegmentSum(Operand data, Operand segment_ids, Operand num_segments, const OpOptions& options = {});
Output UnsortedSegmentProd(Operand data, Operand segment_ids, Operand num_segments, const OpOptions& options = {});
Output UnsortedSegmentMax(Operand data, Operand segment_ids, Operand num_segments, const OpOptions& options = {});
Output UnsortedSegmentMin(Operand data, Operand segment_ids, Operand num_segments, const OpOptions& options = {});

// How often each of 0, 1, ..., size - 1 occurs in `arr`; with `weights` of its shape, the sum of their weights (none:
// an empty tensor of the result's type). Larger numbers are passed over; a negative one is InvalidArgument. `arr` and
// `size` are int32, weights int32, int64, float or double. No gradient.
Output Bincount(Operand arr, Operand size, Operand weights, const OpOptions& options = {});

// Segments of the rows data[indices[i]], the sums of n rows divided by 1, n and sqrt(n): embedding lookups. segment_ids
// are sorted and of the length of `indices`; the result has a row for each segment up to the last. Mean and SqrtN:
// floating types. The gradient of SparseSegmentSum are slices, so that optimizers update only the rows that were read.
Output SparseSegmentSum(Operand data, Operand indices, Operand segment_ids, const OpOptions& options = {});
Output SparseSegmentMean(Operand data, Operand indices, Operand segment_ids, const OpOptions& options = {});
Output SparseSegmentSqrtN(Operand data, Operand indices, Operand segment_ids, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_MATH_SEGMENT_H_
