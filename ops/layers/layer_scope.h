// LayerScope: what a layer opens while it builds itself, and what it checks first.
//
//   LayerScope layer(g, {.kind = "Dense", .default_name = "dense", .name = options.name, .where = options.where});
//   if (!layer.Accepts(x)) return Output();
//   const Variable kernel = layer.Weight("kernel", {.dtype = x.dtype(), .shape = {n, units}});
#ifndef STATICFLOW_OPS_LAYERS_LAYER_SCOPE_H_
#define STATICFLOW_OPS_LAYERS_LAYER_SCOPE_H_

#include <optional>
#include <source_location>
#include <string>

#include "absl/strings/string_view.h"
#include "graph/graph.h"
#include "graph/variable_scope.h"
#include "ops/initializers.h"
#include "ops/state.h"

namespace staticflow::layers {

struct LayerScopeOptions {
  std::string kind = "";  // for messages: "Dense"
  std::string default_name = "";
  std::string name = "";
  Reuse reuse = Reuse::kInherit;
  std::source_location where = {};
};

// While it lives, variables and nodes belong to the layer, and nodes answer for the line of the layer's caller. The
// last node gets the attribute `_layer`, the kind, which a summary of the model shows.
class LayerScope {
 public:
  LayerScope(Graph& g, const LayerScopeOptions& options);
  ~LayerScope();
  LayerScope(const LayerScope&) = delete;
  LayerScope& operator=(const LayerScope&) = delete;

  // Whether a layer can be built on `x`: an output of this graph, in a graph without errors, of known rank in
  // [min_rank, max_rank] and, unless `floating` is false, of floating type. The error is recorded otherwise (an invalid
  // `x` was reported where it was made).
  bool Accepts(Output x, int min_rank, int max_rank, bool floating = true) const;
  // Records "Dense 'dense' (file.cc:1): message". The result is invalid.
  Output Fail(absl::string_view message) const;

  // GetVariable with the layer's line. Invalid Outputs in it tell of an error, which the graph keeps.
  Variable Weight(absl::string_view name, GetVariableOptions options) const;

  // The variable "kernel" of a layer with DenseOptions' names for it, and its "bias" [size], zeros unless the options
  // say otherwise: an empty Variable when they want none.
  template <typename Options>
  Variable Kernel(DataType dtype, const Shape& shape, const Options& options) const {
    return Weight("kernel", {.dtype = dtype,
                             .shape = shape,
                             .initializer = options.kernel_initializer,
                             .trainable = options.trainable,
                             .regularizer = options.kernel_regularizer,
                             .constraint = options.kernel_constraint});
  }
  template <typename Options>
  Variable Bias(DataType dtype, int64_t size, const Options& options) const {
    if (!options.use_bias) return Variable();
    return Weight("bias", {.dtype = dtype,
                           .shape = {size},
                           .initializer = options.bias_initializer ? options.bias_initializer : initializers::Zeros(),
                           .trainable = options.trainable,
                           .regularizer = options.bias_regularizer,
                           .constraint = options.bias_constraint});
  }

  Graph& graph() const { return graph_; }

 private:
  Graph& graph_;
  std::string kind_;
  std::source_location where_;
  const int first_node_;
  std::optional<SourceLine> outer_line_;
  std::optional<VariableScope> scope_;
};

}  // namespace staticflow::layers

#endif  // STATICFLOW_OPS_LAYERS_LAYER_SCOPE_H_
