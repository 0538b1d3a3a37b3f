#include "runtime/lanes.h"

#include <benchmark/benchmark.h>

#include "absl/strings/str_cat.h"
#include "benchmarks/kernels/kernels.h"
#include "graph/tensor.h"

namespace staticflow::bench {
namespace {

constexpr int64_t kRows = 16, kVectors = 16, kWidth = kVectors * kLanes;

// In (0.1, 3.4): in the domain of every operation.
Tensor Numbers() {
  Tensor tensor = *Tensor::Create(DT_FLOAT, {kRows, kWidth});
  for (int64_t i = 0; i < tensor.num_elements(); ++i) tensor.data<float>()[i] = 0.2f * static_cast<float>(i % 17 + 1);
  return tensor;
}

void TimeLanes(benchmark::State& state, LanePath path, LaneOp op) {
  const LaneFunction function = LaneFunctionOn(path, op);
  const Tensor x = Numbers(), y = Numbers(), z = Numbers();
  Tensor out = Numbers();
  const LaneCall call{.rows = kRows,
                      .vectors = kVectors,
                      .x = {x.data<float>(), y.data<float>(), z.data<float>()},
                      .row_step = {kWidth, kWidth, kWidth},
                      .vector_step = {kLanes, kLanes, kLanes},
                      .y = out.data<float>(),
                      .y_row_step = kWidth};
  for (auto _ : state) {
    function(call);
    benchmark::ClobberMemory();
  }
  state.counters["floats/s"] =
      benchmark::Counter(static_cast<double>(kRows * kWidth), benchmark::Counter::kIsIterationInvariantRate);
}

const char* PathName(LanePath path) {
  return path == LanePath::kAvx512 ? "avx512" : path == LanePath::kAvx2 ? "avx2" : "portable";
}

}  // namespace

void RegisterLaneBenchmarks() {
  for (LanePath path : {LanePath::kPortable, LanePath::kAvx2, LanePath::kAvx512}) {
    if (!LanePathSupported(path)) continue;
    for (int i = 0; i < static_cast<int>(LaneOp::kCount); ++i) {
      const LaneOp op = static_cast<LaneOp>(i);
      const std::string name = absl::StrCat("Lanes/", PathName(path), "/", std::string(LaneOpName(op)));
      benchmark::RegisterBenchmark(name.c_str(), [path, op](auto& state) { TimeLanes(state, path, op); });
    }
  }
}

}  // namespace staticflow::bench
