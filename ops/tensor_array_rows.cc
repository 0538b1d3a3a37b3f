// Tensor arrays: many elements as the rows of one tensor, and back.
#include <algorithm>

#include "ops/array.h"
#include "ops/tensor_array_forms.h"

namespace staticflow {
namespace {

// Bytes from one row (index of dimension 0) to the next in units of elements.
int64_t RowElements(const Shape& shape) { return shape.num_elements(1, shape.rank()); }

// The elements in order, one behind the other in memory.
void CopyAll(absl::Span<const Tensor> elements, const TensorView& output) {
  char* to = static_cast<char*>(output.data);
  for (const Tensor& element : elements) {
    CopyElements(output.dtype, element.raw(), to, element.num_elements());
    to += element.bytes();
  }
}

// TensorArrayGather: value[i] = element[indices[i]].
absl::Status GatherShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckRank(c, 1, 1));
  return CheckRank(c, 2, 0);  // only the step knows the elements' shape, whatever the attribute says
}
absl::StatusOr<Kernel> GatherKernel(const KernelSetup& setup) {
  return Kernel([element_shape = setup.attr<Shape>("element_shape")](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const TensorArrayAccess access, TensorArrayBehind(c, c.output(0).dtype));
    const int64_t n = c.input(1).num_elements;
    std::vector<Tensor> elements;
    for (int64_t i = 0; i < n; ++i) {
      SF_ASSIGN_OR_RETURN(Tensor element, access.array->Read(c.in<int32_t>(1)[i], access.memory));
      if (!element_shape.IsCompatibleWith(element.shape()) || (i > 0 && elements[0].shape() != element.shape())) {
        return absl::InvalidArgumentError(absl::StrCat("TensorArray has inconsistent shapes: index ", i, " has shape ",
                                                       element.shape().ToString(), ", expected ",
                                                       (i > 0 ? elements[0].shape() : element_shape).ToString()));
      }
      elements.push_back(std::move(element));
    }
    Shape shape = n > 0 ? elements[0].shape() : element_shape;
    if (n == 0) shape = shape.MergeWith(access.array->settings().element_shape).value_or(shape);
    if (!shape.IsFullyDefined()) {
      return absl::UnimplementedError(
          absl::StrCat("no elements are gathered, and the element shape ", shape.ToString(), " is not fully defined"));
    }
    SF_RETURN_IF_ERROR(c.AllocateOutput(0, Shape({n}).Concatenate(shape)));
    CopyAll(elements, c.output(0));
    return absl::OkStatus();
  });
}
void GatherGradient(GradientContext& c) { c.set_dx(2, GradientsOf(c, c.x(2)).Scatter(c.x(1), c.dy(0)).flow()); }
const TensorArrayForms gather({.name = "TensorArrayGather",
                               .inputs = {"indices: int32", "flow_in: float"},
                               .outputs = {"value: dtype"},
                               .attrs = {"dtype: type", "element_shape: shape = unknown"},
                               .shape = GatherShape,
                               .gradient = GatherGradient,
                               .kernel = GatherKernel,
                               .doc = "Elements of a tensor array as the rows of a tensor."});

// TensorArrayScatter: element[indices[i]] = value[i].
absl::Status ScatterShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape indices, c.WithRank(1, 1));
  SF_ASSIGN_OR_RETURN(const Shape value, c.WithRankAtLeast(2, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(indices.dim(0), value.dim(0), "rows").status());
  SF_RETURN_IF_ERROR(CheckRank(c, 3, 0));
  c.set_output(0, Shape());
  return absl::OkStatus();
}
// Rows [begin, end) of input `i` as an element of `shape`.
absl::StatusOr<Tensor> Rows(KernelContext& c, int i, int64_t begin, const Shape& shape) {
  const TensorView& value = c.input(i);
  SF_ASSIGN_OR_RETURN(Tensor rows, Tensor::Create(value.dtype, shape));
  const char* from =
      static_cast<const char*>(value.data) + begin * RowElements(*value.shape) * DataTypeSize(value.dtype);
  CopyElements(value.dtype, from, rows.raw(), rows.num_elements());
  return rows;
}
absl::Status ScatterKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const TensorArrayAccess access, TensorArrayBehind(c, c.input(2).dtype));
  const Shape& shape = *c.input(2).shape;
  for (int64_t i = 0; i < c.input(1).num_elements; ++i) {
    SF_ASSIGN_OR_RETURN(Tensor row, Rows(c, 2, i, shape.Slice(1, shape.rank())));
    SF_RETURN_IF_ERROR(access.array->Write(c.in<int32_t>(1)[i], std::move(row), access.memory));
  }
  return PassFlow(c);
}
void ScatterGradient(GradientContext& c) {
  if (!c.has_dy(0)) return;
  c.set_dx(2, GradientsOf(c, c.dy(0)).Gather(c.x(1)));
  c.set_dx(3, c.dy(0));
}
const TensorArrayForms scatter({.name = "TensorArrayScatter",
                                .inputs = {"indices: int32", "value: T", "flow_in: float"},
                                .outputs = {"flow_out: float"},
                                .attrs = {"T: type"},
                                .shape = ScatterShape,
                                .gradient = ScatterGradient,
                                .kernel = ScatterKernel,
                                .doc = "Sets elements of a tensor array to the rows of a tensor."});

