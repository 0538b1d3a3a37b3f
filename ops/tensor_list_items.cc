// Lists by index: GetItem, SetItem, Gather, Scatter, ScatterV2, ScatterIntoExistingList.
#include "absl/strings/str_cat.h"
#include "ops/array_shapes.h"
#include "ops/tensor_list_nodes.h"

namespace staticflow {
namespace {

absl::Status CheckIndex(int64_t index, int64_t size) {
  if (index >= 0 && index < size) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("index ", index, " is out of range in a list of ", size, " elements"));
}

// The gradient of what reads items of a list: a list of its length without anything set.
Output UnsetLike(Output list, DataType dtype) {
  return TensorListReserve(TensorListElementShape(list), TensorListLength(list), dtype);
}

// GetItem.
absl::Status GetItemShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_ASSIGN_OR_RETURN(Shape element, ElementShapeFromInput(c, 2));
  c.set_output(0, std::move(element));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> GetItemKernel(const KernelSetup& setup) {
  return Kernel([allocate = AllocatesOutput(setup, 0)](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const TensorList* list, TensorListOf(c, 0));
    SF_RETURN_IF_ERROR(list->CheckType(c.output(0).dtype));
    SF_RETURN_IF_ERROR(CheckIndex(c.scalar<int32_t>(1), list->size()));
    SF_ASSIGN_OR_RETURN(const Shape wish, ElementShapeInput(c, 2));
    SF_ASSIGN_OR_RETURN(const Tensor item, list->Element(c.scalar<int32_t>(1), wish));
    SF_RETURN_IF_ERROR(ShapeOutput(c, 0, allocate, item.shape()));
    CopyElements(item.dtype(), item.raw(), c.output(0).data, item.num_elements());
    return absl::OkStatus();
  });
}
void GetItemGradient(GradientContext& c) {
  c.set_dx(0, TensorListSetItem(UnsetLike(c.x(0), c.y(0).dtype()), c.x(1), c.dy(0)));
}
const OpRegistrar get_item({.name = "TensorListGetItem",
                            .inputs = {"input_handle: variant", "index: int32", "element_shape: Tshape"},
                            .outputs = {"item: element_dtype"},
                            .attrs = {kElementType, "Tshape: indextype = int32"},
                            .shape = GetItemShape,
                            .gradient = GetItemGradient,
                            .kernel = GetItemKernel,
                            .doc = "One element of a list."});

// SetItem.
absl::Status SetItemShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  return ListShape(c);
}
absl::StatusOr<Kernel> SetItemKernel(const KernelSetup& setup) {
  return Kernel([grows = setup.attr<bool>("resize_if_index_out_of_bounds")](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const TensorList* list, TensorListOf(c, 0));
    const int64_t index = c.scalar<int32_t>(1);
    const int64_t size = grows ? std::max(list->size(), index + 1) : list->size();
    SF_RETURN_IF_ERROR(CheckIndex(index, size));
    SF_RETURN_IF_ERROR(list->CheckElement(c.input(2).dtype, *c.input(2).shape));
    std::vector<Tensor> elements = list->CopyElements();
    if (size > list->size()) SF_RETURN_IF_ERROR(TensorList::Resize(size, &elements));
    SF_ASSIGN_OR_RETURN(elements[index], c.InputTensor(2));
    return ReturnList(c, TensorList::Make(list->type(), std::move(elements)));
  });
}
void SetItemGradient(GradientContext& c) {
  const Output list = c.x(0), index = c.x(1), item = c.x(2);
  Output dlist = TensorListSetItem(c.dy(0), index, ZerosLike(item));
  if (c.attr<bool>("resize_if_index_out_of_bounds")) dlist = TensorListResize(dlist, TensorListLength(list));
  c.set_dx(0, dlist);
  c.set_dx(2, TensorListGetItem(c.dy(0), index, ShapeOf(item), item.dtype()));
}
const OpRegistrar set_item({.name = "TensorListSetItem",
                            .inputs = {"input_handle: variant", "index: int32", "item: element_dtype"},
                            .outputs = {"output_handle: variant"},
                            .attrs = {kElementType, "resize_if_index_out_of_bounds: bool = false"},
                            .shape = SetItemShape,
                            .gradient = SetItemGradient,
                            .kernel = SetItemKernel,
                            .doc = "A list with another element at one place."});

