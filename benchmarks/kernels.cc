// Times the parts that steps are made of, and what each rewrite of a plan gains, with Google Benchmark. The groups are
// in benchmarks/kernels/kernels.h.
//
//   bazel run //benchmarks:kernels -- --benchmark_filter=Gemm/avx512
//   bazel run //benchmarks:kernels -- --benchmark_filter=Session --benchmark_repetitions=5
//   bazel run //benchmarks:kernels -- --benchmark_filter=Pass/W2
#include "benchmarks/kernels/kernels.h"

#include <benchmark/benchmark.h>

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  staticflow::bench::RegisterGemmBenchmarks();
  staticflow::bench::RegisterLaneBenchmarks();
  staticflow::bench::RegisterSessionBenchmarks();
  staticflow::bench::RegisterConvolutionBenchmarks();
  staticflow::bench::RegisterPassBenchmarks();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
