// ExtractImagePatches.
#include "absl/strings/str_cat.h"
#include "ops/array_layout.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/math.h"

namespace staticflow {
namespace {

// A window that slides along one dimension.
struct Window {
  int64_t size = 1, stride = 1, rate = 1;
  bool same = false;

  int64_t reach() const { return AddSizes(size, MultiplySizes(size - 1, rate - 1)); }
  int64_t count(int64_t in) const {
    if (same) return (in + stride - 1) / stride;
    return (in - reach() + stride) / stride;  // below 0 when the image is too small by more than a stride
  }
  int64_t before(int64_t in) const {
    if (!same || in == 0) return 0;
    return std::max<int64_t>((count(in) - 1) * stride + reach() - in, 0) / 2;
  }
};

// The windows along rows and columns.
absl::StatusOr<std::pair<Window, Window>> WindowsOf(const Node& node) {
  constexpr int64_t kMost = int64_t{1} << 31;
  Window windows[2];
  const auto read = [&](absl::string_view name, int64_t Window::*field) -> absl::Status {
    const std::vector<int64_t>& list = node.attr<std::vector<int64_t>>(name);
    const bool good = list.size() == 4 && list[0] == 1 && list[3] == 1 && list[1] > 0 && list[2] > 0 &&
                      list[1] < kMost && list[2] < kMost;
    if (!good) return absl::InvalidArgumentError(absl::StrCat(name, " must be [1, rows, columns, 1], both positive"));
    windows[0].*field = list[1];
    windows[1].*field = list[2];
    return absl::OkStatus();
  };
  SF_RETURN_IF_ERROR(read("ksizes", &Window::size));
  SF_RETURN_IF_ERROR(read("strides", &Window::stride));
  SF_RETURN_IF_ERROR(read("rates", &Window::rate));
  windows[0].same = windows[1].same = node.attr<std::string>("padding") == "SAME";
  return std::make_pair(windows[0], windows[1]);
}

// ExtractImagePatches: the pixels under a sliding window, zeros outside the image.
absl::Status ExtractImagePatchesShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape in, c.WithRank(0, 4));
  SF_ASSIGN_OR_RETURN(const auto windows, WindowsOf(c.node()));
  const auto& [rows, columns] = windows;
  const int64_t area = MultiplySizes(rows.size, columns.size);
  if ((in.dim(1) >= 0 && rows.count(in.dim(1)) < 0) || (in.dim(2) >= 0 && columns.count(in.dim(2)) < 0)) {
    return absl::InvalidArgumentError(absl::StrCat("images have shape ", in.ToString(), ", smaller than a patch"));
  }
  c.set_output(0, {in.dim(0), in.dim(1) < 0 ? -1 : rows.count(in.dim(1)), in.dim(2) < 0 ? -1 : columns.count(in.dim(2)),
                   in.dim(3) < 0 ? -1 : MultiplySizes(area, in.dim(3))});
  return absl::OkStatus();
}

// One patch whose first pixel is (top, left).
template <typename T>
T* CopyPatch(const T* image, const Shape& in, const Window& rows, const Window& columns, int64_t top, int64_t left,
             T* to) {
  const int64_t height = in.dim(1), width = in.dim(2), channels = in.dim(3);
  for (int64_t y = top, i = 0; i < rows.size; ++i, y += rows.rate) {
    for (int64_t x = left, j = 0; j < columns.size; ++j, x += columns.rate) {
      const bool inside = y >= 0 && y < height && x >= 0 && x < width;
      to = inside ? std::copy_n(image + (y * width + x) * channels, channels, to) : std::fill_n(to, channels, T());
    }
  }
  return to;
}

absl::StatusOr<Kernel> ExtractImagePatchesKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const auto windows, WindowsOf(setup.node()));
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [rows = windows.first, columns = windows.second](KernelContext& c) {
      const Shape &in = *c.input(0).shape, &out = *c.output(0).shape;
      const int64_t image = in.num_elements(1, 4), patches = out.num_elements(1, 4);
      const int64_t top = rows.before(in.dim(1)), left = columns.before(in.dim(2));
      for (int64_t n = c.range().begin; n < c.range().end; ++n) {
        T* to = c.out<T>(0) + n * patches;
        for (int64_t i = 0; i < out.dim(1); ++i) {
          for (int64_t j = 0; j < out.dim(2); ++j) {
            to = CopyPatch(c.in<T>(0) + n * image, in, rows, columns, i * rows.stride - top, j * columns.stride - left,
                           to);
          }
        }
      }
      return absl::OkStatus();
    };
  });
}

// The patches of an image of pixel numbers tell to which pixel each element of dy belongs; 0 stands for none.
void ExtractImagePatchesGradient(GradientContext& c) {
  const ExtractImagePatchesOptions options = {.ksizes = c.attr<std::vector<int64_t>>("ksizes"),
                                              .strides = c.attr<std::vector<int64_t>>("strides"),
                                              .rates = c.attr<std::vector<int64_t>>("rates"),
                                              .padding = c.attr<std::string>("padding")};
  const Output shape = ShapeOf(c.x(0));
  const auto dims = [&shape](int64_t begin, int64_t end) { return StridedSlice(shape, {begin}, {end}); };
  const Output batch = dims(0, 1), image = dims(1, 3), channels = dims(3, 4);
  const Output one = OnesLike(batch), pixels = Prod(image);
  const Output numbers =
      Reshape(Range(Const(c.graph(), 1), Add(pixels, 1), Const(c.graph(), 1)), Concat({one, image, one}, 0));
  const Output segments = Sub(Reshape(ExtractImagePatches(numbers, options), {-1}), 1);
  const Output taps = Reshape(SizeOf(segments), {1});
  const Output by_tap = Reshape(c.dy(0), Concat({batch, taps, channels}, 0));
  const Output summed = UnsortedSegmentSum(Transpose(by_tap, {1, 0, 2}), segments, pixels);
  c.set_dx(0, Reshape(Transpose(summed, {1, 0, 2}), shape));
}

const OpRegistrar extract_image_patches({.name = "ExtractImagePatches",
                                         .inputs = {"images: T"},
                                         .outputs = {"patches: T"},
                                         .attrs = {"ksizes: list(int) >= 4", "strides: list(int) >= 4",
                                                   "rates: list(int) >= 4", kNumberT, "padding: {'SAME', 'VALID'}"},
                                         .shape = ExtractImagePatchesShape,
                                         .gradient = ExtractImagePatchesGradient,
                                         .kernel = ExtractImagePatchesKernel,
                                         .iteration = {.split = Split::kRows},
                                         .batch = LeadingBatch,
                                         .doc = "The pixels under a sliding window."});

}  // namespace

Output ExtractImagePatches(Operand images, const ExtractImagePatchesOptions& options) {
  return NodeBuilder("ExtractImagePatches", {images})
      .Attr("ksizes", options.ksizes)
      .Attr("strides", options.strides)
      .Attr("rates", options.rates)
      .Attr("padding", options.padding)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
