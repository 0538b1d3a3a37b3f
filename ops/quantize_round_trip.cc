// QuantizeAndDequantize, its versions to V4, and the gradient of V4. Contract: ops/quantize.h.
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/quantize.h"

namespace staticflow {
namespace {

constexpr char kAxis[] = "axis: int = -1";

// How integers of some bits cover a range: a number times `scale` is the integer, that times `inverse` the number.
template <typename A>
struct Scaling {
  Scaling(A min, A max, bool is_signed, int64_t bits, bool narrow) : low(min), high(max) {
    const A half = static_cast<A>(std::ldexp(1.0, static_cast<int>(bits) - 1));
    const A lowest = is_signed ? -half + (narrow ? 1 : 0) : A(0), highest = is_signed ? half - 1 : 2 * half - 1;
    const A by_low = lowest * min > 0 ? lowest / min : std::numeric_limits<A>::max();
    const A by_high = highest * max > 0 ? highest / max : std::numeric_limits<A>::max();
    // The side that needs the smaller scale keeps its end; the other one follows.
    scale = std::min(by_low, by_high);
    if (by_low < by_high) {
      inverse = min / lowest;
      high = highest * inverse;
    } else {
      inverse = max / highest;
      low = lowest * inverse;
    }
  }
  A low, high, scale, inverse;
};

// The dimensions around `axis`: element (o, k, i) of [outer, channels, inner]. Without an axis there is one channel.
struct Channels {
  Channels(const Shape& shape, int64_t axis)
      : outer(axis < 0 ? 1 : shape.num_elements(0, static_cast<int>(axis))),
        channels(axis < 0 ? 1 : shape.dim(static_cast<int>(axis))),
        inner(axis < 0 ? shape.num_elements() : shape.num_elements(static_cast<int>(axis) + 1, shape.rank())) {}
  template <typename F>
  void ForEach(int64_t k, F f) const {
    for (int64_t o = 0; o < outer; ++o) {
      const int64_t begin = (o * channels + k) * inner;
      for (int64_t i = begin; i < begin + inner; ++i) f(i);
    }
  }
  int64_t outer, channels, inner;
};

struct RoundTrip {
  explicit RoundTrip(const KernelSetup& setup)
      : is_signed(setup.attr<bool>("signed_input")),
        range_given(setup.attr<bool>("range_given")),
        bits(setup.num_inputs() == 4 ? 0 : setup.attr<int64_t>("num_bits")) {
    if (setup.num_inputs() == 1) {
      first_min = setup.attr<float>("input_min");
      first_max = setup.attr<float>("input_max");
      return;
    }
    narrow = setup.attr<bool>("narrow_range");
    half_up = setup.num_inputs() == 3 && setup.attr<std::string>("round_mode") == "HALF_UP";
    axis = setup.attr<int64_t>("axis");
  }

  absl::Status CheckBits(int64_t n) const {
    if (n > 0 && n < (is_signed ? 62 : 63)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("num_bits is out of range: ", n));
  }

  template <typename T>
  absl::Status Run(KernelContext& c) const {
    using A = ComputeType<T>;
    const int64_t n = c.num_inputs() == 4 ? c.scalar<int32_t>(3) : bits;
    SF_RETURN_IF_ERROR(CheckBits(n));
    const Channels parts(*c.input(0).shape, axis);
    const T* x = c.in<T>(0);
    T* y = c.out<T>(0);
    for (int64_t k = 0; k < parts.channels; ++k) {
      A min = std::numeric_limits<A>::max(), max = std::numeric_limits<A>::lowest();
      if (range_given) {
        min = c.num_inputs() == 1 ? A(first_min) : A(Widen(c.in<T>(1)[k]));
        max = c.num_inputs() == 1 ? A(first_max) : A(Widen(c.in<T>(2)[k]));
        if (!(min <= max)) {
          return absl::InvalidArgumentError(absl::StrCat("input_min ", min, " is above input_max ", max));
        }
      } else {
        parts.ForEach(k, [&](int64_t i) {
          min = std::min<A>(min, Widen(x[i]));
          max = std::max<A>(max, Widen(x[i]));
        });
      }
      const Scaling<A> s(min, max, is_signed, n, narrow);
      parts.ForEach(k, [&](int64_t i) {
        A value = Widen(x[i]);
        if (range_given) value = std::max(std::min(value, s.high), s.low);
        value *= s.scale;
        y[i] = T((half_up ? std::floor(value + A(0.5)) : std::nearbyint(value)) * s.inverse);
      });
    }
    return absl::OkStatus();
  }

