// Lists as stacks: EmptyTensorList, TensorListReserve, Length, ElementShape, PushBack, PushBackBatch, PopBack, Resize,
// ConcatLists.
#include "ops/tensor_list.h"

#include "absl/strings/str_cat.h"
#include "ops/array_shapes.h"
#include "ops/tensor_list_nodes.h"

namespace staticflow {

namespace {

absl::StatusOr<Shape> DecodeElementShape(const Tensor& value) {
  SF_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, IntegerValues(value));
  if (value.shape().rank() == 1) return Shape::FromFile(dims);
  if (value.shape().rank() == 0 && dims[0] == -1) return Shape::Unknown();
  return absl::InvalidArgumentError(
      absl::StrCat("expected a vector or -1 as the shape of elements, got ", value.ToString()));
}

}  // namespace

absl::StatusOr<Shape> ElementShapeInput(const KernelContext& c, int i) {
  const TensorView& view = c.input(i);
  return DecodeElementShape(Tensor::BorrowBytes(view.dtype, *view.shape, view.data));
}

absl::StatusOr<Shape> ElementShapeFromInput(const ShapeContext& c, int i) {
  if (c.value(i) != nullptr) return DecodeElementShape(*c.value(i));
  if (c.input(i).rank() != 1) return Shape::Unknown();
  return c.ValueAsShape(i);
}

absl::Status ReturnList(KernelContext& c, Variant list) {
  *c.out<Variant>(0) = std::move(list);
  return absl::OkStatus();
}

absl::Status ShapeOutput(KernelContext& c, int i, bool allocate, const Shape& shape) {
  if (allocate) return c.AllocateOutput(i, shape);
  return ExpectOutput(c, i, shape);
}

absl::Status ListShape(ShapeContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (c.input_dtype(i) == DT_VARIANT) SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  }
  return ScalarShape(c);
}

absl::StatusOr<Tensor> RowsOf(const KernelContext& c, int i, int64_t begin, int64_t count, const Shape& shape) {
  const TensorView& rows = c.input(i);
  SF_ASSIGN_OR_RETURN(Tensor slice, Tensor::Create(rows.dtype, shape));
  if (slice.num_elements() == 0) return slice;
  const int64_t size = rows.num_elements / rows.dim(0);
  SF_CHECK(slice.num_elements() == size * count);
  CopyElements(rows.dtype, rows.as<char>() + begin * size * DataTypeSize(rows.dtype), slice.raw(), size * count);
  return slice;
}

Output InnerShape(Output x) {
  const Shape& shape = x.shape();
  if (shape.has_rank() && shape.rank() > 0 && shape.Slice(1, shape.rank()).IsFullyDefined()) {
    const Shape inner = shape.Slice(1, shape.rank());
    return Const(x.graph(), Ints(inner).AsTensor());
  }
  return Slice(ShapeOf(x), {1}, {-1});
}

namespace {

absl::StatusOr<int32_t> NotNegative(int32_t value, absl::string_view what) {
  if (value >= 0) return value;
  return absl::InvalidArgumentError(absl::StrCat("expected ", what, " >= 0, got ", value));
}

// EmptyTensorList, TensorListReserve.
absl::Status NewListShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_RETURN_IF_ERROR(ElementShapeFromInput(c, 0).status());
  return ScalarShape(c);
}

absl::StatusOr<Kernel> EmptyKernel(const KernelSetup& setup) {
  return Kernel([dtype = setup.attr<DataType>("element_dtype")](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(Shape shape, ElementShapeInput(c, 0));
    return ReturnList(c, TensorList::Make({dtype, std::move(shape), c.scalar<int32_t>(1)}, {}));
  });
}
const OpRegistrar empty({.name = "EmptyTensorList",
                         .inputs = {"element_shape: shape_type", "max_num_elements: int32"},
                         .outputs = {"handle: variant"},
                         .attrs = {kElementType, kShapeType},
                         .shape = NewListShape,
                         .gradient = kNotDifferentiable,
                         .kernel = EmptyKernel,
                         .doc = "A list without elements."});

