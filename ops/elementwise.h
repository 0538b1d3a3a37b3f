// Element-wise kernels: how one scalar function becomes the kernels of an op for all its types.
//
//   // Exp: y = e^x.
//   const OpRegistrar exp({.name = "Exp", ..., .kernel = UnaryKernel<FloatTypes>([](auto x) { return std::exp(x); })});
//
// The function is a captureless lambda. It sees the element type, or float in place of half and bfloat16. Its loops
// are instantiated once per type, and for float a second time for AVX2; both give the same bits, because the
// instruction set leaves out fused multiply-add. Where the compiler has no vectors for a function, the kernel names the
// operation on lanes (runtime/lanes.h) that computes it for float: UnaryKernel<FloatTypes, LaneOp::kExp>(...).
//
// Binary kernels broadcast by NumPy's rules: the walk over the shapes is compiled once and calls one of three loops
// (both operands run, only the left one does, only the right one does), so that [m,n] op [m,n], op [], op [n] and
// op [m,1] all end in vectorized loops.
//
// Everything here honours KernelContext::range() and may run for several ranges at once.
#ifndef STATICFLOW_OPS_ELEMENTWISE_H_
#define STATICFLOW_OPS_ELEMENTWISE_H_

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "graph/dtype.h"
#include "graph/gradients.h"
#include "graph/op.h"
#include "graph/shape_inference.h"
#include "runtime/kernel.h"
#include "runtime/lanes.h"
#include "runtime/loop.h"

namespace staticflow {

// Lists of element types, and the attribute that says the same.
template <typename... Ts>
struct TypeList {};
using FloatTypes = TypeList<float, double, Half, BFloat16>;
using IntegerTypes = TypeList<int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>;
using SignedTypes = TypeList<float, double, Half, BFloat16, int32_t, int64_t, int8_t, int16_t>;
using NumberTypes =
    TypeList<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>;
inline constexpr char kFloatT[] = "T: floattype";
inline constexpr char kIntegerT[] = "T: {int8, int16, int32, int64, uint8, uint16, uint32, uint64}";
inline constexpr char kSignedT[] = "T: {bfloat16, half, float, double, int8, int16, int32, int64}";
inline constexpr char kNumberT[] = "T: realnumbertype";

// The type in which T is computed: float for the 16-bit floating types, else T.
template <typename T>
inline constexpr bool kIsShortFloat = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
template <typename T>
using ComputeType = std::conditional_t<kIsShortFloat<T>, float, T>;

template <typename T>
inline decltype(auto) Widen(const T& x) {
  if constexpr (kIsShortFloat<T>) {
    return float(x);
  } else {
    return (x);
  }
}

// Arithmetic that wraps around for integers, where C++ leaves overflow undefined.
template <typename T>
using WrapType = std::conditional_t<(sizeof(T) < 4), uint32_t, std::make_unsigned_t<T>>;
template <typename T>
inline T WrapAdd(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<WrapType<T>>(a) + static_cast<WrapType<T>>(b));
  } else {
    return a + b;
  }
}
template <typename T>
inline T WrapSubtract(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<WrapType<T>>(a) - static_cast<WrapType<T>>(b));
  } else {
    return a - b;
  }
}
template <typename T>
inline T WrapMultiply(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<WrapType<T>>(a) * static_cast<WrapType<T>>(b));
  } else {
    return a * b;
  }
}
template <typename T>
inline T WrapNegate(T a) {
  if constexpr (std::is_integral_v<T>) {
    return WrapSubtract(T{0}, a);
  } else {
    return -a;
  }
}

// Whether this processor runs the AVX2 copies of loops.
bool HasAvx2();
#if defined(__x86_64__)
#define SF_AVX2 [[gnu::target("avx2")]]
#else
#define SF_AVX2
#endif

// Loops over n elements that lie one after another; the types behind the pointers are the loop's business.
using UnaryLoop = void (*)(const void* x, void* y, int64_t n);
using BinaryLoop = void (*)(const void* x, const void* y, void* z, int64_t n);
struct BinaryLoops {
  BinaryLoop both = nullptr;
  BinaryLoop left = nullptr;   // only x runs, y is one element
  BinaryLoop right = nullptr;  // only y runs
  int in_size = 0;             // bytes per element
  int out_size = 0;
};

