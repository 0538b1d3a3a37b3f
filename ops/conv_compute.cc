#include "ops/conv_compute.h"

#include <algorithm>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "graph/dtype.h"
#include "ops/conv_lanes.h"
#include "ops/conv_picture.h"
#include "ops/conv_scratch.h"
#include "runtime/gemm.h"

namespace staticflow {
namespace {

// Rows of taps whose products lie side by side in a padded picture: all columns of a row of the window when they are
// neighbours, single taps otherwise.
struct TapRows {
  int64_t columns = 1;  // taps in one row of the window
  int64_t count = 1;
  int64_t products = 1;  // per row

  explicit TapRows(const ConvShape& s) {
    const bool neighbours = s.groups == 1 && s.dims[2].dilation == 1;
    columns = neighbours ? 1 : s.dims[2].window;
    count = s.dims[0].window * s.dims[1].window * columns;
    products = neighbours ? s.dims[2].window * s.in_channels : s.group_in();
  }
  // Where row r starts for the window at the picture's origin.
  int64_t offset(const ConvShape& s, const PaddedPicture& picture, int64_t r) const {
    const int64_t w = r % columns, h = r / columns % s.dims[1].window, d = r / columns / s.dims[1].window;
    return picture.offset(d * s.dims[0].dilation, h * s.dims[1].dilation, w * s.dims[2].dilation);
  }
};

// y = the convolution of one padded picture after the other; `filter` as in conv_compute.h, y without gaps.
template <typename C>
class Correlation {
 public:
  Correlation(const ConvShape& s, const PaddedPicture& picture) : s_(s), picture_(picture), rows_(s) {
    gemm_.n = s.group_out();
    gemm_.k = rows_.count * rows_.products;
    gemm_.lda = s.dims[2].stride * s.in_channels;
    gemm_.ldb = gemm_.ldc = s.out_channels;
    const bool strided = s.dims[0].stride > 1 || s.dims[1].stride > 1 || s.dims[2].stride > 1;
    pointwise_ = rows_.count == 1 && gemm_.k == s.in_channels && !strided && !picture.has_border();
    if (pointwise_) {
      gemm_.m = s.out_pixels();
      return;
    }
    gemm_.m = s.dims[1].out * s.dims[2].out;
    gemm_.row_runs = s.dims[1].out;
    gemm_.row_run_step = picture.offset(0, s.dims[1].stride, 0);
    gemm_.num_runs = rows_.count;
  }
  // One product serves any number of pictures without gaps between them.
  bool is_pointwise() const { return pointwise_; }
  int64_t runs() const { return rows_.count; }
  int64_t gemm_bytes() const { return GemmScratchBytes<C>(gemm_); }
  void SetScratch(int64_t* runs, void* gemm_scratch) {
    for (int64_t r = 0; r < rows_.count; ++r) runs[r] = rows_.offset(s_, picture_, r);
    if (!pointwise_) gemm_.runs = runs;
    scratch_ = gemm_scratch;
  }

  void Run(const C* picture, const C* filter, C* y, int64_t pictures = 1) const {
    if (pointwise_) {
      GemmShape all = gemm_;
      all.m *= pictures;
      Gemm(all, picture, filter, y, scratch_);
      return;
    }
    for (int64_t d = 0; d < s_.dims[0].out; ++d) {
      const C* slice = picture + picture_.offset(d * s_.dims[0].stride, 0, 0);
      for (int64_t g = 0; g < s_.groups; ++g) {
        Gemm(gemm_, slice + g * s_.group_in(), filter + g * s_.group_out(),
             y + d * gemm_.m * s_.out_channels + g * s_.group_out(), scratch_);
      }
    }
  }

