#include "ops/array_shapes.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/math.h"

namespace staticflow {

absl::StatusOr<Shape> DimsFromInput(const ShapeContext& c, int i) {
  SF_RETURN_IF_ERROR(c.WithRank(i, 1).status());
  SF_ASSIGN_OR_RETURN(Shape dims, c.ValueAsShape(i));
  if (c.value(i) != nullptr && !dims.IsFullyDefined()) {
    return absl::InvalidArgumentError(absl::StrCat("input ", i, " holds a negative size: ", c.value(i)->ToString()));
  }
  return dims;
}

absl::StatusOr<std::optional<int64_t>> ScalarFromInput(const ShapeContext& c, int i) {
  if (c.input(i).IsFullyDefined() && c.input(i).num_elements() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", i, " has shape ", c.input(i).ToString(), ", expected a scalar"));
  }
  SF_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> values, c.Integers(i));
  if (!values.has_value()) return std::optional<int64_t>();
  return std::optional<int64_t>(values->front());
}

absl::StatusOr<std::optional<int>> AxisFromInput(const ShapeContext& c, int i, int rank) {
  SF_ASSIGN_OR_RETURN(std::optional<int64_t> axis, ScalarFromInput(c, i));
  if (!axis.has_value()) return std::optional<int>();
  SF_ASSIGN_OR_RETURN(int normal, NormalizeAxis(*axis, rank));
  return std::optional<int>(normal);
}

absl::StatusOr<int64_t> ScalarInput(const KernelContext& c, int i) {
  const TensorView& view = c.input(i);
  if (view.num_elements != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", i, " has shape ", view.shape->ToString(), ", expected a scalar"));
  }
  return Integers(view)[0];
}

absl::StatusOr<int> AxisInput(const KernelContext& c, int i, int rank) {
  SF_ASSIGN_OR_RETURN(int64_t axis, ScalarInput(c, i));
  return NormalizeAxis(axis, rank);
}

IndexRange FlatRows(const KernelContext& c) {
  const TensorView& out = c.output(0);
  if (out.rank() == 0) return {0, out.num_elements};
  const int64_t row = out.shape->num_elements(1, out.rank());
  return {c.range().begin * row, c.range().end * row};
}

absl::Status ExpectOutput(const KernelContext& c, int i, const Shape& shape) {
  if (*c.output(i).shape == shape) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the result has shape ", shape.ToString(), ", expected ", c.output(i).shape->ToString()));
}

absl::Status CopyKernel(KernelContext& c) {
  if (c.input(0).num_elements != c.output(0).num_elements) return ExpectOutput(c, 0, *c.input(0).shape);
  CopyInput(c, 0, 0);
  return absl::OkStatus();
}

void PassGradient(GradientContext& c) { c.set_dx(0, c.dy(0)); }

Output WideIndices(Output indices) { return indices.dtype() == DT_INT16 ? Cast(indices, DT_INT32) : indices; }

void ReshapeGradient(GradientContext& c) {
  // One open size follows from the others, so that no node needs to look at x.
  const Shape& shape = c.x(0).shape();
  if (shape.has_rank() && std::count(shape.dims().begin(), shape.dims().end(), Shape::kUnknownDim) == 1 &&
      std::count(shape.dims().begin(), shape.dims().end(), 0) == 0) {
    c.set_dx(0, Reshape(c.dy(0), Ints(shape)));
  } else {
    c.set_dx(0, Reshape(c.dy(0), ShapeOf(c.x(0))));
  }
}

std::optional<int64_t> ConstInteger(Output output) {
  if (!output.valid() || !output.node()->op().is(OpRole::kConst)) return std::nullopt;
  absl::StatusOr<std::vector<int64_t>> values = IntegerValues(output.node()->attr<Tensor>("value"));
  if (!values.ok() || values->size() != 1) return std::nullopt;
  return values->front();
}

std::optional<Shape> PassShapeValue(const ShapeContext& c) {
  absl::StatusOr<Shape> value = c.ValueAsShape(0);
  if (!value.ok()) return std::nullopt;
  return *std::move(value);
}

}  // namespace staticflow
