// What the nodes of all convolutions share: their attributes, the kernel factory, and building one node from another's
// attributes, which is what gradients do.
#ifndef STATICFLOW_OPS_CONV_NODES_H_
#define STATICFLOW_OPS_CONV_NODES_H_

#include <string>
#include <utility>
#include <vector>

#include "graph/gradients.h"
#include "graph/node_builder.h"
#include "graph/shape_inference.h"
#include "ops/array_nodes.h"
#include "ops/conv.h"
#include "ops/conv_compute.h"
#include "ops/conv_window.h"
#include "ops/elementwise.h"
#include "runtime/kernel.h"

namespace staticflow {

// The attributes of two-dimensional (three-dimensional) convolutions beside T.
inline std::vector<std::string> Conv2DAttrs(std::string types) {
  return {std::move(types),
          "strides: list(int)",
          "use_cudnn_on_gpu: bool = true",
          "padding: {'SAME', 'VALID', 'EXPLICIT'}",
          "explicit_paddings: list(int) = []",
          "data_format: {'NHWC', 'NCHW'} = 'NHWC'",
          "dilations: list(int) = [1, 1, 1, 1]"};
}
inline std::vector<std::string> Conv3DAttrs(std::string types) {
  return {std::move(types), "strides: list(int) >= 5", "padding: {'SAME', 'VALID'}",
          "data_format: {'NDHWC', 'NCDHW'} = 'NDHWC'", "dilations: list(int) = [1, 1, 1, 1, 1]"};
}

// A node with the attributes that `like` says how to slide by.
inline NodeBuilder ConvLike(const Node& like, absl::string_view type, std::initializer_list<Operand> operands) {
  NodeBuilder builder(type, operands);
  for (absl::string_view name : {"strides", "padding", "explicit_paddings", "data_format", "dilations"}) {
    const auto attr = like.attrs().find(name);
    if (attr != like.attrs().end()) builder.Attr(name, attr->second);
  }
  return builder;
}

inline NodeBuilder WithOptions(NodeBuilder builder, const Conv2DOptions& options) {
  builder.Attr("strides", options.strides)
      .Attr("padding", options.padding)
      .Attr("explicit_paddings", options.explicit_paddings)
      .Attr("data_format", options.data_format)
      .Attr("dilations", options.dilations);
  return builder;
}
inline NodeBuilder WithOptions(NodeBuilder builder, const Conv3DOptions& options) {
  builder.Attr("strides", options.strides)
      .Attr("padding", options.padding)
      .Attr("data_format", options.data_format)
      .Attr("dilations", options.dilations);
  return builder;
}

// The rank that an op's pictures have: 4 or 5.
inline int PictureRank(const Node& node) { return node.attr<std::string>("data_format").size() == 5 ? 5 : 4; }

// One of T's kernels that gets the op's rule: Run::operator()<T>(context, rule).
template <typename... Ts, typename Run>
absl::StatusOr<Kernel> MakeConvKernel(const KernelSetup& setup, DataType dtype, Run run) {
  WindowRule rule;
  SF_RETURN_IF_ERROR(ReadWindowRule(setup.node(), &rule));
  Kernel kernel;
  DispatchType<Ts...>(dtype, [&]<typename T>() {
    kernel = [rule, run](KernelContext& c) { return run.template operator()<T>(c, rule); };
  });
  if (!kernel) return NoKernelFor(setup, dtype);
  return kernel;
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_CONV_NODES_H_
