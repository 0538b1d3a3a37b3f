#include "graph/tensor_bytes.h"

#include "graph/proto_bytes.h"
#include "graph/status.h"
#include "graph/tensor_proto.h"

namespace staticflow {

absl::StatusOr<Tensor> TensorFromBytes(absl::string_view bytes) {
  proto::TensorProto message;
  SF_RETURN_IF_ERROR(ParseMessage(bytes, "TensorProto", &message));
  return TensorFromProto(message);
}

absl::StatusOr<std::string> TensorToBytes(const Tensor& tensor) {
  if (tensor.dtype() == DT_VARIANT) return absl::InvalidArgumentError("variants cannot be written as bytes");
  return SerializeMessage(TensorToProto(tensor));
}

}  // namespace staticflow
