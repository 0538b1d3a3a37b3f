#include "ops/array_nodes.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"

namespace staticflow {

Tensor Ints::AsTensor() const {
  constexpr int64_t kLow = std::numeric_limits<int32_t>::min(), kHigh = std::numeric_limits<int32_t>::max();
  const Shape shape = {static_cast<int64_t>(values_.size())};
  if (std::any_of(values_.begin(), values_.end(), [](int64_t v) { return v < kLow || v > kHigh; })) {
    return Tensor::Of<int64_t>(shape, values_);
  }
  return Tensor::Of<int32_t>(shape, std::vector<int32_t>(values_.begin(), values_.end()));
}

NodeName::NodeName(const Operand& anchor, absl::string_view wish, absl::string_view fallback) : where_(anchor.where()) {
  if (!anchor.output().valid()) return;
  graph_ = &anchor.output().graph();
  exact_ = absl::StrCat(graph_->UniqueName(wish.empty() ? fallback : wish), "/");
}

NodeName::NodeName(Graph& g, absl::string_view wish, absl::string_view fallback, std::source_location where)
    : graph_(&g), exact_(absl::StrCat(g.UniqueName(wish.empty() ? fallback : wish), "/")), where_(where) {}

Output NodeName::Vector(const Ints& ints, absl::string_view argument, DataType dtype) const {
  if (ints.is_output()) return ints.output();
  Tensor values = ints.AsTensor();
  if (dtype == DT_INT64 && values.dtype() != DT_INT64) values = Tensor::Of<int64_t>(values.shape(), ints.values());
  return Constant(std::move(values), argument);
}

DataType IndexType(std::initializer_list<const Ints*> vectors) {
  DataType type = DT_INT32;
  for (const Ints* ints : vectors) {
    if (ints->is_output() && ints->output().valid()) return ints->output().dtype();
    if (!ints->is_output() && ints->AsTensor().dtype() == DT_INT64) type = DT_INT64;
  }
  return type;
}

Output NodeName::Constant(Tensor value, absl::string_view argument) const {
  return Const(*graph_, std::move(value), {.name = absl::StrCat(exact_, argument, "/"), .where = where_});
}

std::vector<Output> OutputsOf(Node* node) {
  std::vector<Output> outputs;
  for (int i = 0; node != nullptr && i < node->num_outputs(); ++i) outputs.push_back(node->output(i));
  return outputs;
}

}  // namespace staticflow
