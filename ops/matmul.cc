// MatMul. Products of stacks of matrices are in matmul_batch.cc, the arithmetic in runtime/gemm.h.
#include "ops/matmul.h"

#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/elementwise.h"
#include "runtime/gemm.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

// MatMul: C = op(A) op(B).   With neither transposed: dA = dC B^T, dB = A^T dC.
absl::Status MatMulShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape a, c.WithRank(0, 2));
  SF_ASSIGN_OR_RETURN(const Shape b, c.WithRank(1, 2));
  const bool transpose_a = c.attr<bool>("transpose_a");
  const bool transpose_b = c.attr<bool>("transpose_b");
  SF_RETURN_IF_ERROR(
      c.MergeDims(a.dim(transpose_a ? 0 : 1), b.dim(transpose_b ? 1 : 0), "inner dimensions of a and b").status());
  c.set_output(0, {a.dim(transpose_a ? 1 : 0), b.dim(transpose_b ? 0 : 1)});
  return absl::OkStatus();
}

template <typename T>
absl::Status MultiplyRows(KernelContext& c, bool transpose_a, bool transpose_b) {
  const IndexRange rows = c.range();
  const int64_t k = c.input(0).dim(transpose_a ? 0 : 1);
  GemmShape s = ContiguousGemm(c.output(0).dim(0), c.output(0).dim(1), k, transpose_a, transpose_b);
  s.m = rows.end - rows.begin;
  SF_ASSIGN_OR_RETURN(char* scratch, c.Scratch<char>(GemmScratchBytes<T>(s)));
  const T* a = c.in<T>(0) + rows.begin * (transpose_a ? 1 : s.lda);
  Gemm(s, a, c.in<T>(1), c.out<T>(0) + rows.begin * s.ldc, scratch);
  return absl::OkStatus();
}

absl::StatusOr<Kernel> MatMulKernel(const KernelSetup& setup) {
  Kernel kernel;
  const bool transpose_a = setup.attr<bool>("transpose_a");
  const bool transpose_b = setup.attr<bool>("transpose_b");
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0),
      [&]<typename T>() { kernel = [=](KernelContext& c) { return MultiplyRows<T>(c, transpose_a, transpose_b); }; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

void MatMulGradient(GradientContext& c) {
  const bool transpose_a = c.attr<bool>("transpose_a");
  const bool transpose_b = c.attr<bool>("transpose_b");
  const Output a = c.x(0), b = c.x(1), dy = c.dy(0);
  if (transpose_a) {
    c.set_dx(0, MatMul(b, dy, {.transpose_a = transpose_b, .transpose_b = true}));
  } else {
    c.set_dx(0, MatMul(dy, b, {.transpose_b = !transpose_b}));
  }
  if (transpose_b) {
    c.set_dx(1, MatMul(dy, a, {.transpose_a = true, .transpose_b = transpose_a}));
  } else {
    c.set_dx(1, MatMul(a, dy, {.transpose_a = !transpose_a}));
  }
}

const OpRegistrar mat_mul({.name = "MatMul",
                           .inputs = {"a: T", "b: T"},
                           .outputs = {"product: T"},
                           .attrs = {"transpose_a: bool = false", "transpose_b: bool = false",
                                     "T: {bfloat16, half, float, double, int32, int64, uint8, uint16, uint32, uint64}",
                                     "grad_a: bool = false", "grad_b: bool = false"},
                           .shape = MatMulShape,
                           .gradient = MatMulGradient,
                           .kernel = MatMulKernel,
                           .iteration = {.split = Split::kRows, .dims = "mk,kn->mn"},
                           .product = {"transpose_a", "transpose_b"},
                           .doc = "The product of two matrices, each of which may be stored transposed."});

}  // namespace

Output MatMul(Operand a, Operand b, const MatMulOptions& options) {
  return NodeBuilder("MatMul", {a, b})
      .Attr("transpose_a", options.transpose_a)
      .Attr("transpose_b", options.transpose_b)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
