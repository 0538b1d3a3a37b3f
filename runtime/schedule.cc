#include "runtime/schedule.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>

#include "absl/container/flat_hash_set.h"

namespace staticflow {
namespace {

// Everything that comes after `from`, itself included.
std::vector<bool> Descendants(const OrderGraph& graph, int from) {
  std::vector<bool> reached(graph.items.size(), false);
  std::vector<int> stack = {from};
  reached[from] = true;
  while (!stack.empty()) {
    const int i = stack.back();
    stack.pop_back();
    for (int next : graph.items[i].after) {
      if (reached[next]) continue;
      reached[next] = true;
      stack.push_back(next);
    }
  }
  return reached;
}

// The uses of one variable in the step.
struct VariableUses {
  std::vector<int> writes;                      // items, in graph order
  std::vector<int> reads;                       // items whose node reads the value
  std::vector<std::pair<Output, int>> fetches;  // fetched references, with the item that gives them
};

class VariableOrder {
 public:
  VariableOrder(OrderGraph& graph, Program* program) : graph_(graph), program_(*program) {}

  void Run() {
    FindUses();
    for (const Node* variable : program_.variables) Order(uses_[variable]);
  }

 private:
  void FindUses();
  void Order(const VariableUses& uses);
  void OrderRead(int read, int version, const VariableUses& uses, const std::vector<std::vector<bool>>& after_write);
  // Items that look at the memory behind item `read`'s outputs; -1 stands for the end of the step (a fetch).
  std::vector<int> Lookers(int read) const;
  bool IsFetched(Output output) const {
    const std::vector<Output>& fetches = program_.signature.fetches;
    return std::find(fetches.begin(), fetches.end(), output) != fetches.end();
  }

