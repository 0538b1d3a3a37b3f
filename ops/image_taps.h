// How resizing maps the pixels of one axis: which input pixels an output pixel is made of, with what weights.
#ifndef STATICFLOW_OPS_IMAGE_TAPS_H_
#define STATICFLOW_OPS_IMAGE_TAPS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/status/status.h"

namespace staticflow {

class ShapeContext;  // graph/shape_inference.h

// Output 0 of a gradient: the shape of the original image, input 1, whose batch and channels are those of the
// gradients, input 0: [batch, height, width, channels] both.
absl::Status OriginalImageShape(ShapeContext& c);

// The ratio of sizes, in float as TensorFlow computes it.
inline float ResizeScale(int64_t in_size, int64_t out_size, bool align_corners) {
  return align_corners && out_size > 1 ? static_cast<float>(in_size - 1) / static_cast<float>(out_size - 1)
                                       : static_cast<float>(in_size) / static_cast<float>(out_size);
}

// An axis of in_size pixels seen from out_size pixels.
struct ResizeAxis {
  int64_t in_size, out_size;
  bool align_corners, half_pixel_centers;
  float scale = ResizeScale(in_size, out_size, align_corners);

  // Where output pixel i lies among the input pixels.
  float Position(int64_t i) const {
    const float x = static_cast<float>(i);
    return half_pixel_centers ? (x + 0.5f) * scale - 0.5f : x * scale;
  }
  int64_t Bound(int64_t i) const { return std::clamp<int64_t>(i, 0, in_size - 1); }
  int64_t Nearest(int64_t i) const {
    const float x = static_cast<float>(i);
    const float position = half_pixel_centers ? (x + 0.5f) * scale : x * scale;
    return Bound(static_cast<int64_t>(align_corners ? std::round(position) : std::floor(position)));
  }
};

// The input pixels and weights of one output pixel.
template <int n>
struct ResizeTaps {
  static constexpr int kSize = n;
  int64_t index[n];
  float weight[n];
};

using LinearTaps = ResizeTaps<2>;
using CubicTaps = ResizeTaps<4>;

inline void MakeTaps(const ResizeAxis& axis, int64_t i, LinearTaps& taps) {
  const float position = axis.Position(i), below = std::floor(position);
  taps.index[0] = axis.Bound(static_cast<int64_t>(below));
  taps.index[1] = axis.Bound(static_cast<int64_t>(std::ceil(position)));
  taps.weight[1] = position - below;
  taps.weight[0] = 1 - taps.weight[1];
}

// Keys' cubic kernel within one pixel of its center, and between one and two.
inline float CubicNear(double a, double x) { return static_cast<float>(((a + 2) * x - (a + 3)) * x * x + 1); }
inline float CubicFar(double a, double x) {
  return static_cast<float>(((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a);
}

// Distances are rounded to 1/1024, as in TensorFlow's table of the kernel. With centers at half pixels, pixels outside
// the image count nothing and the others share their weight; otherwise the edge stands for them.
inline void MakeTaps(const ResizeAxis& axis, int64_t i, CubicTaps& taps) {
  constexpr double kSteps = 1024;
  const double a = axis.half_pixel_centers ? -0.5 : -0.75;
  const float position = axis.Position(i);
  const int64_t first = static_cast<int64_t>(std::floor(position));
  const double x = std::lrint((position - static_cast<float>(first)) * static_cast<float>(kSteps)) / kSteps;
  taps.weight[0] = CubicFar(a, x);
  taps.weight[1] = CubicNear(a, x);
  taps.weight[2] = CubicNear(a, 1 - x);
  taps.weight[3] = CubicFar(a, 1 - x);
  float sum = 0;
  for (int k = 0; k < 4; ++k) {
    taps.index[k] = axis.Bound(first - 1 + k);
    if (axis.half_pixel_centers && taps.index[k] != first - 1 + k) taps.weight[k] = 0;
    sum += taps.weight[k];
  }
  if (axis.half_pixel_centers && std::abs(sum) > 1e-30f) {
    for (float& weight : taps.weight) weight /= sum;
  }
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_IMAGE_TAPS_H_
