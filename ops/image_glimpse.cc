// ExtractGlimpse and its second version. Contract: ops/image.h.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/image.h"
#include "ops/random_seed.h"

namespace staticflow {
namespace {

enum class Noise { kZero, kUniform, kGaussian };

struct GlimpseAttrs {
  template <typename Source>
  static absl::StatusOr<GlimpseAttrs> Read(const Source& source) {
    GlimpseAttrs attrs = {.centered = source.template attr<bool>("centered"),
                          .normalized = source.template attr<bool>("normalized"),
                          .is_first = source.node().type() == "ExtractGlimpse"};
    const std::string& noise = source.template attr<std::string>("noise");
    const bool uniform = source.template attr<bool>("uniform_noise");
    if (uniform && noise != "uniform") {
      return absl::InvalidArgumentError(absl::StrCat("uniform_noise contradicts noise '", noise, "'"));
    }
    if (noise != "uniform" && noise != "gaussian" && noise != "zero") {
      return absl::InvalidArgumentError(absl::StrCat("noise is '", noise, "', expected uniform, gaussian or zero"));
    }
    attrs.noise = noise == "uniform" ? Noise::kUniform : noise == "gaussian" ? Noise::kGaussian : Noise::kZero;
    return attrs;
  }

  // The first pixel of a glimpse of `size` pixels on an axis of `in` pixels. In the first version an offset is that of
  // the glimpse's center, in the second one only if it is centered and normalized.
  int64_t Start(float offset, int64_t in, int64_t size) const {
    const float pixels = static_cast<float>(in);
    const bool halves = centered && (is_first || normalized);
    if (normalized) offset *= pixels;
    if (halves) offset /= 2;
    if (centered) offset += pixels / 2;
    if (is_first || halves) offset -= static_cast<float>(size) / 2;
    constexpr float kFar = 1e15f;
    return std::isnan(offset) ? static_cast<int64_t>(kFar) : static_cast<int64_t>(std::clamp(offset, -kFar, kFar));
  }

