// ShapeContext: what a shape function sees and sets.
//
//   // BiasAdd: the value's shape; the bias has one element per channel.
//   absl::Status BiasAddShape(ShapeContext& c) {
//     SF_ASSIGN_OR_RETURN(Shape value, c.WithRankAtLeast(0, 2));
//     SF_ASSIGN_OR_RETURN(Shape bias, c.WithRank(1, 1));
//     SF_ASSIGN_OR_RETURN(int64_t channels, c.MergeDims(value.dim(-1), bias.dim(0), "channels"));
//     value.set_dim(value.rank() - 1, channels);
//     c.set_output(0, value);
//     return absl::OkStatus();
//   }
//
// The same function runs while building, where shapes and values may be unknown, and while planning a step, where
// usually everything is known; then an output shape must come out fully defined unless it depends on data. With every
// input's shape and every shape-giving input's value known, the shape it sets is the shape the kernel fills: kernels
// never compute shapes.
#ifndef STATICFLOW_GRAPH_SHAPE_INFERENCE_H_
#define STATICFLOW_GRAPH_SHAPE_INFERENCE_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/graph.h"

namespace staticflow {

class ShapeContext {
 public:
  // `inputs` and `values` have one entry per input; a value is null when unknown. Neither is copied. `depth` counts the
  // shape_value hooks that led here.
  ShapeContext(const Node& node, absl::Span<const Shape> inputs, absl::Span<const Tensor* const> values, int depth = 0);

  const Node& node() const { return node_; }
  template <typename T>
  const T& attr(absl::string_view name) const {
    return node_.attr<T>(name);
  }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  const Shape& input(int i) const { return inputs_[i]; }
  DataType input_dtype(int i) const { return node_.input(i).dtype(); }
  // The value of input i when it is known already, else null.
  const Tensor* value(int i) const { return values_[i]; }
  // The integers in input i when its value is known; nullopt otherwise. InvalidArgument unless int32 or int64.
  absl::StatusOr<std::optional<std::vector<int64_t>>> Integers(int i) const;
  // The value of input i, an integer vector, as a shape: complete when value(i) is known, else as far as the nodes
  // that compute it tell. Shape::Unknown() when nothing is known. InvalidArgument for elements below -1 or a value
  // that is no int32 or int64 vector.
  absl::StatusOr<Shape> ValueAsShape(int i) const;

  // Input i's shape refined to the rank; InvalidArgument when it has another.
  absl::StatusOr<Shape> WithRank(int i, int rank) const;
  absl::StatusOr<Shape> WithRankAtLeast(int i, int rank) const;
  // The one dimension both are; InvalidArgument naming `what` when both are known and differ.
  absl::StatusOr<int64_t> MergeDims(int64_t a, int64_t b, absl::string_view what) const;

  int num_outputs() const { return static_cast<int>(outputs_.size()); }
  void set_output(int i, Shape shape) { outputs_[i] = std::move(shape); }
  const Shape& output(int i) const { return outputs_[i]; }

 private:
  const Node& node_;
  absl::Span<const Shape> inputs_;
  absl::Span<const Tensor* const> values_;
  std::vector<Shape> outputs_;  // unknown until set
  int depth_;
};

// Runs the op's shape function. Errors name the node. Outputs it leaves alone are unknown.
absl::StatusOr<std::vector<Shape>> InferShapes(const Node& node, absl::Span<const Shape> inputs,
                                               absl::Span<const Tensor* const> values);

// Shape functions that many ops share.
absl::Status SameShape(ShapeContext& c);       // output 0 has the shape of input 0
absl::Status BroadcastShape(ShapeContext& c);  // output 0 broadcasts inputs 0 and 1
absl::Status ScalarShape(ShapeContext& c);     // every output is a scalar
absl::Status NoOutputs(ShapeContext& c);       // for ops without outputs
absl::Status AnyShape(ShapeContext& c);        // nothing is known before the kernel has run: data-dependent

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_SHAPE_INFERENCE_H_
