// StridedSlice and StridedSliceGrad.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/math.h"
#include "ops/neutral_operands.h"
#include "ops/slice_spec.h"

namespace staticflow {
namespace {

std::vector<std::string> SliceAttrs(const char* index_types) {
  return {"T: type",
          index_types,
          "begin_mask: int = 0",
          "end_mask: int = 0",
          "ellipsis_mask: int = 0",
          "new_axis_mask: int = 0",
          "shrink_axis_mask: int = 0"};
}

SliceMasks MasksOf(const Node& node) {
  return {.begin = node.attr<int64_t>("begin_mask"),
          .end = node.attr<int64_t>("end_mask"),
          .ellipsis = node.attr<int64_t>("ellipsis_mask"),
          .new_axis = node.attr<int64_t>("new_axis_mask"),
          .shrink_axis = node.attr<int64_t>("shrink_axis_mask")};
}

StridedSliceOptions OptionsOf(const Node& node) {
  const SliceMasks masks = MasksOf(node);
  return {.begin_mask = masks.begin,
          .end_mask = masks.end,
          .ellipsis_mask = masks.ellipsis,
          .new_axis_mask = masks.new_axis,
          .shrink_axis_mask = masks.shrink_axis};
}

// Inputs 1, 2 and 3 as far as they are known; nullopt when not even their number is.
absl::StatusOr<std::optional<SliceEntries>> EntriesOf(const ShapeContext& c) {
  SliceEntries entries{.size = Shape::kUnknownDim};
  for (int i = 1; i <= 3; ++i) {
    SF_ASSIGN_OR_RETURN(const Shape shape, c.WithRank(i, 1));
    SF_ASSIGN_OR_RETURN(entries.size, c.MergeDims(entries.size, shape.dim(0), "lengths of begin, end and strides"));
    SF_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> values, c.Integers(i));
    if (values)
      (i == 1 ? entries.begin : i == 2 ? entries.end : entries.strides) = Sizes(values->begin(), values->end());
  }
  if (entries.size == Shape::kUnknownDim) return std::optional<SliceEntries>();
  return std::optional<SliceEntries>(std::move(entries));
}

absl::StatusOr<SliceSpec> SpecOf(const KernelContext& c, const SliceMasks& masks, const Shape& input) {
  const int64_t size = c.input(1).num_elements;
  if (c.input(2).num_elements != size || c.input(3).num_elements != size) {
    return absl::InvalidArgumentError("begin, end and strides differ in length");
  }
  return SliceSpec::Make(
      {.size = size, .begin = Integers(c.input(1)), .end = Integers(c.input(2)), .strides = Integers(c.input(3))},
      masks, input);
}

// StridedSlice: input[begin:end:strides].   dx = zeros with dy at the slice.
absl::Status StridedSliceShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(std::optional<SliceEntries> entries, EntriesOf(c));
  if (!entries || !c.input(0).has_rank()) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(SliceSpec spec, SliceSpec::Make(*entries, MasksOf(c.node()), c.input(0)));
  c.set_output(0, std::move(spec.output));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> StridedSliceKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [masks = MasksOf(setup.node())](KernelContext& c) {
      const Shape& in = *c.input(0).shape;
      SF_ASSIGN_OR_RETURN(const SliceSpec spec, SpecOf(c, masks, in));
      SF_RETURN_IF_ERROR(ExpectOutput(c, 0, spec.output));
      CopyFromView(spec.View(in), c.in<T>(0), c.out<T>(0), FlatRows(c));
      return absl::OkStatus();
    };
  });
}

void StridedSliceGradient(GradientContext& c) {
  const Output begin = WideIndices(c.x(1)), end = WideIndices(c.x(2)), strides = WideIndices(c.x(3));
  const Output shape = ShapeOf(c.x(0), {.out_type = begin.dtype()});
  c.set_dx(0, StridedSliceGrad(shape, begin, end, strides, c.dy(0), OptionsOf(c.node())));
}

// A slice of a shape, or one of its sizes, as far as the sizes are known.
std::optional<Shape> StridedSliceShapeValue(const ShapeContext& c) {
  absl::StatusOr<Shape> value = c.ValueAsShape(0);
  absl::StatusOr<std::optional<SliceEntries>> entries = EntriesOf(c);
  const SliceMasks masks = MasksOf(c.node());
  if (!value.ok() || !value->has_rank() || c.input(0).rank() != 1 || !entries.ok() || !entries->has_value() ||
      masks.new_axis != 0) {
    return std::nullopt;
  }
  absl::StatusOr<SliceSpec> spec = SliceSpec::Make(**entries, masks, {value->rank()});
  const bool known = spec.ok() && spec->dims[0].count >= 0 && (*entries)->begin && (*entries)->end;
  if (!known) return std::nullopt;
  Shape slice;
  for (int64_t i = 0; i < spec->dims[0].count; ++i) {
    slice.push_back(value->dim(static_cast<int>(spec->dims[0].start + i * spec->dims[0].stride)));
  }
  return slice;
}

