// What the nodes of maximum pools share: the V2 ops have ksize and strides as inputs, the others as attributes.
#ifndef STATICFLOW_OPS_POOL_SIZES_H_
#define STATICFLOW_OPS_POOL_SIZES_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "ops/pool_nodes.h"

namespace staticflow {

// The V2 ops have ksize and strides as their last two inputs, the others as attributes.
inline bool HasSizeInputs(const Node& node) { return !node.has_attr("ksize"); }

inline absl::Status ReadSizeInputs(KernelContext& c, int first, WindowRule* rule) {
  for (int i : {0, 1}) {
    const TensorView& view = c.input(first + i);
    const absl::InlinedVector<int64_t, 5> list(view.as<int32_t>(), view.as<int32_t>() + view.num_elements);
    SF_RETURN_IF_ERROR(i == 0 ? ReadWindowVector(*rule, "ksize", list, &rule->window)
                              : ReadWindowVector(*rule, "strides", list, &rule->strides));
  }
  return absl::OkStatus();
}

// The rule of the node, as far as it is known; false when ksize or strides are computed in the step, or unsupported.
inline absl::StatusOr<bool> ReadKnownRule(ShapeContext& c, int first_size_input, WindowRule* rule) {
  SF_ASSIGN_OR_RETURN(const bool supported, ReadSupportedRule(c.node(), rule));
  if (!supported || !HasSizeInputs(c.node())) return supported;
  SF_ASSIGN_OR_RETURN(const auto ksize, c.Integers(first_size_input));
  SF_ASSIGN_OR_RETURN(const auto strides, c.Integers(first_size_input + 1));
  if (!ksize.has_value() || !strides.has_value()) return false;
  SF_RETURN_IF_ERROR(ReadWindowVector(*rule, "ksize", *ksize, &rule->window));
  SF_RETURN_IF_ERROR(ReadWindowVector(*rule, "strides", *strides, &rule->strides));
  return true;
}

// The kernel of an op whose pictures are input 0: Run gets the complete rule.
template <typename Run>
struct WithSizes {
  Run run;
  int first_size_input = 0;  // 0: attributes

  template <typename T>
  absl::Status operator()(KernelContext& c, const WindowRule& fixed) const {
    WindowRule rule = fixed;
    if (first_size_input > 0) SF_RETURN_IF_ERROR(ReadSizeInputs(c, first_size_input, &rule));
    SF_ASSIGN_OR_RETURN(const PoolShape s, MakePoolShape(rule, *c.input(0).shape));
    return run.template operator()<T>(c, s);
  }
};
template <typename Run>
absl::StatusOr<Kernel> MakeMaxPoolKernel(const KernelSetup& setup, DataType dtype, Run run) {
  WindowRule rule;
  SF_RETURN_IF_ERROR(ReadWindowRule(setup.node(), &rule));
  const int first = HasSizeInputs(setup.node()) ? setup.num_inputs() - 2 : 0;
  return MakeRealPoolKernel(setup, dtype, rule, WithSizes<Run>{run, first});
}

// Attributes of ops that take sizes as inputs, and of those that know explicit paddings.
inline std::vector<std::string> SizeInputAttrs(std::string types) {
  return {"padding: {'SAME', 'VALID'}", "data_format: {'NHWC', 'NCHW'} = 'NHWC'", std::move(types)};
}
inline std::vector<std::string> ExplicitAttrs(std::string types) {
  return {"ksize: list(int) >= 4",
          "strides: list(int) >= 4",
          "padding: {'SAME', 'VALID', 'EXPLICIT'}",
          "explicit_paddings: list(int) = []",
          "data_format: {'NHWC', 'NCHW'} = 'NHWC'",
          std::move(types)};
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_POOL_SIZES_H_
