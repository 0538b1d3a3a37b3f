// How an instruction can be divided among workers: how many items it has, where the cuts fall, what it costs.
#ifndef STATICFLOW_RUNTIME_SPLIT_H_
#define STATICFLOW_RUNTIME_SPLIT_H_

#include "absl/types/span.h"
#include "runtime/kernel.h"
#include "runtime/plan.h"

namespace staticflow {

// How many items of its Split the op's output 0 has; 0 when the op divides nothing or the shape is null.
int64_t WholeSplit(const Node& node, const Shape* output);

// Where part `part` of `parts` of `n` elements begins (part == parts: n), on a cache line of floats: the same for every
// tensor with a dimension of this size, so that what belongs together is cut together.
int64_t EvenCut(int64_t n, int parts, int part);

// Multiply-adds (or elements) that running the op takes, by its Iteration and shapes.
int64_t EstimateWork(const Node& node, absl::Span<const Shape> inputs, absl::Span<const Shape> outputs);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_SPLIT_H_