// z = f(x, y) over the context's range of the output. REQUIRES: the output's shape is the broadcast of the inputs'.
void RunBinary(const KernelContext& c, const BinaryLoops& loops);
// The factories' answer to a type that has no kernel.
absl::Status NoKernelFor(const KernelSetup& setup, DataType dtype);

namespace internal {

// The output of f for T: T where f computes, bool where it compares.
template <typename T, typename R>
using ResultType = std::conditional_t<std::is_same_v<R, bool>, bool, T>;

template <typename F, typename T>
[[gnu::always_inline]] inline void UnaryBody(const void* input, void* output, int64_t n) {
  using Z = ResultType<T, decltype(F()(ComputeType<T>()))>;
  const T* x = static_cast<const T*>(input);
  Z* y = static_cast<Z*>(output);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = Z(F()(Widen(x[i])));
}

enum class Runs { kBoth, kLeft, kRight };

template <typename F, typename T, Runs runs>
[[gnu::always_inline]] inline void BinaryBody(const void* left, const void* right, void* output, int64_t n) {
  using Z = ResultType<T, decltype(F()(ComputeType<T>(), ComputeType<T>()))>;
  const T* x = static_cast<const T*>(left);
  const T* y = static_cast<const T*>(right);
  Z* z = static_cast<Z*>(output);
  if constexpr (runs == Runs::kBoth) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) z[i] = Z(F()(Widen(x[i]), Widen(y[i])));
  } else if constexpr (runs == Runs::kLeft) {
    const ComputeType<T> b(Widen(*y));
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) z[i] = Z(F()(Widen(x[i]), b));
  } else {
    const ComputeType<T> a(Widen(*x));
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) z[i] = Z(F()(a, Widen(y[i])));
  }
}

template <typename F, typename T>
void UnaryPlain(const void* x, void* y, int64_t n) {
  UnaryBody<F, T>(x, y, n);
}
template <typename F, typename T>
SF_AVX2 void UnaryAvx2(const void* x, void* y, int64_t n) {
  UnaryBody<F, T>(x, y, n);
}
template <typename F, typename T, Runs runs>
void BinaryPlain(const void* x, const void* y, void* z, int64_t n) {
  BinaryBody<F, T, runs>(x, y, z, n);
}
template <typename F, typename T, Runs runs>
SF_AVX2 void BinaryAvx2(const void* x, const void* y, void* z, int64_t n) {
  BinaryBody<F, T, runs>(x, y, z, n);
}

template <LaneOp lanes>
void UnaryLanes(const void* x, void* y, int64_t n) {
  ApplyLanes(lanes, static_cast<const float*>(x), static_cast<float*>(y), n);
}

// The loop of `lanes` for float, unless it is kCount, else of F.
template <typename F, typename T, LaneOp lanes>
UnaryLoop MakeUnaryLoop() {
  if constexpr (std::is_same_v<T, float> && lanes != LaneOp::kCount) {
    return UnaryLanes<lanes>;
  } else if constexpr (std::is_same_v<T, float>) {
    if (HasAvx2()) return UnaryAvx2<F, T>;
  }
  return UnaryPlain<F, T>;
}

template <typename F, typename T>
BinaryLoops MakeBinaryLoops() {
  using Z = ResultType<T, decltype(F()(ComputeType<T>(), ComputeType<T>()))>;
  BinaryLoops loops = {BinaryPlain<F, T, Runs::kBoth>, BinaryPlain<F, T, Runs::kLeft>, BinaryPlain<F, T, Runs::kRight>,
                       sizeof(T), sizeof(Z)};
  if constexpr (std::is_same_v<T, float>) {
    if (HasAvx2()) {
      loops.both = BinaryAvx2<F, T, Runs::kBoth>;
      loops.left = BinaryAvx2<F, T, Runs::kLeft>;
      loops.right = BinaryAvx2<F, T, Runs::kRight>;
    }
  }
  return loops;
}

// The check of a binary op that needs none.
struct NoCheck {};

template <typename Types, typename F, typename Check>
struct Factories;

template <typename... Ts, typename F, typename Check>
struct Factories<TypeList<Ts...>, F, Check> {
  template <LaneOp lanes>
  static absl::StatusOr<Kernel> Unary(const KernelSetup& setup) {
    UnaryLoop loop = nullptr;
    DispatchType<Ts...>(setup.input_dtype(0), [&]<typename T>() { loop = MakeUnaryLoop<F, T, lanes>(); });
    if (loop == nullptr) return NoKernelFor(setup, setup.input_dtype(0));
    const int in_size = DataTypeSize(setup.input_dtype(0)), out_size = DataTypeSize(setup.output_dtype(0));
    return [loop, in_size, out_size](KernelContext& c) {
      const auto [begin, end] = c.range();
      loop(c.in<char>(0) + begin * in_size, c.out<char>(0) + begin * out_size, end - begin);
      return absl::OkStatus();
    };
  }

