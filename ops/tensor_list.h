// Lists of tensors as values: what Python's functional loops and branches keep their intermediate results in.
//
//   Output list = EmptyTensorList(Const(g, -1), -1, DT_FLOAT);     // elements of any shape, as many as one likes
//   list = TensorListPushBack(list, x);
//   Output rows = TensorListStack(list, ShapeOf(x), DT_FLOAT);     // [1, ...]
//
// A list is a scalar of type variant. It never changes: every op gives a new list, which shares its tensors with the
// old one. Shapes of elements are int32 or int64 vectors, in which -1 is an unknown size, or the scalar -1 for an
// unknown rank; indices and sizes are int32. An element that was never set reads as zeros. InvalidArgument, in the step
// that meets it, for an index out of range and an element whose type or shape is not the list's;
// ResourceExhausted for a size above 2^24 that no elements were given for.
//
// Gradients pass through lists: ZerosLike and AddN know them. The functions add to the graph and are not thread-safe.
// Source: the TensorFlow ops of these names.
#ifndef STATICFLOW_OPS_TENSOR_LIST_H_
#define STATICFLOW_OPS_TENSOR_LIST_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "graph/node_builder.h"

namespace staticflow {

// A list without elements, which takes `max_num_elements` (-1: any number); one with `num_elements` unset ones.
Output EmptyTensorList(Operand element_shape, Operand max_num_elements, DataType element_dtype,
                       const OpOptions& options = {});
Output TensorListReserve(Operand element_shape, Operand num_elements, DataType element_dtype,
                         const OpOptions& options = {});
// A list of the slices of `tensor` along dimension 0.
Output TensorListFromTensor(Operand tensor, Operand element_shape, const OpOptions& options = {});
// The same with slices of lengths[i] rows.
Output TensorListSplit(Operand tensor, Operand element_shape, Operand lengths, const OpOptions& options = {});

// The number of elements; the shape that all elements have, as far as the list knows it: a vector, or -1.
Output TensorListLength(Operand list, const OpOptions& options = {});
struct TensorListElementShapeOptions {
  DataType shape_type = DT_INT32;  // or DT_INT64
  std::string name = "";
};
Output TensorListElementShape(Operand list, const TensorListElementShapeOptions& options = {});

// The list with one element more at its end; without its last element, and that element.
Output TensorListPushBack(Operand list, Operand tensor, const OpOptions& options = {});
struct TensorListPopResult {
  Output list, tensor;
};
TensorListPopResult TensorListPopBack(Operand list, Operand element_shape, DataType element_dtype,
                                      const OpOptions& options = {});

// Element `index`; the list with `item` there.
Output TensorListGetItem(Operand list, Operand index, Operand element_shape, DataType element_dtype,
                         const OpOptions& options = {});
struct TensorListSetItemOptions {
  bool resize_if_index_out_of_bounds = false;  // an index beyond the end makes the list longer
  std::string name = "";
};
Output TensorListSetItem(Operand list, Operand index, Operand item, const TensorListSetItemOptions& options = {});
// The first `size` elements, with unset ones at the end when the list has fewer.
Output TensorListResize(Operand list, Operand size, const OpOptions& options = {});

// All elements, which have one shape, under a new dimension 0; with num_elements >= 0, exactly so many.
struct TensorListStackOptions {
  int64_t num_elements = -1;
  std::string name = "";
};
Output TensorListStack(Operand list, Operand element_shape, DataType element_dtype,
                       const TensorListStackOptions& options = {});
// The elements at `indices`, stacked.
Output TensorListGather(Operand list, Operand indices, Operand element_shape, DataType element_dtype,
                        const OpOptions& options = {});
// All elements behind one another along dimension 0, where they may differ, and their sizes there. An unset element i
// is leading_dims[i] rows of zeros.
struct TensorListConcatResult {
  Output tensor, lengths;
};
TensorListConcatResult TensorListConcat(Operand list, Operand element_shape, Operand leading_dims,
                                        DataType element_dtype, const OpOptions& options = {});
// A list of num_elements (-1: as many as it takes) with the slices of `tensor` at `indices`; `list`, made longer where
// it must be, with them there.
Output TensorListScatter(Operand tensor, Operand indices, Operand element_shape, Operand num_elements,
                         const OpOptions& options = {});
Output TensorListScatterIntoExistingList(Operand list, Operand tensor, Operand indices, const OpOptions& options = {});
// The elements of list a, then those of list b.
Output TensorListConcatLists(Operand a, Operand b, DataType element_dtype, const OpOptions& options = {});

// Optionals: some tensors, or nothing. GetValue is InvalidArgument when there is nothing, or something of other types
// and shapes.
Output OptionalFromValue(absl::Span<const Output> components, const OpOptions& options = {});
Output OptionalHasValue(Operand optional, const OpOptions& options = {});
std::vector<Output> OptionalGetValue(Operand optional, absl::Span<const DataType> output_types,
                                     absl::Span<const Shape> output_shapes, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_TENSOR_LIST_H_
