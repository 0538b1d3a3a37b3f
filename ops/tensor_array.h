// TensorArray: tensors by index that a loop writes or reads one at a time.
//
//   TensorArray inputs = TensorArray::Create(g, DT_FLOAT, n).Unstack(x);     // x[i] is element i
//   TensorArray outputs = TensorArray::Create(g, DT_FLOAT, n);
//   std::vector<Output> end = While(
//       [&](Output i, Output) { return Less(i, n); },
//       [&](Output i, Output flow) {
//         return std::vector<Output>{i + 1, outputs.WithFlow(flow).Write(i, Tanh(inputs.Read(i))).flow()};
//       },
//       {Const(g, 0), outputs.flow()});
//   Output y = outputs.WithFlow(end[1]).Stack();                             // y = tanh(x), row by row
//
// An array is a handle and a flow, a float scalar without meaning of its own: what is done to the array gives a new
// flow, and what takes that flow comes after it. Loops carry the flow around, the handle stays the same. The arrays
// live for one step. Element i is written once; read once, too, unless clear_after_read is off. Gradients flow through
// arrays, in loops and outside. Not thread-safe: everything here adds to the graph. Source: tf.TensorArray
// (TensorFlow 1.15), ops TensorArray...V3.
#ifndef STATICFLOW_OPS_TENSOR_ARRAY_H_
#define STATICFLOW_OPS_TENSOR_ARRAY_H_

#include <source_location>
#include <string>

#include "graph/node_builder.h"

namespace staticflow {

struct TensorArrayOptions {
  bool dynamic_size = false;               // writing behind the end makes the array longer
  bool clear_after_read = true;            // an element is forgotten once it was read
  bool infer_shape = true;                 // all elements have the shape of the first one
  Shape element_shape = Shape::Unknown();  // what is known of it
  std::string tensor_array_name = "";
  std::string name = "";
  std::source_location where = std::source_location::current();
};

class TensorArray {
 public:
  TensorArray() = default;
  // The array behind `handle`, after what gave `flow`.
  TensorArray(Output handle, Output flow, DataType dtype, const Shape& element_shape = Shape::Unknown(),
              bool infer_shape = true)
      : handle_(handle), flow_(flow), dtype_(dtype), element_shape_(element_shape), infer_shape_(infer_shape) {}
  // A new array of `size` (an int32 scalar) elements.
  static TensorArray Create(Graph& g, DataType dtype, Operand size, const TensorArrayOptions& options = {});

  Output handle() const { return handle_; }
  Output flow() const { return flow_; }
  DataType dtype() const { return dtype_; }
  const Shape& element_shape() const { return element_shape_; }  // as far as building has shown it
  TensorArray WithFlow(Output flow) const;
  // The array of gradients by this one's elements that belongs to `source`; made when first asked for in a step.
  TensorArray Grad(const std::string& source, const OpOptions& options = {}) const;

  // One element; `index` is an int32 scalar. When run: InvalidArgument for an index outside, for reading what was not
  // written (the gradients' array gives zeros), for writing twice, for another type or shape.
  TensorArray Write(Operand index, Operand value, const OpOptions& options = {}) const;
  Output Read(Operand index, const OpOptions& options = {}) const;

  // All elements, or those that `indices` (an int32 vector) names, as rows of one tensor; they must have one shape.
  Output Stack(const OpOptions& options = {}) const;
  Output Gather(Operand indices, const OpOptions& options = {}) const;
  // The inverse: row i of `value` becomes element i, or element indices[i].
  TensorArray Unstack(Operand value, const OpOptions& options = {}) const;
  TensorArray Scatter(Operand indices, Operand value, const OpOptions& options = {}) const;
  // All elements, one after the other along their first dimension, whose size may differ.
  Output Concat(const OpOptions& options = {}) const;
  // The inverse: the first lengths[0] rows (int64) become element 0, and so on.
  TensorArray Split(Operand value, Operand lengths, const OpOptions& options = {}) const;

  Output Size(const OpOptions& options = {}) const;  // int32 scalar
  Operation Close(const OpOptions& options = {}) const;

 private:
  TensorArray After(Output flow, const Shape& element) const;

  Output handle_;
  Output flow_;
  DataType dtype_ = DT_INVALID;
  Shape element_shape_ = Shape::Unknown();
  bool infer_shape_ = true;
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_TENSOR_ARRAY_H_
