// The loops of the lane operations over strips, and their table, as templates over a vector type V. Each path's file
// defines its V for its instruction set, under its pragmas, and includes this file there; the anonymous namespace keeps
// the instances apart. Not for any other file.
//
// V has: Vector (with + - * / and negation, one rounding each), kWidth (floats of a Vector), Load, Store, Constant,
// MulAdd(a, b, c) = a b + c with one or two roundings, Sqrt, Floor, Ceil, Rint, Abs, Min(a, b) = a < b ? a : b,
// Max(a, b) = a > b ? a : b, the comparisons Less, LessEqual, Equal and Select(comparison, a, b), OrSign(y, x) = y with
// the sign bit set where x has it, Scale(x, n) = 2^n x for whole n in [-126, 128] and 2^n x normal, and with unsigned
// integers: Bits, FromBits, ShiftRight (of signed ones) and Number (a signed one as float).
#ifndef STATICFLOW_RUNTIME_LANES_STRIPS_H_
#define STATICFLOW_RUNTIME_LANES_STRIPS_H_

#include <cstdint>
#include <utility>

#include "runtime/lanes_functions.h"
#include "runtime/lanes_paths.h"

namespace staticflow {
namespace {

// y = op(x0), of one vector.
template <typename V, LaneOp op>
typename V::Vector Unary(typename V::Vector x) {
  using enum LaneOp;
  const typename V::Vector zero = V::Constant(0.0f), one = V::Constant(1.0f);
  if constexpr (op == kCopy) return x;
  if constexpr (op == kNeg) return -x;
  if constexpr (op == kAbs) return V::Abs(x);
  if constexpr (op == kSign) {
    const typename V::Vector negative = V::Select(V::Less(x, zero), -one, V::Select(V::Equal(x, zero), zero, x));
    return V::Select(V::Less(zero, x), one, negative);
  }
  if constexpr (op == kSquare) return x * x;
  if constexpr (op == kSqrt) return V::Sqrt(x);
  if constexpr (op == kRsqrt) return one / V::Sqrt(x);
  if constexpr (op == kReciprocal) return one / x;
  if constexpr (op == kFloor) return V::Floor(x);
  if constexpr (op == kCeil) return V::Ceil(x);
  if constexpr (op == kRint) return V::Rint(x);
  if constexpr (op == kExp) return Exp<V>(x);
  if constexpr (op == kExpm1) return Expm1<V>(x);
  if constexpr (op == kLog) return Log<V>(x);
  if constexpr (op == kLog1p) return Log1p<V>(x);
  if constexpr (op == kTanh) return Tanh<V>(x);
  if constexpr (op == kSigmoid) return Sigmoid<V>(x);
  if constexpr (op == kSoftplus) return Softplus<V>(x);
  if constexpr (op == kRelu) return V::Max(zero, x);
}

template <typename V, LaneOp op>
typename V::Vector Binary(typename V::Vector x0, typename V::Vector x1) {
  using enum LaneOp;
  const typename V::Vector zero = V::Constant(0.0f), one = V::Constant(1.0f);
  if constexpr (op == kAdd) return x0 + x1;
  if constexpr (op == kSub) return x0 - x1;
  if constexpr (op == kMul) return x0 * x1;
  if constexpr (op == kDiv) return x0 / x1;
  if constexpr (op == kMaximum) return V::Select(V::Equal(x0, x0), V::Max(x0, x1), x0);
  if constexpr (op == kMinimum) return V::Select(V::Equal(x0, x0), V::Min(x0, x1), x0);
  if constexpr (op == kSquaredDifference) return (x0 - x1) * (x0 - x1);
  if constexpr (op == kGreater) return V::Select(V::Less(x1, x0), one, zero);
  if constexpr (op == kGreaterEqual) return V::Select(V::LessEqual(x1, x0), one, zero);
  if constexpr (op == kLess) return V::Select(V::Less(x0, x1), one, zero);
  if constexpr (op == kLessEqual) return V::Select(V::LessEqual(x0, x1), one, zero);
  if constexpr (op == kEqual) return V::Select(V::Equal(x0, x1), one, zero);
  if constexpr (op == kNotEqual) return V::Select(V::Equal(x0, x1), zero, one);
  if constexpr (op == kReluGrad) return x0 * V::Select(V::Less(zero, x1), one, zero);
  if constexpr (op == kTanhGrad) return x1 * (one - x0 * x0);
  if constexpr (op == kSigmoidGrad) return x1 * (x0 * (one - x0));
}

template <typename V, LaneOp op>
typename V::Vector Ternary(typename V::Vector x0, typename V::Vector x1, typename V::Vector x2) {
  if constexpr (op == LaneOp::kSelect) return V::Select(V::Equal(x0, V::Constant(0.0f)), x2, x1);
}

template <typename V, LanePair pair>
typename V::Vector Ternary(typename V::Vector x0, typename V::Vector x1, typename V::Vector x2) {
  using enum LanePair;
  if constexpr (pair == kMulAdd) return x0 * x1 + x2;
  if constexpr (pair == kMulSub) return x0 * x1 - x2;
  if constexpr (pair == kMulSubFrom) return x2 - x0 * x1;
  if constexpr (pair == kDivSubFrom) return x2 - x0 / x1;
  if constexpr (pair == kSubMul) return (x0 - x1) * x2;
  if constexpr (pair == kAddAdd) return (x0 + x1) + x2;
  if constexpr (pair == kMulAddRelu) return V::Max(V::Constant(0.0f), x0 * x1 + x2);
}

template <typename V, LanePair pair>
typename V::Vector Binary(typename V::Vector x0, typename V::Vector x1) {
  using enum LanePair;
  if constexpr (pair == kSqrtAdd) return V::Sqrt(x0) + x1;
  if constexpr (pair == kAddRelu) return V::Max(V::Constant(0.0f), x0 + x1);
}

// kLanes floats: as many registers as that takes.
template <typename V>
struct LaneVector {
  static constexpr int kParts = kLanes / V::kWidth;
  typename V::Vector part[kParts];

