// CropAndResize and its gradients by the image and by the boxes. Contract: ops/image.h.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/image.h"

namespace staticflow {
namespace {

constexpr char kCropMethod[] = "method: {'bilinear', 'nearest'} = 'bilinear'";
constexpr char kCropImageT[] = "T: {uint8, uint16, int8, int16, int32, int64, half, float, double}";

// boxes [n, 4] and their images [n].
absl::StatusOr<int64_t> BoxCount(const ShapeContext& c, int boxes, int box_ind) {
  SF_ASSIGN_OR_RETURN(const Shape box, c.WithRank(boxes, 2));
  SF_ASSIGN_OR_RETURN(const Shape index, c.WithRank(box_ind, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(box.dim(1), 4, "corners of boxes").status());
  return c.MergeDims(box.dim(0), index.dim(0), "boxes");
}

absl::Status CropShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape image, c.WithRank(0, 4));
  SF_ASSIGN_OR_RETURN(const int64_t boxes, BoxCount(c, 1, 2));
  SF_ASSIGN_OR_RETURN(const Shape size, DimsFromInput(c, 3));
  if (size.has_rank() && size.rank() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("crop_size has ", size.rank(), " elements, expected 2"));
  }
  if (size.dim(0) == 0 || size.dim(1) == 0) return absl::InvalidArgumentError("crop_size is 0, expected at least 1");
  if (image.dim(1) == 0 || image.dim(2) == 0) return absl::InvalidArgumentError("the image has no pixels");
  c.set_output(0, {boxes, size.dim(0), size.dim(1), image.dim(3)});
  return absl::OkStatus();
}

// Where the pixels of a crop lie along one dimension of the image: pixel i of the crop at start + i * step.
struct CropAxis {
  CropAxis(float low, float high, int64_t image_size, int64_t crop_size) : image_size(image_size) {
    const float last = static_cast<float>(image_size - 1);
    ratio = crop_size > 1 ? last / static_cast<float>(crop_size - 1) : 0;
    step = crop_size > 1 ? (high - low) * last / static_cast<float>(crop_size - 1) : 0;
    start = crop_size > 1 ? low * last : 0.5f * (low + high) * last;
  }
  float At(int64_t i) const { return start + static_cast<float>(i) * step; }
  bool Contains(float at) const { return at >= 0 && at <= static_cast<float>(image_size - 1); }

  int64_t image_size;
  float start, step, ratio;
};

// The two pixels around a place, and how far it is from the first to the second.
struct Between {
  explicit Between(float at)
      : low(static_cast<int64_t>(std::floor(at))), high(static_cast<int64_t>(std::ceil(at))), part(at - low) {}
  int64_t low, high;
  float part;
};

absl::Status CheckBoxes(const KernelContext& c, int boxes, int64_t batch) {
  const int box_ind = boxes + 1;
  for (float corner : absl::MakeConstSpan(c.in<float>(boxes), c.input(boxes).num_elements)) {
    if (!std::isfinite(corner)) return absl::InvalidArgumentError("a corner of a box is not finite");
  }
  for (int64_t b = 0; b < c.input(box_ind).num_elements; ++b) {
    const int32_t image = c.in<int32_t>(box_ind)[b];
    if (image >= 0 && image < batch) continue;
    return absl::OutOfRangeError(absl::StrCat("box_ind[", b, "] is ", image, ", but there are ", batch, " images"));
  }
  return absl::OkStatus();
}

// Calls visit(box, y, x, row axis, column axis, inside) for each pixel of each crop.
template <typename F>
void ForEachCropPixel(const KernelContext& c, int boxes, const TensorView& crops, const Shape& image, F visit) {
  for (int64_t b = 0; b < crops.dim(0); ++b) {
    const float* box = c.in<float>(boxes) + 4 * b;
    const CropAxis rows(box[0], box[2], image.dim(1), crops.dim(1));
    const CropAxis columns(box[1], box[3], image.dim(2), crops.dim(2));
    for (int64_t y = 0; y < crops.dim(1); ++y) {
      const bool inside = rows.Contains(rows.At(y));
      for (int64_t x = 0; x < crops.dim(2); ++x) {
        visit(b, y, x, rows, columns, inside && columns.Contains(columns.At(x)));
      }
    }
  }
}

