// Functions that are several nodes in a name scope, as tf.nn's are.
//
//   Composition scope(x, options.name, "dropout");      // "dropout", made unique
//   ... builders ...                                    // dropout/Mul, dropout/Shape, ...
#ifndef STATICFLOW_OPS_NN_COMPOSITION_H_
#define STATICFLOW_OPS_NN_COMPOSITION_H_

#include <optional>
#include <source_location>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "graph/graph.h"
#include "graph/tensor.h"

namespace staticflow {

// While it lives, nodes are named `name/...` and answer for the line of the function's caller.
class Composition {
 public:
  // `anchor` tells the graph and the line; "" as `name` means `fallback`. REQUIRES: anchor.output().valid().
  Composition(const Operand& anchor, absl::string_view name, absl::string_view fallback)
      : Composition(anchor.output().graph(), anchor.where(), name, fallback) {}
  Composition(Graph& g, const std::source_location& where, absl::string_view name, absl::string_view fallback)
      : graph_(g), outer_line_(g.line_override()), scope_(g, name.empty() ? fallback : name) {
    if (outer_line_.has_value()) return;
    const absl::string_view path = where.file_name();
    graph_.set_line_override(
        SourceLine{.file = std::string(path.substr(path.rfind('/') + 1)), .line = static_cast<int>(where.line())});
  }
  ~Composition() { graph_.set_line_override(outer_line_); }
  Composition(const Composition&) = delete;
  Composition& operator=(const Composition&) = delete;

  Graph& graph() const { return graph_; }
  // The name for the node that is called like the scope itself: "dropout/".
  const std::string& name() const { return scope_.name(); }

 private:
  Graph& graph_;
  std::optional<SourceLine> outer_line_;
  NameScope scope_;
};

// `value` as a scalar of a number type, rounded to it; of type double when `dtype` is no number type, so that the op
// that takes it tells the error.
inline Tensor ScalarOf(DataType dtype, double value) {
  absl::StatusOr<Tensor> tensor = Tensor::Create(dtype, {});
  const bool known =
      tensor.ok() &&
      (DispatchType<float, double, int32_t, int64_t>(
           dtype, [&]<typename T>() { *tensor->data<T>() = static_cast<T>(value); }) ||
       DispatchType<Half, BFloat16>(dtype, [&]<typename T>() { *tensor->data<T>() = T(static_cast<float>(value)); }));
  return known ? *std::move(tensor) : Tensor(value);
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_NN_COMPOSITION_H_