 private:
  const ConvShape& s_;
  const PaddedPicture& picture_;
  const TapRows rows_;
  GemmShape gemm_;
  bool pointwise_ = false;
  void* scratch_ = nullptr;
};

template <typename T>
constexpr bool kSameType = std::is_same_v<T, ConvType<T>>;

int64_t FilterElements(const ConvShape& s) {
  return MultiplySizes(MultiplySizes(s.taps(), s.group_in()), s.out_channels);
}

// The filter in the computing type; with `backwards` the one that leads from y to x: [taps, group_out, in_channels],
// its taps in reverse order when `reverse`.
template <typename T>
void LoadFilter(const ConvShape& s, const T* filter, bool backwards, bool reverse, ConvType<T>* target) {
  if (!backwards) {
    std::transform(filter, filter + FilterElements(s), target, [](T v) { return static_cast<ConvType<T>>(v); });
    return;
  }
  const int64_t taps = s.taps(), group_in = s.group_in(), group_out = s.group_out();
  for (int64_t t = 0; t < taps; ++t) {
    const T* tap = filter + (reverse ? taps - 1 - t : t) * group_in * s.out_channels;
    for (int64_t ci = 0; ci < group_in; ++ci) {
      for (int64_t g = 0; g < s.groups; ++g) {
        for (int64_t co = 0; co < group_out; ++co) {
          target[(t * group_out + co) * s.in_channels + g * group_in + ci] =
              static_cast<ConvType<T>>(tap[ci * s.out_channels + g * group_out + co]);
        }
      }
    }
  }
}

// Whether x's gradient is itself a convolution: of y's by the reversed filter. Else it is added up tap by tap.
bool BackwardIsConvolution(const ConvShape& s) {
  return std::all_of(s.dims.begin(), s.dims.end(),
                     [](const WindowDim& d) { return d.stride == 1 && d.before < d.extent() && d.out > 0; });
}

ConvShape BackwardShape(const ConvShape& s) {
  ConvShape t = s;
  t.in_channels = s.out_channels;
  t.out_channels = s.in_channels;
  for (WindowDim& d : t.dims) {
    std::swap(d.in, d.out);
    d.before = d.extent() - 1 - d.before;
  }
  return t;
}

// Convolves pictures `images` of x by the filter of `filter_shape`, which is `s` or what `s` is the backward shape of.
template <typename T>
absl::Status Convolve(KernelContext& c, const ConvShape& s, const T* x, const T* filter, const ConvShape& filter_shape,
                      bool backwards, T* y, IndexRange images) {
  using C = ConvType<T>;
  const PaddedPicture in(s.dims, s.in_channels), out(s.out_size(), s.out_channels);
  const bool plain_x = in.IsPlain<T>(s.channels_first), plain_y = out.IsPlain<T>(s.channels_first);
  const bool plain_filter = kSameType<T> && !backwards;
  Correlation<C> correlation(s, in);
  ScratchArrays arrays;
  const auto runs = arrays.Add<int64_t>(correlation.runs());
  const auto gemm = arrays.Add<char>(correlation.gemm_bytes());
  const auto wide_filter = arrays.Add<C>(plain_filter ? 0 : FilterElements(s));
  const auto wide_x = arrays.Add<C>(plain_x ? 0 : in.elements());
  const auto wide_y = arrays.Add<C>(plain_y ? 0 : out.elements());
  SF_ASSIGN_OR_RETURN(char* memory, arrays.Allocate(c));
  correlation.SetScratch(runs.in(memory), gemm.in(memory));
  if (!plain_filter) LoadFilter(filter_shape, filter, backwards, true, wide_filter.in(memory));
  const C* f = plain_filter ? reinterpret_cast<const C*>(filter) : wide_filter.in(memory);
  const int64_t x_step = s.in_pixels() * s.in_channels, y_step = s.out_pixels() * s.out_channels;
  if (correlation.is_pointwise() && plain_x && plain_y) {
    correlation.Run(reinterpret_cast<const C*>(x) + images.begin * x_step, f,
                    reinterpret_cast<C*>(y) + images.begin * y_step, images.end - images.begin);
    return absl::OkStatus();
  }
  for (int64_t i = images.begin; i < images.end; ++i) {
    if (!plain_x) LoadPicture(x + i * x_step, s.channels_first, in, wide_x.in(memory));
    const C* picture = plain_x ? reinterpret_cast<const C*>(x + i * x_step) : wide_x.in(memory);
    C* result = plain_y ? reinterpret_cast<C*>(y + i * y_step) : wide_y.in(memory);
    correlation.Run(picture, f, result);
    if (!plain_y) StorePicture(result, s.channels_first, out, y + i * y_step);
  }
  return absl::OkStatus();
}

// dx (padded, zero before) += what the taps of one picture dy give. Rows of neighbouring windows may overlap, those of
// one tap do not: a product per tap and row adds in place.
template <typename C>
void ScatterTaps(const ConvShape& s, const PaddedPicture& dx_picture, const C* filter, const C* dy, C* dx,
                 void* scratch) {
  const auto& [depth, rows, columns] = s.dims;
  GemmShape gemm = {.m = columns.out,
                    .n = s.group_in(),
                    .k = s.group_out(),
                    .lda = s.out_channels,
                    .ldb = s.in_channels,
                    .ldc = columns.stride * s.in_channels,
                    .accumulate = true};
  for (int64_t t = 0; t < s.taps(); ++t) {
    const int64_t kw = t % columns.window, kh = t / columns.window % rows.window, kd = t / columns.window / rows.window;
    for (int64_t r = 0; r < depth.out * rows.out; ++r) {
      const int64_t d = r / rows.out, h = r % rows.out;
      C* target = dx + dx_picture.offset(d * depth.stride + kd * depth.dilation, h * rows.stride + kh * rows.dilation,
                                         kw * columns.dilation);
      for (int64_t g = 0; g < s.groups; ++g) {
        Gemm(gemm, dy + r * columns.out * s.out_channels + g * s.group_out(),
             filter + t * s.group_out() * s.in_channels + g * s.group_in(), target + g * s.group_in(), scratch);
      }
    }
  }
}

// The filter's gradient from one padded picture: for each row of taps, the transposed pixels that it meets times dy.
template <typename C>
class FilterGradient {
 public:
  FilterGradient(const ConvShape& s, const PaddedPicture& picture) : s_(s), picture_(picture), taps_(s) {
    // Long enough to be fast, short enough for float sums to stay accurate.
    rows_per_block_ = std::max<int64_t>(1, kGemmDepth / std::max<int64_t>(1, s.dims[2].out));
    gemm_ = {.m = taps_.products,
             .lda = s.dims[2].stride * s.in_channels,
             .ldb = s.out_channels,
             .transpose_a = true,
             .accumulate = true};
  }
  int64_t output_rows() const { return s_.dims[0].out * s_.dims[1].out; }
  void SetScratch(int64_t* runs) {
    for (int64_t r = 0; r < output_rows(); ++r) {
      const int64_t d = r / s_.dims[1].out, h = r % s_.dims[1].out;
      runs[r] = picture_.offset(d * s_.dims[0].stride, h * s_.dims[1].stride, 0);
    }
    runs_ = runs;
  }

