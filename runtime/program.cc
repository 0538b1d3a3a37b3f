#include "runtime/program.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <queue>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "graph/function_inliner.h"
#include "graph/loop_frames.h"
#include "graph/status.h"
#include "graph/variable_key.h"
#include "runtime/schedule.h"

namespace staticflow {
namespace {

// Whether every output is fed: then the node itself need not run, whoever waits for it.
bool IsReplacedByFeeds(const Node& node, const Program& program) {
  for (int i = 0; i < node.num_outputs(); ++i) {
    if (!program.feed_index.contains(node.output(i))) return false;
  }
  return node.num_outputs() > 0;
}

absl::Status IndexFeeds(Program* program) {
  for (Output feed : program->signature.feeds) {
    const int index = static_cast<int>(program->feed_index.size());
    if (!program->feed_index.try_emplace(feed, index).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(feed.node()->DebugName(), ": output ", feed.index(), " is fed twice"));
    }
  }
  return absl::OkStatus();
}

// The nodes that must run, in no particular order.
std::vector<Node*> NeededNodes(const Program& program) {
  std::vector<Node*> needed;
  absl::flat_hash_set<Node*> seen;
  const auto need = [&](Node* node) {
    if (!IsReplacedByFeeds(*node, program) && seen.insert(node).second) needed.push_back(node);
  };
  for (Output fetch : program.signature.fetches) {
    if (!program.feed_index.contains(fetch)) need(fetch.node());
  }
  for (Operation target : program.signature.targets) need(target.node());
  for (size_t next = 0; next < needed.size(); ++next) {
    for (Output input : needed[next]->inputs()) {
      if (!program.feed_index.contains(input)) need(input.node());
    }
    for (Node* control : needed[next]->control_inputs()) need(control);
  }
  return needed;
}

// Where functions are called or variables chosen, lets the program run a copy of the graph in which the calls are
// inlined and each node knows its variables.
absl::Status InlineNeededCalls(Program* program) {
  Signature& signature = program->signature;
  std::vector<Node*> nodes = NeededNodes(*program), calls;
  absl::c_copy_if(nodes, std::back_inserter(calls), [](const Node* node) { return IsCall(*node); });
  if (calls.empty() && !absl::c_any_of(nodes, [](const Node* node) { return ChoosesVariable(*node); })) {
    return absl::OkStatus();
  }
  for (Output feed : signature.feeds) nodes.push_back(feed.node());
  for (Output fetch : signature.fetches) nodes.push_back(fetch.node());
  for (Operation target : signature.targets) nodes.push_back(target.node());
  SF_ASSIGN_OR_RETURN(const InlinedCopy copy, CopyWithInlinedCalls(nodes[0]->graph(), nodes, calls, signature.feeds));
  const auto moved = [&](Output output) { return Output(copy.nodes.at(output.node()), output.index()); };
  for (Output& feed : signature.feeds) feed = moved(feed);
  for (Output& fetch : signature.fetches) fetch = moved(fetch);
  for (Operation& target : signature.targets) target = copy.nodes.at(target.node());
  program->graph = copy.graph;
  program->feed_index.clear();
  return IndexFeeds(program);
}

// Kahn's algorithm with the smallest node id first. InvalidArgument names a node of a cycle.
absl::StatusOr<OrderGraph> BuildOrderGraph(std::vector<Node*> nodes, const Program& program) {
  std::sort(nodes.begin(), nodes.end(), [](Node* a, Node* b) { return a->id() < b->id(); });
  absl::flat_hash_map<const Node*, int> rank;
  for (size_t i = 0; i < nodes.size(); ++i) rank[nodes[i]] = static_cast<int>(i);
  std::vector<std::vector<int>> before(nodes.size()), after(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto depend = [&](const Node* source) {
      auto it = rank.find(source);
      if (it == rank.end()) return;
      before[i].push_back(it->second);
      after[it->second].push_back(static_cast<int>(i));
    };
    for (Output input : nodes[i]->inputs()) {
      if (!program.feed_index.contains(input) && !IsBackEdge(input, *nodes[i])) depend(input.node());
    }
    for (const Node* control : nodes[i]->control_inputs()) depend(control);
  }
  std::vector<int> waiting(nodes.size()), order_of(nodes.size());
  std::priority_queue<int, std::vector<int>, std::greater<int>> ready;
  for (size_t i = 0; i < nodes.size(); ++i) {
    waiting[i] = static_cast<int>(before[i].size());
    if (waiting[i] == 0) ready.push(static_cast<int>(i));
  }
  OrderGraph graph;
  while (!ready.empty()) {
    const int i = ready.top();
    ready.pop();
    order_of[i] = graph.size();
    graph.index[nodes[i]] = graph.size();
    graph.items.push_back({.item = {.node = nodes[i], .snapshot_of = Output()}});
    for (int next : after[i]) {
      if (--waiting[next] == 0) ready.push(next);
    }
  }
  if (graph.size() < static_cast<int>(nodes.size())) {
    const size_t stuck = std::find_if(waiting.begin(), waiting.end(), [](int n) { return n > 0; }) - waiting.begin();
    return absl::InvalidArgumentError(absl::StrCat(nodes[stuck]->DebugName(), ": its inputs form a cycle"));
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (int source : before[i]) graph.AddEdge(order_of[source], order_of[i]);
  }
  return graph;
}

// Fills the guards of all items and of the fetches.
void ComputeGuards(OrderGraph& graph, Program* mutable_program) {
  const Program& program = *mutable_program;
  GuardTable* guards = &mutable_program->guards;
  const auto guard_of_edge = [&](Output input) -> GuardId {
    auto it = graph.index.find(input.node());
    if (program.feed_index.contains(input) || it == graph.index.end()) return GuardTable::kAlways;
    const GuardId guard = graph.items[it->second].item.guard;
    if (!input.node()->op().is(OpRole::kSwitch)) return guard;
    return guards->AndPredicate(guard, SwitchPredicate(*input.node()), input.index() == 1);
  };
  for (OrderGraph::Item& entry : graph.items) {
    const Node& node = *entry.item.node;
    GuardId guard = GuardTable::kAlways;
    if (node.op().is(OpRole::kMerge) && node.num_inputs() > 0) {
      guard = GuardTable::kNever;
      for (Output input : node.inputs()) {
        // The first iteration decides: a loop runs when what enters it lives.
        if (IsBackEdge(input, node)) continue;
        entry.item.input_guards.push_back(guard_of_edge(input));
        guard = guards->Or(guard, entry.item.input_guards.back());
      }
    } else if (node.op().is(OpRole::kExit)) {
      // When the loop is over its condition is false, whatever the Switch says: the result lives as the loop does.
      auto it = graph.index.find(node.input(0).node());
      if (it != graph.index.end()) guard = graph.items[it->second].item.guard;
    } else if (!node.op().is(OpRole::kNoOp) || !node.op().has(kAlwaysRuns)) {  // a trigger waits for what may be dead
      for (Output input : node.inputs()) guard = guards->And(guard, guard_of_edge(input));
      for (const Node* control : node.control_inputs()) {
        auto it = graph.index.find(control);
        if (it != graph.index.end()) guard = guards->And(guard, graph.items[it->second].item.guard);
      }
    }
    entry.item.guard = entry.item.built_guard = guard;
  }
  for (Output fetch : program.signature.fetches) mutable_program->fetch_guards.push_back(guard_of_edge(fetch));
}

}  // namespace

