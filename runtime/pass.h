// Passes: rewrites of a plan before its memory is settled. Each is one function in one file; all are listed, in running
// order, in runtime/pass.cc, and each can be switched off by name:
//
//   SF_ASSIGN_OR_RETURN(PassSet passes, ParsePasses("-fuse_loops"));    // all others
//
// A pass changes Plan::instructions and the values they name, nothing else; it changes no result beyond the rounding
// that its header line states. What the steps write (variables, fetched and fed values) stays what it was.
#ifndef STATICFLOW_RUNTIME_PASS_H_
#define STATICFLOW_RUNTIME_PASS_H_

#include <functional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/plan.h"

namespace staticflow {

struct Pass {
  absl::string_view name;
  void (*run)(Plan* plan);
  absl::string_view doc;
};

// In running order.
absl::Span<const Pass> AllPasses();

// Reads a list such as "-fuse_loops,-cse": every name with a minus is off, "-all" switches off all, a name without (or
// with a plus) is on again. The empty text means all passes. InvalidArgument for a name that is none.
absl::StatusOr<PassSet> ParsePasses(absl::string_view text);

// Runs the passes of the set. `journal`, when given, learns which nodes each of them left out.
void RunPasses(const PassSet& passes, Plan* plan, PlanJournal* journal = nullptr);

// Maximal runs of instructions between which control cannot enter or leave and whose shapes are all known: what a pass
// may reorder. Pairs of begin and end.
std::vector<std::pair<int, int>> StraightRuns(const Plan& plan);

// Gives the plan other instructions; `moved` says, by the old index and for one behind the last, where what stood there
// begins now. Jumps' targets and the loops' ends move along.
void ReplaceInstructions(std::vector<Instruction> instructions, absl::Span<const int> moved, Plan* plan);

// Replaces every straight run by what `rewrite` makes of it (called with begin and end, in order), and moves the jumps'
// targets and the loops' ends along.
void RewriteRuns(Plan* plan, const std::function<std::vector<Instruction>(int, int)>& rewrite);

// Leaves out the instructions that are `gone`, and jumps over nothing; jumps' targets and the loops' ends move along.
void RemoveInstructions(const std::vector<bool>& gone, Plan* plan);

// What an instruction does to memory, by buffer.
struct BufferAccess {
  std::vector<int> reads;
  std::vector<int> writes;
};
BufferAccess AccessOfBuffers(const Plan& plan, const Instruction& instruction);

// The value by which the plan knows the variable of `slot`; -1 when it has none of fixed shape.
int ValueOfVariable(const Plan& plan, const VariableSlot* slot);

// The order that the instructions of a straight run must keep, as edges from earlier to later ones (indices within the
// run): through what they read and write, and between effects outside of memory.
std::vector<std::vector<int>> Dependences(const Plan& plan, int begin, int end);

// For every buffer, how many instructions read it, with one more for each fetch, predicate and other use from outside.
std::vector<int> CountReaders(const Plan& plan);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_PASS_H_
