// BroadcastGradientArgs, BroadcastArgs, BroadcastTo, Tile.
#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/math.h"
#include "ops/neutral_operands.h"
#include "ops/strided_copy.h"
#include "runtime/loop.h"

namespace staticflow {
namespace {

// Writes integers into an output of type int32 or int64.
template <typename Values>
void WriteIntegers(const TensorView& out, const Values& values) {
  DispatchType<int32_t, int64_t>(out.dtype,
                                 [&]<typename T>() { std::copy(values.begin(), values.end(), out.as<T>()); });
}

// The shape in input i; InvalidArgument for negative sizes.
absl::StatusOr<Shape> ShapeInput(const KernelContext& c, int i) {
  const Sizes sizes = Integers(c.input(i));
  for (int64_t size : sizes) {
    if (size < 0) return absl::InvalidArgumentError(absl::StrCat("input ", i, " holds the negative size ", size));
  }
  return Shape(absl::MakeConstSpan(sizes));
}

// BroadcastGradientArgs: the dimensions in which s0 (s1) has size 1 or none and the broadcast shape may have more.
// Equal shapes have none; where they differ elsewhere, a dimension of size 1 in both counts for both.
std::array<Sizes, 2> BroadcastGradientAxes(const Shape& s0, const Shape& s1, const Shape& both) {
  std::array<Sizes, 2> axes;
  for (int k = 0; k < 2; ++k) {
    const Shape& s = k == 0 ? s0 : s1;
    for (int i = 0; s0 != s1 && i < both.rank(); ++i) {
      const int own = i - (both.rank() - s.rank());
      if (own < 0 || s.dim(own) == 1) axes[k].push_back(i);
    }
  }
  return axes;
}

absl::Status BroadcastGradientArgsShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 1).status());
  SF_RETURN_IF_ERROR(c.WithRank(1, 1).status());
  c.set_output(0, Shape::UnknownOfRank(1));
  c.set_output(1, Shape::UnknownOfRank(1));
  SF_ASSIGN_OR_RETURN(const auto sizes0, c.Integers(0));
  SF_ASSIGN_OR_RETURN(const auto sizes1, c.Integers(1));
  if (!sizes0.has_value() || !sizes1.has_value()) return absl::OkStatus();
  const auto negative = [](int64_t size) { return size < 0; };
  if (absl::c_any_of(*sizes0, negative) || absl::c_any_of(*sizes1, negative)) return absl::OkStatus();
  const Shape s0(absl::MakeConstSpan(*sizes0)), s1(absl::MakeConstSpan(*sizes1));
  SF_ASSIGN_OR_RETURN(const Shape both, BroadcastShapes(s0, s1));
  const std::array<Sizes, 2> axes = BroadcastGradientAxes(s0, s1, both);
  for (int k = 0; k < 2; ++k) c.set_output(k, {static_cast<int64_t>(axes[k].size())});
  return absl::OkStatus();
}

absl::Status BroadcastGradientArgsKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape s0, ShapeInput(c, 0));
  SF_ASSIGN_OR_RETURN(const Shape s1, ShapeInput(c, 1));
  SF_ASSIGN_OR_RETURN(const Shape both, BroadcastShapes(s0, s1));
  const std::array<Sizes, 2> axes = BroadcastGradientAxes(s0, s1, both);
  for (int k = 0; k < 2; ++k) {
    // The shapes' values are known by now, in the plan or at run time, and so the outputs have their size.
    WriteIntegers(c.output(k), axes[k]);
  }
  return absl::OkStatus();
}

const OpRegistrar broadcast_gradient_args({.name = "BroadcastGradientArgs",
                                           .inputs = {"s0: T", "s1: T"},
                                           .outputs = {"r0: T", "r1: T"},
                                           .attrs = {"T: indextype = int32"},
                                           .shape = BroadcastGradientArgsShape,
                                           .gradient = kNotDifferentiable,
                                           .kernel = BroadcastGradientArgsKernel,
                                           .doc = "The dimensions to sum over in gradients of broadcasting ops."});

