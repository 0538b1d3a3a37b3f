// FusedBatchNorm, FusedBatchNormV2, FusedBatchNormV3 and their builder.
#include "ops/batch_norm.h"

#include <cmath>
#include <limits>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/batch_norm_layout.h"
#include "ops/batch_rules.h"
#include "ops/loop_arithmetic.h"
#include "ops/math.h"
#include "ops/nn_composition.h"

namespace staticflow {
namespace {

enum Inputs { kX, kScale, kOffset, kMean, kVariance };
enum Outputs { kY, kBatchMean, kBatchVariance, kSavedMean, kSavedVariance, kReserve };

absl::Status BatchNormShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape x, BatchNormInput(c, kX));
  SF_ASSIGN_OR_RETURN(int64_t channels, BatchNormChannels(c, x, {kScale, kOffset}));
  // A training op that keeps no average ignores the given statistics, which are empty as a rule.
  if (!c.attr<bool>("is_training") || c.attr<float>("exponential_avg_factor") != 1) {
    SF_ASSIGN_OR_RETURN(channels, BatchNormChannels(c, x, {kScale, kOffset, kMean, kVariance}));
  } else {
    SF_RETURN_IF_ERROR(c.WithRank(kMean, 1).status());
    SF_RETURN_IF_ERROR(c.WithRank(kVariance, 1).status());
  }
  x.set_dim(ChannelDim(x.rank(), c.attr<std::string>("data_format")), channels);
  c.set_output(kY, std::move(x));
  for (int i = kBatchMean; i <= kSavedVariance; ++i) c.set_output(i, {channels});
  if (c.num_outputs() > kReserve) c.set_output(kReserve, {0});
  return absl::OkStatus();
}

struct BatchNormAttrs {
  explicit BatchNormAttrs(const Node& node)
      : epsilon(node.attr<float>("epsilon")),
        average(node.attr<float>("exponential_avg_factor")),
        training(node.attr<bool>("is_training")),
        channels_first(ChannelsFirst(node.attr<std::string>("data_format"))) {}
  float epsilon, average;
  bool training, channels_first;
};

// Mean and variance of each channel of the part, in two passes: no difference of large numbers, never negative.
template <typename T>
void ChannelMoments(const BatchNormPart& part, const T* x, double* mean, double* variance) {
  const IndexRange channels = part.channels;
  const double count = static_cast<double>(part.layout.count());
  SumChannels(part.layout, channels, mean, [x](int64_t i, int64_t) { return double(Widen(x[i])); });
  for (int64_t i = 0; i < channels.end - channels.begin; ++i) mean[i] /= count;
  SumChannels(part.layout, channels, variance, [=](int64_t i, int64_t ch) {
    const double centered = double(Widen(x[i])) - mean[ch - channels.begin];
    return centered * centered;
  });
  for (int64_t i = 0; i < channels.end - channels.begin; ++i) variance[i] /= count;
}

// Writes the statistics that a training op returns.
void WriteStatistics(KernelContext& c, const BatchNormAttrs& a, const BatchNormPart& part, const double* mean,
                     const double* variance) {
  const int64_t n = part.layout.count();
  // The estimate for the population (Bessel's correction).
  const double correction = n > 1 ? static_cast<double>(n) / static_cast<double>(n - 1) : 1;
  for (int64_t ch = part.channels.begin; ch < part.channels.end; ++ch) {
    float batch_mean = static_cast<float>(mean[ch - part.channels.begin]);
    float batch_variance = static_cast<float>(variance[ch - part.channels.begin] * correction);
    c.out<float>(kSavedMean)[ch] = n == 0 ? 0 : batch_mean;
    c.out<float>(kSavedVariance)[ch] = n == 0 ? 0 : static_cast<float>(variance[ch - part.channels.begin]);
    if (a.average != 1) {
      batch_mean = (1 - a.average) * c.in<float>(kMean)[ch] + a.average * batch_mean;
      batch_variance = (1 - a.average) * c.in<float>(kVariance)[ch] + a.average * batch_variance;
    }
    c.out<float>(kBatchMean)[ch] = batch_mean;
    c.out<float>(kBatchVariance)[ch] = batch_variance;
  }
}

