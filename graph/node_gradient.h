// Which gradient function a node has: the one set for it (Graph::SetCustomGradient), else the one that its attribute
// `_gradient_op_type` names, else its op's.
#ifndef STATICFLOW_GRAPH_NODE_GRADIENT_H_
#define STATICFLOW_GRAPH_NODE_GRADIENT_H_

#include "graph/gradients.h"

namespace staticflow {

// Sets the context's gradients, or its failure: when there is no gradient function, when a custom one gives a wrong
// number, type or shape of gradients, and when `_gradient_op_type` names no op whose arguments and attributes the node
// has. TensorFlow gives that attribute to what tf.custom_gradient and gradient_override_map made; the gradient itself
// is in no file, and the op's own would be another one. Source: tf.custom_gradient, ops.get_gradient_function
// (TensorFlow 1.15).
void DifferentiateNode(GradientContext& context);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_NODE_GRADIENT_H_
