// ClipByValue. Contract: ops/math_binary.h.
#include "ops/array.h"
#include "ops/elementwise.h"
#include "ops/loop_arithmetic.h"
#include "ops/math_binary.h"
#include "ops/math_reduction.h"

namespace staticflow {
namespace {

absl::Status ClipShape(ShapeContext& c) {
  Shape shape = c.input(0);
  for (int i = 1; i <= 2; ++i) {
    if (c.input(i).IsScalar()) continue;
    const absl::StatusOr<Shape> merged = shape.MergeWith(c.input(i));
    // A bound of unknown rank may still be a scalar: it tells nothing then.
    if (!c.input(i).has_rank()) continue;
    if (!merged.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(i == 1 ? "clip_value_min" : "clip_value_max",
                                                     " must be a scalar or have the shape of t, ", shape.ToString(),
                                                     ", not ", c.input(i).ToString()));
    }
    shape = *merged;
  }
  c.set_output(0, shape);
  return absl::OkStatus();
}

absl::StatusOr<Kernel> ClipKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() {
        kernel = [](KernelContext& c) {
          const T* low = c.in<T>(1);
          const T* high = c.in<T>(2);
          const int64_t low_step = c.input(1).rank() > 0, high_step = c.input(2).rank() > 0;
          const auto [begin, end] = c.range();
          for (int64_t i = begin; i < end; ++i) {
            const auto x = Widen(c.in<T>(0)[i]), least = Widen(low[i * low_step]), most = Widen(high[i * high_step]);
            const auto below = x > most ? most : x;
            c.out<T>(0)[i] = T(below < least ? least : below);
          }
          return absl::OkStatus();
        };
      });
  if (kernel == nullptr) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

// ClipByValue: y = max(min(t, high), low).   dt = dy where low <= t <= high; each bound gets dy where t is beyond it.
void ClipGradient(GradientContext& c) {
  const Output t = c.x(0), dy = c.dy(0);
  const Output below = Less(t, c.x(1)), above = Greater(t, c.x(2));
  c.set_dx(0, Where(LogicalOr(below, above), 0, dy));
  c.set_dx(1, SumToShapeOf(Where(below, dy, 0), c.x(1), t));
  c.set_dx(2, SumToShapeOf(Where(above, dy, 0), c.x(2), t));
}
bool ClipLoop(LoopContext& c) {
  const Lanes x(c, 0), least(c, 1), most(c, 2);
  const Lanes below = Choose(x > most, most, x);
  return c.set_output(0, Choose(below < least, least, below).reg());
}
const OpRegistrar clip_by_value_op({.name = "ClipByValue",
                                    .inputs = {"t: T", "clip_value_min: T", "clip_value_max: T"},
                                    .outputs = {"output: T"},
                                    .attrs = {kNumberT},
                                    .shape = ClipShape,
                                    .gradient = ClipGradient,
                                    .kernel = &ClipKernel,
                                    .traits = kElementwise | kInPlace,
                                    .iteration = {.split = Split::kFlat},
                                    .loop = ClipLoop,
                                    .doc = "Every element cut to an interval."});

}  // namespace

Output ClipByValue(Operand t, Operand low, Operand high, const OpOptions& o) {
  if (t.is_number() || !t.output().valid()) return Output();
  NameScope scope(t.output().graph(), o.name.empty() ? "clip_by_value" : o.name);
  const Operand at_most = Operand(Minimum(t, high), t.where());
  return Maximum(at_most, low, {.name = scope.name()});
}

}  // namespace staticflow
