// Boxes inside tensors, as partitioned variables are saved in. All functions are pure.
#ifndef STATICFLOW_RUNTIME_IO_TENSOR_SLICE_H_
#define STATICFLOW_RUNTIME_IO_TENSOR_SLICE_H_

#include <cstdint>
#include <vector>

#include "graph/shape.h"
#include "graph/tensor.h"

namespace staticflow {

// For each dimension, where the box starts and how long it is. Length -1 (with start 0) is all.
struct TensorSlice {
  std::vector<int64_t> starts;
  std::vector<int64_t> lengths;

  static TensorSlice Whole(int rank) {
    return {std::vector<int64_t>(static_cast<size_t>(rank), 0), std::vector<int64_t>(static_cast<size_t>(rank), -1)};
  }
};

// How long and how large the box is in a tensor of shape `full`. REQUIRES: one entry for each dimension of `full`.
int64_t SliceLength(const TensorSlice& slice, const Shape& full, size_t d);
Shape SliceShape(const TensorSlice& slice, const Shape& full);
// Whether the box has an entry for each dimension of `full` and lies inside.
bool InsideOf(const TensorSlice& slice, const Shape& full);
// The elements that two boxes inside `full` have in common.
bool Overlap(const TensorSlice& a, const TensorSlice& b, const Shape& full);

// Copies what two boxes inside a tensor of shape `full` have in common from `from`, which holds the one, to `to`, which
// holds the other. Returns the number of elements. REQUIRES: both have their box's shape and one dtype with storage.
int64_t CopyCommon(const Tensor& from, const TensorSlice& from_slice, const TensorSlice& to_slice, const Shape& full,
                   Tensor* to);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_TENSOR_SLICE_H_
