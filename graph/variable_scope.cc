#include "graph/variable_scope.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace staticflow {

std::string VariableScopeState::FullName(absl::string_view name) const {
  if (current_.name.empty() || name.empty()) return absl::StrCat(current_.name, name);
  return absl::StrCat(current_.name, "/", name);
}

const Variable* VariableScopeState::Find(absl::string_view full_name) const {
  auto it = variables_.find(full_name);
  return it == variables_.end() ? nullptr : it->second;
}

std::string VariableScopeState::UniqueScopeName(absl::string_view prefix) const {
  const auto is_open = [&](absl::string_view name) {
    auto it = open_counts_.find(FullName(name));
    return it != open_counts_.end() && it->second > 0;
  };
  std::string name(prefix);
  for (int i = 1; is_open(name); ++i) name = absl::StrCat(prefix, "_", i);
  return name;
}

void VariableScopeState::ForgetSubscopes(absl::string_view scope) {
  const std::string prefix = scope.empty() ? "" : absl::StrCat(scope, "/");
  for (auto& [name, count] : open_counts_) {
    if (name != scope && absl::StartsWith(name, prefix)) count = 0;
  }
}

VariableScope::VariableScope(Graph& g, absl::string_view name, const VariableScopeOptions& options)
    : graph_(g), outer_(g.variable_scope_state().current()), settings_(outer_) {
  VariableScopeState& state = g.variable_scope_state();
  const std::string wish = name.empty() ? options.default_name : std::string(name);
  const std::string own = name.empty() && !wish.empty() ? state.UniqueScopeName(wish) : std::string(name);
  if (!own.empty()) {
    settings_.name = state.FullName(own);
    settings_.original_name_scope = settings_.name + "/";
    if (options.auxiliary_name_scope) {
      name_scope_ = std::make_unique<NameScope>(g, wish);
      settings_.original_name_scope = name_scope_->name();
    }
  }
  Enter(options);
}

VariableScope::VariableScope(Graph& g, const VariableScopeSettings& scope, const VariableScopeOptions& options)
    : graph_(g),
      outer_(g.variable_scope_state().current()),
      settings_(scope),
      is_jump_(true),
      outer_counts_(g.variable_scope_state().open_counts_) {
  const size_t slash = scope.name.rfind('/');
  const std::string last = slash == std::string::npos ? scope.name : scope.name.substr(slash + 1);
  if (options.auxiliary_name_scope && !last.empty()) name_scope_ = std::make_unique<NameScope>(g, last);
  Enter(options);
}

void VariableScope::Enter(const VariableScopeOptions& options) {
  const bool reusing = settings_.reuse == Reuse::kReuse || settings_.reuse == Reuse::kAutoReuse;
  const bool inherits = options.reuse == Reuse::kInherit || (options.reuse == Reuse::kNoReuse && reusing);
  if (!inherits) settings_.reuse = options.reuse;
  if (options.initializer) settings_.initializer = options.initializer;
  if (options.regularizer) settings_.regularizer = options.regularizer;
  if (options.dtype != DT_INVALID) settings_.dtype = options.dtype;
  if (options.use_resource.has_value()) settings_.use_resource = *options.use_resource;
  VariableScopeState& state = graph_.variable_scope_state();
  ++state.OpenCount(settings_.name);
  state.current_ = settings_;
}

VariableScope::~VariableScope() {
  VariableScopeState& state = graph_.variable_scope_state();
  if (is_jump_) {
    state.open_counts_ = std::move(outer_counts_);
  } else if (settings_.name != outer_.name) {
    state.ForgetSubscopes(settings_.name);
  }
  state.current_ = std::move(outer_);
}

}  // namespace staticflow
