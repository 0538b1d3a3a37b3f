// FusedPadConv2D, FusedResizeAndPadConv2D: a picture with mirror images around it, convolved, without that picture in
// memory. Contract: ops/conv.h.
#include <algorithm>

#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/conv_nodes.h"
#include "ops/conv_scratch.h"
#include "ops/image_taps.h"
#include "ops/paddings.h"

namespace staticflow {
namespace {

enum Inputs { kInput, kSize };  // paddings and filter are the last two

// One spatial dimension: the input's size, that after resizing, and the window that slides over it and its mirror
// images. Sizes may be unknown.
struct FusedDim {
  int64_t in = Shape::kUnknownDim;
  int64_t resized = Shape::kUnknownDim;
  int64_t before = 0;
  WindowDim window;

  // The element that padded element i shows; with offset 1, the mirror image leaves out the edge.
  int64_t Source(int64_t i, int64_t offset) const {
    i -= before;
    if (i < 0) i = -i - 1 + offset;
    return i < resized ? i : 2 * resized - 1 - offset - i;
  }
};

using MaybeInts = std::optional<std::vector<int64_t>>;

absl::Status CheckPaddings(absl::Span<const int64_t> paddings, const Shape& picture, int64_t offset) {
  for (int d = 0; d < 4; ++d) {
    const int64_t before = paddings[2 * d], after = paddings[2 * d + 1], size = picture.dim(d);
    if (before < 0 || after < 0 || (size >= 0 && std::max(before, after) > size - offset)) {
      return absl::InvalidArgumentError(absl::StrCat("paddings[", d, "] is {", before, ", ", after, "}, expected 0 to ",
                                                     size - offset, " for size ", size));
    }
    if ((d == 0 || d == 3) && (before > 0 || after > 0)) {
      return absl::InvalidArgumentError("only rows and columns can be padded");
    }
  }
  return absl::OkStatus();
}

struct FusedAttrs {
  absl::Status Read(const Node& node) {
    SF_RETURN_IF_ERROR(ReadWindowRule(node, &rule));
    offset = node.attr<std::string>("mode") == "REFLECT" ? 1 : 0;
    resizes = node.has_attr("resize_align_corners");
    align_corners = resizes && node.attr<bool>("resize_align_corners");
    return absl::OkStatus();
  }

  // Rows and columns, as far as shapes and the values of size and paddings tell them.
  absl::StatusOr<std::array<FusedDim, 2>> Dims(const Shape& in, const MaybeInts& size, const MaybeInts& paddings,
                                               const Shape& filter) const {
    std::array<FusedDim, 2> dims;
    Shape picture = in;
    for (int d = 0; d < 2; ++d) {
      dims[d].in = in.dim(1 + d);
      if (resizes) picture.set_dim(1 + d, size.has_value() ? (*size)[d] : Shape::kUnknownDim);
      if (resizes && (picture.dim(1 + d) == 0 || dims[d].in == 0)) {
        return absl::InvalidArgumentError("expected pictures of at least one pixel before and after resizing");
      }
      dims[d].resized = picture.dim(1 + d);
    }
    if (paddings.has_value()) SF_RETURN_IF_ERROR(CheckPaddings(*paddings, picture, offset));
    for (int d = 0; d < 2; ++d) {
      int64_t padded = Shape::kUnknownDim;
      if (paddings.has_value() && dims[d].resized >= 0) {
        dims[d].before = (*paddings)[2 + 2 * d];
        padded = AddSizes(dims[d].resized, AddSizes(dims[d].before, (*paddings)[3 + 2 * d]));
      }
      SF_ASSIGN_OR_RETURN(dims[d].window, SlideWindow(rule, 1 + d, padded, filter.dim(d)));
    }
    return dims;
  }

