// Lanes: float arithmetic on strips, the inner loops of everything element-wise. A strip is some rows of whole vectors
// of kLanes floats; one call computes one operation on a strip that lies in the first-level cache.
//
//   LaneCall call{.rows = 60, .vectors = 1, .x = {a, b}, .row_step = {112, 0}, .vector_step = {kLanes, kLanes},
//                 .y = out, .y_row_step = kLanes};
//   LaneFunctionFor(LaneOp::kMul)(call);              // out[r][i] = a[r][i] * b[0][i]
//
// Steps of 0 repeat an operand: row_step 0 for a row that all rows share, both 0 for a scalar (kLanes equal floats).
// Every operation rounds each of its arithmetic steps once (no fused multiply-add), so that an op computed alone and
// the same op within a chain give the same bits; the same element gives the same bits wherever it stands in a strip.
//
// The instruction set is chosen once per process from what the CPU has. Error bounds of the functions, in units in the
// last place over all floats (denormal results may be flushed where said): see each operation. NaN gives NaN, and
// infinities give the limits. Thread-safety: all functions may run at the same time on disjoint results.
#ifndef STATICFLOW_RUNTIME_LANES_H_
#define STATICFLOW_RUNTIME_LANES_H_

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace staticflow {

inline constexpr int kLanes = 16;

enum class LaneOp : uint8_t {
  kCopy,
  // y = f(x0)
  kNeg,
  kAbs,
  kSign,  // -1, 0 or 1; of NaN NaN
  kSquare,
  kSqrt,
  kRsqrt,       // 1 / sqrt(x), both rounded
  kReciprocal,  // 1 / x
  kFloor,
  kCeil,
  kRint,      // to nearest, ties to even
  kExp,       // 1.1 ulp; denormal results are 0
  kExpm1,     // 1.8 ulp
  kLog,       // 1.0 ulp
  kLog1p,     // 1.6 ulp
  kTanh,      // 2.7 ulp, never beyond 1
  kSigmoid,   // 1 / (1 + exp(-x)): 2.5 ulp, never beyond 1; denormal results are 0
  kSoftplus,  // log(1 + exp(x)): 2.2 ulp; denormal results are 0
  kRelu,      // max(x, 0); NaN stays NaN
  // y = f(x0, x1)
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMaximum,  // NaN if either is, as TensorFlow's
  kMinimum,
  kSquaredDifference,  // (x0 - x1)^2
  kGreater,            // 1 or 0, as all comparisons
  kGreaterEqual,
  kLess,
  kLessEqual,
  kEqual,
  kNotEqual,
  kReluGrad,     // x0 * (x1 > 0 ? 1 : 0)
  kTanhGrad,     // x1 * (1 - x0 * x0):        y, dy, as TensorFlow's op
  kSigmoidGrad,  // x1 * (x0 * (1 - x0)) in TensorFlow's order of operations: y, dy
  // y = f(x0, x1, x2)
  kSelect,  // x1 where x0 != 0, else x2
  // One row: the sum of the rows of x0. Rows r are added up in four sums by r % 4, which are added as (0 + 1) + (2 +
  // 3).
  kSumRows,
  kCount,
};

struct LaneCall {
  int64_t rows = 1;
  int64_t vectors = 1;  // per row
  std::array<const float*, 3> x = {};
  std::array<int64_t, 3> row_step = {};     // floats from one row to the next
  std::array<int64_t, 3> vector_step = {};  // floats from one vector to the next: kLanes or 0
  float* y = nullptr;                       // may be an operand that has the same steps
  int64_t y_row_step = 0;                   // the vectors of a row of y lie side by side
};

using LaneFunction = void (*)(const LaneCall& call);

// How many operands `op` takes: 1 to 3.
int NumLaneOperands(LaneOp op);
absl::string_view LaneOpName(LaneOp op);

// The implementation for this process's CPU.
LaneFunction LaneFunctionFor(LaneOp op);

// y[i] = op(x[i]) for i < n, with the bits that any strip gives. REQUIRES: `op` has one operand and is not kSumRows.
void ApplyLanes(LaneOp op, const float* x, float* y, int64_t n);
// The same for two operands that both run.
void ApplyLanes(LaneOp op, const float* x0, const float* x1, float* y, int64_t n);

// The implementations, for tests and benchmarks: the portable one is written plainly and is what the others are
// compared with.
enum class LanePath { kPortable, kAvx2, kAvx512 };
bool LanePathSupported(LanePath path);
LanePath BestLanePath();
LaneFunction LaneFunctionOn(LanePath path, LaneOp op);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_LANES_H_
