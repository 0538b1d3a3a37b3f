#include "ops/train/operands.h"

#include "absl/strings/str_cat.h"
#include "graph/source_line.h"
#include "ops/array.h"
#include "ops/math.h"

namespace staticflow {

FunctionScope::FunctionScope(Graph& g, absl::string_view name, absl::string_view default_name,
                             const std::source_location& where, Kind kind)
    : graph_(g), outer_line_(g.line_override()) {
  if (!outer_line_.has_value()) graph_.set_line_override(LineOf(where));
  if (kind == Kind::kVariables) {
    variable_scope_.emplace(g, name, VariableScopeOptions{.default_name = std::string(default_name)});
  } else {
    name_scope_.emplace(g, name.empty() ? default_name : name);
  }
  name_ = g.name_scope().substr(0, g.name_scope().size() - 1);
}

FunctionScope::~FunctionScope() {
  name_scope_.reset();
  variable_scope_.reset();
  graph_.set_line_override(outer_line_);
}

Output FunctionScope::Fail(absl::string_view message) const {
  const SourceLine& line = *graph_.line_override();
  graph_.RecordError(absl::InvalidArgumentError(absl::StrCat(name_, " (", line.file, ":", line.line, "): ", message)));
  return Output();
}

bool FunctionScope::SameShape(absl::string_view a_name, Output a, absl::string_view b_name, Output b) const {
  if (!a.valid() || !b.valid()) return false;
  if (a.shape().IsCompatibleWith(b.shape())) return true;
  Fail(absl::StrCat(a_name, " '", a.name(), "' has shape ", a.shape().ToString(), ", ", b_name, " '", b.name(),
                    "' has shape ", b.shape().ToString(), "; expected one shape"));
  return false;
}

Output FunctionScope::Broadcast(Output weights, Output values) const {
  if (!weights.valid() || !values.valid()) return Output();
  weights = Cast(weights, values.dtype());
  if (!weights.valid()) return Output();
  const Shape& shape = weights.shape();
  const Shape& target = values.shape();
  if (shape.rank() == 1 && target.rank() > 1) {
    std::vector<int64_t> dims(static_cast<size_t>(target.rank()), 1);
    dims[0] = shape.dim(0);
    weights = Reshape(weights, dims);
    if (!weights.valid()) return Output();
  }
  bool fits = shape.rank() <= target.rank() || target.rank() < 0;
  const int offset = target.rank() - weights.shape().rank();
  for (int i = 0; fits && i < weights.shape().rank() && offset >= 0; ++i) {
    const int64_t w = weights.shape().dim(i), v = target.dim(offset + i);
    fits = w < 0 || v < 0 || w == 1 || w == v;
  }
  if (!fits) {
    return Fail(
        absl::StrCat("the weights have shape ", shape.ToString(), ", which does not broadcast to ", target.ToString()));
  }
  return weights * OnesLike(values);
}

Output AsFloat(Output x) { return !x.valid() || IsFloating(x.dtype()) ? x : Cast(x, DT_FLOAT); }

}  // namespace staticflow
