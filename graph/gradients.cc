#include "graph/gradients.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/function_inliner.h"
#include "graph/gradient_path.h"
#include "graph/loop_gradient.h"
#include "graph/node_builder.h"
#include "graph/node_gradient.h"
#include "graph/source_line.h"
#include "graph/status.h"

namespace staticflow {
namespace {

Output BuildUnary(OpRole role, Output x) { return NodeBuilder(OpWithRole(role).name(), {x}).Build(); }

bool IsDifferentiableType(DataType dtype) {
  return IsFloating(dtype) || IsComplex(dtype) || dtype == DT_RESOURCE || dtype == DT_VARIANT;
}

// Filled before main() by the family of ops that gathers and scatters.
Output (*densify_slices)(const IndexedSlices&) = nullptr;
IndexedSlices (*concatenate_slices)(absl::Span<const IndexedSlices>) = nullptr;

LoopGradientFunction differentiate_loop = nullptr;

// What the walks of one call share.
struct Walks {
  Graph& graph;
  LoopFrames& frames;
  const GradientOptions& options;
  SourceLine line;
  std::string scope;  // "gradients/": of all nodes but those that stand around loops
};

// One reverse walk from ys to xs, which are in frame `level`; loops inside that are one step of it.
class Backprop {
 public:
  Backprop(Walks& walks, int level, absl::Span<const Output> ys, absl::Span<const Output> xs,
           absl::Span<const Output> grad_ys, bool is_outermost)
      : walks_(walks),
        graph_(walks.graph),
        is_outermost_(is_outermost),
        ys_(ys),
        xs_(xs),
        grad_ys_(grad_ys),
        stopped_(walks.options.stop_gradients.begin(), walks.options.stop_gradients.end()),
        path_(graph_, walks.frames, level, ys, xs, stopped_) {}

  absl::StatusOr<std::vector<SlicesOrDense>> Run();

 private:
  absl::Status SeedOutputs();
  absl::Status Visit(Node& node);
  absl::Status VisitLoop(int loop);
  void Fail(const Node& node, absl::string_view reason) {
    failures_.push_back(absl::StrCat(node.DebugName(), ": ", reason, " (path: ", path_.ToY(node), ")"));
  }
  // Whether a gradient by `output` would reach an x.
  bool LeadsToX(Output output) const {
    return output.valid() && path_.FromX(*output.node()) && !stopped_.contains(output);
  }
  void Add(Output output, Output gradient);
  void Add(Output output, const SlicesOrDense& gradient);
  // All slices that came for `output`, as one; invalid when none did or they have different index types.
  IndexedSlices TotalSlices(Output output);
  Output TotalGradient(Output output);
  // Whether the node hands on what it got, and that is slices alone; they are then its input's.
  bool PassesSlicesOn(const Node& node);
  // What arrived at the Exits of a loop, by its variables.
  std::vector<Output> ExitGradients(int loop);
  SlicesOrDense GradientOfX(Output x);

