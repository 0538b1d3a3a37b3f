// Moving pictures between the layouts of tensors and the one that convolutions compute in: [depth, rows, columns,
// channels] in a computing type, with zeros around.
//
//   PaddedPicture padded(dims, channels);
//   LoadPicture(x, channels_first, padded, scratch);       // scratch: padded.elements() values
//
// All functions are pure.
#ifndef STATICFLOW_OPS_CONV_PICTURE_H_
#define STATICFLOW_OPS_CONV_PICTURE_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>

#include "graph/dtype.h"
#include "graph/shape.h"
#include "ops/conv_window.h"

namespace staticflow {

// What convolutions of T are computed in.
template <typename T>
using ConvType = std::conditional_t<std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>, float, T>;

// A picture of `inner` pixels with a border, so that windows need not ask where they are.
struct PaddedPicture {
  std::array<int64_t, 3> size = {1, 1, 1};
  std::array<int64_t, 3> inner = {1, 1, 1};
  std::array<int64_t, 3> before = {0, 0, 0};
  int64_t channels = 0;

  PaddedPicture() = default;
  // As large as the windows reach.
  PaddedPicture(const std::array<WindowDim, 3>& dims, int64_t picture_channels) : channels(picture_channels) {
    for (int d = 0; d < 3; ++d) {
      const WindowDim& dim = dims[d];
      inner[d] = dim.in;
      before[d] = dim.before;
      size[d] = std::max(dim.before + dim.in, (dim.out - 1) * dim.stride + dim.extent());
    }
  }
  // Without a border.
  PaddedPicture(const std::array<int64_t, 3>& picture_size, int64_t picture_channels)
      : size(picture_size), inner(picture_size), channels(picture_channels) {}

  bool has_border() const { return size != inner; }
  // kTooLarge when that overflows.
  int64_t elements() const { return MultiplySizes(MultiplySizes(size[0], size[1]), MultiplySizes(size[2], channels)); }
  int64_t inner_pixels() const { return inner[0] * inner[1] * inner[2]; }
  // Of pixel (d, h, w), border included.
  int64_t offset(int64_t d, int64_t h, int64_t w) const { return ((d * size[1] + h) * size[2] + w) * channels; }
  // Whether a tensor's picture can be read in place.
  template <typename T>
  bool IsPlain(bool channels_first) const {
    return !has_border() && std::is_same_v<T, ConvType<T>> && (!channels_first || channels == 1);
  }
};

// Calls f(index of the row's first pixel in the tensor's picture, offset of that pixel in the padded one).
template <typename F>
void ForEachPictureRow(const PaddedPicture& picture, F f) {
  for (int64_t d = 0; d < picture.inner[0]; ++d) {
    for (int64_t h = 0; h < picture.inner[1]; ++h) {
      f((d * picture.inner[1] + h) * picture.inner[2],
        picture.offset(d + picture.before[0], h + picture.before[1], picture.before[2]));
    }
  }
}

// The inner part of target = the tensor's picture at `source`.
template <typename T>
void LoadInnerPicture(const T* source, bool channels_first, const PaddedPicture& picture, ConvType<T>* target) {
  const int64_t channels = picture.channels, columns = picture.inner[2], pixels = picture.inner_pixels();
  ForEachPictureRow(picture, [=](int64_t pixel, int64_t offset) {
    ConvType<T>* row = target + offset;
    if (!channels_first) {
      const T* from = source + pixel * channels;
      if constexpr (std::is_same_v<T, ConvType<T>>) {
        std::copy_n(from, columns * channels, row);
      } else {
        for (int64_t i = 0; i < columns * channels; ++i) row[i] = static_cast<ConvType<T>>(from[i]);
      }
      return;
    }
    for (int64_t c = 0; c < channels; ++c) {
      const T* from = source + c * pixels + pixel;
      for (int64_t w = 0; w < columns; ++w) row[w * channels + c] = static_cast<ConvType<T>>(from[w]);
    }
  });
}

// target = the tensor's picture at `source`, with zeros around.
template <typename T>
void LoadPicture(const T* source, bool channels_first, const PaddedPicture& picture, ConvType<T>* target) {
  if (picture.has_border()) std::fill_n(target, picture.elements(), ConvType<T>(0));
  LoadInnerPicture(source, channels_first, picture, target);
}

// The tensor's picture at `target` = the inner part of `source`.
template <typename T>
void StorePicture(const ConvType<T>* source, bool channels_first, const PaddedPicture& picture, T* target) {
  const int64_t channels = picture.channels, columns = picture.inner[2], pixels = picture.inner_pixels();
  ForEachPictureRow(picture, [=](int64_t pixel, int64_t offset) {
    const ConvType<T>* row = source + offset;
    if (!channels_first) {
      T* to = target + pixel * channels;
      for (int64_t i = 0; i < columns * channels; ++i) to[i] = static_cast<T>(row[i]);
      return;
    }
    for (int64_t c = 0; c < channels; ++c) {
      T* to = target + c * pixels + pixel;
      for (int64_t w = 0; w < columns; ++w) to[w] = static_cast<T>(row[w * channels + c]);
    }
  });
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_CONV_PICTURE_H_
