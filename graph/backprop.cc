#include "graph/backprop.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/node_builder.h"
#include "graph/node_gradient.h"
#include "graph/status.h"

namespace staticflow {
namespace {

Output BuildUnary(OpRole role, Output x) { return NodeBuilder(OpWithRole(role).name(), {x}).Build(); }

// Whether gradients flow through a stack of these.
bool IsDifferentiableElement(const StackLink& link) {
  const DataType dtype = link.pop().output_dtype(0);
  return IsDifferentiableType(dtype) && dtype != DT_RESOURCE;
}

// Filled before main() by the family of ops that gathers and scatters.
Output (*densify_slices)(const IndexedSlices&) = nullptr;
IndexedSlices (*concatenate_slices)(absl::Span<const IndexedSlices>) = nullptr;

LoopGradientFunction differentiate_loop = nullptr;

}  // namespace

LoopGradientRegistrar::LoopGradientRegistrar(LoopGradientFunction function) { differentiate_loop = function; }

SlicesRegistrar::SlicesRegistrar(Output (*densify)(const IndexedSlices&),
                                 IndexedSlices (*concatenate)(absl::Span<const IndexedSlices>)) {
  densify_slices = densify;
  concatenate_slices = concatenate;
}

Output Densify(const SlicesOrDense& gradient) {
  return gradient.is_slices() ? densify_slices(gradient.slices) : gradient.dense;
}

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

bool Backprop::IsStray(const Node& node) const {
  if (!node.op().is(OpRole::kStackPop) || !path_.Between(node)) return false;
  const StackLink* link = walks_.stacks.To(node);
  if (link == nullptr) return false;
  if (!link->is_plain) return true;
  const int frame = walks_.frames.FrameOf(node);
  return !(frame != 0 && link->is_open && TakesFromOutside(walks_.frames, frame, *link));
}

absl::Status Backprop::Visit(Node& node) {
  if (node.op().is(OpRole::kStackPop)) {
    // The others are xs of this walk: their gradients go on stacks.
    if (IsStray(node) && TotalGradient(node.output(0)).valid()) {
      Fail(node, "it takes off a stack what no single node in another loop kept there");
    }
    return absl::OkStatus();
  }
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
    const SlicesOrDense gradient{.dense = context.dx(i), .slices = context.sparse_dx(i)};
    Add(node.input(i), Complete(gradient, node, node.input(i)));
  }
  return absl::OkStatus();
}

void Backprop::FindBorders() {
  const auto is_pred_here = [&](Output pred) {
    return !pred.node()->op().is(OpRole::kLoopCond) && walks_.frames.FrameOf(*pred.node()) == level_;
  };
  const bool has_branches = std::any_of(path_.nodes().begin(), path_.nodes().end(), [&](const Node* node) {
    return node->op().is(OpRole::kSwitch) && is_pred_here(BehindIdentity(node->input(1)));
  });
  if (!has_branches) return;
  std::vector<std::pair<const Node*, Output>> edges;
  std::vector<Output> ends;  // of each edge: an output of the consumer, its input
  for (const GradientUnit& unit : path_.units()) {
    if (unit.node == nullptr || unit.node->num_outputs() == 0) continue;
    if (unit.node->op().is(OpRole::kSwitch) || unit.node->op().is(OpRole::kMerge)) continue;
    for (Output input : unit.node->inputs()) {
      if (!LeadsToX(input) || input.dtype() == DT_RESOURCE) continue;
      edges.push_back({unit.node, input});
      ends.insert(ends.end(), {unit.node->output(0), input});
    }
  }
  if (edges.empty()) return;
  const std::vector<Literals> live_when = LiveWhen(ends);
  for (size_t i = 0; i < edges.size(); ++i) {
    std::vector<Literal> extra;
    for (const Literal& literal : live_when[2 * i]) {
      if (!live_when[2 * i + 1].contains(literal) && is_pred_here(literal.pred)) extra.push_back(literal);
    }
    if (!extra.empty()) borders_[edges[i]] = std::move(extra);
  }
}

SlicesOrDense Backprop::Complete(const SlicesOrDense& gradient, const Node& consumer, Output x) {
  const auto it = borders_.find({&consumer, x});
  if (it == borders_.end() || (!gradient.is_slices() && !gradient.dense.valid())) return gradient;
  return {.dense = WhereLive(Densify(gradient), it->second, BuildUnary(OpRole::kZerosLike, x)), .slices = {}};
}

std::vector<Output> Backprop::ExitGradients(int loop) {
  const std::vector<WhileContext::Variable> variables = walks_.frames.frame(loop).variables;
  std::vector<std::vector<Output>> parts(variables.size());
  for (Node* exit : walks_.frames.NodesOf(loop)) {
    const Node& node = *exit;
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

bool Backprop::FindStacks(LoopGradient& request) {
  const size_t failures = failures_.size();
  for (StackLink& link : walks_.stacks.links()) {
    for (const Node* pop : link.pops) {
      if (walks_.frames.FrameOf(*pop) == request.frame && IsStray(*pop) && IsDifferentiableType(pop->output_dtype(0))) {
        Fail(*pop, "it takes off a stack what no single node in another loop kept there");
      }
    }
    if (!link.is_plain || !link.is_open || !IsDifferentiableElement(link)) continue;
    const auto is_here = [&](const Node& node) { return walks_.frames.FrameOf(node) == request.frame; };
    if (is_here(link.pop()) && TakesFromOutside(walks_.frames, request.frame, link)) request.taken.push_back(&link);
    if (is_here(link.push()) && link.gradients.valid() && KeepsForOutside(walks_.frames, request.frame, link)) {
      request.kept.push_back(&link);
    }
  }
  return failures_.size() == failures;
}

void Backprop::PassStacksOn(int loop, Node* done) {
  for (StackLink& link : walks_.stacks.links()) {
    if (!link.is_plain || !link.gradients.valid() || !TakesFromOutside(walks_.frames, loop, link)) continue;
    if (!IsWithin(walks_.frames, level_, link.push())) continue;
    link.gradients =
        NodeBuilder(OpWithRole(OpRole::kIdentity).name(), {link.gradients}).ControlInput(Operation(done)).Build();
  }
}

absl::Status Backprop::VisitLoop(int loop) {
  const LoopFrame frame = walks_.frames.frame(loop);
  if (frame.condition == nullptr) return absl::OkStatus();
  const auto* context = dynamic_cast<const WhileContext*>(frame.condition->context());
  if (context != nullptr && !context->settings().back_prop) return absl::OkStatus();
  LoopGradient request{.frames = walks_.frames, .stacks = walks_.stacks, .frame = loop};
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
  for (const StackLink& link : walks_.stacks.links()) {
    any |= link.gradients.valid() && KeepsForOutside(walks_.frames, loop, link);
  }
  if (!any || !FindStacks(request)) return absl::OkStatus();
  request.initial_gradients.resize(frame.variables.size());
  request.constant_gradients.resize(frame.constants.size());
  request.densify = Densify;
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
    PassStacksOn(loop, request.done);
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
  FindBorders();
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

GradientContext::GradientContext(Node& node, absl::Span<const Output> output_gradients)
    : node_(node),
      dy_(output_gradients.begin(), output_gradients.end()),
      dx_(node.num_inputs()),
      sparse_dx_(node.num_inputs()) {}

Output GradientContext::dy(int i) const {
  return dy_[i].valid() ? dy_[i] : BuildUnary(OpRole::kZerosLike, node_.output(i));
}

void GradientContext::Fail(absl::string_view reason) { failure_ = std::string(reason); }

}  // namespace staticflow
