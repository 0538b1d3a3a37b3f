// ResizeBilinear, ResizeBicubic, ResizeNearestNeighbor, their gradients, and ResizeArea. Contracts: ops/image.h.
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/image.h"
#include "ops/image_taps.h"

namespace staticflow {

absl::Status OriginalImageShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape grads, c.WithRank(0, 4));
  SF_ASSIGN_OR_RETURN(Shape original, c.WithRank(1, 4));
  SF_ASSIGN_OR_RETURN(const int64_t batch, c.MergeDims(grads.dim(0), original.dim(0), "batch sizes"));
  SF_ASSIGN_OR_RETURN(const int64_t channels, c.MergeDims(grads.dim(3), original.dim(3), "channels"));
  original.set_dim(0, batch);
  original.set_dim(3, channels);
  c.set_output(0, std::move(original));
  return absl::OkStatus();
}

namespace {

constexpr char kImageT[] = "T: {int8, uint8, int16, uint16, int32, int64, half, float, double, bfloat16}";
const std::vector<std::string> kModes = {"align_corners: bool = false", "half_pixel_centers: bool = false"};

std::vector<std::string> WithModes(const char* types) { return {types, kModes[0], kModes[1]}; }

struct Modes {
  template <typename Source>
  explicit Modes(const Source& source)
      : align_corners(source.template attr<bool>("align_corners")),
        half_pixel_centers(source.template attr<bool>("half_pixel_centers")) {}
  ResizeAxis Axis(int64_t in_size, int64_t out_size) const {
    return {in_size, out_size, align_corners, half_pixel_centers};
  }
  bool align_corners, half_pixel_centers;
};

absl::Status CheckModes(const ShapeContext& c) {
  if (!c.attr<bool>("half_pixel_centers") || !c.attr<bool>("align_corners")) return absl::OkStatus();
  return absl::InvalidArgumentError("half_pixel_centers and align_corners exclude each other");
}

// [batch, size[0], size[1], channels]
absl::Status ResizedShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRank(0, 4));
  SF_ASSIGN_OR_RETURN(const Shape size, DimsFromInput(c, 1));
  if (size.has_rank() && size.rank() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("size has ", size.rank(), " elements, expected 2"));
  }
  if (shape.dim(3) == 0) return absl::InvalidArgumentError("the image has no channels");
  for (int i = 0; i < 2; ++i) {
    if (shape.dim(1 + i) == 0) return absl::InvalidArgumentError("the image has no pixels");
    if (size.dim(i) == 0) return absl::InvalidArgumentError("size is 0, expected at least 1");
    shape.set_dim(1 + i, size.dim(i));
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::Status ResizeShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckModes(c));
  return ResizedShape(c);
}

absl::Status ResizeGradShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckModes(c));
  return OriginalImageShape(c);
}

// The taps of all rows of `to`, then those of all its columns.
template <typename Taps>
void FillTaps(const Modes& modes, const TensorView& from, const TensorView& to, Taps* taps) {
  const ResizeAxis rows = modes.Axis(from.dim(1), to.dim(1)), columns = modes.Axis(from.dim(2), to.dim(2));
  for (int64_t y = 0; y < to.dim(1); ++y) MakeTaps(rows, y, taps[y]);
  for (int64_t x = 0; x < to.dim(2); ++x) MakeTaps(columns, x, taps[to.dim(1) + x]);
}

// Calls f(pixel of `to`, pixel of `from`, weight) for all pairs of example b; pixels are offsets of channel 0.
template <typename Taps, typename F>
void ForEachTap(const Taps* taps, const TensorView& from, const TensorView& to, int64_t b, F f) {
  const int64_t channels = to.dim(3);
  for (int64_t y = 0; y < to.dim(1); ++y) {
    for (int64_t x = 0; x < to.dim(2); ++x) {
      const Taps &row = taps[y], &column = taps[to.dim(1) + x];
      const int64_t out = ((b * to.dim(1) + y) * to.dim(2) + x) * channels;
      for (int i = 0; i < Taps::kSize; ++i) {
        for (int j = 0; j < Taps::kSize; ++j) {
          const int64_t in = ((b * from.dim(1) + row.index[i]) * from.dim(2) + column.index[j]) * channels;
          f(out, in, row.weight[i] * column.weight[j]);
        }
      }
    }
  }
}

