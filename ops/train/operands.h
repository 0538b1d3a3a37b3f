// What losses and metrics check of their operands before they build anything.
#ifndef STATICFLOW_OPS_TRAIN_OPERANDS_H_
#define STATICFLOW_OPS_TRAIN_OPERANDS_H_

#include <optional>
#include <source_location>
#include <string>

#include "absl/strings/string_view.h"
#include "graph/graph.h"
#include "graph/variable_scope.h"

namespace staticflow {

// While it lives, nodes are named inside `name` (or `default_name`), and answer for the line `where`. With variables,
// it is a variable scope too.
class FunctionScope {
 public:
  enum class Kind { kNodes, kVariables };
  FunctionScope(Graph& g, absl::string_view name, absl::string_view default_name, const std::source_location& where,
                Kind kind = Kind::kNodes);
  ~FunctionScope();
  FunctionScope(const FunctionScope&) = delete;
  FunctionScope& operator=(const FunctionScope&) = delete;

  Graph& graph() const { return graph_; }
  // Records "mean_squared_error (file.cc:1): message". The result is invalid.
  Output Fail(absl::string_view message) const;
  // Whether the two shapes can be equal; the error is recorded otherwise.
  bool SameShape(absl::string_view a_name, Output a, absl::string_view b_name, Output b) const;
  // `weights` as numbers of `values`' type and shape. Scalars, shapes that broadcast, and vectors for the first
  // dimension of `values`, are fine; anything else is an error.
  Output Broadcast(Output weights, Output values) const;

 private:
  Graph& graph_;
  std::optional<SourceLine> outer_line_;
  std::optional<NameScope> name_scope_;
  std::optional<VariableScope> variable_scope_;
  std::string name_;
};

// Floating numbers as they are, others as float.
Output AsFloat(Output x);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_TRAIN_OPERANDS_H_
