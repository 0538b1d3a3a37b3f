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

template <typename V, LaneOp op>
void StoreUnary(float* y, const LaneVector<V>& x) {
#pragma GCC unroll 2
  for (int i = 0; i < LaneVector<V>::kParts; ++i) V::Store(y + i * V::kWidth, Unary<V, op>(x.part[i]));
}

template <typename V, auto op>
void StoreBinary(float* y, const LaneVector<V>& x0, const LaneVector<V>& x1) {
#pragma GCC unroll 2
  for (int i = 0; i < LaneVector<V>::kParts; ++i) V::Store(y + i * V::kWidth, Binary<V, op>(x0.part[i], x1.part[i]));
}

template <typename V, auto op>
void StoreTernary(float* y, const LaneVector<V>& x0, const LaneVector<V>& x1, const LaneVector<V>& x2) {
#pragma GCC unroll 2
  for (int i = 0; i < LaneVector<V>::kParts; ++i) {
    V::Store(y + i * V::kWidth, Ternary<V, op>(x0.part[i], x1.part[i], x2.part[i]));
  }
}

template <typename V, auto op>  // LaneOp or LanePair
void ComputeVector(const float* x0, const float* x1, const float* x2, float* y) {
  using L = LaneVector<V>;
  constexpr int kOperands = internal::LaneOperands(op);
  if constexpr (kOperands == 1) StoreUnary<V, op>(y, L::Load(x0));
  if constexpr (kOperands == 2) StoreBinary<V, op>(y, L::Load(x0), L::Load(x1));
  if constexpr (kOperands == 3) StoreTernary<V, op>(y, L::Load(x0), L::Load(x1), L::Load(x2));
}

// A row or a column of a strip: `count` vectors, each operand with its own step to the next.
struct Line {
  const float* x0;
  const float* x1;
  const float* x2;
  float* y;
  int64_t step0, step1, step2, y_step;
  int64_t count;
};

// compute(x0, x1, x2, y) for each vector of the line. Short ones go by threes, which addressing modes reach without
// arithmetic: x, x + step, x + 2 step.
template <int kOperands, bool kLong, typename Compute>
void ForEachVector(Line at, const Compute& compute) {
  const auto step = [&at](int64_t times) {
    at.x0 += times * at.step0;
    if constexpr (kOperands > 1) at.x1 += times * at.step1;
    if constexpr (kOperands > 2) at.x2 += times * at.step2;
    at.y += times * at.y_step;
  };
  if constexpr (!kLong) {
    for (; at.count >= 3; at.count -= 3) {
      compute(at.x0, at.x1, at.x2, at.y);
      compute(at.x0 + at.step0, at.x1 + at.step1, at.x2 + at.step2, at.y + at.y_step);
      compute(at.x0 + 2 * at.step0, at.x1 + 2 * at.step1, at.x2 + 2 * at.step2, at.y + 2 * at.y_step);
      step(3);
    }
  }
  for (; at.count > 0; --at.count) {
    compute(at.x0, at.x1, at.x2, at.y);
    step(1);
  }
}

template <auto op>
constexpr bool kIsLong = false;
template <LaneOp op>
constexpr bool kIsLong<op> = op >= LaneOp::kExp&& op <= LaneOp::kSoftplus;

template <typename V, auto op>
void ComputeLine(const Line& line) {
  using L = LaneVector<V>;
  using In = const float*;
  constexpr int kOperands = internal::LaneOperands(op);
  if constexpr (kOperands == 2) {
    if (line.step1 == 0) {  // what all share stays in a register
      const L shared = L::Load(line.x1);
      return ForEachVector<1, false>(line,
                                     [&](In x0, In, In, float* y) { StoreBinary<V, op>(y, L::Load(x0), shared); });
    }
  }
  ForEachVector<kOperands, kIsLong<op>>(line, ComputeVector<V, op>);
}

// The longer side of the strip is the inner loop. A single vector, as the rows of loops over few columns have, goes
// without one.
template <typename V, auto op>
[[gnu::flatten]] void Strip(const LaneCall& c) {
  if (c.rows == 1 && c.vectors == 1) return ComputeVector<V, op>(c.x[0], c.x[1], c.x[2], c.y);
  const bool down = c.rows >= c.vectors;
  const int64_t lines = down ? c.vectors : c.rows;
  const int64_t* const inner = down ? c.row_step.data() : c.vector_step.data();
  const int64_t* const outer = down ? c.vector_step.data() : c.row_step.data();
  const int64_t y_outer = down ? kLanes : c.y_row_step;
  Line line = {.x0 = c.x[0],
               .x1 = c.x[1],
               .x2 = c.x[2],
               .y = c.y,
               .step0 = inner[0],
               .step1 = inner[1],
               .step2 = inner[2],
               .y_step = down ? c.y_row_step : kLanes,
               .count = down ? c.rows : c.vectors};
  if (line.count <= 0) return;
  for (int64_t i = 0; i < lines; ++i) {
    ComputeLine<V, op>(line);
    line.x0 += outer[0];
    line.x1 += outer[1];
    line.x2 += outer[2];
    line.y += y_outer;
  }
}

template <typename V>
[[gnu::flatten]] void SumRows(const LaneCall& call) {
  const int64_t step = call.row_step[0];
  for (int64_t v = 0; v < call.vectors; ++v) {
    for (int i = 0; i < kLanes; i += V::kWidth) {
      const float* x = call.x[0] + v * call.vector_step[0] + i;
      typename V::Vector sum[4] = {V::Constant(0.0f), V::Constant(0.0f), V::Constant(0.0f), V::Constant(0.0f)};
      int64_t rows = call.rows;
      for (; rows >= 4; rows -= 4, x += 4 * step) {
        sum[0] = sum[0] + V::Load(x);
        sum[1] = sum[1] + V::Load(x + step);
        sum[2] = sum[2] + V::Load(x + 2 * step);
        sum[3] = sum[3] + V::Load(x + 3 * step);
      }
      if (rows > 0) sum[0] = sum[0] + V::Load(x);
      if (rows > 1) sum[1] = sum[1] + V::Load(x + step);
      if (rows > 2) sum[2] = sum[2] + V::Load(x + 2 * step);
      V::Store(call.y + v * kLanes + i, (sum[0] + sum[1]) + (sum[2] + sum[3]));
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
