#include "graph/gradients.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/node_builder.h"
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

// One reverse walk from ys to xs.
class Backprop {
 public:
  Backprop(Graph& graph, absl::Span<const Output> ys, absl::Span<const Output> xs, const GradientOptions& options,
           SourceLine line)
      : graph_(graph), ys_(ys), xs_(xs), options_(options), line_(std::move(line)) {}

  absl::StatusOr<std::vector<SlicesOrDense>> Run();

 private:
  // Nodes that lie on some path from an x to a y; the walk stays among them.
  void FindBetween();
  absl::Status SeedOutputs();
  absl::Status Visit(Node& node);
  void Add(Output output, Output gradient);
  // All slices that came for `output`, as one; invalid when none did or they have different index types.
  IndexedSlices TotalSlices(Output output);
  Output TotalGradient(Output output);
  // Whether the node hands on what it got, and that is slices alone; they are then its input's.
  bool PassesSlicesOn(const Node& node);
  std::string PathToY(const Node& node) const;
  SlicesOrDense GradientOfX(Output x);
  bool IsStopped(Output output) const;

  Graph& graph_;
  absl::Span<const Output> ys_;
  absl::Span<const Output> xs_;
  const GradientOptions& options_;
  SourceLine line_;
  std::vector<bool> from_x_;                           // by node id: reachable from some x
  absl::flat_hash_map<const Node*, Node*> towards_y_;  // a consumer on the way to a y
  std::vector<Node*> order_;                           // nodes to visit, consumers first
  absl::flat_hash_map<Output, std::vector<Output>> gradients_;
  absl::flat_hash_map<Output, std::vector<IndexedSlices>> slices_;
  absl::flat_hash_set<Output> stopped_;
  std::vector<std::string> failures_;
};

bool Backprop::IsStopped(Output output) const { return stopped_.contains(output); }

void Backprop::FindBetween() {
  stopped_.insert(options_.stop_gradients.begin(), options_.stop_gradients.end());
  const int n = graph_.num_nodes();
  from_x_.assign(n, false);
  for (Output x : xs_) from_x_[x.node()->id()] = true;
  // Back edges of loops point to later nodes; a few sweeps reach everything they carry.
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& node : graph_.nodes()) {
      if (from_x_[node->id()]) continue;
      for (Output input : node->inputs()) {
        if (!from_x_[input.node()->id()] || IsStopped(input)) continue;
        from_x_[node->id()] = true;
        changed |= input.node()->id() > node->id();
        break;
      }
    }
  }
  // Backwards from the ys, within those; a node comes before everything it uses.
  std::vector<bool> reached(n, false);
  std::vector<Node*> stack;
  for (Output y : ys_) {
    if (!from_x_[y.node()->id()] || reached[y.node()->id()]) continue;
    reached[y.node()->id()] = true;
    stack.push_back(y.node());
  }
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    for (Output input : node->inputs()) {
      Node* source = input.node();
      if (!from_x_[source->id()] || reached[source->id()] || IsStopped(input)) continue;
      reached[source->id()] = true;
      towards_y_[source] = node;
      stack.push_back(source);
    }
  }
  // A post-order over the inputs, reversed, puts consumers first whatever the order of creation.
  std::vector<char> state(n, 0);
  std::vector<std::pair<Node*, int>> path;
  std::vector<Node*> post;
  for (Output y : ys_) {
    if (!reached[y.node()->id()] || state[y.node()->id()]) continue;
    state[y.node()->id()] = 1;
    path.push_back({y.node(), 0});
    while (!path.empty()) {
      auto& [node, next] = path.back();
      if (next == node->num_inputs()) {
        post.push_back(node);
        path.pop_back();
        continue;
      }
      Node* source = node->input(next++).node();
      if (reached[source->id()] && !state[source->id()]) {
        state[source->id()] = 1;
        path.push_back({source, 0});
      }
    }
  }
  order_.assign(post.rbegin(), post.rend());
}

