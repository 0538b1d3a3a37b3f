// Lanes for any CPU: a vector is 16 floats, one after another.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "runtime/lanes_paths.h"

#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")

namespace staticflow {
namespace {

struct Float1 {
  using Vector = float;
  static constexpr int kWidth = 1;
  static float Load(const float* p) { return *p; }
  static void Store(float* p, float v) { *p = v; }
  static float Constant(float value) { return value; }
  static float MulAdd(float a, float b, float c) { return a * b + c; }
  static float Sqrt(float x) { return std::sqrt(x); }
  static float Floor(float x) { return std::floor(x); }
  static float Ceil(float x) { return std::ceil(x); }
  static float Rint(float x) { return std::nearbyint(x); }
  static float Abs(float x) { return std::abs(x); }
  static float Min(float a, float b) { return a < b ? a : b; }
  static float Max(float a, float b) { return a > b ? a : b; }
  static bool Less(float a, float b) { return a < b; }
  static bool LessEqual(float a, float b) { return a <= b; }
  static bool Equal(float a, float b) { return a == b; }
  static float Select(bool condition, float a, float b) { return condition ? a : b; }
  static float OrSign(float y, float x) { return FromBits(Bits(y) | (Bits(x) & 0x80000000)); }
  static float Scale(float x, float n) {  // in two steps, because 2^128 is no float
    if (n != n) return x;
    const int32_t whole = static_cast<int32_t>(n), first = whole >> 1;
    return x * PowerOf2(first) * PowerOf2(whole - first);
  }
  static uint32_t Bits(float x) { return std::bit_cast<uint32_t>(x); }
  static float FromBits(uint32_t x) { return std::bit_cast<float>(x); }
  static uint32_t ShiftRight(uint32_t x, int count) { return static_cast<uint32_t>(static_cast<int32_t>(x) >> count); }
  static float Number(uint32_t x) { return static_cast<float>(static_cast<int32_t>(x)); }

 private:
  static float PowerOf2(int32_t n) { return FromBits(static_cast<uint32_t>(n + 127) << 23); }
};

}  // namespace
}  // namespace staticflow

#include "runtime/lanes_strips.h"

namespace staticflow::internal {

LaneFunction LanePortable(LaneOp op) { return kStrips<Float1>.of[static_cast<int>(op)]; }
LaneFunction LanePortable(LanePair pair) { return kPairStrips<Float1>.of[static_cast<int>(pair)]; }

}  // namespace staticflow::internal

#pragma GCC pop_options
