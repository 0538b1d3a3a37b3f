// ExtractVolumePatches: the counterpart of ExtractImagePatches in three dimensions.
#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/math.h"

namespace staticflow {
namespace {

struct Window {
  int64_t size[3], stride[3];
  bool same;

  int64_t count(int d, int64_t in) const {
    if (same) return (in + stride[d] - 1) / stride[d];
    return in < size[d] ? 0 : (in - size[d]) / stride[d] + 1;
  }
  int64_t before(int d, int64_t in) const {
    if (!same || in == 0) return 0;
    return std::max<int64_t>((count(d, in) - 1) * stride[d] + size[d] - in, 0) / 2;
  }
  int64_t volume() const { return MultiplySizes(size[0], MultiplySizes(size[1], size[2])); }
};

absl::StatusOr<Window> WindowOf(const Node& node) {
  Window window = {};
  constexpr int64_t kMost = int64_t{1} << 31;
  for (const char* name : {"ksizes", "strides"}) {
    const std::vector<int64_t>& list = node.attr<std::vector<int64_t>>(name);
    const bool good = list.size() == 5 && list[0] == 1 && list[4] == 1 &&
                      std::all_of(list.begin(), list.end(), [](int64_t v) { return v > 0 && v < kMost; });
    if (!good)
      return absl::InvalidArgumentError(absl::StrCat(name, " must be [1, depth, rows, columns, 1], all positive"));
    std::copy_n(list.begin() + 1, 3, absl::string_view(name) == "ksizes" ? window.size : window.stride);
  }
  window.same = node.attr<std::string>("padding") == "SAME";
  return window;
}

absl::Status PatchesShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape in, c.WithRank(0, 5));
  SF_ASSIGN_OR_RETURN(const Window window, WindowOf(c.node()));
  Shape out = {in.dim(0)};
  for (int d = 0; d < 3; ++d) out.push_back(in.dim(1 + d) < 0 ? Shape::kUnknownDim : window.count(d, in.dim(1 + d)));
  out.push_back(in.dim(4) < 0 ? Shape::kUnknownDim : MultiplySizes(window.volume(), in.dim(4)));
  c.set_output(0, std::move(out));
  return absl::OkStatus();
}

// The elements under the window whose first voxel is `start`, zeros outside.
template <typename T>
T* CopyPatch(const T* volume, const Shape& in, const Window& window, const int64_t (&start)[3], T* to) {
  const int64_t channels = in.dim(4);
  for (int64_t i = 0; i < window.volume(); ++i) {
    const int64_t z = start[0] + i / (window.size[1] * window.size[2]);
    const int64_t y = start[1] + i / window.size[2] % window.size[1], x = start[2] + i % window.size[2];
    const bool inside = z >= 0 && z < in.dim(1) && y >= 0 && y < in.dim(2) && x >= 0 && x < in.dim(3);
    to = inside ? std::copy_n(volume + ((z * in.dim(2) + y) * in.dim(3) + x) * channels, channels, to)
                : std::fill_n(to, channels, T());
  }
  return to;
}

absl::StatusOr<Kernel> PatchesKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const Window window, WindowOf(setup.node()));
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [window](KernelContext& c) {
      const Shape &in = *c.input(0).shape, &out = *c.output(0).shape;
      const int64_t volume = in.num_elements(1, 5), patches = out.num_elements(1, 4);
      for (int64_t n = c.range().begin; n < c.range().end; ++n) {
        T* to = c.out<T>(0) + n * patches * out.dim(4);
        for (int64_t p = 0; p < patches; ++p) {
          const int64_t place[3] = {p / (out.dim(2) * out.dim(3)), p / out.dim(3) % out.dim(2), p % out.dim(3)};
          int64_t start[3];
          for (int d = 0; d < 3; ++d) start[d] = place[d] * window.stride[d] - window.before(d, in.dim(1 + d));
          to = CopyPatch(c.in<T>(0) + n * volume, in, window, start, to);
        }
      }
      return absl::OkStatus();
    };
  });
}

// The patches of a volume of voxel numbers tell to which voxel each element of dy belongs; 0 stands for none.
void PatchesGradient(GradientContext& c) {
  const Output shape = ShapeOf(c.x(0));
  const auto dims = [&shape](int64_t begin, int64_t end) { return StridedSlice(shape, {begin}, {end}); };
  const Output batch = dims(0, 1), volume = dims(1, 4), channels = dims(4, 5);
  const Output one = OnesLike(batch), voxels = Prod(volume);
  const Output numbers =
      Reshape(Range(Const(c.graph(), 1), Add(voxels, 1), Const(c.graph(), 1)), Concat({one, volume, one}, 0));
  const Output patches = NodeBuilder("ExtractVolumePatches", {numbers})
                             .Attr("ksizes", c.attr<std::vector<int64_t>>("ksizes"))
                             .Attr("strides", c.attr<std::vector<int64_t>>("strides"))
                             .Attr("padding", c.attr<std::string>("padding"))
                             .Build();
  const Output segments = Sub(Reshape(patches, {-1}), 1);
  const Output taps = Reshape(SizeOf(segments), {1});
  const Output by_tap = Reshape(c.dy(0), Concat({batch, taps, channels}, 0));
  const Output summed = UnsortedSegmentSum(Transpose(by_tap, {1, 0, 2}), segments, voxels);
  c.set_dx(0, Reshape(Transpose(summed, {1, 0, 2}), shape));
}

const OpRegistrar patches({.name = "ExtractVolumePatches",
                           .inputs = {"input: T"},
                           .outputs = {"patches: T"},
                           .attrs = {"ksizes: list(int) >= 5", "strides: list(int) >= 5", kNumberT,
                                     "padding: {'SAME', 'VALID'}"},
                           .shape = PatchesShape,
                           .gradient = PatchesGradient,
                           .kernel = PatchesKernel,
                           .iteration = {.split = Split::kRows},
                           .batch = LeadingBatch,
                           .doc = "The voxels under a sliding window."});

}  // namespace
}  // namespace staticflow