  WindowRule rule;
  int64_t offset = 0;
  bool resizes = false, align_corners = false;
};

absl::Status FusedShape(ShapeContext& c) {
  FusedAttrs attrs;
  SF_RETURN_IF_ERROR(attrs.Read(c.node()));
  const int filter_input = c.num_inputs() - 1;
  SF_ASSIGN_OR_RETURN(const Shape in, c.WithRank(kInput, 4));
  SF_ASSIGN_OR_RETURN(const Shape paddings, c.WithRank(filter_input - 1, 2));
  SF_ASSIGN_OR_RETURN(const Shape filter, c.WithRank(filter_input, 4));
  SF_RETURN_IF_ERROR(c.MergeDims(paddings.dim(0), 4, "rows of paddings").status());
  SF_RETURN_IF_ERROR(c.MergeDims(paddings.dim(1), 2, "columns of paddings").status());
  SF_RETURN_IF_ERROR(c.MergeDims(in.dim(3), filter.dim(2), "channels of input and filter").status());
  MaybeInts size;
  if (attrs.resizes) {
    SF_ASSIGN_OR_RETURN(const Shape vector, c.WithRank(kSize, 1));
    SF_RETURN_IF_ERROR(c.MergeDims(vector.dim(0), 2, "elements of size").status());
    SF_ASSIGN_OR_RETURN(size, c.Integers(kSize));
    if (size.has_value() && ((*size)[0] < 1 || (*size)[1] < 1)) {
      return absl::InvalidArgumentError(
          absl::StrCat("size is {", (*size)[0], ", ", (*size)[1], "}, expected 1 or more"));
    }
  }
  SF_ASSIGN_OR_RETURN(const MaybeInts values, c.Integers(filter_input - 1));
  SF_ASSIGN_OR_RETURN(const auto dims, attrs.Dims(in, size, values, filter));
  c.set_output(0, {in.dim(0), dims[0].window.out, dims[1].window.out, filter.dim(3)});
  return absl::OkStatus();
}

MaybeInts IntegersInput(const KernelContext& c, int i) {
  const int32_t* values = c.in<int32_t>(i);
  return std::vector<int64_t>(values, values + c.input(i).num_elements);
}

// Calls f(tap, element of the picture) for the taps of window i that lie on the padded picture.
template <typename F>
void ForEachTap(const FusedDim& dim, int64_t i, int64_t offset, F f) {
  for (int64_t tap = 0; tap < dim.window.window; ++tap) {
    const int64_t at = i * dim.window.stride + tap - dim.window.before;
    if (at >= 0 && at < dim.window.in) f(tap, dim.Source(at, offset));
  }
}

// The picture of the new size, each pixel made of the nearest four.
template <typename T, typename A>
void ResizePicture(const T* from, const FusedDim& rows, const FusedDim& columns, int64_t channels, bool align_corners,
                   LinearTaps* taps, A* to) {
  const auto fill = [&](const FusedDim& dim, LinearTaps* of) {
    for (int64_t i = 0; i < dim.resized; ++i) MakeTaps(ResizeAxis{dim.in, dim.resized, align_corners, false}, i, of[i]);
  };
  LinearTaps* column_taps = taps + rows.resized;
  fill(rows, taps);
  fill(columns, column_taps);
  for (int64_t i = 0; i < rows.resized; ++i) {
    for (int64_t j = 0; j < columns.resized; ++j, to += channels) {
      for (int64_t k = 0; k < channels; ++k) {
        A lines[2];
        for (int r = 0; r < 2; ++r) {
          const T* line = from + taps[i].index[r] * columns.in * channels + k;
          const A left = A(Widen(line[column_taps[j].index[0] * channels]));
          const A right = A(Widen(line[column_taps[j].index[1] * channels]));
          lines[r] = left + (right - left) * A(column_taps[j].weight[1]);
        }
        to[k] = lines[0] + (lines[1] - lines[0]) * A(taps[i].weight[1]);
      }
    }
  }
}

// y[n, i, j, k] = sum over r, s, c of p[n, i stride + r - before, j stride + s - before, c] filter[r, s, c, k], where p
// is the padded picture.
template <typename T>
absl::Status RunFused(KernelContext& c, const FusedAttrs& attrs) {
  using A = ComputeType<T>;
  const TensorView &x = c.input(kInput), &filter = c.input(c.num_inputs() - 1), &y = c.output(0);
  if (y.num_elements == 0) return absl::OkStatus();
  const MaybeInts size = attrs.resizes ? IntegersInput(c, kSize) : std::nullopt;
  SF_ASSIGN_OR_RETURN(const auto dims, attrs.Dims(*x.shape, size, IntegersInput(c, c.num_inputs() - 2), *filter.shape));
  const auto& [rows, columns] = dims;
  const int64_t channels = x.dim(3), filters = filter.dim(3), pixels = MultiplySizes(rows.resized, columns.resized);
  ScratchArrays arrays;
  const auto sums_at = arrays.Add<A>(filters);
  const auto taps_at = arrays.Add<LinearTaps>(attrs.resizes ? AddSizes(rows.resized, columns.resized) : 0);
  const auto picture_at = arrays.Add<A>(MultiplySizes(pixels, channels));
  SF_ASSIGN_OR_RETURN(char* memory, arrays.Allocate(c));
  A *sums = sums_at.in(memory), *picture = picture_at.in(memory);
  for (int64_t b = c.range().begin; b < c.range().end; ++b) {
    const T* from = c.in<T>(kInput) + b * rows.in * columns.in * channels;
    if (attrs.resizes) {
      ResizePicture(from, rows, columns, channels, attrs.align_corners, taps_at.in(memory), picture);
    } else {
      std::transform(from, from + pixels * channels, picture, [](T value) { return A(Widen(value)); });
    }
    T* to = c.out<T>(0) + b * rows.window.out * columns.window.out * filters;
    for (int64_t i = 0; i < rows.window.out; ++i) {
      for (int64_t j = 0; j < columns.window.out; ++j, to += filters) {
        std::fill_n(sums, filters, A(0));
        ForEachTap(rows, i, attrs.offset, [&](int64_t r, int64_t row) {
          ForEachTap(columns, j, attrs.offset, [&](int64_t s, int64_t column) {
            const A* pixel = picture + (row * columns.resized + column) * channels;
            const T* weights = filter.as<T>() + (r * columns.window.window + s) * channels * filters;
            for (int64_t ch = 0; ch < channels; ++ch, weights += filters) {
              for (int64_t k = 0; k < filters; ++k) sums[k] += pixel[ch] * A(Widen(weights[k]));
            }
          });
        });
        for (int64_t k = 0; k < filters; ++k) to[k] = T(sums[k]);
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> FusedKernel(const KernelSetup& setup) {
  FusedAttrs attrs;
  SF_RETURN_IF_ERROR(attrs.Read(setup.node()));
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [attrs](KernelContext& c) { return RunFused<T>(c, attrs); };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

OpSpec FusedOp(std::string name, std::vector<std::string> inputs, std::vector<std::string> attrs, std::string doc) {
  for (const char* attr : {"mode: {'REFLECT', 'SYMMETRIC'}", "strides: list(int)", "padding: {'SAME', 'VALID'}"}) {
    attrs.push_back(attr);
  }
  return {.name = std::move(name),
          .inputs = std::move(inputs),
          .outputs = {"output: T"},
          .attrs = std::move(attrs),
          .shape = FusedShape,
          .gradient = kGradientIsError,
          .kernel = FusedKernel,
          .iteration = {.split = Split::kRows},
          .batch = ConvBatch,
          .doc = std::move(doc)};
}
const OpRegistrar pad_conv(FusedOp("FusedPadConv2D", {"input: T", "paddings: int32", "filter: T"},
                                   {"T: {half, bfloat16, float, double}"},
                                   "Convolves pictures with mirror images around them."));
const OpRegistrar resize_pad_conv(FusedOp("FusedResizeAndPadConv2D",
                                          {"input: T", "size: int32", "paddings: int32", "filter: T"},
                                          {"T: {half, float, double}", "resize_align_corners: bool = false"},
                                          "Convolves pictures of another size with mirror images around them."));

}  // namespace

Output FusedPadConv2D(Operand input, const Ints& paddings, Operand filter, const FusedConv2DOptions& options) {
  const NodeName node(input, options.name, "FusedPadConv2D");
  if (!node) return Output();
  return NodeBuilder("FusedPadConv2D", {input, PaddingsVector(node, paddings, "paddings"), filter})
      .Attr("mode", options.mode)
      .Attr("strides", options.strides)
      .Attr("padding", options.padding)
      .Name(node.exact())
      .Build();
}
Output FusedResizeAndPadConv2D(Operand input, const Ints& size, const Ints& paddings, Operand filter,
                               const FusedConv2DOptions& options) {
  const NodeName node(input, options.name, "FusedResizeAndPadConv2D");
  if (!node) return Output();
  const Output sizes = node.Vector(size, "size", DT_INT32);
  return NodeBuilder("FusedResizeAndPadConv2D", {input, sizes, PaddingsVector(node, paddings, "paddings"), filter})
      .Attr("resize_align_corners", options.resize_align_corners)
      .Attr("mode", options.mode)
      .Attr("strides", options.strides)
      .Attr("padding", options.padding)
      .Name(node.exact())
      .Build();
}

}  // namespace staticflow