absl::StatusOr<Kernel> ReserveKernel(const KernelSetup& setup) {
  return Kernel([dtype = setup.attr<DataType>("element_dtype")](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(Shape shape, ElementShapeInput(c, 0));
    SF_ASSIGN_OR_RETURN(const int32_t size, NotNegative(c.scalar<int32_t>(1), "num_elements"));
    std::vector<Tensor> elements;
    SF_RETURN_IF_ERROR(TensorList::Resize(size, &elements));
    return ReturnList(c, TensorList::Make({dtype, std::move(shape)}, std::move(elements)));
  });
}
const OpRegistrar reserve({.name = "TensorListReserve",
                           .inputs = {"element_shape: shape_type", "num_elements: int32"},
                           .outputs = {"handle: variant"},
                           .attrs = {kElementType, kShapeType},
                           .shape = NewListShape,
                           .gradient = kNotDifferentiable,
                           .kernel = ReserveKernel,
                           .doc = "A list of elements that are not set yet."});

absl::Status LengthKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const TensorList* list, TensorListOf(c, 0));
  *c.out<int32_t>(0) = static_cast<int32_t>(list->size());
  return absl::OkStatus();
}
const OpRegistrar length({.name = "TensorListLength",
                          .inputs = {"input_handle: variant"},
                          .outputs = {"length: int32"},
                          .shape = ListShape,
                          .gradient = kNotDifferentiable,
                          .kernel = LengthKernel,
                          .doc = "How many elements a list has."});

// The shape of elements: a vector, or the scalar -1 when not even the rank is known.
absl::Status ElementShapeShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  return AnyShape(c);
}
absl::Status ElementShapeKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const TensorList* list, TensorListOf(c, 0));
  const Shape& shape = list->type().shape;
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, shape.has_rank() ? Shape({shape.rank()}) : Shape()));
  DispatchType<int32_t, int64_t>(c.output(0).dtype, [&]<typename T>() {
    if (!shape.has_rank()) *c.out<T>(0) = -1;
    std::copy(shape.dims().begin(), shape.dims().end(), c.out<T>(0));
  });
  return absl::OkStatus();
}
const OpRegistrar element_shape({.name = "TensorListElementShape",
                                 .inputs = {"input_handle: variant"},
                                 .outputs = {"element_shape: shape_type"},
                                 .attrs = {kShapeType},
                                 .shape = ElementShapeShape,
                                 .gradient = kNotDifferentiable,
                                 .kernel = ElementShapeKernel,
                                 .doc = "The shape that a list demands of its elements."});

// PushBack, PushBackBatch.
absl::StatusOr<Variant> Pushed(const TensorList& list, Tensor element) {
  SF_RETURN_IF_ERROR(list.CheckElement(element.dtype(), element.shape()));
  if (list.type().max_elements >= 0 && list.size() >= list.type().max_elements) {
    return absl::InvalidArgumentError(absl::StrCat("the list is full: it holds ", list.size(), " elements"));
  }
  return list.Push(std::move(element));
}

absl::Status PushKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const TensorList* list, TensorListOf(c, 0));
  SF_ASSIGN_OR_RETURN(Tensor element, c.InputTensor(1));
  SF_ASSIGN_OR_RETURN(*c.out<Variant>(0), Pushed(*list, std::move(element)));
  return absl::OkStatus();
}
void PushGradient(GradientContext& c) {
  const auto [list, tensor] = TensorListPopBack(c.dy(0), ShapeOf(c.x(1)), c.x(1).dtype());
  c.set_dx(0, list);
  c.set_dx(1, tensor);
}
const OpRegistrar push({.name = "TensorListPushBack",
                        .inputs = {"input_handle: variant", "tensor: element_dtype"},
                        .outputs = {"output_handle: variant"},
                        .attrs = {kElementType},
                        .shape = ListShape,
                        .gradient = PushGradient,
                        .kernel = PushKernel,
                        .doc = "A list with one element more at its end."});

