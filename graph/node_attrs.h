// The attributes of a node as a file gives them, for the importer and for the bodies of functions.
#ifndef STATICFLOW_GRAPH_NODE_ATTRS_H_
#define STATICFLOW_GRAPH_NODE_ATTRS_H_

#include "absl/status/statusor.h"
#include "graph/attr.h"
#include "graph/attr_proto.h"
#include "graph/op.h"
#include "proto/node_def.pb.h"
#include "proto/op_def.pb.h"

namespace staticflow {

// Placeholders stay what they are. An attribute that `op` does not know and that is no annotation ('_') is dropped when
// it asks for nothing new: it has the default that the writer of the file knew (`producer_ops`, may be null), or is
// off, empty or zero, as the defaults of attributes are that later versions of TensorFlow added. Attributes that are
// missing or empty have their defaults, whatever the inputs are. With `op` null, every attribute is taken.
// InvalidArgument and ResourceExhausted name the attribute; the first by name in every run.
absl::StatusOr<AttrMap> NodeAttrsFromProto(const proto::NodeDef& def, const Op* op, const AttrLimits& limits = {},
                                           const proto::OpList* producer_ops = nullptr);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_NODE_ATTRS_H_
