// AddN. Contract: ops/math_reduction.h.
#include <algorithm>
#include <cstring>

#include "graph/gradients.h"
#include "ops/elementwise.h"
#include "ops/math_reduction.h"
#include "ops/variant_arithmetic.h"

namespace staticflow {
namespace {

absl::Status AddNShape(ShapeContext& c) {
  Shape shape = c.input(0);
  for (int i = 1; i < c.num_inputs(); ++i) {
    absl::StatusOr<Shape> merged = shape.MergeWith(c.input(i));
    if (!merged.ok()) return Annotate(merged.status(), absl::StrCat("input ", i, ": "));
    shape = *std::move(merged);
  }
  c.set_output(0, shape);
  return absl::OkStatus();
}

// Left to right, a block that stays in the nearest cache at a time. Half and bfloat16 round after each addition.
void AddInputs(const KernelContext& c, BinaryLoop add, int size) {
  constexpr int64_t kBlock = 2048;
  auto [begin, end] = c.range();
  while (begin < end) {
    const int64_t n = std::min(kBlock, end - begin), at = begin * size;
    char* sum = c.out<char>(0) + at;
    if (c.num_inputs() == 1) {
      std::memmove(sum, c.in<char>(0) + at, n * size);
    } else {
      add(c.in<char>(0) + at, c.in<char>(1) + at, sum, n);
      for (int i = 2; i < c.num_inputs(); ++i) add(sum, c.in<char>(i) + at, sum, n);
    }
    begin += n;
  }
}

absl::StatusOr<Kernel> AddNKernel(const KernelSetup& setup) {
  if (setup.output_dtype(0) == DT_VARIANT) return Kernel(AddVariants);
  const auto add = [](auto x, auto y) { return WrapAdd(x, y); };
  BinaryLoop loop = nullptr;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.output_dtype(0), [&]<typename T>() { loop = internal::MakeBinaryLoops<decltype(add), T>().both; });
  if (loop == nullptr) return NoKernelFor(setup, setup.output_dtype(0));
  return [loop, size = DataTypeSize(setup.output_dtype(0))](KernelContext& c) {
    AddInputs(c, loop, size);
    return absl::OkStatus();
  };
}

// AddN: y = x_0 + x_1 + ...   dx_i = dy.
void AddNGradient(GradientContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) c.set_dx(i, c.dy(0));
}
int SimplifyOne(const ShapeContext& c) { return c.num_inputs() == 1 ? 0 : -1; }
bool AddNLoop(LoopContext& c) {
  int sum = c.input(0);
  for (int i = 1; i < c.num_inputs(); ++i) sum = c.Add(sum, c.input(i));
  return c.set_output(0, sum);
}
const OpRegistrar add_n_op({.name = "AddN",
                            .inputs = {"inputs: N * T"},
                            .outputs = {"sum: T"},
                            .attrs = {"N: int >= 1",
                                      "T: {bfloat16, half, float, double, int8, int16, int32, int64, uint8, uint16, "
                                      "uint32, uint64, variant}"},
                            .shape = AddNShape,
                            .gradient = AddNGradient,
                            .kernel = &AddNKernel,
                            .traits = kElementwise | kInPlace,
                            .role = OpRole::kSum,
                            .iteration = {.split = Split::kFlat},
                            .loop = AddNLoop,
                            .simplify = SimplifyOne,
                            .doc = "The element-wise sum of tensors of one shape."});

// AccumulateNV2: the same, where the node says what shape comes out.
absl::Status AccumulateShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(AddNShape(c));
  SF_ASSIGN_OR_RETURN(Shape shape, c.output(0).MergeWith(c.attr<Shape>("shape")));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
const OpRegistrar accumulate_n_op({.name = "AccumulateNV2",
                                   .inputs = {"inputs: N * T"},
                                   .outputs = {"sum: T"},
                                   .attrs = {"N: int >= 1", kNumberT, "shape: shape"},
                                   .shape = AccumulateShape,
                                   .gradient = AddNGradient,
                                   .kernel = &AddNKernel,
                                   .traits = kElementwise | kInPlace,
                                   .iteration = {.split = Split::kFlat},
                                   .loop = AddNLoop,
                                   .doc = "The element-wise sum of tensors of a given shape."});

}  // namespace

Output AddN(absl::Span<const Output> inputs, const OpOptions& o) {
  if (inputs.empty()) return Output();
  return NodeBuilder("AddN", {}).Inputs(inputs).Name(o.name).Build();
}

}  // namespace staticflow
