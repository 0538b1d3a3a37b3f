// Clipping by norm, for gradients that are now and then too large. Clipping by value is ClipByValue in ops/math.h.
//
//   auto gradients = optimizer.ComputeGradients(loss);
//   train::ClipByGlobalNorm(gradients, 5.0);
//   Operation step = optimizer.ApplyGradients(gradients);
//
// Norms are L2; a tensor whose norm is at most clip_norm stays as it is (up to rounding). Not thread-safe: all of them
// add to the graph. Source: tf.clip_by_norm, tf.clip_by_average_norm, tf.clip_by_global_norm (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_TRAIN_CLIP_H_
#define STATICFLOW_OPS_TRAIN_CLIP_H_

#include <string>
#include <vector>

#include "ops/train/optimizer.h"

namespace staticflow::train {

struct ClipByNormOptions {
  std::vector<int64_t> axes = {};  // a norm for each of the rest's positions; empty: one of the whole tensor
  std::string name = "";
};
// t * clip_norm / max(|t|, clip_norm)
Output ClipByNorm(Output t, Operand clip_norm, const ClipByNormOptions& options = {});
// The same for the norm divided by the number of elements.
Output ClipByAverageNorm(Output t, Operand clip_norm, const OpOptions& options = {});

// The norm of all tensors as one vector; invalid ones are left out. Floating types.
Output GlobalNorm(absl::Span<const Output> tensors, const OpOptions& options = {});
// Each t * clip_norm / max(global norm, clip_norm), in their order; an invalid one stays invalid. All become NaN when
// the norm is not finite.
std::vector<Output> ClipByGlobalNorm(absl::Span<const Output> tensors, Operand clip_norm,
                                     const OpOptions& options = {});
// The same on the gradients in place; returns their norm before clipping. Rows of a gradient count as they are: the
// rows of one index are not added up first.
Output ClipByGlobalNorm(std::vector<GradientAndVariable>& gradients, Operand clip_norm, const OpOptions& options = {});

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_CLIP_H_
