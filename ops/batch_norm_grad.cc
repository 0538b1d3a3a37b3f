// FusedBatchNormGrad, FusedBatchNormGradV2 and FusedBatchNormGradV3.
#include <cmath>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/batch_norm_layout.h"
#include "ops/batch_rules.h"
#include "ops/loop_arithmetic.h"
#include "ops/math.h"

namespace staticflow {
namespace {

enum Inputs { kDy, kX, kScale, kMean, kVariance };
enum Outputs { kDx, kDscale, kDoffset, kUnused1, kUnused2 };

// FusedBatchNormGrad: with v = variance + epsilon, z = (x - mean) / sqrt(v), and sums over all but the channel,
//   doffset = sum dy,   dscale = sum dy z,
//   dx = scale / sqrt(v) (dy - doffset / n - z dscale / n) in training, where mean and variance depend on x,
//   dx = scale / sqrt(v) dy                              in inference.
absl::Status BatchNormGradShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape x, BatchNormInput(c, kX));
  SF_ASSIGN_OR_RETURN(const Shape dy, BatchNormInput(c, kDy));
  SF_ASSIGN_OR_RETURN(x, x.MergeWith(dy));
  SF_ASSIGN_OR_RETURN(const int64_t channels, BatchNormChannels(c, x, {kScale, kMean, kVariance}));
  x.set_dim(ChannelDim(x.rank(), c.attr<std::string>("data_format")), channels);
  c.set_output(kDx, std::move(x));
  c.set_output(kDscale, {channels});
  c.set_output(kDoffset, {channels});
  c.set_output(kUnused1, {0});
  c.set_output(kUnused2, {0});
  return absl::OkStatus();
}

template <typename T>
absl::Status BatchNormGrad(KernelContext& c, float epsilon, bool training, bool channels_first) {
  const BatchNormPart part(c, channels_first);
  const int64_t first = part.channels.begin, n = part.channels.end - first;
  const T *dy = c.in<T>(kDy), *x = c.in<T>(kX);
  const float *mean = c.in<float>(kMean), *variance = c.in<float>(kVariance), *scale = c.in<float>(kScale);
  SF_ASSIGN_OR_RETURN(double* scratch, c.Scratch<double>(2 * n + (3 * n + 1) / 2));
  double *sum_dy = scratch, *sum_dy_x = scratch + n;
  float *factor = reinterpret_cast<float*>(scratch + 2 * n), *shift = factor + n, *slope = shift + n;
  SumChannels(part.layout, part.channels, sum_dy, [dy](int64_t i, int64_t) { return double(Widen(dy[i])); });
  SumChannels(part.layout, part.channels, sum_dy_x,
              [=](int64_t i, int64_t ch) { return double(Widen(dy[i])) * (double(Widen(x[i])) - double{mean[ch]}); });
  const double count = static_cast<double>(part.layout.count());
  for (int64_t i = 0; i < n; ++i) {
    const float v = variance[first + i] + epsilon, root = std::sqrt(v);
    factor[i] = scale[first + i] / root;
    shift[i] = static_cast<float>(sum_dy[i] / count);
    slope[i] = static_cast<float>(sum_dy_x[i] / count / v);
    if (!part.writes_statistics) continue;
    c.out<float>(kDscale)[first + i] = static_cast<float>(sum_dy_x[i] / root);
    c.out<float>(kDoffset)[first + i] = static_cast<float>(sum_dy[i]);
  }
  T* dx = c.out<T>(kDx);
  if (!training) {
    part.ForEach([=](int64_t i, int64_t ch) { dx[i] = T(factor[ch - first] * float(Widen(dy[i]))); });
    return absl::OkStatus();
  }
  part.ForEach([=](int64_t i, int64_t ch) {
    const float centered = float(Widen(x[i])) - mean[ch];
    dx[i] = T(factor[ch - first] * (float(Widen(dy[i])) - shift[ch - first] - centered * slope[ch - first]));
  });
  return absl::OkStatus();
}

bool BatchNormGradLoop(LoopContext& c) {
  if (ChannelsFirst(c.attr<std::string>("data_format")) || !ReducesToLast(c, kX) || !ReducesToLast(c, kDy)) {
    return false;
  }
  const Lanes dy(c, kDy), centered = Lanes(c, kX) - Lanes(c, kMean);
  const Lanes sum_dy = SumRows(dy), sum_dy_x = SumRows(dy * centered);
  const Lanes v = Lanes(c, kVariance) + c.attr<float>("epsilon"), root = sqrt(v);
  const Lanes factor = Lanes(c, kScale) / root;
  c.set_output(kDscale, (sum_dy_x / root).reg());
  c.set_output(kDoffset, sum_dy.reg());
  if (!c.attr<bool>("is_training")) return c.set_output(kDx, (factor * dy).reg());
  const double n = static_cast<double>(c.rows(kX));
  return c.set_output(kDx, (factor * (dy - sum_dy / n - centered * (sum_dy_x / n / v))).reg());
}

