#include "runtime/lanes.h"

#include <algorithm>
#include <cstring>

#include "runtime/lanes_paths.h"

namespace staticflow {
namespace {

constexpr absl::string_view kNames[] = {"copy",         "neg",
                                        "abs",          "sign",
                                        "square",       "sqrt",
                                        "rsqrt",        "reciprocal",
                                        "floor",        "ceil",
                                        "rint",         "exp",
                                        "expm1",        "log",
                                        "log1p",        "tanh",
                                        "sigmoid",      "softplus",
                                        "relu",         "add",
                                        "sub",          "mul",
                                        "div",          "maximum",
                                        "minimum",      "squared_difference",
                                        "greater",      "greater_equal",
                                        "less",         "less_equal",
                                        "equal",        "not_equal",
                                        "relu_grad",    "tanh_grad",
                                        "sigmoid_grad", "select",
                                        "sum_rows"};
static_assert(std::size(kNames) == static_cast<size_t>(LaneOp::kCount));

// Calls for the whole vectors, and for a last one of which `n` % kLanes elements count.
void Apply(LaneFunction function, const float* x0, const float* x1, float* y, int64_t n) {
  const int64_t vectors = n / kLanes, whole = vectors * kLanes, rest = n - whole;
  if (vectors > 0) function({.vectors = vectors, .x = {x0, x1}, .vector_step = {kLanes, kLanes}, .y = y});
  if (rest == 0) return;
  float last[3][kLanes] = {};
  std::copy_n(x0 + whole, rest, last[0]);
  if (x1 != nullptr) std::copy_n(x1 + whole, rest, last[1]);
  function({.x = {last[0], last[1]}, .y = last[2]});
  std::copy_n(last[2], rest, y + whole);
}

}  // namespace

int NumLaneOperands(LaneOp op) { return internal::LaneOperands(op); }

absl::string_view LaneOpName(LaneOp op) { return kNames[static_cast<int>(op)]; }

bool LanePathSupported([[maybe_unused]] LanePath path) {
  if (path == LanePath::kPortable) return true;
#if defined(__x86_64__)
  if (path == LanePath::kAvx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

LanePath BestLanePath() {
  static const LanePath best = LanePathSupported(LanePath::kAvx512) ? LanePath::kAvx512
                               : LanePathSupported(LanePath::kAvx2) ? LanePath::kAvx2
                                                                    : LanePath::kPortable;
  return best;
}

LaneFunction LaneFunctionOn([[maybe_unused]] LanePath path, LaneOp op) {
#if defined(__x86_64__)
  if (path == LanePath::kAvx512) return internal::LaneAvx512(op);
  if (path == LanePath::kAvx2) return internal::LaneAvx2(op);
#endif
  return internal::LanePortable(op);
}

LaneFunction LaneFunctionFor(LaneOp op) { return LaneFunctionOn(BestLanePath(), op); }

void ApplyLanes(LaneOp op, const float* x, float* y, int64_t n) { Apply(LaneFunctionFor(op), x, nullptr, y, n); }

void ApplyLanes(LaneOp op, const float* x0, const float* x1, float* y, int64_t n) {
  Apply(LaneFunctionFor(op), x0, x1, y, n);
}

}  // namespace staticflow
