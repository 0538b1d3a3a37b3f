// Pooling: pictures made smaller by the largest or the mean element of each window.
//
//   Output h = layers::MaxPooling2D(g, x, {.pool_size = 2, .strides = 2});     // max_pooling2d/MaxPool
//
// Names, errors and thread-safety: ops/layers/layer.h.
#ifndef STATICFLOW_OPS_LAYERS_POOLING_H_
#define STATICFLOW_OPS_LAYERS_POOLING_H_

#include <source_location>
#include <string>

#include "ops/layers/layer.h"

namespace staticflow::layers {

struct Pooling2DOptions {
  Window pool_size = 0;                       // needed
  Window strides = 0;                         // needed
  std::string padding = "valid";              // or "same"
  std::string data_format = "channels_last";  // [n, rows, columns, channels]; or "channels_first"
  std::string name = "";                      // "": "max_pooling2d", "average_pooling2d"
  std::source_location where = std::source_location::current();
};
// `x` is of rank 4 and floating. InvalidArgument: a pool_size or stride below 1, unknown words.
Output MaxPooling2D(Graph& g, Output x, const Pooling2DOptions& options);
// The mean counts the elements of the picture alone, not its padding.
Output AveragePooling2D(Graph& g, Output x, const Pooling2DOptions& options);

}  // namespace staticflow::layers

#endif  // STATICFLOW_OPS_LAYERS_POOLING_H_