// Gather: the elements at some indices, stacked.
absl::Status GatherShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  SF_ASSIGN_OR_RETURN(const Shape indices, c.WithRank(1, 1));
  SF_ASSIGN_OR_RETURN(const Shape element, ElementShapeFromInput(c, 2));
  c.set_output(0, Shape({indices.dim(0)}).Concatenate(element));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> GatherKernel(const KernelSetup& setup) {
  return Kernel([allocate = AllocatesOutput(setup, 0)](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const TensorList* list, TensorListOf(c, 0));
    SF_RETURN_IF_ERROR(list->CheckType(c.output(0).dtype));
    SF_ASSIGN_OR_RETURN(const Shape wish, ElementShapeInput(c, 2));
    SF_ASSIGN_OR_RETURN(const Shape element, list->CommonShape(wish));
    const int64_t n = c.input(1).num_elements;
    SF_RETURN_IF_ERROR(ShapeOutput(c, 0, allocate, Shape({n}).Concatenate(element)));
    const int64_t size = element.num_elements();
    const DataType dtype = c.output(0).dtype;
    for (int64_t k = 0; k < n; ++k) {
      const int64_t index = c.in<int32_t>(1)[k];
      SF_RETURN_IF_ERROR(CheckIndex(index, list->size()));
      SF_ASSIGN_OR_RETURN(const Tensor item, list->Element(index, element));
      CopyElements(dtype, item.raw(), c.out<char>(0) + k * size * DataTypeSize(dtype), size);
    }
    return absl::OkStatus();
  });
}
void GatherGradient(GradientContext& c) {
  c.set_dx(0, TensorListScatterIntoExistingList(UnsetLike(c.x(0), c.y(0).dtype()), c.dy(0), c.x(1)));
}
const OpRegistrar gather({.name = "TensorListGather",
                          .inputs = {"input_handle: variant", "indices: int32", "element_shape: int32"},
                          .outputs = {"values: element_dtype"},
                          .attrs = {kElementType},
                          .shape = GatherShape,
                          .gradient = GatherGradient,
                          .kernel = GatherKernel,
                          .doc = "The elements of a list at some indices, stacked."});

// Scatter, ScatterV2, ScatterIntoExistingList: `elements`, made longer where it must be, with the rows of input
// `tensor` at the indices in input `indices`.
absl::StatusOr<Variant> Scattered(const KernelContext& c, int tensor, int indices, const ElementType& type,
                                  std::vector<Tensor> elements, bool grows) {
  const TensorView& rows = c.input(tensor);
  const Shape shape = rows.shape->Slice(1, rows.rank());
  SF_ASSIGN_OR_RETURN(const Variant empty, absl::StatusOr<Variant>(TensorList::Make(type, {})));
  SF_ASSIGN_OR_RETURN(const TensorList* checks, TensorListIn(empty));
  SF_RETURN_IF_ERROR(checks->CheckElement(rows.dtype, shape));
  for (int64_t k = 0; k < c.input(indices).num_elements; ++k) {
    const int64_t index = c.in<int32_t>(indices)[k];
    const int64_t size = static_cast<int64_t>(elements.size());
    SF_RETURN_IF_ERROR(CheckIndex(index, grows ? std::max(size, index + 1) : size));
    if (index >= size) SF_RETURN_IF_ERROR(TensorList::Resize(index + 1, &elements));
    SF_ASSIGN_OR_RETURN(elements[index], RowsOf(c, tensor, k, 1, shape));
  }
  return TensorList::Make(type, std::move(elements));
}

