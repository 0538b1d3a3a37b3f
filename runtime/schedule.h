// The order graph of a program under construction, and the passes over it. Used by runtime/program.cc alone; tests
// reach it through Program.
#ifndef STATICFLOW_RUNTIME_SCHEDULE_H_
#define STATICFLOW_RUNTIME_SCHEDULE_H_

#include <vector>

#include "runtime/program.h"

namespace staticflow {

// Items in graph order (every item after what it depends on, ties by node id) with edges both ways.
struct OrderGraph {
  struct Item {
    ProgramItem item;
    std::vector<int> after = {};  // items that depend on this one
  };
  std::vector<Item> items;
  absl::flat_hash_map<const Node*, int> index;

  void AddEdge(int from, int to);
  int size() const { return static_cast<int>(items.size()); }
};

// Adds the edges, copies and snapshots that give every read of a variable its version. Fills program->snapshots with
// indices into `graph`, program->variables and program->writes_variables.
void OrderVariables(OrderGraph& graph, Program* program);

// Gives pure items the guard that all their uses share, and makes them wait for its predicates.
void SinkIntoBranches(OrderGraph& graph, const Program& program, GuardTable* guards);

// A total order; items of one guard stand together where the edges allow it. Returns graph indices.
// An anti-dependency (reader before writer) that would close a cycle is dropped in favor of a copy.
std::vector<int> Schedule(OrderGraph& graph, const GuardTable& guards);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_SCHEDULE_H_
