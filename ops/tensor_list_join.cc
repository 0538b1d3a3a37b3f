// Lists and whole tensors: Stack, FromTensor, Concat, ConcatV2, Split.
#include "absl/strings/str_cat.h"
#include "ops/array_shapes.h"
#include "ops/math.h"
#include "ops/tensor_list_nodes.h"

namespace staticflow {
namespace {

// Stack: all elements under a new dimension 0.
absl::Status StackShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  SF_ASSIGN_OR_RETURN(const Shape element, ElementShapeFromInput(c, 1));
  c.set_output(0, Shape({c.attr<int64_t>("num_elements")}).Concatenate(element));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> StackKernel(const KernelSetup& setup) {
  const int64_t count = setup.attr<int64_t>("num_elements");
  return Kernel([count, allocate = AllocatesOutput(setup, 0)](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const TensorList* list, TensorListOf(c, 0));
    SF_RETURN_IF_ERROR(list->CheckType(c.output(0).dtype));
    if (count >= 0 && list->size() != count) {
      return absl::InvalidArgumentError(absl::StrCat("expected a list of ", count, " elements, got ", list->size()));
    }
    SF_ASSIGN_OR_RETURN(const Shape wish, ElementShapeInput(c, 1));
    SF_ASSIGN_OR_RETURN(const Shape element, list->CommonShape(wish));
    SF_RETURN_IF_ERROR(ShapeOutput(c, 0, allocate, Shape({list->size()}).Concatenate(element)));
    const int64_t size = element.num_elements();
    const DataType dtype = c.output(0).dtype;
    for (int64_t i = 0; i < list->size(); ++i) {
      SF_ASSIGN_OR_RETURN(const Tensor item, list->Element(i, element));
      CopyElements(dtype, item.raw(), c.out<char>(0) + i * size * DataTypeSize(dtype), size);
    }
    return absl::OkStatus();
  });
}
void StackGradient(GradientContext& c) { c.set_dx(0, TensorListFromTensor(c.dy(0), InnerShape(c.y(0)))); }
const OpRegistrar stack({.name = "TensorListStack",
                         .inputs = {"input_handle: variant", "element_shape: int32"},
                         .outputs = {"tensor: element_dtype"},
                         .attrs = {kElementType, "num_elements: int = -1"},
                         .shape = StackShape,
                         .gradient = StackGradient,
                         .kernel = StackKernel,
                         .doc = "The elements of a list under a new dimension 0."});

// FromTensor: a list of rows.
absl::Status FromTensorShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRankAtLeast(0, 1).status());
  SF_RETURN_IF_ERROR(ElementShapeFromInput(c, 1).status());
  return ScalarShape(c);
}
absl::Status FromTensorKernel(KernelContext& c) {
  const TensorView& rows = c.input(0);
  SF_ASSIGN_OR_RETURN(Shape wish, ElementShapeInput(c, 1));
  const Shape shape = rows.shape->Slice(1, rows.rank());
  SF_RETURN_IF_ERROR(Annotate(shape.MergeWith(wish).status(), "the shape of elements: "));
  std::vector<Tensor> elements(rows.dim(0));
  for (int64_t i = 0; i < rows.dim(0); ++i) {
    SF_ASSIGN_OR_RETURN(elements[i], RowsOf(c, 0, i, 1, shape));
  }
  return ReturnList(c, TensorList::Make({rows.dtype, std::move(wish)}, std::move(elements)));
}
void FromTensorGradient(GradientContext& c) {
  const Output x = c.x(0);
  const int64_t rows = x.shape().has_rank() ? x.shape().dim(0) : Shape::kUnknownDim;
  c.set_dx(0, TensorListStack(c.dy(0), InnerShape(x), x.dtype(), {.num_elements = rows}));
}
const OpRegistrar from_tensor({.name = "TensorListFromTensor",
                               .inputs = {"tensor: element_dtype", "element_shape: shape_type"},
                               .outputs = {"output_handle: variant"},
                               .attrs = {kElementType, kShapeType},
                               .shape = FromTensorShape,
                               .gradient = FromTensorGradient,
                               .kernel = FromTensorKernel,
                               .doc = "A list of the slices of a tensor along dimension 0."});

