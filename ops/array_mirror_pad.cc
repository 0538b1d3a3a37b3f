// MirrorPad and MirrorPadGrad.
#include "absl/strings/str_cat.h"
#include "ops/array_layout.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/neutral_operands.h"
#include "ops/paddings.h"

namespace staticflow {
namespace {

// 1 when the mirror image leaves out the edge.
int64_t Offset(const std::string& mode) { return mode == "REFLECT" ? 1 : 0; }

absl::Status CheckMirror(const Sizes& paddings, const Shape& inner, int64_t offset) {
  for (int i = 0; i < inner.rank(); ++i) {
    const int64_t most = inner.dim(i) - offset;
    if (paddings[2 * i] > most || paddings[2 * i + 1] > most) {
      return absl::InvalidArgumentError(absl::StrCat("paddings[", i, "] is {", paddings[2 * i], ", ",
                                                     paddings[2 * i + 1], "}, at most ", most, " is allowed for size ",
                                                     inner.dim(i)));
    }
  }
  return absl::OkStatus();
}

// Calls visit(outer, inner) for the flat position of every element of the padded shape and of its original.
template <typename F>
void ForEachMirrored(const Shape& inner, const Shape& outer, const Sizes& paddings, int64_t offset, F&& visit) {
  const Sizes strides = RowMajorStrides(inner);
  const int rank = outer.rank();
  Sizes index(rank, 0);
  for (int64_t flat = 0, n = outer.num_elements(); flat < n; ++flat) {
    int64_t from = 0;
    for (int d = 0; d < rank; ++d) {
      int64_t i = index[d] - paddings[2 * d];
      if (i < 0) i = -i - 1 + offset;
      if (i >= inner.dim(d)) i = 2 * inner.dim(d) - 1 - offset - i;
      from += i * strides[d];
    }
    visit(flat, from);
    for (int d = rank - 1; d >= 0 && ++index[d] == outer.dim(d); --d) index[d] = 0;
  }
}

// MirrorPad: the input with mirror images around it.   dx = MirrorPadGrad(dy).
absl::Status MirrorPadShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, PaddedShape(c));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> MirrorPadKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [offset = Offset(setup.attr<std::string>("mode"))](KernelContext& c) -> absl::Status {
      const Shape &in = *c.input(0).shape, &out = *c.output(0).shape;
      SF_ASSIGN_OR_RETURN(const Sizes paddings, PaddingsInput(c, in, out));
      SF_RETURN_IF_ERROR(CheckMirror(paddings, in, offset));
      const T* x = c.in<T>(0);
      T* y = c.out<T>(0);
      ForEachMirrored(in, out, paddings, offset, [&](int64_t to, int64_t from) { y[to] = x[from]; });
      return absl::OkStatus();
    };
  });
}

void MirrorPadGradient(GradientContext& c) { c.set_dx(0, MirrorPadGrad(c.dy(0), c.x(1), c.attr<std::string>("mode"))); }

const OpRegistrar mirror_pad({.name = "MirrorPad",
                              .inputs = {"input: T", "paddings: Tpaddings"},
                              .outputs = {"output: T"},
                              .attrs = {"T: type", "Tpaddings: indextype = int32", "mode: {'REFLECT', 'SYMMETRIC'}"},
                              .shape = MirrorPadShape,
                              .gradient = MirrorPadGradient,
                              .kernel = MirrorPadKernel,
                              .simplify = SimplifySameShape,
                              .batch = PadBatch,
                              .doc = "Mirror images around the input."});

// MirrorPadGrad: every element with its mirror images added.   dx = MirrorPad(dy).
absl::Status MirrorPadGradShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape paddings, c.WithRank(1, 2));
  SF_RETURN_IF_ERROR(c.MergeDims(paddings.dim(1), 2, "columns of paddings").status());
  SF_RETURN_IF_ERROR(c.MergeDims(c.input(0).rank(), paddings.dim(0), "rank and rows of paddings").status());
  SF_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> values, c.Integers(1));
  Shape shape = c.input(0);
  if (!shape.has_rank()) return absl::OkStatus();
  for (int i = 0; i < shape.rank(); ++i) {
    const int64_t before = values ? (*values)[2 * i] : 0, after = values ? (*values)[2 * i + 1] : 0;
    if (before < 0 || after < 0 || (shape.dim(i) >= 0 && AddSizes(before, after) > shape.dim(i))) {
      return absl::InvalidArgumentError(
          absl::StrCat("paddings[", i, "] does not fit input of shape ", shape.ToString()));
    }
    if (!values) shape.set_dim(i, Shape::kUnknownDim);
    if (shape.dim(i) >= 0) shape.set_dim(i, shape.dim(i) - before - after);
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> MirrorPadGradKernel(const KernelSetup& setup) {
  Kernel kernel;
  const int64_t offset = Offset(setup.attr<std::string>("mode"));
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.output_dtype(0), [&]<typename T>() {
        kernel = [offset](KernelContext& c) -> absl::Status {
          const Shape &in = *c.input(0).shape, &out = *c.output(0).shape;
          SF_ASSIGN_OR_RETURN(const Sizes paddings, PaddingsInput(c, out, in));
          SF_RETURN_IF_ERROR(CheckMirror(paddings, out, offset));
          ClearOutput(c.output(0));
          const T* x = c.in<T>(0);
          T* y = c.out<T>(0);
          ForEachMirrored(out, in, paddings, offset, [&](int64_t from, int64_t to) {
            y[to] = static_cast<T>(WrapAdd<ComputeType<T>>(Widen(y[to]), Widen(x[from])));
          });
          return absl::OkStatus();
        };
      });
  return kernel;
}

void MirrorPadGradGradient(GradientContext& c) { c.set_dx(0, MirrorPad(c.dy(0), c.x(1), c.attr<std::string>("mode"))); }

const OpRegistrar mirror_pad_grad({.name = "MirrorPadGrad",
                                   .inputs = {"input: T", "paddings: Tpaddings"},
                                   .outputs = {"output: T"},
                                   .attrs = {"T: realnumbertype", "Tpaddings: indextype = int32",
                                             "mode: {'REFLECT', 'SYMMETRIC'}"},
                                   .shape = MirrorPadGradShape,
                                   .gradient = MirrorPadGradGradient,
                                   .kernel = MirrorPadGradKernel,
                                   .doc = "The gradient of MirrorPad."});

}  // namespace

Output MirrorPad(Operand input, const Ints& paddings, const std::string& mode, const OpOptions& options) {
  const NodeName node(input, options.name, "MirrorPad");
  if (!node) return Output();
  return NodeBuilder("MirrorPad", {input, PaddingsVector(node, paddings, "paddings")})
      .Attr("mode", mode)
      .Name(node.exact())
      .Build();
}

Output MirrorPadGrad(Operand input, const Ints& paddings, const std::string& mode, const OpOptions& options) {
  const NodeName node(input, options.name, "MirrorPadGrad");
  if (!node) return Output();
  return NodeBuilder("MirrorPadGrad", {input, PaddingsVector(node, paddings, "paddings")})
      .Attr("mode", mode)
      .Name(node.exact())
      .Build();
}

}  // namespace staticflow
