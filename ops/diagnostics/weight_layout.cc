#include "ops/diagnostics/weight_layout.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace staticflow {

bool IsOneOf(const FrozenGraph::FrozenNode& node, std::initializer_list<absl::string_view> types) {
  return std::find(types.begin(), types.end(), node.op->name()) != types.end();
}

std::string StringAttr(const FrozenGraph::FrozenNode& node, absl::string_view name, absl::string_view fallback) {
  auto it = node.attrs.find(name);
  const std::string* value = it == node.attrs.end() ? nullptr : it->second.find<std::string>();
  return std::string(value == nullptr ? fallback : *value);
}

bool IsChannelsFirst(const FrozenGraph::FrozenNode& node) {
  return absl::StartsWith(StringAttr(node, "data_format", "NHWC"), "NC");
}

namespace {

bool BoolAttr(const FrozenGraph::FrozenNode& node, absl::string_view name) {
  auto it = node.attrs.find(name);
  const bool* value = it == node.attrs.end() ? nullptr : it->second.find<bool>();
  return value != nullptr && *value;
}

// [in, out], or [out, in].
std::optional<WeightLayout> OfMatMul(const FrozenGraph::FrozenNode& node, const Shape& weights) {
  if (weights.rank() != 2 || BoolAttr(node, "transpose_a")) return std::nullopt;
  const bool transposed = BoolAttr(node, "transpose_b");
  WeightLayout layout{.inputs = weights.dim(transposed ? 1 : 0), .outputs = weights.dim(transposed ? 0 : 1)};
  layout.input_stride = transposed ? 1 : layout.outputs;
  layout.output_stride = transposed ? layout.inputs : 1;
  return layout;
}

// [..., in, out]; of a depthwise one [..., in, factor], where the result has in * factor channels; of a transposed one
// [..., out, in].
WeightLayout OfConvolution(const FrozenGraph::FrozenNode& node, const Shape& weights) {
  const int64_t last = weights.dim(-1), before = weights.dim(-2);
  WeightLayout layout{.inputs = before, .outputs = last};
  layout.input_stride = last;
  layout.channels_first = IsChannelsFirst(node);
  layout.pads = StringAttr(node, "padding", "SAME") != "VALID";
  if (node.op->name() == "DepthwiseConv2dNative") layout.outputs = before * last;
  if (node.op->name() == "Conv2DBackpropInput") {
    layout.data_input = 2;
    layout.inputs = last;
    layout.outputs = before;
    layout.input_stride = 1;
    layout.output_stride = last;
    layout.pads = true;  // fewer weights meet at the border, and where strides leave gaps
  }
  return layout;
}

}  // namespace

std::optional<WeightLayout> LayoutOfWeights(const FrozenGraph& graph, int i) {
  const FrozenGraph::FrozenNode& node = graph.nodes[i];
  const bool is_convolution = IsOneOf(node, {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput"});
  if (!is_convolution && !IsOneOf(node, {"MatMul"})) return std::nullopt;
  const Tensor* weights = graph.ConstantOf(node.inputs[1]);
  if (weights == nullptr || weights->dtype() != DT_FLOAT || weights->num_elements() == 0) return std::nullopt;
  if (!is_convolution) return OfMatMul(node, weights->shape());
  if (weights->shape().rank() < 3) return std::nullopt;
  WeightLayout layout = OfConvolution(node, weights->shape());
  const Shape& data = graph.nodes[node.inputs[layout.data_input].node].shape;
  if (data.rank() > 2) {
    const int64_t channels = data.dim(layout.channels_first ? 1 : -1);
    layout.grouped = channels >= 0 && channels != layout.inputs;
  }
  return layout;
}

}  // namespace staticflow
