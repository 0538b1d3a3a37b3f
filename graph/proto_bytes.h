// Messages <-> bytes and text, the same way everywhere: deterministic when writing, bounded and silent when reading.
//
// Pure functions; any thread may call them.
#ifndef STATICFLOW_GRAPH_PROTO_BYTES_H_
#define STATICFLOW_GRAPH_PROTO_BYTES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace staticflow {

// Equal messages give equal bytes. ResourceExhausted above 2 GiB, which no protobuf can hold.
absl::StatusOr<std::string> SerializeMessage(const google::protobuf::Message& message);
std::string PrintMessage(const google::protobuf::Message& message);

// InvalidArgument when `bytes` are no such message; `what` names it ("GraphDef"). Nesting is bounded at 100.
absl::Status ParseMessage(absl::string_view bytes, absl::string_view what, google::protobuf::Message* message);
// The same for the text format; the error names line and column.
absl::Status ParseTextMessage(absl::string_view text, absl::string_view what, google::protobuf::Message* message);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_PROTO_BYTES_H_
