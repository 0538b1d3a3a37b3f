#include "runtime/schedule.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <queue>

#include "absl/container/flat_hash_map.h"
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

// Who looks at the memory that a read gives: an item, or the end of the step for a fetched output.
struct Looker {
  int item = -1;
  Output fetched = {};
  bool at_end_of_turn = false;  // the item is a NextIteration, which looks when its loop has done everything else
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
  void OrderReference(int read);
  void OrderHandle(int read);
  // Whether a write in a loop comes between a read and one who looks at it in another turn of the loop.
  bool LooksInLaterTurn(int read, int version, const Looker& looker) const;
  void Snapshot(Output fetched, int item);
  // The number of writes that come before `item`.
  int VersionAt(int item) const;
  // Puts `item` before the write that ends its version.
  void PutBeforeNextWrite(int item, int version) {
    if (version < static_cast<int>(writes_.size())) graph_.AddEdge(item, writes_[version]);
  }
  std::vector<Looker> Lookers(int read) const;
  bool IsFetched(Output output) const {
    const std::vector<Output>& fetches = program_.signature.fetches;
    return std::find(fetches.begin(), fetches.end(), output) != fetches.end();
  }

  OrderGraph& graph_;
  Program& program_;
  absl::flat_hash_map<const Node*, VariableUses> uses_;
  // Of the variable that is being ordered:
  std::vector<int> writes_;
  std::vector<std::vector<bool>> after_write_;
};