// With positive strides and every dimension in its place, a slice of the input's shape is the input.
int SimplifyWholeSlice(const ShapeContext& c) {
  if (c.attr<int64_t>("new_axis_mask") != 0 || c.attr<int64_t>("shrink_axis_mask") != 0) return -1;
  const absl::StatusOr<std::optional<std::vector<int64_t>>> strides = c.Integers(3);
  if (!strides.ok() || !strides->has_value()) return -1;
  const bool forward = std::all_of((*strides)->begin(), (*strides)->end(), [](int64_t stride) { return stride > 0; });
  return forward ? SimplifySameShape(c) : -1;
}

const OpRegistrar strided_slice({.name = "StridedSlice",
                                 .inputs = {"input: T", "begin: Index", "end: Index", "strides: Index"},
                                 .outputs = {"output: T"},
                                 .attrs = SliceAttrs("Index: {int16, int32, int64}"),
                                 .shape = StridedSliceShape,
                                 .gradient = StridedSliceGradient,
                                 .kernel = StridedSliceKernel,
                                 .iteration = {.split = Split::kRows},
                                 .shape_value = StridedSliceShapeValue,
                                 .simplify = SimplifyWholeSlice,
                                 .batch = StridedSliceBatch,
                                 .doc = "input[begin:end:strides] with masks."});

// StridedSliceGrad: zeros of shape `shape` with dy at the slice.   d dy = the slice of the gradient.
absl::Status StridedSliceGradShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, DimsFromInput(c, 0));
  SF_ASSIGN_OR_RETURN(std::optional<SliceEntries> entries, EntriesOf(c));
  if (entries && shape.has_rank()) {
    SF_ASSIGN_OR_RETURN(SliceSpec spec, SliceSpec::Make(*entries, MasksOf(c.node()), shape));
    SF_RETURN_IF_ERROR(Annotate(spec.output.MergeWith(c.input(4)).status(), "the slice and dy: "));
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> StridedSliceGradKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [masks = MasksOf(setup.node())](KernelContext& c) -> absl::Status {
      const Shape& shape = *c.output(0).shape;
      SF_ASSIGN_OR_RETURN(const SliceSpec spec, SpecOf(c, masks, shape));
      if (spec.output != *c.input(4).shape) {
        return absl::InvalidArgumentError(
            absl::StrCat("dy has shape ", c.input(4).shape->ToString(), ", expected ", spec.output.ToString()));
      }
      ClearOutput(c.output(0));
      CopyToView(spec.View(shape), c.in<T>(4), c.out<T>(0), {0, c.input(4).num_elements});
      return absl::OkStatus();
    };
  });
}

void StridedSliceGradGradient(GradientContext& c) {
  c.set_dx(4, StridedSlice(c.dy(0), c.x(1), c.x(2), c.x(3), OptionsOf(c.node())));
}

const OpRegistrar strided_slice_grad({.name = "StridedSliceGrad",
                                      .inputs = {"shape: Index", "begin: Index", "end: Index", "strides: Index",
                                                 "dy: T"},
                                      .outputs = {"output: T"},
                                      .attrs = SliceAttrs("Index: indextype"),
                                      .shape = StridedSliceGradShape,
                                      .gradient = StridedSliceGradGradient,
                                      .kernel = StridedSliceGradKernel,
                                      .doc = "The gradient of StridedSlice."});

Ints OnesUnlessGiven(const Ints& strides, const Ints& begin) {
  if (strides.is_output() || !strides.values().empty() || begin.is_output()) return strides;
  return Ints(std::vector<int64_t>(begin.values().size(), 1));
}

Output BuildWithMasks(NodeBuilder builder, const StridedSliceOptions& options, const std::string& name) {
  return std::move(builder)
      .Attr("begin_mask", options.begin_mask)
      .Attr("end_mask", options.end_mask)
      .Attr("ellipsis_mask", options.ellipsis_mask)
      .Attr("new_axis_mask", options.new_axis_mask)
      .Attr("shrink_axis_mask", options.shrink_axis_mask)
      .Name(name)
      .Build();
}

}  // namespace

Output StridedSlice(Operand input, const Ints& begin, const Ints& end, const Ints& strides,
                    const StridedSliceOptions& options) {
  const NodeName node(input, options.name, "strided_slice");
  if (!node) return Output();
  const DataType index = IndexType({&begin, &end, &strides});
  return BuildWithMasks(
      NodeBuilder("StridedSlice", {input, node.Vector(begin, "stack", index), node.Vector(end, "stack_1", index),
                                   node.Vector(OnesUnlessGiven(strides, begin), "stack_2", index)}),
      options, node.exact());
}

Output StridedSliceGrad(Operand shape, const Ints& begin, const Ints& end, const Ints& strides, Operand dy,
                        const StridedSliceOptions& options) {
  const NodeName node(dy, options.name, "StridedSliceGrad");
  if (!node) return Output();
  const DataType index = IndexType({&begin, &end, &strides});
  return BuildWithMasks(
      NodeBuilder("StridedSliceGrad", {shape, node.Vector(begin, "begin", index), node.Vector(end, "end", index),
                                       node.Vector(OnesUnlessGiven(strides, begin), "strides", index), dy}),
      options, node.exact());
}

}  // namespace staticflow