// BroadcastArgs: the shape to which two shapes broadcast.
absl::Status BroadcastArgsShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape a, c.WithRank(0, 1));
  SF_ASSIGN_OR_RETURN(const Shape b, c.WithRank(1, 1));
  const bool known = a.IsFullyDefined() && b.IsFullyDefined();
  c.set_output(0, {known ? std::max(a.dim(0), b.dim(0)) : Shape::kUnknownDim});
  return absl::OkStatus();
}

absl::Status BroadcastArgsKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape s0, ShapeInput(c, 0));
  SF_ASSIGN_OR_RETURN(const Shape s1, ShapeInput(c, 1));
  SF_ASSIGN_OR_RETURN(const Shape both, BroadcastShapes(s0, s1));
  WriteIntegers(c.output(0), both.dims());
  return absl::OkStatus();
}

std::optional<Shape> BroadcastArgsShapeValue(const ShapeContext& c) {
  absl::StatusOr<Shape> a = c.ValueAsShape(0), b = c.ValueAsShape(1);
  if (!a.ok() || !b.ok()) return std::nullopt;
  absl::StatusOr<Shape> both = BroadcastShapes(*a, *b);
  if (!both.ok()) return std::nullopt;
  return *std::move(both);
}

const OpRegistrar broadcast_args({.name = "BroadcastArgs",
                                  .inputs = {"s0: T", "s1: T"},
                                  .outputs = {"r0: T"},
                                  .attrs = {"T: indextype = int32"},
                                  .shape = BroadcastArgsShape,
                                  .gradient = kNotDifferentiable,
                                  .kernel = BroadcastArgsKernel,
                                  .traits = kCommutative,
                                  .shape_value = BroadcastArgsShapeValue,
                                  .doc = "The shape to which two shapes broadcast."});

// BroadcastTo: the input in a larger shape.   dx = dy summed over what was broadcast.
absl::Status BroadcastToShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape out, DimsFromInput(c, 1));
  SF_ASSIGN_OR_RETURN(const Shape both, BroadcastShapes(c.input(0), out));
  if (both.has_rank() && !both.IsCompatibleWith(out)) {
    return absl::InvalidArgumentError(
        absl::StrCat("input has shape ", c.input(0).ToString(), ", which does not broadcast to ", out.ToString()));
  }
  c.set_output(0, std::move(out));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> BroadcastToKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) {
      const Shape &in = *c.input(0).shape, &out = *c.output(0).shape;
      const Sizes strides = RowMajorStrides(in);
      StridedView view;
      for (int i = 0; i < out.rank(); ++i) {
        const int own = i - (out.rank() - in.rank());
        view.Add(out.dim(i), own < 0 || in.dim(own) == 1 ? 0 : strides[own]);
      }
      CopyFromView(view, c.in<T>(0), c.out<T>(0), FlatRows(c));
      return absl::OkStatus();
    };
  });
}

void BroadcastToGradient(GradientContext& c) { c.set_dx(0, SumToShapeOf(c.dy(0), c.x(0), c.y(0))); }

// A row stands for all rows of a loop's matrix, a scalar for all elements.
bool BroadcastToLoop(LoopContext& c) { return c.set_output(0, c.input(0)); }

const OpRegistrar broadcast_to({.name = "BroadcastTo",
                                .inputs = {"input: T", "shape: Tidx"},
                                .outputs = {"output: T"},
                                .attrs = {"T: type", "Tidx: indextype = int32"},
                                .shape = BroadcastToShape,
                                .gradient = BroadcastToGradient,
                                .kernel = BroadcastToKernel,
                                .iteration = {.split = Split::kRows},
                                .loop = BroadcastToLoop,
                                .simplify = SimplifySameShape,
                                .batch = BroadcastToBatch,
                                .doc = "The input repeated to a larger shape."});

