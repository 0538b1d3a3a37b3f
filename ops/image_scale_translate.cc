// ScaleAndTranslate and its gradient. Contract: ops/image.h.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/conv_scratch.h"
#include "ops/elementwise.h"
#include "ops/image.h"
#include "ops/image_taps.h"
#include "ops/math.h"

namespace staticflow {
namespace {

// ---- Kernels: how much a pixel counts at a distance from the sample, which is never negative ----

struct SamplingKernel {
  const char* name;
  float radius;  // further away nothing counts
  float (*weight)(float x);
};

template <int n>
float Lanczos(float x) {
  constexpr float kPi = 3.14159265359f, kRadius = n;
  if (x > kRadius) return 0;
  if (x <= 1e-3f) return 1;
  return kRadius * std::sin(kPi * x) * std::sin(kPi * x / kRadius) / (kPi * kPi * x * x);
}
float Gaussian(float x) { return x >= 1.5f ? 0 : std::exp(-x * x / (2.0f * 0.5f * 0.5f)); }
float Box(float x) { return x < 0.5f ? 1.0f : x == 0.5f ? 0.5f : 0.0f; }
float Triangle(float x) { return x < 1 ? 1 - x : 0; }
float KeysCubic(float x) {
  if (x >= 2) return 0;
  return x >= 1 ? ((-0.5f * x + 2.5f) * x - 4) * x + 2 : ((1.5f * x - 2.5f) * x) * x + 1;
}
float MitchellCubic(float x) {
  if (x >= 2) return 0;
  return x >= 1 ? (((-7.0f / 18) * x + 2) * x - 10.0f / 3) * x + 16.0f / 9 : (((7.0f / 6) * x - 2) * x) * x + 8.0f / 9;
}

constexpr SamplingKernel kKernels[] = {{"lanczos1", 1, Lanczos<1>},
                                       {"lanczos3", 3, Lanczos<3>},
                                       {"lanczos5", 5, Lanczos<5>},
                                       {"gaussian", 1.5, Gaussian},
                                       {"box", 1, Box},
                                       {"triangle", 1, Triangle},
                                       {"keyscubic", 2, KeysCubic},
                                       {"mitchellcubic", 2, MitchellCubic}};

absl::StatusOr<SamplingKernel> FindKernel(absl::string_view name) {
  for (const SamplingKernel& kernel : kKernels) {
    if (kernel.name == name) return kernel;
  }
  return absl::InvalidArgumentError(absl::StrCat("'", name, "' is no kernel_type"));
}

// ---- One axis: which pixels of the source make a pixel of the result, and how much each of them counts ----

struct Axis {
  int64_t from = 0, to = 0;
  float scale = 1, translation = 0;