absl::Status PushBatchShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape handles, c.WithRank(0, 1));
  SF_ASSIGN_OR_RETURN(const Shape tensor, c.WithRankAtLeast(1, 1));
  SF_ASSIGN_OR_RETURN(const int64_t count, c.MergeDims(handles.dim(0), tensor.dim(0), "lists"));
  c.set_output(0, {count});
  return absl::OkStatus();
}
absl::Status PushBatchKernel(KernelContext& c) {
  const TensorView& tensor = c.input(1);
  const Shape shape = tensor.shape->Slice(1, tensor.rank());
  for (int64_t i = 0; i < c.input(0).num_elements; ++i) {
    SF_ASSIGN_OR_RETURN(const TensorList* list, TensorListIn(c.in<Variant>(0)[i]));
    SF_ASSIGN_OR_RETURN(Tensor row, RowsOf(c, 1, i, 1, shape));
    SF_ASSIGN_OR_RETURN(c.out<Variant>(0)[i], Pushed(*list, std::move(row)));
  }
  return absl::OkStatus();
}
const OpRegistrar push_batch({.name = "TensorListPushBackBatch",
                              .inputs = {"input_handles: variant", "tensor: element_dtype"},
                              .outputs = {"output_handles: variant"},
                              .attrs = {kElementType},
                              .shape = PushBatchShape,
                              .gradient = kNotDifferentiable,
                              .kernel = PushBatchKernel,
                              .doc = "Each list of a vector with one row of a tensor more at its end."});

// PopBack: (the list without its last element, that element).
absl::Status PopShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  SF_ASSIGN_OR_RETURN(Shape element, ElementShapeFromInput(c, 1));
  c.set_output(0, Shape());
  c.set_output(1, std::move(element));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> PopKernel(const KernelSetup& setup) {
  return Kernel([allocate = AllocatesOutput(setup, 1)](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const TensorList* list, TensorListOf(c, 0));
    SF_RETURN_IF_ERROR(list->CheckType(c.output(1).dtype));
    if (list->size() == 0) return absl::InvalidArgumentError("the list is empty: there is nothing to pop");
    SF_ASSIGN_OR_RETURN(const Shape wish, ElementShapeInput(c, 1));
    SF_ASSIGN_OR_RETURN(const Tensor last, list->Element(list->size() - 1, wish));
    SF_RETURN_IF_ERROR(ShapeOutput(c, 1, allocate, last.shape()));
    CopyElements(last.dtype(), last.raw(), c.output(1).data, last.num_elements());
    return ReturnList(c, list->Pop());
  });
}
void PopGradient(GradientContext& c) { c.set_dx(0, TensorListPushBack(c.dy(0), c.dy(1))); }
const OpRegistrar pop({.name = "TensorListPopBack",
                       .inputs = {"input_handle: variant", "element_shape: int32"},
                       .outputs = {"output_handle: variant", "tensor: element_dtype"},
                       .attrs = {kElementType},
                       .shape = PopShape,
                       .gradient = PopGradient,
                       .kernel = PopKernel,
                       .doc = "A list without its last element, and that element."});

absl::Status ResizeKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const TensorList* list, TensorListOf(c, 0));
  SF_ASSIGN_OR_RETURN(const int32_t size, NotNegative(c.scalar<int32_t>(1), "size"));
  std::vector<Tensor> elements = list->CopyElements();
  SF_RETURN_IF_ERROR(TensorList::Resize(size, &elements));
  return ReturnList(c, TensorList::Make(list->type(), std::move(elements)));
}
absl::Status ResizeShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  return ListShape(c);
}
void ResizeGradient(GradientContext& c) { c.set_dx(0, TensorListResize(c.dy(0), TensorListLength(c.x(0)))); }
const OpRegistrar resize({.name = "TensorListResize",
                          .inputs = {"input_handle: variant", "size: int32"},
                          .outputs = {"output_handle: variant"},
                          .shape = ResizeShape,
                          .gradient = ResizeGradient,
                          .kernel = ResizeKernel,
                          .doc = "A list cut, or made longer by elements that are not set."});