void VariableOrder::FindUses() {
  // Several nodes may declare one variable.
  std::map<std::string, const Node*> declarations;
  const auto uses_of = [&](const Node* declaration) -> VariableUses& {
    const Node* variable = declarations.try_emplace(VariableKey(*declaration), declaration).first->second;
    auto [it, inserted] = uses_.try_emplace(variable);
    if (inserted) program_.variables.push_back(variable);
    return it->second;
  };
  for (int i = 0; i < graph_.size(); ++i) {
    const Node& node = *graph_.items[i].item.node;
    // Random counters and tables are state too; declaring and reading a variable changes nothing, and what lives for
    // one step is nobody else's.
    program_.writes_variables |= node.op().has(kStateful) && !node.op().has(kStepObjects) &&
                                 !node.op().is(OpRole::kVariable) && !node.op().is(OpRole::kVarHandle) &&
                                 !node.op().is(OpRole::kReadVariable);
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

std::vector<Looker> VariableOrder::Lookers(int read) const {
  std::vector<Looker> lookers;
  std::vector<int> aliases = {read};
  absl::flat_hash_set<int> seen = {read};
  for (size_t next = 0; next < aliases.size(); ++next) {
    const Node& node = *graph_.items[aliases[next]].item.node;
    for (int k = 0; k < node.num_outputs(); ++k) {
      const bool shows_variable = AliasedInput(node, k) >= 0 && !node.output_is_ref(k);
      if (shows_variable && IsFetched(node.output(k))) lookers.push_back({.item = -1, .fetched = node.output(k)});
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
      if (user_node->op().is(OpRole::kNextIteration)) {
        lookers.push_back({.item = user, .fetched = Output(), .at_end_of_turn = true});
      } else if (alias) {
        aliases.push_back(user);
      } else {
        lookers.push_back({.item = user});
      }
    }
  }
  return lookers;
}

int VariableOrder::VersionAt(int item) const {
  int version = 0;
  for (size_t i = 0; i < writes_.size(); ++i) {
    if (after_write_[i][item]) version = static_cast<int>(i) + 1;
  }
  return version;
}

void VariableOrder::Order(const VariableUses& uses) {
  writes_ = uses.writes;
  writes_.erase(std::unique(writes_.begin(), writes_.end()), writes_.end());
  if (writes_.empty()) return;
  for (size_t i = 1; i < writes_.size(); ++i) graph_.AddEdge(writes_[i - 1], writes_[i]);
  after_write_.clear();
  for (int write : writes_) after_write_.push_back(Descendants(graph_, write));
  for (int read : uses.reads) {
    if (graph_.items[read].item.node->op().is(OpRole::kReadVariable)) {
      OrderHandle(read);
    } else {
      OrderReference(read);
    }
  }
  for (const auto& [fetch, item] : uses.fetches) Snapshot(fetch, item);
}

// A reference is looked through: whoever computes with it sees the writes before its own place, as in TensorFlow, where
// an Identity of a reference shares the variable's buffer.
void VariableOrder::OrderReference(int read) {
  const Node& node = *graph_.items[read].item.node;
  const bool aliases = node.num_outputs() > 0 && AliasedInput(node, 0) >= 0 && !node.output_is_ref(0);
  if (!aliases) return PutBeforeNextWrite(read, VersionAt(read));
  for (const Looker& looker : Lookers(read)) {
    if (looker.at_end_of_turn) continue;
    if (looker.item >= 0) {
      PutBeforeNextWrite(looker.item, VersionAt(looker.item));
    } else {
      Snapshot(looker.fetched, graph_.index.at(looker.fetched.node()));
    }
  }
}

// ReadVariableOp gives a value: the version at its own place, whoever looks at it when. It copies if someone does so
// after the next write.
void VariableOrder::OrderHandle(int read) {
  const int version = VersionAt(read);
  if (version == static_cast<int>(writes_.size())) return;
  const std::vector<Looker> lookers = Lookers(read);
  const auto is_late = [&](const Looker& looker) {
    return looker.item < 0 || (looker.item != writes_[version] && after_write_[version][looker.item]) ||
           LooksInLaterTurn(read, version, looker);
  };
  PutBeforeNextWrite(read, version);
  if (std::any_of(lookers.begin(), lookers.end(), is_late)) {
    graph_.items[read].item.copies = true;
    return;
  }
  for (const Looker& looker : lookers) PutBeforeNextWrite(looker.item, version);
}

bool VariableOrder::LooksInLaterTurn(int read, int version, const Looker& looker) const {
  const auto is_in = [&](int item, int loop) {
    int frame = graph_.items[item].frame;
    while (frame != loop && frame > 0) frame = graph_.frames[frame].parent;
    return frame == loop;
  };
  for (size_t i = version; i < writes_.size(); ++i) {
    for (int loop = graph_.items[writes_[i]].frame; loop > 0; loop = graph_.frames[loop].parent) {
      if (is_in(looker.item, loop) && (looker.at_end_of_turn || !is_in(read, loop))) return true;
    }
  }
  return false;
}

void VariableOrder::Snapshot(Output fetched, int item) {
  const int version = VersionAt(item);
  if (version == static_cast<int>(writes_.size()) || program_.snapshots.contains(fetched)) return;
  const int snapshot = graph_.size();
  const GuardId guard = graph_.items[item].item.guard;
  graph_.items.push_back({.item = {.kind = ProgramItem::kSnapshot, .snapshot_of = fetched, .guard = guard},
                          .frame = graph_.items[item].frame});
  for (std::vector<bool>& reached : after_write_) reached.push_back(false);
  graph_.AddEdge(item, snapshot);
  graph_.AddEdge(snapshot, writes_[version]);
  program_.snapshots[fetched] = snapshot;
}

}  // namespace

void OrderGraph::AddEdge(int from, int to) {
  if (from == to) return;
  items[to].item.before.push_back(from);  // twice is harmless: it is counted twice on both sides
  items[from].after.push_back(to);
}

void OrderVariables(OrderGraph& graph, Program* program) { VariableOrder(graph, program).Run(); }

namespace {

// Orders one loop (or the step), with its inner loops as single units.
class Scheduler {
 public:
  Scheduler(OrderGraph& graph, GuardTable* guards) : graph_(graph), guards_(*guards), items_(graph.frames.size()) {
    for (int i = 0; i < graph.size(); ++i) {
      for (int at = graph.items[i].frame; at >= 0; at = at > 0 ? graph.frames[at].parent : -1) items_[at].push_back(i);
    }
  }

  void Run(int frame);
  std::vector<int> order() && { return std::move(order_); }

 private:
  using Ready = std::map<std::pair<size_t, GuardId>, std::priority_queue<int, std::vector<int>, std::greater<int>>>;

  // The unit of `frame` that item `i` belongs to: itself, or minus the number of the inner loop around it (the step is
  // number 0, no loop is); nullopt when it is outside.
  std::optional<int> UnitOf(int i, int frame) const {
    int at = graph_.items[i].frame;
    if (at == frame) return i;
    while (at > 0 && graph_.frames[at].parent != frame) at = graph_.frames[at].parent;
    return at > 0 ? std::optional<int>(-at) : std::nullopt;
  }
  GuardId GuardOf(int unit) const {
    if (unit >= 0) return graph_.items[unit].item.guard;
    const OrderGraph::Frame& frame = graph_.frames[-unit];
    return frame.merges.empty() ? GuardTable::kAlways : graph_.items[graph_.index.at(frame.merges[0])].item.guard;
  }
  void RunLoop(int frame);

  OrderGraph& graph_;
  GuardTable& guards_;
  std::vector<std::vector<int>> items_;  // by frame, with those of the frames inside it
  std::vector<int> order_;
};

void Scheduler::Run(int frame) {
  absl::flat_hash_map<int, int> waiting;
  absl::flat_hash_map<int, std::vector<int>> after;
  std::vector<int> units;
  for (int i : items_[frame]) {
    const std::optional<int> unit = UnitOf(i, frame);
    if (waiting.try_emplace(*unit, 0).second) units.push_back(*unit);
    for (int before : graph_.items[i].item.before) {
      const std::optional<int> source = UnitOf(before, frame);
      if (!source.has_value() || *source == *unit) continue;
      ++waiting[*unit];
      after[*source].push_back(*unit);
    }
  }
  Ready ready;  // by guard, the shallowest first
  const auto key = [&](GuardId guard) { return std::make_pair(guards_.literals(guard).size(), guard); };
  const auto push = [&](int unit) { ready[key(GuardOf(unit))].push(unit); };
  for (int unit : units) {
    if (waiting[unit] == 0) push(unit);
  }
  absl::flat_hash_set<int> done;
  GuardId current = GuardTable::kAlways;
  while (done.size() < units.size()) {
    if (ready.empty()) {
      // Only reader-before-writer edges can close a cycle: let the first reader copy and release its writer.
      const int stuck = *std::find_if(units.begin(), units.end(), [&](int unit) { return !done.contains(unit); });
      waiting[stuck] = 0;
      if (stuck >= 0) graph_.items[stuck].item.copies = true;
      push(stuck);
    }
    auto it = ready.find(key(current));
    if (it == ready.end()) it = ready.begin();
    const int unit = it->second.top();
    it->second.pop();
    if (it->second.empty()) ready.erase(it);
    if (!done.insert(unit).second) continue;
    current = GuardOf(unit);
    if (unit >= 0) {
      order_.push_back(unit);
    } else {
      RunLoop(-unit);
    }
    for (int next : after[unit]) {
      if (--waiting[next] == 0) push(next);
    }
  }
}

void Scheduler::RunLoop(int frame) {
  const OrderGraph::Frame loop = graph_.frames[frame];
  if (loop.merges.empty()) return Run(frame);  // values that enter and are used once
  const GuardId guard = GuardOf(-frame);
  const auto mark = [&](ProgramItem::Kind kind, GuardId when) {
    order_.push_back(graph_.size());
    graph_.items.push_back(
        {.item = {.kind = kind, .node = loop.condition, .merges = loop.merges, .snapshot_of = Output(), .guard = when},
         .frame = -1});
  };
  mark(ProgramItem::kLoopBegin, guard);
  Run(frame);
  Output predicate = loop.condition->input(0);
  while (predicate.node()->op().is(OpRole::kIdentity)) predicate = predicate.node()->input(0);
  mark(ProgramItem::kLoopEnd, guards_.AndPredicate(guard, predicate, true));
}

}  // namespace

std::vector<int> Schedule(OrderGraph& graph, GuardTable* guards) {
  Scheduler scheduler(graph, guards);
  scheduler.Run(0);
  return std::move(scheduler).order();
}

}  // namespace staticflow
