// Exponentials and logarithms of whole vectors, the same algorithm on every path, as templates over a vector type V.
// Each path's file defines its V for its instruction set, under its pragmas, and includes this file there; the
// anonymous namespace keeps the instances apart. Not for any other file.
//
// Arguments are reduced by ln 2 and what remains goes into one minimax polynomial. No branches: special values are
// clamped before and selected after. V::MulAdd may round once or twice; the error bounds hold for both, because the
// first part of ln 2 is short enough for exact products.
#ifndef STATICFLOW_RUNTIME_LANES_FUNCTIONS_H_
#define STATICFLOW_RUNTIME_LANES_FUNCTIONS_H_

#include <cstdint>
#include <limits>

namespace staticflow {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLog2E = 1.44269504f;
constexpr float kLn2High = 0.693359375f;  // 10 bits
constexpr float kLn2Low = -2.12194440e-4f;
constexpr uint32_t kTwoBits = 0x40000000;
constexpr uint32_t kRootHalfBits = 0x3f3504f3;

// x = n ln 2 + r with |r| <= ln 2 / 2, and e^r = 1 + r + r^2 rest. REQUIRES: |x| < 2^21, or NaN.
template <typename V, int kExponent = 0>
struct Reduced {
  using Vector = typename V::Vector;

  // Adding 1.5 * 2^23 rounds to an integer, which the low bits then hold; with 127 more these bits, shifted to their
  // place, are the float 2^n.
  static constexpr float kRounding = 12582912.0f + 127 + kExponent;

  explicit Reduced(Vector x) {
    shifted = V::MulAdd(x, V::Constant(kLog2E), V::Constant(kRounding));
    n = shifted - V::Constant(kRounding);
    high = V::MulAdd(n, V::Constant(-kLn2High), x);
    r = V::MulAdd(n, V::Constant(-kLn2Low), high);
    square = r * r;
    const Vector c01 = V::MulAdd(r, V::Constant(0.16666539f), V::Constant(0.5f));
    const Vector c23 = V::MulAdd(r, V::Constant(0.0083670998f), V::Constant(0.041666612f));
    rest = V::MulAdd(V::MulAdd(square, V::Constant(0.00139176194f), c23), square, c01);
  }
  // 2^(n + kExponent). REQUIRES: it is a normal float.
  Vector Power() const { return V::FromBits(V::Bits(shifted) << 23); }
  // e^r - 1.
  Vector Expm1() const { return V::MulAdd(square, rest, r); }
  // The same with r's rounding made good: r is the rounded sum of `high`, which is exact, and a small part.
  Vector ExactExpm1() const { return high + V::MulAdd(square, rest, n * V::Constant(-kLn2Low)); }

