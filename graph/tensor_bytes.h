// Tensors as serialized TensorProtos, for those who do not want to see protocol buffers.
//
//   std::string bytes = TensorToBytes(tensor);
//   SF_ASSIGN_OR_RETURN(Tensor again, TensorFromBytes(bytes));
//
// May be called from any thread.
#ifndef STATICFLOW_GRAPH_TENSOR_BYTES_H_
#define STATICFLOW_GRAPH_TENSOR_BYTES_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "graph/tensor.h"

namespace staticflow {

// InvalidArgument for bytes that are no tensor, ResourceExhausted for one over the limits of graph/tensor_proto.h.
absl::StatusOr<Tensor> TensorFromBytes(absl::string_view bytes);
// ResourceExhausted above 2 GiB; InvalidArgument for variants. REQUIRES: tensor.valid().
absl::StatusOr<std::string> TensorToBytes(const Tensor& tensor);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_TENSOR_BYTES_H_
