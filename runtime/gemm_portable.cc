// Gemm for any CPU and any element type: the compiler's own vectors of 16 bytes.
#include <cstring>

#include "runtime/gemm_blocks.h"
#include "runtime/gemm_paths.h"

namespace staticflow {
namespace {

template <typename T>
struct Bytes16 {
  using Element = T;
  typedef T Vector __attribute__((vector_size(16)));
  static constexpr int kWidth = 16 / sizeof(T);
  static constexpr int kMaxVectors = 4;
  static constexpr int kUsualVectors = 2;
  static constexpr int kMostTail = 0;
  static constexpr int kGroup = 0;
  static constexpr bool kAsksAhead = false;
  static constexpr int kMaxRows[] = {0, 8, 4, 3, 2};
  static Vector Zero() { return Vector{}; }
  static Vector Broadcast(const T* p) { return Vector{} + *p; }
  static Vector Load(const T* p) { return Load(p, kWidth); }
  static Vector Load(const T* p, int64_t lanes) {
    Vector v = {};
    std::memcpy(&v, p, lanes * sizeof(T));
    return v;
  }
  static void Store(T* p, Vector v) { std::memcpy(p, &v, sizeof(v)); }
  static void Store(T* p, Vector v, int64_t lanes) { std::memcpy(p, &v, lanes * sizeof(T)); }
  static Vector MultiplyAdd(Vector a, Vector b, Vector c) { return a * b + c; }
  static Vector Multiply(Vector a, Vector b) { return a * b; }
  static Vector Add(Vector a, Vector b) { return a + b; }
  static int64_t FirstLanes(int64_t count) { return count; }

  static constexpr int kTileDepth = 1;
  static void LoadTransposed(const T* src, int64_t ld_src, Vector (&column)[kTileDepth]) {
    for (int j = 0; j < kWidth; ++j) column[0][j] = src[j * ld_src];
  }
};

}  // namespace

namespace internal {

template <typename T>
void GemmPortable(const GemmShape& s, const T* a, const T* b, T* c, void* scratch) {
  BlockedGemm<Bytes16<T>>(s, a, b, c, scratch);
}

template void GemmPortable(const GemmShape&, const float*, const float*, float*, void*);
template void GemmPortable(const GemmShape&, const double*, const double*, double*, void*);
template void GemmPortable(const GemmShape&, const uint8_t*, const uint8_t*, uint8_t*, void*);
template void GemmPortable(const GemmShape&, const uint16_t*, const uint16_t*, uint16_t*, void*);
template void GemmPortable(const GemmShape&, const uint32_t*, const uint32_t*, uint32_t*, void*);
template void GemmPortable(const GemmShape&, const uint64_t*, const uint64_t*, uint64_t*, void*);

}  // namespace internal
}  // namespace staticflow
