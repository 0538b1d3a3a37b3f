// Calls of functions of the graph's library, which graphs from files contain: PartitionedCall, If, Case, While, and
// their stateful or stateless twins.
//
// They have no kernels: sessions and Gradients replace them by what the functions compute (graph/function_inliner.h).
// A node whose type is the name of a function is imported as a call of it.
// Source: functional_ops.cc (TensorFlow 1.15 and 2); signatures are the same.
#ifndef STATICFLOW_OPS_FUNCTIONS_H_
#define STATICFLOW_OPS_FUNCTIONS_H_

#include <source_location>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "graph/node_builder.h"

namespace staticflow {

struct CallOptions {
  std::string name = "";  // "": that of the function, or the op type where that starts with '_'
  std::source_location where = std::source_location::current();
};
// The results of a function of the library, which came with a file: of a SavedModel, say.
// NotFound when there is no such function, InvalidArgument when it takes other inputs.
std::vector<Output> CallFunction(Graph& g, const std::string& function, absl::Span<const Output> inputs,
                                 const CallOptions& options = {});

// Whether `input` counts as true, a bool scalar: a number that is not zero, a string that is not empty, and of tensors
// that are no scalars those that have elements. What If and While make of conditions that are no bools.
Output ToBool(Operand input, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_FUNCTIONS_H_
