// Conv2D: a picture convolved with filters that it learns.
//
//   Output h = layers::Conv2D(g, x, {.filters = 32, .kernel_size = 3, .padding = "same", .activation = Relu});
//
// Names, sharing, errors and thread-safety: ops/layers/layer.h.
#ifndef STATICFLOW_OPS_LAYERS_CONVOLUTIONAL_H_
#define STATICFLOW_OPS_LAYERS_CONVOLUTIONAL_H_

#include <source_location>
#include <string>

#include "graph/variable_scope.h"
#include "ops/layers/layer.h"
#include "ops/state.h"

namespace staticflow::layers {

struct Conv2DOptions {
  int64_t filters = 0;     // needed: the number of channels of the result
  Window kernel_size = 0;  // needed
  Window strides = 1;
  std::string padding = "valid";              // or "same"
  std::string data_format = "channels_last";  // [n, rows, columns, channels]; or "channels_first"
  Window dilation_rate = 1;
  Activation activation = nullptr;
  bool use_bias = true;
  Initializer kernel_initializer = nullptr;  // the variable scope's; without one Glorot's uniform
  Initializer bias_initializer = nullptr;    // zeros
  Regularizer kernel_regularizer = nullptr;  // its loss joins the collection regularization_losses
  Regularizer bias_regularizer = nullptr;
  Constraint kernel_constraint = nullptr;  // what optimizers apply after each update
  Constraint bias_constraint = nullptr;
  bool trainable = true;
  std::string name = "";  // "": "conv2d"
  Reuse reuse = Reuse::kInherit;
  std::source_location where = std::source_location::current();
};
// activation(x * kernel + bias) for pictures `x`. Variables: kernel [rows, columns, channels, filters], bias [filters].
// Nodes: conv2d/{Conv2D,BiasAdd,Relu}.
// InvalidArgument: filters, a kernel_size, stride or dilation below 1, strides and dilations that are both above 1,
// unknown words, an x that is not of rank 4, floating, with a known number of channels.
Output Conv2D(Graph& g, Output x, const Conv2DOptions& options);

}  // namespace staticflow::layers

#endif  // STATICFLOW_OPS_LAYERS_CONVOLUTIONAL_H_