absl::StatusOr<Kernel> BatchNormGradKernel(const KernelSetup& setup) {
  Kernel kernel;
  const float epsilon = setup.attr<float>("epsilon");
  const bool training = setup.attr<bool>("is_training");
  const bool channels_first = ChannelsFirst(setup.attr<std::string>("data_format"));
  DispatchType<float, Half, BFloat16>(setup.input_dtype(kX), [&]<typename T>() {
    kernel = [=](KernelContext& c) { return BatchNormGrad<T>(c, epsilon, training, channels_first); };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(kX));
  return kernel;
}

// The same in simpler ops, whose gradients are known.
struct ComposedGrad {
  ComposedGrad(const GradientContext& c, Output dy, Output x, Output scale, Output mean, Output variance)
      : format(c.attr<std::string>("data_format")) {
    const int rank = static_cast<int>(format.size());
    for (int i = 0; i < rank; ++i) {
      if (i != ChannelDim(rank, format)) axes.push_back(i);
    }
    const DataType dtype = x.dtype();
    if (dtype != DT_FLOAT) {
      dy = Cast(dy, DT_FLOAT);
      x = Cast(x, DT_FLOAT);
    }
    const bool training = c.attr<bool>("is_training");
    if (training) {
      mean = Mean(x, axes);
      variance = Mean(Square(x - PerChannel(mean)), axes);
    }
    const Output root = Rsqrt(variance + double{c.attr<float>("epsilon")});
    const Output z = (x - PerChannel(mean)) * PerChannel(root);
    dscale = Sum(dy * z, axes);
    doffset = Sum(dy, axes);
    Output centered = dy;
    if (training) centered = dy - PerChannel(Mean(dy, axes)) - z * PerChannel(Mean(dy * z, axes));
    dx = PerChannel(scale * root) * centered;
    if (dtype != DT_FLOAT) dx = Cast(dx, dtype);
  }

  Output PerChannel(Output v) const {
    if (!ChannelsFirst(format)) return v;
    std::vector<int64_t> dims(format.size(), 1);
    dims[1] = -1;
    return Reshape(v, dims);
  }

  std::string format;
  std::vector<int64_t> axes;
  Output dx, dscale, doffset;
};

// In training, mean and variance count as what they are: functions of x. The copies keep the inner walk within the
// composition, also where dy depends on x.
void BatchNormGradGradient(GradientContext& c) {
  std::vector<Output> copies;
  for (int i = kDy; i <= kVariance; ++i) copies.push_back(Identity(c.x(i)));
  if (!copies.back().valid()) return;
  const ComposedGrad composed(c, copies[kDy], copies[kX], copies[kScale], copies[kMean], copies[kVariance]);
  const Output results[] = {composed.dx, composed.dscale, composed.doffset};
  std::vector<Output> ys;
  GradientOptions options;
  for (int i = kDx; i <= kDoffset; ++i) {
    if (!c.has_dy(i)) continue;
    ys.push_back(results[i]);
    options.grad_ys.push_back(c.dy(i));
  }
  if (ys.empty()) return;
  const std::vector<Output> gradients = Gradients(ys, copies, options);
  for (size_t i = 0; i < gradients.size(); ++i) c.set_dx(static_cast<int>(i), gradients[i]);
}

// Through given statistics each example's gradient is its own; those of scale and offset are sums.
void BatchNormGradBatch(BatchContext& c) {
  const std::optional<BatchRows> rows = c.Agreeing({0, 1});
  if (!rows.has_value()) return;
  c.Mix(c.attr<bool>("is_training") ? "with the statistics of the batch" : "over the examples");
  if (!c.attr<bool>("is_training") && c.AreConstant(2)) c.set_output(0, *rows);
}

OpSpec BatchNormGradOp(std::string name, const std::string& u, std::vector<std::string> types, std::string formats) {
  std::vector<std::string> attrs = std::move(types);
  attrs.insert(attrs.end(), {"epsilon: float = 0.0001", std::move(formats), "is_training: bool = true"});
  return {.name = std::move(name),
          .inputs = {"y_backprop: T", "x: T", u == "T" ? "scale: T" : "scale: float", "reserve_space_1: " + u,
                     "reserve_space_2: " + u},
          .outputs = {"x_backprop: T", "scale_backprop: " + u, "offset_backprop: " + u, "reserve_space_3: " + u,
                      "reserve_space_4: " + u},
          .attrs = std::move(attrs),
          .shape = BatchNormGradShape,
          .gradient = BatchNormGradGradient,
          .kernel = BatchNormGradKernel,
          .iteration = {.split = Split::kColumns},
          .loop = BatchNormGradLoop,
          .batch = BatchNormGradBatch,
          .doc = "The gradient of FusedBatchNorm, given the statistics that normalized."};
}

OpSpec BatchNormGradV3Op() {
  OpSpec spec =
      BatchNormGradOp("FusedBatchNormGradV3", "U", {"T: {half, bfloat16, float}", "U: {float}"}, kBatchNormFormats);
  spec.inputs.push_back("reserve_space_3: U");
  spec.outputs[kUnused1] = "reserve_space_4: U";
  spec.outputs[kUnused2] = "reserve_space_5: U";
  return spec;
}

const OpRegistrar fused_batch_norm_grad(BatchNormGradOp("FusedBatchNormGrad", "T", {"T: {float}"}, kBatchNormFormats4));
const OpRegistrar fused_batch_norm_grad_v2(BatchNormGradOp("FusedBatchNormGradV2", "U",
                                                           {"T: {half, bfloat16, float}", "U: {float}"},
                                                           kBatchNormFormats4));
const OpRegistrar fused_batch_norm_grad_v3(BatchNormGradV3Op());

}  // namespace
}  // namespace staticflow
