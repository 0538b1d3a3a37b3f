#include "ops/reduction.h"

#include <vector>

namespace staticflow {
namespace {

using Mask = absl::InlinedVector<bool, Shape::kMaxKernelRank>;

absl::Status Mark(int64_t axis, Mask& mask) {
  SF_ASSIGN_OR_RETURN(const int i, NormalizeAxis(axis, static_cast<int>(mask.size())));
  if (mask[i]) return absl::InvalidArgumentError(absl::StrCat("axis ", i, " comes twice"));
  mask[i] = true;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Mask> ReducedDimensions(const TensorView& axes, int rank) {
  Mask mask(rank, false);
  for (int64_t i = 0; i < axes.num_elements; ++i) {
    SF_RETURN_IF_ERROR(Mark(axes.dtype == DT_INT32 ? axes.as<int32_t>()[i] : axes.as<int64_t>()[i], mask));
  }
  return mask;
}

absl::StatusOr<ReductionLayout> MakeReductionLayout(const Shape& input, const TensorView& axes) {
  SF_ASSIGN_OR_RETURN(const Mask mask, ReducedDimensions(axes, input.rank()));
  ReductionLayout layout;
  bool any = false, last_reduced = false;
  int64_t stride = 1;
  for (int i = input.rank() - 1; i >= 0; --i) {
    const int64_t size = input.dim(i);
    if (size == 1) continue;
    const bool reduced = mask[i];
    if (reduced) layout.count *= size;
    if (!any) {
      layout.inner = size;
      layout.inner_reduced = reduced;
    } else if (layout.kept.empty() && layout.reduced.empty() && reduced == layout.inner_reduced) {
      layout.inner *= size;
    } else {
      ReductionLayout::Dims& dims = reduced ? layout.reduced : layout.kept;
      if (reduced == last_reduced && !dims.empty()) {
        dims.back().size *= size;
      } else {
        dims.push_back({size, stride});
      }
      if (reduced) layout.rows *= size;
    }
    any = true;
    last_reduced = reduced;
    stride *= size;
  }
  return layout;
}

absl::Status ReductionShape(ShapeContext& c) {
  const Shape& input = c.input(0);
  if (c.input(1).has_rank() && c.input(1).rank() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("reduction_indices must be a scalar or a vector, not ", c.input(1).ToString()));
  }
  const bool keep_dims = c.attr<bool>("keep_dims");
  SF_ASSIGN_OR_RETURN(const std::optional<std::vector<int64_t>> axes, c.Integers(1));
  if (!input.has_rank()) return absl::OkStatus();
  if (!axes.has_value()) {
    if (keep_dims) c.set_output(0, Shape::UnknownOfRank(input.rank()));
    return absl::OkStatus();
  }
  Mask mask(input.rank(), false);
  for (int64_t axis : *axes) SF_RETURN_IF_ERROR(Mark(axis, mask));
  Shape output;
  for (int i = 0; i < input.rank(); ++i) {
    if (!mask[i]) {
      output.push_back(input.dim(i));
    } else if (keep_dims) {
      output.push_back(1);
    }
  }
  c.set_output(0, output);
  return absl::OkStatus();
}

IndexRange FlatRangeOfRows(const KernelContext& c) {
  const TensorView& output = c.output(0);
  if (output.num_elements == 0) return {0, 0};
  const int64_t row = output.rank() == 0 ? 1 : output.num_elements / output.dim(0);
  return {c.range().begin * row, c.range().end * row};
}

}  // namespace staticflow
