// Pooling: the maximum or the average over windows of pictures.
//
//   Output y = MaxPool(x, {.ksize = {1, 2, 2, 1}, .strides = {1, 2, 2, 1}});       // [60,28,28,16]: [60,14,14,16]
//
// Pictures are [batch, rows, columns, channels], or [batch, channels, rows, columns] with .data_format = "NCHW" (with a
// depth before the rows in 3-D). `ksize` and `strides` have one entry per dimension of the picture, those of batch and
// channels 1; or, for MaxPool alone and without a gradient, all of ksize but that of the channels is 1: a window over
// as many channels as the stride says, which divide the picture's. `padding` is "VALID", "SAME" or, for MaxPool,
// "EXPLICIT". What lies in the padding takes no part: an average divides by the pixels that are really there. Of equal
// maxima the first gets the gradient (in 3-D all of them do, as in TensorFlow); a NaN loses against any number.
// Differentiable any number of times. Maxima: real numbers; averages: floating types. InvalidArgument for windows that
// do not fit. Not thread-safe: each adds to the graph. Source: tf.nn.max_pool and its like (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_POOL_H_
#define STATICFLOW_OPS_POOL_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "graph/node_builder.h"

namespace staticflow {

struct PoolOptions {
  std::vector<int64_t> ksize = {1, 2, 2, 1};
  std::vector<int64_t> strides = {1, 2, 2, 1};
  std::string padding = "VALID";
  std::vector<int64_t> explicit_paddings = {};  // with "EXPLICIT" (MaxPool only): before and after, of each dimension
  std::string data_format = "NHWC";
  std::string name = "";
};
Output MaxPool(Operand input, const PoolOptions& options = {});
Output AvgPool(Operand value, const PoolOptions& options = {});

struct MaxPoolWithArgmaxOptions {
  std::vector<int64_t> ksize = {1, 2, 2, 1};
  std::vector<int64_t> strides = {1, 2, 2, 1};
  std::string padding = "VALID";
  DataType targmax = DT_INT64;  // or DT_INT32
  bool include_batch_in_index = false;
  std::string name = "";
};
// The maxima, and where they are: (row * columns + column) * channels + channel, plus the picture's number times their
// size with include_batch_in_index. "NHWC" only.
std::pair<Output, Output> MaxPoolWithArgmax(Operand input, const MaxPoolWithArgmaxOptions& options = {});

struct Pool3DOptions {
  std::vector<int64_t> ksize = {1, 2, 2, 2, 1};
  std::vector<int64_t> strides = {1, 2, 2, 2, 1};
  std::string padding = "VALID";
  std::string data_format = "NDHWC";  // or "NCDHW"
  std::string name = "";
};
Output MaxPool3D(Operand input, const Pool3DOptions& options = {});
Output AvgPool3D(Operand input, const Pool3DOptions& options = {});

struct FractionalPoolOptions {
  std::vector<float> pooling_ratio = {1, 1.44f, 1.44f, 1};  // sizes shrink by it, rounded down; at least 1
  bool pseudo_random = false;                               // windows in an order that looks random, else random ones
  bool overlapping = false;                                 // neighbours share the pixel on their border
  int64_t seed = 0;                                         // 0: other windows in every step, else always the same
  std::string name = "";
};
struct FractionalPoolResult {
  Output output;
  Output row_pooling_sequence, col_pooling_sequence;  // int64: where windows begin, and the size of the picture
};
// Pooling with windows of two sizes, one pixel apart, in random order (Graham 2014). "NHWC"; float, double, int32 or
// int64. Differentiable once.
FractionalPoolResult FractionalMaxPool(Operand value, const FractionalPoolOptions& options = {});
FractionalPoolResult FractionalAvgPool(Operand value, const FractionalPoolOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_POOL_H_