  bool is_signed, range_given;
  int64_t bits;
  bool narrow = false, half_up = false;
  int64_t axis = -1;
  float first_min = 0, first_max = 0;  // of the first version, which has its range in attributes
};

// Inputs `min` and `min` + 1: scalars (of one element, as TensorFlow has it), or vectors along `axis` of `x`.
absl::StatusOr<Shape> RangeShape(const ShapeContext& c, const Shape& x, int min) {
  const int64_t axis = c.attr<int64_t>("axis");
  if (axis < -1) return absl::InvalidArgumentError(absl::StrCat("expected axis >= -1, got ", axis));
  SF_ASSIGN_OR_RETURN(const Shape range, c.input(min).MergeWith(c.input(min + 1)));
  if (axis < 0) {
    if (range.has_rank() && range.rank() != 0) {
      return absl::InvalidArgumentError(absl::StrCat("expected one input_min, got shape ", range.ToString()));
    }
    return range;
  }
  if (x.has_rank() && axis >= x.rank()) {
    return absl::InvalidArgumentError(absl::StrCat("axis is ", axis, ", but the input has rank ", x.rank()));
  }
  SF_ASSIGN_OR_RETURN(const Shape vector, range.MergeWith(Shape::UnknownOfRank(1)));
  const int64_t size = x.has_rank() ? x.dim(static_cast<int>(axis)) : Shape::kUnknownDim;
  SF_ASSIGN_OR_RETURN(const int64_t channels, c.MergeDims(vector.dim(0), size, "channels"));
  return Shape({channels});
}

absl::Status RoundTripShape(ShapeContext& c) {
  // Without a given range input_min and input_max are not looked at.
  if (c.attr<bool>("range_given")) SF_RETURN_IF_ERROR(RangeShape(c, c.input(0), 1).status());
  const int64_t axis = c.attr<int64_t>("axis");
  if (axis < -1 || (c.input(0).has_rank() && axis >= c.input(0).rank())) {
    return absl::InvalidArgumentError(
        absl::StrCat("axis is ", axis, ", but the input has shape ", c.input(0).ToString()));
  }
  if (c.num_inputs() == 4) SF_RETURN_IF_ERROR(c.WithRank(3, 0).status());
  return SameShape(c);
}

absl::StatusOr<Kernel> RoundTripKernel(const KernelSetup& setup) {
  const RoundTrip how(setup);
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(
      setup.output_dtype(0), [&]<typename T>() { kernel = [how](KernelContext& c) { return how.Run<T>(c); }; });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

// V2 and V3 pass the gradient on whole, V4 where the input is within the range.
void V4Gradient(GradientContext& c) {
  Node* node = NodeBuilder("QuantizeAndDequantizeV4Grad", {c.dy(0), c.x(0), c.x(1), c.x(2)})
                   .Attr("axis", c.attr<int64_t>("axis"))
                   .BuildNode();
  for (int i = 0; node != nullptr && i < 3; ++i) c.set_dx(i, node->output(i));
}

OpSpec RoundTripOp(const char* name, bool bits_given, GradientFunction gradient) {
  OpSpec spec = {.name = name,
                 .inputs = {"input: T", "input_min: T", "input_max: T"},
                 .outputs = {"output: T"},
                 .attrs = {"signed_input: bool = true"},
                 .shape = RoundTripShape,
                 .gradient = gradient,
                 .kernel = RoundTripKernel,
                 .doc = "Numbers scaled to integers of some bits, rounded, and scaled back."};
  if (bits_given) {
    spec.inputs.push_back("num_bits: int32");
  } else {
    spec.attrs.push_back("num_bits: int = 8");
  }
  spec.attrs.push_back(bits_given ? "range_given: bool = true" : "range_given: bool = false");
  spec.attrs.push_back(kFloatT);
  if (!bits_given) spec.attrs.push_back("round_mode: {'HALF_TO_EVEN', 'HALF_UP'} = 'HALF_TO_EVEN'");
  spec.attrs.push_back("narrow_range: bool = false");
  spec.attrs.push_back(kAxis);
  return spec;
}
const OpRegistrar v2(RoundTripOp("QuantizeAndDequantizeV2", false, PassGradient));
const OpRegistrar v3(RoundTripOp("QuantizeAndDequantizeV3", true, PassGradient));
const OpRegistrar v4(RoundTripOp("QuantizeAndDequantizeV4", false, V4Gradient));

// The first version.
const OpRegistrar v1({.name = "QuantizeAndDequantize",
                      .inputs = {"input: T"},
                      .outputs = {"output: T"},
                      .attrs = {"signed_input: bool = true", "num_bits: int = 8", "range_given: bool = false",
                                "input_min: float = 0.0", "input_max: float = 0.0", kFloatT},
                      .shape = SameShape,
                      .gradient = PassGradient,
                      .kernel = RoundTripKernel,
                      .doc = "Numbers scaled to integers of some bits, rounded, and scaled back."});

// V4Grad: what passes; the range gets nothing.
absl::Status V4GradShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape x, c.input(0).MergeWith(c.input(1)));
  SF_ASSIGN_OR_RETURN(Shape range, RangeShape(c, x, 2));
  c.set_output(0, std::move(x));
  c.set_output(1, range);
  c.set_output(2, std::move(range));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> V4GradKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [axis = setup.attr<int64_t>("axis")](KernelContext& c) {
      const Channels parts(*c.input(1).shape, axis);
      const T *dy = c.in<T>(0), *x = c.in<T>(1);
      for (int64_t k = 0; k < parts.channels; ++k) {
        const auto min = Widen(c.in<T>(2)[k]), max = Widen(c.in<T>(3)[k]);
        parts.ForEach(k, [&](int64_t i) {
          const auto value = Widen(x[i]);
          c.out<T>(0)[i] = value >= min && value <= max ? dy[i] : T(0);
        });
        c.out<T>(1)[k] = T(0);
        c.out<T>(2)[k] = T(0);
      }
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
const OpRegistrar v4_grad({.name = "QuantizeAndDequantizeV4Grad",
                           .inputs = {"gradients: T", "input: T", "input_min: T", "input_max: T"},
                           .outputs = {"input_backprop: T", "input_min_backprop: T", "input_max_backprop: T"},
                           .attrs = {kFloatT, kAxis},
                           .shape = V4GradShape,
                           .gradient = kGradientIsError,
                           .kernel = V4GradKernel,
                           .doc = "The gradient of QuantizeAndDequantizeV4."});

}  // namespace

Output QuantizeAndDequantize(Operand input, Operand input_min, Operand input_max,
                             const QuantizeAndDequantizeOptions& options) {
  return NodeBuilder("QuantizeAndDequantizeV2", {input, input_min, input_max})
      .Attr("signed_input", options.signed_input)
      .Attr("num_bits", options.num_bits)
      .Attr("range_given", options.range_given)
      .Attr("round_mode", options.round_mode)
      .Attr("narrow_range", options.narrow_range)
      .Attr("axis", options.axis)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