// TensorArrayConcat: all elements along dimension 0, and how many rows each has.
absl::Status ConcatShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckRank(c, 1, 0));
  c.set_output(1, Shape({-1}));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ConcatKernel(const KernelSetup& setup) {
  return Kernel([rest = setup.attr<Shape>("element_shape_except0")](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const TensorArrayAccess access, TensorArrayBehind(c, c.output(0).dtype));
    const int64_t n = access.array->size();
    std::vector<Tensor> elements;
    Shape row = rest;
    int64_t rows = 0;
    for (int64_t i = 0; i < n; ++i) {
      SF_ASSIGN_OR_RETURN(Tensor element, access.array->Read(i, access.memory));
      const Shape& shape = element.shape();
      if (shape.rank() == 0 || !row.IsCompatibleWith(shape.Slice(1, shape.rank()))) {
        return absl::InvalidArgumentError(absl::StrCat("index ", i, " has shape ", shape.ToString(),
                                                       ", whose rows cannot stand with those of shape ",
                                                       row.ToString()));
      }
      row = shape.Slice(1, shape.rank());
      rows = AddSizes(rows, shape.dim(0));
      elements.push_back(std::move(element));
    }
    if (!row.IsFullyDefined()) {
      return absl::InvalidArgumentError(absl::StrCat("TensorArray has size zero, but element_shape_except0 ",
                                                     row.ToString(), " is not fully defined"));
    }
    SF_RETURN_IF_ERROR(c.AllocateOutput(0, Shape({rows}).Concatenate(row)));
    SF_RETURN_IF_ERROR(c.AllocateOutput(1, {n}));
    for (int64_t i = 0; i < n; ++i) c.out<int64_t>(1)[i] = elements[i].shape().dim(0);
    CopyAll(elements, c.output(0));
    return absl::OkStatus();
  });
}
void ConcatGradient(GradientContext& c) {
  if (c.has_dy(0)) c.set_dx(1, GradientsOf(c, c.x(1)).Split(c.dy(0), c.y(1)).flow());
}
const TensorArrayForms concat({.name = "TensorArrayConcat",
                               .inputs = {"flow_in: float"},
                               .outputs = {"value: dtype", "lengths: int64"},
                               .attrs = {"dtype: type", "element_shape_except0: shape = unknown"},
                               .shape = ConcatShape,
                               .gradient = ConcatGradient,
                               .kernel = ConcatKernel,
                               .doc = "The elements of a tensor array along their first dimension."});

// TensorArraySplit: element[i] = the next lengths[i] rows of value.
absl::Status SplitShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRankAtLeast(1, 1).status());
  SF_RETURN_IF_ERROR(CheckRank(c, 2, 1));
  SF_RETURN_IF_ERROR(CheckRank(c, 3, 0));
  c.set_output(0, Shape());
  return absl::OkStatus();
}
absl::Status SplitKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const TensorArrayAccess access, TensorArrayBehind(c, c.input(1).dtype));
  const int64_t n = c.input(2).num_elements;
  const int64_t* lengths = c.in<int64_t>(2);
  int64_t total = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (lengths[i] < 0) return absl::InvalidArgumentError(absl::StrCat("length ", i, " is ", lengths[i]));
    total = AddSizes(total, lengths[i]);
  }
  if (total != c.input(1).dim(0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the lengths sum to ", total, ", but the value has ", c.input(1).dim(0), " rows"));
  }
  SF_RETURN_IF_ERROR(access.array->Reach(n));
  if (n != access.array->size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("TensorArray has ", access.array->size(), " elements, but ", n, " lengths are given"));
  }
  Shape shape = *c.input(1).shape;
  int64_t begin = 0;
  for (int64_t i = 0; i < n; ++i) {
    shape.set_dim(0, lengths[i]);
    SF_ASSIGN_OR_RETURN(Tensor rows, Rows(c, 1, begin, shape));
    SF_RETURN_IF_ERROR(access.array->Write(i, std::move(rows), access.memory));
    begin += lengths[i];
  }
  return PassFlow(c);
}
void SplitGradient(GradientContext& c) {
  if (!c.has_dy(0)) return;
  c.set_dx(1, GradientsOf(c, c.dy(0)).Concat());
  c.set_dx(3, c.dy(0));
}
const TensorArrayForms split({.name = "TensorArraySplit",
                              .inputs = {"value: T", "lengths: int64", "flow_in: float"},
                              .outputs = {"flow_out: float"},
                              .attrs = {"T: type"},
                              .shape = SplitShape,
                              .gradient = SplitGradient,
                              .kernel = SplitKernel,
                              .doc = "Sets the elements of a tensor array to parts of a tensor."});