// y[i, j] = the sum of weight times x over the taps of pixel (i, j).
template <typename Taps>
absl::StatusOr<Kernel> ResizeKernel(const KernelSetup& setup) {
  const Modes modes(setup);
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int8_t, uint8_t, int16_t, uint16_t, int32_t, int64_t>(
      setup.input_dtype(0), [&]<typename T>() {
        kernel = [modes](KernelContext& c) -> absl::Status {
          const TensorView &x = c.input(0), &y = c.output(0);
          if (y.num_elements == 0) return absl::OkStatus();
          SF_ASSIGN_OR_RETURN(Taps * taps, c.Scratch<Taps>(AddSizes(y.dim(1), y.dim(2))));
          FillTaps(modes, x, y, taps);
          const IndexRange part = FlatRows(c);
          std::fill(c.out<float>(0) + part.begin, c.out<float>(0) + part.end, 0.0f);
          for (int64_t b = c.range().begin; b < c.range().end; ++b) {
            ForEachTap(taps, x, y, b, [&](int64_t out, int64_t in, float weight) {
              const T* from = c.in<T>(0) + in;
              float* to = c.out<float>(0) + out;
              for (int64_t k = 0; k < y.dim(3); ++k) to[k] += weight * static_cast<float>(from[k]);
            });
          }
          return absl::OkStatus();
        };
      });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

// dx = the transpose of that: every pixel of dy goes to its taps.
template <typename Taps>
absl::StatusOr<Kernel> ResizeGradKernel(const KernelSetup& setup) {
  const Modes modes(setup);
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [modes](KernelContext& c) -> absl::Status {
      using A = std::conditional_t<std::is_same_v<T, double>, double, float>;
      const TensorView &dy = c.input(0), &dx = c.output(0);
      if (dx.num_elements == 0) return absl::OkStatus();
      // One piece of scratch memory: the taps, and sums where T is too short for them.
      const int64_t image = dx.dim(1) * dx.dim(2) * dx.dim(3), num_taps = dy.dim(1) + dy.dim(2);
      SF_ASSIGN_OR_RETURN(char* scratch, c.Scratch<char>(num_taps * sizeof(Taps) + image * sizeof(A)));
      Taps* taps = reinterpret_cast<Taps*>(scratch);
      A* sums = reinterpret_cast<A*>(scratch + num_taps * sizeof(Taps));
      FillTaps(modes, dx, dy, taps);
      for (int64_t b = c.range().begin; b < c.range().end; ++b) {
        std::fill_n(sums, image, A(0));
        ForEachTap(taps, dx, dy, b, [&](int64_t out, int64_t in, float weight) {
          for (int64_t k = 0; k < dx.dim(3); ++k) sums[in - b * image + k] += weight * c.in<float>(0)[out + k];
        });
        for (int64_t i = 0; i < image; ++i) c.out<T>(0)[b * image + i] = T(sums[i]);
      }
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

Ints SpatialSize(Output image) {
  const Shape& shape = image.shape();
  if (shape.has_rank() && shape.rank() == 4 && shape.dim(1) >= 0 && shape.dim(2) >= 0) {
    return Ints({shape.dim(1), shape.dim(2)});
  }
  return Ints(StridedSlice(ShapeOf(image), {1}, {3}));
}

NodeBuilder WithModesOf(const GradientContext& c, NodeBuilder builder) {
  const Modes modes(c);
  return builder.Attr("align_corners", modes.align_corners).Attr("half_pixel_centers", modes.half_pixel_centers);
}

// Both gradients are linear in dy, so each is the other one's gradient.
constexpr char kBilinear[] = "ResizeBilinear", kBilinearGrad[] = "ResizeBilinearGrad";
constexpr char kNearest[] = "ResizeNearestNeighbor";
constexpr char kBicubic[] = "ResizeBicubic", kBicubicGrad[] = "ResizeBicubicGrad";

template <const char* kGradType>
void ResizeGradient(GradientContext& c) {
  if (c.node().op().name() == kBicubic && c.x(0).dtype() != DT_FLOAT && c.x(0).dtype() != DT_DOUBLE) return;
  c.set_dx(0, WithModesOf(c, NodeBuilder(kGradType, {c.dy(0), c.x(0)})).Build());
}

template <const char* kType>
void ResizeGradGradient(GradientContext& c) {
  const NodeName name(c.dy(0), "", kType);
  const Output size = name.Vector(SpatialSize(c.x(0)), "size");
  c.set_dx(0, WithModesOf(c, NodeBuilder(kType, {c.dy(0), size})).Name(name.exact()).Build());
}

OpSpec Resize(const char* name, KernelSource kernel, GradientFunction gradient, const char* doc) {
  return {.name = name,
          .inputs = {"images: T", "size: int32"},
          .outputs = {"resized_images: float"},
          .attrs = WithModes(kImageT),
          .shape = ResizeShape,
          .gradient = gradient,
          .kernel = kernel,
          .iteration = {.split = Split::kRows},
          .batch = LeadingBatch,
          .doc = doc};
}
OpSpec ResizeGrad(const char* name, const char* types, KernelSource kernel, GradientFunction gradient,
                  const char* doc) {
  return {.name = name,
          .inputs = {"grads: float", "original_image: T"},
          .outputs = {"output: T"},
          .attrs = WithModes(types),
          .shape = ResizeGradShape,
          .gradient = gradient,
          .kernel = kernel,
          .iteration = {.split = Split::kRows},
          .batch = LeadingBatch,
          .doc = doc};
}

const OpRegistrar bilinear(Resize(kBilinear, ResizeKernel<LinearTaps>, ResizeGradient<kBilinearGrad>,
                                  "Images of another size, each pixel made of the nearest four."));
const OpRegistrar bilinear_grad(ResizeGrad(kBilinearGrad, "T: {float, bfloat16, half, double}",
                                           ResizeGradKernel<LinearTaps>, ResizeGradGradient<kBilinear>,
                                           "The gradient of ResizeBilinear by its images."));
const OpRegistrar bicubic(Resize(kBicubic, ResizeKernel<CubicTaps>, ResizeGradient<kBicubicGrad>,
                                 "Images of another size, each pixel made of the nearest sixteen."));
const OpRegistrar bicubic_grad(ResizeGrad(kBicubicGrad, "T: {float, double}", ResizeGradKernel<CubicTaps>,
                                          ResizeGradGradient<kBicubic>,
                                          "The gradient of ResizeBicubic by its images."));

// ResizeNearestNeighbor: y[i, j] = x[nearest].   dx[nearest] += dy[i, j].
template <typename T>
absl::Status NearestInto(KernelContext& c, const Modes& modes, bool is_gradient) {
  const TensorView &in = c.input(0), &out = c.output(0);
  if (out.num_elements == 0) return absl::OkStatus();
  const TensorView &small = is_gradient ? out : in, &large = is_gradient ? in : out;
  const ResizeAxis rows = modes.Axis(small.dim(1), large.dim(1)), columns = modes.Axis(small.dim(2), large.dim(2));
  const int64_t channels = out.dim(3);
  const IndexRange part = FlatRows(c);
  if (is_gradient) std::fill(c.out<T>(0) + part.begin, c.out<T>(0) + part.end, T(0));
  for (int64_t b = c.range().begin; b < c.range().end; ++b) {
    for (int64_t y = 0; y < large.dim(1); ++y) {
      for (int64_t x = 0; x < large.dim(2); ++x) {
        const int64_t at = ((b * large.dim(1) + y) * large.dim(2) + x) * channels;
        const int64_t near = ((b * small.dim(1) + rows.Nearest(y)) * small.dim(2) + columns.Nearest(x)) * channels;
        if (is_gradient) {
          T* to = c.out<T>(0) + near;
          for (int64_t k = 0; k < channels; ++k) to[k] = T(WrapAdd(Widen(to[k]), Widen(c.in<T>(0)[at + k])));
        } else {
          std::copy_n(c.in<T>(0) + near, channels, c.out<T>(0) + at);
        }
      }
    }
  }
  return absl::OkStatus();
}

template <bool is_gradient>
absl::StatusOr<Kernel> NearestKernel(const KernelSetup& setup) {
  const Modes modes(setup);
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int8_t, uint8_t, int16_t, uint16_t, int32_t, int64_t>(
      setup.input_dtype(0),
      [&]<typename T>() { kernel = [modes](KernelContext& c) { return NearestInto<T>(c, modes, is_gradient); }; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

void NearestGradient(GradientContext& c) {
  const NodeName name(c.dy(0), "", "ResizeNearestNeighborGrad");
  const Output size = name.Vector(SpatialSize(c.x(0)), "size");
  c.set_dx(0, WithModesOf(c, NodeBuilder("ResizeNearestNeighborGrad", {c.dy(0), size})).Name(name.exact()).Build());
}
const OpRegistrar nearest({.name = "ResizeNearestNeighbor",
                           .inputs = {"images: T", "size: int32"},
                           .outputs = {"resized_images: T"},
                           .attrs = WithModes(kImageT),
                           .shape = ResizeShape,
                           .gradient = NearestGradient,
                           .kernel = NearestKernel<false>,
                           .iteration = {.split = Split::kRows},
                           .batch = LeadingBatch,
                           .doc = "Images of another size, each pixel a copy of the nearest one."});
const OpRegistrar nearest_grad({.name = "ResizeNearestNeighborGrad",
                                .inputs = {"grads: T", "size: int32"},
                                .outputs = {"output: T"},
                                .attrs = WithModes("T: {uint8, int8, int32, half, float, double, bfloat16}"),
                                .shape = ResizeShape,
                                .gradient = ResizeGradGradient<kNearest>,
                                .kernel = NearestKernel<true>,
                                .iteration = {.split = Split::kRows},
                                .batch = LeadingBatch,
                                .doc = "The gradient of ResizeNearestNeighbor by its images."});

// ResizeArea: the mean of the input over the area of each output pixel; the edge goes on outside.
struct Coverage {
  Coverage(float scale, int64_t i) : low(i * scale), high((i + 1) * scale), scale(scale) {}
  int64_t begin() const { return static_cast<int64_t>(std::floor(low)); }
  int64_t end() const { return static_cast<int64_t>(std::ceil(high)); }
  float operator()(int64_t pixel) const {
    const float p = static_cast<float>(pixel);
    if (p < low) return p + 1 > high ? scale : p + 1 - low;
    return p + 1 > high ? high - p : 1.0f;
  }
  float low, high, scale;
};

template <typename T>
absl::Status AreaInto(KernelContext& c, bool align_corners) {
  const TensorView &in = c.input(0), &out = c.output(0);
  if (out.num_elements == 0) return absl::OkStatus();
  // A single row or column has no corners to align.
  const ResizeAxis rows = {in.dim(1), out.dim(1), align_corners && in.dim(1) > 1, false};
  const ResizeAxis columns = {in.dim(2), out.dim(2), align_corners && in.dim(2) > 1, false};
  const float share = 1 / (rows.scale * columns.scale);
  const int64_t channels = out.dim(3);
  for (int64_t p = c.range().begin * out.dim(1) * out.dim(2); p < c.range().end * out.dim(1) * out.dim(2); ++p) {
    const int64_t b = p / (out.dim(1) * out.dim(2));
    const Coverage row(rows.scale, p / out.dim(2) % out.dim(1)), column(columns.scale, p % out.dim(2));
    float* to = c.out<float>(0) + p * channels;
    std::fill_n(to, channels, 0.0f);
    for (int64_t y = row.begin(); y < row.end(); ++y) {
      for (int64_t x = column.begin(); x < column.end(); ++x) {
        const T* from = c.in<T>(0) + ((b * in.dim(1) + rows.Bound(y)) * in.dim(2) + columns.Bound(x)) * channels;
        const float weight = row(y) * column(x) * share;
        for (int64_t k = 0; k < channels; ++k) to[k] += weight * static_cast<float>(from[k]);
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> AreaKernel(const KernelSetup& setup) {
  Kernel kernel;
  const bool align_corners = setup.attr<bool>("align_corners");
  DispatchType<float, double, Half, BFloat16, int8_t, uint8_t, int16_t, uint16_t, int32_t, int64_t>(
      setup.input_dtype(0),
      [&]<typename T>() { kernel = [align_corners](KernelContext& c) { return AreaInto<T>(c, align_corners); }; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
const OpRegistrar area({.name = "ResizeArea",
                        .inputs = {"images: T", "size: int32"},
                        .outputs = {"resized_images: float"},
                        .attrs = {kImageT, "align_corners: bool = false"},
                        .shape = ResizedShape,
                        .gradient = kGradientIsError,
                        .kernel = AreaKernel,
                        .iteration = {.split = Split::kRows},
                        .batch = LeadingBatch,
                        .doc = "Images of another size, each pixel the mean of the area it covers."});

Output BuildResize(const char* type, const Operand& images, const Ints& size, const ResizeOptions& options) {
  const NodeName name(images, options.name, type);
  if (!name) return Output();
  NodeBuilder builder(type, {images, name.Vector(size, "size")});
  builder.Attr("align_corners", options.align_corners).Name(name.exact());
  if (FindOp(type)->FindAttr("half_pixel_centers") != nullptr) {
    builder.Attr("half_pixel_centers", options.half_pixel_centers);
  }
  return builder.Build();
}

}  // namespace

Output ResizeBilinear(Operand images, const Ints& size, const ResizeOptions& options) {
  return BuildResize("ResizeBilinear", images, size, options);
}
Output ResizeNearestNeighbor(Operand images, const Ints& size, const ResizeOptions& options) {
  return BuildResize("ResizeNearestNeighbor", images, size, options);
}
Output ResizeBicubic(Operand images, const Ints& size, const ResizeOptions& options) {
  return BuildResize("ResizeBicubic", images, size, options);
}
Output ResizeArea(Operand images, const Ints& size, const ResizeOptions& options) {
  return BuildResize("ResizeArea", images, size, options);
}

}  // namespace staticflow
