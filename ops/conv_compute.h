// The arithmetic of convolutions, in two and three dimensions: a window of `taps` slides over pictures of in_channels,
// each position of which gives out_channels values. Channels may be cut into groups that do not see each other.
//
//   y[n, o, g K + k]  =  sum over taps t and c of  x[n, o stride + t dilation - before, g C + c] * f[t, c, g K + k]
//
// where C = in_channels / groups and K = out_channels / groups. All products are those of runtime/gemm.h, on pictures
// whose rows of windows are found in place: nothing is copied but borders, other layouts and half types.
//
// Thread-safety: calls for disjoint ranges on different contexts may run at the same time.
#ifndef STATICFLOW_OPS_CONV_COMPUTE_H_
#define STATICFLOW_OPS_CONV_COMPUTE_H_

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "graph/shape.h"
#include "ops/conv_window.h"
#include "runtime/kernel.h"

namespace staticflow {

struct ConvShape {
  int64_t batch = 0;
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t groups = 1;
  std::array<WindowDim, 3> dims = {};
  bool channels_first = false;

  int64_t group_in() const { return in_channels / groups; }
  int64_t group_out() const { return out_channels / groups; }
  std::array<int64_t, 3> in_size() const { return {dims[0].in, dims[1].in, dims[2].in}; }
  std::array<int64_t, 3> out_size() const { return {dims[0].out, dims[1].out, dims[2].out}; }
  int64_t in_pixels() const { return dims[0].in * dims[1].in * dims[2].in; }
  int64_t out_pixels() const { return dims[0].out * dims[1].out * dims[2].out; }
  int64_t taps() const { return dims[0].window * dims[1].window * dims[2].window; }
};

// A convolution of pictures of shape `in` by a filter [spatial..., in_channels / groups, out_channels], both known.
// InvalidArgument when the window does not fit, or the channels do not divide into groups.
absl::StatusOr<ConvShape> MakeConvShape(const WindowRule& rule, const Shape& in, const Shape& filter);

// Sizes that the gradient ops are told, checked against the convolution that they come from: InvalidArgument when
// `out` is not the shape that the convolution gives.
absl::Status CheckConvOutput(const WindowRule& rule, const ConvShape& s, const Shape& out);

// T: float, double, Half, BFloat16; int32_t too but for the filter's gradient.

// Pictures [images) of y.
template <typename T>
absl::Status ConvForward(KernelContext& c, const ConvShape& s, const T* x, const T* filter, T* y, IndexRange images);

// Pictures [images) of dx.
template <typename T>
absl::Status ConvBackpropInput(KernelContext& c, const ConvShape& s, const T* filter, const T* dy, T* dx,
                               IndexRange images);

// Output channels [channels) of the filter's gradient.
template <typename T>
absl::Status ConvBackpropFilter(KernelContext& c, const ConvShape& s, const T* x, const T* dy, T* df,
                                IndexRange channels);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_CONV_COMPUTE_H_
