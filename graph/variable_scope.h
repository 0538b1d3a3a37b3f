// Variable scopes: names, sharing and defaults of the variables that GetVariable (ops/state.h) makes.
//
//   VariableScope scope(g, "generator");                        // variables "generator/w", nodes "generator/..."
//   VariableScope again(g, "", {.reuse = Reuse::kAutoReuse});   // shares what exists, makes the rest
//   VariableScope layer(g, "", {.default_name = "dense"});      // "dense", the next time "dense_1"
//
// A scope lives as long as its object and inherits what it does not set from the scope around it. It opens a name
// scope of its last component too; an empty name (without default_name) extends nothing and opens none.
//
// Not thread-safe: scopes belong to the graph that is being built.
// Source: tf.variable_scope (TensorFlow 1.15).
#ifndef STATICFLOW_GRAPH_VARIABLE_SCOPE_H_
#define STATICFLOW_GRAPH_VARIABLE_SCOPE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "graph/graph.h"

namespace staticflow {

// Builds the initial value of a variable. REQUIRES of callers: the shape is fully defined.
using Initializer = std::function<Output(Graph& g, DataType dtype, const Shape& shape)>;
// Builds a scalar loss from a variable's value.
using Regularizer = std::function<Output(Output value)>;

enum class Reuse {
  kInherit,    // what the scope around says; kNoReuse at the root
  kNoReuse,    // every variable is new: a second one of the same name is an error
  kReuse,      // every variable exists already
  kAutoReuse,  // shared when it exists, new otherwise
};

struct VariableScopeOptions {
  Reuse reuse = Reuse::kInherit;  // kNoReuse does not undo the kReuse of a scope around, as in TensorFlow
  Initializer initializer = nullptr;
  Regularizer regularizer = nullptr;
  DataType dtype = DT_INVALID;
  std::optional<bool> use_resource = std::nullopt;
  std::string default_name = "";     // with an empty name: made unique among the scopes around it
  bool auxiliary_name_scope = true;  // whether to open a name scope as well
};

// What a scope has settled; a value that can be kept and entered again.
struct VariableScopeSettings {
  std::string name = "";                 // "a/b"
  std::string original_name_scope = "";  // "a/b/", or "a_1/b/" where that was taken
  Reuse reuse = Reuse::kNoReuse;
  Initializer initializer = nullptr;
  Regularizer regularizer = nullptr;
  DataType dtype = DT_FLOAT;
  bool use_resource = false;
};

// The scopes and shared variables of one graph; Graph::variable_scope_state().
class VariableScopeState {
 public:
  const VariableScopeSettings& current() const { return current_; }
  // "a/b/w" for "w" in the scope "a/b"; "" is the scope's own name.
  std::string FullName(absl::string_view name) const;
  // The variable that GetVariable made under the full name; null when there is none.
  const Variable* Find(absl::string_view full_name) const;
  void Add(absl::string_view full_name, const Variable& variable) { variables_[std::string(full_name)] = &variable; }

 private:
  friend class VariableScope;
  std::string UniqueScopeName(absl::string_view prefix) const;
  int& OpenCount(const std::string& scope) { return open_counts_[scope]; }
  void ForgetSubscopes(absl::string_view scope);

  VariableScopeSettings current_;
  absl::flat_hash_map<std::string, const Variable*> variables_;
  absl::flat_hash_map<std::string, int> open_counts_;  // how often each scope was opened within the open ones
};

class VariableScope {
 public:
  // Opens the scope `name` inside the current one.
  VariableScope(Graph& g, absl::string_view name, const VariableScopeOptions& options = {});
  // Enters `scope` again, wherever it was opened; nodes get a new name scope of its last component.
  VariableScope(Graph& g, const VariableScopeSettings& scope, const VariableScopeOptions& options = {});
  ~VariableScope();
  VariableScope(const VariableScope&) = delete;
  VariableScope& operator=(const VariableScope&) = delete;

  const std::string& name() const { return settings_.name; }
  const std::string& original_name_scope() const { return settings_.original_name_scope; }
  const VariableScopeSettings& settings() const { return settings_; }

 private:
  void Enter(const VariableScopeOptions& options);

  Graph& graph_;
  VariableScopeSettings outer_;
  VariableScopeSettings settings_;
  bool is_jump_ = false;
  absl::flat_hash_map<std::string, int> outer_counts_;  // of a jump, which leaves no trace
  std::unique_ptr<NameScope> name_scope_;
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_VARIABLE_SCOPE_H_
