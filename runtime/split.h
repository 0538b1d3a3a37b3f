// How many shards an instruction is cut into: from shapes and the cost table here, never from the number of threads.
#ifndef STATICFLOW_RUNTIME_SPLIT_H_
#define STATICFLOW_RUNTIME_SPLIT_H_

#include "absl/types/span.h"
#include "runtime/kernel.h"
#include "runtime/plan.h"

namespace staticflow {

// Fills split_items and shards of an instruction whose shapes are known.
void ChooseSplit(const Node& node, absl::Span<const Shape> inputs, absl::Span<const Shape> outputs,
                 Instruction* instruction);

// How many items of its Split the op's output 0 has; 0 when the op divides nothing or the shape is null.
int64_t WholeSplit(const Node& node, const Shape* output);

// The items of shard `s`: cuts fall on multiples of a cache line of floats for flat ranges.
IndexRange ShardRange(const Instruction& instruction, int shard);

// Multiply-adds (or elements) that running the op takes, by its Iteration and shapes.
int64_t EstimateWork(const Node& node, absl::Span<const Shape> inputs, absl::Span<const Shape> outputs);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_SPLIT_H_
