// Tensor <-> TensorProto, by TensorFlow's rules.
//
//   SF_ASSIGN_OR_RETURN(Tensor t, TensorFromProto(node_def.attr().at("value").tensor()));
//   *attr.mutable_tensor() = TensorToProto(t);
//
// A message holds its elements as raw bytes (`tensor_content`) or in the repeated field of its type. With fewer values
// than elements the last one repeats; with none all elements are zero (or empty strings).
// Nothing in a message is trusted: sizes are checked before memory is taken. May be called from any thread.
#ifndef STATICFLOW_GRAPH_TENSOR_PROTO_H_
#define STATICFLOW_GRAPH_TENSOR_PROTO_H_

#include "absl/status/statusor.h"
#include "graph/dtype.h"
#include "graph/shape.h"
#include "graph/tensor.h"
#include "proto/tensor.pb.h"
#include "proto/tensor_shape.pb.h"

namespace staticflow {

// What one message may ask for. Bytes are those of the tensor in memory.
struct TensorLimits {
  int64_t max_bytes = int64_t{1} << 30;
  int64_t max_bytes_without_values = int64_t{64} << 20;  // when the message gives a shape but no value
};

// InvalidArgument: unknown type (reference types among them), incomplete or impossible shape, more values than
// elements, values of another type, bytes that do not fit the shape, a shape that no machine's memory holds (2^40 bytes
// and more). ResourceExhausted: over a limit.
absl::StatusOr<Tensor> TensorFromProto(const proto::TensorProto& message, const TensorLimits& limits = {});

// One element goes into the field of its type, more go into `tensor_content`; strings and handles always into fields.
// REQUIRES: tensor.valid().
proto::TensorProto TensorToProto(const Tensor& tensor);

// InvalidArgument for a rank above Shape::kMaxRank or a size below -1.
absl::StatusOr<Shape> ShapeFromProto(const proto::TensorShapeProto& message);
proto::TensorShapeProto ShapeToProto(const Shape& shape);

// InvalidArgument for numbers that name no type here, and for reference types.
absl::StatusOr<DataType> DataTypeFromProto(int number);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_TENSOR_PROTO_H_
