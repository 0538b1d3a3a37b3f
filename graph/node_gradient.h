// Which gradient function a node has: the one set for it (Graph::SetCustomGradient), else the one that its attribute
// `_gradient_op_type` names, else its op's.
#ifndef STATICFLOW_GRAPH_NODE_GRADIENT_H_
#define STATICFLOW_GRAPH_NODE_GRADIENT_H_

#include "graph/gradients.h"

namespace staticflow {

// Sets the context's gradients, or its failure: when there is no gradient function, when a custom one gives a wrong
// number, type or shape of gradients, and when `_gradient_op_type` names no op whose arguments and attributes the node
// has. TensorFlow gives that attribute to what tf.custom_gradient and gradient_override_map made; the gradient itself
// is in no file, and the op's own would be another one. Functions of TensorFlow's library can be told by what they
// compute. Source: tf.custom_gradient, ops.get_gradient_function
// (TensorFlow 1.15).
void DifferentiateNode(GradientContext& context);

// Sets the gradients of a node that was made by a certain function of TensorFlow with tf.custom_gradient; false for any
// other node. Asked where `_gradient_op_type` names nothing.
using GradientRecognizer = bool (*)(GradientContext&);
class GradientRecognizerRegistrar {
 public:
  explicit GradientRecognizerRegistrar(GradientRecognizer recognizer);
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_NODE_GRADIENT_H_
