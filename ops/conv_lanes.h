// Convolutions of float pictures by the inner loops of runtime/conv_lanes.h, which keep vectors full however few the
// channels are. Forwards and to the input, 16 pictures share the lanes: for batches of pictures that 16 at a time fit
// into the caches. For the filter's gradient, taps and channels do.
//
//   if (ConvForwardFitsLanes(s)) return ConvForwardLanes(c, s, x, filter, y, images);
//
// What is computed is described at conv_compute.h, but nothing is added for padding. The bits do not depend on the
// range that is asked for; they are not those of the other way, so the choice must follow from the shape alone.
//
// Thread-safety: calls for disjoint ranges on different contexts may run at the same time.
#ifndef STATICFLOW_OPS_CONV_LANES_H_
#define STATICFLOW_OPS_CONV_LANES_H_

#include "absl/status/status.h"
#include "ops/conv_compute.h"
#include "runtime/kernel.h"

namespace staticflow {

// Whether this CPU has the instructions and the shape suits them.
bool ConvForwardFitsLanes(const ConvShape& s);
bool ConvBackpropInputFitsLanes(const ConvShape& s);
bool ConvBackpropFilterFitsLanes(const ConvShape& s);

// Each REQUIRES that the shape fits.

// Pictures [images) of y.
absl::Status ConvForwardLanes(KernelContext& c, const ConvShape& s, const float* x, const float* filter, float* y,
                              IndexRange images);
// Pictures [images) of dx.
absl::Status ConvBackpropInputLanes(KernelContext& c, const ConvShape& s, const float* filter, const float* dy,
                                    float* dx, IndexRange images);
// Output channels [channels) of df.
absl::Status ConvBackpropFilterLanes(KernelContext& c, const ConvShape& s, const float* x, const float* dy, float* df,
                                     IndexRange channels);
// The sum over the first (part 0) or the second half of the pictures alone; the sum of both is the gradient, bit for
// bit.
absl::Status ConvBackpropFilterPart(KernelContext& c, const ConvShape& s, const float* x, const float* dy, int part,
                                    float* df);

// The windows of one dimension that have tap `t` within the picture: [begin, end).
IndexRange WindowsOfTap(const WindowDim& dim, int64_t t);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_CONV_LANES_H_
