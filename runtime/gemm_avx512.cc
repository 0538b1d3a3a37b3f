// Gemm for CPUs with AVX-512: 32 registers of 16 floats or 8 doubles. Blocks of 14 rows by 2 vectors use 31 of them.
#include "runtime/gemm_paths.h"

#if defined(__x86_64__)

#include <immintrin.h>

// g++ 12 takes its own intrinsics' undefined operands for uninitialized variables.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx2,fma")

namespace staticflow {
namespace {

// Without this, the compiler would contract a product and a later sum into one rounding.
inline __m512 Rounded(__m512 v) {
  asm("" : "+v"(v));
  return v;
}
inline __m512d Rounded(__m512d v) {
  asm("" : "+v"(v));
  return v;
}

struct Bytes {
  char b[64];
};
struct Float16 {
  using Element = float;
  using Vector = __m512;
  using Mask = __mmask16;
  static constexpr int kWidth = 16;
  static constexpr int kMaxVectors = 8;
  static constexpr int kUsualVectors = 4;
  static constexpr int kMostTail = 4;
  static constexpr bool kAsksAhead = true;
  static constexpr int kMaxRows[] = {0, 14, 14, 9, 6, 4, 4, 3, 3};
  static Vector Zero() { return _mm512_setzero_ps(); }
  static Vector Broadcast(const float* p) { return _mm512_set1_ps(*p); }
  static Vector Load(const float* p) { return _mm512_loadu_ps(p); }
  static Vector Load(const float* p, Mask mask) {
    Vector v;
    asm("vmovups %1, %0%{%2%}%{z%}" : "=v"(v) : "m"(*reinterpret_cast<const Bytes*>(p)), "Yk"(mask));
    return v;
  }
  static void Store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
  static void Store(float* p, Vector v, Mask mask) { _mm512_mask_storeu_ps(p, mask, v); }
  static Vector MultiplyAdd(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  static Vector Multiply(Vector a, Vector b) { return Rounded(_mm512_mul_ps(a, b)); }
  static Vector Add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  static Mask FirstLanes(int64_t count) { return static_cast<Mask>((1u << count) - 1); }

  // Four elements of each of four rows.
  static Vector FourRows(const float* src, int64_t ld) {
    Vector v = _mm512_castps128_ps512(_mm_loadu_ps(src));
    v = _mm512_insertf32x4(v, _mm_loadu_ps(src + ld), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps(src + 2 * ld), 2);
    return _mm512_insertf32x4(v, _mm_loadu_ps(src + 3 * ld), 3);
  }
  // Rows j, j + 4, j + 8, j + 12 of the source become the lanes of one register; four registers transpose within lanes.
  static constexpr int kTileDepth = 4;
  static void LoadTransposed(const float* src, int64_t ld_src, Vector (&column)[kTileDepth]) {
    const Vector r0 = FourRows(src, 4 * ld_src);
    const Vector r1 = FourRows(src + ld_src, 4 * ld_src);
    const Vector r2 = FourRows(src + 2 * ld_src, 4 * ld_src);
    const Vector r3 = FourRows(src + 3 * ld_src, 4 * ld_src);
    const Vector low01 = _mm512_unpacklo_ps(r0, r1), high01 = _mm512_unpackhi_ps(r0, r1);
    const Vector low23 = _mm512_unpacklo_ps(r2, r3), high23 = _mm512_unpackhi_ps(r2, r3);
    column[0] = _mm512_shuffle_ps(low01, low23, 0x44);
    column[1] = _mm512_shuffle_ps(low01, low23, 0xee);
    column[2] = _mm512_shuffle_ps(high01, high23, 0x44);
    column[3] = _mm512_shuffle_ps(high01, high23, 0xee);
  }

  // Four products of four columns (runtime/gemm_dots.h).
  static constexpr int kGroup = 4;
  static Vector BroadcastGroup(const float* p) { return _mm512_broadcast_f32x4(_mm_loadu_ps(p)); }
  static Vector BroadcastGroup(const float* p, int64_t count) {
    return _mm512_broadcast_f32x4(_mm_maskz_loadu_ps(static_cast<__mmask8>((1u << count) - 1), p));
  }
  // Lane 4 i + j: src[i * ld + j], for i < rows and j < columns; zero in the others.
  [[gnu::always_inline]] static Vector LoadGroups(const float* src, int64_t ld, int64_t rows, int64_t columns) {
    if (rows == 4 && columns == 4) return FourRows(src, ld);
    const auto row = [&](int64_t i) {
      return _mm_maskz_loadu_ps(i < rows ? static_cast<__mmask8>((1u << columns) - 1) : 0, src + i * ld);
    };
    Vector v = _mm512_castps128_ps512(row(0));
    v = _mm512_insertf32x4(v, row(1), 1);
    v = _mm512_insertf32x4(v, row(2), 2);
    return _mm512_insertf32x4(v, row(3), 3);
  }
  static Vector TurnGroups(Vector v) {
    const __m512i from = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_ps(from, v);
  }
  // The sums of the groups of four lanes: lane 4 i + c of the result is that of row i, group c.
  static Vector AddGroups(Vector r0, Vector r1, Vector r2, Vector r3) {
    const Vector low = _mm512_add_ps(_mm512_unpacklo_ps(r0, r1), _mm512_unpackhi_ps(r0, r1));
    const Vector high = _mm512_add_ps(_mm512_unpacklo_ps(r2, r3), _mm512_unpackhi_ps(r2, r3));
    return TurnGroups(_mm512_add_ps(_mm512_shuffle_ps(low, high, 0x44), _mm512_shuffle_ps(low, high, 0xee)));
  }
  // c[i * ldc + j] = v[4 i + j], or that much more, for i < rows, i < 4, and j < columns.
  [[gnu::always_inline]] static void StoreGroups(Vector v, int rows, int64_t columns, bool accumulate, float* c,
                                                 int64_t ldc) {
    const __mmask8 mask = static_cast<__mmask8>((1u << columns) - 1);
    const __m128 row[] = {_mm512_castps512_ps128(v), _mm512_extractf32x4_ps(v, 1), _mm512_extractf32x4_ps(v, 2),
                          _mm512_extractf32x4_ps(v, 3)};
#pragma GCC unroll 4
    for (int i = 0; i < 4 && i < rows; ++i, c += ldc) {
      const __m128 before = accumulate ? _mm_maskz_loadu_ps(mask, c) : _mm_setzero_ps();
      _mm_mask_storeu_ps(c, mask, accumulate ? _mm_add_ps(before, row[i]) : row[i]);
    }
  }
  // c[i * ldc + j] = column[j][i], or that much more, for kColumns columns and the rows from `first` on.
  template <int kColumns>
  static void StoreTurned(const Vector (&column)[kTileDepth], int64_t first, bool accumulate, float* c, int64_t ldc) {
    constexpr __mmask8 kMask = (1 << kColumns) - 1;
    const __m512d low01 = _mm512_castps_pd(_mm512_unpacklo_ps(column[0], column[1]));
    const __m512d high01 = _mm512_castps_pd(_mm512_unpackhi_ps(column[0], column[1]));
    const __m512d low23 = _mm512_castps_pd(_mm512_unpacklo_ps(column[2], column[3]));
    const __m512d high23 = _mm512_castps_pd(_mm512_unpackhi_ps(column[2], column[3]));
    // Rows q, q + 4, q + 8, q + 12 in one register, as LoadTransposed has them.
    const __m512d row[] = {_mm512_unpacklo_pd(low01, low23), _mm512_unpackhi_pd(low01, low23),
                           _mm512_unpacklo_pd(high01, high23), _mm512_unpackhi_pd(high01, high23)};
    const auto store = [&](int64_t i, __m128 values) {
      if (i < first) return;
      if (accumulate) values = _mm_add_ps(_mm_maskz_loadu_ps(kMask, c + i * ldc), values);
      _mm_mask_storeu_ps(c + i * ldc, kMask, values);
    };
#pragma GCC unroll 4
    for (int q = 0; q < kTileDepth; ++q) {
      const __m512 rows = _mm512_castpd_ps(row[q]);
      store(q, _mm512_castps512_ps128(rows));
      store(q + 4, _mm512_extractf32x4_ps(rows, 1));
      store(q + 8, _mm512_extractf32x4_ps(rows, 2));
      store(q + 12, _mm512_extractf32x4_ps(rows, 3));
    }
  }
};

struct Double8 {
  using Element = double;
  using Vector = __m512d;
  using Mask = __mmask8;
  static constexpr int kWidth = 8;
  static constexpr int kMaxVectors = 4;
  static constexpr int kUsualVectors = 2;
  static constexpr int kMostTail = 0;
  static constexpr int kGroup = 0;
  static constexpr bool kAsksAhead = false;
  static constexpr int kMaxRows[] = {0, 14, 14, 9, 6};
  static Vector Zero() { return _mm512_setzero_pd(); }
  static Vector Broadcast(const double* p) { return _mm512_set1_pd(*p); }
  static Vector Load(const double* p) { return _mm512_loadu_pd(p); }
  static Vector Load(const double* p, Mask mask) { return _mm512_maskz_loadu_pd(mask, p); }
  static void Store(double* p, Vector v) { _mm512_storeu_pd(p, v); }
  static void Store(double* p, Vector v, Mask mask) { _mm512_mask_storeu_pd(p, mask, v); }
  static Vector MultiplyAdd(Vector a, Vector b, Vector c) { return _mm512_fmadd_pd(a, b, c); }
  static Vector Multiply(Vector a, Vector b) { return Rounded(_mm512_mul_pd(a, b)); }
  static Vector Add(Vector a, Vector b) { return _mm512_add_pd(a, b); }
  static Mask FirstLanes(int64_t count) { return static_cast<Mask>((1u << count) - 1); }

