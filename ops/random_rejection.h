// What distributions sampled by rejection share. Every result has a stretch of the generator of its own, so that it
// does not depend on how many numbers the others took.
#ifndef STATICFLOW_OPS_RANDOM_REJECTION_H_
#define STATICFLOW_OPS_RANDOM_REJECTION_H_

#include <cmath>
#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "graph/shape_inference.h"
#include "ops/array_shapes.h"
#include "ops/philox.h"

namespace staticflow {

// Uniform and normal doubles of one generator, two per block, the second of a block first.
class PairedDoubles {
 public:
  explicit PairedDoubles(const Philox& generator) : generator_(generator) {}
  double Uniform() {
    if (uniforms_left_ == 0) {
      const Philox::Block x = generator_();
      uniforms_ = {UniformDouble(x[0], x[1]), UniformDouble(x[2], x[3])};
      uniforms_left_ = 2;
    }
    return uniforms_[--uniforms_left_];
  }
  double Normal() {
    if (normals_left_ == 0) {
      normals_ = NormalDoubles(generator_());
      normals_left_ = 2;
    }
    return normals_[--normals_left_];
  }

 private:
  Philox generator_;
  std::array<double, 2> uniforms_ = {}, normals_ = {};
  int uniforms_left_ = 0, normals_left_ = 0;
};

// The largest number of a type.
template <typename T>
double Most() {
  if constexpr (std::is_same_v<T, Half>) return 65504;
  if constexpr (!std::is_same_v<T, Half>) return static_cast<double>(std::numeric_limits<T>::max());
}
// NaN where there is no distribution; integers have no NaN and become -1.
template <typename T>
T Narrow(double x) {
  if constexpr (std::is_integral_v<T>) {
    return std::isnan(x) ? T(-1) : static_cast<T>(x);
  } else if constexpr (std::is_same_v<T, Half>) {
    return Half(static_cast<float>(x));
  } else {
    return static_cast<T>(x);
  }
}

// Output 0 has the shape that input `i` describes, whose last dimensions are those of `parameters`.
inline absl::Status ShapeEndingWith(ShapeContext& c, int i, const Shape& parameters) {
  SF_RETURN_IF_ERROR(c.WithRank(i, 1).status());
  SF_ASSIGN_OR_RETURN(Shape shape, DimsFromInput(c, i));
  if (shape.has_rank() && parameters.has_rank()) {
    const int samples = shape.rank() - parameters.rank();
    if (samples < 0 || !shape.Slice(samples, shape.rank()).IsCompatibleWith(parameters)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "shape ", shape.ToString(), " does not end with that of the parameters, ", parameters.ToString()));
    }
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

// The element of `view` that stands at flat index i when it is broadcast to `shape`.
inline int64_t BroadcastIndex(const TensorView& view, const Shape& shape, int64_t i) {
  int64_t index = 0, stride = 1;
  for (int d = 1; d <= view.rank(); ++d) {
    const int64_t size = shape.dim(-d), at = i % size;
    i /= size;
    if (view.dim(view.rank() - d) == 1) continue;
    index += at * stride;
    stride *= size;
  }
  return index;
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_RANDOM_REJECTION_H_