// 0, 1, ..., n - 1.
Output Indices(Output n) { return Range(Operand(0), n, Operand(1), {.name = "range"}); }

// The shape of a row, as far as it is known.
Shape RowShape(Operand value) {
  const Output output = value.output();
  if (!output.valid() || !output.shape().has_rank() || output.shape().rank() == 0) return Shape::Unknown();
  return output.shape().Slice(1, output.shape().rank());
}

}  // namespace

Output TensorArray::Gather(Operand indices, const OpOptions& options) const {
  const Output value = NodeBuilder("TensorArrayGatherV3", {handle_, indices, flow_})
                           .Attr("dtype", dtype_)
                           .Attr("element_shape", element_shape_)
                           .Name(options.name, "TensorArrayGatherV3")
                           .Build();
  if (value.valid() && element_shape_.has_rank()) {
    const Shape count = indices.output().valid() ? indices.output().shape() : Shape({-1});
    const Shape rows = Shape({count.rank() == 1 ? count.dim(0) : -1}).Concatenate(element_shape_);
    value.node()->MergeOutputShape(0, rows).IgnoreError();
  }
  return value;
}

Output TensorArray::Stack(const OpOptions& options) const {
  if (!handle_.valid() || !flow_.valid()) return Output();
  const NameScope scope(handle_.graph(), options.name.empty() ? "TensorArrayStack" : options.name);
  return Gather(Indices(Size()));
}

TensorArray TensorArray::Scatter(Operand indices, Operand value, const OpOptions& options) const {
  return After(NodeBuilder("TensorArrayScatterV3", {handle_, indices, value, flow_})
                   .Attr("T", dtype_)
                   .Name(options.name, "TensorArrayScatter/TensorArrayScatterV3")
                   .Build(),
               RowShape(value));
}

TensorArray TensorArray::Unstack(Operand value, const OpOptions& options) const {
  if (!handle_.valid() || !flow_.valid() || !value.output().valid()) return TensorArray();
  const NameScope scope(handle_.graph(), options.name.empty() ? "TensorArrayUnstack" : options.name);
  const Output count = StridedSlice(ShapeOf(value, {.name = "Shape"}), {0}, {1}, {}, {.shrink_axis_mask = 1});
  return Scatter(Indices(count), value);
}

Output TensorArray::Concat(const OpOptions& options) const {
  Shape rest = Shape::Unknown();
  if (element_shape_.has_rank() && element_shape_.rank() > 0) rest = element_shape_.Slice(1, element_shape_.rank());
  const Output value = NodeBuilder("TensorArrayConcatV3", {handle_, flow_})
                           .Attr("dtype", dtype_)
                           .Attr("element_shape_except0", rest)
                           .Name(options.name, "TensorArrayConcatV3")
                           .Build();
  if (value.valid()) value.node()->MergeOutputShape(0, Shape({-1}).Concatenate(rest)).IgnoreError();
  return value;
}

TensorArray TensorArray::Split(Operand value, Operand lengths, const OpOptions& options) const {
  const Shape row = RowShape(value);
  const Shape element = row.has_rank() ? Shape({-1}).Concatenate(row) : Shape::Unknown();
  TensorArray after = After(NodeBuilder("TensorArraySplitV3", {handle_, value, lengths, flow_})
                                .Attr("T", dtype_)
                                .Name(options.name, "TensorArraySplit/TensorArraySplitV3")
                                .Build(),
                            element);
  return after;
}

}  // namespace staticflow
