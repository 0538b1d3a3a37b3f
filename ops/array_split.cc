// Split, SplitV, Unpack.
#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/strided_copy.h"

namespace staticflow {
namespace {

// Cuts input `value` along `axis` into the outputs, one after the other.
template <typename T>
absl::Status CutInto(KernelContext& c, int value, int axis) {
  const Shape& in = *c.input(value).shape;
  int64_t total = 0;
  for (int i = 0; i < c.num_outputs(); ++i) {
    total = AddSizes(total, c.output(i).num_elements);
  }
  if (total != in.num_elements()) return absl::InvalidArgumentError("the parts do not add up to the input");
  const int64_t outer = in.num_elements(0, axis);
  const T* from = c.in<T>(value);
  for (int64_t o = 0; o < outer; ++o) {
    for (int i = 0; i < c.num_outputs(); ++i) {
      const int64_t n = c.output(i).num_elements / outer;
      std::copy_n(from, n, c.out<T>(i) + o * n);
      from += n;
    }
  }
  return absl::OkStatus();
}

// The parts of dy, together again. A part without a gradient is zero.
Output JoinGradients(GradientContext& c, Output axis) {
  std::vector<Output> parts;
  for (int i = 0; i < c.num_outputs(); ++i) parts.push_back(c.dy(i));
  return Concat(parts, axis);
}

// Split: equal parts.   dx = the parts of dy together.
absl::Status SplitShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  Shape part = c.input(1);
  if (!part.has_rank()) return absl::OkStatus();
  if (part.rank() == 0) return absl::InvalidArgumentError("a scalar cannot be split");
  SF_ASSIGN_OR_RETURN(std::optional<int> axis, AxisFromInput(c, 0, part.rank()));
  if (!axis.has_value()) {
    part = Shape::UnknownOfRank(part.rank());
  } else if (part.dim(*axis) != Shape::kUnknownDim) {
    if (part.dim(*axis) % c.num_outputs() != 0) {
      return absl::InvalidArgumentError(absl::StrCat("value has shape ", part.ToString(), ", whose dimension ", *axis,
                                                     " does not divide into ", c.num_outputs(), " parts"));
    }
    part.set_dim(*axis, part.dim(*axis) / c.num_outputs());
  }
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, part);
  return absl::OkStatus();
}

absl::StatusOr<Kernel> SplitKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) -> absl::Status {
      SF_ASSIGN_OR_RETURN(const int axis, AxisInput(c, 0, c.input(1).rank()));
      return CutInto<T>(c, 1, axis);
    };
  });
}

void SplitGradient(GradientContext& c) { c.set_dx(1, JoinGradients(c, c.x(0))); }

const OpRegistrar split({.name = "Split",
                         .inputs = {"split_dim: int32", "value: T"},
                         .outputs = {"output: num_split * T"},
                         .attrs = {"num_split: int >= 1", "T: type"},
                         .shape = SplitShape,
                         .gradient = SplitGradient,
                         .kernel = SplitKernel,
                         .batch = SplitBatch,
                         .doc = "Equal parts along an axis."});

// SplitV: parts of given sizes, of which one may be -1.
absl::Status SplitVShape(ShapeContext& c) {
  const Shape& value = c.input(0);
  SF_ASSIGN_OR_RETURN(const Shape count, c.WithRank(1, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(count.dim(0), c.num_outputs(), "number of sizes and of outputs").status());
  if (!value.has_rank()) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(std::optional<int> axis, AxisFromInput(c, 2, value.rank()));
  SF_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> sizes, c.Integers(1));
  int64_t sum = 0;
  int open = -1;
  for (int i = 0; sizes.has_value() && i < c.num_outputs(); ++i) {
    if ((*sizes)[i] == -1 && open < 0) {
      open = i;
    } else if ((*sizes)[i] < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("size ", i, " is ", (*sizes)[i], ", expected 0 or more, or one -1"));
    } else {
      sum = AddSizes(sum, (*sizes)[i]);
    }
  }
  if (open >= 0 && c.num_outputs() == 1) return absl::InvalidArgumentError("the size of the only part is -1");
  const int64_t whole = axis.has_value() ? value.dim(*axis) : Shape::kUnknownDim;
  if (sizes.has_value() && whole >= 0 && (open >= 0 ? sum > whole : sum != whole)) {
    return absl::InvalidArgumentError(absl::StrCat("the sizes add up to ", sum, ", expected ", whole));
  }
  for (int i = 0; i < c.num_outputs(); ++i) {
    Shape part = axis.has_value() ? value : Shape::UnknownOfRank(value.rank());
    const int64_t open_size = whole < 0 ? Shape::kUnknownDim : whole - sum;
    if (axis.has_value()) part.set_dim(*axis, !sizes ? Shape::kUnknownDim : i == open ? open_size : (*sizes)[i]);
    c.set_output(i, std::move(part));
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> SplitVKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) -> absl::Status {
      SF_ASSIGN_OR_RETURN(const int axis, AxisInput(c, 2, c.input(0).rank()));
      return CutInto<T>(c, 0, axis);
    };
  });
}