  float inverse_scale() const { return 1.0f / scale; }
  // By how much the kernel is stretched: over all pixels that one pixel of a smaller picture stands for.
  float Stretch(bool antialias) const { return antialias ? std::max(inverse_scale(), 1.0f) : 1.0f; }
  // The most pixels that one sample is made of.
  int64_t SpanSize(const SamplingKernel& kernel, bool antialias) const {
    const float reach = 2 * std::ceil(kernel.radius * Stretch(antialias)) + 1;
    return reach < static_cast<float>(from) ? static_cast<int64_t>(reach) : from;
  }
};

struct Span {
  int64_t start = 0;
  int64_t count = 0;
};
struct Spans {
  int64_t room = 0;  // for the weights of each span
  Span* spans = nullptr;
  float* weights = nullptr;
};

// A sample outside the source is made of nothing.
void FillSpans(const Axis& axis, const SamplingKernel& kernel, bool antialias, const Spans& out) {
  const float inverse = axis.inverse_scale(), offset = -inverse * axis.translation;
  const float stretch = axis.Stretch(antialias), reach = kernel.radius * stretch, narrow = 1.0f / stretch;
  const int64_t last = axis.from - 1;
  const auto bound = [last](float x) {
    return x >= static_cast<float>(last) ? last : static_cast<int64_t>(std::max(x, 0.0f));
  };
  for (int64_t i = 0; i < axis.to; ++i) {
    out.spans[i] = {};
    const float sample = (static_cast<float>(i) + 0.5f) * inverse + offset;
    if (!(sample >= 0 && sample <= static_cast<float>(axis.from))) continue;
    const int64_t start = bound(std::ceil(sample - reach - 0.5f));
    const int64_t count = std::min(bound(std::floor(sample + reach - 0.5f)) + 1 - start, out.room);
    float* weights = out.weights + i * out.room;
    float sum = 0;
    for (int64_t k = 0; k < count; ++k) {
      weights[k] = kernel.weight(std::abs((static_cast<float>(start + k) + 0.5f - sample) * narrow));
      sum += weights[k];
    }
    if (!(std::abs(sum) >= 1000 * std::numeric_limits<float>::min())) continue;
    for (int64_t k = 0; k < count; ++k) weights[k] *= 1 / sum;
    out.spans[i] = {start, count};
  }
}

// ---- The ops ----

struct ScaleAttrs {
  template <typename Source>
  static absl::StatusOr<ScaleAttrs> Read(const Source& source) {
    SF_ASSIGN_OR_RETURN(const SamplingKernel kernel, FindKernel(source.template attr<std::string>("kernel_type")));
    return ScaleAttrs{kernel, source.template attr<bool>("antialias")};
  }
  SamplingKernel kernel;
  bool antialias;
};

// The spans of both axes and a line of the source, in scratch memory.
struct Sampling {
  // From pictures like `source` to pictures like `result`, by the scale and translation in inputs 2 and 3.
  static absl::StatusOr<Sampling> Make(KernelContext& c, const ScaleAttrs& attrs, const TensorView& source,
                                       const TensorView& result) {
    Sampling made;
    ScratchArrays arrays;
    std::array<Axis, 2> axes;
    std::array<ScratchArray<Span>, 2> spans;
    std::array<ScratchArray<float>, 2> weights;
    std::array<Spans*, 2> out = {&made.rows, &made.columns};
    for (int d = 0; d < 2; ++d) {
      axes[d] = {source.dim(1 + d), result.dim(1 + d), c.in<float>(2)[d], c.in<float>(3)[d]};
      if (!(axes[d].scale > 0)) {
        return absl::InvalidArgumentError(absl::StrCat("scale is ", axes[d].scale, ", expected more than 0"));
      }
      out[d]->room = axes[d].SpanSize(attrs.kernel, attrs.antialias);
      spans[d] = arrays.Add<Span>(axes[d].to);
      weights[d] = arrays.Add<float>(MultiplySizes(axes[d].to, out[d]->room));
    }
    made.line_size = source.dim(2) * source.dim(3);
    const auto line = arrays.Add<float>(made.line_size);
    SF_ASSIGN_OR_RETURN(char* memory, arrays.Allocate(c));
    for (int d = 0; d < 2; ++d) {
      out[d]->spans = spans[d].in(memory);
      out[d]->weights = weights[d].in(memory);
      FillSpans(axes[d], attrs.kernel, attrs.antialias, *out[d]);
    }
    made.line = line.in(memory);
    return made;
  }