  // df: the gradient of output channels [channels) alone, `df_step` elements from one row to the next.
  void Add(const C* picture, const C* dy, IndexRange channels, C* df, int64_t df_step) {
    gemm_.ldc = df_step;
    for (int64_t first = 0; first < output_rows(); first += rows_per_block_) {
      gemm_.num_runs = std::min(rows_per_block_, output_rows() - first);
      gemm_.runs = runs_ + first;
      gemm_.k = gemm_.num_runs * s_.dims[2].out;
      const C* rows = dy + first * s_.dims[2].out * s_.out_channels;
      for (int64_t t = 0; t < taps_.count; ++t) {
        const C* start = picture + taps_.offset(s_, picture_, t);
        for (int64_t g = 0; g < s_.groups; ++g) {
          const int64_t begin = std::max(channels.begin, g * s_.group_out());
          gemm_.n = std::min(channels.end, (g + 1) * s_.group_out()) - begin;
          if (gemm_.n <= 0) continue;
          Gemm(gemm_, start + g * s_.group_in(), rows + begin,
               df + t * taps_.products * df_step + begin - channels.begin, nullptr);
        }
      }
    }
  }

 private:
  const ConvShape& s_;
  const PaddedPicture& picture_;
  const TapRows taps_;
  GemmShape gemm_;
  int64_t rows_per_block_ = 1;
  int64_t* runs_ = nullptr;
};

}  // namespace

absl::StatusOr<ConvShape> MakeConvShape(const WindowRule& rule, const Shape& in, const Shape& filter) {
  const PictureShape picture = ReadPicture(rule, in);
  ConvShape s = {.batch = picture.batch,
                 .in_channels = picture.channels,
                 .out_channels = filter.dim(-1),
                 .channels_first = rule.channels_first};
  std::array<int64_t, 3> window = {1, 1, 1};
  for (int d = 3 - rule.spatial; d < 3; ++d) window[d] = filter.dim(d - (3 - rule.spatial));
  SF_ASSIGN_OR_RETURN(s.dims, SlideWindows(rule, picture, window));
  const int64_t filter_channels = filter.dim(-2);
  if (filter_channels < 1 || s.in_channels < 1 || s.in_channels % filter_channels != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("input has ", s.in_channels, " channels, filter expects ", filter_channels));
  }
  s.groups = s.in_channels / filter_channels;
  if (s.out_channels % s.groups != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(s.out_channels, " output channels do not divide into ", s.groups, " groups"));
  }
  return s;
}

