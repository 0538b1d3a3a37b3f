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
// tensor with a dimension of this size, so that what belongs together is cut together. (Gemm wants its columns cut so.)
int64_t EvenCut(int64_t n, int parts, int part);

// Multiply-adds (or elements) that running the op takes, by its Iteration and shapes.
int64_t EstimateWork(const Node& node, absl::Span<const Shape> inputs, absl::Span<const Shape> outputs);

// How long one worker alone takes for an instruction whose shapes are known, in units of about a nanosecond on one core
// of 2023; 0 for jumps, copies and what is not known.
double EstimateTime(const Plan& plan, const Instruction& instruction);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_SPLIT_H_
