// What the nodes of all pools share: attributes, shapes, the kernel factory, and building one node from another's
// attributes, which is what gradients do.
#ifndef STATICFLOW_OPS_POOL_NODES_H_
#define STATICFLOW_OPS_POOL_NODES_H_

#include <string>
#include <utility>
#include <vector>

#include "graph/gradients.h"
#include "graph/node_builder.h"
#include "graph/shape_inference.h"
#include "ops/conv_window.h"
#include "ops/elementwise.h"
#include "ops/pool_compute.h"
#include "runtime/kernel.h"

namespace staticflow {

inline constexpr char kPoolRealTypes[] =
    "T: {float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64}";

inline std::vector<std::string> Pool2DAttrs(std::string types) {
  return {"ksize: list(int) >= 4", "strides: list(int) >= 4", "padding: {'SAME', 'VALID'}",
          "data_format: {'NHWC', 'NCHW'} = 'NHWC'", std::move(types)};
}
inline std::vector<std::string> Pool3DAttrs(std::string types) {
  return {"ksize: list(int) >= 5", "strides: list(int) >= 5", "padding: {'SAME', 'VALID'}",
          "data_format: {'NDHWC', 'NCDHW'} = 'NDHWC'", std::move(types)};
}

// A node with the attributes that `like` says how to pool by.
inline NodeBuilder PoolLike(const Node& like, absl::string_view type, std::initializer_list<Operand> operands) {
  NodeBuilder builder(type, operands);
  const Op* op = FindOp(type);
  for (absl::string_view name : {"ksize", "strides", "padding", "explicit_paddings", "data_format"}) {
    const auto attr = like.attrs().find(name);
    if (attr != like.attrs().end() && op != nullptr && op->FindAttr(name) != nullptr) builder.Attr(name, attr->second);
  }
  return builder;
}

// The shape of pools over pictures of shape `in`, as far as it is known.
inline absl::StatusOr<Shape> PooledShape(const WindowRule& rule, const Shape& in) {
  PictureShape picture = ReadPicture(rule, in);
  for (int d = 3 - rule.spatial; d < 3; ++d) {
    SF_ASSIGN_OR_RETURN(const WindowDim dim, SlideWindow(rule, d, picture.size[d], rule.window[d]));
    picture.size[d] = dim.out;
  }
  if (in.IsFullyDefined()) SF_RETURN_IF_ERROR(MakePoolShape(rule, in).status());
  return WritePicture(rule, picture);
}

// Output 0: input 0 pooled.
inline absl::Status PoolShapeFunction(ShapeContext& c) {
  WindowRule rule;
  SF_ASSIGN_OR_RETURN(const bool supported, ReadSupportedRule(c.node(), &rule));
  if (!supported) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const Shape in, c.WithRank(0, rule.rank()));
  SF_ASSIGN_OR_RETURN(Shape out, PooledShape(rule, in));
  c.set_output(0, std::move(out));
  return absl::OkStatus();
}

// One of Ts' kernels that gets the op's rule: run.operator()<T>(context, rule).
template <typename... Ts, typename Run>
absl::StatusOr<Kernel> MakePoolKernel(const KernelSetup& setup, DataType dtype, const WindowRule& rule, Run run) {
  Kernel kernel;
  DispatchType<Ts...>(dtype, [&]<typename T>() {
    kernel = [rule, run](KernelContext& c) { return run.template operator()<T>(c, rule); };
  });
  if (!kernel) return NoKernelFor(setup, dtype);
  return kernel;
}
template <typename Run>
absl::StatusOr<Kernel> MakeRealPoolKernel(const KernelSetup& setup, DataType dtype, const WindowRule& rule, Run run) {
  return MakePoolKernel<float, double, int32_t, uint8_t, int16_t, int8_t, int64_t, BFloat16, uint16_t, Half, uint32_t,
                        uint64_t>(setup, dtype, rule, run);
}

template <typename Options>
NodeBuilder WithPoolOptions(NodeBuilder builder, const Options& options) {
  builder.Attr("ksize", options.ksize)
      .Attr("strides", options.strides)
      .Attr("padding", options.padding)
      .Attr("data_format", options.data_format)
      .Name(options.name);
  return builder;
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_POOL_NODES_H_