  Spans rows, columns;
  float* line = nullptr;
  int64_t line_size = 0;
};

// y = the weighted sums over rows, then over columns.
template <typename T>
absl::Status Scale(KernelContext& c, const ScaleAttrs& attrs) {
  const TensorView &x = c.input(0), &y = c.output(0);
  if (y.num_elements == 0) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const Sampling s, Sampling::Make(c, attrs, x, y));
  const int64_t channels = y.dim(3);
  for (int64_t b = c.range().begin; b < c.range().end; ++b) {
    const T* picture = c.in<T>(0) + b * x.dim(1) * s.line_size;
    float* to = c.out<float>(0) + b * y.dim(1) * y.dim(2) * channels;
    for (int64_t i = 0; i < y.dim(1); ++i) {
      std::fill_n(s.line, s.line_size, 0.0f);
      for (int64_t r = 0; r < s.rows.spans[i].count; ++r) {
        const float weight = s.rows.weights[i * s.rows.room + r];
        const T* from = picture + (s.rows.spans[i].start + r) * s.line_size;
        for (int64_t k = 0; k < s.line_size; ++k) s.line[k] += weight * static_cast<float>(from[k]);
      }
      for (int64_t j = 0; j < y.dim(2); ++j, to += channels) {
        std::fill_n(to, channels, 0.0f);
        for (int64_t q = 0; q < s.columns.spans[j].count; ++q) {
          const float weight = s.columns.weights[j * s.columns.room + q];
          const float* from = s.line + (s.columns.spans[j].start + q) * channels;
          for (int64_t k = 0; k < channels; ++k) to[k] += weight * from[k];
        }
      }
    }
  }
  return absl::OkStatus();
}

// dx = the transpose of that.
absl::Status ScaleGrad(KernelContext& c, const ScaleAttrs& attrs) {
  const TensorView &dy = c.input(0), &dx = c.output(0);
  if (dx.num_elements == 0) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const Sampling s, Sampling::Make(c, attrs, dx, dy));
  const int64_t channels = dx.dim(3);
  for (int64_t b = c.range().begin; b < c.range().end; ++b) {
    float* picture = c.out<float>(0) + b * dx.dim(1) * s.line_size;
    const float* from = c.in<float>(0) + b * dy.dim(1) * dy.dim(2) * channels;
    std::fill_n(picture, dx.dim(1) * s.line_size, 0.0f);
    for (int64_t i = 0; i < dy.dim(1); ++i) {
      std::fill_n(s.line, s.line_size, 0.0f);
      for (int64_t j = 0; j < dy.dim(2); ++j, from += channels) {
        for (int64_t q = 0; q < s.columns.spans[j].count; ++q) {
          const float weight = s.columns.weights[j * s.columns.room + q];
          float* to = s.line + (s.columns.spans[j].start + q) * channels;
          for (int64_t k = 0; k < channels; ++k) to[k] += weight * from[k];
        }
      }
      for (int64_t r = 0; r < s.rows.spans[i].count; ++r) {
        const float weight = s.rows.weights[i * s.rows.room + r];
        float* to = picture + (s.rows.spans[i].start + r) * s.line_size;
        for (int64_t k = 0; k < s.line_size; ++k) to[k] += weight * s.line[k];
      }
    }
  }
  return absl::OkStatus();
}

// Inputs 2 and 3: {rows, columns}.
absl::Status CheckScale(ShapeContext& c) {
  SF_RETURN_IF_ERROR(ScaleAttrs::Read(c).status());
  for (int i = 2; i < 4; ++i) {
    SF_ASSIGN_OR_RETURN(const Shape vector, c.WithRank(i, 1));
    SF_RETURN_IF_ERROR(
        c.MergeDims(vector.dim(0), 2, i == 2 ? "elements of scale" : "elements of translation").status());
  }
  return absl::OkStatus();
}
absl::Status CheckPixels(const Shape& picture) {
  if (picture.dim(1) != 0 && picture.dim(2) != 0) return absl::OkStatus();
  return absl::InvalidArgumentError("a picture has no pixels");
}

absl::Status ScaleShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckScale(c));
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRank(0, 4));
  SF_ASSIGN_OR_RETURN(const Shape size, DimsFromInput(c, 1));
  if (size.has_rank() && size.rank() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("size has ", size.rank(), " elements, expected 2"));
  }
  if (shape.has_rank()) SF_RETURN_IF_ERROR(CheckPixels(shape));
  for (int d = 0; d < 2; ++d) shape.set_dim(1 + d, size.dim(d));
  SF_RETURN_IF_ERROR(CheckPixels(shape));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
