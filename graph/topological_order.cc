#include "graph/topological_order.h"

#include <algorithm>
#include <functional>
#include <queue>

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

}  // namespace staticflow