  OrderGraph& graph_;
  Program& program_;
  absl::flat_hash_map<const Node*, VariableUses> uses_;
};

void VariableOrder::FindUses() {
  const auto uses_of = [&](const Node* variable) -> VariableUses& {
    auto [it, inserted] = uses_.try_emplace(variable);
    if (inserted) program_.variables.push_back(variable);
    return it->second;
  };
  for (int i = 0; i < graph_.size(); ++i) {
    const Node& node = *graph_.items[i].item.node;
    // Random counters, stacks and tables are state too; declaring and reading a variable changes nothing.
    program_.writes_variables |= node.op().has(kStateful) && !node.op().is(OpRole::kVariable) &&
                                 !node.op().is(OpRole::kVarHandle) && !node.op().is(OpRole::kReadVariable);
    for (int k = 0; k < node.num_inputs(); ++k) {
      if (program_.feed_index.contains(node.input(k))) continue;
      const std::optional<Access> access = AccessOf(node, k);
      if (!access.has_value()) continue;
      VariableUses& uses = uses_of(VariableBehind(node.input(k)));
      if (*access == Access::kUpdate || *access == Access::kOverwrite) {
        uses.writes.push_back(i);
        program_.writes_variables = true;
      } else {
        uses.reads.push_back(i);
      }
    }
  }
  for (Output fetch : program_.signature.fetches) {
    if (!fetch.is_ref() || program_.feed_index.contains(fetch)) continue;
    const Node* variable = VariableBehind(fetch);
    if (variable != nullptr) uses_of(variable).fetches.push_back({fetch, graph_.index.at(fetch.node())});
  }
}

std::vector<int> VariableOrder::Lookers(int read) const {
  std::vector<int> lookers;
  std::vector<int> aliases = {read};
  absl::flat_hash_set<int> seen = {read};
  for (size_t next = 0; next < aliases.size(); ++next) {
    const Node& node = *graph_.items[aliases[next]].item.node;
    for (int k = 0; k < node.num_outputs(); ++k) {
      if (AliasedInput(node, k) >= 0 && IsFetched(node.output(k))) lookers.push_back(-1);
    }
    for (int user : graph_.items[aliases[next]].after) {
      const Node* user_node = graph_.items[user].item.node;
      if (user_node == nullptr) continue;
      const bool uses_data = std::any_of(user_node->inputs().begin(), user_node->inputs().end(), [&](Output input) {
        return input.node() == &node && !program_.feed_index.contains(input);
      });
      if (!uses_data || !seen.insert(user).second) continue;
      bool alias = false;
      for (int k = 0; k < user_node->num_outputs() && !alias; ++k) {
        const int input = AliasedInput(*user_node, k);
        alias = input >= 0 && user_node->input(input).node() == &node;
      }
      if (alias) aliases.push_back(user);
      lookers.push_back(user);
    }
  }
  return lookers;
}

void VariableOrder::Order(const VariableUses& uses) {
  std::vector<int> writes = uses.writes;
  writes.erase(std::unique(writes.begin(), writes.end()), writes.end());
  if (writes.empty()) return;
  for (size_t i = 1; i < writes.size(); ++i) graph_.AddEdge(writes[i - 1], writes[i]);
  std::vector<std::vector<bool>> after_write;
  for (int write : writes) after_write.push_back(Descendants(graph_, write));
  const auto version_at = [&](int item) {
    int version = 0;
    for (size_t i = 0; i < writes.size(); ++i) {
      if (after_write[i][item]) version = static_cast<int>(i) + 1;
    }
    return version;
  };
  const VariableUses ordered{.writes = writes, .reads = uses.reads, .fetches = uses.fetches};
  for (int read : uses.reads) OrderRead(read, version_at(read), ordered, after_write);
  for (const auto& [fetch, item] : uses.fetches) {
    const int version = version_at(item);
    if (version == static_cast<int>(writes.size()) || program_.snapshots.contains(fetch)) continue;
    const int snapshot = graph_.size();
    const GuardId guard = graph_.items[item].item.guard;
    graph_.items.push_back({.item = {.node = nullptr, .snapshot_of = fetch, .guard = guard}});
    for (std::vector<bool>& reached : after_write) reached.push_back(false);
    graph_.AddEdge(item, snapshot);
    graph_.AddEdge(snapshot, writes[version]);
    program_.snapshots[fetch] = snapshot;
  }
}

void VariableOrder::OrderRead(int read, int version, const VariableUses& uses,
                              const std::vector<std::vector<bool>>& after_write) {
  if (version == static_cast<int>(uses.writes.size())) return;
  const int next_write = uses.writes[version];
  if (read == next_write) return;
  const Node& node = *graph_.items[read].item.node;
  const bool aliases = node.num_outputs() > 0 && AliasedInput(node, 0) >= 0 && !node.output_is_ref(0);
  std::vector<int> lookers = aliases ? Lookers(read) : std::vector<int>();
  const bool late = std::any_of(lookers.begin(), lookers.end(), [&](int looker) {
    return looker < 0 || (looker != next_write && after_write[version][looker]);
  });
  if (late) {
    graph_.items[read].item.copies = true;
    lookers.clear();
  }
  graph_.AddEdge(read, next_write);
  for (int looker : lookers) {
    if (looker != next_write) graph_.AddEdge(looker, next_write);
  }
}

}  // namespace

void OrderGraph::AddEdge(int from, int to) {
  if (from == to) return;
  items[to].item.before.push_back(from);  // twice is harmless: it is counted twice on both sides
  items[from].after.push_back(to);
}

void OrderVariables(OrderGraph& graph, Program* program) { VariableOrder(graph, program).Run(); }

void SinkIntoBranches(OrderGraph& graph, const Program& program, GuardTable* guards) {
  // What each item's users agree on; -1 while no user was seen. Users come later in graph order.
  constexpr GuardId kNoUser = -1;
  std::vector<GuardId> wish(graph.items.size(), kNoUser);
  const auto want = [&](int item, GuardId guard) {
    wish[item] = wish[item] == kNoUser ? guard : guards->Common(wish[item], guard);
  };
  for (Output fetch : program.signature.fetches) {
    auto it = graph.index.find(fetch.node());
    if (it != graph.index.end()) want(it->second, graph.items[it->second].item.guard);
  }
  for (Operation target : program.signature.targets) {
    auto it = graph.index.find(target.node());
    if (it != graph.index.end()) want(it->second, graph.items[it->second].item.guard);
  }
  const int num_nodes = static_cast<int>(graph.index.size());
  for (int i = graph.size() - 1; i >= num_nodes; --i) {
    for (int before : graph.items[i].item.before) want(before, graph.items[i].item.guard);
  }
  for (int i = num_nodes - 1; i >= 0; --i) {
    OrderGraph::Item& entry = graph.items[i];
    const Node& node = *entry.item.node;
    const bool pure = !node.op().has(kStateful) && !node.op().is(OpRole::kMerge) && !node.op().is(OpRole::kNoOp);
    const bool wishes = wish[i] != kNoUser && wish[i] != GuardTable::kNever;
    if (pure && wishes && wish[i] != entry.item.guard && guards->Implies(wish[i], entry.item.guard)) {
      // A Switch is no work; it keeps its guard, and what feeds it learns the wish.
      if (!node.op().is(OpRole::kSwitch)) {
        entry.item.guard = wish[i];
        for (Output predicate : guards->Predicates(wish[i])) {
          auto it = graph.index.find(predicate.node());
          if (it != graph.index.end() && !program.feed_index.contains(predicate)) graph.AddEdge(it->second, i);
        }
      }
    }
    const GuardId passed_on = node.op().is(OpRole::kSwitch) && wishes ? wish[i] : entry.item.guard;
    for (Output input : node.inputs()) {
      auto it = graph.index.find(input.node());
      if (it == graph.index.end() || program.feed_index.contains(input)) continue;
      GuardId guard = passed_on;
      if (node.op().is(OpRole::kMerge)) guard = graph.items[it->second].item.guard;
      if (input.node()->op().is(OpRole::kSwitch)) {
        guard = guards->And(guard, guards->AndPredicate(graph.items[it->second].item.guard,
                                                        SwitchPredicate(*input.node()), input.index() == 1));
      }
      want(it->second, guard);
    }
    // The predicate of a Switch is needed to decide, not inside the branch.
    if (node.op().is(OpRole::kSwitch)) {
      auto it = graph.index.find(node.input(1).node());
      if (it != graph.index.end()) want(it->second, entry.item.guard);
      auto root = graph.index.find(SwitchPredicate(node).node());
      if (root != graph.index.end()) want(root->second, entry.item.guard);
    }
    for (const Node* control : node.control_inputs()) {
      auto it = graph.index.find(control);
      if (it != graph.index.end()) want(it->second, graph.items[it->second].item.guard);
    }
  }
}

std::vector<int> Schedule(OrderGraph& graph, const GuardTable& guards) {
  const int n = graph.size();
  std::vector<int> waiting(n);
  // Ready items by guard, the shallowest guard first.
  std::map<std::pair<size_t, GuardId>, std::priority_queue<int, std::vector<int>, std::greater<int>>> ready;
  const auto key = [&](GuardId guard) { return std::make_pair(guards.literals(guard).size(), guard); };
  const auto push = [&](int i) { ready[key(graph.items[i].item.guard)].push(i); };
  for (int i = 0; i < n; ++i) {
    waiting[i] = static_cast<int>(graph.items[i].item.before.size());
    if (waiting[i] == 0) push(i);
  }
  std::vector<int> order;
  std::vector<bool> done(n, false);
  GuardId current = GuardTable::kAlways;
  while (static_cast<int>(order.size()) < n) {
    if (ready.empty()) {
      // Only reader-before-writer edges can close a cycle: let the first reader copy and release its writer.
      const int stuck = static_cast<int>(std::find(done.begin(), done.end(), false) - done.begin());
      waiting[stuck] = 0;
      graph.items[stuck].item.copies = true;
      push(stuck);
    }
    auto it = ready.find(key(current));
    if (it == ready.end()) it = ready.begin();
    const int i = it->second.top();
    it->second.pop();
    if (it->second.empty()) ready.erase(it);
    if (done[i]) continue;
    done[i] = true;
    current = graph.items[i].item.guard;
    order.push_back(i);
    for (int next : graph.items[i].after) {
      if (--waiting[next] == 0) push(next);
    }
  }
  return order;
}

}  // namespace staticflow
