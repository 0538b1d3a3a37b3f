// AttrValue <-> its message.
//
//   SF_ASSIGN_OR_RETURN(AttrValue value, AttrFromProto(node_def.attr().at("T")));
//   AttrToProto(value, &(*node_def.mutable_attr())["T"]);
//
// A list without elements does not tell its kind: it becomes an EmptyList. May be called from any thread.
#ifndef STATICFLOW_GRAPH_ATTR_PROTO_H_
#define STATICFLOW_GRAPH_ATTR_PROTO_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "graph/attr.h"
#include "graph/tensor_proto.h"
#include "proto/attr_value.pb.h"

namespace staticflow {

struct AttrLimits {
  TensorLimits tensor = {};
  int64_t max_list_length = 1'000'000;
  int max_nesting = 100;  // of functions in attributes of functions
};

// InvalidArgument for a message without a value, a list of several kinds, and whatever is wrong with its tensors,
// shapes and types; ResourceExhausted over a limit. Messages do not name the attribute: the caller does.
absl::StatusOr<AttrValue> AttrFromProto(const proto::AttrValue& message, const AttrLimits& limits = {});

void AttrToProto(const AttrValue& value, proto::AttrValue* message);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_ATTR_PROTO_H_
