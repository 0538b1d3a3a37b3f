#include "runtime/gemm.h"

#include <benchmark/benchmark.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmarks/kernels/kernels.h"
#include "graph/tensor.h"

namespace staticflow::bench {
namespace {

struct Product {
  const char* name;
  int64_t m, n, k;
  bool transpose_a = false;
  bool transpose_b = false;
};

// Of one training step on a batch of 60.
constexpr Product kProducts[] = {
    {"fwd1_60x784x100", 60, 100, 784},
    {"fwd2_60x100x100", 60, 100, 100},
    {"fwd4_60x100x10", 60, 10, 100},
    {"dW4_100x60x10", 100, 10, 60, true},
    {"dX4_60x10x100", 60, 100, 10, false, true},
    {"dW2_100x60x100", 100, 100, 60, true},
    {"dX2_60x100x100", 60, 100, 100, false, true},
    {"dW1_784x60x100", 784, 100, 60, true},
};

// Aligned memory with small numbers, none of them zero or denormal.
Tensor Numbers(int64_t count) {
  Tensor tensor = *Tensor::Create(DT_FLOAT, {count});
  for (int64_t i = 0; i < count; ++i) tensor.data<float>()[i] = 0.01f * static_cast<float>(i % 17 + 1);
  return tensor;
}

void TimeGemm(benchmark::State& state, GemmPath path, const Product& p) {
  const GemmShape shape = ContiguousGemm(p.m, p.n, p.k, p.transpose_a, p.transpose_b);
  const Tensor a = Numbers(p.m * p.k), b = Numbers(p.k * p.n);
  Tensor c = Numbers(p.m * p.n), scratch = Numbers(GemmScratchBytes<float>(shape) / 4 + 1);
  for (auto _ : state) {
    GemmOnPath<float>(path, shape, a.data<float>(), b.data<float>(), c.data<float>(), scratch.raw());
    benchmark::ClobberMemory();
  }
  state.counters["FLOP/s"] =
      benchmark::Counter(2.0 * static_cast<double>(p.m * p.n * p.k), benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

void RegisterGemmBenchmarks() {
  for (GemmPath path : {GemmPath::kPortable, GemmPath::kAvx2, GemmPath::kAvx512}) {
    if (!GemmPathSupported(path)) continue;
    for (const Product& product : kProducts) {
      const std::string name = absl::StrCat("Gemm/", GemmPathName(path), "/", product.name);
      benchmark::RegisterBenchmark(name.c_str(), [path, &product](auto& state) { TimeGemm(state, path, product); });
    }
  }
}

}  // namespace staticflow::bench
