// Lanes for CPUs with AVX2 and FMA: a vector is two registers.
#include "runtime/lanes_paths.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstdint>
#include <limits>
#include <utility>

#pragma GCC push_options
#pragma GCC target("avx2,fma")
#pragma GCC optimize("fp-contract=off")

namespace staticflow {
namespace {

struct Float8 {
  using Vector = __m256;
  typedef uint32_t Bits8 __attribute__((vector_size(32)));
  typedef int32_t Signed8 __attribute__((vector_size(32)));
  static constexpr int kWidth = 8;
  static Vector Load(const float* p) { return _mm256_loadu_ps(p); }
  static void Store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
  static Vector Constant(float value) { return _mm256_set1_ps(value); }
  static Vector MulAdd(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  static Vector Sqrt(Vector x) { return _mm256_sqrt_ps(x); }
  static Vector Floor(Vector x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
  static Vector Ceil(Vector x) { return _mm256_round_ps(x, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
  static Vector Rint(Vector x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static Vector Abs(Vector x) { return _mm256_andnot_ps(Constant(-0.0f), x); }
  static Vector Min(Vector a, Vector b) { return _mm256_min_ps(a, b); }
  static Vector Max(Vector a, Vector b) { return _mm256_max_ps(a, b); }
  static Vector Less(Vector a, Vector b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
  static Vector LessEqual(Vector a, Vector b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
  static Vector Equal(Vector a, Vector b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
  static Vector Select(Vector mask, Vector a, Vector b) { return _mm256_blendv_ps(b, a, mask); }
  static Vector OrSign(Vector y, Vector x) { return _mm256_or_ps(y, _mm256_and_ps(x, Constant(-0.0f))); }
  static Vector Scale(Vector x, Vector n) {  // in two steps, because 2^128 is no float
    const __m256i whole = _mm256_cvtps_epi32(n), first = _mm256_srai_epi32(whole, 1);
    return x * PowerOf2(first) * PowerOf2(_mm256_sub_epi32(whole, first));
  }
  static Bits8 Bits(Vector x) { return (Bits8)x; }
  static Vector FromBits(Bits8 x) { return (Vector)x; }
  static Bits8 ShiftRight(Bits8 x, int count) { return (Bits8)((Signed8)x >> count); }
  static Vector Number(Bits8 x) { return _mm256_cvtepi32_ps((__m256i)x); }

 private:
  static Vector PowerOf2(__m256i n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
  }
};

}  // namespace
}  // namespace staticflow

#include "runtime/lanes_strips.h"

namespace staticflow::internal {

LaneFunction LaneAvx2(LaneOp op) { return kStrips<Float8>.of[static_cast<int>(op)]; }
LaneFunction LaneAvx2(LanePair pair) { return kPairStrips<Float8>.of[static_cast<int>(pair)]; }

}  // namespace staticflow::internal

#pragma GCC pop_options
#endif  // defined(__x86_64__)
