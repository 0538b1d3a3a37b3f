#include "ops/train/clip.h"

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/nn.h"

namespace staticflow::train {
namespace {

std::string ScopeName(const std::string& name, const char* fallback) { return name.empty() ? fallback : name; }

// What every tensor is multiplied by: min(clip_norm / norm, 1), NaN where the norm is not finite.
Output Scale(Output norm, const Operand& clip_norm) {
  const Output scale = Mul(Minimum(RealDiv(1, norm), RealDiv(OnesLike(norm), clip_norm)), clip_norm);
  return scale + (norm - norm);
}

}  // namespace

Output ClipByNorm(Output t, Operand clip_norm, const ClipByNormOptions& options) {
  if (!t.valid()) return Output();
  const NameScope scope(t.graph(), ScopeName(options.name, "clip_by_norm"));
  const Output sum = options.axes.empty() ? Sum(Mul(t, t)) : Sum(Mul(t, t), options.axes, {.keep_dims = true});
  // The root of 0 has no gradient; such a tensor needs no clipping.
  const Output positive = Greater(sum, 0);
  const Output norm = Where(positive, Sqrt(Where(positive, sum, 1)), sum);
  return Identity(Mul(t, clip_norm) / Maximum(norm, clip_norm), {.name = scope.name()});
}

Output ClipByAverageNorm(Output t, Operand clip_norm, const OpOptions& options) {
  if (!t.valid()) return Output();
  const NameScope scope(t.graph(), ScopeName(options.name, "clip_by_average_norm"));
  const Output inverse = Mul(Rsqrt(Sum(Mul(t, t))), Cast(SizeOf(t), t.dtype()));
  const Output limit = RealDiv(OnesLike(inverse), clip_norm);
  return Identity(Mul(Mul(t, clip_norm), Minimum(inverse, limit)), {.name = scope.name()});
}

Output GlobalNorm(absl::Span<const Output> tensors, const OpOptions& options) {
  std::vector<Output> halves;
  std::optional<NameScope> scope;
  for (Output t : tensors) {
    if (!t.valid()) continue;
    if (!scope.has_value()) scope.emplace(t.graph(), ScopeName(options.name, "global_norm"));
    halves.push_back(L2Loss(t));
  }
  if (halves.empty()) return Output();
  return Sqrt(Mul(Sum(Stack(halves)), 2), {.name = "global_norm"});
}

std::vector<Output> ClipByGlobalNorm(absl::Span<const Output> tensors, Operand clip_norm, const OpOptions& options) {
  std::vector<Output> clipped(tensors.begin(), tensors.end());
  const Output norm = GlobalNorm(tensors);
  if (!norm.valid()) return clipped;
  const NameScope scope(norm.graph(), ScopeName(options.name, "clip_by_global_norm"));
  const Output scale = Scale(norm, clip_norm);
  for (Output& t : clipped) {
    if (t.valid()) t = Mul(t, t.dtype() == scale.dtype() ? scale : Cast(scale, t.dtype()));
  }
  return clipped;
}

Output ClipByGlobalNorm(std::vector<GradientAndVariable>& gradients, Operand clip_norm, const OpOptions& options) {
  std::vector<Output> tensors;
  for (const GradientAndVariable& item : gradients) tensors.push_back(item.gradient);
  const Output norm = GlobalNorm(tensors);
  if (!norm.valid()) return norm;
  const NameScope scope(norm.graph(), ScopeName(options.name, "clip_by_global_norm"));
  const Output scale = Scale(norm, clip_norm);
  for (GradientAndVariable& item : gradients) {
    Output& t = item.gradient;
    if (t.valid()) t = Mul(t, t.dtype() == scale.dtype() ? scale : Cast(scale, t.dtype()));
  }
  return norm;
}

}  // namespace staticflow::train
