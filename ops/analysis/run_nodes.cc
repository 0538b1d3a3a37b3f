#include "ops/analysis/run_nodes.h"

#include <limits>
#include <map>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "graph/shape_inference.h"
#include "graph/topological_order.h"
#include "graph/variable_access.h"
#include "graph/variable_key.h"
#include "ops/analysis/graph_uses.h"

namespace staticflow {
namespace {

constexpr int kMaxPredicateDepth = 8;  // of LogicalAnd and LogicalOr

bool IsOptimizerUpdate(const Node& node) {
  for (absl::string_view prefix : {"Apply", "SparseApply", "ResourceApply", "ResourceSparseApply"}) {
    if (absl::StartsWith(node.type(), prefix)) return true;
  }
  return false;
}

// Whether the value comes out of a checkpoint.
bool IsRestored(Output value) {
  while (value.node()->op().is(OpRole::kIdentity)) value = value.node()->input(0);
  return IsType(*value.node(), {"RestoreV2", "Restore", "RestoreSlice"});
}

}  // namespace

RunNodes::RunNodes(const Graph& g, const Session::Feeds& feeds, absl::Span<const Output> fetches,
                   absl::Span<const Operation> targets)
    : graph_(g) {
  for (const auto& [output, value] : feeds) feeds_[output] = value;
  Collect(fetches, targets);
  FindLiving();
}

void RunNodes::Collect(absl::Span<const Output> fetches, absl::Span<const Operation> targets) {
  std::vector<Node*> roots;
  for (Output fetch : fetches) {
    if (fetch.valid() && !IsFed(fetch)) roots.push_back(fetch.node());
  }
  for (Operation target : targets) {
    if (target.valid()) roots.push_back(target.node());
  }
  NeededNodes needed = FindNeededNodes(graph_, roots, [&](Output input) { return IsFed(input); });
  needed_ = std::move(needed.nodes);
  rank_ = std::move(needed.rank);
}

std::optional<bool> RunNodes::Predicate(Output predicate) const { return Predicate(predicate, kMaxPredicateDepth); }

std::optional<bool> RunNodes::Predicate(Output predicate, int depth) const {
  bool negated = false;
  for (int steps = 0; predicate.valid() && steps <= graph_.num_nodes(); ++steps) {
    const Tensor* value = nullptr;
    const Node& node = *predicate.node();
    if (const auto feed = feeds_.find(predicate); feed != feeds_.end()) {
      value = &feed->second;
    } else if (node.op().is(OpRole::kConst)) {
      value = &node.attr<Tensor>("value");
    } else if (node.num_inputs() > 0 && predicate.index() == 0 &&
               (IsType(node, {"LogicalNot"}) || node.op().is(OpRole::kIdentity) || node.op().is(OpRole::kDefault))) {
      negated ^= IsType(node, {"LogicalNot"});
      predicate = node.input(0);
      continue;
    } else if (node.op().is(OpRole::kSwitch)) {
      predicate = node.input(0);
      continue;
    } else if (IsType(node, {"LogicalAnd", "LogicalOr"}) && depth > 0) {
      const bool decides = IsType(node, {"LogicalOr"});  // one input that is this is enough
      const std::optional<bool> a = Predicate(node.input(0), depth - 1), b = Predicate(node.input(1), depth - 1);
      if (a == decides || b == decides) return decides != negated;
      return a.has_value() && b.has_value() ? std::optional(decides == negated) : std::nullopt;
    }
    if (value == nullptr || value->dtype() != DT_BOOL || value->num_elements() != 1) return std::nullopt;
    return *static_cast<const bool*>(value->raw()) != negated;
  }
  return std::nullopt;
}

// Inputs come first, so one sweep tells; what comes around a loop lives when what enters it does.
void RunNodes::FindLiving() {
  lives_.assign(needed_.size(), false);
  for (size_t i = 0; i < needed_.size(); ++i) {
    const Node& node = *needed_[i];
    const auto computed = [&](Output input) { return MayBeComputed(input); };
    bool lives = node.op().is(OpRole::kMerge) ? absl::c_any_of(node.inputs(), computed)
                                              : absl::c_all_of(node.inputs(), computed);
    for (const Node* control : node.control_inputs()) {
      const int rank = rank_[static_cast<size_t>(control->id())];
      lives = lives && (rank < 0 || rank >= static_cast<int>(i) || lives_[static_cast<size_t>(rank)]);
    }
    lives_[i] = lives;
    if (!lives || !node.op().is(OpRole::kSwitch)) continue;
    if (const std::optional<bool> value = Predicate(node.input(1))) dead_[needed_[i]->output(*value ? 0 : 1)] = true;
  }
}

bool RunNodes::MayRun(const Node& node) const {
  const int rank = rank_[static_cast<size_t>(node.id())];
  return rank >= 0 && lives_[static_cast<size_t>(rank)];
}

bool RunNodes::MayBeComputed(Output output) const {
  if (IsFed(output)) return true;
  return MayRun(*output.node()) && !dead_.contains(output);
}

const Shape& RunNodes::ShapeOf(Output output) const {
  if (!inferred_) InferAll();
  const auto it = shapes_.find(output);
  return it == shapes_.end() ? output.shape() : it->second;
}

namespace {

// Sizes that a node computes, such as the rows of Shape(x) for a flattening; nullopt when they are not all known.
std::optional<Tensor> SizesOf(const Node& node, absl::Span<const Shape> inputs,
                              absl::Span<const Tensor* const> values) {
  if (node.op().spec.shape_value == nullptr || node.num_outputs() != 1) return std::nullopt;
  const std::optional<Shape> sizes = node.op().spec.shape_value(ShapeContext(node, inputs, values));
  if (!sizes.has_value() || !sizes->IsFullyDefined()) return std::nullopt;
  const bool is_scalar = node.output_shape(0).rank() == 0;
  if (is_scalar && sizes->rank() != 1) return std::nullopt;
  const Shape shape = is_scalar ? Shape() : Shape({sizes->rank()});
  absl::StatusOr<Tensor> tensor = Tensor::Create(node.output_dtype(0), shape);
  if (!tensor.ok()) return std::nullopt;
  for (int i = 0; i < sizes->rank(); ++i) {
    if (tensor->dtype() == DT_INT32 && sizes->dim(i) <= std::numeric_limits<int32_t>::max()) {
      tensor->data<int32_t>()[i] = static_cast<int32_t>(sizes->dim(i));
    } else if (tensor->dtype() == DT_INT64) {
      tensor->data<int64_t>()[i] = sizes->dim(i);
    } else {
      return std::nullopt;
    }
  }
  return *std::move(tensor);
}

}  // namespace

void RunNodes::InferAll() const {
  inferred_ = true;
  std::map<std::pair<int, int>, Tensor> sizes;  // by node and output; values that the feeds' shapes decide
  const auto value_of = [&](Output output) -> const Tensor* {
    if (output.node()->op().is(OpRole::kConst)) return &output.node()->attr<Tensor>("value");
    const auto it = sizes.find({output.node()->id(), output.index()});
    return it == sizes.end() ? nullptr : &it->second;
  };
  for (const auto& [output, value] : feeds_) {
    if (value.valid()) shapes_[output] = value.shape();
  }
  if (shapes_.empty()) return;
  for (Node* node : needed_) {
    const bool is_sharper = absl::c_any_of(node->inputs(), [&](Output input) {
      return shapes_.contains(input) || sizes.contains({input.node()->id(), input.index()});
    });
    if (!is_sharper) continue;
    std::vector<Shape> inputs;
    std::vector<const Tensor*> values;
    for (Output input : node->inputs()) {
      inputs.push_back(ShapeOf(input));
      values.push_back(value_of(input));
    }
    if (std::optional<Tensor> known = SizesOf(*node, inputs, values)) sizes[{node->id(), 0}] = *std::move(known);
    const absl::StatusOr<std::vector<Shape>> outputs = InferShapes(*node, inputs, values);
    if (!outputs.ok()) continue;  // the step itself will say so
    for (int i = 0; i < node->num_outputs(); ++i) {
      const absl::StatusOr<Shape> shape = node->output_shape(i).MergeWith((*outputs)[static_cast<size_t>(i)]);
      if (shape.ok() && *shape != node->output_shape(i)) shapes_.try_emplace(node->output(i), *shape);
    }
  }
}

std::vector<bool> RunNodes::ReachedFrom(absl::Span<const Output> sources) const {
  std::vector<bool> reached(rank_.size(), false);
  const auto is_source = [&](Output output) { return absl::c_linear_search(sources, output); };
  // Inputs come first, but for what comes around a loop.
  for (bool again = true; again;) {
    again = false;
    for (const Node* node : needed_) {
      if (reached[static_cast<size_t>(node->id())]) continue;
      if (absl::c_none_of(node->inputs(), [&](Output input) {
            return is_source(input) || (!IsFed(input) && reached[static_cast<size_t>(input.node()->id())]);
          })) {
        continue;
      }
      reached[static_cast<size_t>(node->id())] = true;
      again = again || node->op().is(OpRole::kNextIteration);
    }
  }
  return reached;
}

std::vector<bool> RunNodes::Reaching(absl::Span<const Output> ends) const {
  std::vector<bool> reaching(rank_.size(), false);
  std::vector<const Node*> open;
  const auto add = [&](Output output) {
    if (!output.valid() || IsFed(output) || reaching[static_cast<size_t>(output.node()->id())]) return;
    reaching[static_cast<size_t>(output.node()->id())] = true;
    open.push_back(output.node());
  };
  for (Output end : ends) add(end);
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    for (Output input : node->inputs()) add(input);
  }
  return reaching;
}

