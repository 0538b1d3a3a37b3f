// Convolutions of pictures, and their transposes.
//
//   Output y = Conv2D(x, filter, {.strides = {1, 2, 2, 1}});              // [60,28,28,3] by [3,3,3,16]: [60,14,14,16]
//   Output up = Conv2DTranspose(y, filter, {60, 28, 28, 3}, {.strides = {1, 2, 2, 1}});
//
// Pictures are [batch, rows, columns, channels] ("NHWC"), or [batch, channels, rows, columns] with .data_format =
// "NCHW"; filters are [rows, columns, in_channels / groups, out_channels] in both. The number of groups follows from
// the channels of picture and filter. Strides, dilations and explicit paddings have one entry (two: before, after) per
// dimension of the picture, in its order; those of batch and channels must be 1 (0). `padding` is "VALID", "SAME" or
// "EXPLICIT". Element types: half, bfloat16 (both computed in float), float, double; Conv2D and its input's gradient
// int32 too. InvalidArgument for shapes that do not fit. Every function is differentiable, any number of times.
// Not thread-safe: each adds to the graph. Source: tf.nn.conv2d and its like (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_CONV_H_
#define STATICFLOW_OPS_CONV_H_

#include <cstdint>
#include <string>
#include <vector>

#include "graph/node_builder.h"
#include "ops/array.h"

namespace staticflow {

struct Conv2DOptions {
  std::vector<int64_t> strides = {1, 1, 1, 1};
  std::string padding = "SAME";
  std::vector<int64_t> explicit_paddings = {};  // with "EXPLICIT": before and after, of each dimension
  std::string data_format = "NHWC";
  std::vector<int64_t> dilations = {1, 1, 1, 1};
  std::string name = "";
};

// y[n, i, j, k] = sum over r, s, c of x[n, i stride + r - before, j stride + s - before, c] filter[r, s, c, k].
Output Conv2D(Operand input, Operand filter, const Conv2DOptions& options = {});

// The gradient of Conv2D by its input, which has shape `input_sizes`, and by its filter, of shape `filter_sizes`.
Output Conv2DBackpropInput(const Ints& input_sizes, Operand filter, Operand out_backprop,
                           const Conv2DOptions& options = {});
Output Conv2DBackpropFilter(Operand input, const Ints& filter_sizes, Operand out_backprop,
                            const Conv2DOptions& options = {});

// tf.nn.conv2d_transpose: Conv2D's gradient by its input as a function of its own. `value` has the filter's
// out_channels, the result (of shape `output_shape`) its in_channels.
Output Conv2DTranspose(Operand value, Operand filter, const Ints& output_shape, const Conv2DOptions& options = {});

// Each channel c of the picture by its own filters: y[.., c q + j] by filter[:, :, c, j], where the filter is
// [rows, columns, channels, q]. Both strides must be equal in TensorFlow; here they need not be.
Output DepthwiseConv2dNative(Operand input, Operand filter, const Conv2DOptions& options = {});
Output DepthwiseConv2dNativeBackpropInput(const Ints& input_sizes, Operand filter, Operand out_backprop,
                                          const Conv2DOptions& options = {});
Output DepthwiseConv2dNativeBackpropFilter(Operand input, const Ints& filter_sizes, Operand out_backprop,
                                           const Conv2DOptions& options = {});

struct Conv3DOptions {
  std::vector<int64_t> strides = {1, 1, 1, 1, 1};
  std::string padding = "SAME";       // or "VALID"
  std::string data_format = "NDHWC";  // or "NCDHW"
  std::vector<int64_t> dilations = {1, 1, 1, 1, 1};
  std::string name = "";
};
// Conv2D with a depth before the rows.
Output Conv3D(Operand input, Operand filter, const Conv3DOptions& options = {});
Output Conv3DBackpropInput(const Ints& input_sizes, Operand filter, Operand out_backprop,
                           const Conv3DOptions& options = {});
Output Conv3DBackpropFilter(Operand input, const Ints& filter_sizes, Operand out_backprop,
                            const Conv3DOptions& options = {});

struct FusedConv2DOptions {
  std::vector<int64_t> strides = {1, 1, 1, 1};
  std::string padding = "SAME";       // or "VALID"
  std::string mode = "REFLECT";       // or "SYMMETRIC": the mirror image shows the edge, too
  bool resize_align_corners = false;  // the centers of the corner pixels of both sizes coincide
  std::string name = "";
};
// What optimized inference graphs hold: Conv2D of MirrorPad, and of MirrorPad of ResizeBilinear, as one op. `paddings`
// has two numbers for each of the four dimensions, 0 for batch and channels; `size` is {rows, columns}. Floating types
// (bfloat16 without resizing); no gradient.
Output FusedPadConv2D(Operand input, const Ints& paddings, Operand filter, const FusedConv2DOptions& options = {});
Output FusedResizeAndPadConv2D(Operand input, const Ints& size, const Ints& paddings, Operand filter,
                               const FusedConv2DOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_CONV_H_