  bool centered = true, normalized = true, is_first = false;
  Noise noise = Noise::kUniform;
};

// Fills a glimpse with noise like the picture: uniform between its extremes, or normal with the mean and deviation of
// each channel. A function of the picture's number alone.
void FillWithNoise(const GlimpseAttrs& attrs, absl::Span<const float> picture, int64_t channels, int64_t number,
                   absl::Span<float> out) {
  if (attrs.noise == Noise::kZero || picture.empty()) return std::fill(out.begin(), out.end(), 0.0f);
  PhiloxNumbers numbers(FromSeed(static_cast<uint64_t>(number), 0));
  if (attrs.noise == Noise::kUniform) {
    const auto [low, high] = std::minmax_element(picture.begin(), picture.end());
    for (float& value : out) value = *low + UniformFloat(numbers()) * (*high - *low);
    return;
  }
  const size_t step = static_cast<size_t>(channels);
  const double count = static_cast<double>(picture.size() / step);
  for (size_t k = 0; k < step; ++k) {
    double sum = 0, squares = 0;
    for (size_t i = k; i < picture.size(); i += step) sum += picture[i];
    const double mean = sum / count;
    for (size_t i = k; i < picture.size(); i += step) squares += (picture[i] - mean) * (picture[i] - mean);
    const float deviation = static_cast<float>(std::sqrt(squares / count));
    for (size_t i = k; i < out.size(); i += step) {
      const uint32_t first = numbers();
      out[i] = static_cast<float>(mean) + deviation * NormalFloats(first, numbers())[0];
    }
  }
}

absl::Status Extract(KernelContext& c, const GlimpseAttrs& attrs) {
  const TensorView &in = c.input(0), &out = c.output(0);
  const int64_t rows = in.dim(1), columns = in.dim(2), channels = in.dim(3);
  const size_t picture_size = static_cast<size_t>(rows * columns * channels);
  const size_t glimpse_size = static_cast<size_t>(out.dim(1) * out.dim(2) * channels);
  for (int64_t b = c.range().begin; b < c.range().end; ++b) {
    const absl::Span<const float> picture(c.in<float>(0) + b * static_cast<int64_t>(picture_size), picture_size);
    const absl::Span<float> glimpse(c.out<float>(0) + b * static_cast<int64_t>(glimpse_size), glimpse_size);
    const int64_t top = attrs.Start(c.in<float>(2)[2 * b], rows, out.dim(1));
    const int64_t left = attrs.Start(c.in<float>(2)[2 * b + 1], columns, out.dim(2));
    FillWithNoise(attrs, picture, channels, b, glimpse);
    for (int64_t i = std::max<int64_t>(-top, 0); i < out.dim(1) && top + i < rows; ++i) {
      for (int64_t j = std::max<int64_t>(-left, 0); j < out.dim(2) && left + j < columns; ++j) {
        std::copy_n(picture.data() + ((top + i) * columns + left + j) * channels, channels,
                    glimpse.data() + (i * out.dim(2) + j) * channels);
      }
    }
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ExtractKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const GlimpseAttrs attrs, GlimpseAttrs::Read(setup));
  return Kernel([attrs](KernelContext& c) { return Extract(c, attrs); });
}

absl::Status GlimpseShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(GlimpseAttrs::Read(c).status());
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRank(0, 4));
  SF_ASSIGN_OR_RETURN(const Shape offsets, c.WithRank(2, 2));
  SF_RETURN_IF_ERROR(c.MergeDims(offsets.dim(1), 2, "columns of offsets").status());
  SF_ASSIGN_OR_RETURN(const int64_t batch, c.MergeDims(shape.dim(0), offsets.dim(0), "pictures and offsets"));
  SF_ASSIGN_OR_RETURN(const Shape size, DimsFromInput(c, 1));
  if (size.has_rank() && size.rank() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("size has ", size.rank(), " elements, expected 2"));
  }
  c.set_output(0, {batch, size.dim(0), size.dim(1), shape.dim(3)});
  return absl::OkStatus();
}

void GlimpseBatch(BatchContext& c) {
  if (!c.input(1).is_constant()) return c.Mix("by its size");
  const std::optional<BatchRows> rows = c.Agreeing({0, 2});
  if (!rows.has_value()) return;
  if (rows->is_rows() && rows->axis != 0) return c.Mix("along other dimensions than the pictures");
  c.set_all(*rows);
}

OpSpec GlimpseOp(const char* name, const char* doc, GradientFunction gradient) {
  return {.name = name,
          .inputs = {"input: float", "size: int32", "offsets: float"},
          .outputs = {"glimpse: float"},
          .attrs = {"centered: bool = true", "normalized: bool = true", "uniform_noise: bool = true",
                    "noise: string = 'uniform'"},
          .shape = GlimpseShape,
          .gradient = gradient,
          .kernel = ExtractKernel,
          .iteration = {.split = Split::kRows},
          .batch = GlimpseBatch,
          .doc = doc};
}
const OpRegistrar v1(GlimpseOp("ExtractGlimpse", "Parts of pictures, by their centers, on noise.", kNotDifferentiable));
const OpRegistrar v2(GlimpseOp("ExtractGlimpseV2", "Parts of pictures, on noise.", kGradientIsError));

}  // namespace

Output ExtractGlimpse(Operand input, const Ints& size, Operand offsets, const ExtractGlimpseOptions& options) {
  const NodeName node(input, options.name, "ExtractGlimpseV2");
  if (!node) return Output();
  return NodeBuilder("ExtractGlimpseV2", {input, node.Vector(size, "size", DT_INT32), offsets})
      .Attr("centered", options.centered)
      .Attr("normalized", options.normalized)
      .Attr("uniform_noise", options.noise == "uniform")
      .Attr("noise", options.noise)
      .Name(node.exact())
      .Build();
}

}  // namespace staticflow
