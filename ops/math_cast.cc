// Cast. Contract: ops/math_unary.h.
#include <bit>
#include <limits>

#include "graph/gradients.h"
#include "ops/elementwise.h"
#include "ops/loop_arithmetic.h"
#include "ops/math_unary.h"

namespace staticflow {
namespace {

// `value` without its fraction, the lowest Integer where that does not fit.
template <typename Integer, typename X>
Integer Truncated(X value) {
  constexpr X kLow = static_cast<X>(std::numeric_limits<Integer>::min());
  const bool fits = value >= kLow && value < -kLow;
  return fits ? static_cast<Integer>(value) : std::numeric_limits<Integer>::min();
}

template <typename D, typename X>
D ToInteger(X value) {
  if constexpr (std::is_same_v<D, uint64_t>) {
    constexpr X kHalf = static_cast<X>(9223372036854775808.0);
    if (value >= kHalf) return static_cast<uint64_t>(Truncated<int64_t>(value - kHalf)) + (uint64_t{1} << 63);
    return static_cast<uint64_t>(Truncated<int64_t>(value));
  } else if constexpr (std::is_same_v<D, int64_t> || std::is_same_v<D, uint32_t>) {
    return static_cast<D>(Truncated<int64_t>(value));
  } else {
    return static_cast<D>(Truncated<int32_t>(value));
  }
}

template <typename D, typename S>
D Convert(const S& s) {
  const auto x = Widen(s);
  using X = std::remove_const_t<decltype(x)>;
  if constexpr (std::is_same_v<D, bool>) {
    return x != X(0);
  } else if constexpr (kIsShortFloat<D>) {
    return D(static_cast<float>(x));
  } else if constexpr (std::is_integral_v<D> && std::is_floating_point_v<X>) {
    return ToInteger<D>(x);
  } else {
    return static_cast<D>(x);
  }
}

// `x` with the bits cleared that D does not keep, so that the conversion to D has nothing to round.
template <typename D, typename X>
X CutTo(X x) {
  if constexpr (std::is_same_v<X, double>) {
    constexpr int kSurplus = std::is_same_v<D, float> ? 29 : std::is_same_v<D, Half> ? 42 : 45;
    return std::bit_cast<double>(std::bit_cast<uint64_t>(x) >> kSurplus << kSurplus);
  } else {
    constexpr int kSurplus = std::is_same_v<D, Half> ? 13 : 16;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(x) >> kSurplus << kSurplus);
  }
}
template <typename D, typename S>
inline constexpr bool kNarrows = (std::is_same_v<S, double> && (std::is_same_v<D, float> || kIsShortFloat<D>)) ||
                                 (std::is_same_v<S, float> && kIsShortFloat<D>);

template <typename S, typename D, bool truncate>
void CastLoop(const void* input, void* output, int64_t n) {
  const S* x = static_cast<const S*>(input);
  D* y = static_cast<D*>(output);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (truncate && kNarrows<D, S>) {
      y[i] = x[i] == x[i] ? Convert<D>(CutTo<D>(x[i])) : Convert<D>(x[i]);
    } else {
      y[i] = Convert<D>(x[i]);
    }
  }
}

template <typename F>
bool DispatchCastType(DataType dtype, F&& f) {
  return DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t,
                      uint64_t, bool>(dtype, f);
}

absl::StatusOr<Kernel> CastKernel(const KernelSetup& setup) {
  const DataType from = setup.input_dtype(0), to = setup.output_dtype(0);
  const bool truncate = setup.attr<bool>("Truncate");
  UnaryLoop loop = nullptr;
  DispatchCastType(from, [&]<typename S>() {
    DispatchCastType(to, [&]<typename D>() {
      loop = CastLoop<S, D, false>;
      if constexpr (kNarrows<D, S>) {
        if (truncate) loop = CastLoop<S, D, true>;
      }
    });
  });
  if (loop == nullptr) {
    return absl::UnimplementedError(absl::StrCat("no kernel from ", DataTypeName(from), " to ", DataTypeName(to)));
  }
  return [loop, from_size = DataTypeSize(from), to_size = DataTypeSize(to)](KernelContext& c) {
    const auto [begin, end] = c.range();
    loop(c.in<char>(0) + begin * from_size, c.out<char>(0) + begin * to_size, end - begin);
    return absl::OkStatus();
  };
}

// Cast: y = x as DstT.   dx = dy as SrcT, between floating types.
void CastGradient(GradientContext& c) {
  if (IsFloating(c.x(0).dtype()) && IsFloating(c.y(0).dtype())) c.set_dx(0, Cast(c.dy(0), c.x(0).dtype()));
}
int SimplifyCast(const ShapeContext& c) { return c.attr<DataType>("SrcT") == c.attr<DataType>("DstT") ? 0 : -1; }
// In a loop numbers are float, and truth values 1 and 0.
bool CastLoop(LoopContext& c) {
  const DataType from = c.attr<DataType>("SrcT"), to = c.attr<DataType>("DstT");
  const auto takes_part = [](DataType dtype) { return dtype == DT_FLOAT || dtype == DT_BOOL; };
  if (!takes_part(from) || !takes_part(to)) return false;
  if (to == DT_FLOAT || from == DT_BOOL) return c.set_output(0, c.input(0));
  return c.set_output(0, Apply(LaneOp::kNotEqual, Lanes(c, 0), 0).reg());
}
const OpRegistrar cast_op({.name = "Cast",
                           .inputs = {"x: SrcT"},
                           .outputs = {"y: DstT"},
                           .attrs = {"SrcT: type", "DstT: type", "Truncate: bool = false"},
                           .shape = SameShape,
                           .gradient = CastGradient,
                           .kernel = &CastKernel,
                           .traits = kElementwise,
                           .role = OpRole::kCast,
                           .iteration = {.split = Split::kFlat},
                           .loop = CastLoop,
                           .simplify = SimplifyCast,
                           .doc = "Every element as another type."});

}  // namespace

Output Cast(Operand x, DataType dtype, const CastOptions& o) {
  if (!x.is_number() && x.output().valid() && x.output().dtype() == dtype && !x.output().is_ref()) return x.output();
  return NodeBuilder("Cast", {x}).Attr("DstT", dtype).Attr("Truncate", o.truncate).Name(o.name).Build();
}

}  // namespace staticflow