  static absl::StatusOr<Kernel> Binary(const KernelSetup& setup) {
    Kernel kernel;
    DispatchType<Ts...>(setup.input_dtype(0), [&]<typename T>() {
      const BinaryLoops loops = MakeBinaryLoops<F, T>();
      if constexpr (std::is_invocable_v<Check, T>) {
        kernel = [loops](KernelContext& c) {
          if (c.output(0).num_elements > 0) {
            for (const T& y : absl::MakeConstSpan(c.in<T>(1), c.input(1).num_elements)) {
              if (const char* mistake = Check()(y); mistake != nullptr) [[unlikely]] {
                return absl::InvalidArgumentError(mistake);
              }
            }
          }
          RunBinary(c, loops);
          return absl::OkStatus();
        };
      } else {
        kernel = [loops](KernelContext& c) {
          RunBinary(c, loops);
          return absl::OkStatus();
        };
      }
    });
    if (kernel == nullptr) return NoKernelFor(setup, setup.input_dtype(0));
    return kernel;
  }
};

}  // namespace internal

// The kernel y = f(x) for each of Types. f returns its argument's type, or bool. For float, the operation `lanes` takes
// f's place if it is given.
template <typename Types, LaneOp lanes = LaneOp::kCount, typename F>
KernelSource UnaryKernel(F) {
  return &internal::Factories<Types, F, internal::NoCheck>::template Unary<lanes>;
}

// The kernel z = f(x, y) with broadcasting for each of Types.
template <typename Types, typename F>
KernelSource BinaryKernel(F) {
  return &internal::Factories<Types, F, internal::NoCheck>::Binary;
}

// The same for an f that is not defined for all y: check(y), for the types it takes, returns null or what is wrong
// with y; a wrong one makes the kernel return InvalidArgument before it computes anything.
template <typename Types, typename F, typename Check>
KernelSource BinaryKernel(F, Check) {
  return &internal::Factories<Types, F, Check>::Binary;
}

// The parts that element-wise ops have in common: arguments "x: T" (and "y: T"), the result "y: T" ("z: T").
inline OpSpec UnaryOp(std::string name, const char* type_attr, KernelSource kernel, GradientFunction gradient,
                      std::string doc, LoopFunction loop = nullptr) {
  return {.name = std::move(name),
          .inputs = {"x: T"},
          .outputs = {"y: T"},
          .attrs = {type_attr},
          .shape = SameShape,
          .gradient = gradient,
          .kernel = kernel,
          .traits = kElementwise | kInPlace,
          .iteration = {.split = Split::kFlat},
          .loop = loop,
          .doc = std::move(doc)};
}
inline OpSpec BinaryOp(std::string name, const char* type_attr, KernelSource kernel, GradientFunction gradient,
                       std::string doc, OpTraits more = kNoTraits, LoopFunction loop = nullptr,
                       SimplifyFunction simplify = nullptr) {
  return {.name = std::move(name),
          .inputs = {"x: T", "y: T"},
          .outputs = {"z: T"},
          .attrs = {type_attr},
          .shape = BroadcastShape,
          .gradient = gradient,
          .kernel = kernel,
          .traits = kElementwise | kInPlace | more,
          .iteration = {.split = Split::kFlat},
          .loop = loop,
          .simplify = simplify,
          .doc = std::move(doc)};
}

// An op z = f(y, dy): the gradient of a function of x, in the function's value y and the gradient dy by y.
inline OpSpec UnaryGradOp(std::string name, KernelSource kernel, GradientFunction gradient, std::string doc,
                          LoopFunction loop = nullptr) {
  OpSpec spec = BinaryOp(std::move(name), kFloatT, kernel, gradient, std::move(doc), kNoTraits, loop);
  spec.inputs = {"y: T", "dy: T"};
  spec.shape = [](ShapeContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(Shape shape, c.input(0).MergeWith(c.input(1)));
    c.set_output(0, shape);
    return absl::OkStatus();
  };
  return spec;
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ELEMENTWISE_H_
