#include "ops/slice_spec.h"

#include "absl/strings/str_cat.h"

namespace staticflow {
namespace {

bool Has(int64_t mask, int64_t i) { return (mask >> i & 1) != 0; }

// Entry `i` applied to a dimension of size `size`.
absl::StatusOr<SliceSpec::Dim> SliceDim(const SliceEntries& entries, const SliceMasks& masks, int64_t i, int64_t size,
                                        int dimension) {
  SliceSpec::Dim dim{.start = 0, .stride = 1, .count = Shape::kUnknownDim};
  const bool shrink = Has(masks.shrink_axis, i);
  if (shrink) dim.count = 1;
  if (entries.strides) {
    dim.stride = (*entries.strides)[i];
    if (dim.stride == 0) return absl::InvalidArgumentError(absl::StrCat("strides[", i, "] is 0"));
    if (shrink && dim.stride < 0) {
      return absl::InvalidArgumentError(absl::StrCat("strides[", i, "] is negative where a single element is taken"));
    }
  }
  if (size == Shape::kUnknownDim) return dim;
  if (shrink) {
    dim.stride = 1;
    if (!entries.begin) return dim;
    const int64_t begin = (*entries.begin)[i];
    dim.start = begin < 0 ? begin + size : begin;
    if (dim.start < 0 || dim.start >= size) {
      return absl::InvalidArgumentError(
          absl::StrCat("index ", begin, " of dimension ", dimension, " is out of range for size ", size));
    }
    return dim;
  }
  const bool whole = Has(masks.begin, i) && Has(masks.end, i);
  if (!entries.strides || (!whole && (!entries.begin || !entries.end))) return dim;
  const bool forward = dim.stride > 0;
  const int64_t low = forward ? 0 : -1, high = forward ? size : size - 1;
  const auto place = [&](const std::optional<Sizes>& values, int64_t mask, int64_t masked) {
    if (Has(mask, i)) return masked;
    const int64_t x = (*values)[i];
    return std::clamp(x < 0 ? x + size : x, low, high);
  };
  const int64_t begin = place(entries.begin, masks.begin, forward ? low : high);
  const int64_t end = place(entries.end, masks.end, forward ? high : low);
  const int64_t length = end - begin;
  const bool empty = length == 0 || (length < 0) == forward;
  dim.start = begin;
  dim.count = empty ? 0 : length / dim.stride + (length % dim.stride != 0 ? 1 : 0);
  if (dim.count <= 1) dim.stride = 1;  // a huge stride that nobody takes must not enter any product
  return dim;
}

}  // namespace

absl::StatusOr<SliceSpec> SliceSpec::Make(const SliceEntries& entries, const SliceMasks& masks, const Shape& input) {
  constexpr int64_t kMaxEntries = 32;
  if (entries.size > kMaxEntries) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", entries.size, " entries, at most ", kMaxEntries, " are allowed"));
  }
  int64_t named = 0, ellipsis = entries.size;
  for (int64_t i = 0; i < entries.size; ++i) {
    if (Has(masks.ellipsis, i)) {
      if (ellipsis < entries.size) return absl::InvalidArgumentError("there is more than one ellipsis");
      ellipsis = i;
    } else if (!Has(masks.new_axis, i)) {
      ++named;
    }
  }
  if (named > input.rank()) {
    return absl::InvalidArgumentError(absl::StrCat("got ", named, " indices for an input of shape ", input.ToString()));
  }
  SliceSpec spec;
  const auto take_all = [&](int64_t count) {
    for (; count > 0; --count) {
      const int64_t size = input.dim(static_cast<int>(spec.dims.size()));
      spec.dims.push_back({.start = 0, .stride = 1, .count = size});
      spec.output.push_back(size);
    }
  };
  for (int64_t i = 0; i < entries.size; ++i) {
    if (i == ellipsis) {
      take_all(input.rank() - named);
    } else if (Has(masks.new_axis, i)) {
      spec.output.push_back(1);
    } else {
      const int d = static_cast<int>(spec.dims.size());
      SF_ASSIGN_OR_RETURN(const Dim dim, SliceDim(entries, masks, i, input.dim(d), d));
      spec.dims.push_back(dim);
      if (!Has(masks.shrink_axis, i)) spec.output.push_back(dim.count);
    }
  }
  take_all(input.rank() - static_cast<int64_t>(spec.dims.size()));
  return spec;
}

StridedView SliceSpec::View(const Shape& input) const {
  const Sizes strides = RowMajorStrides(input);
  StridedView view;
  bool empty = false;
  for (size_t d = 0; d < dims.size(); ++d) {
    view.Add(dims[d].count, dims[d].stride * strides[d]);
    view.offset += dims[d].start * strides[d];
    empty |= dims[d].count == 0;
  }
  if (empty) view.offset = 0;
  return view;
}

}  // namespace staticflow
