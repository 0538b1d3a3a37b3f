// What ops with a `paddings` operand of shape [rank, 2] share.
#ifndef STATICFLOW_OPS_PADDINGS_H_
#define STATICFLOW_OPS_PADDINGS_H_

#include "graph/shape_inference.h"
#include "ops/array_nodes.h"
#include "ops/strided_copy.h"

namespace staticflow {

// Input 0's shape with the paddings in input 1 added, as far as both are known.
absl::StatusOr<Shape> PaddedShape(const ShapeContext& c);

// The paddings in input 1; InvalidArgument unless they lead from shape `inner` to shape `outer`.
absl::StatusOr<Sizes> PaddingsInput(const KernelContext& c, const Shape& inner, const Shape& outer);

// The paddings as an output; a list becomes a Const of shape [rank, 2]. Invalid after an error.
Output PaddingsVector(const NodeName& node, const Ints& paddings, absl::string_view argument);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_PADDINGS_H_
