// Plan: a step compiled for given feed shapes: a flat array of instructions over values in one arena.
//
//   #0  MatMul 'dense/MatMul'  (x, w) -> float[60,100] @0
//   #1  unless is_training: jump to #4
//
// Each value is a view (type, shape) of a buffer; several values may view one buffer (reshapes, identities, a variable
// and its reads). A buffer lives in the arena at an offset that liveness decides, or is a feed, a constant of the plan,
// a variable of the session, or (its size being known only at run time) a tensor of the running step.
//
// A Plan is immutable once built and shared by all calls that run it; each call has its own Frame (runtime/executor.h).
// How steps become plans, and plans are rewritten: docs/design.md.
#ifndef STATICFLOW_RUNTIME_PLAN_H_
#define STATICFLOW_RUNTIME_PLAN_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/graph.h"
#include "graph/tensor.h"
#include "runtime/program.h"
#include "runtime/resource_store.h"

namespace staticflow {

struct LoopProgram;  // runtime/loop.h
struct ProductCall;  // runtime/product.h

enum class BufferKind {
  kArena,     // `offset` in the arena of the frame
  kFeed,      // the caller's memory, `index` in the feeds
  kConst,     // `constant`, the same in every step
  kVariable,  // the memory of `variable`
  kObjects,   // strings or handles of fixed number: a tensor that the frame keeps
  kDynamic,   // a tensor made while the step runs
};

struct Buffer {
  BufferKind kind = BufferKind::kArena;
  int64_t bytes = 0;
  int64_t offset = -1;
  int index = -1;
  Tensor constant = {};
  VariableSlot* variable = nullptr;
  int first_use = -1;  // instructions between which the buffer holds something
  int last_use = -1;
};

struct Value {
  DataType dtype = DT_INVALID;
  Shape shape;  // fully defined unless the buffer is dynamic or a variable of open shape
  int buffer = -1;
  bool is_static = true;   // false: the shape comes while the step runs
  int64_t row_stride = 0;  // elements from a row to the next; 0: rows lie side by side
};

enum class InstructionKind {
  kKernel,         // run the kernel
  kJump,           // go to `target` unless `guard` holds
  kCheckVariable,  // FailedPrecondition unless `variable` is initialized
  kCopy,           // copy input 0 to output 0 (a variable's version, a Merge input)
  kMerge,          // copy the live input to output 0, its number to output 1
  kAlias,          // output 0 becomes input 0 with the shape that the node's shape function gives
  kLoopAssign,     // outputs become the inputs, all at once: what enters a loop. A kernel, for those of known shape
  kLoopNext,       // the same for the next iteration, then go to `target`
  kFail,           // return `failure`
};

struct Instruction {
  InstructionKind kind = InstructionKind::kKernel;
  const Node* node = nullptr;
  std::vector<const Node*> absorbed = {};  // what this computes besides `node`, once passes have fused it
  Kernel kernel = nullptr;
  std::vector<int> inputs = {};               // values
  std::vector<int> outputs = {};              // values
  std::vector<VariableSlot*> variables = {};  // per input of a kernel; null where it is none
  bool is_static = true;                      // false: infer the output shapes at run time
  int64_t split_items = 0;                    // how many items can be divided among workers; 0: not divisible
  std::vector<int64_t> cuts = {};             // worker w runs items cuts[w]..cuts[w + 1]; empty: worker 0 runs it whole
  bool in_parts = false;                      // its items are the two parts of a sum (runtime/parts.h), one per output
  bool barrier = false;                       // every worker waits for all others before it: data crosses
  GuardId guard = GuardTable::kAlways;        // of a jump, for the listing also of the others
  int target = -1;
  std::vector<GuardId> merge_guards = {};  // per input of a merge
  VariableSlot* variable = nullptr;
  // What passes made, instead of `kernel` and `variables`: operands and results are then `inputs` and `outputs` alone.
  std::shared_ptr<LoopProgram> loop = nullptr;
  std::shared_ptr<ProductCall> product = nullptr;
  int ahead = -1;  // of a product: the value behind its inputs that it asks for meanwhile, for a later one
  absl::Status failure = absl::OkStatus();
  std::vector<int> releases = {};  // dynamic buffers that nobody uses after this
};

struct Plan {
  std::shared_ptr<const Program> program;
  std::vector<Shape> feed_shapes;
  std::vector<std::pair<int, bool>> feed_predicates;  // the plan is for these values of these feeds
  std::vector<Buffer> buffers;
  std::vector<Value> values;
  std::vector<Instruction> instructions;
  std::vector<int> feed_values;                                   // by feed
  std::vector<int> fetch_values;                                  // by fetch
  absl::flat_hash_map<Output, int> predicates;                    // values of the guards' predicates
  absl::flat_hash_map<const VariableSlot*, int> variable_values;  // by variable of fixed shape
  std::vector<int> literal_values;             // the same by literal of the guard table; -1 for disjunctions
  std::vector<std::pair<int, int>> fed_views;  // (value, feed) for every value that looks at a feed
  int workers = 1;                             // how many the cuts are made for; one alone may run it all, too
  bool divide_always = false;                  // PlanOptions::divide_always
  int64_t work_ns = 0;                         // what one worker alone would take, estimated; 0: not known
  std::vector<std::pair<int, int>> loops;      // first and last instruction of each, inner ones first
  int64_t arena_bytes = 0;

  // One line per instruction, then the memory; the same text for the same program and shapes.
  std::string ToString() const;
  std::string InstructionToString(int i) const;  // without its number
};

// The passes that are switched off, by name: see runtime/pass.h.
struct PassSet {
  absl::flat_hash_set<std::string> off = {};

  bool Has(absl::string_view name) const { return !off.contains(name); }
};

// What became of the nodes while a plan was compiled: kept for Session::Explain (runtime/explain.h).
struct PlanJournal {
  struct Removal {
    const Node* node = nullptr;
    absl::string_view pass;         // that left it out
    const Node* same_as = nullptr;  // whose result stands for its own, if that is a node's
  };
  absl::flat_hash_map<Output, int> values = {};  // before the passes
  std::vector<const Node*> untaken = {};         // of branches that the feeds' values rule out
  std::vector<Removal> removals = {};
};

struct PlanOptions {
  int64_t memory_budget = int64_t{16} << 30;
  int workers = 1;
  bool fold_constants = true;
  bool divide_always = false;  // among workers, also what one of them would do sooner: for tests
  PassSet passes = {};
  // Scalar feeds that decide a cond, and their values: the plan has only the branch taken (Program::predicate_feeds).
  std::vector<std::pair<int, bool>> feed_predicates = {};
  PlanJournal* journal = nullptr;  // filled when given
};

// Compiles `program` for feeds of the given types and shapes. Errors of shape functions name their node;
// ResourceExhausted when the arena would exceed the budget.
absl::StatusOr<std::unique_ptr<const Plan>> BuildPlan(std::shared_ptr<const Program> program,
                                                      absl::Span<const Shape> feed_shapes, ResourceStore* resources,
                                                      const PlanOptions& options);

// Lets values share buffers (results in place of operands, branches that write into their Merge) once the instructions
// stand, and finds when each buffer is alive. Fills Buffer::first_use and last_use and Instruction::releases.
void ShareBuffers(Plan* plan);

// Gives buffers their places once barriers are set: between two barriers no memory serves twice. Fills Buffer::offset
// and Plan::arena_bytes.
void PlaceBuffers(Plan* plan);

// Gives every arena buffer its offset from first_use and last_use. Returns the size of the arena.
int64_t AssignOffsets(std::vector<Buffer>* buffers);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_PLAN_H_
