// Gemm: every matrix product of the library: C = alpha op(A) op(B), or C += alpha op(A) op(B), row-major.
//
//   GemmShape s = {.m = 60, .n = 100, .k = 784, .lda = 784, .ldb = 100, .ldc = 100};
//   Gemm(s, x, w, y, scratch);                        // `scratch` holds GemmScratchBytes<float>(s) bytes
//
// One thread computes, in memory that the caller gives. The instruction set is chosen once per process from what the
// CPU has; the portable path needs nothing. Invariants:
//   - An element of C depends on its row of op(A), its column of op(B), k, alpha and on whether it is one of the last
//     n mod 16 columns alone: the products are added in order of k within blocks of kGemmDepth (the last ones may be
//     shorter; in the last columns four sums side by side may share a block), the blocks' sums in order. So computing
//     any rows of C in a call of their own, or columns from one multiple of 16 to another one or to the end, gives the
//     bits that one call for the whole gives. (With `runs` there is one block.)
//   - With `accumulate` and k <= kGemmDepth the bits are those of alpha * (A B), rounded, then added to C.
//   - Half and BFloat16 are computed in float and rounded once; integers wrap around.
//   - k == 0 gives zeros (or leaves C, with `accumulate`). Padding behind a row (lda > k, ...) is not touched.
//
// Thread-safety: calls with disjoint C and scratch may run at the same time.
#ifndef STATICFLOW_RUNTIME_GEMM_H_
#define STATICFLOW_RUNTIME_GEMM_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace staticflow {

// The most products that are added up before the sum goes to C.
inline constexpr int64_t kGemmDepth = 128;

struct GemmShape {
  int64_t m = 0;  // rows of C and op(A)
  int64_t n = 0;  // columns of C and op(B)
  int64_t k = 0;  // columns of op(A), rows of op(B)
  // Elements from one row to the next as stored: A is [m,k], or [k,m] when transposed; B is [k,n] or [n,k].
  int64_t lda = 0;
  int64_t ldb = 0;
  int64_t ldc = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  bool accumulate = false;  // add to C instead of overwriting it
  double alpha = 1;         // rounded to the element type

  // 0 < inner_cut < k: an element's first `inner_cut` products and the others are each added up as those of a product
  // of their own, then their sums (with `accumulate` first the one, then the other to C): what two workers give who
  // have a part each. Not with `runs`, not for Half and BFloat16. 0: none.
  int64_t inner_cut = 0;

  // Memory that somebody reads next, from another core's cache: asked for while the last rows are computed, where the
  // blocks have a load to spare. It need not be there.
  const void* ahead = nullptr;
  int64_t ahead_bytes = 0;

  // For convolutions, whose operand is a picture. Not with `transpose_b`, not for Half and BFloat16.
  // The k products come in `num_runs` runs of equal length, the r-th of which finds op(A)'s columns from a + runs[r] on
  // instead of behind those of the run before; then k is one block whatever its length. Null: one run.
  const int64_t* runs = nullptr;
  int64_t num_runs = 1;
  // The m rows come in `row_runs` runs of equal length, each of which finds op(A)'s rows `row_run_step` elements after
  // those of the run before.
  int64_t row_runs = 1;
  int64_t row_run_step = 0;
};

// The shape of a product of contiguous matrices.
GemmShape ContiguousGemm(int64_t m, int64_t n, int64_t k, bool transpose_a = false, bool transpose_b = false);

// Bytes of scratch memory, aligned to 64, that Gemm<T>(s, ...) may use: 64 KiB at most, but with `inner_cut`
// (m n elements more) and for Half and BFloat16, which are widened as a whole (kTooLarge when no memory could hold
// that).
template <typename T>
int64_t GemmScratchBytes(const GemmShape& s);

// REQUIRES: sizes >= 0, C overlaps neither A nor B nor scratch. T: float, double, int32_t, int64_t, the other integers,
// Half, BFloat16.
template <typename T>
void Gemm(const GemmShape& s, const T* a, const T* b, T* c, void* scratch);

// The three loops of the textbook in the same order of additions, beside which the fast paths are tested.
template <typename T>
void GemmReference(const GemmShape& s, const T* a, const T* b, T* c);

// The implementations for float and double.
enum class GemmPath { kPortable, kAvx2, kAvx512 };
absl::string_view GemmPathName(GemmPath path);
bool GemmPathSupported(GemmPath path);  // by this CPU
GemmPath BestGemmPath();                // what Gemm() takes
// Gemm() on a given path. REQUIRES: T is float or double, GemmPathSupported(path).
template <typename T>
void GemmOnPath(GemmPath path, const GemmShape& s, const T* a, const T* b, T* c, void* scratch);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_GEMM_H_