  Walks& walks_;
  Graph& graph_;
  const bool is_outermost_;
  absl::Span<const Output> ys_;
  absl::Span<const Output> xs_;
  absl::Span<const Output> grad_ys_;
  const absl::flat_hash_set<Output> stopped_;
  const GradientPath path_;
  absl::flat_hash_map<Output, std::vector<Output>> gradients_;
  absl::flat_hash_map<Output, std::vector<IndexedSlices>> slices_;
  std::vector<std::string> failures_;
};

absl::Status Backprop::SeedOutputs() {
  if (!grad_ys_.empty() && grad_ys_.size() != ys_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("Gradients: got ", grad_ys_.size(), " grad_ys for ", ys_.size(), " ys"));
  }
  for (size_t i = 0; i < ys_.size(); ++i) {
    const Output y = ys_[i];
    Output seed = grad_ys_.empty() ? Output() : grad_ys_[i];
    if (!IsDifferentiableType(y.dtype())) {
      return absl::InvalidArgumentError(absl::StrCat("Gradients: y ", y.node()->DebugName(), " is ",
                                                     DataTypeName(y.dtype()), ", expected a floating type"));
    }
    if (!seed.valid()) {
      NameScope scope(graph_, absl::StrCat("grad_ys_", i));
      seed = BuildUnary(OpRole::kOnesLike, y);
    } else if (seed.dtype() != y.dtype() || !seed.shape().IsCompatibleWith(y.shape())) {
      return absl::InvalidArgumentError(absl::StrCat("Gradients: grad_ys[", i, "] is ", DataTypeName(seed.dtype()),
                                                     seed.shape().ToString(), ", but ", y.node()->DebugName(), " is ",
                                                     DataTypeName(y.dtype()), y.shape().ToString()));
    }
    Add(y, seed);
  }
  return absl::OkStatus();
}

void Backprop::Add(Output output, Output gradient) {
  if (gradient.valid()) gradients_[output].push_back(gradient);
}

void Backprop::Add(Output output, const SlicesOrDense& gradient) {
  if (gradient.is_slices()) slices_[output].push_back(gradient.slices);
  Add(output, gradient.dense);
}

IndexedSlices Backprop::TotalSlices(Output output) {
  const auto it = slices_.find(output);
  if (it == slices_.end()) return {};
  std::vector<IndexedSlices>& parts = it->second;
  const DataType type = parts[0].indices.dtype();
  if (std::any_of(parts.begin(), parts.end(), [type](const auto& s) { return s.indices.dtype() != type; })) return {};
  if (parts.size() > 1) parts = {concatenate_slices(parts)};
  return parts[0];
}

Output Backprop::TotalGradient(Output output) {
  if (slices_.contains(output)) {
    if (const IndexedSlices total = TotalSlices(output); total.values.valid()) {
      Add(output, densify_slices(total));
    } else {
      for (const IndexedSlices& part : slices_[output]) Add(output, densify_slices(part));
    }
    slices_.erase(output);
  }
  auto it = gradients_.find(output);
  if (it == gradients_.end()) return Output();
  if (it->second.size() > 1) {
    it->second = {NodeBuilder(OpWithRole(OpRole::kSum).name(), {}).Inputs(it->second).Build()};
  }
  return it->second[0];
}

bool Backprop::PassesSlicesOn(const Node& node) {
  if (!node.op().is(OpRole::kIdentity) && !node.op().is(OpRole::kReadVariable)) return false;
  const Output y = node.output(0), x = node.input(0);
  const auto it = slices_.find(y);
  if (it == slices_.end() || gradients_.contains(y) || !LeadsToX(x)) return false;
  const std::vector<IndexedSlices> passed = it->second;  // y keeps its own: it may be an x, too
  std::vector<IndexedSlices>& of_x = slices_[x];
  of_x.insert(of_x.end(), passed.begin(), passed.end());
  return true;
}

absl::Status Backprop::Visit(Node& node) {
  const bool leads_to_x = std::any_of(node.inputs().begin(), node.inputs().end(), [&](Output input) {
    return LeadsToX(input) && IsDifferentiableType(input.dtype());
  });
  if (!leads_to_x || node.op().is(OpRole::kStopGradient) || PassesSlicesOn(node)) return absl::OkStatus();
  std::vector<Output> dys;
  bool any = false;
  for (int i = 0; i < node.num_outputs(); ++i) {
    const bool flows = IsDifferentiableType(node.output_dtype(i));
    dys.push_back(flows ? TotalGradient(node.output(i)) : Output());
    any |= dys.back().valid();
  }
  if (!any) return absl::OkStatus();
  GradientContext context(node, dys);
  graph_.set_line_override(node.where().file.empty() ? walks_.line : node.where());
  NameScope scope(graph_, absl::StrCat(node.name(), "_grad"));
  if (LoopFrames::IsHeader(node)) {
    context.Fail("a gradient inside a loop goes by what its body sees, not by what it began with");
  } else {
    DifferentiateNode(context);
  }
  if (!context.failure().empty()) {
    Fail(node, context.failure());
    return absl::OkStatus();
  }
  SF_RETURN_IF_ERROR(graph_.status());
  for (int i = 0; i < node.num_inputs(); ++i) {
    if (!LeadsToX(node.input(i))) continue;
    Add(node.input(i), SlicesOrDense{.dense = context.dx(i), .slices = context.sparse_dx(i)});
  }
  return absl::OkStatus();
}

std::vector<Output> Backprop::ExitGradients(int loop) {
  const std::vector<WhileContext::Variable> variables = walks_.frames.frame(loop).variables;
  std::vector<std::vector<Output>> parts(variables.size());
  const int n = graph_.num_nodes();  // sums that are added here are no Exits
  for (int id = 0; id < n; ++id) {
    Node& node = *graph_.nodes()[id];
    if (!node.op().is(OpRole::kExit) || !path_.Between(node) || !IsDifferentiableType(node.output_dtype(0))) continue;
    for (size_t i = 0; i < variables.size(); ++i) {
      if (variables[i].switch_node == nullptr || node.input(0) != variables[i].switch_node->output(0)) continue;
      if (const Output gradient = TotalGradient(node.output(0)); gradient.valid()) parts[i].push_back(gradient);
    }
  }
  std::vector<Output> totals;
  for (const std::vector<Output>& part : parts) {
    totals.push_back(part.empty() ? Output() : part[0]);
    if (part.size() > 1) totals.back() = NodeBuilder(OpWithRole(OpRole::kSum).name(), {}).Inputs(part).Build();
  }
  return totals;
}

absl::Status Backprop::VisitLoop(int loop) {
  const LoopFrame frame = walks_.frames.frame(loop);
  if (frame.condition == nullptr) return absl::OkStatus();
  const auto* context = dynamic_cast<const WhileContext*>(frame.condition->context());
  if (context != nullptr && !context->settings().back_prop) return absl::OkStatus();
  LoopGradient request{.frames = walks_.frames, .frame = loop};
  request.exit_gradients = ExitGradients(loop);
  bool any = false;
  for (size_t i = 0; i < frame.variables.size(); ++i) {
    const Node& merge = *frame.variables[i].merge;
    request.active.push_back(path_.Between(merge) && IsDifferentiableType(merge.output_dtype(0)));
    any |= request.active.back() && request.exit_gradients[i].valid();
  }
  for (const Node* enter : frame.constants) {
    request.wanted.push_back(path_.Between(*enter) && IsDifferentiableType(enter->output_dtype(0)));
  }
  if (!any) return absl::OkStatus();
  for (const auto& node : graph_.nodes()) {
    if (node->op().is(OpRole::kStackPop) && path_.Between(*node)) {
      Fail(*node, "it takes what an earlier gradient kept; there is no second gradient through a loop");
      return absl::OkStatus();
    }
  }
  request.initial_gradients.resize(frame.variables.size());
  request.constant_gradients.resize(frame.constants.size());
  request.densify = [](const SlicesOrDense& g) { return g.is_slices() ? densify_slices(g.slices) : g.dense; };
  request.differentiate = [&](auto ys, auto xs, auto grad_ys) {
    const NameScope scope(graph_, walks_.scope);
    return Backprop(walks_, loop, ys, xs, grad_ys, false).Run();
  };
  if (differentiate_loop == nullptr) {
    Fail(*frame.condition, "no gradient of loops is registered");
    return absl::OkStatus();
  }
  graph_.set_line_override(frame.condition->where().file.empty() ? walks_.line : frame.condition->where());
  {
    const absl::string_view name = absl::string_view(frame.name).substr(0, frame.name.rfind('/'));
    const NameScope scope(graph_, absl::StrCat(name, "_grad"));
    SF_RETURN_IF_ERROR(differentiate_loop(request));
    SF_RETURN_IF_ERROR(graph_.status());
  }
  for (size_t i = 0; i < frame.variables.size(); ++i) {
    const Output initial = frame.variables[i].enter->input(0);
    if (LeadsToX(initial)) Add(initial, request.initial_gradients[i]);
  }
  for (size_t k = 0; k < frame.constants.size(); ++k) {
    const Output constant = frame.constants[k]->input(0);
    if (LeadsToX(constant)) Add(constant, request.constant_gradients[k]);
  }
  return absl::OkStatus();
}

SlicesOrDense Backprop::GradientOfX(Output x) {
  if (!gradients_.contains(x)) {
    if (const IndexedSlices total = TotalSlices(x); total.values.valid()) return {.dense = Output(), .slices = total};
  }
  return {.dense = TotalGradient(x), .slices = {}};
}

absl::StatusOr<std::vector<SlicesOrDense>> Backprop::Run() {
  SF_RETURN_IF_ERROR(SeedOutputs());
  for (const GradientUnit& unit : path_.units()) {
    SF_RETURN_IF_ERROR(unit.node != nullptr ? Visit(*unit.node) : VisitLoop(unit.loop));
  }
  if (!failures_.empty()) {
    // A failure on a path that no x needs for its only gradient still counts: the sum would be wrong without it.
    return absl::UnimplementedError(absl::StrCat("Gradients: cannot differentiate through ", failures_.size(),
                                                 " op(s): ", absl::StrJoin(failures_, "; ")));
  }
  graph_.set_line_override(walks_.line);
  std::vector<SlicesOrDense> result;
  for (Output x : xs_) {
    result.push_back(GradientOfX(x));
    if (!result.back().is_slices() && !result.back().dense.valid() &&
        walks_.options.unconnected == Unconnected::kZero && is_outermost_) {
      result.back().dense = BuildUnary(OpRole::kZerosLike, x);
    }
  }
  SF_RETURN_IF_ERROR(graph_.status());
  return result;
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

LoopGradientRegistrar::LoopGradientRegistrar(LoopGradientFunction function) { differentiate_loop = function; }

SlicesRegistrar::SlicesRegistrar(Output (*densify)(const IndexedSlices&),
                                 IndexedSlices (*concatenate)(absl::Span<const IndexedSlices>)) {
  densify_slices = densify;
  concatenate_slices = concatenate;
}

GradientContext::GradientContext(Node& node, absl::Span<const Output> output_gradients)
    : node_(node),
      dy_(output_gradients.begin(), output_gradients.end()),
      dx_(node.num_inputs()),
      sparse_dx_(node.num_inputs()) {}

Output GradientContext::dy(int i) const {
  return dy_[i].valid() ? dy_[i] : BuildUnary(OpRole::kZerosLike, node_.output(i));
}

void GradientContext::Fail(absl::string_view reason) { failure_ = std::string(reason); }

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
    result.push_back(densify_slices(gradients[i].slices));
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
    const NameScope scope(*graph, options.name);
    SF_ASSIGN_OR_RETURN(LoopFrames frames, LoopFrames::Find(*graph));
    SF_ASSIGN_OR_RETURN(const int level, LevelOf(*graph, frames, ys, xs));
    Walks walks{*graph, frames, options, line, scope.name()};
    return Backprop(walks, level, ys, xs, options.grad_ys, true).Run();
  }();
  graph->set_line_override(outer_override);
  if (result.ok()) return *std::move(result);
  graph->RecordError(
      Annotate(result.status(), graph->status().ok() ? absl::StrCat("(", line.file, ":", line.line, ") ") : ""));
  return failed;
}

}  // namespace staticflow
