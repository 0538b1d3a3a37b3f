// The gradient of a function as a function: what the op SymbolicGradient calls, as TensorFlow 1 wrote it for graphs
// with Defun.
//
//   f: (x...) -> (y...)     becomes     (x..., dy...) -> (dx...)
//
// It computes f again, and then what Gradients() builds; dx is zeros where no y depends on x.
#ifndef STATICFLOW_GRAPH_FUNCTION_GRADIENT_H_
#define STATICFLOW_GRAPH_FUNCTION_GRADIENT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/function_body.h"
#include "graph/function_inliner.h"

namespace staticflow {

struct FunctionGradient {
  FunctionBody body;
  int64_t num_nodes = 0;  // of the graph that it was built in
};

// Of `function`, of the library of `g` or an op, for arguments of these types and shapes; `num_results` is how many dx
// there are. NotFound when there is neither; InvalidArgument when the numbers do not fit; Unimplemented, naming the
// ops, when it has no gradient; ResourceExhausted above the limits. Leaves `g` alone.
absl::StatusOr<FunctionGradient> GradientOfFunction(const Graph& g, const FunctionRef& function,
                                                    absl::Span<const Output> arguments, int num_results,
                                                    const InlineLimits& limits);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_FUNCTION_GRADIENT_H_