int64_t Pixel(const Shape& image, int64_t b, int64_t y, int64_t x) {
  return ((b * image.dim(1) + y) * image.dim(2) + x) * image.dim(3);
}

// Calls tap(pixel of the image, weight) for the pixels that a place is made of.
template <typename F>
void ForEachCropTap(bool nearest, const Shape& image, int64_t b, float at_y, float at_x, F tap) {
  if (nearest) {
    tap(Pixel(image, b, static_cast<int64_t>(std::round(at_y)), static_cast<int64_t>(std::round(at_x))), 1.0f);
    return;
  }
  const Between y(at_y), x(at_x);
  tap(Pixel(image, b, y.low, x.low), (1 - y.part) * (1 - x.part));
  tap(Pixel(image, b, y.low, x.high), (1 - y.part) * x.part);
  tap(Pixel(image, b, y.high, x.low), y.part * (1 - x.part));
  tap(Pixel(image, b, y.high, x.high), y.part * x.part);
}

template <typename T>
absl::Status Crop(KernelContext& c, bool nearest, float outside) {
  const TensorView &image = c.input(0), &crops = c.output(0);
  SF_RETURN_IF_ERROR(CheckBoxes(c, 1, image.dim(0)));
  const int64_t channels = image.dim(3);
  float* to = c.out<float>(0);
  ForEachCropPixel(c, 1, crops, *image.shape,
                   [&](int64_t b, int64_t y, int64_t x, const CropAxis& rows, const CropAxis& columns, bool inside) {
                     std::fill_n(to, channels, inside ? 0.0f : outside);
                     if (inside) {
                       ForEachCropTap(nearest, *image.shape, c.in<int32_t>(2)[b], rows.At(y), columns.At(x),
                                      [&](int64_t pixel, float weight) {
                                        const T* from = c.in<T>(0) + pixel;
                                        for (int64_t k = 0; k < channels; ++k) {
                                          to[k] += weight * static_cast<float>(from[k]);
                                        }
                                      });
                     }
                     to += channels;
                   });
  return absl::OkStatus();
}

