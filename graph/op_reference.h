// The reference of all registered ops, as a page of Markdown, made from the registry alone:
//
//   bazel run //tools:ops_page > docs/ops.md
//
// A pure function of the registry; may be called from any thread.
#ifndef STATICFLOW_GRAPH_OP_REFERENCE_H_
#define STATICFLOW_GRAPH_OP_REFERENCE_H_

#include <string>

#include "graph/op.h"

namespace staticflow {

// Whether an op has a gradient, and whether that has one.
struct Differentiability {
  enum Order { kNone, kOnce, kTwice };
  Order order = kNone;
  std::string why = "";  // of kNone the reason; of kOnce the ops that stand in the way, "" when no sample could tell
};

// Found out by differentiating a node of the op with inputs of unknown shapes, and its gradient again.
Differentiability FindDifferentiability(const Op& op);

// One table: op, arguments, attributes with their types and defaults, shape, gradient, what it does.
std::string OpReference();

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_OP_REFERENCE_H_
