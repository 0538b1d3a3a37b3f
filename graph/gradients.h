// Gradients: reverse-mode differentiation that adds nodes to the graph.
//
//   std::vector<Output> grads = Gradients({loss}, {w, b});    // d loss / d w, d loss / d b
//
// and GradientContext, what one op's gradient function sees:
//
//   // d(a - b): da = dy, db = -dy, summed over what was broadcast.
//   void SubGradient(GradientContext& c) {
//     c.set_dx(0, SumToShapeOf(c.dy(0), c.x(0)));
//     c.set_dx(1, SumToShapeOf(Neg(c.dy(0)), c.x(1)));
//   }
//
// Not thread-safe: both add to the graph.
#ifndef STATICFLOW_GRAPH_GRADIENTS_H_
#define STATICFLOW_GRAPH_GRADIENTS_H_

#include <source_location>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "graph/graph.h"

namespace staticflow {

// A gradient that is zero but for some slices: dense[indices[i], ...] += values[i, ...].
struct IndexedSlices {
  Output values;
  Output indices;
  Output dense_shape;
};

// Registers what the walk does with slices: `densify` turns them into a dense tensor (sums of rows by index),
// `concatenate` makes one of several of the same tensor. The ops that these need provide them.
class SlicesRegistrar {
 public:
  SlicesRegistrar(Output (*densify)(const IndexedSlices&),
                  IndexedSlices (*concatenate)(absl::Span<const IndexedSlices>));
};

class GradientContext {
 public:
  GradientContext(Node& node, absl::Span<const Output> output_gradients);

  const Node& node() const { return node_; }
  Graph& graph() const { return node_.graph(); }
  template <typename T>
  const T& attr(absl::string_view name) const {
    return node_.attr<T>(name);
  }
  int num_inputs() const { return node_.num_inputs(); }
  int num_outputs() const { return node_.num_outputs(); }
  Output x(int i) const { return node_.input(i); }
  Output y(int i) const { return node_.output(i); }
  // The gradient of the loss by output i: zeros when none flows there. has_dy() tells that without building zeros.
  Output dy(int i) const;
  bool has_dy(int i) const { return dy_[i].valid(); }

  // The gradient of the loss by input i. Inputs that are left alone get none.
  void set_dx(int i, Output gradient) { dx_[i] = gradient; }
  void set_dx(int i, IndexedSlices gradient) { sparse_dx_[i] = gradient; }
  Output dx(int i) const { return dx_[i]; }
  const IndexedSlices& sparse_dx(int i) const { return sparse_dx_[i]; }
  // Records that this op cannot be differentiated here, with the reason.
  void Fail(absl::string_view reason);
  const std::string& failure() const { return failure_; }

 private:
  Node& node_;
  std::vector<Output> dy_;
  std::vector<Output> dx_;
  std::vector<IndexedSlices> sparse_dx_;
  std::string failure_;
};

enum class Unconnected { kNone, kZero };

struct GradientOptions {
  std::vector<Output> grad_ys = {};              // one per y (an invalid one: ones like that y); empty: ones for all
  std::vector<Output> stop_gradients = {};       // held constant
  Unconnected unconnected = Unconnected::kNone;  // what an x gets that no y depends on: an invalid Output, or zeros
  std::string name = "gradients";
};

// The sum over all ys of d y / d x for each x, in the order of `xs`. An x may be any output; for a variable it may be
// the reference, the handle or its value.
// Errors stick to the graph and make every result invalid: InvalidArgument when a grad_y's shape or type contradicts
// its y; Unimplemented naming *all* ops on the way that have no gradient, each with its path to the ys.
// Source: tf.gradients (TensorFlow 1.15).
std::vector<Output> Gradients(absl::Span<const Output> ys, absl::Span<const Output> xs,
                              const GradientOptions& options = {},
                              std::source_location where = std::source_location::current());
inline std::vector<Output> Gradients(std::initializer_list<Output> ys, std::initializer_list<Output> xs,
                                     const GradientOptions& options = {},
                                     std::source_location where = std::source_location::current()) {
  return Gradients(absl::MakeConstSpan(ys.begin(), ys.size()), absl::MakeConstSpan(xs.begin(), xs.size()), options,
                   where);
}

// A gradient as the walk finds it: slices where every way from the ys ends in gathered rows, else a dense tensor.
struct SlicesOrDense {
  Output dense;
  IndexedSlices slices;

  bool is_slices() const { return slices.values.valid(); }
};

// The same as Gradients, without turning slices into dense tensors at the end: for updates of some rows of a variable.
// An index may come several times; its slices are then to be added.
std::vector<SlicesOrDense> GradientsOrSlices(absl::Span<const Output> ys, absl::Span<const Output> xs,
                                             const GradientOptions& options = {},
                                             std::source_location where = std::source_location::current());

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_GRADIENTS_H_
