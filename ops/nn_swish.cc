// The gradient of tf.nn.swish (silu) in graphs of TensorFlow. Python writes it with tf.custom_gradient, so a graph has
// an IdentityN of the result and the arguments, whose gradient is in no file; what it computes says which function it
// was:
//
//   y, _, _ = IdentityN(x * Sigmoid(beta * x), x, beta)     or     y, _ = IdentityN(x * Sigmoid(x), x)
#include "absl/strings/match.h"
#include "graph/node_gradient.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/math_reduction.h"

namespace staticflow {
namespace {

bool IsResultOf(Output output, absl::string_view type) { return output.index() == 0 && output.node()->type() == type; }

// The other factor, where `product` is one of `factor` with something.
Output OtherFactor(Output product, Output factor) {
  if (!IsResultOf(product, "Mul")) return Output();
  const Node& node = *product.node();
  if (node.input(0) == factor) return node.input(1);
  return node.input(1) == factor ? node.input(0) : Output();
}

bool IsSwish(const Node& node) {
  if (node.type() != "IdentityN" || node.num_inputs() < 2 || node.num_inputs() > 3) return false;
  const Output x = node.input(1), gate = OtherFactor(node.input(0), x);
  if (!gate.valid() || !IsResultOf(gate, "Sigmoid")) return false;
  const Output argument = gate.node()->input(0);
  if (node.num_inputs() == 2) return argument == x;
  const Output beta = node.input(2);
  return OtherFactor(argument, x) == beta && beta.shape().IsCompatibleWith(Shape());
}

// y = x s, s = sigmoid(beta x): dx = dy s (1 + beta x (1 - s)), dbeta = the sum of dy x^2 s (1 - s).
bool SwishGradient(GradientContext& c) {
  if (!IsSwish(c.node())) return false;
  if (!c.has_dy(0)) return true;
  const Output x = c.x(1), dy = c.dy(0), s = OtherFactor(c.x(0), x);
  const Output argument = s.node()->input(0);
  c.set_dx(1, dy * (s * (1 + argument * (1 - s))));
  if (c.num_inputs() == 3) c.set_dx(2, Sum(dy * Square(x) * s * (1 - s)));
  return true;
}
const GradientRecognizerRegistrar swish(SwishGradient);

}  // namespace
}  // namespace staticflow
