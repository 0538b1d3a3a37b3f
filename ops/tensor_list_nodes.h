// What the blocks of the ops on lists share.
#ifndef STATICFLOW_OPS_TENSOR_LIST_NODES_H_
#define STATICFLOW_OPS_TENSOR_LIST_NODES_H_

#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array.h"
#include "ops/tensor_list.h"
#include "ops/tensor_list_value.h"

namespace staticflow {

inline constexpr char kElementType[] = "element_dtype: type";
inline constexpr char kShapeType[] = "shape_type: indextype";

// Input i as the shape of elements: -1 for an unknown rank, or a vector.
absl::StatusOr<Shape> ElementShapeInput(const KernelContext& c, int i);
// The same as far as it is known statically.
absl::StatusOr<Shape> ElementShapeFromInput(const ShapeContext& c, int i);

// Makes `list` output 0, which is a scalar variant.
absl::Status ReturnList(KernelContext& c, Variant list);

// Gives output i the shape `shape`: allocated when the plan left it unknown, InvalidArgument when the plan knows it as
// something else.
absl::Status ShapeOutput(KernelContext& c, int i, bool allocate, const Shape& shape);
// Whether the kernel has to allocate output i.
inline bool AllocatesOutput(const KernelSetup& setup, int i) { return !setup.output_shape(i).IsFullyDefined(); }

// The shape function of ops whose only output is a list (or another scalar).
absl::Status ListShape(ShapeContext& c);

// Rows [begin, begin + count) of input i as a tensor of its own, of shape `shape`.
absl::StatusOr<Tensor> RowsOf(const KernelContext& c, int i, int64_t begin, int64_t count, const Shape& shape);

// For gradients: the static element shape of a stacked tensor, shape(x)[1:].
Output InnerShape(Output x);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_TENSOR_LIST_NODES_H_
