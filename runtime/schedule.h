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
    int frame = 0;                // the loop it runs in
  };
  // A loop, or (number 0) the step itself.
  struct Frame {
    int parent = -1;
    Node* condition = nullptr;  // LoopCond
    std::vector<Node*> merges = {};
  };
  std::vector<Item> items;
  std::vector<Frame> frames = {Frame()};
  absl::flat_hash_map<const Node*, int> index;

  void AddEdge(int from, int to);
  int size() const { return static_cast<int>(items.size()); }
};

// Finds the loops (frames of Enter nodes) and which one each item runs in.
// InvalidArgument for a loop without LoopCond or a node with inputs of several loops.
absl::Status FindLoops(OrderGraph& graph);

// Adds the edges, copies and snapshots that give every read of a variable its version. Fills program->snapshots with
// indices into `graph`, program->variables and program->writes_variables.
void OrderVariables(OrderGraph& graph, Program* program);

// Gives pure items the guard that all their uses share, and makes them wait for its predicates.
void SinkIntoBranches(OrderGraph& graph, const Program& program, GuardTable* guards);

// A total order; items of one loop stand together, between an item that begins it and one that ends it (added to the
// graph here), and items of one guard where the edges allow it. Returns graph indices.
// An anti-dependency (reader before writer) that would close a cycle is dropped in favor of a copy.
std::vector<int> Schedule(OrderGraph& graph, GuardTable* guards);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_SCHEDULE_H_
