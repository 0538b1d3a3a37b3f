// Program: what a signature runs, in order, before any shape is known. The first half of compiling a step; the second
// half, for given feed shapes, is runtime/plan.h.
//
// Compiling takes the nodes that the fetches and targets need, gives each its guard, orders the uses of variables into
// versions, sinks work that only one branch uses into that branch, and puts everything into one total order in which
// nodes of the same guard stand together. Calls of functions are inlined first, in a copy of the graph that belongs to
// the program (graph/function_inliner.h); its nodes have the names of the originals.
//
// The versions of a variable within a step: writes are numbered in graph order; whoever computes with the variable's
// value sees the last write that a data or control edge puts before it, and no other; so does a fetch. Identities and
// reshapes of a reference are looked through, as in TensorFlow, where they share the variable's buffer; a
// ReadVariableOp gives the version at its own place. Where a version is needed after the next write, it is copied;
// everywhere else readers look at the variable's own memory, and the order makes sure that they do so before the next
// write.
//
// A Program is immutable once compiled and may be used from several threads.
#ifndef STATICFLOW_RUNTIME_PROGRAM_H_
#define STATICFLOW_RUNTIME_PROGRAM_H_

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "graph/variable_access.h"
#include "graph/variable_key.h"
#include "runtime/guards.h"
#include "runtime/session.h"

namespace staticflow {

// One thing to run.
struct ProgramItem {
  enum Kind {
    kNode,
    kSnapshot,   // the copy of a variable's version for a fetch
    kLoopBegin,  // before the items of a loop, its Merge nodes first
    kLoopEnd,    // after them: the next iteration, while the loop's condition holds
  };
  Kind kind = kNode;
  Node* node = nullptr;            // of a loop's end: its LoopCond
  std::vector<Node*> merges = {};  // of a loop's begin and end: the Merge nodes that carry values around
  Output snapshot_of;              // the reference that is fetched
  GuardId guard = GuardTable::kAlways;
  GuardId built_guard = GuardTable::kAlways;  // that of its place in the graph, before it was moved into a branch
  bool copies = false;                        // a read of a variable that must not alias it
  std::vector<GuardId> input_guards = {};     // of a Merge: whether each input lives
  std::vector<int> before = {};               // items that come earlier: data, control and variable order
};

struct Program {
  Signature signature;
  std::vector<ProgramItem> items;  // in running order; `before` holds positions in it
  GuardTable guards;
  absl::flat_hash_map<Output, int> feed_index;
  std::vector<int> predicate_feeds;            // scalar feeds that decide which branch runs
  std::vector<GuardId> fetch_guards;           // by fetch: whether it lives
  absl::flat_hash_map<Output, int> snapshots;  // fetched outputs -> position of their copy
  std::vector<const Node*> variables;          // declaring nodes of all variables that are used
  bool writes_variables = false;               // or has other effects that concurrent steps must not share
  std::shared_ptr<const Graph> graph;          // of the nodes, when it is a copy in which calls are inlined

  // A node of the session's graph as it is in the graph that runs; null when it is not there.
  Node* Find(Node* original) const { return graph == nullptr ? original : graph->FindNode(original->name()); }
};

// InvalidArgument for a cycle, for a wrong call of a function, for a loop without condition, and for a feed given
// twice.
absl::StatusOr<Program> CompileProgram(Signature signature);

// The input whose memory output `i` of `node` is, or -1 when the node computes or copies it.
int AliasedInput(const Node& node, int i);

// The predicate that decides which output of `switch_node` lives, without the identities in between.
Output SwitchPredicate(const Node& switch_node);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_PROGRAM_H_
