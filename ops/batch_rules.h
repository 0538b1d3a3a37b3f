// Rules that ops name in OpSpec::batch: how the examples of a batch pass through families of ops.
//
//   .batch = LeadingBatch          // Conv2D: picture k of the result is made of picture k of the input
//
// Each is a function of one node, pure, and sets all outputs (graph/batch_dependence.h). An input that an index, a
// window or a permutation comes from must be constant; else the result is mixed, or unknown where only its value lacks.
#ifndef STATICFLOW_OPS_BATCH_RULES_H_
#define STATICFLOW_OPS_BATCH_RULES_H_

#include "graph/batch_dependence.h"

namespace staticflow {

// ---- Any op ----

// Output 0 is input 0 (or output i is input i, where there are several); other inputs play no part.
void PassBatch(BatchContext& c);
// The dimensions of the inputs stay in their places.
void SameDimensionsBatch(BatchContext& c);
// Index k of dimension 0 depends on index k of dimension 0 of the inputs: pools and resizing.
void LeadingBatch(BatchContext& c);
// The same where the filter, and a bias that is added to every example, must not hold data of the batch.
void ConvBatch(BatchContext& c);
void BiasBatch(BatchContext& c);
// The op works on vectors along the last dimension, or on matrices along the last two.
void VectorsBatch(BatchContext& c);
void MatricesBatch(BatchContext& c);
// Any example may touch any other.
void MixBatch(BatchContext& c);

// ---- Sums and scans ----

void ReductionBatch(BatchContext& c);     // (input, axes), keep_dims
void ScanBatch(BatchContext& c);          // (input, axis)
void ArgReductionBatch(BatchContext& c);  // (input, axis), which goes
void SegmentBatch(BatchContext& c);       // (data, segment_ids, ...)
void SumBatch(BatchContext& c);           // adds over the examples wherever they lie: gradients of filters and biases
void BatchMatMulBatch(BatchContext& c);

// ---- Predicates: known where their operands are ----

void LogicalNotBatch(BatchContext& c);
void LogicalAndBatch(BatchContext& c);
void LogicalOrBatch(BatchContext& c);

// ---- Arrays (ops/batch_rules_array.cc) ----

void ReshapeRowsBatch(BatchContext& c);
void ExpandDimsBatch(BatchContext& c);
void SqueezeBatch(BatchContext& c);
void BitcastBatch(BatchContext& c);
void BroadcastToBatch(BatchContext& c);
void ConcatBatch(BatchContext& c);    // (concat_dim, values...)
void ConcatV2Batch(BatchContext& c);  // (values..., axis)
void PackBatch(BatchContext& c);
void UnpackBatch(BatchContext& c);
void SplitBatch(BatchContext& c);   // (split_dim, value)
void SplitVBatch(BatchContext& c);  // (value, size_splits, split_dim)
void SliceBatch(BatchContext& c);
void StridedSliceBatch(BatchContext& c);
void PadBatch(BatchContext& c);
void TileBatch(BatchContext& c);
void ReverseBatch(BatchContext& c);
void ReverseSequenceBatch(BatchContext& c);
void RollBatch(BatchContext& c);
void OneHotBatch(BatchContext& c);
void GatherBatch(BatchContext& c);    // (params or variable, indices), along dimension 0
void GatherV2Batch(BatchContext& c);  // (params, indices, axis), batch_dims
void GatherNdBatch(BatchContext& c);
void SpaceToBatchBatch(BatchContext& c);
void BatchToSpaceBatch(BatchContext& c);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_BATCH_RULES_H_
