// MaxPool, MaxPoolV2, MaxPool3D.
#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/pool.h"
#include "ops/pool_sizes.h"

namespace staticflow {
namespace {

// The window over channels: 1 where there is none. TensorFlow's rules: it is a window in two dimensions over nothing
// else, and the next begins where it ends. Strides over pixels play no part then. Unimplemented otherwise.
absl::StatusOr<int64_t> WindowOverChannels(const WindowRule& rule, absl::Span<const int64_t> ksize,
                                           absl::Span<const int64_t> strides) {
  const auto rank = static_cast<size_t>(rule.rank()), channel = static_cast<size_t>(rule.channel_dim());
  if (rule.spatial != 2 || ksize.size() != rank || strides.size() != rank || ksize[channel] <= 1) return 1;
  if (std::any_of(ksize.begin(), ksize.end(), [&](const int64_t& k) { return k != 1 && &k != &ksize[channel]; })) {
    return absl::UnimplementedError(absl::StrCat("ksize is [", absl::StrJoin(ksize, ", "),
                                                 "]: a window is over channels or over pixels, not both"));
  }
  if (strides[channel] == ksize[channel]) return ksize[channel];
  return absl::UnimplementedError(
      absl::StrCat("a window over ", ksize[channel], " channels needs as large a stride, not ", strides[channel]));
}
absl::Status CheckChannels(int64_t channels, int64_t window) {
  if (channels % window == 0) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat("a window over ", window, " channels does not divide the picture's ", channels));
}

// The window over channels, as far as the step's plan can tell; nullopt when it is computed, or unsupported.
absl::StatusOr<std::optional<int64_t>> KnownChannelWindow(ShapeContext& c, const WindowRule& rule) {
  std::optional<std::vector<int64_t>> ksize, strides;
  if (HasSizeInputs(c.node())) {
    SF_ASSIGN_OR_RETURN(ksize, c.Integers(1));
    SF_ASSIGN_OR_RETURN(strides, c.Integers(2));
    if (!ksize || !strides) return std::optional<int64_t>();
  } else {
    ksize = c.attr<std::vector<int64_t>>("ksize");
    strides = c.attr<std::vector<int64_t>>("strides");
  }
  const absl::StatusOr<int64_t> window = WindowOverChannels(rule, *ksize, *strides);
  return window.ok() ? std::optional(*window) : std::nullopt;
}

// MaxPool: y = the largest of the window's pixels inside the picture, or of its channels.
absl::Status MaxPoolShape(ShapeContext& c) {
  constexpr int64_t kUnknown = Shape::kUnknownDim;
  if (HasSizeInputs(c.node())) {
    for (int i = 1; i < 3; ++i) SF_RETURN_IF_ERROR(c.WithRank(i, 1).status());
  }
  WindowRule rule;
  const absl::StatusOr<bool> known = ReadKnownRule(c, 1, &rule);
  SF_ASSIGN_OR_RETURN(const std::optional<int64_t> window, KnownChannelWindow(c, rule));
  if (window <= 1 && !known.ok() && known.status().code() != absl::StatusCode::kUnimplemented) return known.status();
  SF_ASSIGN_OR_RETURN(const Shape in, c.WithRank(0, rule.rank()));
  PictureShape picture = ReadPicture(rule, in);
  if (window > 1) {
    if (picture.channels != kUnknown) {
      picture.channels = CheckChannels(picture.channels, *window).ok() ? picture.channels / *window : kUnknown;
    }
    c.set_output(0, WritePicture(rule, picture));
  } else if (known.value_or(false)) {
    SF_ASSIGN_OR_RETURN(Shape out, PooledShape(rule, in));
    c.set_output(0, std::move(out));
  } else {
    c.set_output(0, WritePicture(rule, {picture.batch, {kUnknown, kUnknown, kUnknown}, kUnknown}));
  }
  return absl::OkStatus();
}

// The lowest finite value.
template <typename T>
T Lowest() {
  if constexpr (std::is_same_v<T, Half>) return T(-65504.0f);
  if constexpr (std::is_same_v<T, BFloat16>) return T(-3.3895314e38f);
  if constexpr (std::is_same_v<T, ConvType<T>>) return std::numeric_limits<T>::lowest();
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
        // As in TensorFlow, no maximum is below the lowest finite number, and NaNs count for nothing.
        std::fill_n(maximum, s.channels, Lowest<T>());
        ForEachPixel(s, window, [&](int64_t pixel) {
          const T* values = x + pixel * s.channels;
          for (int64_t i = 0; i < s.channels; ++i) {
            maximum[i] = IsNewMaximum(values[i], maximum[i]) ? values[i] : maximum[i];
          }
        });
      });
    }
    return absl::OkStatus();
  }
};

// y[.., j, ..] = the largest of x[.., j * window + k, ..] over k: channels. Only a NaN at the window's front stays, as
// in TensorFlow.
template <typename T>
absl::Status PoolChannels(KernelContext& c, const WindowRule& rule, int64_t window) {
  const PictureShape picture = ReadPicture(rule, *c.input(0).shape);
  SF_RETURN_IF_ERROR(CheckChannels(picture.channels, window));
  Shape out = *c.input(0).shape;
  out.set_dim(rule.channel_dim(), picture.channels / window);
  SF_RETURN_IF_ERROR(ExpectOutput(c, 0, out));
  const int64_t pixels = picture.size[0] * picture.size[1] * picture.size[2], groups = picture.channels / window;
  const int64_t inner = rule.channels_first ? pixels : 1, outer = groups * (rule.channels_first ? 1 : pixels);
  for (int64_t o = c.range().begin * outer; o < c.range().end * outer; ++o) {
    const T* x = c.in<T>(0) + o * window * inner;
    T* y = c.out<T>(0) + o * inner;
    std::copy_n(x, inner, y);
    for (int64_t k = 1; k < window; ++k) {
      for (int64_t i = 0; i < inner; ++i) y[i] = IsNewMaximum(x[k * inner + i], y[i]) ? x[k * inner + i] : y[i];
    }
  }
  return absl::OkStatus();
}

struct RunAnyMaxPool {
  bool has_size_inputs = false;
  int64_t window = 1;  // over channels, as attributes tell

  template <typename T>
  absl::Status operator()(KernelContext& c, const WindowRule& rule) const {
    int64_t channels = window;
    if (has_size_inputs) {
      const Sizes ksize = Integers(c.input(1)), strides = Integers(c.input(2));
      SF_ASSIGN_OR_RETURN(channels, WindowOverChannels(rule, ksize, strides));
    }
    if (channels > 1) return PoolChannels<T>(c, rule, channels);
    return WithSizes<RunMaxPool>{RunMaxPool(), has_size_inputs ? 1 : 0}.template operator()<T>(c, rule);
  }
};
absl::StatusOr<Kernel> MaxPoolKernel(const KernelSetup& setup) {
  RunAnyMaxPool run{.has_size_inputs = HasSizeInputs(setup.node())};
  WindowRule rule;
  const absl::Status read = ReadWindowRule(setup.node(), &rule);
  if (!run.has_size_inputs) {
    SF_ASSIGN_OR_RETURN(run.window, WindowOverChannels(rule, setup.attr<std::vector<int64_t>>("ksize"),
                                                       setup.attr<std::vector<int64_t>>("strides")));
  }
  if (run.window == 1) SF_RETURN_IF_ERROR(read);
  return MakeRealPoolKernel(setup, setup.input_dtype(0), rule, run);
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
