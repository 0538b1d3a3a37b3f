// BatchNormalization: each channel of a batch made to have mean 0 and variance 1, then scaled and shifted.
//
//   Output h = layers::BatchNormalization(g, x, {.training = is_training});
//   ...
//   ControlDependencies after(g, g.collection(kUpdateOps));         // else the moving averages never change
//   Operation train = train::GradientDescent(g, {.learning_rate = 0.01}).Minimize(loss);
//
// In training y = gamma (x - mean) / sqrt(variance + epsilon) + beta with the statistics of the batch, and two update
// operations move the averages that inference uses: moving -= (moving - batch) (1 - momentum). Nothing runs them by
// itself: they are members of the collection update_ops.
//
//   training          statistics             update_ops
//   true              the batch's            batch_normalization/AssignMovingAvg and AssignMovingAvg_1 (AssignSub)
//   false (default)   the moving averages    none
//   a bool Output     a cond of both         .../cond_2/Merge and cond_3/Merge; fused: as for true, which in inference
//                                            subtract nothing
//
// Each channel's variance is that of the population, divided by n; the fused form, as TensorFlow's, normalizes with n
// and averages with n - 1. An empty batch has no mean: its statistics, and the averages after an update, are NaN. With
// momentum 0 the averages follow the last batch.
//
// Names, sharing, errors and thread-safety: ops/layers/layer.h. Source: Ioffe and Szegedy 2015.
#ifndef STATICFLOW_OPS_LAYERS_NORMALIZATION_H_
#define STATICFLOW_OPS_LAYERS_NORMALIZATION_H_

#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "graph/variable_scope.h"
#include "ops/layers/layer.h"
#include "ops/state.h"

namespace staticflow::layers {

// The dimension of the channels: a number, or a list of one; negative numbers count from the end.
class ChannelAxis {
 public:
  ChannelAxis(int axis) : axes_({axis}) {}                            // NOLINT
  ChannelAxis(std::vector<int64_t> axes) : axes_(std::move(axes)) {}  // NOLINT
  ChannelAxis(std::initializer_list<int64_t> axes) : axes_(axes) {}   // NOLINT
  const std::vector<int64_t>& axes() const { return axes_; }

 private:
  std::vector<int64_t> axes_;
};

struct BatchNormalizationOptions {
  ChannelAxis axis = -1;   // 1 for channels first
  double momentum = 0.99;  // the share of the old average that an update keeps
  double epsilon = 1e-3;   // added to the variance
  bool center = true;      // with beta
  bool scale = true;       // with gamma
  Training training = false;
  std::optional<bool> fused = std::nullopt;  // false: never; else one op where it can be: rank 4, channels in dimension
                                             // 1 or 3, float or 16-bit numbers
  // false: gamma and beta are not trained, and the updates do not join update_ops: the layer is frozen. `training`
  // alone still decides which statistics it uses.
  bool trainable = true;
  Initializer beta_initializer = nullptr;             // zeros
  Initializer gamma_initializer = nullptr;            // ones
  Initializer moving_mean_initializer = nullptr;      // zeros
  Initializer moving_variance_initializer = nullptr;  // ones
  Regularizer beta_regularizer = nullptr;             // its loss joins the collection regularization_losses
  Regularizer gamma_regularizer = nullptr;
  Constraint beta_constraint = nullptr;  // what optimizers apply after each update
  Constraint gamma_constraint = nullptr;
  std::string name = "";  // "": "batch_normalization"
  Reuse reuse = Reuse::kInherit;
  std::source_location where = std::source_location::current();
};
// `x` of rank 2 or more, normalized over all dimensions but `axis`; the result has its shape and type. Variables of one
// element per channel (float for 16-bit inputs): gamma, beta, moving_mean, moving_variance.
// InvalidArgument: an axis that is no dimension of x or not one number, an unknown number of channels, a momentum
// outside [0, 1], an epsilon below 0, a type that is not floating.
Output BatchNormalization(Graph& g, Output x, const BatchNormalizationOptions& options = {});

}  // namespace staticflow::layers

#endif  // STATICFLOW_OPS_LAYERS_NORMALIZATION_H_
