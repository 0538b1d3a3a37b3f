#include "runtime/gemm.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "graph/dtype.h"
#include "graph/shape.h"
#include "runtime/gemm_paths.h"

namespace staticflow {
namespace {

template <typename T>
constexpr bool kIsWidened = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

// What a type is computed in.
template <typename T>
struct Computed {
  using Type = T;
};
template <typename T>
requires std::is_integral_v<T>
struct Computed<T> {
  using Type = std::make_unsigned_t<T>;  // wraps around by the rules of the language
};
template <>
struct Computed<Half> {
  using Type = float;
};
template <>
struct Computed<BFloat16> {
  using Type = float;
};

template <typename T>
void Clear(const GemmShape& s, T* c) {
  for (int64_t i = 0; i < s.m; ++i) std::fill_n(c + i * s.ldc, s.n, T());
}

// `values` rounded up to whole cache lines.
int64_t WholeLines(int64_t values) { return AddSizes(values, 15) / 16 * 16; }

template <typename T>
void Widen(const T* source, int64_t rows, int64_t columns, int64_t ld, float* target) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) target[i * columns + j] = static_cast<float>(source[i * ld + j]);
  }
}

template <typename T>
void WidenedGemm(const GemmShape& s, const T* a, const T* b, T* c, float* scratch) {
  float* wide_a = scratch;
  float* wide_b = wide_a + WholeLines(s.m * s.k);
  float* wide_c = wide_b + WholeLines(s.k * s.n);
  float* rest = wide_c + WholeLines(s.m * s.n);
  GemmShape wide = s;
  wide.lda = s.transpose_a ? s.m : s.k;
  wide.ldb = s.transpose_b ? s.k : s.n;
  wide.ldc = s.n;
  wide.accumulate = false;
  Widen(a, s.transpose_a ? s.k : s.m, wide.lda, s.lda, wide_a);
  Widen(b, s.transpose_b ? s.n : s.k, wide.ldb, s.ldb, wide_b);
  Gemm(wide, wide_a, wide_b, wide_c, rest);
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) {
      const float sum = wide_c[i * s.n + j];
      T& target = c[i * s.ldc + j];
      target = T(s.accumulate ? static_cast<float>(target) + sum : sum);
    }
  }
}

}  // namespace

GemmShape ContiguousGemm(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b) {
  return {.m = m,
          .n = n,
          .k = k,
          .lda = transpose_a ? m : k,
          .ldb = transpose_b ? k : n,
          .ldc = n,
          .transpose_a = transpose_a,
          .transpose_b = transpose_b};
}

absl::string_view GemmPathName(GemmPath path) {
  switch (path) {
    case GemmPath::kPortable:
      return "portable";
    case GemmPath::kAvx2:
      return "avx2";
    case GemmPath::kAvx512:
      return "avx512";
  }
  return "unknown";
}

