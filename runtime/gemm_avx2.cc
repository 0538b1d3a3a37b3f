// Gemm for CPUs with AVX2 and FMA: 16 registers of 8 floats or 4 doubles. Blocks of 6 rows by 2 vectors use them all.
#include "runtime/gemm_paths.h"

#if defined(__x86_64__)

#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx2,fma")

namespace staticflow {
namespace {

struct Float8 {
  using Element = float;
  using Vector = __m256;
  static constexpr int kWidth = 8;
  static constexpr int kMaxVectors = 4;
  static constexpr int kUsualVectors = 2;
  static constexpr int kMostTail = 0;
  static constexpr int kGroup = 0;
  static constexpr bool kAsksAhead = false;
  static constexpr int kMaxRows[] = {0, 12, 6, 3, 2};
  static Vector Zero() { return _mm256_setzero_ps(); }
  static Vector Broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  static Vector Load(const float* p) { return _mm256_loadu_ps(p); }
  static Vector Load(const float* p, __m256i mask) { return _mm256_maskload_ps(p, mask); }
  static void Store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
  static void Store(float* p, Vector v, __m256i mask) { _mm256_maskstore_ps(p, mask, v); }
  static Vector MultiplyAdd(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  // The empty statement keeps the compiler from contracting the product and a later sum into one rounding.
  static Vector Multiply(Vector a, Vector b) {
    Vector product = _mm256_mul_ps(a, b);
    asm("" : "+x"(product));
    return product;
  }
  static Vector Add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  static __m256i FirstLanes(int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }

  // Rows j and j + 4 of the source become the lanes of one register; four registers transpose within lanes.
  static constexpr int kTileDepth = 4;
  static Vector TwoRows(const float* src, int64_t ld) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(src)), _mm_loadu_ps(src + 4 * ld), 1);
  }
  static void LoadTransposed(const float* src, int64_t ld_src, Vector (&column)[kTileDepth]) {
    const Vector r0 = TwoRows(src, ld_src);
    const Vector r1 = TwoRows(src + ld_src, ld_src);
    const Vector r2 = TwoRows(src + 2 * ld_src, ld_src);
    const Vector r3 = TwoRows(src + 3 * ld_src, ld_src);
    const Vector low01 = _mm256_unpacklo_ps(r0, r1), high01 = _mm256_unpackhi_ps(r0, r1);
    const Vector low23 = _mm256_unpacklo_ps(r2, r3), high23 = _mm256_unpackhi_ps(r2, r3);
    column[0] = _mm256_shuffle_ps(low01, low23, 0x44);
    column[1] = _mm256_shuffle_ps(low01, low23, 0xee);
    column[2] = _mm256_shuffle_ps(high01, high23, 0x44);
    column[3] = _mm256_shuffle_ps(high01, high23, 0xee);
  }
};

struct Double4 {
  using Element = double;
  using Vector = __m256d;
  static constexpr int kWidth = 4;
  static constexpr int kMaxVectors = 4;
  static constexpr int kUsualVectors = 2;
  static constexpr int kMostTail = 0;
  static constexpr int kGroup = 0;
  static constexpr bool kAsksAhead = false;
  static constexpr int kMaxRows[] = {0, 12, 6, 3, 2};
  static Vector Zero() { return _mm256_setzero_pd(); }
  static Vector Broadcast(const double* p) { return _mm256_broadcast_sd(p); }
  static Vector Load(const double* p) { return _mm256_loadu_pd(p); }
  static Vector Load(const double* p, __m256i mask) { return _mm256_maskload_pd(p, mask); }
  static void Store(double* p, Vector v) { _mm256_storeu_pd(p, v); }
  static void Store(double* p, Vector v, __m256i mask) { _mm256_maskstore_pd(p, mask, v); }
  static Vector MultiplyAdd(Vector a, Vector b, Vector c) { return _mm256_fmadd_pd(a, b, c); }
  static Vector Multiply(Vector a, Vector b) {
    Vector product = _mm256_mul_pd(a, b);
    asm("" : "+x"(product));
    return product;
  }
  static Vector Add(Vector a, Vector b) { return _mm256_add_pd(a, b); }
  static __m256i FirstLanes(int64_t count) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
  }

  static constexpr int kTileDepth = 2;
  static Vector TwoRows(const double* src, int64_t ld) {
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(src)), _mm_loadu_pd(src + 2 * ld), 1);
  }
  static void LoadTransposed(const double* src, int64_t ld_src, Vector (&column)[kTileDepth]) {
    const Vector r0 = TwoRows(src, ld_src), r1 = TwoRows(src + ld_src, ld_src);
    column[0] = _mm256_unpacklo_pd(r0, r1);
    column[1] = _mm256_unpackhi_pd(r0, r1);
  }
};

}  // namespace
}  // namespace staticflow

#include "runtime/gemm_blocks.h"

namespace staticflow::internal {

void GemmAvx2(const GemmShape& s, const float* a, const float* b, float* c, void* scratch) {
  BlockedGemm<Float8>(s, a, b, c, scratch);
}
void GemmAvx2(const GemmShape& s, const double* a, const double* b, double* c, void* scratch) {
  BlockedGemm<Double4>(s, a, b, c, scratch);
}

}  // namespace staticflow::internal

#pragma GCC pop_options
#endif  // defined(__x86_64__)
