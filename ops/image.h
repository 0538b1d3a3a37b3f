// Images: tensors [batch, height, width, channels].
//
//   Output small = ResizeBilinear(images, {32, 32}, {.half_pixel_centers = true});
//
// Not thread-safe: all of them add to the graph. Source: tf.image (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_IMAGE_H_
#define STATICFLOW_OPS_IMAGE_H_

#include <limits>
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

struct CropAndResizeOptions {
  std::string method = "bilinear";  // or "nearest"
  float extrapolation_value = 0;    // of pixels outside the image
  std::string name = "";
};
// Crop b is what box b = (y1, x1, y2, x2) of image box_ind[b] shows, in fractions of the image: 0 and 1 are the centers
// of its border pixels. [boxes, crop_size[0], crop_size[1], channels], float. Differentiable by the image (floating
// types) and, but for "nearest", by the boxes.
Output CropAndResize(Operand image, Operand boxes, Operand box_ind, const Ints& crop_size,
                     const CropAndResizeOptions& options = {});

struct NonMaxSuppressionOptions {
  float iou_threshold = 0.5;
  float score_threshold = -std::numeric_limits<float>::infinity();  // boxes of no higher score are left out
  std::string name = "";
};
// Op NonMaxSuppressionV3: the numbers of at most max_output_size boxes [n, 4], by decreasing score, of which no two
// overlap by more than iou_threshold (intersection over union). int32; its length is known when it has run.
Output NonMaxSuppression(Operand boxes, Operand scores, Operand max_output_size,
                         const NonMaxSuppressionOptions& options = {});

// Colors of pixels, the last dimension: red, green and blue in [0, 1], or hue, saturation and value. Floating types.
Output RGBToHSV(Operand images, const OpOptions& options = {});
Output HSVToRGB(Operand images, const OpOptions& options = {});
// Hue turned by `delta` (1: all the way round); saturation times `scale`, cut at 1; the distance to the mean over the
// image's pixels times `contrast_factor`. RGB images of half or float; contrast takes any channels.
Output AdjustHue(Operand images, Operand delta, const OpOptions& options = {});
Output AdjustSaturation(Operand images, Operand scale, const OpOptions& options = {});
Output AdjustContrast(Operand images, Operand contrast_factor, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_IMAGE_H_
