// StridedSliceAssign, ResourceStridedSliceAssign and TensorStridedSliceUpdate: ref[begin:end:strides] = value.
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/array_shapes.h"
#include "ops/math_binary.h"
#include "ops/slice_spec.h"
#include "ops/variable_value.h"

namespace staticflow {
namespace {

const std::vector<std::string> kMasks = {"begin_mask: int = 0", "end_mask: int = 0", "ellipsis_mask: int = 0",
                                         "new_axis_mask: int = 0", "shrink_axis_mask: int = 0"};

template <typename Source>
SliceMasks MasksOf(const Source& source) {
  return {.begin = source.template attr<int64_t>("begin_mask"),
          .end = source.template attr<int64_t>("end_mask"),
          .ellipsis = source.template attr<int64_t>("ellipsis_mask"),
          .new_axis = source.template attr<int64_t>("new_axis_mask"),
          .shrink_axis = source.template attr<int64_t>("shrink_axis_mask")};
}

// OK where a value of this shape broadcasts to the slice.
absl::Status CheckValue(const Shape& slice, const Shape& value) {
  const absl::StatusOr<Shape> both = BroadcastShapes(slice, value);
  if (both.ok() && both->IsCompatibleWith(slice)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("value has shape ", value.ToString(), ", the slice ", slice.ToString()));
}

// `value` as it is read in the order of the slice's elements.
StridedView BroadcastView(const Shape& value, const Shape& slice) {
  const Sizes strides = RowMajorStrides(value);
  StridedView view;
  for (int d = 0; d < slice.rank(); ++d) {
    const int own = d - (slice.rank() - value.rank());
    view.Add(slice.dim(d), own < 0 || value.dim(own) == 1 ? 0 : strides[own]);
  }
  return view;
}

absl::Status AssignShape(ShapeContext& c) {
  SliceEntries entries{.size = Shape::kUnknownDim};
  for (int i = 1; i <= 3; ++i) {
    SF_ASSIGN_OR_RETURN(const Shape shape, c.WithRank(i, 1));
    SF_ASSIGN_OR_RETURN(entries.size, c.MergeDims(entries.size, shape.dim(0), "lengths of begin, end and strides"));
    SF_ASSIGN_OR_RETURN(const auto values, c.Integers(i));
    if (!values.has_value()) continue;
    (i == 1 ? entries.begin : i == 2 ? entries.end : entries.strides) = Sizes(values->begin(), values->end());
  }
  const bool is_value = !c.node().op().inputs[0].is_ref && c.input_dtype(0) != DT_RESOURCE;
  const Shape target = is_value ? c.input(0) : VariableShapeBehind(c, 0);
  if (target.has_rank() && entries.size != Shape::kUnknownDim) {
    SF_ASSIGN_OR_RETURN(const SliceSpec spec, SliceSpec::Make(entries, MasksOf(c), target));
    SF_RETURN_IF_ERROR(CheckValue(spec.output, c.input(4)));
  }
  if (c.num_outputs() > 0) c.set_output(0, target);
  return absl::OkStatus();
}

// The value goes where the slice of `shape` lies.
template <typename T>
absl::Status WriteSlice(KernelContext& c, const SliceMasks& masks, const Shape& shape, T* to) {
  const int64_t size = c.input(1).num_elements;
  if (c.input(2).num_elements != size || c.input(3).num_elements != size) {
    return absl::InvalidArgumentError("begin, end and strides differ in length");
  }
  SF_ASSIGN_OR_RETURN(
      const SliceSpec spec,
      SliceSpec::Make(
          {.size = size, .begin = Integers(c.input(1)), .end = Integers(c.input(2)), .strides = Integers(c.input(3))},
          masks, shape));
  const Shape& value = *c.input(4).shape;
  SF_RETURN_IF_ERROR(CheckValue(spec.output, value));
  const IndexRange all = {0, spec.output.num_elements()};
  if (value == spec.output) {
    CopyToView(spec.View(shape), c.in<T>(4), to, all);
    return absl::OkStatus();
  }
  std::vector<T> broadcast(static_cast<size_t>(all.end));
  CopyFromView(BroadcastView(value, spec.output), c.in<T>(4), broadcast.data(), all);
  CopyToView(spec.View(shape), broadcast.data(), to, all);
  return absl::OkStatus();
}

absl::StatusOr<Kernel> VariableKernel(const KernelSetup& setup) {
  return StorageKernel(setup.input_dtype(4), [&]<typename T>() -> Kernel {
    return [masks = MasksOf(setup)](KernelContext& c) -> absl::Status {
      SF_ASSIGN_OR_RETURN(VariableSlot * slot, InitializedVariable(c, 0));
      if (slot->dtype != c.input(4).dtype)
        return absl::InvalidArgumentError("value has another type than the variable");
      return WriteSlice(c, masks, slot->value.shape(), static_cast<T*>(slot->value.raw()));
    };
  });
}
absl::StatusOr<Kernel> ValueKernel(const KernelSetup& setup) {
  return StorageKernel(setup.input_dtype(4), [&]<typename T>() -> Kernel {
    return [masks = MasksOf(setup)](KernelContext& c) -> absl::Status {
      CopyInput(c, 0, 0);
      return WriteSlice(c, masks, *c.output(0).shape, c.out<T>(0));
    };
  });
}

OpSpec SliceAssign(const char* name, const char* target, std::vector<std::string> outputs, KernelSource kernel,
                   const char* doc) {
  OpSpec spec = {.name = name,
                 .inputs = {target, "begin: Index", "end: Index", "strides: Index", "value: T"},
                 .outputs = std::move(outputs),
                 .attrs = {"T: type", "Index: indextype"},
                 .shape = AssignShape,
                 .gradient = kGradientIsError,
                 .kernel = kernel,
                 .doc = doc};
  spec.attrs.insert(spec.attrs.end(), kMasks.begin(), kMasks.end());
  return spec;
}
OpSpec OnVariable(OpSpec spec) {
  spec.traits = kStateful;
  spec.access = {{0, Access::kUpdate}};
  return spec;
}
const OpRegistrar assign(OnVariable(SliceAssign("StridedSliceAssign", "ref: Ref(T)", {"output_ref: Ref(T)"},
                                                VariableKernel, "Writes a slice of a variable.")));
const OpRegistrar resource_assign(OnVariable(SliceAssign("ResourceStridedSliceAssign", "ref: resource", {},
                                                         VariableKernel,
                                                         "Writes a slice of the variable behind a handle.")));

// TensorStridedSliceUpdate: dinput = dy with zeros at the slice, dvalue = dy's slice.
void UpdateGradient(GradientContext& c) {
  const SliceMasks masks = MasksOf(c);
  const StridedSliceOptions options = {.begin_mask = masks.begin,
                                       .end_mask = masks.end,
                                       .ellipsis_mask = masks.ellipsis,
                                       .new_axis_mask = masks.new_axis,
                                       .shrink_axis_mask = masks.shrink_axis};
  c.set_dx(0, NodeBuilder("TensorStridedSliceUpdate", {c.dy(0), c.x(1), c.x(2), c.x(3), ZerosLike(c.x(4))})
                  .Attr("begin_mask", masks.begin)
                  .Attr("end_mask", masks.end)
                  .Attr("ellipsis_mask", masks.ellipsis)
                  .Attr("new_axis_mask", masks.new_axis)
                  .Attr("shrink_axis_mask", masks.shrink_axis)
                  .Build());
  const Output slice = StridedSlice(c.dy(0), c.x(1), c.x(2), c.x(3), options);
  c.set_dx(4, SumToShapeOf(slice, c.x(4), slice));
}
OpSpec UpdateSpec() {
  OpSpec spec = SliceAssign("TensorStridedSliceUpdate", "input: T", {"output: T"}, ValueKernel,
                            "A tensor with a slice replaced.");
  spec.gradient = UpdateGradient;
  spec.traits = kInPlace;
  return spec;
}
const OpRegistrar update(UpdateSpec());

}  // namespace
}  // namespace staticflow
