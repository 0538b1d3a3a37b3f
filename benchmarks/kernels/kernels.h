// The groups of benchmarks/kernels.cc. Each function registers its group with Google Benchmark; call it once, from
// main.
#ifndef STATICFLOW_BENCHMARKS_KERNELS_KERNELS_H_
#define STATICFLOW_BENCHMARKS_KERNELS_KERNELS_H_

namespace staticflow::bench {

// "Gemm/<path>/<product>": the matrix products of a W1 training step on each instruction set that the CPU has, operands
// hot in the second-level cache.
void RegisterGemmBenchmarks();

// "Conv/<forward|input|filter>/<layer>": the convolutions of W4 and their gradients on batches of 64, each as a session
// with that one op and one thread.
void RegisterConvolutionBenchmarks();

// "Lanes/<path>/<operation>": element-wise loops over a strip of 4096 floats.
void RegisterLaneBenchmarks();

// "Session/...": what a call costs beside its arithmetic, what an instruction costs, Run against Step::Run.
void RegisterSessionBenchmarks();

// "Pass/<network>/<setting>": a training step with all rewrites of the plan, without one of them, and without any.
void RegisterPassBenchmarks();

}  // namespace staticflow::bench

#endif  // STATICFLOW_BENCHMARKS_KERNELS_KERNELS_H_