absl::Status ScatterShapes(ShapeContext& c, int tensor, int indices) {
  SF_ASSIGN_OR_RETURN(const Shape rows, c.WithRankAtLeast(tensor, 1));
  SF_ASSIGN_OR_RETURN(const Shape index, c.WithRank(indices, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(rows.dim(0), index.dim(0), "rows and indices").status());
  return ScalarShape(c);
}

absl::Status ScatterShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(ElementShapeFromInput(c, 2).status());
  if (c.num_inputs() == 4) SF_RETURN_IF_ERROR(c.WithRank(3, 0).status());
  return ScatterShapes(c, 0, 1);
}
absl::Status ScatterKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, ElementShapeInput(c, 2));
  const int32_t size = c.num_inputs() == 4 ? c.scalar<int32_t>(3) : -1;
  if (size < -1) return absl::InvalidArgumentError(absl::StrCat("expected num_elements >= -1, got ", size));
  std::vector<Tensor> elements;
  SF_RETURN_IF_ERROR(TensorList::Resize(std::max(size, 0), &elements));
  SF_ASSIGN_OR_RETURN(*c.out<Variant>(0),
                      Scattered(c, 0, 1, {c.input(0).dtype, std::move(shape)}, std::move(elements), size < 0));
  return absl::OkStatus();
}
void ScatterGradient(GradientContext& c) {
  c.set_dx(0, TensorListGather(c.dy(0), c.x(1), InnerShape(c.x(0)), c.x(0).dtype()));
}
const OpRegistrar scatter({.name = "TensorListScatter",
                           .inputs = {"tensor: element_dtype", "indices: int32", "element_shape: shape_type"},
                           .outputs = {"output_handle: variant"},
                           .attrs = {kElementType, kShapeType},
                           .shape = ScatterShape,
                           .gradient = ScatterGradient,
                           .kernel = ScatterKernel,
                           .doc = "A list of the rows of a tensor, at given indices."});
const OpRegistrar scatter_v2({.name = "TensorListScatterV2",
                              .inputs = {"tensor: element_dtype", "indices: int32", "element_shape: shape_type",
                                         "num_elements: int32"},
                              .outputs = {"output_handle: variant"},
                              .attrs = {kElementType, kShapeType},
                              .shape = ScatterShape,
                              .gradient = ScatterGradient,
                              .kernel = ScatterKernel,
                              .doc = "A list of some length with the rows of a tensor at given indices."});

absl::Status ScatterIntoShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  return ScatterShapes(c, 1, 2);
}
absl::Status ScatterIntoKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const TensorList* list, TensorListOf(c, 0));
  SF_ASSIGN_OR_RETURN(*c.out<Variant>(0), Scattered(c, 1, 2, list->type(), list->CopyElements(), true));
  return absl::OkStatus();
}
void ScatterIntoGradient(GradientContext& c) {
  c.set_dx(0, TensorListScatterIntoExistingList(c.dy(0), ZerosLike(c.x(1)), c.x(2)));
  c.set_dx(1, TensorListGather(c.dy(0), c.x(2), InnerShape(c.x(1)), c.x(1).dtype()));
}
const OpRegistrar scatter_into({.name = "TensorListScatterIntoExistingList",
                                .inputs = {"input_handle: variant", "tensor: element_dtype", "indices: int32"},
                                .outputs = {"output_handle: variant"},
                                .attrs = {kElementType},
                                .shape = ScatterIntoShape,
                                .gradient = ScatterIntoGradient,
                                .kernel = ScatterIntoKernel,
                                .doc = "A list with the rows of a tensor at given indices."});

}  // namespace

Output TensorListGetItem(Operand list, Operand index, Operand element_shape, DataType element_dtype,
                         const OpOptions& options) {
  return NodeBuilder("TensorListGetItem", {list, index, element_shape})
      .Attr("element_dtype", element_dtype)
      .Name(options.name)
      .Build();
}
Output TensorListSetItem(Operand list, Operand index, Operand item, const TensorListSetItemOptions& options) {
  return NodeBuilder("TensorListSetItem", {list, index, item})
      .Attr("resize_if_index_out_of_bounds", options.resize_if_index_out_of_bounds)
      .Name(options.name)
      .Build();
}
Output TensorListGather(Operand list, Operand indices, Operand element_shape, DataType element_dtype,
                        const OpOptions& options) {
  return NodeBuilder("TensorListGather", {list, indices, element_shape})
      .Attr("element_dtype", element_dtype)
      .Name(options.name)
      .Build();
}
Output TensorListScatter(Operand tensor, Operand indices, Operand element_shape, Operand num_elements,
                         const OpOptions& options) {
  return NodeBuilder("TensorListScatterV2", {tensor, indices, element_shape, num_elements}).Name(options.name).Build();
}
Output TensorListScatterIntoExistingList(Operand list, Operand tensor, Operand indices, const OpOptions& options) {
  return NodeBuilder("TensorListScatterIntoExistingList", {list, tensor, indices}).Name(options.name).Build();
}

}  // namespace staticflow
