// Lanes for CPUs with AVX-512: a vector is one register.
#include "runtime/lanes_paths.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstdint>
#include <limits>
#include <utility>

// g++ 12 takes its own intrinsics' undefined operands for uninitialized variables.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx2,fma")
#pragma GCC optimize("fp-contract=off")

namespace staticflow {
namespace {

struct Float16 {
  using Vector = __m512;
  typedef uint32_t Bits16 __attribute__((vector_size(64)));
  typedef int32_t Signed16 __attribute__((vector_size(64)));
  static constexpr int kWidth = 16;
  static Vector Load(const float* p) { return _mm512_loadu_ps(p); }
  static void Store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
  static Vector Constant(float value) { return _mm512_set1_ps(value); }
  static Vector MulAdd(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  static Vector Sqrt(Vector x) { return _mm512_sqrt_ps(x); }
  static Vector Floor(Vector x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
  static Vector Ceil(Vector x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
  static Vector Rint(Vector x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static Vector Abs(Vector x) { return _mm512_andnot_ps(Constant(-0.0f), x); }
  static Vector Min(Vector a, Vector b) { return _mm512_min_ps(a, b); }
  static Vector Max(Vector a, Vector b) { return _mm512_max_ps(a, b); }
  static __mmask16 Less(Vector a, Vector b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  static __mmask16 LessEqual(Vector a, Vector b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
  static __mmask16 Equal(Vector a, Vector b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
  static Vector Select(__mmask16 mask, Vector a, Vector b) { return _mm512_mask_blend_ps(mask, b, a); }
  static Vector OrSign(Vector y, Vector x) {  // y | (x & sign)
    const __m512i sign = _mm512_castps_si512(Constant(-0.0f));
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_castps_si512(y), _mm512_castps_si512(x), sign, 0xf8));
  }
  static Vector Scale(Vector x, Vector n) { return _mm512_scalef_ps(x, n); }
  static Bits16 Bits(Vector x) { return (Bits16)x; }
  static Vector FromBits(Bits16 x) { return (Vector)x; }
  static Bits16 ShiftRight(Bits16 x, int count) { return (Bits16)((Signed16)x >> count); }
  static Vector Number(Bits16 x) { return _mm512_cvtepi32_ps((__m512i)x); }
};

}  // namespace
}  // namespace staticflow

#include "runtime/lanes_strips.h"

namespace staticflow::internal {

LaneFunction LaneAvx512(LaneOp op) { return kStrips<Float16>.of[static_cast<int>(op)]; }
LaneFunction LaneAvx512(LanePair pair) { return kPairStrips<Float16>.of[static_cast<int>(pair)]; }

}  // namespace staticflow::internal

#pragma GCC pop_options
#endif  // defined(__x86_64__)
