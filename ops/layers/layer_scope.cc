#include "ops/layers/layer_scope.h"

#include "absl/strings/str_cat.h"
#include "graph/dtype.h"
#include "graph/source_line.h"

namespace staticflow::layers {

LayerScope::LayerScope(Graph& g, const LayerScopeOptions& options)
    : graph_(g),
      kind_(options.kind),
      where_(options.where),
      first_node_(g.num_nodes()),
      outer_line_(g.line_override()) {
  if (!outer_line_.has_value()) graph_.set_line_override(LineOf(where_));
  scope_.emplace(g, options.name, VariableScopeOptions{.reuse = options.reuse, .default_name = options.default_name});
  if (options.reuse == Reuse::kReuse && options.name.empty()) Fail("reuse needs the name of the layer to share");
}

LayerScope::~LayerScope() {
  scope_.reset();
  if (graph_.num_nodes() > first_node_) graph_.nodes().back()->SetExtraAttr("_layer", kind_);
  graph_.set_line_override(outer_line_);
}

Output LayerScope::Fail(absl::string_view message) const {
  const SourceLine& line = *graph_.line_override();
  graph_.RecordError(absl::InvalidArgumentError(
      absl::StrCat(kind_, " '", scope_->name(), "' (", line.file, ":", line.line, "): ", message)));
  return Output();
}

bool LayerScope::Accepts(Output x, int min_rank, int max_rank, bool floating) const {
  if (!graph_.status().ok()) return false;
  if (!x.valid()) return Fail("the input is no output of any node").valid();
  if (&x.graph() != &graph_) {
    x.graph().RecordError(absl::InvalidArgumentError(
        absl::StrCat("'", x.name(), "' is the input of a layer that is built in another graph")));
    return Fail(absl::StrCat("the input '", x.name(), "' is of another graph")).valid();
  }
  if (floating && !IsFloating(x.dtype())) {
    return Fail(absl::StrCat("the input '", x.name(), "' is ", DataTypeName(x.dtype()), ", expected a floating type"))
        .valid();
  }
  const int rank = x.shape().rank();
  if (rank >= min_rank && rank <= max_rank) return true;
  const std::string expected = min_rank == max_rank                ? absl::StrCat(min_rank)
                               : max_rank == Shape::kMaxKernelRank ? absl::StrCat(min_rank, " or more")
                                                                   : absl::StrCat(min_rank, " to ", max_rank);
  return Fail(absl::StrCat("the input '", x.name(), "' has shape ", x.shape().ToString(), ", expected rank ", expected))
      .valid();
}

Variable LayerScope::Weight(absl::string_view name, GetVariableOptions options) const {
  options.where = where_;
  return GetVariable(graph_, name, options);
}

}  // namespace staticflow::layers
