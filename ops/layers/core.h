// The layers without windows: Dense, Flatten, Dropout.
//
//   Output h = layers::Dense(g, x, {.units = 100, .activation = Relu});        // dense/kernel, dense/bias
//   h = layers::Dropout(g, h, {.rate = 0.4, .training = is_training});
//   Output logits = layers::Dense(g, h, {.units = 10});                        // dense_1/...
//
// Names, sharing, errors and thread-safety: ops/layers/layer.h.
#ifndef STATICFLOW_OPS_LAYERS_CORE_H_
#define STATICFLOW_OPS_LAYERS_CORE_H_

#include <source_location>
#include <string>

#include "graph/variable_scope.h"
#include "ops/layers/layer.h"
#include "ops/state.h"

namespace staticflow::layers {

struct DenseOptions {
  int64_t units = 0;  // needed: the size of the result's last dimension
  Activation activation = nullptr;
  bool use_bias = true;
  Initializer kernel_initializer = nullptr;  // the variable scope's; without one Glorot's uniform
  Initializer bias_initializer = nullptr;    // zeros
  Regularizer kernel_regularizer = nullptr;  // its loss joins the collection regularization_losses
  Regularizer bias_regularizer = nullptr;
  Constraint kernel_constraint = nullptr;  // what optimizers apply after each update
  Constraint bias_constraint = nullptr;
  bool trainable = true;
  std::string name = "";  // "": "dense"
  Reuse reuse = Reuse::kInherit;
  std::source_location where = std::source_location::current();
};
// activation(x kernel + bias) over the last dimension: [..., n] -> [..., units]. Variables: kernel [n, units], bias.
// InvalidArgument for units < 1, rank below 2, an unknown last dimension, a type that is not floating.
// Nodes: dense/{MatMul,BiasAdd,Relu}; for rank above 2 dense/Tensordot/{Shape,...,MatMul} and dense/Tensordot.
Output Dense(Graph& g, Output x, const DenseOptions& options);

struct FlattenOptions {
  std::string data_format = "channels_last";  // "channels_first": the channels are moved to the end before
  std::string name = "";                      // "": "flatten"
  std::source_location where = std::source_location::current();
};
// [n, ...] -> [n, product of the others]; a vector becomes one column. Nodes: flatten/Reshape.
Output Flatten(Graph& g, Output x, const FlattenOptions& options = {});

struct DropoutOptions {
  double rate = 0.5;  // the share of elements that become zero, in [0, 1)
  int64_t seed = 0;   // 0: the graph chooses one
  Training training = false;
  std::string name = "";  // "": "dropout"
  std::source_location where = std::source_location::current();
};
// In training each element is zero with probability `rate`, else divided by 1 - rate; otherwise the result is `x`.
// Nodes: dropout/dropout/..., or dropout/Identity, or a cond of both.
Output Dropout(Graph& g, Output x, const DropoutOptions& options = {});

}  // namespace staticflow::layers

#endif  // STATICFLOW_OPS_LAYERS_CORE_H_
