// Gradients of one's own: an IdentityN that the graph knows another gradient for.
#include "ops/custom_gradient.h"

#include "absl/strings/str_cat.h"

namespace staticflow {

std::vector<Output> WithGradient(absl::Span<const Output> outputs, absl::Span<const Output> inputs,
                                 CustomGradient gradient, const OpOptions& options) {
  std::vector<Output> passed(outputs.begin(), outputs.end());
  passed.insert(passed.end(), inputs.begin(), inputs.end());
  Node* node = NodeBuilder("IdentityN", {}).Inputs(passed).Name(options.name).BuildNode();
  if (node == nullptr) return std::vector<Output>(outputs.size());
  node->SetExtraAttr("_gradient_op_type", absl::StrCat("CustomGradient-", node->name()));
  const size_t num_outputs = outputs.size();
  node->graph().SetCustomGradient(*node, [num_outputs, gradient = std::move(gradient)](absl::Span<const Output> dys) {
    std::vector<Output> dxs(num_outputs);
    for (Output dx : gradient(dys.subspan(0, num_outputs))) dxs.push_back(dx);
    return dxs;
  });
  std::vector<Output> results;
  for (size_t i = 0; i < num_outputs; ++i) results.push_back(node->output(static_cast<int>(i)));
  return results;
}

Output WithGradient(Output output, Output input, std::function<Output(Output)> gradient, const OpOptions& options) {
  const CustomGradient by_span = [gradient = std::move(gradient)](absl::Span<const Output> dys) {
    return std::vector<Output>{gradient(dys[0])};
  };
  return WithGradient(absl::MakeConstSpan(&output, 1), absl::MakeConstSpan(&input, 1), by_span, options)[0];
}

}  // namespace staticflow
