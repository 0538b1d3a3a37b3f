// A registered op as an OpDef message, as a MetaGraphDef lists the ops of its graph.
#ifndef STATICFLOW_GRAPH_OP_DEF_PROTO_H_
#define STATICFLOW_GRAPH_OP_DEF_PROTO_H_

#include "graph/op.h"
#include "proto/op_def.pb.h"

namespace staticflow {

// Arguments, attributes with their defaults and limits, and whether the op is stateful or commutative; no texts.
proto::OpDef OpToProto(const Op& op);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_OP_DEF_PROTO_H_