bool GemmPathSupported([[maybe_unused]] GemmPath path) {
  if (path == GemmPath::kPortable) return true;
#if defined(__x86_64__)
  if (path == GemmPath::kAvx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

GemmPath BestGemmPath() {
  static const GemmPath best = GemmPathSupported(GemmPath::kAvx512) ? GemmPath::kAvx512
                               : GemmPathSupported(GemmPath::kAvx2) ? GemmPath::kAvx2
                                                                    : GemmPath::kPortable;
  return best;
}

template <typename T>
int64_t GemmScratchBytes(const GemmShape& s) {
  int64_t panel = internal::GemmPanelBytes(s.k);
  if (s.inner_cut > 0 && std::max(s.accumulate ? s.inner_cut : 0, s.k - s.inner_cut) > kGemmDepth) {
    panel = AddSizes(panel, MultiplySizes(MultiplySizes(s.m, WholeLines(s.n)), sizeof(typename Computed<T>::Type)));
  }
  if constexpr (kIsWidened<T>) {
    int64_t values = 0;
    for (int64_t size : {MultiplySizes(s.m, s.k), MultiplySizes(s.k, s.n), MultiplySizes(s.m, s.n)}) {
      values = AddSizes(values, WholeLines(size));
    }
    return AddSizes(MultiplySizes(values, sizeof(float)), panel);
  }
  return panel;
}

template <typename T>
void GemmOnPath(GemmPath path, const GemmShape& s, const T* a, const T* b, T* c, void* scratch) {
  if (s.m == 0 || s.n == 0) return;
  if (s.k == 0) {
    if (!s.accumulate) Clear(s, c);
    return;
  }
#if defined(__x86_64__)
  if (path == GemmPath::kAvx512) return internal::GemmAvx512(s, a, b, c, scratch);
  if (path == GemmPath::kAvx2) return internal::GemmAvx2(s, a, b, c, scratch);
#endif
  (void)path;
  internal::GemmPortable(s, a, b, c, scratch);
}

template <typename T>
void Gemm(const GemmShape& s, const T* a, const T* b, T* c, void* scratch) {
  if constexpr (kIsWidened<T>) {
    WidenedGemm(s, a, b, c, static_cast<float*>(scratch));
  } else if constexpr (std::is_floating_point_v<T>) {
    GemmOnPath(BestGemmPath(), s, a, b, c, scratch);
  } else if (s.k == 0) {
    if (!s.accumulate) Clear(s, c);
  } else if (s.m > 0 && s.n > 0) {
    using U = typename Computed<T>::Type;
    internal::GemmPortable(s, reinterpret_cast<const U*>(a), reinterpret_cast<const U*>(b), reinterpret_cast<U*>(c),
                           scratch);
  }
}

template <typename T>
void GemmReference(const GemmShape& s, const T* a, const T* b, T* c) {
  using U = std::conditional_t<std::is_integral_v<T>, uint64_t, typename Computed<T>::Type>;
  if (s.inner_cut > 0) {
    std::vector<T> sums(s.m * s.n);
    for (const int64_t first : {int64_t{0}, s.inner_cut}) {
      GemmShape part = s;
      part.inner_cut = 0;
      part.accumulate = false;
      part.k = first == 0 ? s.inner_cut : s.k - s.inner_cut;
      part.ldc = s.n;
      GemmReference(part, a + first * (s.transpose_a ? s.lda : 1), b + first * (s.transpose_b ? 1 : s.ldb),
                    sums.data());
      const bool add = s.accumulate || first > 0;
      for (int64_t i = 0; i < s.m; ++i) {
        for (int64_t j = 0; j < s.n; ++j) {
          const U before = add ? static_cast<U>(c[i * s.ldc + j]) : U(0);
          c[i * s.ldc + j] = static_cast<T>(before + static_cast<U>(sums[i * s.n + j]));
        }
      }
    }
    return;
  }
  const U alpha = std::is_integral_v<T> ? static_cast<U>(static_cast<int64_t>(s.alpha)) : static_cast<U>(s.alpha);
  const int64_t blocks = s.runs == nullptr ? (s.k + kGemmDepth - 1) / kGemmDepth : 1;
  const int64_t run = s.runs == nullptr ? std::max<int64_t>(s.k, 1) : s.k / s.num_runs;
  for (int64_t i = 0; i < s.m; ++i) {
    const int64_t row_run = i / (s.m / s.row_runs);
    const T* row = a + row_run * s.row_run_step - row_run * (s.m / s.row_runs) * (s.transpose_a ? 1 : s.lda);
    for (int64_t j = 0; j < s.n; ++j) {
      U total = s.accumulate ? static_cast<U>(c[i * s.ldc + j]) : U();
      int64_t p = 0;
      for (int64_t d = 0; d < blocks; ++d) {
        U sum = U();
        for (const int64_t end = p + s.k / blocks + (d < s.k % blocks); p < end; ++p) {
          const T* start = row + (s.runs == nullptr ? 0 : s.runs[p / run]);
          const U x = static_cast<U>(s.transpose_a ? start[p % run * s.lda + i] : start[i * s.lda + p % run]);
          const U y = static_cast<U>(s.transpose_b ? b[j * s.ldb + p] : b[p * s.ldb + j]);
          sum += x * y;
        }
        total += alpha * sum;
      }
      c[i * s.ldc + j] = static_cast<T>(total);
    }
  }
}

template void GemmOnPath(GemmPath, const GemmShape&, const float*, const float*, float*, void*);
template void GemmOnPath(GemmPath, const GemmShape&, const double*, const double*, double*, void*);

#define SF_INSTANTIATE_GEMM(T)                                         \
  template int64_t GemmScratchBytes<T>(const GemmShape&);              \
  template void Gemm(const GemmShape&, const T*, const T*, T*, void*); \
  template void GemmReference(const GemmShape&, const T*, const T*, T*)
SF_INSTANTIATE_GEMM(float);
SF_INSTANTIATE_GEMM(double);
SF_INSTANTIATE_GEMM(Half);
SF_INSTANTIATE_GEMM(BFloat16);
SF_INSTANTIATE_GEMM(int8_t);
SF_INSTANTIATE_GEMM(int16_t);
SF_INSTANTIATE_GEMM(int32_t);
SF_INSTANTIATE_GEMM(int64_t);
SF_INSTANTIATE_GEMM(uint8_t);
SF_INSTANTIATE_GEMM(uint16_t);
SF_INSTANTIATE_GEMM(uint32_t);
SF_INSTANTIATE_GEMM(uint64_t);
#undef SF_INSTANTIATE_GEMM

}  // namespace staticflow