// y = (x - mean) factor + offset, with factor = scale / sqrt(variance + epsilon).
template <typename T>
void Normalize(KernelContext& c, const BatchNormPart& part, const float* mean, const float* factor) {
  const T* x = c.in<T>(kX);
  const float* offset = c.in<float>(kOffset);
  T* y = c.out<T>(kY);
  const int64_t first = part.channels.begin;
  part.ForEach([=](int64_t i, int64_t ch) {
    y[i] = T((float(Widen(x[i])) - mean[ch - first]) * factor[ch - first] + offset[ch]);
  });
}

template <typename T>
absl::Status BatchNorm(KernelContext& c, const BatchNormAttrs& a) {
  const BatchNormPart part(c, a.channels_first);
  const int64_t first = part.channels.begin, n = part.channels.end - first;
  SF_ASSIGN_OR_RETURN(double* scratch, c.Scratch<double>(3 * n));
  double *mean = scratch, *variance = scratch + n;
  float *float_mean = reinterpret_cast<float*>(scratch + 2 * n), *factor = float_mean + n;
  if (a.training) {
    ChannelMoments(part, c.in<T>(kX), mean, variance);
    if (part.writes_statistics) WriteStatistics(c, a, part, mean, variance);
  } else {
    for (int64_t i = 0; i < n; ++i) {
      mean[i] = c.in<float>(kMean)[first + i];
      variance[i] = c.in<float>(kVariance)[first + i];
    }
    const bool empty = part.layout.count() == 0;
    for (int64_t i = 0; part.writes_statistics && i < n; ++i) {
      c.out<float>(kBatchMean)[first + i] = empty ? std::numeric_limits<float>::quiet_NaN() : float(mean[i]);
      c.out<float>(kBatchVariance)[first + i] = empty ? std::numeric_limits<float>::quiet_NaN() : float(variance[i]);
      c.out<float>(kSavedMean)[first + i] = empty ? 0 : float(mean[i]);
      c.out<float>(kSavedVariance)[first + i] = empty ? 0 : float(variance[i]);
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    float_mean[i] = static_cast<float>(mean[i]);
    factor[i] = c.in<float>(kScale)[first + i] / std::sqrt(static_cast<float>(variance[i]) + a.epsilon);
  }
  Normalize<T>(c, part, float_mean, factor);
  return absl::OkStatus();
}

absl::StatusOr<Kernel> BatchNormKernel(const KernelSetup& setup) {
  Kernel kernel;
  const BatchNormAttrs a(setup.node());
  DispatchType<float, Half, BFloat16>(
      setup.input_dtype(kX), [&]<typename T>() { kernel = [a](KernelContext& c) { return BatchNorm<T>(c, a); }; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(kX));
  return kernel;
}

// The same with one element per channel in lanes: the mean and variance that normalize.
struct LaneMoments {
  Lanes mean, variance;
};

LaneMoments BatchMoments(LoopContext& c, const BatchNormAttrs& a) {
  const Lanes x(c, kX);
  const double n = static_cast<double>(c.rows(kX));
  const Lanes mean = SumRows(x) / n;
  const Lanes variance = SumRows(Apply(LaneOp::kSquare, x - mean)) / n;
  Lanes batch_mean = mean, batch_variance = n > 1 ? variance * (n / (n - 1)) : variance;
  if (a.average != 1) {
    batch_mean = (1 - a.average) * Lanes(c, kMean) + a.average * batch_mean;
    batch_variance = (1 - a.average) * Lanes(c, kVariance) + a.average * batch_variance;
  }
  c.set_output(kBatchMean, batch_mean.reg());
  c.set_output(kBatchVariance, batch_variance.reg());
  return {mean, variance};
}

bool BatchNormLoop(LoopContext& c) {
  const BatchNormAttrs a(c.node());
  if (a.channels_first || c.rows(kX) == 0 || (a.training && !ReducesToLast(c, kX))) return false;
  LaneMoments moments;
  if (a.training) {
    moments = BatchMoments(c, a);
  } else {
    moments = {Lanes(c, kMean), Lanes(c, kVariance)};
    c.set_output(kBatchMean, moments.mean.reg());
    c.set_output(kBatchVariance, moments.variance.reg());
  }
  c.set_output(kSavedMean, moments.mean.reg());
  c.set_output(kSavedVariance, moments.variance.reg());
  const Lanes factor = Lanes(c, kScale) / sqrt(moments.variance + a.epsilon);
  return c.set_output(kY, ((Lanes(c, kX) - moments.mean) * factor + Lanes(c, kOffset)).reg());
}

// `v`, one element per channel, such that it broadcasts against x.
Output PerChannel(Output v, const std::string& data_format) {
  if (!ChannelsFirst(data_format)) return v;
  Shape shape = Shape::UnknownOfRank(static_cast<int>(data_format.size()));
  for (int i = 0; i < shape.rank(); ++i) shape.set_dim(i, i == 1 ? -1 : 1);
  return ReshapeTo(v, shape);
}

// Elements per channel, as a scalar.
Output CountOf(Output x, Output scale) { return Cast(SizeOf(x), DT_FLOAT) / Cast(SizeOf(scale), DT_FLOAT); }

// What flows to x through the returned statistics of a training op: mean = sum x / n, variance = sum (x - mean)^2 / m
// with m = max(n - 1, 1).
Output ThroughStatistics(const GradientContext& c) {
  const std::string& format = c.attr<std::string>("data_format");
  const float average = c.attr<float>("exponential_avg_factor");
  const Output x = c.x(kX).dtype() == DT_FLOAT ? c.x(kX) : Cast(c.x(kX), DT_FLOAT);
  const Output count = CountOf(x, c.x(kScale));
  Output dx = ZerosLike(x);
  if (c.has_dy(kBatchMean)) dx = dx + PerChannel(c.dy(kBatchMean) * average / count, format);
  if (c.has_dy(kBatchVariance)) {
    const Output weight = c.dy(kBatchVariance) * (2 * average) / Maximum(count - 1, 1);
    // Not the saved mean: to that no gradient flows, and the gradient of this one would lack what the mean adds.
    std::vector<int64_t> axes;
    for (int i = 0; i < static_cast<int>(format.size()); ++i) {
      if (i != ChannelDim(static_cast<int>(format.size()), format)) axes.push_back(i);
    }
    dx = dx + PerChannel(weight, format) * (x - Mean(x, axes, {.keep_dims = true}));
  }
  return x == c.x(kX) ? dx : Cast(dx, c.x(kX).dtype());
}

// What flows to the given statistics: they are part of the returned ones.
void GivenStatisticsGradient(GradientContext& c, float share) {
  if (share == 0) return;
  if (c.has_dy(kBatchMean)) c.set_dx(kMean, c.dy(kBatchMean) * share);
  if (c.has_dy(kBatchVariance)) c.set_dx(kVariance, c.dy(kBatchVariance) * share);
}

// FusedBatchNorm: y = (x - mean) scale / sqrt(variance + epsilon) + offset.   dx, dscale, doffset: see
// FusedBatchNormGrad.
void BatchNormGradient(GradientContext& c) {
  const bool training = c.attr<bool>("is_training");
  const std::string& type = c.node().type();
  if (c.has_dy(kY)) {
    const bool v3 = c.num_outputs() > kReserve;
    const absl::string_view grad_type = v3                           ? "FusedBatchNormGradV3"
                                        : type == "FusedBatchNormV2" ? "FusedBatchNormGradV2"
                                                                     : "FusedBatchNormGrad";
    NodeBuilder builder(grad_type, {c.dy(kY), c.x(kX), c.x(kScale), training ? c.y(kSavedMean) : c.x(kMean),
                                    training ? c.y(kSavedVariance) : c.x(kVariance)});
    if (v3) builder.Input(c.y(kReserve));
    Node* node = builder.Attr("epsilon", c.attr<float>("epsilon"))
                     .Attr("data_format", c.attr<std::string>("data_format"))
                     .Attr("is_training", training)
                     .BuildNode();
    if (node == nullptr) return;
    for (int i = kX; i <= kOffset; ++i) c.set_dx(i, node->output(i));
  }
  if (training && (c.has_dy(kBatchMean) || c.has_dy(kBatchVariance))) {
    const Output dx = ThroughStatistics(c);
    c.set_dx(kX, c.dx(kX).valid() ? c.dx(kX) + dx : dx);
  }
  GivenStatisticsGradient(c, training ? 1 - c.attr<float>("exponential_avg_factor") : 1);
}

// With the batch's statistics examples meet, unless each has a channel of its own.
void BatchNormBatch(BatchContext& c) {
  const BatchRows rows = c.input(kX);
  if (!rows.is_rows() || !c.AreConstant(kScale)) return c.SetWorst();
  c.set_all(BatchRows::Constant());
  if (c.attr<bool>("is_training")) {
    const int rank = c.input_shape(kX).rank();
    if (rank < 0 || rows.axis != ChannelDim(rank, c.attr<std::string>("data_format"))) {
      return c.Mix("with the statistics of the batch");
    }
    for (int i = kBatchMean; i <= kSavedVariance; ++i) c.set_output(i, rows.At(0));
  }
  c.set_output(kY, rows);
}

OpSpec BatchNormOp(std::string name, std::string u, std::vector<std::string> types, std::string formats) {
  const auto vector = [&u](absl::string_view argument) { return absl::StrCat(argument, ": ", u); };
  std::vector<std::string> attrs = std::move(types);
  attrs.insert(attrs.end(), {"epsilon: float = 0.0001", "exponential_avg_factor: float = 1.0", std::move(formats),
                             "is_training: bool = true"});
  return {.name = std::move(name),
          .inputs = {"x: T", vector("scale"), vector("offset"), vector("mean"), vector("variance")},
          .outputs = {"y: T", vector("batch_mean"), vector("batch_variance"), vector("reserve_space_1"),
                      vector("reserve_space_2")},
          .attrs = std::move(attrs),
          .shape = BatchNormShape,
          .gradient = BatchNormGradient,
          .kernel = BatchNormKernel,
          .iteration = {.split = Split::kColumns},
          .loop = BatchNormLoop,
          .batch = BatchNormBatch,
          .doc = "Batch normalization with the batch's or with given statistics."};
}

OpSpec BatchNormV3Op() {
  OpSpec spec = BatchNormOp("FusedBatchNormV3", "U", {"T: {half, bfloat16, float}", "U: {float}"}, kBatchNormFormats);
  spec.outputs.push_back("reserve_space_3: U");
  return spec;
}

const OpRegistrar fused_batch_norm(BatchNormOp("FusedBatchNorm", "T", {"T: {float}"}, kBatchNormFormats4));
const OpRegistrar fused_batch_norm_v2(BatchNormOp("FusedBatchNormV2", "U", {"T: {half, bfloat16, float}", "U: {float}"},
                                                  kBatchNormFormats4));
const OpRegistrar fused_batch_norm_v3(BatchNormV3Op());

}  // namespace

FusedBatchNormResult FusedBatchNorm(Operand x, Operand scale, Operand offset, Output mean, Output variance,
                                    const FusedBatchNormOptions& options) {
  if (!x.output().valid()) return {};
  const auto given = [&](Output statistics) {
    return statistics.valid() ? statistics : Const(x.output().graph(), Tensor::Vector<float>({}));
  };
  Node* node = NodeBuilder("FusedBatchNormV3", {x, scale, offset, given(mean), given(variance)})
                   .Attr("epsilon", options.epsilon)
                   .Attr("exponential_avg_factor", options.exponential_avg_factor)
                   .Attr("data_format", options.data_format)
                   .Attr("is_training", options.is_training)
                   .Name(options.name)
                   .BuildNode();
  if (node == nullptr) return {};
  return {node->output(kY), node->output(kBatchMean), node->output(kBatchVariance)};
}

FusedBatchNormResult FusedBatchNorm(Operand x, Operand scale, Operand offset, const FusedBatchNormOptions& options) {
  return FusedBatchNorm(x, scale, offset, Output(), Output(), options);
}

}  // namespace staticflow
