// The paths of Gemm, one per instruction set: what gemm.cc chooses from. REQUIRES of all: s.m, s.n, s.k > 0, a CPU with
// the instruction set, and scratch for one panel of B, behind which lies what
// GemmShape::inner_cut needs.
#ifndef STATICFLOW_RUNTIME_GEMM_PATHS_H_
#define STATICFLOW_RUNTIME_GEMM_PATHS_H_

#include <cstdint>

#include "runtime/gemm.h"

namespace staticflow::internal {

// A row of a packed panel of B: the widest has 8 vectors of 64 bytes.
inline constexpr int64_t kGemmPanelRowBytes = 8 * 64;

// Bytes of a panel that is packed, k products deep.
constexpr int64_t GemmPanelBytes(int64_t k) { return (k < kGemmDepth ? k : kGemmDepth) * kGemmPanelRowBytes; }

// T: float, double and the unsigned integers.
template <typename T>
void GemmPortable(const GemmShape& s, const T* a, const T* b, T* c, void* scratch);
void GemmAvx2(const GemmShape& s, const float* a, const float* b, float* c, void* scratch);
void GemmAvx2(const GemmShape& s, const double* a, const double* b, double* c, void* scratch);
void GemmAvx512(const GemmShape& s, const float* a, const float* b, float* c, void* scratch);
void GemmAvx512(const GemmShape& s, const double* a, const double* b, double* c, void* scratch);

}  // namespace staticflow::internal

#endif  // STATICFLOW_RUNTIME_GEMM_PATHS_H_
