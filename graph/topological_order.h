// An order in which every item comes after those it needs.
//
//   OrderResult r = TopologicalOrder({{}, {0}, {1, 0}});    r.order == {0, 1, 2}
#ifndef STATICFLOW_GRAPH_TOPOLOGICAL_ORDER_H_
#define STATICFLOW_GRAPH_TOPOLOGICAL_ORDER_H_

#include <vector>

namespace staticflow {

struct OrderResult {
  std::vector<int> order;  // of all items, unless there is a cycle
  std::vector<int>
      cycle;  // one cycle, each item needed by the next and the last by the first; empty when there is none
};

// `needs[i]` lists the items that item i needs. Where these leave a choice, the smaller number comes first.
// A pure function, in time O(items log items + needs).
OrderResult TopologicalOrder(const std::vector<std::vector<int>>& needs);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_TOPOLOGICAL_ORDER_H_
