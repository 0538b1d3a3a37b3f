// BiasAdd, BiasAddV1 and BiasAddGrad.
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/batch_rules.h"
#include "ops/loop_arithmetic.h"
#include "ops/nn.h"
#include "ops/nn_activation.h"
#include "ops/nn_channels.h"

namespace staticflow {
namespace {

constexpr char kDataFormat[] = "data_format: {'NHWC', 'NCHW'} = 'NHWC'";

bool NodeChannelsFirst(const Node& node) {
  return node.has_attr("data_format") && ChannelsFirst(node.attr<std::string>("data_format"));
}

// BiasAdd: y[..., c] = x[..., c] + b[c].   dx = dy, db[c] = sum of dy over all but the channel.
absl::Status BiasAddShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape value, c.WithRankAtLeast(0, 2));
  SF_ASSIGN_OR_RETURN(const Shape bias, c.WithRank(1, 1));
  if (value.has_rank()) {
    const int dim = NodeChannelsFirst(c.node()) ? 1 : value.rank() - 1;
    SF_ASSIGN_OR_RETURN(const int64_t channels, c.MergeDims(value.dim(dim), bias.dim(0), "channels"));
    value.set_dim(dim, channels);
  }
  c.set_output(0, std::move(value));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> BiasAddKernel(const KernelSetup& setup) {
  Kernel kernel;
  const bool channels_first = NodeChannelsFirst(setup.node());
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() {
        kernel = [channels_first](KernelContext& c) {
          const T* x = c.in<T>(0);
          const T* bias = c.in<T>(1);
          T* y = c.out<T>(0);
          ForEachWithChannel(ChannelLayout(*c.input(0).shape, channels_first), c.range(), [=](int64_t i, int64_t ch) {
            y[i] = T(WrapAdd<ComputeType<T>>(Widen(x[i]), Widen(bias[ch])));
          });
          return absl::OkStatus();
        };
      });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

void BiasAddGradient(GradientContext& c) {
  NodeBuilder sum("BiasAddGrad", {c.dy(0)});
  if (c.node().has_attr("data_format")) sum.Attr("data_format", c.attr<std::string>("data_format"));
  c.set_dx(0, c.dy(0));
  c.set_dx(1, sum.Build());
}

bool BiasAddLoop(LoopContext& c) {
  return !NodeChannelsFirst(c.node()) && c.set_output(0, (Lanes(c, 0) + Lanes(c, 1)).reg());
}

OpSpec BiasAddOp(std::string name, std::vector<std::string> attrs, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"value: T", "bias: T"},
          .outputs = {"output: T"},
          .attrs = std::move(attrs),
          .shape = BiasAddShape,
          .gradient = BiasAddGradient,
          .kernel = BiasAddKernel,
          .traits = kInPlace,
          .iteration = {.split = Split::kFlat},
          .loop = BiasAddLoop,
          .batch = BiasBatch,
          .doc = std::move(doc)};
}

const OpRegistrar bias_add(BiasAddOp("BiasAdd", {kNumberT, kDataFormat}, "Adds a vector to every channel."));
const OpRegistrar bias_add_v1(BiasAddOp("BiasAddV1", {kNumberT}, "BiasAdd over the last dimension."));

// BiasAddGrad: db[c] = sum of dy over all but the channel.   ddy[..., c] = d[c].
absl::Status BiasAddGradShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape dy, c.WithRankAtLeast(0, 2));
  c.set_output(0, {dy.has_rank() ? dy.dim(NodeChannelsFirst(c.node()) ? 1 : -1) : Shape::kUnknownDim});
  return absl::OkStatus();
}

absl::StatusOr<Kernel> BiasAddGradKernel(const KernelSetup& setup) {
  Kernel kernel;
  const bool channels_first = NodeChannelsFirst(setup.node());
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() {
        kernel = [channels_first](KernelContext& c) -> absl::Status {
          using S = SumType<T>;
          const T* dy = c.in<T>(0);
          T* db = c.out<T>(0);
          const IndexRange channels = c.range();
          SF_ASSIGN_OR_RETURN(S * sums, c.Scratch<S>(channels.end - channels.begin));
          SumChannels(ChannelLayout(*c.input(0).shape, channels_first), channels, sums,
                      [dy](int64_t i, int64_t) { return S(Widen(dy[i])); });
          for (int64_t i = channels.begin; i < channels.end; ++i) {
            db[i] = T(static_cast<ComputeType<T>>(sums[i - channels.begin]));
          }
          return absl::OkStatus();
        };
      });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

void BiasAddGradGradient(GradientContext& c) {
  c.set_dx(0, BiasAdd(ZerosLike(c.x(0)), c.dy(0), {.data_format = c.attr<std::string>("data_format")}));
}

bool BiasAddGradLoop(LoopContext& c) {
  return !NodeChannelsFirst(c.node()) && ReducesToLast(c, 0) && c.set_output(0, c.SumRows(c.input(0)));
}

const OpRegistrar bias_add_grad({.name = "BiasAddGrad",
                                 .inputs = {"out_backprop: T"},
                                 .outputs = {"output: T"},
                                 .attrs = {kNumberT, kDataFormat},
                                 .shape = BiasAddGradShape,
                                 .gradient = BiasAddGradGradient,
                                 .kernel = BiasAddGradKernel,
                                 .iteration = {.split = Split::kFlat, .dims = "ij->j"},
                                 .loop = BiasAddGradLoop,
                                 .batch = SumBatch,
                                 .doc = "The gradient of BiasAdd by the bias."});

}  // namespace

Output BiasAdd(Operand value, Operand bias, const BiasAddOptions& options) {
  return NodeBuilder("BiasAdd", {value, bias}).Attr("data_format", options.data_format).Name(options.name).Build();
}

}  // namespace staticflow
