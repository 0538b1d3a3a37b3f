// L2Loss.
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/nn.h"

namespace staticflow {
namespace {

// L2Loss: y = sum(t^2) / 2.   dt = t dy.
absl::StatusOr<Kernel> L2LossKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) {
      constexpr int kLanes = 8;  // independent sums, which a processor adds side by side
      const T* t = c.in<T>(0);
      const int64_t n = c.input(0).num_elements;
      double lanes[kLanes] = {};
      int64_t i = 0;
      for (; i + kLanes <= n; i += kLanes) {
        for (int l = 0; l < kLanes; ++l) lanes[l] += double(Widen(t[i + l])) * double(Widen(t[i + l]));
      }
      for (int l = 0; i < n; ++i, ++l) lanes[l] += double(Widen(t[i])) * double(Widen(t[i]));
      double sum = 0;
      for (const double lane : lanes) sum += lane;
      *c.out<T>(0) = T(static_cast<ComputeType<T>>(sum / 2));
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

void L2LossGradient(GradientContext& c) { c.set_dx(0, c.x(0) * c.dy(0)); }

const OpRegistrar l2_loss({.name = "L2Loss",
                           .inputs = {"t: T"},
                           .outputs = {"output: T"},
                           .attrs = {kFloatT},
                           .shape = ScalarShape,
                           .gradient = L2LossGradient,
                           .kernel = L2LossKernel,
                           .batch = SumBatch,
                           .doc = "sum(t^2) / 2 over all elements."});

}  // namespace

Output L2Loss(Operand t, const OpOptions& options) { return NodeBuilder("L2Loss", {t}).Name(options.name).Build(); }

}  // namespace staticflow
