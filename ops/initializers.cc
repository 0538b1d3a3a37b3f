#include "ops/initializers.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_layout.h"
#include "ops/linalg.h"
#include "ops/math.h"
#include "ops/nn_composition.h"
#include "ops/random.h"

namespace staticflow::initializers {
namespace {

Output Fail(Graph& g, absl::string_view initializer, absl::string_view reason) {
  g.RecordError(absl::InvalidArgumentError(absl::StrCat(initializer, " initializer: ", reason)));
  return Output();
}

struct Fans {
  double in = 1, out = 1;
};

Fans FansOf(const Shape& shape) {
  const int rank = shape.rank();
  if (rank == 0) return {};
  if (rank == 1) return {static_cast<double>(shape.dim(0)), static_cast<double>(shape.dim(0))};
  const double window = static_cast<double>(shape.num_elements(0, rank - 2));
  return {window * static_cast<double>(shape.dim(-2)), window * static_cast<double>(shape.dim(-1))};
}

double FanOf(Fan mode, const Shape& shape) {
  const Fans fans = FansOf(shape);
  const double n = mode == Fan::kIn ? fans.in : mode == Fan::kOut ? fans.out : (fans.in + fans.out) / 2;
  return std::max(1.0, n);
}

}  // namespace

Initializer Zeros() {
  return [](Graph& g, DataType dtype, const Shape& shape) { return staticflow::Zeros(g, dtype, shape); };
}

Initializer Ones() {
  return [](Graph& g, DataType dtype, const Shape& shape) { return staticflow::Ones(g, dtype, shape); };
}

Initializer Constant(double value) {
  return [value](Graph& g, DataType dtype, const Shape& shape) {
    absl::StatusOr<Tensor> tensor = Tensor::Create(dtype, shape);
    if (!tensor.ok()) return Fail(g, "Constant", tensor.status().message());
    const bool known =
        DispatchType<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, bool>(
            dtype, [&]<typename T>() { std::ranges::fill(tensor->flat<T>(), static_cast<T>(value)); }) ||
        DispatchType<Half, BFloat16>(
            dtype, [&]<typename T>() { std::ranges::fill(tensor->flat<T>(), T(static_cast<float>(value))); });
    if (!known) return Fail(g, "Constant", absl::StrCat("a number cannot become ", DataTypeName(dtype)));
    return Const(g, *std::move(tensor));
  };
}

Initializer FromTensor(Tensor tensor) {
  return [tensor = std::move(tensor)](Graph& g, DataType dtype, const Shape& shape) {
    if (tensor.dtype() != dtype || !(tensor.shape() == shape)) {
      return Fail(g, "FromTensor",
                  absl::StrCat("the tensor is ", DataTypeName(tensor.dtype()), tensor.shape().ToString(),
                               ", the variable ", DataTypeName(dtype), shape.ToString()));
    }
    return Const(g, tensor, {.name = "initial_value"});
  };
}

Initializer RandomUniform(const UniformOptions& options) {
  return [options](Graph& g, DataType dtype, const Shape& shape) {
    return staticflow::RandomUniform(
        g, Ints(shape), {.minval = options.minval, .maxval = options.maxval, .dtype = dtype, .seed = options.seed});
  };
}

Initializer RandomNormal(const NormalOptions& options) {
  return [options](Graph& g, DataType dtype, const Shape& shape) {
    return staticflow::RandomNormal(
        g, Ints(shape), {.mean = options.mean, .stddev = options.stddev, .dtype = dtype, .seed = options.seed});
  };
}

Initializer TruncatedNormal(const NormalOptions& options) {
  return [options](Graph& g, DataType dtype, const Shape& shape) {
    return staticflow::TruncatedNormal(
        g, Ints(shape), {.mean = options.mean, .stddev = options.stddev, .dtype = dtype, .seed = options.seed});
  };
}

Initializer VarianceScaling(const VarianceScalingOptions& options) {
  return [options](Graph& g, DataType dtype, const Shape& shape) {
    const double variance = options.scale / FanOf(options.mode, shape);
    switch (options.distribution) {
      case Distribution::kTruncatedNormal: {
        // The standard deviation of what is left of a standard normal between -2 and 2.
        constexpr double kTruncatedDeviation = .87962566103423978;
        return TruncatedNormal({.stddev = std::sqrt(variance) / kTruncatedDeviation, .seed = options.seed})(g, dtype,
                                                                                                            shape);
      }
      case Distribution::kUntruncatedNormal:
        return RandomNormal({.stddev = std::sqrt(variance), .seed = options.seed})(g, dtype, shape);
      case Distribution::kUniform: {
        const double limit = std::sqrt(3 * variance);
        return RandomUniform({.minval = -limit, .maxval = limit, .seed = options.seed})(g, dtype, shape);
      }
    }
    return Fail(g, "VarianceScaling", "unknown distribution");
  };
}

Initializer GlorotUniform(const SeedOptions& options) {
  return VarianceScaling({1, Fan::kAverage, Distribution::kUniform, options.seed});
}
Initializer GlorotNormal(const SeedOptions& options) {
  return VarianceScaling({1, Fan::kAverage, Distribution::kTruncatedNormal, options.seed});
}
Initializer HeUniform(const SeedOptions& options) {
  return VarianceScaling({2, Fan::kIn, Distribution::kUniform, options.seed});
}
Initializer HeNormal(const SeedOptions& options) {
  return VarianceScaling({2, Fan::kIn, Distribution::kTruncatedNormal, options.seed});
}
Initializer LecunUniform(const SeedOptions& options) {
  return VarianceScaling({1, Fan::kIn, Distribution::kUniform, options.seed});
}
Initializer LecunNormal(const SeedOptions& options) {
  return VarianceScaling({1, Fan::kIn, Distribution::kTruncatedNormal, options.seed});
}

Initializer Orthogonal(const OrthogonalOptions& options) {
  return [options](Graph& g, DataType dtype, const Shape& shape) {
    if (shape.rank() < 2) return Fail(g, "Orthogonal", absl::StrCat("expected rank 2 or more, got ", shape.ToString()));
    const int64_t rows = shape.num_elements(0, shape.rank() - 1), columns = shape.dim(-1);
    const int64_t longer = std::max(rows, columns), shorter = std::min(rows, columns);
    const Output normal = staticflow::RandomNormal(g, Ints{longer, shorter}, {.dtype = dtype, .seed = options.seed});
    const QrResult qr = Qr(normal);
    if (!qr.q.valid()) return Output();
    // With the signs of R's diagonal the result is uniformly distributed (Mezzadri 2007).
    Output q = qr.q * Sign(DiagPart(qr.r));
    if (rows < columns) q = Transpose(q, {1, 0}, {.name = "matrix_transpose/transpose"});
    return options.gain * ReshapeTo(q, shape);
  };
}

Initializer Identity(const IdentityOptions& options) {
  return [options](Graph& g, DataType dtype, const Shape& shape) {
    if (shape.rank() != 2) return Fail(g, "Identity", absl::StrCat("expected rank 2, got ", shape.ToString()));
    Output eye;
    {
      NameScope scope(g, "eye");
      const Output ones = staticflow::Ones(g, dtype, {std::min(shape.dim(0), shape.dim(1))});
      eye = shape.dim(0) == shape.dim(1)
                ? MatrixDiag(ones, {.name = "diag"})
                : MatrixSetDiag(staticflow::Zeros(g, dtype, shape), ones, {.name = "set_diag"});
    }
    return options.gain * eye;
  };
}

}  // namespace staticflow::initializers