  static constexpr int kTileDepth = 2;
  static Vector FourRows(const double* src, int64_t ld) {
    Vector v = _mm512_castpd128_pd512(_mm_loadu_pd(src));
    v = _mm512_insertf64x2(v, _mm_loadu_pd(src + 2 * ld), 1);
    v = _mm512_insertf64x2(v, _mm_loadu_pd(src + 4 * ld), 2);
    return _mm512_insertf64x2(v, _mm_loadu_pd(src + 6 * ld), 3);
  }
  static void LoadTransposed(const double* src, int64_t ld_src, Vector (&column)[kTileDepth]) {
    const Vector r0 = FourRows(src, ld_src), r1 = FourRows(src + ld_src, ld_src);
    column[0] = _mm512_unpacklo_pd(r0, r1);
    column[1] = _mm512_unpackhi_pd(r0, r1);
  }
};

}  // namespace
}  // namespace staticflow

#include "runtime/gemm_blocks.h"

namespace staticflow::internal {

void GemmAvx512(const GemmShape& s, const float* a, const float* b, float* c, void* scratch) {
  BlockedGemm<Float16>(s, a, b, c, scratch);
}
void GemmAvx512(const GemmShape& s, const double* a, const double* b, double* c, void* scratch) {
  BlockedGemm<Double8>(s, a, b, c, scratch);
}

}  // namespace staticflow::internal

#pragma GCC pop_options
#endif  // defined(__x86_64__)
