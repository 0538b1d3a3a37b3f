#include "runtime/io/tensor_slice.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace staticflow {
namespace {

// n elements from index i on to index j on.
void CopyRun(const Tensor& from, int64_t i, Tensor* to, int64_t j, int64_t n) {
  if (from.dtype() == DT_STRING) {
    std::copy_n(from.data<std::string>() + i, n, to->data<std::string>() + j);
    return;
  }
  const int64_t size = DataTypeSize(from.dtype());
  if (n > 0)
    std::memcpy(static_cast<char*>(to->raw()) + j * size, static_cast<const char*>(from.raw()) + i * size, n * size);
}

// The element of a box of shape `shape` that starts at `starts` which has index `index` in the whole tensor.
int64_t PlaceOf(const std::vector<int64_t>& index, const std::vector<int64_t>& starts, const Shape& shape) {
  int64_t place = 0;
  for (size_t d = 0; d < index.size(); ++d) place = place * shape.dim(static_cast<int>(d)) + index[d] - starts[d];
  return place;
}

}  // namespace

int64_t SliceLength(const TensorSlice& slice, const Shape& full, size_t d) {
  return slice.lengths[d] < 0 ? full.dim(static_cast<int>(d)) : slice.lengths[d];
}

Shape SliceShape(const TensorSlice& slice, const Shape& full) {
  Shape shape;
  for (size_t d = 0; d < slice.lengths.size(); ++d) shape.push_back(SliceLength(slice, full, d));
  return shape;
}

bool InsideOf(const TensorSlice& slice, const Shape& full) {
  if (slice.starts.size() != static_cast<size_t>(full.rank())) return false;
  for (size_t d = 0; d < slice.starts.size(); ++d) {
    const int64_t length = SliceLength(slice, full, d), size = full.dim(static_cast<int>(d));
    if (slice.starts[d] < 0 || slice.lengths[d] < -1 || length > size || slice.starts[d] > size - length) return false;
  }
  return true;
}

bool Overlap(const TensorSlice& a, const TensorSlice& b, const Shape& full) {
  for (size_t d = 0; d < a.starts.size(); ++d) {
    if (a.starts[d] + SliceLength(a, full, d) <= b.starts[d] || b.starts[d] + SliceLength(b, full, d) <= a.starts[d])
      return false;
  }
  return true;
}

int64_t CopyCommon(const Tensor& from, const TensorSlice& from_slice, const TensorSlice& to_slice, const Shape& full,
                   Tensor* to) {
  const size_t rank = from_slice.starts.size();
  std::vector<int64_t> first(rank), end(rank);
  int64_t count = 1;
  for (size_t d = 0; d < rank; ++d) {
    first[d] = std::max(from_slice.starts[d], to_slice.starts[d]);
    end[d] = std::min(from_slice.starts[d] + SliceLength(from_slice, full, d),
                      to_slice.starts[d] + SliceLength(to_slice, full, d));
    if (end[d] <= first[d]) return 0;
    count *= end[d] - first[d];
  }
  // Row by row of the last dimension.
  const int64_t row = rank == 0 ? 1 : end[rank - 1] - first[rank - 1];
  std::vector<int64_t> index = first;
  for (int64_t done = 0; done < count; done += row) {
    CopyRun(from, PlaceOf(index, from_slice.starts, from.shape()), to, PlaceOf(index, to_slice.starts, to->shape()),
            row);
    for (size_t d = rank < 2 ? 0 : rank - 1; d-- > 0 && ++index[d] == end[d];) index[d] = first[d];
  }
  return count;
}

}  // namespace staticflow