absl::Status ScaleGradShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckScale(c));
  SF_RETURN_IF_ERROR(OriginalImageShape(c));
  SF_RETURN_IF_ERROR(CheckPixels(c.input(0)));
  return CheckPixels(c.input(1));
}

absl::StatusOr<Kernel> ScaleKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const ScaleAttrs attrs, ScaleAttrs::Read(setup));
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int8_t, uint8_t, int16_t, uint16_t, int32_t, int64_t>(
      setup.input_dtype(0), [&]<typename T>() { kernel = [attrs](KernelContext& c) { return Scale<T>(c, attrs); }; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
absl::StatusOr<Kernel> ScaleGradKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const ScaleAttrs attrs, ScaleAttrs::Read(setup));
  return Kernel([attrs](KernelContext& c) { return ScaleGrad(c, attrs); });
}

// Both are linear in their first input, so each is the other one's gradient.
Output Like(const GradientContext& c, const char* type, std::initializer_list<Operand> operands) {
  return NodeBuilder(type, operands)
      .Attr("kernel_type", c.attr<std::string>("kernel_type"))
      .Attr("antialias", c.attr<bool>("antialias"))
      .Build();
}
void ScaleGradient(GradientContext& c) {
  const DataType dtype = c.x(0).dtype();
  if (!IsFloating(dtype)) return;
  const Output x = dtype == DT_FLOAT ? c.x(0) : Cast(c.x(0), DT_FLOAT);
  const Output dx = Like(c, "ScaleAndTranslateGrad", {c.dy(0), x, c.x(2), c.x(3)});
  c.set_dx(0, dtype == DT_FLOAT ? dx : Cast(dx, dtype));
}
void ScaleGradGradient(GradientContext& c) {
  const Output size = StridedSlice(ShapeOf(c.x(0)), {1}, {3});
  c.set_dx(0, Like(c, "ScaleAndTranslate", {c.dy(0), size, c.x(2), c.x(3)}));
}

std::vector<std::string> ScaleAndTranslateAttrs(const char* types) {
  return {types, "kernel_type: string = 'lanczos3'", "antialias: bool = true"};
}
const OpRegistrar scale_and_translate(
    {.name = "ScaleAndTranslate",
     .inputs = {"images: T", "size: int32", "scale: float", "translation: float"},
     .outputs = {"resized_images: float"},
     .attrs = ScaleAndTranslateAttrs("T: {int8, uint8, int16, uint16, int32, int64, bfloat16, half, float, double}"),
     .shape = ScaleShape,
     .gradient = ScaleGradient,
     .kernel = ScaleKernel,
     .iteration = {.split = Split::kRows},
     .batch = LeadingBatch,
     .doc = "Pictures scaled and moved, resampled by a kernel."});
const OpRegistrar scale_and_translate_grad({.name = "ScaleAndTranslateGrad",
                                            .inputs = {"grads: T", "original_image: T", "scale: float",
                                                       "translation: float"},
                                            .outputs = {"output: T"},
                                            .attrs = ScaleAndTranslateAttrs("T: {float}"),
                                            .shape = ScaleGradShape,
                                            .gradient = ScaleGradGradient,
                                            .kernel = ScaleGradKernel,
                                            .iteration = {.split = Split::kRows},
                                            .batch = LeadingBatch,
                                            .doc = "The gradient of ScaleAndTranslate by its images."});

}  // namespace

Output ScaleAndTranslate(Operand images, const Ints& size, Operand scale, Operand translation,
                         const ScaleAndTranslateOptions& options) {
  const NodeName node(images, options.name, "ScaleAndTranslate");
  if (!node) return Output();
  return NodeBuilder("ScaleAndTranslate", {images, node.Vector(size, "size", DT_INT32), scale, translation})
      .Attr("kernel_type", options.kernel_type)
      .Attr("antialias", options.antialias)
      .Name(node.exact())
      .Build();
}

}  // namespace staticflow
