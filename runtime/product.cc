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
    if (!call_.partial) s.inner_cut = call_.inner_cut;
    if (c.num_inputs() > call_.num_inputs()) {
      const TensorView& ahead = c.input(call_.num_inputs());
      s.ahead = ahead.data;
      s.ahead_bytes = ahead.bytes();
    }
    SF_ASSIGN_OR_RETURN(void* scratch, c.Scratch<char>(GemmScratchBytes<T>(s)));
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
    if (!call_.partial) {
      Gemm(s, a, b, y, scratch);
      return absl::OkStatus();
    }
    for (int64_t part = begin; part < end; ++part) {
      const int64_t first = part == 0 ? 0 : call_.inner_cut;
      GemmShape half = s;
      half.k = part == 0 ? call_.inner_cut : s.k - call_.inner_cut;
      if (part == 1) half.ldc = c.output(1).row_stride;
      Gemm(half, a + first * (s.transpose_a ? s.lda : 1), b + first * (s.transpose_b ? 1 : s.ldb),
           part == 1 ? c.out<T>(1) : y, scratch);
    }
    return absl::OkStatus();
  }

 private:
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
