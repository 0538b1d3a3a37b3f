// WeightLayout: of a product or convolution by constant weights, which channel of its operand and of its result each
// weight belongs to. What FoldAffine knows of these ops.
//
//   if (std::optional<WeightLayout> layout = LayoutOfWeights(graph, i)) {
//     for (int64_t k = 0; k < weights.num_elements(); ++k) weight[k] *= scale[layout->OutputOf(k)];
//   }
//
// Only reads the graph.
#ifndef STATICFLOW_OPS_DIAGNOSTICS_WEIGHT_LAYOUT_H_
#define STATICFLOW_OPS_DIAGNOSTICS_WEIGHT_LAYOUT_H_

#include <initializer_list>
#include <optional>

#include "ops/diagnostics/frozen_graph.h"

namespace staticflow {

struct WeightLayout {
  int data_input = 0;
  int weights_input = 1;
  int64_t inputs = 0;   // channels of the operand that one channel of the result is made of
  int64_t outputs = 0;  // channels of the result
  bool channels_first = false;
  bool grouped = false;  // each group of result channels sees other operand channels, all together more than `inputs`
  bool pads = false;     // a constant operand does not give a constant result: zeros come in at the border

  // The channels of weight k, counted in the order of the weights' elements.
  int64_t InputOf(int64_t k) const { return k / input_stride % inputs; }
  int64_t OutputOf(int64_t k) const { return k / output_stride % outputs; }
  int64_t input_stride = 1, output_stride = 1;
};

// Of MatMul, Conv2D, Conv3D, DepthwiseConv2dNative and Conv2DBackpropInput; nullopt for other nodes, and when the
// weights are no constant of floats.
std::optional<WeightLayout> LayoutOfWeights(const FrozenGraph& graph, int node);

bool IsOneOf(const FrozenGraph::FrozenNode& node, std::initializer_list<absl::string_view> types);
// The string attribute `name`, or `fallback` where there is none.
std::string StringAttr(const FrozenGraph::FrozenNode& node, absl::string_view name, absl::string_view fallback);
// Whether attribute data_format puts the channels before the pixels.
bool IsChannelsFirst(const FrozenGraph::FrozenNode& node);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_WEIGHT_LAYOUT_H_
