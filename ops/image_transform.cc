// ImageProjectiveTransformV2 and V3. Contract: ops/image.h.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/image.h"
#include "ops/linalg.h"
#include "ops/math.h"

namespace staticflow {
namespace {

enum class Fill { kConstant, kReflect, kWrap, kNearest };

struct TransformAttrs {
  template <typename Source>
  static absl::StatusOr<TransformAttrs> Read(const Source& source) {
    const std::string& interpolation = source.template attr<std::string>("interpolation");
    const std::string& mode = source.template attr<std::string>("fill_mode");
    TransformAttrs attrs;
    if (interpolation != "NEAREST" && interpolation != "BILINEAR") {
      return absl::InvalidArgumentError(
          absl::StrCat("interpolation is '", interpolation, "', expected NEAREST or BILINEAR"));
    }
    attrs.bilinear = interpolation == "BILINEAR";
    if (mode == "REFLECT") {
      attrs.fill = Fill::kReflect;
    } else if (mode == "WRAP") {
      attrs.fill = Fill::kWrap;
    } else if (mode == "NEAREST") {
      attrs.fill = Fill::kNearest;
    } else if (mode != "CONSTANT") {
      return absl::InvalidArgumentError(
          absl::StrCat("fill_mode is '", mode, "', expected CONSTANT, REFLECT, WRAP or NEAREST"));
    }
    return attrs;
  }
  bool bilinear = false;
  Fill fill = Fill::kConstant;
};

// A position on an axis of `size` pixels, brought back into the picture. All arithmetic is TensorFlow's, in float.
float Reflect(float x, int64_t size) {
  const float period = static_cast<float>(2 * size);
  if (size <= 1) return 0;
  if (x < 0) {
    if (x < period) x = period * std::trunc(-x / period) + x;
    return x < static_cast<float>(-size) ? x + period : -x - 1;
  }
  if (x <= static_cast<float>(size - 1)) return x;
  x -= period * std::trunc(x / period);
  return x >= static_cast<float>(size) ? period - x - 1 : x;
}
float Wrap(float x, int64_t size) {
  const float period = static_cast<float>(size), last = static_cast<float>(size - 1);
  if (size <= 1) return 0;
  if (x < 0) return x + period * (std::trunc(-x / last) + 1);
  return x > last ? x - period * std::trunc(x / last) : x;
}
float MapPosition(float x, int64_t size, Fill fill) {
  if (fill == Fill::kConstant || std::isnan(x)) return x;
  if (fill == Fill::kReflect) x = Reflect(x, size);
  if (fill == Fill::kWrap) x = Wrap(x, size);
  return std::clamp(x, 0.0f, static_cast<float>(std::max<int64_t>(size - 1, 0)));
}

// One picture of a batch.
template <typename T>
struct Picture {
  const T* pixels = nullptr;
  int64_t rows = 0, columns = 0, channels = 0;
  T outside = T();

  // The pixel whose center is at (y, x), whole numbers of any size.
  T At(float y, float x, int64_t channel) const {
    if (!(y >= 0 && y < static_cast<float>(rows) && x >= 0 && x < static_cast<float>(columns))) return outside;
    const int64_t row = static_cast<int64_t>(y), column = static_cast<int64_t>(x);
    if (row >= rows || column >= columns) return outside;
    return pixels[(row * columns + column) * channels + channel];
  }
  T Nearest(float y, float x, int64_t channel) const { return At(std::round(y), std::round(x), channel); }
  T Bilinear(float y, float x, int64_t channel) const {
    const float top = std::floor(y), left = std::floor(x), bottom = top + 1, right = left + 1;
    const auto along = [&](float row) {
      return (right - x) * static_cast<float>(At(row, left, channel)) +
             (x - left) * static_cast<float>(At(row, right, channel));
    };
    return FromFloat<T>((bottom - y) * along(top) + (y - top) * along(bottom));
  }