int AliasedInput(const Node& node, int i) {
  const Op& op = node.op();
  for (OpRole role :
       {OpRole::kSwitch, OpRole::kIdentity, OpRole::kReadVariable, OpRole::kDefault, OpRole::kStopGradient,
        OpRole::kEnter, OpRole::kExit, OpRole::kNextIteration, OpRole::kLoopCond}) {
    if (op.is(role)) return op.is(OpRole::kReadVariable) && VariableBehind(node.input(0)) == nullptr ? -1 : 0;
  }
  return op.has(kAlias) && i < node.num_inputs() ? i : -1;
}

Output SwitchPredicate(const Node& switch_node) {
  Output predicate = switch_node.input(1);
  while ((predicate.node()->op().is(OpRole::kIdentity) || predicate.node()->op().is(OpRole::kLoopCond)) &&
         !predicate.node()->input(0).is_ref()) {
    predicate = predicate.node()->input(0);
  }
  return predicate;
}

absl::StatusOr<Program> CompileProgram(Signature signature) {
  Program program;
  program.signature = std::move(signature);
  SF_RETURN_IF_ERROR(IndexFeeds(&program));
  SF_RETURN_IF_ERROR(InlineNeededCalls(&program));
  SF_ASSIGN_OR_RETURN(OrderGraph graph, BuildOrderGraph(NeededNodes(program), program));
  SF_RETURN_IF_ERROR(FindLoops(graph));
  ComputeGuards(graph, &program);
  OrderVariables(graph, &program);
  SinkIntoBranches(graph, program, &program.guards);
  const std::vector<int> order = Schedule(graph, &program.guards);
  std::vector<int> position(order.size());
  for (size_t i = 0; i < order.size(); ++i) position[order[i]] = static_cast<int>(i);
  for (int index : order) {
    ProgramItem item = std::move(graph.items[index].item);
    for (int& before : item.before) before = position[before];
    program.items.push_back(std::move(item));
  }
  for (auto& [output, index] : program.snapshots) index = position[index];
  for (int i = 0; i < program.guards.num_literals(); ++i) {
    auto feed = program.feed_index.find(program.guards.literal(i).predicate);
    if (feed == program.feed_index.end() || feed->first.dtype() != DT_BOOL) continue;
    if (absl::c_find(program.predicate_feeds, feed->second) == program.predicate_feeds.end()) {
      program.predicate_feeds.push_back(feed->second);
    }
  }
  return program;
}

}  // namespace staticflow
