// MaxPool, MaxPoolV2, MaxPool3D.
#include "ops/batch_rules.h"
#include "ops/pool.h"
#include "ops/pool_sizes.h"

namespace staticflow {
namespace {

// MaxPool: y = the largest of the window's pixels inside the picture.
absl::Status MaxPoolShape(ShapeContext& c) {
  WindowRule rule;
  SF_ASSIGN_OR_RETURN(const bool known, ReadKnownRule(c, 1, &rule));
  SF_ASSIGN_OR_RETURN(const Shape in, c.WithRank(0, rule.rank()));
  if (known) {
    SF_ASSIGN_OR_RETURN(Shape out, PooledShape(rule, in));
    c.set_output(0, std::move(out));
  } else {
    const PictureShape picture = ReadPicture(rule, in);
    constexpr int64_t kUnknown = Shape::kUnknownDim;
    c.set_output(0, WritePicture(rule, {picture.batch, {kUnknown, kUnknown, kUnknown}, picture.channels}));
  }
  return absl::OkStatus();
}

struct RunMaxPool {
  template <typename T>
  absl::Status operator()(KernelContext& c, const PoolShape& s) const {
    const IndexRange pictures = Pictures(s, c.range());
    for (int64_t p = pictures.begin; p < pictures.end; ++p) {
      const T* x = c.in<T>(0) + p * s.in_elements();
      T* y = c.out<T>(0) + p * s.out_elements();
      ForEachWindow(s, [&](int64_t out, const PoolWindow& window) {
        T* maximum = y + out * s.channels;
        bool first = true;
        ForEachPixel(s, window, [&](int64_t pixel) {
          const T* values = x + pixel * s.channels;
          if (first) std::copy_n(values, s.channels, maximum);
          first = false;
          for (int64_t i = 0; i < s.channels; ++i) {
            maximum[i] = IsNewMaximum(values[i], maximum[i]) ? values[i] : maximum[i];
          }
        });
      });
    }
    return absl::OkStatus();
  }
};
absl::StatusOr<Kernel> MaxPoolKernel(const KernelSetup& setup) {
  return MakeMaxPoolKernel(setup, setup.input_dtype(0), RunMaxPool());
}

void MaxPoolGradient(GradientContext& c) {
  if (HasSizeInputs(c.node())) {
    c.set_dx(0, PoolLike(c.node(), "MaxPoolGradV2", {c.x(0), c.y(0), c.dy(0), c.x(1), c.x(2)}).Build());
  } else {
    const bool is_3d = c.node().attr<std::string>("data_format").size() == 5;
    c.set_dx(0, PoolLike(c.node(), is_3d ? "MaxPool3DGrad" : "MaxPoolGrad", {c.x(0), c.y(0), c.dy(0)}).Build());
  }
}

OpSpec MaxPoolOp(std::string name, std::vector<std::string> inputs, std::vector<std::string> attrs, std::string doc) {
  return {.name = std::move(name),
          .inputs = std::move(inputs),
          .outputs = {"output: T"},
          .attrs = std::move(attrs),
          .shape = MaxPoolShape,
          .gradient = MaxPoolGradient,
          .kernel = MaxPoolKernel,
          .iteration = {.split = Split::kRows},
          .batch = LeadingBatch,
          .doc = std::move(doc)};
}
constexpr char kPooled[] = "T: {half, bfloat16, float, double, int32, int64, uint8, int16, int8, uint16} = float";
const OpRegistrar max_pool(MaxPoolOp("MaxPool", {"input: T"}, ExplicitAttrs(kPooled),
                                     "The maximum over windows of pictures."));
const OpRegistrar max_pool_v2(MaxPoolOp("MaxPoolV2", {"input: T", "ksize: int32", "strides: int32"},
                                        SizeInputAttrs(kPooled), "MaxPool with the window's sizes as inputs."));
const OpRegistrar max_pool_3d(MaxPoolOp("MaxPool3D", {"input: T"}, Pool3DAttrs("T: {half, bfloat16, float}"),
                                        "The maximum over windows of pictures with depth."));

}  // namespace

Output MaxPool(Operand input, const PoolOptions& options) {
  return WithPoolOptions(NodeBuilder("MaxPool", {input}), options)
      .Attr("explicit_paddings", options.explicit_paddings)
      .Build();
}

Output MaxPool3D(Operand input, const Pool3DOptions& options) {
  return WithPoolOptions(NodeBuilder("MaxPool3D", {input}), options).Build();
}

}  // namespace staticflow