  // Integers are cut off towards 0; what an integer cannot hold is its nearest bound.
  template <typename Z>
  static Z FromFloat(float value) {
    if constexpr (std::is_integral_v<Z>) {
      constexpr double kLow = static_cast<double>(std::numeric_limits<Z>::min());
      constexpr double kHigh = static_cast<double>(std::numeric_limits<Z>::max());
      if (std::isnan(value)) return 0;
      if (value >= kHigh) return std::numeric_limits<Z>::max();
      return static_cast<Z>(std::max(static_cast<double>(value), kLow));
    } else {
      return Z(value);
    }
  }
};

template <typename T>
absl::Status Transform(KernelContext& c, const TransformAttrs& attrs) {
  const TensorView &in = c.input(0), &out = c.output(0), &transforms = c.input(1);
  Picture<T> picture = {.rows = in.dim(1), .columns = in.dim(2), .channels = in.dim(3)};
  picture.outside = Picture<T>::template FromFloat<T>(c.num_inputs() == 4 ? c.scalar<float>(3) : 0.0f);
  const int64_t channels = picture.channels;
  for (int64_t b = c.range().begin; b < c.range().end; ++b) {
    picture.pixels = c.in<T>(0) + b * picture.rows * picture.columns * channels;
    const float* t = transforms.as<float>() + (transforms.dim(0) == 1 ? 0 : 8 * b);
    T* to = c.out<T>(0) + b * out.dim(1) * out.dim(2) * channels;
    for (int64_t i = 0; i < out.dim(1); ++i) {
      for (int64_t j = 0; j < out.dim(2); ++j, to += channels) {
        const float column = static_cast<float>(j), row = static_cast<float>(i);
        const float projection = t[6] * column + t[7] * row + 1.0f;
        if (projection == 0) {
          std::fill_n(to, channels, picture.outside);
          continue;
        }
        const float at_x = (t[0] * column + t[1] * row + t[2]) / projection;
        const float at_y = (t[3] * column + t[4] * row + t[5]) / projection;
        const float x = MapPosition(at_x, picture.columns, attrs.fill), y = MapPosition(at_y, picture.rows, attrs.fill);
        for (int64_t k = 0; k < channels; ++k) {
          to[k] = attrs.bilinear ? picture.Bilinear(y, x, k) : picture.Nearest(y, x, k);
        }
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> TransformKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const TransformAttrs attrs, TransformAttrs::Read(setup));
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, uint8_t, int32_t, int64_t>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [attrs](KernelContext& c) { return Transform<T>(c, attrs); };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

absl::Status TransformShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(TransformAttrs::Read(c).status());
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRank(0, 4));
  SF_ASSIGN_OR_RETURN(const Shape transforms, c.WithRank(1, 2));
  SF_RETURN_IF_ERROR(c.MergeDims(transforms.dim(1), 8, "columns of transforms").status());
  if (transforms.dim(0) != 1 && transforms.dim(0) >= 0) {
    SF_RETURN_IF_ERROR(c.MergeDims(transforms.dim(0), shape.dim(0), "transforms and images").status());
  }
  SF_ASSIGN_OR_RETURN(const Shape size, DimsFromInput(c, 2));
  if (size.has_rank() && size.rank() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("output_shape has ", size.rank(), " elements, expected 2"));
  }
  if (size.dim(0) == 0 || size.dim(1) == 0) {
    return absl::InvalidArgumentError(absl::StrCat("output_shape is ", size.ToString(), ", expected 1 or more"));
  }
  if (c.num_inputs() == 4) SF_RETURN_IF_ERROR(c.WithRank(3, 0).status());
  for (int d = 0; d < 2; ++d) shape.set_dim(1 + d, size.dim(d));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

// As in TensorFlow, the gradient is carried back by the inverse transform: exact where that maps pixels to pixels.
void TransformGradient(GradientContext& c) {
  const Output transforms = c.x(1),
               like_column = StridedSlice(transforms, {0, 0}, {0, 1}, {1, 1}, {.begin_mask = 1, .end_mask = 1});
  const Output rows = Concat({transforms, OnesLike(like_column)}, 1);
  const Output inverse = Reshape(MatrixInverse(Reshape(rows, {-1, 3, 3})), {-1, 9});
  const auto columns = [&](int64_t begin, int64_t end) {
    return StridedSlice(inverse, {0, begin}, {0, end}, {1, 1}, {.begin_mask = 1, .end_mask = 1});
  };
  const Output back = RealDiv(columns(0, 8), columns(8, 9)), size = StridedSlice(ShapeOf(c.x(0)), {1}, {3});
  NodeBuilder builder(c.node().type(), {c.dy(0), back, size});
  if (c.num_inputs() == 4) builder.Input(0.0f);
  c.set_dx(0, builder.Attr("interpolation", c.attr<std::string>("interpolation"))
                  .Attr("fill_mode", c.attr<std::string>("fill_mode"))
                  .Build());
}

void TransformBatch(BatchContext& c) {
  if (!c.AreConstant(2)) return c.Mix("by its operands");
  const std::optional<BatchRows> rows = c.Agreeing({0, 1});
  if (!rows.has_value()) return;
  if (rows->is_rows() && rows->axis != 0) return c.Mix("along other dimensions than the pictures");
  c.set_all(*rows);
}

OpSpec TransformOp(const char* name, std::vector<std::string> inputs, const char* doc) {
  return {.name = name,
          .inputs = std::move(inputs),
          .outputs = {"transformed_images: dtype"},
          .attrs = {"dtype: {uint8, int32, int64, half, bfloat16, float, double}", "interpolation: string",
                    "fill_mode: string = 'CONSTANT'"},
          .shape = TransformShape,
          .gradient = TransformGradient,
          .kernel = TransformKernel,
          .iteration = {.split = Split::kRows},
          .batch = TransformBatch,
          .doc = doc};
}
const OpRegistrar v2(TransformOp("ImageProjectiveTransformV2",
                                 {"images: dtype", "transforms: float", "output_shape: int32"},
                                 "Pictures moved, turned, sheared and seen in perspective, on zeros."));
const OpRegistrar v3(TransformOp("ImageProjectiveTransformV3",
                                 {"images: dtype", "transforms: float", "output_shape: int32", "fill_value: float"},
                                 "Pictures moved, turned, sheared and seen in perspective."));

}  // namespace

Output ImageProjectiveTransform(Operand images, Operand transforms, const Ints& output_shape, Operand fill_value,
                                const ImageProjectiveTransformOptions& options) {
  const NodeName node(images, options.name, "ImageProjectiveTransformV3");
  if (!node) return Output();
  const Output size = node.Vector(output_shape, "output_shape", DT_INT32);
  return NodeBuilder("ImageProjectiveTransformV3", {images, transforms, size, fill_value})
      .Attr("interpolation", options.interpolation)
      .Attr("fill_mode", options.fill_mode)
      .Name(node.exact())
      .Build();
}

}  // namespace staticflow
