#include "graph/topological_order.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <utility>

#include "graph/loop_frames.h"

namespace staticflow {
namespace {

// From an item that waits, following needs that wait too leads into a cycle.
std::vector<int> FindCycle(const std::vector<std::vector<int>>& needs, const std::vector<int>& waiting) {
  const auto waits = [&](int i) { return waiting[i] > 0; };
  int at = 0;
  while (!waits(at)) ++at;
  std::vector<int> path;
  std::vector<bool> seen(needs.size(), false);
  while (!seen[at]) {
    seen[at] = true;
    path.push_back(at);
    at = *std::find_if(needs[at].begin(), needs[at].end(), waits);
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), at));
  std::reverse(path.begin(), path.end());
  return path;
}

// A walk in depth, with a path of its own in place of the stack: graphs can be deep.
class NeededWalk {
 public:
  NeededWalk(const Graph& g, absl::FunctionRef<bool(Output)> is_given)
      : is_given_(is_given), seen_(static_cast<size_t>(g.num_nodes()), false) {
    found_.rank.assign(seen_.size(), -1);
  }

  void Visit(Node* root) {
    Enter(root);
    while (!path_.empty()) {
      auto& [node, next] = path_.back();
      const size_t num_inputs = static_cast<size_t>(node->num_inputs());
      if (next < num_inputs) {
        const Output input = node->input(static_cast<int>(next++));
        if (is_given_(input)) continue;
        if (IsBackEdge(input, *node)) {
          later_.push_back(input.node());
        } else {
          Enter(input.node());
        }
      } else if (next < num_inputs + node->control_inputs().size()) {
        Enter(node->control_inputs()[next++ - num_inputs]);
      } else {
        found_.rank[static_cast<size_t>(node->id())] = static_cast<int>(found_.nodes.size());
        found_.nodes.push_back(node);
        path_.pop_back();
      }
    }
  }

  NeededNodes Finish() {
    while (!later_.empty()) {
      Node* const node = later_.back();
      later_.pop_back();
      Visit(node);
    }
    return std::move(found_);
  }

 private:
  void Enter(Node* node) {
    if (seen_[static_cast<size_t>(node->id())]) return;
    seen_[static_cast<size_t>(node->id())] = true;
    path_.emplace_back(node, 0);
  }

  absl::FunctionRef<bool(Output)> is_given_;
  std::vector<bool> seen_;
  std::vector<std::pair<Node*, size_t>> path_;  // each with the edge to follow next
  std::vector<Node*> later_;                    // sources of edges back
  NeededNodes found_;
};

}  // namespace

OrderResult TopologicalOrder(const std::vector<std::vector<int>>& needs) {
  const int n = static_cast<int>(needs.size());
  std::vector<int> waiting(n, 0);
  std::vector<std::vector<int>> readers(n);
  std::priority_queue<int, std::vector<int>, std::greater<int>> ready;
  for (int i = 0; i < n; ++i) {
    waiting[i] = static_cast<int>(needs[i].size());
    for (int source : needs[i]) readers[source].push_back(i);
    if (waiting[i] == 0) ready.push(i);
  }
  OrderResult result;
  result.order.reserve(n);
  while (!ready.empty()) {
    const int i = ready.top();
    ready.pop();
    result.order.push_back(i);
    for (int reader : readers[i]) {
      if (--waiting[reader] == 0) ready.push(reader);
    }
  }
  if (static_cast<int>(result.order.size()) < n) result.cycle = FindCycle(needs, waiting);
  return result;
}

NeededNodes FindNeededNodes(const Graph& g, absl::Span<Node* const> roots, absl::FunctionRef<bool(Output)> is_given) {
  NeededWalk walk(g, is_given);
  for (Node* root : roots) walk.Visit(root);
  return walk.Finish();
}

std::vector<bool> DependentsOf(
    const Graph& g, absl::Span<const Node* const> roots, absl::Span<Node* const> nodes,
    absl::FunctionRef<void(const Node& node, std::vector<const Node*>* sources)> sources_of) {
  const size_t n = static_cast<size_t>(g.num_nodes());
  std::vector<std::pair<int, int>> edges;  // from a source to its user
  std::vector<size_t> users_begin(n + 1, 0);
  std::vector<const Node*> sources;
  for (const Node* node : nodes) {
    sources.clear();
    sources_of(*node, &sources);
    for (const Node* source : sources) {
      edges.emplace_back(source->id(), node->id());
      ++users_begin[static_cast<size_t>(source->id())];
    }
  }
  // The users of all nodes in one list: where those of a node end, and, once they are filled in, begin.
  std::partial_sum(users_begin.begin(), users_begin.end(), users_begin.begin());
  std::vector<int> users(edges.size());
  for (const auto& [source, user] : edges) users[--users_begin[static_cast<size_t>(source)]] = user;

  std::vector<bool> depends(n, false);
  std::vector<int> open;
  const auto reach = [&](int id) {
    if (depends[static_cast<size_t>(id)]) return;
    depends[static_cast<size_t>(id)] = true;
    open.push_back(id);
  };
  for (const Node* root : roots) reach(root->id());
  while (!open.empty()) {
    const size_t id = static_cast<size_t>(open.back());
    open.pop_back();
    for (size_t i = users_begin[id]; i < users_begin[id + 1]; ++i) reach(users[i]);
  }
  return depends;
}

std::vector<bool> DependentsOf(
    const Graph& g, absl::Span<const Node* const> roots,
    absl::FunctionRef<void(const Node& node, std::vector<const Node*>* sources)> sources_of) {
  std::vector<Node*> nodes;
  nodes.reserve(g.nodes().size());
  for (const auto& node : g.nodes()) nodes.push_back(node.get());
  return DependentsOf(g, roots, nodes, sources_of);
}

}  // namespace staticflow
