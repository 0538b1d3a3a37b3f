// What the options of layers are made of: whether to train, what to apply to the result, sizes of windows.
//
// A layer makes its variables and nodes in a variable scope of its own: the given `name`, or a default one ("dense",
// then "dense_1"). A name given twice needs `reuse` (or a VariableScope that allows it): then the variables are shared
// and the nodes get a new name scope ("fc", then "fc_1").
//
// Layers add to the graph and are not thread-safe. Errors stick to the graph, with the caller's line.
// Source of names, options and defaults: tf.layers (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_LAYERS_LAYER_H_
#define STATICFLOW_OPS_LAYERS_LAYER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "graph/node_builder.h"
#include "ops/control_flow.h"

namespace staticflow::layers {

// A function applied to a layer's result, or none: `.activation = Relu`, or a lambda from Output to Output.
class Activation {
 public:
  Activation() = default;
  Activation(std::nullptr_t) {}                             // NOLINT
  Activation(Output (*builder)(Operand, const OpOptions&))  // NOLINT
      : function_([builder](Output x) { return builder(x, {}); }) {}
  template <typename F>
  requires std::is_invocable_r_v<Output, F&, Output> Activation(F function)
      : function_(std::move(function)) {}  // NOLINT

  Output operator()(Output x) const { return function_ ? function_(x) : x; }

 private:
  std::function<Output(Output)> function_;
};

// Whether a layer trains: known now, or a bool scalar of the graph that each step decides.
class Training {
 public:
  Training(bool value) : known_(value) {}                                      // NOLINT
  Training(Output value) : known_(ConstantPredicate(value)), value_(value) {}  // NOLINT

  std::optional<bool> known() const { return known_; }
  // REQUIRES: !known().
  Output value() const { return value_; }

  // `yes` or `no`, or a cond of both.
  template <typename Yes, typename No>
  auto Choose(Yes yes, No no) const {
    if (known_.has_value()) return *known_ ? yes() : no();
    return Cond(value_, std::move(yes), std::move(no));
  }

 private:
  std::optional<bool> known_;
  Output value_;
};

// Rows and columns of a window, its stride or its dilation: 3 stands for {3, 3}.
struct Window {
  Window(int both) : rows(both), columns(both) {}  // NOLINT
  Window(int64_t rows_, int64_t columns_) : rows(rows_), columns(columns_) {}
  int64_t rows;
  int64_t columns;
};

}  // namespace staticflow::layers

#endif  // STATICFLOW_OPS_LAYERS_LAYER_H_
