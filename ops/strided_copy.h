// Moving elements between a contiguous tensor and a strided view of another: what transposing, slicing, tiling,
// broadcasting, reversing and padding have in common.
//
//   StridedView view;                          // the transpose of a row-major [2,3]
//   view.Add(3, 1);
//   view.Add(2, 3);
//   CopyFromView(view, in, out, {0, 6});             // out[i] = in[view(i)]
//
// A view has any rank and any strides, 0 and negative ones included. The caller answers for its bounds. Nothing here
// allocates for up to 16 dimensions. Thread-safety: pure functions; ranges that do not overlap may run in parallel.
#ifndef STATICFLOW_OPS_STRIDED_COPY_H_
#define STATICFLOW_OPS_STRIDED_COPY_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/container/inlined_vector.h"
#include "graph/dtype.h"
#include "graph/shape.h"
#include "runtime/kernel.h"

namespace staticflow {

using Sizes = absl::InlinedVector<int64_t, 16>;

// Sixteen bytes that are copied and never looked into: complex128.
struct SixteenBytes {
  uint64_t low = 0;
  uint64_t high = 0;
};

// Calls f.operator()<T>() with a type that stores elements of `dtype`; types of one size share one instantiation.
// False for types without storage.
template <typename F>
bool DispatchStorage(DataType dtype, F&& f) {
  if (dtype == DT_STRING) return f.template operator()<std::string>(), true;
  if (dtype == DT_RESOURCE) return f.template operator()<ResourceHandle>(), true;
  if (dtype == DT_VARIANT) return f.template operator()<Variant>(), true;
  switch (DataTypeSize(dtype)) {
    case 1:
      return f.template operator()<uint8_t>(), true;
    case 2:
      return f.template operator()<uint16_t>(), true;
    case 4:
      return f.template operator()<uint32_t>(), true;
    case 8:
      return f.template operator()<uint64_t>(), true;
    case 16:
      return f.template operator()<SixteenBytes>(), true;
    default:
      return false;
  }
}

// The kernel `make.operator()<T>()` for a storage type T of `dtype`; Unimplemented for types without storage.
template <typename F>
absl::StatusOr<Kernel> StorageKernel(DataType dtype, F&& make) {
  Kernel kernel;
  if (DispatchStorage(dtype, [&]<typename T>() { kernel = make.template operator()<T>(); })) return kernel;
  return absl::UnimplementedError("no tensor can hold this type");
}

// Row-major strides: {12, 4, 1} for [2,3,4].
inline Sizes RowMajorStrides(const Shape& shape) {
  Sizes strides(shape.rank());
  int64_t stride = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = stride;
    stride = MultiplySizes(stride, shape.dim(i));
  }
  return strides;
}

// Positions of elements: offset + sum of index[d] * strides[d], counted in row-major order of `dims`.
struct StridedView {
  Sizes dims;
  Sizes strides;
  int64_t offset = 0;

  // Appends an inner dimension; merges it with the one before when both are walked as one.
  void Add(int64_t size, int64_t stride) {
    if (size == 1) return;
    if (!dims.empty() && strides.back() == size * stride) {
      dims.back() *= size;
      strides.back() = stride;
    } else {
      dims.push_back(size);
      strides.push_back(stride);
    }
  }
  int64_t num_elements() const {
    int64_t n = 1;
    for (int64_t d : dims) n *= d;
    return n;
  }
};

// Calls row(flat, position, count) for runs of the flat range [begin, end) along the view's last dimension, whose
// stride is `view.strides.back()`.
template <typename F>
void ForEachRun(const StridedView& view, IndexRange range, F&& row) {
  if (range.begin >= range.end) return;
  const int rank = static_cast<int>(view.dims.size());
  if (rank == 0) return row(int64_t{0}, view.offset, int64_t{1});
  Sizes index(rank);
  int64_t position = view.offset;
  for (int64_t d = rank - 1, rest = range.begin; d >= 0; --d) {
    index[d] = rest % view.dims[d];
    rest /= view.dims[d];
    position += index[d] * view.strides[d];
  }
  const int last = rank - 1;
  int64_t flat = range.begin;
  while (true) {
    const int64_t count = std::min(view.dims[last] - index[last], range.end - flat);
    row(flat, position, count);
    flat += count;
    if (flat >= range.end) return;
    position -= index[last] * view.strides[last];
    index[last] = 0;
    for (int d = last - 1; d >= 0; --d) {
      position += view.strides[d];
      if (++index[d] < view.dims[d]) break;
      position -= view.dims[d] * view.strides[d];
      index[d] = 0;
    }
  }
}

// to[i] = from[view(i)] for i in `range`.
template <typename T>
void CopyFromView(const StridedView& view, const T* from, T* to, IndexRange range) {
  const int64_t stride = view.strides.empty() ? 1 : view.strides.back();
  ForEachRun(view, range, [&](int64_t flat, int64_t position, int64_t count) {
    if (stride == 1) {
      std::copy_n(from + position, count, to + flat);
    } else if (stride == 0) {
      std::fill_n(to + flat, count, from[position]);
    } else {
      for (int64_t i = 0; i < count; ++i) to[flat + i] = from[position + i * stride];
    }
  });
}

// to[view(i)] = from[i] for i in `range`.
template <typename T>
void CopyToView(const StridedView& view, const T* from, T* to, IndexRange range) {
  const int64_t stride = view.strides.empty() ? 1 : view.strides.back();
  ForEachRun(view, range, [&](int64_t flat, int64_t position, int64_t count) {
    if (stride == 1) {
      std::copy_n(from + flat, count, to + position);
    } else {
      for (int64_t i = 0; i < count; ++i) to[position + i * stride] = from[flat + i];
    }
  });
}

// Copies `bytes` of elements of `dtype` from input i to output o, unless they are the same memory.
void CopyInput(KernelContext& c, int i, int o);

// Sets the elements of a tensor to 0, false or "".
void ClearOutput(const TensorView& out);

// The elements of an integer tensor, of any integer type.
Sizes Integers(const TensorView& view);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_STRIDED_COPY_H_