// Concat, ConcatV2: the elements behind one another along dimension 0.
absl::Status ConcatShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  Shape element;
  if (c.num_inputs() == 1) {
    element = c.attr<Shape>("element_shape");
  } else {
    SF_ASSIGN_OR_RETURN(element, ElementShapeFromInput(c, 1));
  }
  c.set_output(1, Shape::UnknownOfRank(1));
  if (!element.has_rank()) return absl::OkStatus();
  if (element.rank() == 0) return absl::InvalidArgumentError("scalars cannot be concatenated");
  element.set_dim(0, Shape::kUnknownDim);
  c.set_output(0, std::move(element));
  return absl::OkStatus();
}

// The shape of all elements but for their first dimension.
absl::StatusOr<Shape> InnerShapeOf(const TensorList& list, const Shape& wish) {
  absl::StatusOr<Shape> shape = list.type().shape.MergeWith(wish);
  if (shape.ok() && shape->has_rank()) {
    if (shape->rank() == 0) return absl::InvalidArgumentError("scalars cannot be concatenated");
    shape = shape->Slice(1, shape->rank());
  }
  for (const Tensor& element : list.elements()) {
    if (!shape.ok() || !element.valid()) continue;
    if (element.shape().rank() == 0) return absl::InvalidArgumentError("scalars cannot be concatenated");
    shape = shape->MergeWith(element.shape().Slice(1, element.shape().rank()));
  }
  SF_RETURN_IF_ERROR(Annotate(shape.status(), "the shapes of the elements: "));
  if (shape->IsFullyDefined()) return shape;
  return absl::InvalidArgumentError(
      absl::StrCat("all dimensions but the first must be known, got ", shape->ToString()));
}

// The size of each element in dimension 0: an unset one's is that of all, or given in `leading`.
absl::Status ElementLengths(const TensorList& list, int64_t common, absl::Span<const int64_t> leading,
                            int64_t* lengths) {
  for (int64_t i = 0; i < list.size(); ++i) {
    const Tensor& element = list.elements()[i];
    lengths[i] = element.valid() ? element.shape().dim(0) : common;
    if (element.valid() || common >= 0) continue;
    if (i >= static_cast<int64_t>(leading.size()) || leading[i] < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("element ", i, " was never set, and there is no leading dimension for it"));
    }
    lengths[i] = leading[i];
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> ConcatKernel(const KernelSetup& setup) {
  const bool is_v2 = setup.num_inputs() == 3;
  const Shape attr_shape = is_v2 ? Shape::Unknown() : setup.attr<Shape>("element_shape");
  return Kernel([is_v2, attr_shape](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const TensorList* list, TensorListOf(c, 0));
    SF_RETURN_IF_ERROR(list->CheckType(c.output(0).dtype));
    SF_ASSIGN_OR_RETURN(const Shape wish, is_v2 ? ElementShapeInput(c, 1) : absl::StatusOr<Shape>(attr_shape));
    SF_ASSIGN_OR_RETURN(const Shape inner, InnerShapeOf(*list, wish));
    SF_ASSIGN_OR_RETURN(const Shape whole, list->type().shape.MergeWith(wish));
    absl::Span<const int64_t> leading;
    if (is_v2) leading = absl::MakeConstSpan(c.in<int64_t>(2), c.input(2).num_elements);
    SF_RETURN_IF_ERROR(c.AllocateOutput(1, {list->size()}));
    int64_t* lengths = c.out<int64_t>(1);
    SF_RETURN_IF_ERROR(ElementLengths(*list, whole.has_rank() ? whole.dim(0) : -1, leading, lengths));
    int64_t rows = 0;
    for (int64_t i = 0; i < list->size(); ++i) rows = AddSizes(rows, lengths[i]);
    SF_RETURN_IF_ERROR(c.AllocateOutput(0, Shape({rows}).Concatenate(inner)));
    const DataType dtype = c.output(0).dtype;
    char* to = c.out<char>(0);
    for (int64_t i = 0; i < list->size(); ++i) {
      const Tensor& element = list->elements()[i];
      const int64_t n = lengths[i] * inner.num_elements();
      // New memory is zeros already where an element was never set.
      if (element.valid()) CopyElements(dtype, element.raw(), to, n);
      to += n * DataTypeSize(dtype);
    }
    return absl::OkStatus();
  });
}
void ConcatGradient(GradientContext& c) {
  c.set_dx(0, TensorListSplit(c.dy(0), TensorListElementShape(c.x(0)), c.y(1)));
}
const OpRegistrar concat({.name = "TensorListConcat",
                          .inputs = {"input_handle: variant"},
                          .outputs = {"tensor: element_dtype", "lengths: int64"},
                          .attrs = {kElementType, "element_shape: shape = unknown"},
                          .shape = ConcatShape,
                          .gradient = ConcatGradient,
                          .kernel = ConcatKernel,
                          .doc = "The elements of a list along dimension 0, and their sizes there."});