  static LaneVector Load(const float* x) {
    LaneVector lanes;
#pragma GCC unroll 2
    for (int i = 0; i < kParts; ++i) lanes.part[i] = V::Load(x + i * V::kWidth);
    return lanes;
  }
};

// y = op(x0, x1, x2) of as many operands as it has.
template <typename V, auto op>  // LaneOp or LanePair
void StoreVector(float* y, const LaneVector<V>& x0, const LaneVector<V>& x1, const LaneVector<V>& x2) {
  constexpr int kOperands = internal::LaneOperands(op);
#pragma GCC unroll 4
  for (int i = 0; i < LaneVector<V>::kParts; ++i) {
    float* part = y + i * V::kWidth;
    if constexpr (kOperands == 1) V::Store(part, Unary<V, op>(x0.part[i]));
    if constexpr (kOperands == 2) V::Store(part, Binary<V, op>(x0.part[i], x1.part[i]));
    if constexpr (kOperands == 3) V::Store(part, Ternary<V, op>(x0.part[i], x1.part[i], x2.part[i]));
  }
}

// A strip as lines, the longer side of it: `count` vectors each.
struct Lines {
  explicit Lines(const LaneCall& c)
      : down(c.rows >= c.vectors),
        lines(down ? c.vectors : c.rows),
        count(down ? c.rows : c.vectors),
        inner(down ? c.row_step : c.vector_step),
        outer(down ? c.vector_step : c.row_step),
        y_inner(down ? c.y_row_step : kLanes),
        y_outer(down ? kLanes : c.y_row_step) {}