absl::StatusOr<Kernel> CropKernel(const KernelSetup& setup) {
  const bool nearest = setup.attr<std::string>("method") == "nearest";
  const float outside = setup.attr<float>("extrapolation_value");
  Kernel kernel;
  DispatchType<uint8_t, uint16_t, int8_t, int16_t, int32_t, int64_t, Half, float, double>(
      setup.input_dtype(0),
      [&]<typename T>() { kernel = [=](KernelContext& c) { return Crop<T>(c, nearest, outside); }; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

void CropGradient(GradientContext& c) {
  const Output image = c.x(0), boxes = c.x(1), box_ind = c.x(2), dy = c.dy(0);
  const std::string& method = c.attr<std::string>("method");
  if (IsFloating(image.dtype())) {
    c.set_dx(0, NodeBuilder("CropAndResizeGradImage", {dy, boxes, box_ind, ShapeOf(image)})
                    .Attr("T", image.dtype())
                    .Attr("method", method)
                    .Build());
  }
  // TensorFlow moves boxes by the bilinear rule for both methods: by "nearest" nothing would move them.
  c.set_dx(1, NodeBuilder("CropAndResizeGradBoxes", {dy, image, boxes, box_ind}).Build());
}

const OpRegistrar crop({.name = "CropAndResize",
                        .inputs = {"image: T", "boxes: float", "box_ind: int32", "crop_size: int32"},
                        .outputs = {"crops: float"},
                        .attrs = {kCropImageT, kCropMethod, "extrapolation_value: float = 0.0"},
                        .shape = CropShape,
                        .gradient = CropGradient,
                        .kernel = CropKernel,
                        .doc = "Boxes cut out of images, all brought to one size."});

// CropAndResizeGradImage: the transpose of that; every pixel of dy goes to its taps.
absl::Status GradImageShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape grads, c.WithRank(0, 4));
  SF_ASSIGN_OR_RETURN(const int64_t boxes, BoxCount(c, 1, 2));
  SF_RETURN_IF_ERROR(c.MergeDims(grads.dim(0), boxes, "boxes").status());
  SF_ASSIGN_OR_RETURN(Shape image, DimsFromInput(c, 3));
  if (!image.has_rank()) image = Shape::UnknownOfRank(4);
  if (image.rank() != 4) {
    return absl::InvalidArgumentError(absl::StrCat("image_size has ", image.rank(), " elements, expected 4"));
  }
  SF_ASSIGN_OR_RETURN(const int64_t channels, c.MergeDims(image.dim(3), grads.dim(3), "channels"));
  image.set_dim(3, channels);
  c.set_output(0, std::move(image));
  return absl::OkStatus();
}

template <typename T>
absl::Status GradImage(KernelContext& c, bool nearest) {
  const TensorView &grads = c.input(0), &image = c.output(0);
  SF_RETURN_IF_ERROR(CheckBoxes(c, 1, image.dim(0)));
  if (image.dim(1) == 0 || image.dim(2) == 0) return absl::InvalidArgumentError("the image has no pixels");
  const int64_t channels = image.dim(3);
  std::fill_n(c.out<T>(0), image.num_elements, T(0));
  const float* dy = c.in<float>(0);
  ForEachCropPixel(c, 1, grads, *image.shape,
                   [&](int64_t b, int64_t y, int64_t x, const CropAxis& rows, const CropAxis& columns, bool inside) {
                     if (inside) {
                       ForEachCropTap(nearest, *image.shape, c.in<int32_t>(2)[b], rows.At(y), columns.At(x),
                                      [&](int64_t pixel, float weight) {
                                        T* to = c.out<T>(0) + pixel;
                                        for (int64_t k = 0; k < channels; ++k) {
                                          to[k] = T(Widen(to[k]) + ComputeType<T>(weight * dy[k]));
                                        }
                                      });
                     }
                     dy += channels;
                   });
  return absl::OkStatus();
}

absl::StatusOr<Kernel> GradImageKernel(const KernelSetup& setup) {
  const bool nearest = setup.attr<std::string>("method") == "nearest";
  Kernel kernel;
  DispatchType<Half, float, double>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [nearest](KernelContext& c) { return GradImage<T>(c, nearest); };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

// Linear in the gradients of the crops: the derivative is the crop of `dy` itself.
void GradImageGradient(GradientContext& c) {
  const std::string& method = c.attr<std::string>("method");
  const Output size = Slice(ShapeOf(c.x(0)), {1}, {2});
  c.set_dx(0, CropAndResize(c.dy(0), c.x(1), c.x(2), size, {.method = method}));
  if (method == "bilinear") {
    c.set_dx(1, NodeBuilder("CropAndResizeGradBoxes", {c.x(0), c.dy(0), c.x(1), c.x(2)}).Build());
  }
}

const OpRegistrar grad_image({.name = "CropAndResizeGradImage",
                              .inputs = {"grads: float", "boxes: float", "box_ind: int32", "image_size: int32"},
                              .outputs = {"output: T"},
                              .attrs = {"T: {float, half, double}", kCropMethod},
                              .shape = GradImageShape,
                              .gradient = GradImageGradient,
                              .kernel = GradImageKernel,
                              .doc = "The gradient of CropAndResize by the images."});

// CropAndResizeGradBoxes: how the crops change as the corners of their boxes move.
absl::Status GradBoxesShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape grads, c.WithRank(0, 4));
  SF_ASSIGN_OR_RETURN(const Shape image, c.WithRank(1, 4));
  SF_ASSIGN_OR_RETURN(int64_t boxes, BoxCount(c, 2, 3));
  SF_ASSIGN_OR_RETURN(boxes, c.MergeDims(grads.dim(0), boxes, "boxes"));
  SF_RETURN_IF_ERROR(c.MergeDims(grads.dim(3), image.dim(3), "channels").status());
  if (image.dim(1) == 0 || image.dim(2) == 0) return absl::InvalidArgumentError("the image has no pixels");
  c.set_output(0, {boxes, 4});
  return absl::OkStatus();
}

