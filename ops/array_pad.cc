// Pad and PadV2.
#include "absl/strings/str_cat.h"
#include "ops/array_layout.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/math.h"
#include "ops/neutral_operands.h"
#include "ops/paddings.h"

namespace staticflow {

absl::StatusOr<Shape> PaddedShape(const ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape paddings, c.WithRank(1, 2));
  Shape shape = c.input(0);
  SF_RETURN_IF_ERROR(c.MergeDims(paddings.dim(1), 2, "columns of paddings").status());
  SF_ASSIGN_OR_RETURN(const int64_t rank, c.MergeDims(shape.rank(), paddings.dim(0), "rank and rows of paddings"));
  if (rank < 0 || rank > Shape::kMaxRank) return Shape::Unknown();
  SF_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> values, c.Integers(1));
  if (!shape.has_rank() || !values) return Shape::UnknownOfRank(static_cast<int>(rank));
  for (int i = 0; i < rank; ++i) {
    const int64_t before = (*values)[2 * i], after = (*values)[2 * i + 1];
    if (before < 0 || after < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("paddings[", i, "] is {", before, ", ", after, "}, expected 0 or more"));
    }
    if (shape.dim(i) >= 0) shape.set_dim(i, AddSizes(shape.dim(i), AddSizes(before, after)));
  }
  return shape;
}

absl::StatusOr<Sizes> PaddingsInput(const KernelContext& c, const Shape& inner, const Shape& outer) {
  Sizes paddings = Integers(c.input(1));
  bool fits = static_cast<int>(paddings.size()) == 2 * inner.rank();
  for (int i = 0; fits && i < inner.rank(); ++i) {
    const int64_t before = paddings[2 * i], after = paddings[2 * i + 1];
    fits = before >= 0 && after >= 0 && AddSizes(inner.dim(i), AddSizes(before, after)) == outer.dim(i);
  }
  if (fits) return paddings;
  return absl::InvalidArgumentError(
      absl::StrCat("paddings do not lead from shape ", inner.ToString(), " to ", outer.ToString()));
}

namespace {

// Pad: zeros (or a value) around the input.   dx = the middle of dy.
absl::Status PadShape(ShapeContext& c) {
  if (c.num_inputs() == 3) SF_RETURN_IF_ERROR(c.WithRank(2, 0).status());
  SF_ASSIGN_OR_RETURN(Shape shape, PaddedShape(c));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> PadKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) -> absl::Status {
      const Shape &in = *c.input(0).shape, &out = *c.output(0).shape;
      SF_ASSIGN_OR_RETURN(const Sizes paddings, PaddingsInput(c, in, out));
      const Sizes strides = RowMajorStrides(out);
      StridedView view;
      for (int i = 0; i < in.rank(); ++i) {
        view.Add(in.dim(i), strides[i]);
        view.offset += paddings[2 * i] * strides[i];
      }
      std::fill_n(c.out<T>(0), c.output(0).num_elements, c.num_inputs() == 3 ? c.scalar<T>(2) : T());
      CopyToView(view, c.in<T>(0), c.out<T>(0), {0, c.input(0).num_elements});
      return absl::OkStatus();
    };
  });
}

void PadGradient(GradientContext& c) {
  const Output paddings = c.x(1);
  const Output begin =
      StridedSlice(paddings, {0, 0}, {0, 1}, {1, 1}, {.begin_mask = 1, .end_mask = 1, .shrink_axis_mask = 2});
  c.set_dx(0, Slice(c.dy(0), begin, ShapeOf(c.x(0), {.out_type = paddings.dtype()})));
}

// The value stands wherever the input does not: its gradient is what is left of dy's sum.
void PadV2Gradient(GradientContext& c) {
  PadGradient(c);
  if (c.dx(0).valid()) c.set_dx(2, Sum(c.dy(0)) - Sum(c.dx(0)));
}

const OpRegistrar pad({.name = "Pad",
                       .inputs = {"input: T", "paddings: Tpaddings"},
                       .outputs = {"output: T"},
                       .attrs = {"T: type", "Tpaddings: indextype = int32"},
                       .shape = PadShape,
                       .gradient = PadGradient,
                       .kernel = PadKernel,
                       .simplify = SimplifySameShape,
                       .batch = PadBatch,
                       .doc = "Zeros around the input."});

const OpRegistrar pad_v2({.name = "PadV2",
                          .inputs = {"input: T", "paddings: Tpaddings", "constant_values: T"},
                          .outputs = {"output: T"},
                          .attrs = {"T: type", "Tpaddings: indextype = int32"},
                          .shape = PadShape,
                          .gradient = PadV2Gradient,
                          .kernel = PadKernel,
                          .simplify = SimplifySameShape,
                          .batch = PadBatch,
                          .doc = "One value around the input."});

}  // namespace

Output PaddingsVector(const NodeName& node, const Ints& paddings, absl::string_view argument) {
  if (paddings.is_output()) return paddings.output();
  const Tensor rows = paddings.AsTensor();
  absl::StatusOr<Tensor> pairs = rows.Reshaped({rows.num_elements() / 2, 2});
  if (pairs.ok()) return node.Constant(*std::move(pairs), argument);
  node.graph().RecordError(absl::InvalidArgumentError(absl::StrCat(
      node.exact(), argument, ": got ", rows.num_elements(), " numbers, expected two for every dimension")));
  return Output();
}

Output Pad(Operand tensor, const Ints& paddings, const OpOptions& options) {
  const NodeName node(tensor, options.name, "Pad");
  if (!node) return Output();
  return NodeBuilder("Pad", {tensor, PaddingsVector(node, paddings, "paddings")}).Name(node.exact()).Build();
}

Output PadV2(Operand input, const Ints& paddings, Operand constant_value, const OpOptions& options) {
  const NodeName node(input, options.name, "PadV2");
  if (!node) return Output();
  return NodeBuilder("PadV2", {input, PaddingsVector(node, paddings, "paddings"), constant_value})
      .Name(node.exact())
      .Build();
}

}  // namespace staticflow
