// What the forward and the backward batch normalization ops share: how a kernel's part of the work lies in memory.
#ifndef STATICFLOW_OPS_BATCH_NORM_LAYOUT_H_
#define STATICFLOW_OPS_BATCH_NORM_LAYOUT_H_

#include <string>

#include "graph/shape_inference.h"
#include "ops/nn_channels.h"
#include "runtime/kernel.h"

namespace staticflow {

inline constexpr char kBatchNormFormats4[] = "data_format: {'NHWC', 'NCHW'} = 'NHWC'";
inline constexpr char kBatchNormFormats[] = "data_format: {'NHWC', 'NCHW', 'NDHWC', 'NCDHW'} = 'NHWC'";

// The part of the kernel: columns of output 0. With channels last these are channels, each with its statistics. With
// channels first every part computes the statistics of all channels, and the first part writes them.
struct BatchNormPart {
  BatchNormPart(const KernelContext& c, bool channels_first)
      : layout(*c.output(0).shape, channels_first), columns(c.range()), width(c.output(0).dim(-1)) {
    channels = channels_first ? IndexRange{0, layout.channels} : columns;
    writes_statistics = !channels_first || columns.begin == 0;
  }

  // Calls f(i, channel) for every element of the part.
  template <typename F>
  void ForEach(F f) const {
    if (columns.begin == 0 && columns.end == width) {
      return ForEachWithChannel(layout, {0, layout.outer * layout.channels * layout.inner}, f);
    }
    const int64_t rows = layout.outer * layout.channels * layout.inner / width;
    for (int64_t r = 0; r < rows; ++r) {
      ForEachWithChannel(layout, {r * width + columns.begin, r * width + columns.end}, f);
    }
  }

  ChannelLayout layout;
  IndexRange columns;   // of the last dimension
  int64_t width;        // the size of the last dimension
  IndexRange channels;  // those whose statistics the part needs
  bool writes_statistics;
};

// Input i, of the rank that the attribute data_format asks for.
inline absl::StatusOr<Shape> BatchNormInput(const ShapeContext& c, int i) {
  return c.WithRank(i, static_cast<int>(c.attr<std::string>("data_format").size()));
}

// The number of channels, as far as x and the vectors in `inputs` tell it.
inline absl::StatusOr<int64_t> BatchNormChannels(const ShapeContext& c, const Shape& x,
                                                 std::initializer_list<int> inputs) {
  int64_t channels = x.dim(ChannelDim(x.rank(), c.attr<std::string>("data_format")));
  for (const int i : inputs) {
    SF_ASSIGN_OR_RETURN(const Shape vector, c.WithRank(i, 1));
    SF_ASSIGN_OR_RETURN(channels, c.MergeDims(channels, vector.dim(0), "channels"));
  }
  return channels;
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_BATCH_NORM_LAYOUT_H_