// Tile: the input repeated multiples[d] times along dimension d.   dx = dy summed over the repetitions.
absl::Status TileShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape multiples, DimsFromInput(c, 1));
  Shape in = c.input(0);
  if (!in.has_rank() && multiples.has_rank()) in = Shape::UnknownOfRank(multiples.rank());
  if (!multiples.has_rank()) {
    c.set_output(0, in.has_rank() ? Shape::UnknownOfRank(in.rank()) : Shape::Unknown());
    return absl::OkStatus();
  }
  if (in.rank() != multiples.rank()) {
    return absl::InvalidArgumentError(absl::StrCat("input has shape ", in.ToString(), ", but there are ",
                                                   multiples.rank(), " multiples, expected ", in.rank()));
  }
  for (int i = 0; i < in.rank(); ++i) {
    const bool known = in.dim(i) >= 0 && multiples.dim(i) >= 0;
    in.set_dim(i, known ? MultiplySizes(in.dim(i), multiples.dim(i)) : Shape::kUnknownDim);
  }
  c.set_output(0, std::move(in));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> TileKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) {
      const Shape& in = *c.input(0).shape;
      const Sizes strides = RowMajorStrides(in), multiples = Integers(c.input(1));
      StridedView view;
      Shape out;
      for (int i = 0; i < in.rank(); ++i) {
        view.Add(multiples[i], 0);
        view.Add(in.dim(i), strides[i]);
        out.push_back(MultiplySizes(in.dim(i), multiples[i]));
      }
      SF_RETURN_IF_ERROR(ExpectOutput(c, 0, out));
      CopyFromView(view, c.in<T>(0), c.out<T>(0), FlatRows(c));
      return absl::OkStatus();
    };
  });
}

// Every dimension of dy becomes two, the repetitions and the size, and the former are summed.
void TileGradient(GradientContext& c) {
  const Output multiples = c.x(1);
  const Output sizes = ShapeOf(c.x(0), {.out_type = multiples.dtype()});
  const Output pairs = Reshape(Transpose(Stack({multiples, sizes}), {1, 0}), {-1});
  const Output axes = Range(Const(c.graph(), 0), SizeOf(pairs), Const(c.graph(), 2));
  c.set_dx(0, Reshape(Sum(Reshape(c.dy(0), pairs), axes), sizes));
}

const OpRegistrar tile({.name = "Tile",
                        .inputs = {"input: T", "multiples: Tmultiples"},
                        .outputs = {"output: T"},
                        .attrs = {"T: type", "Tmultiples: indextype = int32"},
                        .shape = TileShape,
                        .gradient = TileGradient,
                        .kernel = TileKernel,
                        .iteration = {.split = Split::kRows},
                        .simplify = SimplifySameShape,
                        .batch = TileBatch,
                        .doc = "The input repeated along its dimensions."});

}  // namespace

Output BroadcastTo(Operand input, const Ints& shape, const OpOptions& options) {
  const NodeName node(input, options.name, "BroadcastTo");
  if (!node) return Output();
  return NodeBuilder("BroadcastTo", {input, node.Vector(shape, "shape")}).Name(node.exact()).Build();
}

Output BroadcastArgs(Operand s0, Operand s1, const OpOptions& options) {
  return NodeBuilder("BroadcastArgs", {s0, s1}).Name(options.name).Build();
}

std::pair<Output, Output> BroadcastGradientArgs(Operand s0, Operand s1, const OpOptions& options) {
  Node* node = NodeBuilder("BroadcastGradientArgs", {s0, s1}).Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {node->output(0), node->output(1)};
}

Output Tile(Operand input, const Ints& multiples, const OpOptions& options) {
  const NodeName node(input, options.name, "Tile");
  if (!node) return Output();
  return NodeBuilder("Tile", {input, node.Vector(multiples, "multiples")}).Name(node.exact()).Build();
}

}  // namespace staticflow
