// RGBToHSV, HSVToRGB, AdjustHue, AdjustSaturation, AdjustContrastv2 and AdjustContrast. Contracts: ops/image.h.
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/image.h"
#include "ops/math.h"

namespace staticflow {
namespace {

// A color: red, green, blue; or hue, saturation, value.
template <typename A>
using Color = std::array<A, 3>;

// The hue in [0, 1): the sixth of the circle of colors that the largest component says, and the way within it.
template <typename A>
A HueOf(const Color<A>& rgb, A largest, A range) {
  if (!(range > 0)) return 0;
  const A norm = A(1) / (6 * range);
  const auto [r, g, b] = rgb;
  A hue = norm * (r - g) + A(4) / 6;
  if (r == largest) {
    hue = norm * (g - b);
  } else if (g == largest) {
    hue = norm * (b - r) + A(2) / 6;
  }
  return hue < 0 ? hue + 1 : hue;
}

template <typename A>
Color<A> ToHsv(const Color<A>& rgb) {
  const A largest = std::max({rgb[0], rgb[1], rgb[2]}), range = largest - std::min({rgb[0], rgb[1], rgb[2]});
  return {HueOf(rgb, largest, range), largest > 0 ? range / largest : A(0), largest};
}

// How much of the full color each component has at a hue.
template <typename A>
Color<A> PureColor(A hue) {
  const A h = hue * 6;
  const auto clamp = [](A x) { return std::clamp(x, A(0), A(1)); };
  return {clamp(std::abs(h - 3) - 1), clamp(2 - std::abs(h - 2)), clamp(2 - std::abs(h - 4))};
}

template <typename A>
Color<A> ToRgb(const Color<A>& hsv) {
  Color<A> rgb = PureColor(hsv[0]);
  for (A& component : rgb) component = (1 - hsv[1] + hsv[1] * component) * hsv[2];
  return rgb;
}

// Turns the hue by `delta`; the largest and the smallest component stay what they are.
Color<float> WithHueTurned(const Color<float>& rgb, float delta) {
  const float largest = std::max({rgb[0], rgb[1], rgb[2]}), smallest = std::min({rgb[0], rgb[1], rgb[2]});
  float hue = std::fmod(HueOf(rgb, largest, largest - smallest) + delta, 1.0f);
  if (hue < 0) hue += 1;
  Color<float> turned = PureColor(hue);
  for (float& component : turned) component = smallest + component * (largest - smallest);
  return turned;
}

Color<float> WithSaturationScaled(const Color<float>& rgb, float scale) {
  Color<float> hsv = ToHsv(rgb);
  hsv[1] = std::min(1.0f, std::max(0.0f, hsv[1] * scale));
  return ToRgb(hsv);
}

absl::Status ColorShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRankAtLeast(0, 1));
  if (c.num_inputs() == 2) {
    SF_ASSIGN_OR_RETURN(shape, c.WithRankAtLeast(0, 3));
    SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  }
  if (shape.has_rank()) {
    const absl::StatusOr<int64_t> channels = c.MergeDims(shape.dim(-1), 3, "channels");
    // As in TensorFlow: what only the step shows contradicts its state, not the graph.
    const Shape& declared = c.node().input(0).shape();
    const bool at_run = c.num_inputs() == 1 && (!declared.has_rank() || declared.dim(-1) < 0);
    if (!channels.ok() && at_run) return absl::FailedPreconditionError(channels.status().message());
    SF_RETURN_IF_ERROR(channels.status());
    shape.set_dim(shape.rank() - 1, 3);
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

// The kernel that replaces each color by f(color, the scalar input 1 if there is one).
template <typename F>
absl::StatusOr<Kernel> ColorKernel(const KernelSetup& setup, F f) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [f](KernelContext& c) {
      using A = ComputeType<T>;
      const float scalar = c.num_inputs() == 2 ? c.scalar<float>(1) : 0.0f;
      const T* x = c.in<T>(0);
      T* y = c.out<T>(0);
      for (int64_t i = 0; i < c.output(0).num_elements; i += 3) {
        const Color<A> color = f(Color<A>{A(Widen(x[i])), A(Widen(x[i + 1])), A(Widen(x[i + 2]))}, scalar);
        for (int k = 0; k < 3; ++k) y[i + k] = T(color[k]);
      }
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

absl::StatusOr<Kernel> ToHsvKernel(const KernelSetup& setup) {
  return ColorKernel(setup, [](const auto& color, float) { return ToHsv(color); });
}
absl::StatusOr<Kernel> ToRgbKernel(const KernelSetup& setup) {
  return ColorKernel(setup, [](const auto& color, float) { return ToRgb(color); });
}
// The float computation for whatever type the image has.
template <Color<float> (*adjust)(const Color<float>&, float)>
absl::StatusOr<Kernel> AdjustKernel(const KernelSetup& setup) {
  return ColorKernel(setup, []<typename A>(const Color<A>& color, float scalar) {
    const Color<float> adjusted = adjust({float(color[0]), float(color[1]), float(color[2])}, scalar);
    return Color<A>{A(adjusted[0]), A(adjusted[1]), A(adjusted[2])};
  });
}

// RGBToHSV. With v the largest and m the smallest component and d = v - m, where e_v and e_m pick those two:
//   value = v                       dx += dvalue e_v
//   saturation = 1 - m / v          dx += dsaturation (m / v^2 e_v - e_m / v)
//   hue = (a - b) / (6 d) + const   dx += dhue ((e_a - e_b) / (6 d) - (a - b) / (6 d^2) (e_v - e_m))
// As in TensorFlow, saturation gives nothing to components that are not positive, and nothing comes from hue where d is
// 0 or v is not positive. Of equal components the first is the largest and the last the smallest.
void ToHsvGradient(GradientContext& c) {
  const Output x = c.x(0), dy = c.dy(0);
  const auto column = [](Output t, int64_t i) {
    return StridedSlice(t, {0, i}, {0, i + 1}, {1, 1}, {.begin_mask = 1, .end_mask = 1, .ellipsis_mask = 1});
  };
  const auto join = [](Output r, Output g, Output b) { return Concat({r, g, b}, -1); };
  const auto mask = [&](Output condition) { return Cast(condition, x.dtype()); };
  const Output r = column(x, 0), g = column(x, 1), b = column(x, 2);
  if (!r.valid() || !g.valid() || !b.valid()) return;
  const Output v = Maximum(r, Maximum(g, b)), m = Minimum(r, Minimum(g, b)), d = v - m;
  const Output red = mask(Equal(r, v)), green = mask(Equal(g, v)) * (1.0 - red), blue = 1.0 - red - green;
  const Output least_blue = mask(Equal(b, m)), least_green = mask(Equal(g, m)) * (1.0 - least_blue);
  const Output largest = join(red, green, blue);
  const Output smallest = join(1.0 - least_blue - least_green, least_green, least_blue);
  const Output dsaturation = mask(Greater(x, 0)) * (largest * DivNoNan(m, v * v) - smallest * DivNoNan(OnesLike(v), v));
  // a - b is g - b, b - r or r - g.
  const Output e_a_minus_e_b = join(blue - green, red - blue, green - red);
  const Output a_minus_b = red * (g - b) + green * (b - r) + blue * (r - g);
  const Output six_d = d * 6.0;
  const Output dhue =
      mask(Greater(v, 0)) * (DivNoNan(e_a_minus_e_b, six_d) - DivNoNan(a_minus_b, six_d * d) * (largest - smallest));
  c.set_dx(0, column(dy, 0) * dhue + column(dy, 1) * dsaturation + column(dy, 2) * largest);
}

constexpr char kColorT[] = "T: {half, bfloat16, float, double} = float";
constexpr char kAdjustT[] = "T: {half, float} = float";

const OpRegistrar to_hsv({.name = "RGBToHSV",
                          .inputs = {"images: T"},
                          .outputs = {"output: T"},
                          .attrs = {kColorT},
                          .shape = ColorShape,
                          .gradient = ToHsvGradient,
                          .kernel = ToHsvKernel,
                          .doc = "Hue, saturation and value of colors."});
const OpRegistrar to_rgb({.name = "HSVToRGB",
                          .inputs = {"images: T"},
                          .outputs = {"output: T"},
                          .attrs = {kColorT},
                          .shape = ColorShape,
                          .gradient = kNotDifferentiable,
                          .kernel = ToRgbKernel,
                          .doc = "Red, green and blue of hue, saturation and value."});
const OpRegistrar hue({.name = "AdjustHue",
                       .inputs = {"images: T", "delta: float"},
                       .outputs = {"output: T"},
                       .attrs = {kAdjustT},
                       .shape = ColorShape,
                       .gradient = kGradientIsError,
                       .kernel = AdjustKernel<WithHueTurned>,
                       .doc = "Colors with their hue turned."});
const OpRegistrar saturation({.name = "AdjustSaturation",
                              .inputs = {"images: T", "scale: float"},
                              .outputs = {"output: T"},
                              .attrs = {kAdjustT},
                              .shape = ColorShape,
                              .gradient = kGradientIsError,
                              .kernel = AdjustKernel<WithSaturationScaled>,
                              .doc = "Colors with their saturation scaled."});

// AdjustContrastv2: y = (x - mean) f + mean, with the mean over the pixels of an image, for each channel.
//   dx = f dy + (1 - f) mean(dy), df = the sum of dy (x - mean).
absl::Status ContrastShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRankAtLeast(0, 3));
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

template <typename T, typename Z>
absl::Status ScaleContrast(KernelContext& c) {
  const TensorView& x = c.input(0);
  const int64_t channels = x.dim(-1), pixels = x.shape->num_elements(x.rank() - 3, x.rank() - 1);
  if (x.num_elements == 0) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(double* mean, c.Scratch<double>(channels));
  const double factor = c.scalar<float>(1);
  for (int64_t image = 0; image < x.num_elements; image += pixels * channels) {
    const T* from = c.in<T>(0) + image;
    std::fill_n(mean, channels, 0.0);
    for (int64_t i = 0; i < pixels * channels; ++i) mean[i % channels] += Widen(from[i]);
    for (int64_t k = 0; k < channels; ++k) mean[k] /= static_cast<double>(pixels);
    for (int64_t i = 0; i < pixels * channels; ++i) {
      const double m = mean[i % channels];
      c.out<Z>(0)[image + i] = Z(static_cast<float>((Widen(from[i]) - m) * factor + m));
    }
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ContrastKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, Half>(setup.output_dtype(0), [&]<typename T>() { kernel = ScaleContrast<T, T>; });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

void ContrastGradient(GradientContext& c) {
  const Output x = c.x(0), dy = c.dy(0), factor = Cast(c.x(1), x.dtype());
  const Axes pixels = {-3, -2};
  c.set_dx(0, dy * factor + (1.0 - factor) * Mean(dy, pixels, {.keep_dims = true}));
  c.set_dx(1, Cast(Sum(dy * (x - Mean(x, pixels, {.keep_dims = true}))), DT_FLOAT));
}

const OpRegistrar contrast({.name = "AdjustContrastv2",
                            .inputs = {"images: T", "contrast_factor: float"},
                            .outputs = {"output: T"},
                            .attrs = {kAdjustT},
                            .shape = ContrastShape,
                            .gradient = ContrastGradient,
                            .kernel = ContrastKernel,
                            .doc = "Images with the distance of their pixels to the mean scaled."});

// AdjustContrast, the first version: of any numbers, cut to [min_value, max_value].
absl::Status FirstContrastShape(ShapeContext& c) {
  for (int i = 2; i < 4; ++i) SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  return ContrastShape(c);
}
absl::StatusOr<Kernel> FirstContrastKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, uint8_t, int8_t, int16_t, int32_t>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) -> absl::Status {
      const float low = c.scalar<float>(2), high = c.scalar<float>(3);
      SF_RETURN_IF_ERROR((ScaleContrast<T, float>(c)));
      for (float& y : c.output(0).flat<float>()) y = std::max(std::min(y, high), low);
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
const OpRegistrar first_contrast(
    {.name = "AdjustContrast",
     .inputs = {"images: T", "contrast_factor: float", "min_value: float", "max_value: float"},
     .outputs = {"output: float"},
     .attrs = {"T: {uint8, int8, int16, int32, int64, float, double}"},
     .shape = FirstContrastShape,
     .gradient = kGradientIsError,
     .kernel = FirstContrastKernel,
     .doc = "Images with the distance of their pixels to the mean scaled, within bounds."});

Output Build(const char* type, std::initializer_list<Operand> operands, const OpOptions& options) {
  return NodeBuilder(type, operands).Name(options.name).Build();
}

}  // namespace

Output RGBToHSV(Operand images, const OpOptions& options) { return Build("RGBToHSV", {images}, options); }
Output HSVToRGB(Operand images, const OpOptions& options) { return Build("HSVToRGB", {images}, options); }
Output AdjustHue(Operand images, Operand delta, const OpOptions& options) {
  return Build("AdjustHue", {images, delta}, options);
}
Output AdjustSaturation(Operand images, Operand scale, const OpOptions& options) {
  return Build("AdjustSaturation", {images, scale}, options);
}
Output AdjustContrast(Operand images, Operand contrast_factor, const OpOptions& options) {
  return Build("AdjustContrastv2", {images, contrast_factor}, options);
}

}  // namespace staticflow