absl::Status Backprop::SeedOutputs() {
  if (!options_.grad_ys.empty() && options_.grad_ys.size() != ys_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("Gradients: got ", options_.grad_ys.size(), " grad_ys for ", ys_.size(), " ys"));
  }
  for (size_t i = 0; i < ys_.size(); ++i) {
    const Output y = ys_[i];
    Output seed = options_.grad_ys.empty() ? Output() : options_.grad_ys[i];
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

std::string Backprop::PathToY(const Node& node) const {
  constexpr size_t kMaxNames = 12;
  std::vector<std::string> names = {node.name()};
  for (auto it = towards_y_.find(&node); it != towards_y_.end(); it = towards_y_.find(it->second)) {
    if (names.size() == kMaxNames) {
      names.push_back("...");
      break;
    }
    names.push_back(it->second->name());
  }
  return absl::StrJoin(names, " -> ");
}

bool Backprop::PassesSlicesOn(const Node& node) {
  if (!node.op().is(OpRole::kIdentity) && !node.op().is(OpRole::kReadVariable)) return false;
  const Output y = node.output(0), x = node.input(0);
  const auto it = slices_.find(y);
  if (it == slices_.end() || gradients_.contains(y) || !from_x_[x.node()->id()] || IsStopped(x)) return false;
  const std::vector<IndexedSlices> passed = it->second;  // y keeps its own: it may be an x, too
  std::vector<IndexedSlices>& of_x = slices_[x];
  of_x.insert(of_x.end(), passed.begin(), passed.end());
  return true;
}

absl::Status Backprop::Visit(Node& node) {
  const bool leads_to_x = std::any_of(node.inputs().begin(), node.inputs().end(), [&](Output input) {
    return from_x_[input.node()->id()] && !IsStopped(input) && IsDifferentiableType(input.dtype());
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
  graph_.set_line_override(node.where().file.empty() ? line_ : node.where());
  NameScope scope(graph_, absl::StrCat(node.name(), "_grad"));
  if (node.op().spec.gradient == nullptr) {
    context.Fail("no gradient is registered for it");
  } else {
    node.op().spec.gradient(context);
  }
  if (!context.failure().empty()) {
    failures_.push_back(absl::StrCat(node.DebugName(), ": ", context.failure(), " (path: ", PathToY(node), ")"));
    return absl::OkStatus();
  }
  SF_RETURN_IF_ERROR(graph_.status());
  for (int i = 0; i < node.num_inputs(); ++i) {
    if (!from_x_[node.input(i).node()->id()] || IsStopped(node.input(i))) continue;
    if (context.sparse_dx(i).values.valid()) slices_[node.input(i)].push_back(context.sparse_dx(i));
    Add(node.input(i), context.dx(i));
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
  FindBetween();
  SF_RETURN_IF_ERROR(SeedOutputs());
  for (Node* node : order_) SF_RETURN_IF_ERROR(Visit(*node));
  if (!failures_.empty()) {
    // A failure on a path that no x needs for its only gradient still counts: the sum would be wrong without it.
    return absl::UnimplementedError(absl::StrCat("Gradients: cannot differentiate through ", failures_.size(),
                                                 " op(s): ", absl::StrJoin(failures_, "; ")));
  }
  graph_.set_line_override(line_);
  std::vector<SlicesOrDense> result;
  for (Output x : xs_) {
    result.push_back(GradientOfX(x));
    if (!result.back().is_slices() && !result.back().dense.valid() && options_.unconnected == Unconnected::kZero) {
      result.back().dense = BuildUnary(OpRole::kZerosLike, x);
    }
  }
  SF_RETURN_IF_ERROR(graph_.status());
  return result;
}

}  // namespace

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
  absl::StatusOr<std::vector<SlicesOrDense>> result = [&] {
    NameScope scope(*graph, options.name);
    return Backprop(*graph, ys, xs, options, line).Run();
  }();
  graph->set_line_override(outer_override);
  if (result.ok()) return *std::move(result);
  graph->RecordError(
      Annotate(result.status(), graph->status().ok() ? absl::StrCat("(", line.file, ":", line.line, ") ") : ""));
  return failed;
}

}  // namespace staticflow