absl::Status CheckConvOutput(const WindowRule& rule, const ConvShape& s, const Shape& out) {
  const PictureShape picture = ReadPicture(rule, out);
  if (picture.batch == s.batch && picture.size == s.out_size() && picture.channels == s.out_channels) {
    return absl::OkStatus();
  }
  const Shape want = WritePicture(rule, {.batch = s.batch, .size = s.out_size(), .channels = s.out_channels});
  return absl::InvalidArgumentError(
      absl::StrCat("out_backprop has shape ", out.ToString(), ", the convolution gives ", want.ToString()));
}

template <typename T>
absl::Status ConvForward(KernelContext& c, const ConvShape& s, const T* x, const T* filter, T* y, IndexRange images) {
  if constexpr (std::is_same_v<T, float>) {
    if (ConvForwardFitsLanes(s)) return ConvForwardLanes(c, s, x, filter, y, images);
  }
  return Convolve(c, s, x, filter, s, false, y, images);
}

template <typename T>
absl::Status ConvBackpropInput(KernelContext& c, const ConvShape& s, const T* filter, const T* dy, T* dx,
                               IndexRange images) {
  using C = ConvType<T>;
  if constexpr (std::is_same_v<T, float>) {
    if (ConvBackpropInputFitsLanes(s)) return ConvBackpropInputLanes(c, s, filter, dy, dx, images);
  }
  if (BackwardIsConvolution(s)) return Convolve(c, BackwardShape(s), dy, filter, s, true, dx, images);
  const PaddedPicture in(s.dims, s.in_channels), out(s.out_size(), s.out_channels);
  const bool plain_dx = in.IsPlain<T>(s.channels_first), plain_dy = out.IsPlain<T>(s.channels_first);
  ScratchArrays arrays;
  const auto gemm = arrays.Add<char>(GemmScratchBytes<C>({.k = s.group_out()}));
  const auto turned = arrays.Add<C>(FilterElements(s));
  const auto wide_dx = arrays.Add<C>(plain_dx ? 0 : in.elements());
  const auto wide_dy = arrays.Add<C>(plain_dy ? 0 : out.elements());
  SF_ASSIGN_OR_RETURN(char* memory, arrays.Allocate(c));
  LoadFilter(s, filter, true, false, turned.in(memory));
  const int64_t x_step = s.in_pixels() * s.in_channels, y_step = s.out_pixels() * s.out_channels;
  for (int64_t i = images.begin; i < images.end; ++i) {
    if (!plain_dy) LoadPicture(dy + i * y_step, s.channels_first, out, wide_dy.in(memory));
    const C* gradient = plain_dy ? reinterpret_cast<const C*>(dy + i * y_step) : wide_dy.in(memory);
    C* result = plain_dx ? reinterpret_cast<C*>(dx + i * x_step) : wide_dx.in(memory);
    std::fill_n(result, in.elements(), C(0));
    ScatterTaps(s, in, turned.in(memory), gradient, result, gemm.in(memory));
    if (!plain_dx) StorePicture(result, s.channels_first, in, dx + i * x_step);
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status ConvBackpropFilter(KernelContext& c, const ConvShape& s, const T* x, const T* dy, T* df,
                                IndexRange channels) {
  using C = ConvType<T>;
  if constexpr (std::is_same_v<T, float>) {
    if (ConvBackpropFilterFitsLanes(s)) return ConvBackpropFilterLanes(c, s, x, dy, df, channels);
  }
  const PaddedPicture in(s.dims, s.in_channels), out(s.out_size(), s.out_channels);
  const bool plain_x = in.IsPlain<T>(s.channels_first), plain_dy = out.IsPlain<T>(s.channels_first);
  FilterGradient<C> gradient(s, in);
  const int64_t width = channels.end - channels.begin, rows = s.taps() * s.group_in();
  ScratchArrays arrays;
  const auto runs = arrays.Add<int64_t>(gradient.output_rows());
  const auto wide_x = arrays.Add<C>(plain_x ? 0 : in.elements());
  const auto wide_dy = arrays.Add<C>(plain_dy ? 0 : out.elements());
  const auto wide_df = arrays.Add<C>(kSameType<T> ? 0 : MultiplySizes(rows, width));
  SF_ASSIGN_OR_RETURN(char* memory, arrays.Allocate(c));
  gradient.SetScratch(runs.in(memory));
  C* sum = kSameType<T> ? reinterpret_cast<C*>(df + channels.begin) : wide_df.in(memory);
  const int64_t sum_step = kSameType<T> ? s.out_channels : width;
  for (int64_t r = 0; r < rows; ++r) std::fill_n(sum + r * sum_step, width, C(0));
  const int64_t x_step = s.in_pixels() * s.in_channels, y_step = s.out_pixels() * s.out_channels;
  for (int64_t i = 0; i < s.batch && y_step > 0; ++i) {
    if (!plain_x) LoadPicture(x + i * x_step, s.channels_first, in, wide_x.in(memory));
    if (!plain_dy) LoadPicture(dy + i * y_step, s.channels_first, out, wide_dy.in(memory));
    gradient.Add(plain_x ? reinterpret_cast<const C*>(x + i * x_step) : wide_x.in(memory),
                 plain_dy ? reinterpret_cast<const C*>(dy + i * y_step) : wide_dy.in(memory), channels, sum, sum_step);
  }
  if constexpr (!kSameType<T>) {
    for (int64_t r = 0; r < rows; ++r) {
      std::transform(sum + r * width, sum + (r + 1) * width, df + r * s.out_channels + channels.begin,
                     [](C v) { return static_cast<T>(v); });
    }
  }
  return absl::OkStatus();
}

#define SF_INSTANTIATE_CONV(T)                                                                                   \
  template absl::Status ConvForward(KernelContext&, const ConvShape&, const T*, const T*, T*, IndexRange);       \
  template absl::Status ConvBackpropInput(KernelContext&, const ConvShape&, const T*, const T*, T*, IndexRange); \
  template absl::Status ConvBackpropFilter(KernelContext&, const ConvShape&, const T*, const T*, T*, IndexRange)
SF_INSTANTIATE_CONV(float);
SF_INSTANTIATE_CONV(double);
SF_INSTANTIATE_CONV(Half);
SF_INSTANTIATE_CONV(BFloat16);
SF_INSTANTIATE_CONV(int32_t);
#undef SF_INSTANTIATE_CONV

}  // namespace staticflow
