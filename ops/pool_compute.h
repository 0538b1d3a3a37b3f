// The loops of pooling, in two and three dimensions: every window of a picture, every pixel of a window.
//
//   SF_ASSIGN_OR_RETURN(PoolShape s, MakePoolShape(rule, *c.input(0).shape));
//   for (int64_t p = 0; p < s.pictures; ++p) ForEachWindow(s, [&](int64_t out, const PoolWindow& window) { ... });
//
// Channels lie innermost here: a picture in "NCHW" counts as one picture of one channel for each of its channels.
// Pixels in the padding belong to no window, and every window has at least one pixel. All functions are pure.
#ifndef STATICFLOW_OPS_POOL_COMPUTE_H_
#define STATICFLOW_OPS_POOL_COMPUTE_H_

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "ops/conv_picture.h"
#include "ops/conv_window.h"
#include "runtime/kernel.h"

namespace staticflow {

struct PoolShape {
  int64_t pictures_per_row = 1;  // of one index of the batch
  int64_t channels = 1;
  std::array<WindowDim, 3> dims = {};

  int64_t in_pixels() const { return dims[0].in * dims[1].in * dims[2].in; }
  int64_t out_pixels() const { return dims[0].out * dims[1].out * dims[2].out; }
  // Elements of one picture.
  int64_t in_elements() const { return in_pixels() * channels; }
  int64_t out_elements() const { return out_pixels() * channels; }
};

// The windows of `rule` over pictures of shape `in`, which is known. InvalidArgument when they do not fit or when a
// window could lie in the padding alone.
inline absl::StatusOr<PoolShape> MakePoolShape(const WindowRule& rule, const Shape& in) {
  const PictureShape picture = ReadPicture(rule, in);
  PoolShape s;
  (rule.channels_first ? s.pictures_per_row : s.channels) = picture.channels;
  SF_ASSIGN_OR_RETURN(s.dims, SlideWindows(rule, picture, rule.window));
  for (const WindowDim& d : s.dims) {
    if (rule.padding == WindowPadding::kExplicit && std::max(d.before, d.after) >= d.window) {
      return absl::InvalidArgumentError(absl::StrCat("padding of ", std::max(d.before, d.after),
                                                     " must be smaller than the window of size ", d.window));
    }
  }
  return s;
}

// The pixels of one window that are inside the picture: [begin, end) in each dimension.
struct PoolWindow {
  std::array<int64_t, 3> begin = {0, 0, 0};
  std::array<int64_t, 3> end = {1, 1, 1};

  int64_t pixels() const { return (end[0] - begin[0]) * (end[1] - begin[1]) * (end[2] - begin[2]); }
};

// Calls f(number of the window, window) for all windows in row-major order.
template <typename F>
void ForEachWindow(const PoolShape& s, F f) {
  PoolWindow window;
  const auto place = [&](int d, int64_t position) {
    const WindowDim& dim = s.dims[d];
    const int64_t start = position * dim.stride - dim.before;
    window.begin[d] = std::max<int64_t>(start, 0);
    window.end[d] = std::min(start + dim.window, dim.in);
  };
  int64_t number = 0;
  for (int64_t d = 0; d < s.dims[0].out; ++d) {
    place(0, d);
    for (int64_t h = 0; h < s.dims[1].out; ++h) {
      place(1, h);
      for (int64_t w = 0; w < s.dims[2].out; ++w) {
        place(2, w);
        f(number++, window);
      }
    }
  }
}

// Calls f(number of the pixel in its picture) for the pixels of a window in row-major order.
template <typename F>
void ForEachPixel(const PoolShape& s, const PoolWindow& window, F f) {
  for (int64_t d = window.begin[0]; d < window.end[0]; ++d) {
    for (int64_t h = window.begin[1]; h < window.end[1]; ++h) {
      const int64_t row = (d * s.dims[1].in + h) * s.dims[2].in;
      for (int64_t w = window.begin[2]; w < window.end[2]; ++w) f(row + w);
    }
  }
}

// Whether `value` replaces the maximum so far. The first of equal values stays, and nothing is above a NaN.
template <typename T>
bool IsNewMaximum(T value, T maximum) {
  return static_cast<ConvType<T>>(value) > static_cast<ConvType<T>>(maximum);
}

// Fills maxima[channel] and pixels[channel], the first place of that maximum, for one window of picture x.
template <typename T>
void FindFirstMaxima(const PoolShape& s, const PoolWindow& window, const T* x, T* maxima, int64_t* pixels) {
  bool first = true;
  ForEachPixel(s, window, [&](int64_t pixel) {
    const T* values = x + pixel * s.channels;
    for (int64_t i = 0; i < s.channels; ++i) {
      const bool replace = first || IsNewMaximum(values[i], maxima[i]);
      maxima[i] = replace ? values[i] : maxima[i];
      pixels[i] = replace ? pixel : pixels[i];
    }
    first = false;
  });
}

// The pictures that the indices [range) of the batch mean.
inline IndexRange Pictures(const PoolShape& s, IndexRange range) {
  return {range.begin * s.pictures_per_row, range.end * s.pictures_per_row};
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_POOL_COMPUTE_H_