  Vector shifted, n, high, r, square, rest;
};

constexpr float kExpLow = -87.3365402f;  // below it, e^x is less than the smallest normal float: 0 takes its place

template <typename V>
typename V::Vector Exp(typename V::Vector x) {
  const Reduced<V> e(V::Max(V::Constant(kExpLow), V::Min(V::Constant(89.0f), x)));
  const typename V::Vector y = V::Scale(e.Expm1() + V::Constant(1.0f), e.n);
  return V::Select(V::Less(x, V::Constant(kExpLow)), V::Constant(0.0f), y);
}

// e^-|x|.
template <typename V>
typename V::Vector ExpMinusAbs(typename V::Vector x) {
  const typename V::Vector minus = -V::Abs(x);
  const Reduced<V> e(V::Max(V::Constant(kExpLow), minus));
  const typename V::Vector power = e.Power();
  return V::Select(V::Less(minus, V::Constant(kExpLow)), V::Constant(0.0f), V::MulAdd(power, e.Expm1(), power));
}

// With h = 2^(n - 1), which has a float even for the largest n: 2 (h (e^r - 1) + (h - 1/2)).
template <typename V>
typename V::Vector Expm1(typename V::Vector x) {
  const Reduced<V, -1> e(V::Max(V::Constant(-30.0f), V::Min(V::Constant(89.0f), x)));
  const typename V::Vector h = e.Power();
  const typename V::Vector half = V::MulAdd(h, e.ExactExpm1(), h - V::Constant(0.5f));
  return V::OrSign(half + half, x);  // the sign of zero
}

// tanh |x| = t / (t + 2) with t = e^(2 |x|) - 1; from 9.02 on it is 1.
template <typename V>
typename V::Vector Tanh(typename V::Vector x) {
  const typename V::Vector a = V::Min(V::Constant(9.5f), V::Abs(x));
  const Reduced<V> e(a + a);
  const typename V::Vector power = e.Power();
  const typename V::Vector t = V::MulAdd(power, e.Expm1(), power - V::Constant(1.0f));
  return V::OrSign(t / (t + V::Constant(2.0f)), x);
}

// 1 / (1 + e) or e / (1 + e) with e = e^-|x|: nothing overflows, and small results are as accurate as large ones.
template <typename V>
typename V::Vector Sigmoid(typename V::Vector x) {
  const typename V::Vector one = V::Constant(1.0f);
  const typename V::Vector e = ExpMinusAbs<V>(x);
  return V::Select(V::Less(x, V::Constant(0.0f)), e, one) / (one + e);
}

// ln of 2^k (1 + f) where 1 + f is in [sqrt(1/2), sqrt(2)]: f + f^2 (f p(f) - 1/2) + k ln 2. `square` is f^2.
template <typename V>
typename V::Vector LogOf(typename V::Vector k, typename V::Vector f, typename V::Vector square) {
  using Vector = typename V::Vector;
  const Vector c01 = V::MulAdd(f, V::Constant(-0.250008106f), V::Constant(0.333333164f));
  const Vector c23 = V::MulAdd(f, V::Constant(-0.16624555f), V::Constant(0.200022861f));
  const Vector c45 = V::MulAdd(f, V::Constant(-0.13128753f), V::Constant(0.141811937f));
  const Vector c67 = V::MulAdd(f, V::Constant(-0.078595981f), V::Constant(0.128816351f));
  const Vector p = V::MulAdd(square * square, V::MulAdd(square, c67, c45), V::MulAdd(square, c23, c01));
  const Vector small = V::MulAdd(square, V::MulAdd(f, p, V::Constant(-0.5f)), k * V::Constant(kLn2Low));
  return V::MulAdd(k, V::Constant(kLn2High), f + small);
}

// `log` where x is positive and finite, else what the logarithm of x is.
template <typename V>
typename V::Vector LogLimits(typename V::Vector x, typename V::Vector log) {
  const typename V::Vector zero = V::Constant(0.0f);
  const typename V::Vector not_positive =
      V::Select(V::Equal(x, zero), V::Constant(-kInfinity), V::Constant(std::numeric_limits<float>::quiet_NaN()));
  return V::Select(V::Less(zero, x), V::Select(V::Less(x, V::Constant(kInfinity)), log, x), not_positive);
}

template <typename V>
typename V::Vector Log(typename V::Vector x) {
  const auto denormal = V::Less(x, V::Constant(std::numeric_limits<float>::min()));
  const typename V::Vector u = V::Select(denormal, x * V::Constant(0x1p25f), x);
  const auto exponent = V::ShiftRight(V::Bits(u) - kRootHalfBits, 23);
  const typename V::Vector m = V::FromBits(V::Bits(u) - (exponent << 23));
  const typename V::Vector k = V::Number(exponent) - V::Select(denormal, V::Constant(25.0f), V::Constant(0.0f));
  const typename V::Vector f = m - V::Constant(1.0f);
  return LogLimits<V>(x, LogOf<V>(k, f, f * f));
}

// ln (large + small) for large = max(1, x), small = min(1, x): u is the rounded sum, and what the rounding lost is
// added to f. Near 0 that makes f = x exactly, and a square with the rounded f does not become denormal.
template <typename V>
typename V::Vector LogOfSum(typename V::Vector large, typename V::Vector small, typename V::Vector u) {
  const typename V::Vector lost = small - (u - large);
  const auto exponent = V::ShiftRight(V::Bits(u) - kRootHalfBits, 23);
  const typename V::Vector rounded = V::FromBits(V::Bits(u) - (exponent << 23)) - V::Constant(1.0f);
  // Twice the inverse of 2^exponent, which itself has no float when u is near the largest float.
  const typename V::Vector scale = V::FromBits(kTwoBits - (exponent << 23));
  const typename V::Vector f = V::MulAdd(V::Constant(0.5f) * lost, scale, rounded);
  return LogOf<V>(V::Number(exponent), f, f * rounded);
}

template <typename V>
typename V::Vector Log1p(typename V::Vector x) {
  const typename V::Vector one = V::Constant(1.0f);
  const typename V::Vector u = one + x;
  return V::OrSign(LogLimits<V>(u, LogOfSum<V>(V::Max(one, x), V::Min(one, x), u)), x);  // the sign of zero
}

// max(x, 0) + ln (1 + e^-|x|).
template <typename V>
typename V::Vector Softplus(typename V::Vector x) {
  const typename V::Vector one = V::Constant(1.0f);
  const typename V::Vector e = ExpMinusAbs<V>(x);
  return V::Max(V::Constant(0.0f), x) + LogOfSum<V>(one, e, one + e);
}

}  // namespace
}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_LANES_FUNCTIONS_H_
