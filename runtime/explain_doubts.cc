#include "runtime/explain_doubts.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "graph/variable_key.h"

namespace staticflow {
namespace {

// The program's nodes with the edges that the graph has between them, in the direction of the data.
class Edges {
 public:
  explicit Edges(const Program& program) : program_(program) {
    for (const ProgramItem& item : program.items) {
      if (item.kind == ProgramItem::kNode) items_[item.node] = &item;
    }
    for (const auto& [node, item] : items_) {
      for (Output input : node->inputs()) {
        if (!program.feed_index.contains(input) && items_.contains(input.node())) users_[input.node()].push_back(node);
      }
      for (const Node* control : node->control_inputs()) {
        if (items_.contains(control)) users_[control].push_back(node);
      }
    }
  }

  const ProgramItem& item(const Node* node) const { return *items_.at(node); }
  const std::vector<const Node*>& users(const Node* node) const {
    static const auto* const kNone = new std::vector<const Node*>();
    auto it = users_.find(node);
    return it == users_.end() ? *kNone : it->second;
  }
  // Everything that comes after `node`, itself included.
  absl::flat_hash_set<const Node*> After(const Node* node) const {
    absl::flat_hash_set<const Node*> reached = {node};
    std::vector<const Node*> open = {node};
    while (!open.empty()) {
      const Node* next = open.back();
      open.pop_back();
      for (const Node* user : users(next)) {
        if (reached.insert(user).second) open.push_back(user);
      }
    }
    return reached;
  }
  // Everything that comes before it.
  absl::flat_hash_set<const Node*> Before(const Node* node) const {
    absl::flat_hash_set<const Node*> reached = {node};
    std::vector<const Node*> open = {node};
    const auto reach = [&](const Node* source) {
      if (items_.contains(source) && reached.insert(source).second) open.push_back(source);
    };
    while (!open.empty()) {
      const Node* next = open.back();
      open.pop_back();
      for (Output input : next->inputs()) {
        if (!program_.feed_index.contains(input)) reach(input.node());
      }
      for (const Node* control : next->control_inputs()) reach(control);
    }
    return reached;
  }

