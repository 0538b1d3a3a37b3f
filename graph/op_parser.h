// Parses the signature strings of an OpSpec; the grammar stands in graph/op.h.
#ifndef STATICFLOW_GRAPH_OP_PARSER_H_
#define STATICFLOW_GRAPH_OP_PARSER_H_

#include "absl/status/statusor.h"
#include "graph/op.h"

namespace staticflow {

// InvalidArgument with the offending string when `spec` does not follow the grammar or names unknown attributes.
absl::StatusOr<Op> ParseOp(OpSpec spec);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_OP_PARSER_H_
