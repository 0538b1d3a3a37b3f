// Layouts: which part of a buffer each worker touches, and which worker therefore has it in its cache.
#ifndef STATICFLOW_RUNTIME_LAYOUT_H_
#define STATICFLOW_RUNTIME_LAYOUT_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "runtime/plan.h"

namespace staticflow {

// The elements of one buffer that each worker reads or writes in an instruction.
struct Layout {
  enum Kind {
    kEverywhere,  // the whole, each worker
    kFlat,        // worker w the elements cuts[w]..cuts[w + 1], as they lie in memory
    kColumns,     // worker w the columns cuts[w]..cuts[w + 1] of a matrix with `columns` columns
    kFirst,       // the whole, worker 0
    kParts,       // each worker an addend of the whole
  };
  Kind kind = kEverywhere;
  int64_t elements = 0;
  int64_t columns = 0;
  std::vector<int64_t> cuts = {};

  // Whether some element belongs to one worker here and to another there.
  bool Crosses(const Layout& other) const;
  // The most elements that one worker touches here and does not own in `owned`.
  int64_t Missing(const Layout& owned) const;
};

// An instruction's layouts, when its items are divided at `cuts` (empty: worker 0 does all).
struct BufferLayout {
  int buffer = -1;
  Layout layout;
};
struct InstructionLayouts {
  std::vector<BufferLayout> reads;
  std::vector<BufferLayout> writes;
};
InstructionLayouts LayoutsOf(const Plan& plan, const Instruction& instruction, const std::vector<int64_t>& cuts);

// What workers have done to buffers since they last waited for each other.
class UsesSinceBarrier {
 public:
  // Whether a worker would touch what another one wrote, or write what another one touched.
  bool Meet(const InstructionLayouts& layouts) const;
  void Note(const InstructionLayouts& layouts);
  void Clear() { uses_.clear(); }

 private:
  struct Uses {
    std::vector<Layout> reads;
    std::vector<Layout> writes;
  };
  absl::flat_hash_map<int, Uses> uses_;  // by buffer
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_LAYOUT_H_
