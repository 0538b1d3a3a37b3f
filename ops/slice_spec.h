// SliceSpec: what input[begin:end:strides] with its masks means for a shape.
//
//   SF_ASSIGN_OR_RETURN(SliceSpec spec, SliceSpec::Make(entries, masks, {4, 5}));
//   spec.dims[0]           // start, stride and number of elements taken along input dimension 0
//   spec.output            // the resulting shape, with new and without removed dimensions
//
// Source: TensorFlow's rules for StridedSlice. Pure functions.
#ifndef STATICFLOW_OPS_SLICE_SPEC_H_
#define STATICFLOW_OPS_SLICE_SPEC_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "ops/strided_copy.h"

namespace staticflow {

struct SliceMasks {
  int64_t begin = 0, end = 0, ellipsis = 0, new_axis = 0, shrink_axis = 0;
};

// The three operands; one without a value is not known yet. All have `size` entries.
struct SliceEntries {
  int64_t size = 0;
  std::optional<Sizes> begin = std::nullopt, end = std::nullopt, strides = std::nullopt;
};

struct SliceSpec {
  struct Dim {
    int64_t start = 0;  // meaningless when nothing is taken, or when begin is not known
    int64_t stride = 1;
    int64_t count = 0;  // elements taken; kUnknownDim when not known
  };
  absl::InlinedVector<Dim, 8> dims;  // one per dimension of the input
  Shape output;

  // `input` has a rank. InvalidArgument when the entries do not fit it.
  static absl::StatusOr<SliceSpec> Make(const SliceEntries& entries, const SliceMasks& masks, const Shape& input);

  // The view of the input that is taken. REQUIRES: everything is known.
  StridedView View(const Shape& input) const;
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_SLICE_SPEC_H_