absl::Status ConcatListsShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.input(0).MergeWith(c.input(1)));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ConcatListsKernel(const KernelSetup& setup) {
  return Kernel([dtype = setup.attr<DataType>("element_dtype")](KernelContext& c) -> absl::Status {
    for (int64_t i = 0; i < c.output(0).num_elements; ++i) {
      SF_ASSIGN_OR_RETURN(const TensorList* a, TensorListIn(c.in<Variant>(0)[i]));
      SF_ASSIGN_OR_RETURN(const TensorList* b, TensorListIn(c.in<Variant>(1)[i]));
      SF_RETURN_IF_ERROR(a->CheckType(dtype));
      SF_RETURN_IF_ERROR(b->CheckType(dtype));
      SF_ASSIGN_OR_RETURN(Shape shape, a->type().shape.MergeWith(b->type().shape));
      std::vector<Tensor> elements = a->CopyElements();
      elements.insert(elements.end(), b->elements().begin(), b->elements().end());
      c.out<Variant>(0)[i] = TensorList::Make({dtype, std::move(shape)}, std::move(elements));
    }
    return absl::OkStatus();
  });
}
const OpRegistrar concat_lists({.name = "TensorListConcatLists",
                                .inputs = {"input_a: variant", "input_b: variant"},
                                .outputs = {"output: variant"},
                                .attrs = {kElementType},
                                .shape = ConcatListsShape,
                                .gradient = kNotDifferentiable,
                                .kernel = ConcatListsKernel,
                                .doc = "The elements of one list, then those of another."});

}  // namespace

Output EmptyTensorList(Operand element_shape, Operand max_num_elements, DataType element_dtype,
                       const OpOptions& options) {
  return NodeBuilder("EmptyTensorList", {element_shape, max_num_elements})
      .Attr("element_dtype", element_dtype)
      .Name(options.name)
      .Build();
}
Output TensorListReserve(Operand element_shape, Operand num_elements, DataType element_dtype,
                         const OpOptions& options) {
  return NodeBuilder("TensorListReserve", {element_shape, num_elements})
      .Attr("element_dtype", element_dtype)
      .Name(options.name)
      .Build();
}
Output TensorListLength(Operand list, const OpOptions& options) {
  return NodeBuilder("TensorListLength", {list}).Name(options.name).Build();
}
Output TensorListElementShape(Operand list, const TensorListElementShapeOptions& options) {
  return NodeBuilder("TensorListElementShape", {list})
      .Attr("shape_type", options.shape_type)
      .Name(options.name)
      .Build();
}
Output TensorListPushBack(Operand list, Operand tensor, const OpOptions& options) {
  return NodeBuilder("TensorListPushBack", {list, tensor}).Name(options.name).Build();
}
TensorListPopResult TensorListPopBack(Operand list, Operand element_shape, DataType element_dtype,
                                      const OpOptions& options) {
  Node* node = NodeBuilder("TensorListPopBack", {list, element_shape})
                   .Attr("element_dtype", element_dtype)
                   .Name(options.name)
                   .BuildNode();
  if (node == nullptr) return {};
  return {.list = node->output(0), .tensor = node->output(1)};
}
Output TensorListResize(Operand list, Operand size, const OpOptions& options) {
  return NodeBuilder("TensorListResize", {list, size}).Name(options.name).Build();
}
Output TensorListConcatLists(Operand a, Operand b, DataType element_dtype, const OpOptions& options) {
  return NodeBuilder("TensorListConcatLists", {a, b}).Attr("element_dtype", element_dtype).Name(options.name).Build();
}

}  // namespace staticflow