const OpRegistrar concat_v2({.name = "TensorListConcatV2",
                             .inputs = {"input_handle: variant", "element_shape: shape_type", "leading_dims: int64"},
                             .outputs = {"tensor: element_dtype", "lengths: int64"},
                             .attrs = {kElementType, kShapeType},
                             .shape = ConcatShape,
                             .gradient = ConcatGradient,
                             .kernel = ConcatKernel,
                             .doc = "The elements of a list along dimension 0, and their sizes there."});

// Split: a list of runs of rows.
absl::Status SplitShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRankAtLeast(0, 1).status());
  SF_RETURN_IF_ERROR(c.WithRank(2, 1).status());
  SF_RETURN_IF_ERROR(ElementShapeFromInput(c, 1).status());
  return ScalarShape(c);
}
absl::Status SplitKernel(KernelContext& c) {
  const TensorView& rows = c.input(0);
  SF_ASSIGN_OR_RETURN(Shape wish, ElementShapeInput(c, 1));
  Shape shape = *rows.shape;
  shape.set_dim(0, Shape::kUnknownDim);
  SF_RETURN_IF_ERROR(Annotate(shape.MergeWith(wish).status(), "the shape of elements: "));
  const int64_t n = c.input(2).num_elements;
  const int64_t* lengths = c.in<int64_t>(2);
  std::vector<Tensor> elements(n);
  int64_t begin = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (lengths[i] < 0 || lengths[i] > rows.dim(0) - begin) {
      return absl::InvalidArgumentError(absl::StrCat("length ", lengths[i], " of element ", i,
                                                     " does not fit: ", rows.dim(0) - begin, " rows are left"));
    }
    shape.set_dim(0, lengths[i]);
    SF_ASSIGN_OR_RETURN(elements[i], RowsOf(c, 0, begin, lengths[i], shape));
    begin += lengths[i];
  }
  if (begin != rows.dim(0)) {
    return absl::InvalidArgumentError(absl::StrCat("the lengths add up to ", begin, ", expected ", rows.dim(0)));
  }
  return ReturnList(c, TensorList::Make({rows.dtype, std::move(wish)}, std::move(elements)));
}
void SplitGradient(GradientContext& c) {
  const Output x = c.x(0), any = Const(x.graph(), Tensor::Vector<int32_t>({-1}));
  const Output element = Concat({any, Cast(InnerShape(x), DT_INT32)}, 0);
  c.set_dx(0, TensorListConcat(c.dy(0), element, c.x(2), x.dtype()).tensor);
}
const OpRegistrar split({.name = "TensorListSplit",
                         .inputs = {"tensor: element_dtype", "element_shape: shape_type", "lengths: int64"},
                         .outputs = {"output_handle: variant"},
                         .attrs = {kElementType, kShapeType},
                         .shape = SplitShape,
                         .gradient = SplitGradient,
                         .kernel = SplitKernel,
                         .doc = "A list of runs of rows of a tensor."});

}  // namespace

Output TensorListStack(Operand list, Operand element_shape, DataType element_dtype,
                       const TensorListStackOptions& options) {
  return NodeBuilder("TensorListStack", {list, element_shape})
      .Attr("element_dtype", element_dtype)
      .Attr("num_elements", options.num_elements)
      .Name(options.name)
      .Build();
}
Output TensorListFromTensor(Operand tensor, Operand element_shape, const OpOptions& options) {
  return NodeBuilder("TensorListFromTensor", {tensor, element_shape}).Name(options.name).Build();
}
TensorListConcatResult TensorListConcat(Operand list, Operand element_shape, Operand leading_dims,
                                        DataType element_dtype, const OpOptions& options) {
  Node* node = NodeBuilder("TensorListConcatV2", {list, element_shape, leading_dims})
                   .Attr("element_dtype", element_dtype)
                   .Name(options.name)
                   .BuildNode();
  if (node == nullptr) return {};
  return {.tensor = node->output(0), .lengths = node->output(1)};
}
Output TensorListSplit(Operand tensor, Operand element_shape, Operand lengths, const OpOptions& options) {
  return NodeBuilder("TensorListSplit", {tensor, element_shape, lengths}).Name(options.name).Build();
}

}  // namespace staticflow
