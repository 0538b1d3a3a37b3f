#include "graph/gradients.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/backprop.h"
#include "graph/function_inliner.h"
#include "graph/loop_frames.h"
#include "graph/source_line.h"
#include "graph/status.h"

namespace staticflow {
namespace {

// A file may have nodes in the scope `name`, which is then not ours: by the scope, arrays of gradients tell one call
// from another.
void LeaveScopesOfFiles(Graph& graph, const std::string& name) {
  const std::string scope = absl::StrCat(graph.name_scope(), name);
  if (graph.UniqueName(name, false) != scope) return;
  const std::string prefix = absl::StrCat(scope, "/");
  const bool is_taken = std::any_of(graph.nodes().begin(), graph.nodes().end(),
                                    [&](const auto& node) { return absl::StartsWith(node->name(), prefix); });
  if (is_taken) graph.UniqueName(name);
}

// The frame that ys and the open context are in. InvalidArgument when they are in different ones, or an x is in a loop
// that they are not in.
absl::StatusOr<int> LevelOf(const Graph& graph, const LoopFrames& frames, absl::Span<const Output> ys,
                            absl::Span<const Output> xs) {
  const WhileContext* open = LoopAround(graph.context());
  int level = 0;
  if (open != nullptr && !open->variables().empty()) level = frames.FrameOf(*open->variables()[0].enter);
  for (Output y : ys) {
    if (frames.FrameOf(*y.node()) == level) continue;
    return absl::InvalidArgumentError(absl::StrCat("Gradients: y ", y.node()->DebugName(),
                                                   " is not in the loop (or outside of loops) where its gradient is "
                                                   "to be built"));
  }
  for (Output x : xs) {
    const int frame = frames.FrameOf(*x.node());
    if (frame == 0 || frame == level || frames.ChildOf(frame, level) > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("Gradients: x ", x.node()->DebugName(), " is inside a loop, where ys are not"));
  }
  return level;
}

}  // namespace

std::vector<Output> Gradients(absl::Span<const Output> ys, absl::Span<const Output> xs, const GradientOptions& options,
                              std::source_location where) {
  const std::vector<SlicesOrDense> gradients = GradientsOrSlices(ys, xs, options, where);
  std::vector<Output> result;
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].is_slices()) {
      result.push_back(gradients[i].dense);
      continue;
    }
    Graph& graph = xs[i].graph();
    const std::optional<SourceLine> outer_override = graph.line_override();
    graph.set_line_override(LineOf(where));
    const NameScope scope(graph, options.name);
    result.push_back(Densify(gradients[i]));
    graph.set_line_override(outer_override);
  }
  return result;
}

std::vector<SlicesOrDense> GradientsOrSlices(absl::Span<const Output> ys, absl::Span<const Output> xs,
                                             const GradientOptions& options, std::source_location where) {
  const std::vector<SlicesOrDense> failed(xs.size());
  Graph* graph = nullptr;
  for (Output y : ys) {
    if (!y.valid()) return failed;
    graph = &y.graph();
  }
  if (graph == nullptr || !graph->status().ok()) return failed;
  const SourceLine line = LineOf(where);
  for (Output x : xs) {
    if (x.valid() && &x.graph() == graph) continue;
    graph->RecordError(absl::InvalidArgumentError(
        absl::StrCat("Gradients (", line.file, ":", line.line, "): an x is no output of this graph")));
    return failed;
  }
  const std::optional<SourceLine> outer_override = graph->line_override();
  absl::StatusOr<std::vector<SlicesOrDense>> result = [&]() -> absl::StatusOr<std::vector<SlicesOrDense>> {
    SF_RETURN_IF_ERROR(InlineCallsBetween(ys, xs));
    LeaveScopesOfFiles(*graph, options.name);
    const NameScope scope(*graph, options.name);
    SF_ASSIGN_OR_RETURN(LoopFrames frames, LoopFrames::Find(*graph));
    SF_ASSIGN_OR_RETURN(const int level, LevelOf(*graph, frames, ys, xs));
    GradientWalks walks{*graph, frames, StackLinks(*graph), options, line, scope.name()};
    return Backprop(walks, level, ys, xs, options.grad_ys, true).Run();
  }();
  graph->set_line_override(outer_override);
  if (result.ok()) return *std::move(result);
  graph->RecordError(
      Annotate(result.status(), graph->status().ok() ? absl::StrCat("(", line.file, ":", line.line, ") ") : ""));
  return failed;
}

}  // namespace staticflow