// Adds how a place moves with the low and the high end of its box: all of it to each half when the crop is one pixel.
void AddCorners(const CropAxis& axis, int64_t i, int64_t crop_size, float slope, float* low, float* high) {
  const float last = static_cast<float>(axis.image_size - 1);
  const float to_high = crop_size > 1 ? static_cast<float>(i) * axis.ratio : 0.5f * last;
  *low += slope * (last - to_high);
  *high += slope * to_high;
}

template <typename T>
absl::Status GradBoxes(KernelContext& c) {
  const TensorView &grads = c.input(0), &image = c.input(1);
  SF_RETURN_IF_ERROR(CheckBoxes(c, 2, image.dim(0)));
  const int64_t channels = image.dim(3);
  std::fill_n(c.out<float>(0), c.output(0).num_elements, 0.0f);
  const float* dy = c.in<float>(0);
  ForEachCropPixel(c, 2, grads, *image.shape,
                   [&](int64_t b, int64_t y, int64_t x, const CropAxis& rows, const CropAxis& columns, bool inside) {
                     if (inside) {
                       const Between row(rows.At(y)), column(columns.At(x));
                       const auto at = [&](int64_t i, int64_t j) {
                         return c.in<T>(1) + Pixel(*image.shape, c.in<int32_t>(3)[b], i, j);
                       };
                       const T *top_left = at(row.low, column.low), *top_right = at(row.low, column.high);
                       const T *bottom_left = at(row.high, column.low), *bottom_right = at(row.high, column.high);
                       float slope_y = 0, slope_x = 0;
                       for (int64_t k = 0; k < channels; ++k) {
                         const float tl(top_left[k]), tr(top_right[k]), bl(bottom_left[k]), br(bottom_right[k]);
                         slope_y += dy[k] * ((1 - column.part) * (bl - tl) + column.part * (br - tr));
                         slope_x += dy[k] * ((1 - row.part) * (tr - tl) + row.part * (br - bl));
                       }
                       float* corners = c.out<float>(0) + 4 * b;
                       AddCorners(rows, y, grads.dim(1), slope_y, corners, corners + 2);
                       AddCorners(columns, x, grads.dim(2), slope_x, corners + 1, corners + 3);
                     }
                     dy += channels;
                   });
  return absl::OkStatus();
}

absl::StatusOr<Kernel> GradBoxesKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<uint8_t, uint16_t, int8_t, int16_t, int32_t, int64_t, Half, float, double>(
      setup.input_dtype(1), [&]<typename T>() { kernel = GradBoxes<T>; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(1));
  return kernel;
}

const OpRegistrar grad_boxes({.name = "CropAndResizeGradBoxes",
                              .inputs = {"grads: float", "image: T", "boxes: float", "box_ind: int32"},
                              .outputs = {"output: float"},
                              .attrs = {kCropImageT, "method: {'bilinear'} = 'bilinear'"},
                              .shape = GradBoxesShape,
                              .gradient = kGradientIsError,
                              .kernel = GradBoxesKernel,
                              .doc = "The gradient of CropAndResize by the boxes."});

}  // namespace

Output CropAndResize(Operand image, Operand boxes, Operand box_ind, const Ints& crop_size,
                     const CropAndResizeOptions& options) {
  const NodeName node(image, options.name, "CropAndResize");
  if (!node) return Output();
  return NodeBuilder("CropAndResize", {image, boxes, box_ind, node.Vector(crop_size, "crop_size", DT_INT32)})
      .Attr("method", options.method)
      .Attr("extrapolation_value", options.extrapolation_value)
      .Name(node.exact())
      .Build();
}

}  // namespace staticflow