  const bool down;
  const int64_t lines, count;
  const std::array<int64_t, 3>&inner, &outer;  // steps of the operands from vector to vector and from line to line
  const int64_t y_inner, y_outer;
};

// Operations that take so short that the loop around them counts; of single floats none does.
template <typename V, auto op>
constexpr bool kIsShort = V::kWidth > 1;
template <typename V, LaneOp op>
constexpr bool kIsShort<V, op> = V::kWidth > 1 && (op<LaneOp::kExp || op> LaneOp::kSoftplus);

// kShared: which operands are the same for all vectors of a line, as bits 0 to 2; these stay in registers.
template <typename V, auto op, int kShared>
void ComputeLines(const LaneCall& c, const Lines& at) {
  using L = LaneVector<V>;
  constexpr int kOperands = internal::LaneOperands(op);
  const float *begin0 = c.x[0], *begin1 = c.x[1], *begin2 = c.x[2];
  float* y_begin = c.y;
  const int64_t step0 = at.inner[0], step1 = at.inner[1], step2 = at.inner[2], y_step = at.y_inner;
  const int64_t outer0 = at.outer[0], outer1 = at.outer[1], outer2 = at.outer[2];
  for (int64_t line = at.lines; line > 0; --line) {
    const float *x0 = begin0, *x1 = begin1, *x2 = begin2;
    L v0, v1, v2;
    if constexpr (kShared & 1) v0 = L::Load(x0);
    if constexpr (kShared & 2) v1 = L::Load(x1);
    if constexpr (kShared & 4) v2 = L::Load(x2);
    float* y = y_begin;
    const auto compute = [&] {
      if constexpr (!(kShared & 1)) v0 = L::Load(x0), x0 += step0;
      if constexpr (kOperands > 1 && !(kShared & 2)) v1 = L::Load(x1), x1 += step1;
      if constexpr (kOperands > 2 && !(kShared & 4)) v2 = L::Load(x2), x2 += step2;
      StoreVector<V, op>(y, v0, v1, v2);
      y += y_step;
    };
    int64_t i = at.count;
    if constexpr (kIsShort<V, op>) {
      for (; i >= 2; i -= 2) {
        compute();
        compute();
      }
    }
    for (; i > 0; --i) compute();
    begin0 += outer0;
    if constexpr (kOperands > 1) begin1 += outer1;
    if constexpr (kOperands > 2) begin2 += outer2;
    y_begin += at.y_outer;
  }
}

template <typename V, auto op>
[[gnu::flatten]] void Strip(const LaneCall& c) {
  using L = LaneVector<V>;
  constexpr int kOperands = internal::LaneOperands(op);
  // A single vector, as the rows of loops over few columns have, goes without loops.
  if (c.rows == 1 && c.vectors == 1) {
    L x[3];
    for (int k = 0; k < kOperands; ++k) x[k] = L::Load(c.x[k]);
    return StoreVector<V, op>(c.y, x[0], x[1], x[2]);
  }
  const Lines at(c);
  if constexpr (kOperands > 1 && kIsShort<V, op>) {
    int shared = 0;
    for (int k = 0; k < kOperands; ++k) shared |= at.inner[k] == 0 ? 1 << k : 0;
    if (shared == 1) return ComputeLines<V, op, 1>(c, at);
    if (shared == 2) return ComputeLines<V, op, 2>(c, at);
    if constexpr (kOperands == 3) {
      if (shared == 4) return ComputeLines<V, op, 4>(c, at);
      if (shared == 5) return ComputeLines<V, op, 5>(c, at);
      if (shared == 6) return ComputeLines<V, op, 6>(c, at);
    }
  }
  ComputeLines<V, op, 0>(c, at);
}

template <typename V>
[[gnu::flatten]] void SumRows(const LaneCall& call) {
  const int64_t step = call.row_step[0], vector_step = call.vector_step[0], rest = call.rows % 4;
  const int64_t fours = call.rows / 4, vectors = call.vectors;
  const float* begin = call.x[0];
  float* y = call.y;
  for (int64_t v = 0; v < vectors; ++v, begin += vector_step, y += kLanes) {
    for (int i = 0; i < kLanes; i += V::kWidth) {
      const float* x = begin + i;
      typename V::Vector sum[4] = {V::Constant(0.0f), V::Constant(0.0f), V::Constant(0.0f), V::Constant(0.0f)};
      for (int64_t r = fours; r > 0; --r, x += 4 * step) {
        sum[0] = sum[0] + V::Load(x);
        sum[1] = sum[1] + V::Load(x + step);
        sum[2] = sum[2] + V::Load(x + 2 * step);
        sum[3] = sum[3] + V::Load(x + 3 * step);
      }
      if (rest > 0) sum[0] = sum[0] + V::Load(x);
      if (rest > 1) sum[1] = sum[1] + V::Load(x + step);
      if (rest > 2) sum[2] = sum[2] + V::Load(x + 2 * step);
      V::Store(y + i, (sum[0] + sum[1]) + (sum[2] + sum[3]));
    }
  }
}

template <typename V>
struct StripTable {
  LaneFunction of[static_cast<int>(LaneOp::kCount)];

  constexpr StripTable() : StripTable(std::make_index_sequence<static_cast<int>(LaneOp::kSumRows)>()) {}
  template <size_t... op>
  constexpr explicit StripTable(std::index_sequence<op...>) : of{Strip<V, static_cast<LaneOp>(op)>..., SumRows<V>} {}
};

template <typename V>
constexpr StripTable<V> kStrips;

template <typename V>
struct PairStripTable {
  LaneFunction of[static_cast<int>(LanePair::kCount)];

  constexpr PairStripTable() : PairStripTable(std::make_index_sequence<static_cast<int>(LanePair::kCount)>()) {}
  template <size_t... pair>
  constexpr explicit PairStripTable(std::index_sequence<pair...>) : of{Strip<V, static_cast<LanePair>(pair)>...} {}
};
template <typename V>
constexpr PairStripTable<V> kPairStrips;

}  // namespace
}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_LANES_STRIPS_H_
