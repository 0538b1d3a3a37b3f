// Gradients of one's own for parts of a graph, as tf.custom_gradient.
//
//   // log(1 + e^x), whose gradient does not overflow.
//   Output Log1pExp(Output x) {
//     const Output e = Exp(x);
//     return WithGradient(Log(1 + e), x, [=](Output dy) { return dy * (1 - 1 / (1 + e)); });
//   }
//
// The gradient function is called while Gradients walks over the graph, to build; what it builds is differentiated in
// turn where gradients of gradients are asked for. It belongs to the graph in memory: a GraphDef has the nodes alone,
// with an attribute `_gradient_op_type` that makes differentiating a copy an error, as in TensorFlow. Source:
// tf.custom_gradient (TensorFlow 1.15), graph mode.
#ifndef STATICFLOW_OPS_CUSTOM_GRADIENT_H_
#define STATICFLOW_OPS_CUSTOM_GRADIENT_H_

#include <functional>
#include <vector>

#include "absl/types/span.h"
#include "graph/node_builder.h"

namespace staticflow {

// `outputs`, computed from `inputs` in whatever way, as values whose gradients go to the inputs alone and by
// `gradient`: it takes one gradient per output (zeros where none flows; invalid for integers) and returns one per input
// (invalid: none). Each gradient has the dtype and shape of its input, or Gradients fails with Unimplemented, naming
// the node. An IdentityN of the outputs and inputs, which therefore are all computed when one of the results is.
std::vector<Output> WithGradient(absl::Span<const Output> outputs, absl::Span<const Output> inputs,
                                 CustomGradient gradient, const OpOptions& options = {});
// The same for one output and one input.
Output WithGradient(Output output, Output input, std::function<Output(Output)> gradient, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_CUSTOM_GRADIENT_H_
