// Simulated quantization: numbers rounded to those that a few bits can hold, still as floating-point numbers.
//
//   Output w8 = FakeQuantWithMinMaxVars(w, min, max);       // 256 levels between min and max
//
// The levels are evenly spaced and one of them is 0: `min` and `max` move a little for that. Gradients pass where the
// input lies within the range, as if nothing had been rounded; those of min and max get what lies outside.
// InvalidArgument for num_bits outside [2, 16]. The functions add to the graph and are not thread-safe.
// Source: tf.quantization (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_QUANTIZE_H_
#define STATICFLOW_OPS_QUANTIZE_H_

#include <string>

#include "graph/node_builder.h"

namespace staticflow {

struct FakeQuantArgsOptions {
  float min = -6;  // below max
  float max = 6;
  int64_t num_bits = 8;
  bool narrow_range = false;  // leave out the lowest level
  std::string name = "";
};
// The range is part of the node. float.
Output FakeQuantWithMinMaxArgs(Operand inputs, const FakeQuantArgsOptions& options = {});

struct FakeQuantOptions {
  int64_t num_bits = 8;
  bool narrow_range = false;
  std::string name = "";
};
// The range is given by two scalars, or by two vectors with an element for each index of the last dimension.
Output FakeQuantWithMinMaxVars(Operand inputs, Operand min, Operand max, const FakeQuantOptions& options = {});
Output FakeQuantWithMinMaxVarsPerChannel(Operand inputs, Operand min, Operand max,
                                         const FakeQuantOptions& options = {});

struct QuantizeAndDequantizeOptions {
  bool signed_input = true;
  int64_t num_bits = 8;
  bool range_given = false;                 // otherwise the range is that of the input
  std::string round_mode = "HALF_TO_EVEN";  // or "HALF_UP"
  bool narrow_range = false;
  int64_t axis = -1;  // a range for each index of this dimension, in vectors; -1: one for all
  std::string name = "";
};
// Op QuantizeAndDequantizeV2: the input scaled to integers of num_bits, rounded, and scaled back. Floating types.
Output QuantizeAndDequantize(Operand input, Operand input_min, Operand input_max,
                             const QuantizeAndDequantizeOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_QUANTIZE_H_
