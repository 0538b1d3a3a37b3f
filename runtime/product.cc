#include "runtime/product.h"

#include <algorithm>

#include "graph/status.h"
#include "runtime/gemm.h"
#include "runtime/split.h"

namespace staticflow {
namespace {

template <typename T>
class Product {
 public:
  explicit Product(const ProductCall& call) : call_(call) {}

  absl::Status Run(KernelContext& c) const {
    GemmShape s{.m = call_.m,
                .n = call_.n,
                .k = call_.k,
                .lda = c.input(0).row_stride,
                .ldb = c.input(1).row_stride,
                .ldc = c.output(0).row_stride,
                .transpose_a = call_.transpose_a,
                .transpose_b = call_.transpose_b,
                .accumulate = call_.accumulate,
                .alpha = call_.sign};
    if (call_.scale_input >= 0) s.alpha *= static_cast<double>(c.scalar<T>(call_.scale_input));
    // A second part of several blocks is added up for itself, as a worker that has only this part does.
    const int64_t gemm_bytes = AddSizes(GemmScratchBytes<T>(s), 63) / 64 * 64;
    const bool apart = call_.inner_cut > 0 && !call_.partial && call_.k - call_.inner_cut > kGemmDepth;
    const int64_t apart_bytes = apart ? MultiplySizes(MultiplySizes(call_.m, call_.n), sizeof(T)) : 0;
    SF_ASSIGN_OR_RETURN(char* scratch, c.Scratch<char>(AddSizes(gemm_bytes, apart_bytes)));
    const T* a = c.in<T>(0);
    const T* b = c.in<T>(1);
    T* y = c.out<T>(0);
    const auto [begin, end] = c.range();
    switch (call_.split) {
      case ProductCall::Split::kRows:
        s.m = end - begin;
        a += begin * (s.transpose_a ? 1 : s.lda);
        y += begin * s.ldc;
        break;
      case ProductCall::Split::kColumns:
        s.n = end - begin;
        b += begin * (s.transpose_b ? s.ldb : 1);
        y += begin;
        break;
      case ProductCall::Split::kInner:
        break;
    }
    if (call_.inner_cut == 0) {
      Gemm(s, a, b, y, scratch);
      return absl::OkStatus();
    }
    const bool inner = call_.split == ProductCall::Split::kInner;
    for (int64_t part = inner ? begin : 0; part < (inner ? end : 2); ++part) {
      const int64_t first = part == 0 ? 0 : call_.inner_cut;
      GemmShape half = s;
      half.k = part == 0 ? call_.inner_cut : s.k - call_.inner_cut;
      half.accumulate = s.accumulate || (part == 1 && !call_.partial && !apart);
      T* target = part == 1 && call_.partial ? c.out<T>(1) : y;
      if (target != y) half.ldc = c.output(1).row_stride;
      if (part == 1 && apart) {
        target = reinterpret_cast<T*>(scratch + gemm_bytes);
        half.ldc = s.n;
      }
      Gemm(half, a + first * (s.transpose_a ? s.lda : 1), b + first * (s.transpose_b ? 1 : s.ldb), target, scratch);
      if (part == 1 && apart) AddTo(y, s, target);
    }
    return absl::OkStatus();
  }

 private:
  // y += x, a contiguous matrix of the shape of `s`.
  static void AddTo(T* y, const GemmShape& s, const T* x) {
    for (int64_t i = 0; i < s.m; ++i) {
      for (int64_t j = 0; j < s.n; ++j) y[i * s.ldc + j] += x[i * s.n + j];
    }
  }

  const ProductCall call_;
};

}  // namespace

int64_t InnerCut(int64_t k) { return EvenCut(k, 2, 1); }

Kernel CompileProduct(const ProductCall& call, DataType dtype) {
  if (dtype == DT_DOUBLE) {
    return [product = Product<double>(call)](KernelContext& c) { return product.Run(c); };
  }
  return [product = Product<float>(call)](KernelContext& c) { return product.Run(c); };
}

}  // namespace staticflow
