#include "runtime/conv_lanes.h"

#include "runtime/gemm.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <utility>

// g++ 12 takes its own intrinsics' undefined operands for uninitialized variables.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx2,fma")

namespace staticflow {
namespace {

using Vector = __m512;

__mmask16 FirstLanes(int64_t count) { return static_cast<__mmask16>((1u << count) - 1); }

// Sixteen rows of sixteen columns.
inline void Transpose(Vector (&v)[kConvLanes]) {
  Vector t[kConvLanes];
#pragma GCC unroll 4
  for (int i = 0; i < kConvLanes; i += 4) {
    // Within each quarter of four vectors, a 4 x 4 transpose.
    const Vector low01 = _mm512_unpacklo_ps(v[i], v[i + 1]), high01 = _mm512_unpackhi_ps(v[i], v[i + 1]);
    const Vector low23 = _mm512_unpacklo_ps(v[i + 2], v[i + 3]), high23 = _mm512_unpackhi_ps(v[i + 2], v[i + 3]);
    t[i] = _mm512_shuffle_ps(low01, low23, 0x44);
    t[i + 1] = _mm512_shuffle_ps(low01, low23, 0xee);
    t[i + 2] = _mm512_shuffle_ps(high01, high23, 0x44);
    t[i + 3] = _mm512_shuffle_ps(high01, high23, 0xee);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    // Quarter q of the four vectors becomes vector 4 q + j.
    const Vector low01 = _mm512_shuffle_f32x4(t[j], t[4 + j], 0x44),
                 high01 = _mm512_shuffle_f32x4(t[j], t[4 + j], 0xee);
    const Vector low23 = _mm512_shuffle_f32x4(t[8 + j], t[12 + j], 0x44);
    const Vector high23 = _mm512_shuffle_f32x4(t[8 + j], t[12 + j], 0xee);
    v[j] = _mm512_shuffle_f32x4(low01, low23, 0x88);
    v[4 + j] = _mm512_shuffle_f32x4(low01, low23, 0xdd);
    v[8 + j] = _mm512_shuffle_f32x4(high01, high23, 0x88);
    v[12 + j] = _mm512_shuffle_f32x4(high01, high23, 0xdd);
  }
}

inline void TransposeWhole(const LaneTranspose& t, const float* source, float* target) {
  Vector v[kConvLanes];
#pragma GCC unroll 16
  for (int r = 0; r < kConvLanes; ++r) v[r] = _mm512_loadu_ps(source + r * t.source_step);
  Transpose(v);
#pragma GCC unroll 16
  for (int c = 0; c < kConvLanes; ++c) _mm512_storeu_ps(target + c * t.target_step, v[c]);
}

void TransposePart(const LaneTranspose& t, const float* source, int64_t rows, int64_t columns, float* target) {
  Vector v[kConvLanes];
#pragma GCC unroll 16
  for (int r = 0; r < kConvLanes; ++r) {
    v[r] = r < rows ? _mm512_maskz_loadu_ps(FirstLanes(columns), source + r * t.source_step) : _mm512_setzero_ps();
  }
  Transpose(v);
  const __mmask16 stored = FirstLanes(t.fill ? kConvLanes : rows);
#pragma GCC unroll 16
  for (int c = 0; c < kConvLanes; ++c) {
    if (c < columns) _mm512_mask_storeu_ps(target + c * t.target_step, stored, v[c]);
  }
}

template <int kVectors, int kSums>
void AddRuns(const ConvSums& s) {
  Vector sum[kSums][kVectors];
#pragma GCC unroll 16
  for (int k = 0; k < kSums; ++k) {
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) sum[k][v] = _mm512_setzero_ps();
  }
  const int64_t x_step = s.x_step, w_step = s.w_step, x_vector_step = s.x_vector_step;
  for (int64_t r = 0; r < s.num_runs; ++r) {
    const float* x = s.x + s.runs[r].x;
    const float* w = s.w + s.runs[r].w;
    for (int64_t n = s.runs[r].count; n > 0; --n) {
      Vector value[kVectors];
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) value[v] = _mm512_loadu_ps(x + v * x_vector_step);
#pragma GCC unroll 16
      for (int k = 0; k < kSums; ++k) {
        const Vector weight = _mm512_set1_ps(w[k]);
#pragma GCC unroll 3
        for (int v = 0; v < kVectors; ++v) sum[k][v] = _mm512_fmadd_ps(weight, value[v], sum[k][v]);
      }
      x += x_step;
      w += w_step;
    }
  }
#pragma GCC unroll 16
  for (int k = 0; k < kSums; ++k) {
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) {
      float* y = s.y + k * s.y_step + v * s.y_vector_step;
      _mm512_storeu_ps(y, s.accumulate ? _mm512_add_ps(_mm512_loadu_ps(y), sum[k][v]) : sum[k][v]);
    }
  }
}

template <int kVectors>
struct RunTable {
  void (*of[kMaxConvSums[kVectors]])(const ConvSums&);
  template <int... kIndices>
  explicit constexpr RunTable(std::integer_sequence<int, kIndices...>) : of{AddRuns<kVectors, kIndices + 1>...} {}
};

template <int kVectors>
void AddWith(const ConvSums& s) {
  static constexpr RunTable<kVectors> kTable{std::make_integer_sequence<int, kMaxConvSums[kVectors]>()};
  kTable.of[s.sums - 1](s);
}

}  // namespace

bool ConvLanesSupported() {
  static const bool supported = GemmPathSupported(GemmPath::kAvx512);
  return supported;
}

void TransposeLanes(const LaneTranspose& t) {
  for (int64_t r = 0; r < t.rows; r += kConvLanes) {
    const int64_t rows = t.rows - r < kConvLanes ? t.rows - r : kConvLanes;
    const float* source = t.source + r * t.source_step;
    float* target = t.target + r;
    for (int64_t c = 0; c < t.columns; c += kConvLanes) {
      const int64_t columns = t.columns - c < kConvLanes ? t.columns - c : kConvLanes;
      if (rows == kConvLanes && columns == kConvLanes) {
        TransposeWhole(t, source + c, target + c * t.target_step);
      } else {
        TransposePart(t, source + c, rows, columns, target + c * t.target_step);
      }
    }
  }
}

void AddConvRuns(const ConvSums& s) { s.vectors == 1 ? AddWith<1>(s) : s.vectors == 2 ? AddWith<2>(s) : AddWith<3>(s); }

}  // namespace staticflow

#pragma GCC pop_options

#else

namespace staticflow {

bool ConvLanesSupported() { return false; }
void TransposeLanes(const LaneTranspose&) {}
void AddConvRuns(const ConvSums&) {}

}  // namespace staticflow

#endif  // defined(__x86_64__)
