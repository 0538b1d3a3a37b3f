// Tensors seen as [outer, channels, inner]: what bias and batch normalization loop over.
//
//   ChannelLayout({60, 28, 28, 3}, "NHWC")     is [60 * 28 * 28, 3, 1]
//   ChannelLayout({60, 3, 28, 28}, "NCHW")     is [60, 3, 28 * 28]
//
// All functions are pure. Sums run in an order that follows from the layout alone, so that a channel's sum has the same
// bits whichever range of channels is asked for.
#ifndef STATICFLOW_OPS_NN_CHANNELS_H_
#define STATICFLOW_OPS_NN_CHANNELS_H_

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "absl/strings/string_view.h"
#include "graph/shape.h"
#include "ops/elementwise.h"
#include "runtime/kernel.h"

namespace staticflow {

// Whether channels are dimension 1: "NCHW", "NCDHW".
inline bool ChannelsFirst(absl::string_view data_format) { return data_format.substr(0, 2) == "NC"; }

// The channel dimension of a tensor of that rank.
inline int ChannelDim(int rank, absl::string_view data_format) { return ChannelsFirst(data_format) ? 1 : rank - 1; }

struct ChannelLayout {
  int64_t outer = 0, channels = 0, inner = 1;

  ChannelLayout() = default;
  // REQUIRES: `shape` is fully defined and has the channel dimension.
  ChannelLayout(const Shape& shape, bool channels_first) {
    const int dim = channels_first ? 1 : shape.rank() - 1;
    outer = shape.num_elements(0, dim);
    channels = shape.dim(dim);
    inner = shape.num_elements(dim + 1, shape.rank());
  }
  // Elements per channel.
  int64_t count() const { return outer * inner; }
};

// The type that sums of T run in: double for floating types, T (which wraps) for integers.
template <typename T>
using SumType = std::conditional_t<std::is_integral_v<T>, T, double>;

// sums[c - channels.begin] = the sum of value(i, c) over all flat indices i of channel c.
template <typename S, typename Value>
void SumChannels(const ChannelLayout& layout, IndexRange channels, S* sums, Value value) {
  std::fill_n(sums, channels.end - channels.begin, S(0));
  if (layout.inner == 1) {
    for (int64_t o = 0; o < layout.outer; ++o) {
      const int64_t row = o * layout.channels;
      S* sum = sums - channels.begin;
      for (int64_t c = channels.begin; c < channels.end; ++c) sum[c] = WrapAdd<S>(sum[c], value(row + c, c));
    }
    return;
  }
  constexpr int kLanes = 8;  // independent sums, which a processor adds side by side
  for (int64_t c = channels.begin; c < channels.end; ++c) {
    S lanes[kLanes] = {};
    for (int64_t o = 0; o < layout.outer; ++o) {
      const int64_t start = (o * layout.channels + c) * layout.inner;
      int64_t i = 0;
      for (; i + kLanes <= layout.inner; i += kLanes) {
        for (int l = 0; l < kLanes; ++l) lanes[l] = WrapAdd<S>(lanes[l], value(start + i + l, c));
      }
      for (int l = 0; i < layout.inner; ++i, ++l) lanes[l] = WrapAdd<S>(lanes[l], value(start + i, c));
    }
    for (const S lane : lanes) sums[c - channels.begin] = WrapAdd<S>(sums[c - channels.begin], lane);
  }
}

// Calls f(i, c) for every flat index i in `range`, where c is its channel.
template <typename F>
void ForEachWithChannel(const ChannelLayout& layout, IndexRange range, F f) {
  if (range.begin >= range.end) return;
  if (layout.inner == 1) {
    for (int64_t i = range.begin; i < range.end;) {
      const int64_t row = i / layout.channels * layout.channels;
      const int64_t stop = std::min(range.end, row + layout.channels);
#pragma GCC ivdep
      for (int64_t c = i - row; c < stop - row; ++c) f(row + c, c);
      i = stop;
    }
    return;
  }
  for (int64_t i = range.begin; i < range.end;) {
    const int64_t plane = i / layout.inner;
    const int64_t c = plane % layout.channels;
    const int64_t stop = std::min(range.end, (plane + 1) * layout.inner);
#pragma GCC ivdep
    for (; i < stop; ++i) f(i, c);
  }
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_NN_CHANNELS_H_
