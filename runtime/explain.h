// Explanation: what a step runs and why, before it runs. Session::Explain makes it; the functions below write it down.
//
//   SF_ASSIGN_OR_RETURN(Explanation plan, session.Explain({.feeds = {x, training}, .fetches = {loss}, .targets =
//   {step}},
//                                                        {.feed_shapes = {{60, 784}, {}}}));
//   std::cout << ExplanationText(plan);
//   WriteFile("step.dot", ExplanationDot(plan));                            // dot -Tsvg step.dot > step.svg
//
//   StepProfile profile;
//   step.Run(feeds, {.profile = &profile});
//   WriteFile("step.json", ExplanationTrace(plan, profile));               // chrome://tracing or ui.perfetto.dev
//
// Nothing is run, and placeholders that are missing among the feeds are reported instead of being an error. An
// Explanation holds no part of the session; its nodes are the graph's. Values of it may be read from any thread.
#ifndef STATICFLOW_RUNTIME_EXPLAIN_H_
#define STATICFLOW_RUNTIME_EXPLAIN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "runtime/profile.h"
#include "runtime/session.h"

namespace staticflow {

class ResourceStore;

struct ExplainOptions {
  // By feed; a feed without one is taken with its static shape, whose unknown sizes count as 1, and as a scalar when
  // not even the rank is known (batch_assumed says so).
  std::vector<Shape> feed_shapes = {};
  // Bools that are fed and decide a cond: the plan has only their branch. Without, both branches are planned.
  std::vector<std::pair<Output, bool>> feed_values = {};
};

// What becomes of a node of the graph that the fetches or targets need.
enum class Fate {
  kRuns,      // instruction `instruction` computes it, alone or with others
  kView,      // it is its operand under another name or shape: no work
  kConstant,  // a Const
  kFolded,    // computed while planning, from constants or shapes alone
  kShared,    // `same_as` computes the same
  kLeftOut,   // pass `pass` found that nobody needs its result
  kFed,       // every output is fed
  kVariable,  // a variable, or the handle of one
  kMissing,   // a placeholder that has to be fed
  kUntaken,   // of a branch that the fed bools rule out
  kOrder,     // only makes others wait (NoOp)
};
const char* FateName(Fate fate);

struct ExplainedNode {
  const Node* node = nullptr;
  Fate fate = Fate::kRuns;
  int instruction = -1;            // of Fate::kRuns: the last one that computes it
  bool in_place = false;           // its result takes the memory of its operand, or is a variable's own
  const Node* same_as = nullptr;   // of Fate::kShared
  std::string pass = "";           // of Fate::kLeftOut and kShared
  std::string guard = "";          // when it runs: "training = true"; empty: always
  bool moved_into_branch = false;  // it stands outside of the cond, but only this branch uses it
  // Why: the node on the shortest way to a fetch or target that uses it (null: it is one), and how.
  const Node* needed_by = nullptr;
  bool by_control = false;  // as a control input
  std::string root = "";    // "fetch loss:0", "target train"
};

struct ExplainedInstruction {
  std::string text;                // as in Plan::ToString
  std::vector<const Node*> nodes;  // all that it computes; several when passes fused them
  std::string guard = "";
  int64_t live_bytes = 0;  // of the arena, while it runs
};

struct ExplainedValue {
  std::string name;  // "dense/MatMul:0"
  DataType dtype = DT_INVALID;
  Shape shape;
  int64_t bytes = 0;        // -1: known when the step runs
  std::string place = "";   // "arena", "fed", "constant", "variable w", "made by the step"
  std::string shares = "";  // the value whose memory it takes, if one: "add:0"
};

// Two uses of a variable that no data or control edge orders. Here the order is fixed all the same: a read sees the
// value from before the write, and writes happen in graph order. In TensorFlow it is left to chance.
struct VariableRace {
  const Node* variable = nullptr;
  const Node* first = nullptr;   // reads, or writes first
  const Node* second = nullptr;  // writes
  bool both_write = false;
};

// A node with effects or chance that runs every time although only one branch of a cond uses its result.
struct StrayNode {
  const Node* node = nullptr;
  std::string used_when;     // "training = true"
  bool always_idle = false;  // the feeds rule that branch out
};

struct Explanation {
  Signature signature;
  std::shared_ptr<const Graph> inlined = nullptr;  // where functions are called: the copy of the graph that all nodes
                                                   // below are of, but for `not_needed`; they keep their names
  std::vector<Shape> feed_shapes;
  bool batch_assumed = false;        // some size of a feed was taken to be 1
  std::vector<ExplainedNode> nodes;  // in running order
  std::vector<ExplainedInstruction> instructions;
  std::vector<ExplainedValue> values;  // what instructions compute, the largest first
  std::vector<const Node*> missing_feeds;
  std::vector<const Node*> not_needed;  // nodes of the graph that no fetch or target needs, in graph order
  std::vector<VariableRace> races;
  std::vector<StrayNode> strays;
  int64_t arena_bytes = 0;     // the peak: what the step allocates once
  int64_t tensor_bytes = 0;    // the sum over all tensors in it, had each its own memory
  int64_t constant_bytes = 0;  // kept with the plan
  int peak_instruction = -1;   // where most is alive
  int workers = 1;

  // Null when the step does not need the node, which may be of the session's graph.
  const ExplainedNode* Find(const Node& node) const;
};

// For Session::Explain: `resources` gets slots for the variables that are used, as by any plan.
// Errors of CompileProgram and BuildPlan; InvalidArgument for shapes that do not fit the feeds.
absl::StatusOr<Explanation> ExplainSignature(const Graph& graph, const Signature& signature,
                                             const ExplainOptions& options, const SessionOptions& session,
                                             ResourceStore* resources);

// For people: findings first, then instructions with their nodes and reasons, then memory.
std::string ExplanationText(const Explanation& explanation);
// A graph for Graphviz: one box per instruction around its nodes, control edges dashed, what does not run gray.
std::string ExplanationDot(const Explanation& explanation);
// The profile of a run of the same plan in the Trace Event Format: each instruction with the nodes it computes, the
// time it waited, and the memory alive.
std::string ExplanationTrace(const Explanation& explanation, const StepProfile& profile);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_EXPLAIN_H_
