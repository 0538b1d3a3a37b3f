#include "graph/batch_flow.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "graph/topological_order.h"
#include "graph/variable_access.h"
#include "graph/variable_key.h"

namespace staticflow {
namespace {

bool HoldsBatch(const BatchRows& rows) { return rows.kind >= BatchRows::kRows; }

// The predicate of a Switch without the identities before it.
Output Predicate(const Node& switch_node) {
  Output predicate = switch_node.input(1);
  while (predicate.node()->op().is(OpRole::kIdentity) && !predicate.node()->input(0).is_ref()) {
    predicate = predicate.node()->input(0);
  }
  return predicate;
}

// The stack behind a handle; null when it comes from elsewhere.
const Node* StackBehind(Output handle) {
  for (int steps = 0; handle.valid() && steps <= handle.graph().num_nodes(); ++steps) {
    if (handle.node()->op().is(OpRole::kStack)) return handle.node();
    if (handle.node()->num_inputs() == 0) return nullptr;
    handle = handle.node()->input(0);
  }
  return nullptr;
}

// The variable behind a reference or handle, or the table or whatever else the handle leads to.
Node* ObjectBehind(Output handle) {
  if (Node* variable = VariableBehind(handle)) return variable;
  for (int steps = 0; handle.valid() && steps <= handle.graph().num_nodes(); ++steps) {
    if (handle.node()->num_inputs() == 0) return handle.node();
    handle = handle.node()->input(0);
  }
  return nullptr;
}

// Whether both declare the same: several handles may lead to one variable.
bool IsSame(const Node& a, const Node& b) {
  const auto is_variable = [](const Node& node) {
    return node.op().is(OpRole::kVariable) || node.op().is(OpRole::kVarHandle);
  };
  return &a == &b || (is_variable(a) && is_variable(b) && VariableKey(a) == VariableKey(b));
}

// What `node` changes: variables, or the object whose handle it takes if it gives nothing back.
std::vector<Node*> ObjectsWrittenBy(const Node& node) {
  std::vector<Node*> written = VariablesWrittenBy(node);
  const bool changes = node.op().has(kStateful) && node.num_outputs() == 0 && node.num_inputs() > 1;
  if (!written.empty() || !changes) return written;
  const Output handle = node.input(0);
  Node* object = handle.is_ref() || handle.dtype() == DT_RESOURCE ? ObjectBehind(handle) : nullptr;
  if (object != nullptr) written.push_back(object);
  return written;
}

// Adds what is missing in `to`; whether anything was.
template <typename T>
bool AddAll(const std::vector<T>& from, std::vector<T>* to) {
  bool changed = false;
  for (const T& item : from) {
    if (absl::c_linear_search(*to, item)) continue;
    to->push_back(item);
    changed = true;
  }
  return changed;
}

}  // namespace

BatchFlow::BatchFlow(Output fetch, Settings settings) : settings_(std::move(settings)) {
  std::vector<Node*> roots;
  if (!Given(fetch).has_value()) roots.push_back(fetch.node());
  NeededNodes needed = FindNeededNodes(fetch.graph(), roots, [&](Output input) { return Given(input).has_value(); });
  nodes_ = std::move(needed.nodes);
  rank_ = std::move(needed.rank);
  facts_.resize(nodes_.size());
  FindWriters();
  for (size_t i = 0; i < nodes_.size(); ++i) {
    facts_[i].outputs.resize(static_cast<size_t>(nodes_[i]->num_outputs()));
    facts_[i].writers.resize((writers_.size() + 63) / 64);
  }
  for (size_t w = 0; w < writers_.size(); ++w) FactsOf(*writers_[w].node).writer = static_cast<int>(w);
  for (bool changed = true; changed;) {
    changed = false;
    for (const Node* node : nodes_) changed |= Visit(*node);
  }
}

std::optional<BatchRows> BatchFlow::Given(Output output) const {
  if (settings_.values.contains(output)) return BatchRows::Constant();
  const auto it = settings_.batch.find(output);
  return it == settings_.batch.end() ? std::nullopt : std::optional(BatchRows::Along(it->second));
}

void BatchFlow::FindWriters() {
  for (const Node* node : nodes_) {
    if (node->op().is(OpRole::kStackPush)) pushes_.push_back(node);
    std::vector<Node*> variables = ObjectsWrittenBy(*node);
    if (!variables.empty()) writers_.push_back({node, std::move(variables)});
  }
}

const BatchFlow::Facts* BatchFlow::Find(const Node& node) const {
  const int rank = rank_[static_cast<size_t>(node.id())];
  return rank < 0 ? nullptr : &facts_[static_cast<size_t>(rank)];
}

BatchRows BatchFlow::Of(Output output) const {
  if (const std::optional<BatchRows> given = Given(output)) return *given;
  const Facts* facts = Find(*output.node());
  return facts == nullptr ? BatchRows() : facts->outputs[static_cast<size_t>(output.index())];
}

const Tensor* BatchFlow::Value(Output output) const {
  for (size_t steps = 0; steps <= nodes_.size(); ++steps) {
    if (const auto it = settings_.values.find(output); it != settings_.values.end()) return &it->second;
    if (settings_.batch.contains(output)) return nullptr;
    if (const auto it = computed_values_.find(output); it != computed_values_.end()) return &it->second;
    const Node& node = *output.node();
    if (node.op().is(OpRole::kConst)) return &node.attr<Tensor>("value");
    const bool passes = node.op().is(OpRole::kIdentity) || node.op().is(OpRole::kStopGradient) ||
                        node.op().is(OpRole::kSwitch) || node.op().is(OpRole::kEnter);
    if (!passes || node.input(0).is_ref()) return nullptr;
    output = node.input(0);
  }
  return nullptr;
}

template <typename F>
void BatchFlow::ForEachWriterBefore(const Node& node, int i, F f) const {
  const Output input = node.input(i);
  const bool is_handle = input.is_ref() || input.dtype() == DT_RESOURCE;
  const Node* variable = is_handle ? ObjectBehind(input) : VariableSeenThrough(input);
  const Facts* facts = variable == nullptr ? nullptr : Find(node);
  if (facts == nullptr) return;
  for (size_t w = 0; w < writers_.size(); ++w) {
    const bool before = (facts->writers[w / 64] >> (w % 64) & 1) != 0;
    const auto is_it = [variable](const Node* written) { return IsSame(*written, *variable); };
    if (before && absl::c_any_of(writers_[w].variables, is_it)) f(*writers_[w].node);
  }
}

BatchRows BatchFlow::Input(const Node& node, int i) const {
  if (node.op().is(OpRole::kStackPop)) return Stored(node);
  BatchRows rows = Of(node.input(i));
  ForEachWriterBefore(node, i, [&](const Node& writer) { rows = rows.Join(Find(writer)->written); });
  return rows;
}

BatchRows BatchFlow::Stored(const Node& pop) const {
  const Node* stack = StackBehind(pop.input(0));
  BatchRows stored = stack == nullptr ? BatchRows::Unknown() : BatchRows::Constant();
  for (const Node* push : pushes_) {
    if (StackBehind(push->input(0)) == stack) stored = stored.Join(Input(*push, 1));
  }
  return stored;
}

bool BatchFlow::Lives(const Node& node) const {
  for (const Node* control : node.control_inputs()) {
    const Facts* facts = Find(*control);
    if (facts != nullptr && !facts->lives) return false;
  }
  const auto lives = [&](Output input) { return Of(input).kind != BatchRows::kNone; };
  if (node.op().is(OpRole::kMerge)) return absl::c_any_of(node.inputs(), lives);
  return absl::c_all_of(node.inputs(), lives);
}

std::vector<BatchFlow::Condition> BatchFlow::ConditionsOf(Output edge) const {
  const Facts* facts = Given(edge).has_value() ? nullptr : Find(*edge.node());
  if (facts == nullptr) return {};
  std::vector<Condition> conditions = facts->conditions;
  if (edge.node()->op().is(OpRole::kSwitch)) {
    const Output predicate = Predicate(*edge.node());
    if (HoldsBatch(Of(predicate))) AddAll({Condition(predicate, edge.index() == 1)}, &conditions);
  }
  return conditions;
}

bool BatchFlow::InheritWriters(const Node& node, Facts* facts) const {
  bool changed = false;
  const auto inherit = [&](const Node& source) {
    const Facts* other = Find(source);
    if (other == nullptr) return;
    for (size_t word = 0; word < facts->writers.size(); ++word) {
      const uint64_t before = facts->writers[word];
      facts->writers[word] |= other->writers[word];
      changed |= facts->writers[word] != before;
    }
    if (other->writer < 0) return;
    uint64_t& word = facts->writers[static_cast<size_t>(other->writer / 64)];
    const uint64_t bit = uint64_t{1} << (other->writer % 64);
    changed |= (word & bit) == 0;
    word |= bit;
  };
  for (Output input : node.inputs()) {
    if (!Given(input).has_value()) inherit(*input.node());
  }
  for (const Node* control : node.control_inputs()) inherit(*control);
  return changed;
}

bool BatchFlow::InheritConditions(const Node& node, Facts* facts) const {
  bool changed = false;
  for (Output input : node.inputs()) changed |= AddAll(ConditionsOf(input), &facts->conditions);
  for (const Node* control : node.control_inputs()) {
    if (const Facts* other = Find(*control)) changed |= AddAll(other->conditions, &facts->conditions);
  }
  return changed;
}

// Where both values of a predicate lead here, the choice is over; it decided which value came.
bool BatchFlow::InheritThroughMerge(const Node& node, Facts* facts, BatchRows* chosen_by) const {
  std::vector<Condition> all;
  for (Output input : node.inputs()) {
    if (Of(input).kind != BatchRows::kNone) AddAll(ConditionsOf(input), &all);
  }
  std::vector<Condition> open;
  for (const Condition& condition : all) {
    const bool decided = absl::c_linear_search(all, Condition(condition.first, !condition.second));
    const bool on_all = absl::c_all_of(node.inputs(), [&](Output input) {
      return Of(input).kind == BatchRows::kNone || absl::c_linear_search(ConditionsOf(input), condition);
    });
    if (!decided) open.push_back(condition);
    if (!on_all) *chosen_by = chosen_by->Join(Of(condition.first));
  }
  if (chosen_by->is_rows()) *chosen_by = BatchRows::Mixed();
  return AddAll(open, &facts->conditions);
}

bool BatchFlow::Update(BatchRows* rows, const BatchRows& more) {
  const BatchRows joined = rows->Join(more);
  if (joined == *rows) return false;
  *rows = joined;
  return true;
}

// A constant may stand for rows only where it has as many of them.
bool BatchFlow::SizesAgree(const Node& merge, int axis) const {
  std::optional<int64_t> size;
  for (Output input : merge.inputs()) {
    if (Of(input).kind == BatchRows::kNone) continue;
    if (axis >= input.shape().rank()) return false;
    const int64_t here = input.shape().dim(axis);
    if (size.has_value() && *size != here) return false;
    size = here;
  }
  return true;
}

bool BatchFlow::VisitMerge(const Node& node, Facts* facts) {
  BatchRows chosen_by = BatchRows::Constant();
  bool changed = InheritThroughMerge(node, facts, &chosen_by);
  BatchRows value = chosen_by;
  for (int i = 0; i < node.num_inputs(); ++i) {
    if (Of(node.input(i)).kind != BatchRows::kNone) value = value.Join(Input(node, i));
  }
  if (value.is_rows() && !SizesAgree(node, value.axis)) value = BatchRows::Unknown();
  Blame(node, value.kind,
        value.kind == BatchRows::kMixed ? "of branches whose examples lie along different dimensions"
                                        : "of branches whose sizes may differ",
        facts);
  changed |= Update(&facts->outputs[0], value);
  for (size_t i = 1; i < facts->outputs.size(); ++i) changed |= Update(&facts->outputs[i], chosen_by);
  return changed;
}

BatchContext BatchFlow::RunRule(const Node& node, std::vector<BatchRows>* inputs,
                                std::vector<const Tensor*>* values) const {
  for (int i = 0; i < node.num_inputs(); ++i) {
    inputs->push_back(Input(node, i));
    values->push_back(Value(node.input(i)));
  }
  BatchContext context(node, *inputs, *values);
  if (node.num_outputs() > 0) ApplyBatchRule(context);
  return context;
}

// What a write leaves: the value itself where that is all there is, anything where examples are spread by index.
BatchRows BatchFlow::Written(const Node& node) const {
  BatchRows written = BatchRows::Constant();
  for (int i = 0; i < node.num_inputs(); ++i) written = written.Join(Input(node, i));
  if (written.is_rows() && node.num_inputs() > 2) written = BatchRows::Mixed();
  const Facts* facts = Find(node);
  for (const auto& [predicate, value] : facts->conditions) {
    written = written.Join(HoldsBatch(Of(predicate)) ? BatchRows::Mixed() : BatchRows::Constant());
  }
  return written;
}

bool BatchFlow::Visit(const Node& node) {
  if (!Lives(node)) return false;
  Facts* const facts = &FactsOf(node);
  bool changed = !facts->lives;
  facts->lives = true;
  changed |= InheritWriters(node, facts);
  if (node.op().is(OpRole::kMerge)) return VisitMerge(node, facts) || changed;
  changed |= InheritConditions(node, facts);

  std::vector<BatchRows> inputs;
  std::vector<const Tensor*> values;
  const BatchContext rule = RunRule(node, &inputs, &values);
  const Tensor* taken = node.op().is(OpRole::kSwitch) ? Value(node.input(1)) : nullptr;
  const bool knows_branch = taken != nullptr && taken->dtype() == DT_BOOL && taken->num_elements() == 1;
  for (int i = 0; i < node.num_outputs(); ++i) {
    if (knows_branch && *static_cast<const bool*>(taken->raw()) != (i == 1)) continue;
    const BatchRows& rows = rule.outputs()[static_cast<size_t>(i)];
    Blame(node, rows.kind, rule.reason(), facts);
    changed |= Update(&facts->outputs[static_cast<size_t>(i)], rows);
  }
  for (const auto& [i, value] : rule.output_values()) computed_values_.try_emplace(node.output(i), value);
  if (facts->writer >= 0) {
    const BatchRows written = Written(node);
    Blame(node, written.kind, "writing examples into a variable", facts);
    changed |= Update(&facts->written, written);
    for (int i = 0; i < node.num_outputs(); ++i) {
      if (node.output_is_ref(i)) changed |= Update(&facts->outputs[static_cast<size_t>(i)], facts->written);
    }
  }
  return changed;
}

std::vector<const Node*> BatchFlow::Sources(const Node& node, BatchRows::Kind kind) const {
  std::vector<const Node*> sources;
  for (int i = 0; i < node.num_inputs(); ++i) {
    const Output input = node.input(i);
    if (Of(input).kind == kind) sources.push_back(input.node());
    ForEachWriterBefore(node, i, [&](const Node& writer) {
      if (Find(writer)->written.kind == kind) sources.push_back(&writer);
    });
  }
  if (node.op().is(OpRole::kStackPop)) {
    for (const Node* push : pushes_) {
      if (StackBehind(push->input(0)) == StackBehind(node.input(0)) && Of(push->input(1)).kind == kind) {
        sources.push_back(push);
      }
    }
  }
  if (node.op().is(OpRole::kMerge)) {
    for (Output input : node.inputs()) {
      for (const auto& [predicate, value] : ConditionsOf(input)) {
        if (Of(predicate).kind == kind) sources.push_back(predicate.node());
      }
    }
  }
  return sources;
}

// Remembers what a node did when its result first became unknown or mixed: later, around a loop, its inputs are, too.
void BatchFlow::Blame(const Node& node, BatchRows::Kind kind, absl::string_view reason, Facts* facts) const {
  if (kind < BatchRows::kUnknown || facts->blamed >= kind || !Sources(node, kind).empty()) return;
  facts->blamed = kind;
  facts->reason = std::string(reason);
}

bool BatchFlow::IsToBlame(const Node& node, BatchRows::Kind kind) const {
  const Facts* facts = Find(node);
  return facts != nullptr && facts->blamed == kind;
}

std::string BatchFlow::Reason(const Node& node) const {
  const Facts* facts = Find(node);
  return facts == nullptr ? "" : facts->reason;
}

}  // namespace staticflow