 private:
  const Program& program_;
  absl::flat_hash_map<const Node*, const ProgramItem*> items_;
  absl::flat_hash_map<const Node*, std::vector<const Node*>> users_;
};

struct Uses {
  std::vector<const Node*> reads;
  std::vector<const Node*> writes;
};

// Whoever computes with the reference that `read` gives, through identities and reshapes; `read` itself when it
// computes, copies the value, or is fetched.
std::vector<const Node*> Readers(const Node* read, const Program& program, const Edges& edges) {
  const auto is_view = [](const Node& node) {
    return node.num_outputs() > 0 && !node.op().is(OpRole::kReadVariable) && AliasedInput(node, 0) >= 0 &&
           !node.output_is_ref(0);
  };
  std::vector<const Node*> readers, views;
  (is_view(*read) ? views : readers).push_back(read);
  absl::flat_hash_set<const Node*> seen = {read};
  for (size_t next = 0; next < views.size(); ++next) {
    const Node* view = views[next];
    const auto is_fetched = [&](Output fetch) { return fetch.node() == view; };
    const std::vector<Output>& fetches = program.signature.fetches;
    if (std::any_of(fetches.begin(), fetches.end(), is_fetched)) readers.push_back(view);
    for (const Node* user : edges.users(view)) {
      const bool uses_data =
          std::any_of(user->inputs().begin(), user->inputs().end(), [&](Output input) { return input.node() == view; });
      if (uses_data && seen.insert(user).second) (is_view(*user) ? views : readers).push_back(user);
    }
  }
  return readers;
}

}  // namespace

std::vector<VariableRace> FindRaces(const Program& program) {
  const Edges edges(program);
  GuardTable guards = program.guards;
  absl::flat_hash_map<const Node*, Uses> uses;
  for (const ProgramItem& item : program.items) {
    if (item.kind != ProgramItem::kNode) continue;
    for (int i = 0; i < item.node->num_inputs(); ++i) {
      if (program.feed_index.contains(item.node->input(i))) continue;
      const std::optional<Access> access = AccessOf(*item.node, i);
      if (!access.has_value() || *access == Access::kInspect) continue;
      Uses& of = uses[VariableBehind(item.node->input(i))];
      (*access == Access::kRead ? of.reads : of.writes).push_back(item.node);
    }
  }
  std::vector<VariableRace> races;
  for (const Node* variable : program.variables) {
    Uses& of = uses[variable];
    const auto by_id = [](const Node* a, const Node* b) { return a->id() < b->id(); };
    std::sort(of.writes.begin(), of.writes.end(), by_id);
    of.writes.erase(std::unique(of.writes.begin(), of.writes.end()), of.writes.end());
    if (of.writes.empty()) continue;
    std::vector<const Node*> readers;
    for (const Node* read : of.reads) {
      for (const Node* reader : Readers(read, program, edges)) readers.push_back(reader);
    }
    std::sort(readers.begin(), readers.end(), by_id);
    readers.erase(std::unique(readers.begin(), readers.end()), readers.end());
    for (const Node* write : of.writes) {
      const absl::flat_hash_set<const Node*> after = edges.After(write), before = edges.Before(write);
      const auto unordered = [&](const Node* other) {
        if (after.contains(other) || before.contains(other)) return false;
        const GuardId both = guards.And(edges.item(write).guard, edges.item(other).guard);
        return both != GuardTable::kNever;
      };
      for (const Node* other : of.writes) {
        if (other->id() < write->id() && unordered(other)) races.push_back({variable, other, write, true});
      }
      for (const Node* reader : readers) {
        if (unordered(reader)) races.push_back({variable, reader, write, false});
      }
    }
  }
  return races;
}

std::vector<StrayNode> FindStrays(const Program& program, const Plan& plan) {
  GuardTable guards = program.guards;
  constexpr GuardId kNoUser = -1;
  absl::flat_hash_map<const Node*, GuardId> wish;  // when some user needs the node
  const auto want = [&](const Node* node, GuardId guard) {
    auto [it, inserted] = wish.try_emplace(node, guard);
    if (!inserted) it->second = guards.Common(it->second, guard);
  };
  for (Output fetch : program.signature.fetches) want(fetch.node(), GuardTable::kAlways);
  for (Operation target : program.signature.targets) want(target.node(), GuardTable::kAlways);
  std::vector<StrayNode> strays;
  for (size_t i = program.items.size(); i-- > 0;) {
    const ProgramItem& item = program.items[i];
    if (item.kind != ProgramItem::kNode) continue;
    const Node& node = *item.node;
    auto it = wish.find(&node);
    const GuardId wished = it == wish.end() ? kNoUser : it->second;
    const bool narrower = wished != kNoUser && wished != item.guard && guards.Implies(wished, item.guard);
    // A write into a variable, a random number, a message: what only reads or passes on is moved into the branch.
    const bool has_effect = node.op().has(kStateful) && node.num_inputs() > 0 && !node.op().is(OpRole::kReadVariable);
    if (narrower && has_effect) {
      StrayNode stray{.node = &node, .used_when = guards.ToString(wished)};
      for (int literal : guards.literals(wished)) {
        const GuardTable::Literal& l = guards.literal(literal);
        auto feed = program.feed_index.find(l.predicate);
        for (const auto& [index, value] : plan.feed_predicates) {
          stray.always_idle |= feed != program.feed_index.end() && feed->second == index && value != l.value;
        }
      }
      strays.push_back(std::move(stray));
    }
    const GuardId needed = narrower ? wished : item.guard;
    for (int k = 0; k < node.num_inputs(); ++k) {
      const Output input = node.input(k);
      // A Merge takes what lives; what decides a Switch is needed to decide.
      GuardId guard = node.op().is(OpRole::kMerge) ? GuardTable::kAlways : needed;
      if (node.op().is(OpRole::kSwitch) && k == 1) guard = item.guard;
      if (input.node()->op().is(OpRole::kSwitch)) {
        guard = guards.AndPredicate(guard, SwitchPredicate(*input.node()), input.index() == 1);
      }
      want(input.node(), guard);
    }
    for (const Node* control : node.control_inputs()) want(control, needed);
  }
  std::reverse(strays.begin(), strays.end());
  return strays;
}

}  // namespace staticflow
