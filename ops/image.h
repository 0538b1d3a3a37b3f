// Images: tensors [batch, height, width, channels].
//
//   Output small = ResizeBilinear(images, {32, 32}, {.half_pixel_centers = true});
//
// Not thread-safe: all of them add to the graph. Source: tf.image (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_IMAGE_H_
#define STATICFLOW_OPS_IMAGE_H_

#include <string>
#include <vector>

#include "ops/array.h"

namespace staticflow {

struct ResizeOptions {
  bool align_corners = false;       // the centers of the corner pixels of both images coincide
  bool half_pixel_centers = false;  // pixel i covers [i, i + 1), its center is i + 1/2; not with align_corners
  std::string name = "";
};
// `images` with size[0] rows and size[1] columns, both at least 1. The result is float, but for NearestNeighbor, which
// keeps the type. Numbers; ResizeArea looks at align_corners alone and has no gradient.
Output ResizeBilinear(Operand images, const Ints& size, const ResizeOptions& options = {});
Output ResizeNearestNeighbor(Operand images, const Ints& size, const ResizeOptions& options = {});
Output ResizeBicubic(Operand images, const Ints& size, const ResizeOptions& options = {});
Output ResizeArea(Operand images, const Ints& size, const ResizeOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_IMAGE_H_