Node* RunNodes::Trained(const Node& node) const {
  if (!MayRun(node)) return nullptr;
  const std::vector<Node*> written = VariablesWrittenBy(node);
  if (written.empty() || written[0] == nullptr) return nullptr;
  if (IsOptimizerUpdate(node)) return written[0];
  const Variable* variable = graph_.FindVariable(written[0]);
  if (variable == nullptr || !variable->trainable || variable->initializer == &node) return nullptr;
  return node.num_inputs() > 1 && IsRestored(node.input(1)) ? nullptr : written[0];
}

bool NearestIsTrained(absl::Span<const Output> outputs, const absl::flat_hash_set<const Node*>& trainable,
                      const absl::flat_hash_set<const Node*>& trained) {
  absl::flat_hash_set<const Node*> seen;
  std::vector<const Node*> level;
  for (Output output : outputs) {
    if (seen.insert(output.node()).second) level.push_back(output.node());
  }
  while (!level.empty()) {
    std::vector<const Node*> next;
    bool found = false;
    for (const Node* node : level) {
      if (trained.contains(node)) return true;
      found = found || trainable.contains(node);
      for (Output input : node->inputs()) {
        if (seen.insert(input.node()).second) next.push_back(input.node());
      }
    }
    if (found) return false;
    level = std::move(next);
  }
  return true;
}

Node* VariableOfValue(Output value) {
  for (int steps = 0; value.valid() && steps <= value.graph().num_nodes(); ++steps) {
    if (Node* variable = VariableSeenThrough(value)) return variable;
    if (value.node()->op().is(OpRole::kReadVariable)) return VariableBehind(value.node()->input(0));
    const int input = PassedOnInput(value);
    if (input < 0) return nullptr;
    value = value.node()->input(input);
  }
  return nullptr;
}

}  // namespace staticflow
