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

struct ScaleAndTranslateOptions {
  std::string kernel_type = "lanczos3";  // lanczos1, lanczos3, lanczos5, gaussian, box, triangle, keyscubic,
                                         // mitchellcubic
  bool antialias = true;                 // a smaller picture averages over all pixels, instead of leaving some out
  std::string name = "";
};
// Pictures of size[0] rows and size[1] columns, in which pixel p of the input is at scale * p + translation: what
// tf.image.resize of TensorFlow 2 is made of. scale (positive) and translation are float, {rows, columns}. The result
// is float. Differentiable by float images, any number of times.
Output ScaleAndTranslate(Operand images, const Ints& size, Operand scale, Operand translation,
                         const ScaleAndTranslateOptions& options = {});

struct ImageProjectiveTransformOptions {
  std::string interpolation = "NEAREST";  // or "BILINEAR"
  std::string fill_mode = "CONSTANT";     // or REFLECT, WRAP, NEAREST: what lies outside the picture
  std::string name = "";
};
// Pixel (x, y) of the result is pixel ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k) of the picture, where
// k = c0 x + c1 y + 1 and (a0, a1, a2, b0, b1, b2, c0, c1) is a row of `transforms`, float [batch or 1, 8].
// output_shape is {rows, columns}; what lies outside is fill_value, a float scalar, with CONSTANT.
// Differentiable by floating images, as in TensorFlow: the gradient goes back through the inverse transform, which is
// exact where pixels become pixels. Op ImageProjectiveTransformV3.
Output ImageProjectiveTransform(Operand images, Operand transforms, const Ints& output_shape, Operand fill_value,
                                const ImageProjectiveTransformOptions& options = {});

// Pictures, float or half, with frames around `boxes` [batch, boxes, (y1, x1, y2, x2)], in fractions of the picture, in
// the rows of `colors` [colors, channels] one after the other. Op DrawBoundingBoxesV2.
Output DrawBoundingBoxes(Operand images, Operand boxes, Operand colors, const OpOptions& options = {});

struct SampleDistortedBoundingBoxOptions {
  std::vector<float> aspect_ratio_range = {0.75f, 1.33f};  // width / height
  std::vector<float> area_range = {0.05f, 1};              // in fractions of the picture
  int64_t max_attempts = 100;                              // after which it is the whole picture
  bool use_image_if_no_bounding_boxes = false;             // otherwise that is an error
  int64_t seed = 0;                                        // 0: the graph chooses one; of the stateful op
  std::string name = "";
};
struct SampledBox {
  Output begin, size;  // as Slice takes them: (row, column, 0) and (rows, columns, -1)
  Output bboxes;       // [1, 1, 4]: (y1, x1, y2, x2) in fractions of the picture
};
// A random part of a picture of `image_size` (rows, columns, channels) that shows at least the fraction
// min_object_covered of one of bounding_boxes [1, boxes, 4]. A new one in each step, or a function of `seed`.
SampledBox SampleDistortedBoundingBox(Operand image_size, Operand bounding_boxes, Operand min_object_covered,
                                      const SampleDistortedBoundingBoxOptions& options = {});
SampledBox StatelessSampleDistortedBoundingBox(Operand image_size, Operand bounding_boxes, Operand min_object_covered,
                                               Operand seed, const SampleDistortedBoundingBoxOptions& options = {});

struct ExtractGlimpseOptions {
  bool centered = true;           // offsets count from the center of the picture, else from its corner
  bool normalized = true;         // in half pictures (centered) or whole ones, else in pixels
  std::string noise = "uniform";  // what lies outside: noise like the picture, uniform or gaussian, or "zero"
  std::string name = "";
};
// The part of `size` {rows, columns} of each picture that starts at offsets[b] = (y, x), or has its center there where
// offsets are centered and normalized. float. No gradient. The noise is the same in every step. Op ExtractGlimpseV2.
Output ExtractGlimpse(Operand input, const Ints& size, Operand offsets, const ExtractGlimpseOptions& options = {});

struct EncodePngOptions {
  int64_t compression = -1;  // zlib's level, 0 to 9; -1: the usual one
  std::string name = "";
};
// A PNG file for each picture [..., height, width, 1 to 4 channels] of uint8 or uint16: strings of shape [...].
Output EncodePng(Operand image, const EncodePngOptions& options = {});

struct CombinedNonMaxSuppressionOptions {
  float iou_threshold = 0.5;
  float score_threshold = -std::numeric_limits<float>::infinity();
  bool pad_per_class = false;  // at most max_output_size_per_class * classes boxes, if that is less
  bool clip_boxes = true;      // boxes are cut to [0, 1]
  std::string name = "";
};
struct CombinedBoxes {
  Output boxes;    // [batch, most, 4]; zeros behind the last
  Output scores;   // [batch, most], decreasing
  Output classes;  // [batch, most], float
  Output valid;    // int32 [batch]: how many there are
};
// NonMaxSuppression for each class by itself, and the best of all classes: boxes [batch, n, 1 or classes, 4], scores
// [batch, n, classes]. float. No gradient.
CombinedBoxes CombinedNonMaxSuppression(Operand boxes, Operand scores, Operand max_output_size_per_class,
                                        Operand max_total_size, const CombinedNonMaxSuppressionOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_IMAGE_H_
