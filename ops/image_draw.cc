// DrawBoundingBoxes and its second version. Contract: ops/image.h.
#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "graph/shape_inference.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/image.h"

namespace staticflow {
namespace {

// The colors of the first version, and of the second one when it is given none.
constexpr int kNumDefaultColors = 10;
constexpr float kDefaultColors[kNumDefaultColors][4] = {
    {1, 1, 0, 1},     {0, 0, 1, 1},   {1, 0, 0, 1},   {0, 1, 0, 1}, {0.5, 0, 0.5, 1},
    {0.5, 0.5, 0, 1}, {0.5, 0, 0, 1}, {0, 0, 0.5, 1}, {0, 1, 1, 1}, {1, 0, 1, 1}};

// The color of channel k in frame `box`.
float ColorOf(const KernelContext& c, int64_t box, int64_t k) {
  if (c.num_inputs() == 3 && c.input(2).num_elements > 0) {
    const TensorView& colors = c.input(2);
    return colors.as<float>()[box % colors.dim(0) * colors.dim(1) + k];
  }
  return c.input(0).dim(3) == 1 ? 1 : kDefaultColors[box % kNumDefaultColors][k];
}

// A range of pixels on an axis, which may lie partly outside.
struct Side {
  // `low` and `high` are fractions of the axis; numbers that no pixel can have are cut first.
  Side(float low, float high, int64_t size) : begin(Pixel(low, size)), end(Pixel(high, size)), size(size) {}
  static int64_t Pixel(float fraction, int64_t size) {
    constexpr float kFar = 1e15f;
    return static_cast<int64_t>(std::clamp(fraction * static_cast<float>(size - 1), -kFar, kFar));
  }
  bool is_seen() const { return begin <= end && begin < size && end >= 0; }
  int64_t first() const { return std::max<int64_t>(begin, 0); }
  int64_t last() const { return std::min(end, size - 1); }

  int64_t begin, end, size;
};

template <typename T>
absl::Status Draw(KernelContext& c) {
  const TensorView &images = c.input(0), &boxes = c.input(1);
  const int64_t height = images.dim(1), width = images.dim(2), depth = images.dim(3);
  const int64_t picture = height * width * depth;
  for (int64_t b = c.range().begin; b < c.range().end; ++b) {
    T* out = c.out<T>(0) + b * picture;
    if (out != c.in<T>(0) + b * picture) std::copy_n(c.in<T>(0) + b * picture, picture, out);
    for (int64_t box = 0; box < boxes.dim(1); ++box) {
      const float* corners = boxes.as<float>() + (b * boxes.dim(1) + box) * 4;
      if (std::any_of(corners, corners + 4, [](float x) { return !std::isfinite(x); })) continue;
      const Side rows(corners[0], corners[2], height), columns(corners[1], corners[3], width);
      if (!rows.is_seen() || !columns.is_seen()) continue;
      const auto paint = [&](int64_t row, int64_t column) {
        for (int64_t k = 0; k < depth; ++k) out[(row * width + column) * depth + k] = T(ColorOf(c, box, k));
      };
      for (int64_t x = columns.first(); x <= columns.last(); ++x) {
        if (rows.begin >= 0) paint(rows.begin, x);
        if (rows.end < height) paint(rows.end, x);
      }
      for (int64_t y = rows.first(); y <= rows.last(); ++y) {
        if (columns.begin >= 0) paint(y, columns.begin);
        if (columns.end < width) paint(y, columns.end);
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> DrawKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, Half>(setup.input_dtype(0), [&]<typename T>() { kernel = Draw<T>; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

absl::Status DrawShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape images, c.WithRank(0, 4));
  SF_ASSIGN_OR_RETURN(const Shape boxes, c.WithRank(1, 3));
  SF_RETURN_IF_ERROR(c.MergeDims(boxes.dim(2), 4, "corners of a box").status());
  SF_ASSIGN_OR_RETURN(const int64_t batch, c.MergeDims(images.dim(0), boxes.dim(0), "batch sizes"));
  const int64_t depth = images.dim(3);
  if (depth >= 0 && depth != 1 && depth != 3 && depth != 4) {
    return absl::InvalidArgumentError(absl::StrCat("images have ", depth, " channels, expected 1, 3 or 4"));
  }
  if (c.num_inputs() == 3) {
    SF_ASSIGN_OR_RETURN(const Shape colors, c.WithRank(2, 2));
    if (colors.dim(1) >= 0 && colors.dim(1) < depth) {
      return absl::InvalidArgumentError(absl::StrCat("colors have ", colors.dim(1), " channels, images ", depth));
    }
  }
  images.set_dim(0, batch);
  c.set_output(0, std::move(images));
  return absl::OkStatus();
}

void DrawBatch(BatchContext& c) {
  if (!c.AreConstant(2)) return c.Mix("with colors made of examples");
  const std::optional<BatchRows> rows = c.Agreeing({0, 1});
  if (!rows.has_value()) return;
  if (rows->is_rows() && rows->axis != 0) return c.Mix("along other dimensions than the pictures");
  c.set_all(*rows);
}

OpSpec DrawOp(const char* name, std::vector<std::string> inputs, const char* doc, GradientFunction gradient) {
  return {.name = name,
          .inputs = std::move(inputs),
          .outputs = {"output: T"},
          .attrs = {"T: {float, half} = float"},
          .shape = DrawShape,
          .gradient = gradient,
          .kernel = DrawKernel,
          .traits = kInPlace,
          .iteration = {.split = Split::kRows},
          .batch = DrawBatch,
          .doc = doc};
}
const OpRegistrar v1(DrawOp("DrawBoundingBoxes", {"images: T", "boxes: float"},
                            "Pictures with frames in ten colors around boxes.", kNotDifferentiable));
const OpRegistrar v2(DrawOp("DrawBoundingBoxesV2", {"images: T", "boxes: float", "colors: float"},
                            "Pictures with frames around boxes.", kGradientIsError));

}  // namespace

Output DrawBoundingBoxes(Operand images, Operand boxes, Operand colors, const OpOptions& options) {
  return NodeBuilder("DrawBoundingBoxesV2", {images, boxes, colors}).Name(options.name).Build();
}

}  // namespace staticflow
