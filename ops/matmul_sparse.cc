// SparseMatMul: the product of matrices of which TensorFlow 1's Python said that they have many zeros. Here they are
// multiplied like any others.
#include <algorithm>

#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/elementwise.h"
#include "ops/math_unary.h"
#include "ops/matmul.h"
#include "runtime/gemm.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

// product = op(a) op(b) in float.   With neither transposed: da = dy b^T, db = a^T dy.
absl::Status ProductShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape a, c.WithRank(0, 2));
  SF_ASSIGN_OR_RETURN(const Shape b, c.WithRank(1, 2));
  const bool transpose_a = c.attr<bool>("transpose_a"), transpose_b = c.attr<bool>("transpose_b");
  SF_RETURN_IF_ERROR(
      c.MergeDims(a.dim(transpose_a ? 0 : 1), b.dim(transpose_b ? 1 : 0), "inner dimensions of a and b").status());
  c.set_output(0, {a.dim(transpose_a ? 1 : 0), b.dim(transpose_b ? 0 : 1)});
  return absl::OkStatus();
}

// A matrix as floats, a bfloat16 one in `copy`.
const float* AsFloats(const TensorView& matrix, float* copy) {
  if (matrix.dtype == DT_FLOAT) return matrix.as<float>();
  for (int64_t i = 0; i < matrix.num_elements; ++i) copy[i] = static_cast<float>(matrix.as<BFloat16>()[i]);
  return copy;
}

absl::Status Multiply(KernelContext& c, bool transpose_a, bool transpose_b) {
  const TensorView& a = c.input(0);
  const TensorView& b = c.input(1);
  const IndexRange rows = c.range();
  GemmShape s =
      ContiguousGemm(c.output(0).dim(0), c.output(0).dim(1), a.dim(transpose_a ? 0 : 1), transpose_a, transpose_b);
  s.m = rows.end - rows.begin;
  constexpr int64_t kLine = 16;  // floats
  const auto floats = [](int64_t n) { return AddSizes(n, kLine - 1) / kLine * kLine; };
  const int64_t gemm = floats(AddSizes(GemmScratchBytes<float>(s), 3) / 4);
  const int64_t a_size = a.dtype == DT_FLOAT ? 0 : floats(a.num_elements);
  const int64_t b_size = b.dtype == DT_FLOAT ? 0 : floats(b.num_elements);
  SF_ASSIGN_OR_RETURN(float* scratch, c.Scratch<float>(AddSizes(gemm, AddSizes(a_size, b_size))));
  const float* left = AsFloats(a, scratch + gemm);
  const float* right = AsFloats(b, scratch + gemm + a_size);
  Gemm(s, left + rows.begin * (transpose_a ? 1 : s.lda), right, c.out<float>(0) + rows.begin * s.ldc, scratch);
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ProductKernel(const KernelSetup& setup) {
  const bool transpose_a = setup.attr<bool>("transpose_a"), transpose_b = setup.attr<bool>("transpose_b");
  return Kernel([=](KernelContext& c) { return Multiply(c, transpose_a, transpose_b); });
}

void ProductGradient(GradientContext& c) {
  const bool transpose_a = c.attr<bool>("transpose_a"), transpose_b = c.attr<bool>("transpose_b");
  const Output a = Cast(c.x(0), DT_FLOAT), b = Cast(c.x(1), DT_FLOAT), dy = c.dy(0);
  const Output da = transpose_a ? MatMul(b, dy, {.transpose_a = transpose_b, .transpose_b = true})
                                : MatMul(dy, b, {.transpose_b = !transpose_b});
  const Output db = transpose_b ? MatMul(dy, a, {.transpose_a = true, .transpose_b = transpose_a})
                                : MatMul(a, dy, {.transpose_a = !transpose_a});
  c.set_dx(0, Cast(da, c.x(0).dtype()));
  c.set_dx(1, Cast(db, c.x(1).dtype()));
}

const OpRegistrar product({.name = "SparseMatMul",
                           .inputs = {"a: Ta", "b: Tb"},
                           .outputs = {"product: float"},
                           .attrs = {"transpose_a: bool = false", "transpose_b: bool = false",
                                     "a_is_sparse: bool = false", "b_is_sparse: bool = false",
                                     "Ta: {float, bfloat16} = float", "Tb: {float, bfloat16} = float"},
                           .shape = ProductShape,
                           .gradient = ProductGradient,
                           .kernel = ProductKernel,
                           .iteration = {.split = Split::kRows, .dims = "mk,kn->mn"},
                           .doc = "The product of two matrices with many zeros."});

}  // namespace
}  // namespace staticflow
