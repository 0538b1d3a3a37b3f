#include "ops/layers/normalization.h"

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/batch_norm.h"
#include "ops/initializers.h"
#include "ops/layers/layer_scope.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/nn_composition.h"
#include "ops/state.h"

namespace staticflow::layers {
namespace {

// The variables of one layer; gamma and beta may be missing.
struct Weights {
  Variable gamma, beta, moving_mean, moving_variance;
  bool complete = false;
};

Initializer Or(const Initializer& given, const Initializer& fallback) { return given ? given : fallback; }

Weights MakeWeights(const LayerScope& layer, DataType dtype, int64_t channels,
                    const BatchNormalizationOptions& options) {
  const Initializer zeros = initializers::Zeros(), ones = initializers::Ones();
  const auto make = [&](const char* name, const Initializer& initializer, bool trainable,
                        const Regularizer& regularizer, const Constraint& constraint) {
    return layer.Weight(name, {.dtype = dtype,
                               .shape = {channels},
                               .initializer = initializer,
                               .trainable = trainable,
                               .regularizer = regularizer,
                               .constraint = constraint});
  };
  Weights w;
  if (options.scale) {
    w.gamma = make("gamma", Or(options.gamma_initializer, ones), options.trainable, options.gamma_regularizer,
                   options.gamma_constraint);
  }
  if (options.center) {
    w.beta = make("beta", Or(options.beta_initializer, zeros), options.trainable, options.beta_regularizer,
                  options.beta_constraint);
  }
  w.moving_mean = make("moving_mean", Or(options.moving_mean_initializer, zeros), false, nullptr, nullptr);
  w.moving_variance = make("moving_variance", Or(options.moving_variance_initializer, ones), false, nullptr, nullptr);
  w.complete = w.gamma.snapshot.valid() == options.scale && w.beta.snapshot.valid() == options.center &&
               w.moving_mean.snapshot.valid() && w.moving_variance.snapshot.valid();
  return w;
}

// moving -= (moving - batch) * decay. `decay` builds its tensor inside the update's name scope.
template <typename Decay>
Output MoveAverage(Graph& g, const Variable& moving, Output batch, Decay decay) {
  const NameScope scope(g, "AssignMovingAvg");
  const Output rate = decay();
  const Output difference = Cast(batch, moving.dtype);
  const Output delta = Mul(Sub(moving.snapshot, difference, {.name = "sub"}), rate, {.name = "mul"});
  return AssignSub(moving.ref(), delta, {.name = moving.is_resource ? "" : scope.name()});
}

void AddUpdate(Graph& g, Output update, bool is_resource_write) {
  if (!update.valid()) return;
  // A resource's update is followed by a read; what has to run is the write.
  Node* node = update.node();
  g.AddToCollection(kUpdateOps, Operation(is_resource_write ? node->control_inputs()[0] : node));
}

// ---- One op ----

Output Fused(const LayerScope& layer, Output x, int axis, const Weights& w, const BatchNormalizationOptions& options) {
  Graph& g = layer.graph();
  const auto constant = [&](float value) {
    return Const(g, Tensor::Of<float>(w.moving_mean.shape,
                                      std::vector<float>(static_cast<size_t>(w.moving_mean.shape.dim(0)), value)));
  };
  const Output gamma = options.scale ? w.gamma.snapshot : constant(1);
  const Output beta = options.center ? w.beta.snapshot : constant(0);
  const auto normalize = [&](bool training) {
    const FusedBatchNormResult bn = FusedBatchNorm(x, gamma, beta, w.moving_mean.snapshot, w.moving_variance.snapshot,
                                                   {.epsilon = static_cast<float>(options.epsilon),
                                                    .is_training = training,
                                                    .data_format = axis == 1 ? "NCHW" : "NHWC"});
    return std::vector<Output>{bn.y, bn.batch_mean, bn.batch_variance};
  };
  const std::vector<Output> result =
      options.training.Choose([&] { return normalize(true); }, [&] { return normalize(false); });
  if (result.size() != 3 || !result[0].valid()) return Output();
  if (options.training.known() == false) return result[0];

  // In inference the averages keep all of themselves.
  const auto number = [&g](double value) { return Const(g, static_cast<float>(value)); };
  const Output momentum = options.training.Choose([&]() -> Output { return number(options.momentum); },
                                                  [&]() -> Output { return number(1); });
  const auto decay = [&]() -> Output { return Sub(1.0, momentum, {.name = "sub"}); };
  for (const auto& [moving, batch] : {std::pair(w.moving_mean, result[1]), std::pair(w.moving_variance, result[2])}) {
    const Output update = MoveAverage(g, moving, batch, decay);
    if (options.trainable) AddUpdate(g, update, moving.is_resource);
  }
  return result[0];
}

// ---- Moments, averages and arithmetic ----

// [channels] as a shape that broadcasts against x, which it does by itself when the channels come last.
Output Broadcast(Output value, int axis, int rank) {
  if (!value.valid() || axis == rank - 1) return value;
  std::vector<int64_t> dims(static_cast<size_t>(rank), 1);
  dims[static_cast<size_t>(axis)] = value.shape().dim(0);
  return Reshape(value, dims);
}

Output Decomposed(const LayerScope& layer, Output x, int axis, const Weights& w,
                  const BatchNormalizationOptions& options) {
  Graph& g = layer.graph();
  const int rank = x.shape().rank();
  const Output scale = Broadcast(w.gamma.snapshot, axis, rank), offset = Broadcast(w.beta.snapshot, axis, rank);
  Output mean = w.moving_mean.snapshot, variance = w.moving_variance.snapshot;
  if (options.training.known() != false) {
    std::vector<int64_t> axes;
    for (int i = 0; i < rank; ++i) {
      if (i != axis) axes.push_back(i);
    }
    const MomentsResult batch = Moments(Cast(x, w.moving_mean.dtype), axes);
    if (!batch.mean.valid() || !batch.variance.valid()) return Output();
    const auto choose = [&](Output of_batch, Output moving) {
      return options.training.Choose([=]() -> Output { return of_batch; }, [=]() -> Output { return moving; });
    };
    mean = choose(batch.mean, mean);
    variance = choose(batch.variance, variance);
    if (!mean.valid() || !variance.valid()) return Output();
    const auto update = [&](const Variable& moving, Output statistic) {
      const auto decay = [&]() -> Output {
        return Const(g, ScalarOf(moving.dtype, 1 - options.momentum), {.name = "decay"});
      };
      const Output updated =
          options.training.Choose([&]() -> Output { return MoveAverage(g, moving, statistic, decay); },
                                  [&]() -> Output { return moving.snapshot; });
      if (options.trainable) AddUpdate(g, updated, moving.is_resource && options.training.known().has_value());
    };
    update(w.moving_mean, mean);
    update(w.moving_variance, variance);
  }
  const auto fit = [&](Output value) {
    return value.valid() ? Broadcast(Cast(value, x.dtype()), axis, rank) : Output();
  };
  const auto as_x = [&](Output value) { return value.valid() ? Cast(value, x.dtype()) : Output(); };
  return staticflow::BatchNormalization(x, fit(mean), fit(variance), as_x(offset), as_x(scale), options.epsilon);
}

}  // namespace

Output BatchNormalization(Graph& g, Output x, const BatchNormalizationOptions& options) {
  const LayerScope layer(g, {"BatchNormalization", "batch_normalization", options.name, options.reuse, options.where});
  if (!layer.Accepts(x, 2, Shape::kMaxKernelRank)) return Output();
  if (options.axis.axes().size() != 1) {
    return layer.Fail(absl::StrCat(".axis has ", options.axis.axes().size(), " dimensions, expected one"));
  }
  const absl::StatusOr<int> axis = NormalizeAxis(options.axis.axes()[0], x.shape().rank());
  if (!axis.ok()) return layer.Fail(axis.status().message());
  const int64_t channels = x.shape().dim(*axis);
  if (channels < 0) {
    return layer.Fail(absl::StrCat("the input has shape ", x.shape().ToString(),
                                   ", expected a known number of channels in dimension ", *axis));
  }
  if (!(options.momentum >= 0 && options.momentum <= 1)) {
    return layer.Fail(absl::StrCat(".momentum is ", options.momentum, ", expected a number in [0, 1]"));
  }
  if (!(options.epsilon >= 0)) return layer.Fail(absl::StrCat(".epsilon is ", options.epsilon, ", expected 0 or more"));
  if (!options.training.known().has_value() && !options.training.value().valid()) {
    return layer.Fail(".training is no output of any node");
  }
  const bool narrow = x.dtype() == DT_HALF || x.dtype() == DT_BFLOAT16;
  const Weights weights = MakeWeights(layer, narrow ? DT_FLOAT : x.dtype(), channels, options);
  if (!weights.complete) return Output();
  const bool fused = options.fused.value_or(true) && x.shape().rank() == 4 && (*axis == 1 || *axis == 3) &&
                     (narrow || x.dtype() == DT_FLOAT);
  return fused ? Fused(layer, x, *axis, weights, options) : Decomposed(layer, x, *axis, weights, options);
}

}  // namespace staticflow::layers