void SplitVGradient(GradientContext& c) { c.set_dx(0, JoinGradients(c, c.x(2))); }

const OpRegistrar split_v({.name = "SplitV",
                           .inputs = {"value: T", "size_splits: Tlen", "split_dim: int32"},
                           .outputs = {"output: num_split * T"},
                           .attrs = {"num_split: int >= 1", "T: type", "Tlen: {int8, int32, int64} = int64"},
                           .shape = SplitVShape,
                           .gradient = SplitVGradient,
                           .kernel = SplitVKernel,
                           .batch = SplitVBatch,
                           .doc = "Parts of given sizes along an axis."});

// Unpack: the slices along an axis, without that dimension.   dx = the slices of dy stacked.
absl::Status UnpackShape(ShapeContext& c) {
  const Shape& value = c.input(0);
  if (!value.has_rank()) return absl::OkStatus();
  if (value.rank() == 0) return absl::InvalidArgumentError("a scalar cannot be unstacked");
  SF_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(c.attr<int64_t>("axis"), value.rank()));
  SF_RETURN_IF_ERROR(c.MergeDims(value.dim(axis), c.num_outputs(), "size of the axis and attribute num").status());
  const Shape part = value.Slice(0, axis).Concatenate(value.Slice(axis + 1, value.rank()));
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, part);
  return absl::OkStatus();
}

absl::StatusOr<Kernel> UnpackKernel(const KernelSetup& setup) {
  return StorageKernel(setup.input_dtype(0), [&]<typename T>() -> Kernel {
    return [axis_attr = setup.attr<int64_t>("axis")](KernelContext& c) -> absl::Status {
      SF_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(axis_attr, c.input(0).rank()));
      return CutInto<T>(c, 0, axis);
    };
  });
}

void UnpackGradient(GradientContext& c) {
  std::vector<Output> parts;
  for (int i = 0; i < c.num_outputs(); ++i) parts.push_back(c.dy(i));
  if (!parts.empty()) c.set_dx(0, Stack(parts, static_cast<int>(c.attr<int64_t>("axis"))));
}

const OpRegistrar unpack({.name = "Unpack",
                          .inputs = {"value: T"},
                          .outputs = {"output: num * T"},
                          .attrs = {"num: int >= 0", "T: type", "axis: int = 0"},
                          .shape = UnpackShape,
                          .gradient = UnpackGradient,
                          .kernel = UnpackKernel,
                          .batch = UnpackBatch,
                          .doc = "The slices along an axis."});

}  // namespace

std::vector<Output> Split(Operand value, int num, Operand axis, const OpOptions& options) {
  return OutputsOf(NodeBuilder("Split", {axis, value}).Attr("num_split", num).Name(options.name, "split").BuildNode());
}

std::vector<Output> SplitV(Operand value, const Ints& sizes, Operand axis, int num, const OpOptions& options) {
  const NodeName node(value, options.name, "split");
  if (!node) return {};
  const int count = sizes.is_output() ? num : static_cast<int>(sizes.values().size());
  return OutputsOf(NodeBuilder("SplitV", {value, node.Vector(sizes, "size_splits"), axis})
                       .Attr("num_split", count)
                       .Name(node.exact())
                       .BuildNode());
}

std::vector<Output> Unstack(Operand value, int num, int axis, const OpOptions& options) {
  return OutputsOf(
      NodeBuilder("Unpack", {value}).Attr("num", num).Attr("axis", axis).Name(options.name, "unstack").BuildNode());
}

}  // namespace staticflow
